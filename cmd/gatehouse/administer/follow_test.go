package administer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestTheAuditLogIsFollowed prints each event once, in their order, and ends when it is told to.
func TestTheAuditLogIsFollowed(t *testing.T) {
	o, s := newOffice(t)
	create := func(n int) {
		t.Helper()
		g := center.Group{DisplayName: fmt.Sprint("before ", n)}
		if _, err := s.CreateGroup(t.Context(), centertest.Actor, g); err != nil {
			t.Fatal(err)
		}
	}
	create(0)
	ctx, end := context.WithCancel(t.Context())
	var out centertest.Output
	ended := make(chan error, 1)
	go func() { ended <- o.run(ctx, "", &out, &out, "audit", "search", "--follow", "--action", "CreateGroup") }()
	lines := func() int { return strings.Count(out.String(), "CreateGroup") }
	made := 0
	for limit := time.Now().Add(time.Minute); lines() < 5; time.Sleep(50 * time.Millisecond) {
		if made < 50 {
			made++
			create(made)
		}
		if time.Now().After(limit) {
			t.Fatalf("it has printed %q", out.String())
		}
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		if seen[line] {
			t.Errorf("twice: %s", line)
		}
		seen[line] = true
	}
}
