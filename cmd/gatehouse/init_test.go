package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheStartMakesLittle reads what Go says of the start of every package of ours. What a package
// makes then is made by every command, before it reads its flags, and lies in memory to the end:
// one regular expression that counted letters took six megabytes and a tenth of a second. So most
// expressions are compiled when a text comes first.
//
// The ballast is taken before: the garbage collector runs while there is little to look at.
func TestTheStartMakesLittle(t *testing.T) {
	t.Parallel()
	const most, mostWithTests = 64 << 10, 200 << 10
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$") // #nosec G204 -- this test
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seen, before := 0, 0
	ballasted := false
	for line := range strings.Lines(string(out)) {
		var name string
		var at, took float64
		var made, times int
		if n, _ := fmt.Sscanf(
			line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &name, &at, &took, &made, &times,
		); n != 5 {
			continue
		}
		if name == "github.com/gatehouse-id/gatehouse/cmd/gatehouse/ballast" {
			if before > most {
				t.Errorf("%d KiB are made before the ballast is taken, more than %d", before>>10, most>>10)
			}
			ballasted = true
			continue
		}
		if !ballasted {
			before += made
		}
		if !strings.HasPrefix(name, "github.com/gatehouse-id/gatehouse/") {
			continue
		}
		seen++
		bound := most
		if name == "github.com/gatehouse-id/gatehouse/cmd/gatehouse" { // with its tests
			bound = mostWithTests
		}
		if made > bound {
			t.Errorf("%s makes %d KiB when it starts, more than %d", name, made>>10, bound>>10)
		}
	}
	if !ballasted {
		t.Error("no ballast is taken")
	}
	if seen < 10 {
		t.Errorf("only %d packages were seen: %s", seen, out)
	}
}
