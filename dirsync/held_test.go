package dirsync

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// end deletes an application of the source, as an administrator does.
func (from source) end(t *testing.T, app tenant.Application) {
	t.Helper()
	if err := from.DeleteApplication(ctx, tenanttest.Actor, tenant.AnyApplicationID(app.ID)); err != nil {
		t.Fatal(err)
	}
}

// TestAnApplicationThatIsGoneTakesNobodyAlong: as in an Entra ID, whose job goes with it. No cycle
// fails by that, and it is said to whoever reads the report, also by a process that is started
// then; whoever is disabled at the source loses access. Another one of the name is followed when
// it is named by its id.
func TestAnApplicationThatIsGoneTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config := between(from, to, newTenant(t, t.TempDir()))
	app := tenant.Application{}
	from.assign(t, &app, "u1", "g3")
	config.Application = "Cloud"
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Cycle(ctx, false); err != nil || r.Created == 0 || r.Ended || r.Rest() != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	from.end(t, app)
	again := tenant.Application{}
	from.assign(t, &again)
	setTitle(t, from, "u1", "Wizard")
	for range 2 {
		r, err := s.Cycle(ctx, true)
		if err != nil || !r.Ended || r.Changes || r.InStep.Equal || r.Rest() == nil || len(r.ToDo()) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		if !to.active(t, "ada@example.com") || to.title(t, "ada@example.com") != "Engineer" {
			t.Error("ada is not as before")
		}
		if plan, err := s.Preview(ctx, false); err != nil || !plan.Ended || plan.Changes {
			t.Errorf("a dry run: %+v, %v", plan, err)
		}
		if s, err = Open(ctx, config); err != nil {
			t.Fatal(err)
		}
	}
	from.disable(t, "u2")
	if r, err := s.Cycle(ctx, false); err != nil || r.Disabled != 1 || to.active(t, "bob@example.com") {
		t.Errorf("whoever leaves: %+v, %v", r, err)
	}
	from.assign(t, &again, "u1")
	config.Application = string(again.ServicePrincipalID)
	if r := cycle(t, config, false); r.Ended || to.title(t, "ada@example.com") != "Wizard" || r.Rest() != nil {
		t.Errorf("the next one: %+v", r)
	}
}

// TestAnApplicationThatNeverWasIsAMistake in the configuration.
func TestAnApplicationThatNeverWasIsAMistake(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config := between(from, to, newTenant(t, t.TempDir()))
	config.Application = "Clowd"
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Cycle(ctx, false); err == nil || r.Ended {
		t.Errorf("%+v, %v", r, err)
	}
}

// leaving leaves some people out of whatever is listed.
func leaving(ids map[string]bool) func(*http.Request, object) {
	return func(r *http.Request, body object) {
		list, _ := body["value"].([]any)
		var rest []any
		for _, x := range list {
			o, _ := x.(object)
			id, _ := o["id"].(string)
			assigned, _ := o["principalId"].(string)
			if ids[id] || ids[assigned] {
				continue
			}
			var members []any
			in, _ := o["members@delta"].([]any)
			for _, m := range in {
				if id, _ := m.(object)["id"].(string); !ids[id] {
					members = append(members, m)
				}
			}
			if in != nil {
				o["members@delta"] = members
			}
			rest = append(rest, x)
		}
		if list != nil {
			body["value"] = rest
		}
	}
}

// TestPeopleWhoAreMissingKeepWhatTheyHave: more than a thousand people are missing when everything
// is read again, also from their groups and from who is assigned. They keep access and memberships,
// all else goes on, and the cycle says what to do. They lose them when somebody says so.
func TestPeopleWhoAreMissingKeepWhatTheyHave(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	var crowd tenant.Replica
	missing := map[string]bool{"u1": true, "u2": true}
	for i := range 1000 {
		id := fmt.Sprint("m", i)
		crowd.Users = append(crowd.Users, tenant.User{
			ID: tenant.UserID(id), UserPrincipalName: id + "@example.com", DisplayName: id, Enabled: true,
		})
		missing[id] = true
	}
	if err := from.Replicate(ctx, audit.SystemActor, crowd, tenant.Note{}); err != nil {
		t.Fatal(err)
	}
	from.assign(t, &tenant.Application{}, "u1", "u3", "g3")
	config.Application = "Cloud"
	cycle(t, config, false)
	hides := altering(config.Source.HTTP.Transport, leaving(missing))
	config.Source.HTTP.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if _, id, _ := strings.Cut(r.URL.Path, "/users/"); missing[strings.Split(id, "/")[0]] {
			return answered(http.StatusNotFound, `{"error":{"code":"Request_ResourceNotFound"}}`), nil
		}
		return hides.RoundTrip(r)
	})
	graph.set(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/delta") && strings.Contains(r.URL.RawQuery, "deltatoken") {
			return answered(http.StatusGone, `{"error":{"code":"syncStateNotFound"}}`), nil
		}
		return nil, nil //nolint:nilnil // it does not fail
	})
	setTitle(t, from, "u3", "Wizard")
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		r, err := s.Cycle(ctx, false)
		if err != nil || r.Missing != len(missing) || r.Disabled > 0 || r.InStep.Equal || r.Rest() == nil ||
			len(r.ToDo()) != 1 || !strings.Contains(r.ToDo()[0], "--remove-missing") {
			t.Errorf("%+v, %v", r, err)
		}
		if _, _, members := to.counts(t, "Art"); members != 1 || !to.active(t, "ada@example.com") ||
			!to.active(t, "bob@example.com") || to.title(t, "eva@example.com") != "Wizard" {
			t.Errorf("round %d: they have not kept what they had, or the rest does not go on", round)
		}
		graph.set(nil)
	}
	plan, err := s.Preview(ctx, false)
	if err != nil || changes(t, plan, "ada@example.com").Code != "SourceMissing" || len(plan.Objects) != 2 {
		t.Errorf("a dry run: %v, %v", plan.Objects, err)
	}
	config.RemoveMissing = true
	if r := cycle(t, config, false); r.Missing > 0 || r.Deleted != 2 || r.Rest() != nil {
		t.Errorf("when they are let go: %+v", r)
	}
}
