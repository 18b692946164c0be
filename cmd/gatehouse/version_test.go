package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheReleaseStampsVariablesThatExist: the linker says nothing of one that does not.
func TestTheReleaseStampsVariablesThatExist(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../../scripts/release")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("version.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^var ((?:\w+, )*\w+) string$`).FindSubmatch(source)
	if declared == nil {
		t.Fatal("version.go declares no variables to stamp")
	}
	var stamped []string
	for _, m := range regexp.MustCompile(`-X main\.(\w+)=`).FindAllSubmatch(script, -1) {
		stamped = append(stamped, string(m[1]))
	}
	if want := strings.Split(string(declared[1]), ", "); !slices.Equal(stamped, want) {
		t.Errorf("scripts/release stamps %q, version.go has %q", stamped, want)
	}
}
