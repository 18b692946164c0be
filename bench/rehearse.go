package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Where the assignments of a large organization are: each of the stub's permission sets in so many
// accounts, with a page or more of them each.
const (
	stubSets     = 10
	stubAccounts = 50
	ofEachSet    = 8 // requests: what it is, five kinds of policies and tags, where it is and is behind
)

// rehearsals measures how long the copy of AWS's side takes behind AWS's limits.
func rehearsals(s settings, _ string) (figures []figure, err error) {
	people := s.users * 10
	b := newBothSides(people, max(1, people/10))
	b.assigned = max(1, s.assigned/(stubSets*stubAccounts))
	server := httptest.NewServer(b)
	defer server.Close()
	b.at = server.URL
	s.say("rehearse, %s people and %s assignments behind AWS's limits", thousands(people), thousands(s.assigned))
	folder, err := os.MkdirTemp("", "gatehouse-rehearsal-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a leftover temporary folder is no failure
	cmd := exec.Command(       // #nosec G204 -- as in start
		s.program, "rehearse", "--from", "aws@eu-west-1", "--data", folder, "--no-serve", "--json", "--center",
		"127.0.0.1:0", "--tenant", "127.0.0.1:0",
	)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_ENDPOINT_URL="+server.URL,
		"AWS_CONFIG_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true")
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, told.String())
	}
	took := time.Since(began).Seconds()
	var copied struct {
		AWS struct{ Counts map[string]int }
	}
	if err := json.Unmarshal(out.Bytes(), &copied); err != nil {
		return nil, err
	}
	want := map[string]int{
		"users": people, "groups": b.groups, "assignments": b.assigned * stubSets * stubAccounts,
		"memberships": b.groups * b.each,
	}
	for kind, n := range want {
		if copied.AWS.Counts[kind] != n {
			return nil, fmt.Errorf("the copy has %d %s, want %d", copied.AWS.Counts[kind], kind, n)
		}
	}
	memory := 0.0
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		memory = float64(used.Maxrss) / 1024
	}
	pages := (b.assigned + pageOfAWS - 1) / pageOfAWS
	floor := max(b.seconds(), float64(stubSets*(ofEachSet+stubAccounts*pages))/perSecond) // both at once
	return []figure{
		{
			Name: fmt.Sprintf("rehearse, %s people, %s assignments, behind AWS's limits", thousands(people),
				thousands(want["assignments"])),
			Value: took, Unit: "s", Against: "limits", Floor: floor, Ratio: took / floor,
			Aim: "≤ 1.1 × limits", More: fmt.Sprintf("%d throttled", b.throttled),
		},
		{Name: "its memory", Value: memory, Unit: "MiB"},
	}, nil
}
