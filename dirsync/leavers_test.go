package dirsync

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// unlisting fails what lists users, and not what searches.
func unlisting(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/Users") && r.URL.Query().Has("startIndex") && !r.URL.Query().Has("filter") {
		return answered(http.StatusServiceUnavailable, ""), nil
	}
	return nil, nil //nolint:nilnil // it does not fail
}

// TestALeaverDoesNotWaitForAListing: the target never lists what it has, so that it was never
// compared. Somebody left, and it could not be told so. Then the source is away: whoever is to lose
// access loses it all the same, and so do members; nobody gets anything.
func TestALeaverDoesNotWaitForAListing(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, scim := byWays(t, from, to)
	scim.set(unlisting)
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cycle(ctx, false); err == nil || !to.active(t, "bob@example.com") {
		t.Fatalf("the first cycle: %v", err)
	}
	from.disable(t, "u2")
	setTitle(t, from, "u1", "Wizard")
	if err := from.RemoveMember(ctx, tenanttest.Actor, "g2", "u3"); err != nil {
		t.Fatal(err)
	}
	scim.set(func(r *http.Request) (*http.Response, error) {
		if res, err := unlisting(r); res != nil {
			return res, err
		}
		return failing(r)
	})
	if _, err := s.Cycle(ctx, false); err == nil || !to.active(t, "bob@example.com") {
		t.Fatalf("the cycle that can do nothing: %v", err)
	}
	graph.set(away)
	scim.set(unlisting)
	if s, err = Open(ctx, config); err != nil {
		t.Fatal(err)
	}
	r, err := s.Cycle(ctx, false)
	if !errors.Is(err, errGone) || r.Disabled != 1 || r.InStep.Equal || to.active(t, "bob@example.com") {
		t.Errorf("%+v, %v; bob is active: %v", r, err, to.active(t, "bob@example.com"))
	}
	if _, _, members := to.counts(t, "Platform"); members != 0 || to.title(t, "ada@example.com") != "Engineer" {
		t.Errorf("%d members; ada's title is %s", members, to.title(t, "ada@example.com"))
	}
	graph.set(nil)
	scim.set(nil)
	if r, err := s.Cycle(ctx, false); err != nil || !r.Compared || to.title(t, "ada@example.com") != "Wizard" {
		t.Errorf("when all is well again: %+v, %v", r, err)
	}
}

// TestALeaverIsKnownByAPart: somebody was disabled or deleted at the source, and the rest of it
// cannot be read, for however long. They lose access, and nobody else does; nothing else is done
// before all was read, and what was done is not done again and again.
func TestALeaverIsKnownByAPart(t *testing.T) {
	t.Parallel()
	refused := func() (*http.Response, error) {
		return answered(http.StatusForbidden, `{"error":{"code":"Authorization_RequestDenied"}}`), nil
	}
	disabled := func(t *testing.T, from source) { t.Helper(); from.disable(t, "u2") }
	for name, c := range map[string]struct {
		application string
		groups      []string
		leave       func(t *testing.T, from source)
		fail        string
	}{
		"the groups": {leave: disabled, fail: "/groups/delta"},
		"the groups, and they are deleted": {
			leave: func(t *testing.T, from source) {
				t.Helper()
				if err := from.DeleteUser(ctx, tenanttest.Actor, "u2"); err != nil {
					t.Fatal(err)
				}
			},
			fail: "/groups/delta",
		},
		"who is assigned": {application: "Cloud", leave: disabled, fail: "/appRoleAssignedTo"},
		"whether a followed group is gone": {
			groups: []string{"Engineering", "Platform", "Art"},
			leave: func(t *testing.T, from source) {
				t.Helper()
				from.disable(t, "u2")
				from.deleteGroup(t, "g2")
			},
			fail: "/groups/g2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, center.ProfileStandard)
			config, graph, scim := byWays(t, from, to)
			from.assign(t, &tenant.Application{}, "g1", "g2", "g3")
			config.Application, config.Groups = c.application, c.groups
			cycle(t, config, false)
			c.leave(t, from)
			setTitle(t, from, "u1", "Wizard")
			graph.set(failsAt(c.fail, refused))
			s, err := Open(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Cycle(ctx, false)
			if err == nil || r.Disabled != 1 || r.InStep.Equal || to.active(t, "bob@example.com") ||
				!to.active(t, "eva@example.com") || to.title(t, "ada@example.com") != "Engineer" {
				t.Errorf("%+v, %v; bob is active: %v", r, err, to.active(t, "bob@example.com"))
			}
			var asked int
			scim.set(func(*http.Request) (*http.Response, error) {
				asked++
				return nil, nil //nolint:nilnil // it does not fail
			})
			if r, err := s.Cycle(ctx, false); err == nil || r.Changes || asked > 0 {
				t.Errorf("once more: %+v, %v; the target was asked %d times", r, err, asked)
			}
			graph.set(nil)
			if r, err := s.Cycle(ctx, false); err != nil || to.active(t, "bob@example.com") ||
				to.title(t, "ada@example.com") != "Wizard" {
				t.Errorf("when all can be read: %+v, %v", r, err)
			}
		})
	}
}

// TestALeaverDoesNotWaitForTheRestOfASource that asks to be left alone for minutes after it has
// told of the leaver.
func TestALeaverDoesNotWaitForTheRestOfASource(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	cycle(t, config, false)
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	s.patience = time.Millisecond
	from.disable(t, "u2")
	graph.set(failsAt("/groups/delta", func() (*http.Response, error) {
		return answered(http.StatusTooManyRequests, "", "Retry-After", "200"), nil
	}))
	running, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	s.Run(running, Pace{Every: time.Millisecond}, func(r Report, err error) {
		if r.Disabled > 0 {
			stop()
		}
		if err == nil || !strings.Contains(err.Error(), "asks to wait") {
			t.Errorf("the cycle does not say that the source was not read: %v", err)
		}
	})
	if to.active(t, "bob@example.com") {
		t.Error("bob is active")
	}
}

// TestWhoIsBackIsNotTakenForALeaver: somebody was disabled and enabled at the source, and deleted
// and restored, while the groups cannot be read.
func TestWhoIsBackIsNotTakenForALeaver(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	cycle(t, config, false)
	from.disable(t, "u2")
	if _, err := from.UpdateUser(ctx, tenanttest.Actor, "u2", func(u *tenant.User) { u.Enabled = true }); err != nil {
		t.Fatal(err)
	}
	err := from.DeleteUser(ctx, tenanttest.Actor, "u3")
	if err == nil {
		_, err = from.Restore(ctx, tenanttest.Actor, "u3", "")
	}
	if err != nil {
		t.Fatal(err)
	}
	graph.set(failsAt("/groups/delta", func() (*http.Response, error) { return nil, errGone }))
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Cycle(ctx, false)
	if !errors.Is(err, errGone) || r.Changes || !to.active(t, "bob@example.com") || !to.active(t, "eva@example.com") {
		t.Errorf("%+v, %v", r, err)
	}
}
