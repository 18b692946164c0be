package connect_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

const scopeStep = "Tenant URL, secret token and scope"

// TestAReplayStopsWhereItGoesOtherwise: the step that left something else is the last one. The next
// run goes on there, and its journal has what both runs did.
func TestAReplayStopsWhereItGoesOtherwise(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	var kept connect.Journal
	run := func(rehearsed *connect.Journal) (*connect.Plan, *connect.Replay, error) {
		cfg := config(e, http.DefaultClient, "Engineering")
		cfg.Settle = time.Millisecond
		earlier := kept
		cfg.Replay = &connect.Replay{Rehearsed: rehearsed, Keep: func(j connect.Journal) error {
			j.Continue(earlier)
			kept = j
			return nil
		}}
		plan, err := connect.Observe(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return plan, cfg.Replay, plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	}
	tenant := e.AuthorityURL()
	rehearsed := connect.Journal{
		Version: 1, Instance: e.Center.InstanceARN, Tenant: tenant[strings.LastIndexByte(tenant, '/')+1:],
		Steps: []connect.JournalStep{{Title: "Enterprise application"}},
		Proof: &connect.JournalProof{Users: 8, Groups: 1, Failures: []connect.Failure{{Name: "Ada"}}},
	}
	plan, _, err := run(&rehearsed)
	if !errors.Is(err, connect.ErrOtherwise) || !strings.Contains(err.Error(), "Rehearse again") {
		t.Errorf("with steps that were not rehearsed: %v", err)
	}
	if plan.State.Principal.ID != "" {
		t.Error("something was done")
	}
	rehearsed.Steps = nil
	for _, s := range plan.Steps {
		left := map[string]string{"something that only one end tells": "x"}
		if s.Title == scopeStep {
			left["the job's scope"] = "all"
		}
		rehearsed.Steps = append(rehearsed.Steps, connect.JournalStep{Title: s.Title, Left: left})
	}
	other := rehearsed
	other.Tenant = "00000000-0000-0000-0000-000000000000"
	if _, _, err := run(&other); !errors.Is(err, connect.ErrOtherwise) {
		t.Errorf("the rehearsal of another tenant: %v", err)
	}
	plan, _, err = run(&rehearsed)
	if !errors.Is(err, connect.ErrOtherwise) ||
		!strings.Contains(err.Error(), `the job's scope is "assigned", and was "all"`) {
		t.Errorf("another scope: %v", err)
	}
	if plan.Pending() != 1 {
		t.Errorf("%d steps are left, want that after the one that differs", plan.Pending())
	}
	plan, replay, err := run(&rehearsed)
	if err != nil {
		t.Fatal(err)
	}
	result, err := plan.Verify(ctx, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	err = replay.Proved(result)
	if !errors.Is(err, connect.ErrOtherwise) || !strings.Contains(err.Error(), "7 users and 1 group ") ||
		!strings.Contains(err.Error(), "failed in the rehearsal, and did not now: Ada") {
		t.Errorf("another proof: %v", err)
	}
	if len(kept.Steps) != len(plan.Steps) || kept.Proof == nil || kept.Steps[9].Left["the job"] != "Active" ||
		kept.Steps[1].Left["the reply URLs"] != "the center's" {
		t.Errorf("the journal: %+v", kept)
	}
}
