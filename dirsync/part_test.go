package dirsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// assign gives the named application, which is made when there is none, to groups and nobody else.
func (from source) assign(t *testing.T, app *tenant.Application, groups ...tenant.PrincipalID) {
	t.Helper()
	if app.ServicePrincipalID == "" {
		made, err := from.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "Cloud")
		if err != nil {
			t.Fatal(err)
		}
		*app = made
	}
	var holders []tenant.Holder
	for _, id := range groups {
		holders = append(holders, tenant.Holder{Principal: id})
	}
	if err := from.SetAssigned(ctx, audit.SystemActor, app.ServicePrincipalID, holders, nil); err != nil {
		t.Fatal(err)
	}
}

func (from source) deleteGroup(t *testing.T, id tenant.GroupID) {
	t.Helper()
	if err := from.DeleteGroup(ctx, audit.SystemActor, id); err != nil {
		t.Fatal(err)
	}
}

// failsAt fails what ends so.
func failsAt(suffix string, answer func() (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, suffix) {
			return answer()
		}
		return nil, nil //nolint:nilnil // it does not fail
	}
}

// TestNobodyIsDisabledByAPart: something has changed at the source, and the cycle that meets it
// cannot read all that belongs to it. The source is away then, also for the next process. Nobody
// loses access by the part that was read: not in that cycle, not in another one, and not before the
// source says so itself.
func TestNobodyIsDisabledByAPart(t *testing.T) {
	t.Parallel()
	refused := func() (*http.Response, error) {
		return answered(http.StatusForbidden, `{"error":{"code":"Authorization_RequestDenied"}}`), nil
	}
	for name, c := range map[string]struct {
		application string
		groups      []string
		change      func(t *testing.T, from source, app *tenant.Application)
		fail        func(*http.Request) (*http.Response, error)
		stays       bool // in the end
	}{
		"whether a followed group is gone": {
			groups: []string{"Engineering", "Art"},
			change: func(t *testing.T, from source, _ *tenant.Application) { from.deleteGroup(t, "g3") },
			fail:   failsAt("/groups/g3", refused),
		},
		"who is assigned": {
			application: "Cloud",
			change: func(t *testing.T, from source, app *tenant.Application) {
				art := tenant.Group{DisplayName: "Art of today", SecurityEnabled: true}
				made, err := from.CreateGroup(ctx, tenanttest.Actor, art, "u2")
				if err != nil {
					t.Fatal(err)
				}
				from.assign(t, app, "g1", "g3", tenant.PrincipalID(made.ID))
				from.deleteGroup(t, "g3")
			},
			fail:  failsAt("/appRoleAssignedTo", func() (*http.Response, error) { return nil, errGone }),
			stays: true,
		},
		"the groups": {
			application: "Cloud",
			change: func(t *testing.T, from source, _ *tenant.Application) {
				setTitle(t, from, "u2", "Restorer")
			},
			fail:  failsAt("/groups/delta", func() (*http.Response, error) { return nil, errGone }),
			stays: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, center.ProfileStandard)
			graph, app := &way{}, &tenant.Application{}
			from.assign(t, app, "g1", "g3")
			config := between(from, to, newTenant(t, t.TempDir()))
			config.Source.HTTP.Transport = through(config.Source.HTTP.Transport, graph)
			config.Application, config.Groups = c.application, c.groups
			cycle(t, config, false)
			c.change(t, from, app)
			for _, fail := range []func(*http.Request) (*http.Response, error){c.fail, c.fail, away, away} {
				graph.set(fail)
				s, err := Open(ctx, config)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // in one process
					r, err := s.Cycle(ctx, false)
					if err == nil || r.Changes || !to.active(t, "bob@example.com") {
						t.Fatalf("%+v, %v; bob is active: %v", r, err, to.active(t, "bob@example.com"))
					}
				}
			}
			graph.set(nil)
			cycle(t, config, false)
			if got := to.active(t, "bob@example.com"); got != c.stays {
				t.Errorf("bob is active: %v", got)
			}
		})
	}
}

// mortal is a store that fails from one of its changes on.
type mortal struct {
	tenant.Store

	lives int
}

var errDead = errors.New("dead")

func (m *mortal) Update(ctx context.Context, fn func(tenant.Tx) error) error {
	if m.lives--; m.lives < 0 {
		return errDead
	}
	return m.Store.Update(ctx, fn)
}

// TestNobodyIsDisabledByAProcessThatDies: it dies at each of the changes of a cycle that follows an
// application and a group beside it. The next one cannot read the source. Whoever is in scope by
// either stays, and once the whole was read, so does what was to be done by it.
func TestNobodyIsDisabledByAProcessThatDies(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	graph, app := &way{}, &tenant.Application{}
	from.assign(t, app, "g1")
	config := between(from, to, newTenant(t, t.TempDir()))
	config.Source.HTTP.Transport = through(config.Source.HTTP.Transport, graph)
	config.Application, config.Groups = "Cloud", []string{"Art"}
	cycle(t, config, false)
	m := &mortal{config.State.Store, 1000}
	config.State.Store = m
	for lives := 0; ; lives++ {
		setTitle(t, from, "u1", fmt.Sprint("Dean ", lives))
		graph.set(nil)
		s, err := Open(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		m.lives = lives
		_, died := s.Cycle(ctx, false)
		m.lives = 1000
		graph.set(away)
		if s, err = Open(ctx, config); err != nil {
			t.Fatal(err)
		}
		r, err := s.Cycle(ctx, false)
		if !errors.Is(err, errGone) || r.Disabled+r.Deleted > 0 || !to.active(t, "bob@example.com") {
			t.Errorf("after %d changes: %+v, %v", lives, r, err)
		}
		if died == nil {
			break
		}
	}
}

// TestAFirstComparisonWaitsForTheSource: the state is lost, a group at the target has a member too
// many, and the target is silent when it is to be compared. When it answers, the source is away.
// Nothing is sent before both are there, or nobody would know any more who does not belong there.
func TestAFirstComparisonWaitsForTheSource(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileAWS)
	config, graph, scim := byWays(t, from, to)
	if err := from.AddMember(ctx, tenanttest.Actor, "g1", "u2"); err != nil {
		t.Fatal(err)
	}
	cycle(t, config, false)
	if err := from.RemoveMember(ctx, tenanttest.Actor, "g1", "u2"); err != nil {
		t.Fatal(err)
	}
	config.State, config.Adopt = newTenant(t, t.TempDir()), true
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	scim.set(away)
	if r, err := s.Cycle(ctx, false); !errors.Is(err, errGone) || r.Changes {
		t.Errorf("%+v, %v", r, err)
	}
	scim.set(nil)
	graph.set(away)
	if r, err := s.Cycle(ctx, false); !errors.Is(err, errGone) || r.Changes {
		t.Errorf("without the source: %+v, %v", r, err)
	}
	graph.set(nil)
	r, err := s.Cycle(ctx, false)
	if e := changes(t, r, "Engineering"); err != nil || !r.Compared || len(e.Removed) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, members := to.counts(t, "Engineering"); members != 1 {
		t.Errorf("%d members", members)
	}
}
