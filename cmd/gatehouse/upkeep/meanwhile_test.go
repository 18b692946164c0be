package upkeep_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestNobodyIsKeptOutByAPrompt that somebody has left open. What was agreed to is done if it is
// still what is to be done; what others have done meanwhile is not done again, and where they have
// changed what it is about, nothing is.
func TestNobodyIsKeptOutByAPrompt(t *testing.T) {
	t.Parallel()
	pause := func(k keeper) { k.Change(http.MethodPost, k.JobPath()+"/pause", nil, nil) }
	for name, test := range map[string]struct {
		before func(keeper)
		asks   []string
		others func(keeper)
		ends   error // nothing is done
		done   func(keeper) bool
	}{
		"repair, and others repair it": {
			before: pause, asks: []string{"repair"},
			others: func(k keeper) { k.want(nil, "Connected", "repair", "--accept") }, done: keeper.isOn,
		},
		"repair, and others rotate": {
			before: pause, asks: []string{"repair"},
			others: func(k keeper) { k.want(nil, "✓ Proof", "rotate", "certificate", "--accept") }, done: keeper.isOn,
		},
		"repair, and others take it back": {
			before: pause, asks: []string{"repair"},
			others: func(k keeper) { k.want(nil, "taken back", "undo", "--accept") }, ends: connect.ErrNotConnected,
			done: func(k keeper) bool { return k.source() == "" },
		},
		"undo, and others take it back": {
			asks:   []string{"undo"},
			others: func(k keeper) { k.want(nil, "taken back", "undo", "--accept") },
			done:   func(k keeper) bool { return k.source() == "" },
		},
		"undo, and others repair it": {
			before: pause, asks: []string{"undo"},
			others: func(k keeper) { k.want(nil, "Connected", "repair", "--accept") }, ends: connect.ErrMoved,
			done: func(k keeper) bool { return k.source() != "" && k.isOn() },
		},
		"rotate, and others rotate it": {
			asks:   []string{"rotate", "scim-token"},
			others: func(k keeper) { k.want(nil, "✓ Proof", "rotate", "scim-token", "--accept") },
			ends:   connect.ErrMoved,
			done:   keeper.isOn,
		},
		"rotate, and others pause the job": {
			asks: []string{"rotate", "scim-token"}, others: pause,
			done: func(k keeper) bool { return !k.isOn() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keeper{pairtest.Start(t), t, t.TempDir()}
			if test.before != nil {
				test.before(k)
			}
			out, err := k.answers(pairtest.Accepts(func() { test.others(k) }), test.asks...)
			if !errors.Is(err, test.ends) {
				t.Errorf("%v\n%s", err, out)
			}
			if !test.done(k) {
				t.Errorf("it is not as it should be: %v\n%s", err, out)
			}
		})
	}
}

func (k keeper) isOn() bool {
	k.t.Helper()
	var job graph.SynchronizationJob
	k.Change(http.MethodGet, k.JobPath(), nil, &job)
	return job.Schedule.State == "Active"
}

// source is the issuer of the center's identity provider; empty: it has none.
func (k keeper) source() string {
	k.t.Helper()
	list, err := k.Admin.Configurations(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	for _, c := range list {
		if c.Status == "ENABLED" {
			return c.EntityID
		}
	}
	return ""
}

// TestAPromptIsNotReachedWhileAnotherRunIsAtIt: whoever would be asked is told at once.
func TestAPromptIsNotReachedWhileAnotherRunIsAtIt(t *testing.T) {
	t.Parallel()
	k := keeper{pairtest.Start(t, gatehousetest.Cycle(0)), t, t.TempDir()}
	k.Change(http.MethodPost, k.JobPath()+"/pause", nil, nil)
	other := k.config()
	release, err := other.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{{"repair"}, {"undo"}, {"rotate", "scim-token"}} {
		asked := false
		_, err := k.answers(pairtest.Accepts(func() { asked = true }), line...)
		if asked || !errors.Is(err, connect.ErrHeld) {
			t.Errorf("%q: asked %v, %v", line, asked, err)
		}
	}
	release()
	// the other comes while somebody is asked
	for _, line := range [][]string{{"repair"}, {"undo"}, {"rotate", "scim-token"}} {
		_, err := k.answers(pairtest.Accepts(func() {
			if release, err = other.Hold(t.Context()); err != nil {
				t.Error(err)
			}
		}), line...)
		release()
		if !errors.Is(err, connect.ErrHeld) || k.isOn() {
			t.Errorf("%q: %v", line, err)
		}
	}
}
