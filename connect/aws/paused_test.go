package aws_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
)

// everybody changes a connection's scope to all users and groups.
func (w *walk) everybody(ctx context.Context) error {
	w.T.Helper()
	cfg := w.undoing(ctx)
	cfg.SyncAll = true
	plan, err := connect.Observe(ctx, cfg)
	if err != nil {
		return err
	}
	return plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
}

// TestAChangeOfSettingsThatDoesNotEndLeavesProvisioningOn: the job is paused only when the new
// token is there and tested, and a run that has paused it starts it again whatever happens.
func TestAChangeOfSettingsThatDoesNotEndLeavesProvisioningOn(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	ctx := t.Context()
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	on := func(when string) {
		t.Helper()
		if _, _, active := w.stands(ctx); active != 1 {
			t.Fatalf("%s: %d jobs are on", when, active)
		}
	}
	on("connected")
	w.leaves = "Generate an access token"
	if err := w.everybody(ctx); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	on("the person went away")
	w.leaves = ""
	refuse := func(parts ...string) {
		e.denied = func(method, path string) bool {
			return method != http.MethodGet &&
				slices.ContainsFunc(parts, func(part string) bool { return strings.HasSuffix(path, part) })
		}
	}
	for _, c := range []struct {
		refused []string
		off     bool
		want    string
	}{
		{refused: []string{"/validateCredentials"}, want: "403"},
		{refused: []string{"/synchronization/secrets"}, want: "which this run had paused, goes on"},
		{refused: []string{"/synchronization/secrets", "/start"}, off: true, want: "Provisioning is off"},
	} {
		refuse(c.refused...)
		plan, err := connect.Observe(ctx, w.undoing(ctx))
		if e.denied = nil; err == nil && plan.State.Job.Status.Code != "Active" {
			t.Fatalf("before: %+v", plan.State.Job.Status)
		}
		refuse(c.refused...)
		err = w.everybody(ctx)
		e.denied = nil
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is refused: %v, want %q", c.refused, err, c.want)
		}
		if !c.off {
			on(c.want)
		}
	}
	// The person goes away before the old token is deleted: the job is on with the new one.
	w.leaves = "Delete the"
	if err := w.everybody(ctx); err != nil && !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	on("the new settings are saved")
}

// TestAnUndoThatDoesNotEndSaysThatProvisioningIsOff: the job is stopped first.
func TestAnUndoThatDoesNotEndSaysThatProvisioningIsOff(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := t.Context()
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	w.leaves = "Disable automatic"
	_, err := w.undo(ctx)
	if !errors.Is(err, errAway) || !strings.Contains(err.Error(), "Provisioning is off") {
		t.Errorf("it says %v", err)
	}
}
