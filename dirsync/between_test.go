package dirsync

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// during makes a change when what ends so is asked for the first time, before it is answered.
func during(suffix string, change func()) func(*http.Request) (*http.Response, error) {
	var once sync.Once
	return func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, suffix) {
			once.Do(change)
		}
		return nil, nil //nolint:nilnil // it does not fail
	}
}

// altering is a transport on which a test changes answers. What it adds to links as page, the
// service does not see: it is a header for what is between.
func altering(next http.RoundTripper, alter func(r *http.Request, body map[string]any)) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		there := r.Clone(r.Context())
		if q := r.URL.Query(); q.Has("page") {
			there.Header.Set("X-Page", q.Get("page"))
			q.Del("page")
			there.URL.RawQuery = q.Encode()
		}
		res, err := next.RoundTrip(there)
		if err != nil || res.StatusCode != http.StatusOK {
			return res, err
		}
		defer res.Body.Close() //nolint:errcheck // it was read
		var body map[string]any
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
			return nil, err
		}
		alter(r, body)
		data, err := json.Marshal(body)
		res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		return res, err
	})
}

// hire makes a user at the source, and returns their id.
func (from source) hire(t *testing.T, name string) tenant.PrincipalID {
	t.Helper()
	u := tenant.User{
		ID: tenant.UserID("id-" + name), UserPrincipalName: name + "@example.com", DisplayName: name, GivenName: name,
		Surname: "New", Enabled: true,
	}
	if err := from.Import(ctx, audit.SystemActor, tenant.Company{Users: []tenant.User{u}}); err != nil {
		t.Error(err)
	}
	return tenant.PrincipalID(u.ID)
}

// TestWhoComesBetweenTwoReadsIsNotLeftOut: the source changes while it is read, between one part
// and the next. Whoever is named by the later part, and was not in the one before, is there after
// the same cycle, and nobody loses access by it.
func TestWhoComesBetweenTwoReadsIsNotLeftOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		application string
		groups      []string
		before      string // which part
		change      func(t *testing.T, from source, app *tenant.Application)
		joins       bool
	}{
		"a member of a followed group": {
			groups: []string{"Engineering", "Art"},
			before: "/groups/delta",
			change: func(t *testing.T, from source, _ *tenant.Application) {
				t.Helper()
				if err := from.AddMember(ctx, tenanttest.Actor, "g1", from.hire(t, "kim")); err != nil {
					t.Error(err)
				}
			},
			joins: true,
		},
		"somebody who is assigned": {
			application: "Cloud",
			before:      "/appRoleAssignedTo",
			change: func(t *testing.T, from source, app *tenant.Application) {
				t.Helper()
				from.assign(t, app, "g1", "g3", from.hire(t, "kim"))
			},
			joins: true,
		},
		"another group for the same people": {
			application: "Cloud",
			before:      "/appRoleAssignedTo",
			change: func(t *testing.T, from source, app *tenant.Application) {
				t.Helper()
				art := tenant.Group{DisplayName: "Art of today", SecurityEnabled: true}
				made, err := from.CreateGroup(ctx, tenanttest.Actor, art, "u2")
				if err != nil {
					t.Error(err)
				}
				from.assign(t, app, "g1", tenant.PrincipalID(made.ID))
			},
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
			s, err := Open(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			graph.set(during(c.before, func() { c.change(t, from, app) }))
			r, err := s.Cycle(ctx, false)
			if err != nil || r.Disabled+r.Failed > 0 || !to.active(t, "bob@example.com") {
				t.Errorf("%+v, %v; bob is active: %v", r, err, to.active(t, "bob@example.com"))
			}
			if c.joins && !to.active(t, "kim@example.com") {
				t.Error("kim has no access")
			}
			if _, _, members := to.counts(t, "Engineering"); c.groups != nil && members != 2 {
				t.Errorf("%d members", members)
			}
		})
	}
}

// TestWhoNeverComesIsNotWaitedForAgain: the source says of somebody that they are assigned, and
// never has them. They are looked for a few times, once.
func TestWhoNeverComesIsNotWaitedForAgain(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	from.assign(t, &tenant.Application{}, "g1", "g3")
	config := between(from, to, newTenant(t, t.TempDir()))
	config.Application = "Cloud"
	var pulls int
	config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, func(r *http.Request, body map[string]any) {
		switch list, _ := body["value"].([]any); {
		case strings.HasSuffix(r.URL.Path, "/users/delta"):
			pulls++
		case strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo"):
			body["value"] = append(list, map[string]any{"principalId": "ghost", "principalType": "User"})
		}
	})
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{maxPulls, maxPulls + 1, maxPulls + 2} {
		if r, err := s.Cycle(ctx, false); err != nil || r.Failed > 0 || pulls != want {
			t.Errorf("%d pulls, want %d; %+v, %v", pulls, want, r, err)
		}
	}
	if !to.active(t, "bob@example.com") {
		t.Error("bob has no access")
	}
}
