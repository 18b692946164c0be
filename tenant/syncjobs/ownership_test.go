package syncjobs_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// house is a tenant with Ada and Eva in Eng and Bob in Ops, and a center, without a connection.
type house struct {
	t      *testing.T
	tenant *tenant.Tenant
	runner *syncjobs.Runner
	center *center.Center
	users  map[string]tenant.UserID
	groups map[string]tenant.GroupID

	endpoint, token string
}

func newHouse(t *testing.T, profile center.Profile) *house {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	h := &house{t: t, tenant: tenanttest.On(t, s)}
	h.center, h.endpoint, h.token = aCenter(t, profile)
	h.runner = syncjobs.New(h.tenant, slog.New(slog.DiscardHandler), http.DefaultClient)
	h.users, h.groups = map[string]tenant.UserID{}, map[string]tenant.GroupID{}
	for _, name := range []string{"ada", "bob", "eva"} {
		h.hire(name)
	}
	for name, members := range map[string][]string{"Eng": {"ada", "eva"}, "Ops": {"bob"}} {
		var ids []tenant.PrincipalID
		for _, m := range members {
			ids = append(ids, tenant.PrincipalID(h.users[m]))
		}
		g, err := h.tenant.CreateGroup(
			t.Context(), tenanttest.Actor, tenant.Group{DisplayName: name, SecurityEnabled: true}, ids...,
		)
		h.must(err)
		h.groups[name] = g.ID
	}
	return h
}

// aCenter is an empty center, with its SCIM endpoint and a token.
func aCenter(t *testing.T, profile center.Profile) (c *center.Center, endpoint, token string) {
	t.Helper()
	c = centertest.New(t, "http://127.0.0.1")
	centertest.ServeDoor(t, c, &scimserver.Handler{
		Center: c, Log: slog.New(slog.DiscardHandler), RequestID: func(*http.Request) string { return "id" },
		Address: func(*http.Request) string { return "" },
	})
	endpoint, token = centertest.Provisioned(t, c, profile)
	return c, endpoint, token
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) hire(name string) {
	h.t.Helper()
	u, err := h.tenant.CreateUser(h.t.Context(), tenanttest.Actor, tenant.User{
		UserPrincipalName: name + "@northwind.example", DisplayName: name, GivenName: name, Surname: "X", Enabled: true,
	}, "")
	h.must(err)
	h.users[name] = u.ID
}

func (h *house) enable(name string, yes bool) {
	h.t.Helper()
	_, err := h.tenant.UpdateUser(
		h.t.Context(), tenanttest.Actor, h.users[name], func(u *tenant.User) { u.Enabled = yes },
	)
	h.must(err)
}

// application makes an application with some groups assigned.
func (h *house) application(groups ...string) tenant.ServicePrincipalID {
	h.t.Helper()
	app, err := h.tenant.Instantiate(h.t.Context(), tenanttest.Actor, tenant.Gallery[0], strings.Join(groups, " "))
	h.must(err)
	h.assign(app.ServicePrincipalID, groups...)
	return app.ServicePrincipalID
}

// assign assigns groups to an application, and nothing else.
func (h *house) assign(to tenant.ServicePrincipalID, groups ...string) {
	h.t.Helper()
	var holders []tenant.Holder
	for _, g := range groups {
		holders = append(holders, tenant.Holder{Principal: tenant.PrincipalID(h.groups[g])})
	}
	h.must(h.tenant.SetAssigned(h.t.Context(), audit.SystemActor, to, holders, nil))
}

// job makes the job of an application, starts it and runs a cycle.
func (h *house) job(of tenant.ServicePrincipalID) tenant.Job {
	h.t.Helper()
	j := h.started(of)
	h.run(j)
	return j
}

// started makes the job of an application, and starts it.
func (h *house) started(of tenant.ServicePrincipalID) tenant.Job {
	h.t.Helper()
	j, err := h.tenant.CreateJob(h.t.Context(), tenanttest.Actor, of, tenant.Gallery[0].SyncTemplate)
	h.must(err)
	h.must(h.tenant.ConfigureJob(h.t.Context(), tenanttest.Actor, j.ID, tenant.JobSettings{
		BaseAddress: &h.endpoint, SecretToken: &h.token,
	}))
	h.must(h.tenant.StartJob(h.t.Context(), tenanttest.Actor, j.ID))
	return j
}

// run runs a cycle of a job, in which nothing fails, and returns the job as it is afterwards.
func (h *house) run(j tenant.Job) tenant.Job {
	h.t.Helper()
	h.must(h.runner.RunJob(h.t.Context(), j))
	j, err := h.tenant.Job(h.t.Context(), j.ServicePrincipalID, j.ID)
	h.must(err)
	if j.Last == nil || j.Last.State != "Succeeded" {
		h.t.Fatalf("the cycle: %+v", j.Last)
	}
	return j
}

func (h *house) want(want ...string) {
	h.t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, has(h.t, h.center)); diff != "" {
		h.t.Errorf("the center differs (-want +have):\n%s", diff)
	}
}

// has is what a center has: who is active with a star, and groups with their members.
func has(t *testing.T, c *center.Center) (out []string) {
	t.Helper()
	ctx := context.Background()
	users, err := c.Users(ctx, center.UserQuery{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[center.UserID]string{}
	for _, u := range users {
		names[u.ID], _, _ = strings.Cut(u.UserName, "@")
		out = append(out, names[u.ID]+map[bool]string{true: "*"}[u.Active])
	}
	groups, err := c.Groups(ctx, center.GroupQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		members, err := c.Memberships(ctx, center.MembershipQuery{GroupID: g.ID})
		if err != nil {
			t.Fatal(err)
		}
		var in []string
		for _, m := range members {
			in = append(in, names[m.UserID])
		}
		slices.Sort(in)
		out = append(out, g.DisplayName+"="+strings.Join(in, "+"))
	}
	slices.Sort(out)
	return out
}

// TestAFullRestartLeavesTheOtherJobAlone: two applications provision their parts of the directory
// to one center. A full restart of either takes nothing away from the other.
func TestAFullRestartLeavesTheOtherJobAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileAWS)
	jobs := []tenant.Job{h.job(h.application("Eng")), h.job(h.application("Ops"))}
	h.enable("eva", false)
	for _, j := range jobs {
		h.run(j)
		h.must(h.tenant.RestartJob(t.Context(), tenanttest.Actor, j.ID, tenant.Reset{Links: true}))
		if j = h.run(j); j.ComparedAt.IsZero() {
			t.Error("nothing was compared")
		}
		h.want("ada*", "bob*", "eva", "Eng=ada+eva", "Ops=bob")
	}
}

// TestANewJobTakesAccessAway: a job was deleted, people have left meanwhile, and it is made again.
// Its first cycle takes away what the one before it gave, by its log, whether the target tells who
// the members of a group are or not. What somebody else did at the target stays.
func TestANewJobTakesAccessAway(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, profile)
			h.hire("kim")
			h.join("Eng", "bob", "kim")
			app := h.application("Eng", "Ops")
			j := h.job(app)
			h.want("ada*", "bob*", "eva*", "kim*", "Eng=ada+bob+eva+kim", "Ops=bob")

			h.must(h.tenant.DeleteJob(t.Context(), tenanttest.Actor, j.ID))
			h.enable("ada", false)
			h.must(h.tenant.RemoveMember(t.Context(), tenanttest.Actor, h.groups["Eng"], h.id("eva")))
			h.must(h.tenant.RemoveMember(t.Context(), tenanttest.Actor, h.groups["Eng"], h.id("bob")))
			stranger := centertest.Person("stranger@northwind.example")
			made, err := h.center.CreateUser(t.Context(), centertest.Actor, stranger)
			h.must(err)
			groups, err := h.center.Groups(t.Context(), center.GroupQuery{})
			h.must(err)
			for _, g := range groups {
				if g.DisplayName == "Eng" {
					_, err := h.center.CreateMembership(t.Context(), centertest.Actor, g.ID, made.ID)
					h.must(err)
				}
			}

			j = h.job(app)
			if j = h.run(j); j.ComparedAt.IsZero() || j.Compare || j.Unasked {
				t.Errorf("nothing was compared: %+v", j)
			}
			h.want("ada", "bob*", "eva", "kim*", "stranger*", "Eng=ada+kim+stranger", "Ops=bob")
			h.hire("zoe")
			h.join("Eng", "zoe")
			h.run(j)
			h.want("ada", "bob*", "eva", "kim*", "zoe*", "stranger*", "Eng=ada+kim+stranger+zoe", "Ops=bob")
		})
	}
}

func (h *house) id(name string) tenant.PrincipalID { return tenant.PrincipalID(h.users[name]) }

func (h *house) join(group string, names ...string) {
	h.t.Helper()
	var ids []tenant.PrincipalID
	for _, name := range names {
		ids = append(ids, h.id(name))
	}
	h.must(h.tenant.AddMembers(h.t.Context(), tenanttest.Actor, h.groups[group], ids))
}

// TestANewJobLeavesTheOtherJobAlone: what the log of a job that is no more has written, and another
// job has by now, is the other's.
func TestANewJobLeavesTheOtherJobAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	one := h.application("Eng", "Ops")
	first := h.job(one)
	h.job(h.application("Ops"))
	h.must(h.tenant.DeleteJob(t.Context(), tenanttest.Actor, first.ID))
	h.assign(one, "Eng")
	h.job(one)
	h.want("ada*", "bob*", "eva*", "Eng=ada+eva", "Ops=bob")
}

// TestAnotherTenantURLIsCompared: a job is given another center, and later the first one again, by
// another spelling. Each has what the directory has after one cycle, and nobody is told that it had
// before.
func TestAnotherTenantURLIsCompared(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	j := h.job(h.application("Eng", "Ops"))
	first := h.center
	endpoint, token := h.endpoint, h.token
	equal := func(want bool) {
		t.Helper()
		if s, err := h.tenant.InStep(t.Context(), j.ID); err != nil || s.Equal != want {
			t.Errorf("in step: %+v, %v", s, err)
		}
	}
	to := func(endpoint, token string) {
		t.Helper()
		h.must(h.tenant.ConfigureJob(t.Context(), tenanttest.Actor, j.ID, tenant.JobSettings{
			BaseAddress: &endpoint, SecretToken: &token,
		}))
	}
	equal(true)
	to(strings.TrimSuffix(endpoint, "/")+"/?aadOptscim062020", token) // the same
	equal(true)

	second, there, its := aCenter(t, center.ProfileStandard)
	to(there, its)
	equal(false)
	h.run(j)
	equal(true)
	h.center = second
	h.want("ada*", "bob*", "eva*", "Eng=ada+eva", "Ops=bob")

	h.enable("ada", false)
	h.must(h.tenant.RemoveMember(t.Context(), tenanttest.Actor, h.groups["Ops"], h.id("bob")))
	h.run(j)
	h.want("ada", "bob", "eva*", "Eng=ada+eva", "Ops=")
	h.center = first
	h.want("ada*", "bob*", "eva*", "Eng=ada+eva", "Ops=bob")
	to("", "")
	to(endpoint, token)
	equal(false)
	h.run(j)
	equal(true)
	h.want("ada", "bob", "eva*", "Eng=ada+eva", "Ops=")
}

// TestWhatNobodyAskedForIsNoRepairElsewhere: an older node of the same database drops what it does
// not know of a job. A job that is new, or has another target, is then none whose target is to be
// repaired: what others did there stays.
func TestWhatNobodyAskedForIsNoRepairElsewhere(t *testing.T) {
	t.Parallel()
	for what, moved := range map[string]bool{"a new job": false, "another tenant URL": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, center.ProfileStandard)
			app := h.application("Eng", "Ops")
			if moved {
				h.job(app)
				h.center, h.endpoint, h.token = aCenter(t, center.ProfileStandard)
			}
			stranger, err := h.center.CreateUser(
				t.Context(), centertest.Actor, centertest.Person("stranger@northwind.example"),
			)
			h.must(err)
			eng, err := h.center.CreateGroup(t.Context(), centertest.Actor, center.Group{DisplayName: "Eng"})
			h.must(err)
			_, err = h.center.CreateMembership(t.Context(), centertest.Actor, eng.ID, stranger.ID)
			h.must(err)

			var j tenant.Job
			if jobs, err := h.tenant.Jobs(t.Context(), app); moved {
				h.must(err)
				j = jobs[0]
			} else {
				j, err = h.tenant.CreateJob(t.Context(), tenanttest.Actor, app, tenant.Gallery[0].SyncTemplate)
				h.must(err)
			}
			h.must(h.tenant.ConfigureJob(t.Context(), tenanttest.Actor, j.ID, tenant.JobSettings{
				BaseAddress: &h.endpoint, SecretToken: &h.token,
			}))
			h.must(h.tenant.StartJob(t.Context(), tenanttest.Actor, j.ID))
			h.must(h.tenant.Store.Update(t.Context(), func(tx tenant.Tx) error {
				j, err := tx.Job(j.ID)
				j.Unasked, j.LinkedTo = false, ""
				return errors.Join(err, tx.PutJob(j))
			}))
			h.run(j)
			stays := func(s string) bool { return strings.HasPrefix(s, "Eng=") && strings.HasSuffix(s, "stranger") }
			if there := has(t, h.center); !slices.ContainsFunc(there, stays) {
				t.Errorf("whom somebody else has put into a group was taken out: %v", there)
			}
		})
	}
}

// unlisting is a way to a target that searches, and fails to list.
type unlisting struct {
	mu    sync.Mutex
	lists int // how often it was to
	well  bool
}

func (u *unlisting) RoundTrip(r *http.Request) (*http.Response, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if q := r.URL.Query(); r.Method != http.MethodGet || q.Get("startIndex")+q.Get("count") == "" || q.Has("filter") {
		return http.DefaultTransport.RoundTrip(r)
	}
	if u.lists++; u.well {
		return http.DefaultTransport.RoundTrip(r)
	}
	answer := httptest.NewRecorder()
	answer.WriteHeader(http.StatusInternalServerError)
	return answer.Result(), nil
}

// TestATargetThatNeverListsIsNotAskedToEachMinute: what a cycle has done although the listing
// failed is done. After a few such cycles, others do what has changed, and one an hour compares.
func TestATargetThatNeverListsIsNotAskedToEachMinute(t *testing.T) {
	t.Parallel()
	h := newHouse(t, center.ProfileStandard)
	var ahead time.Duration
	h.tenant.Now = func() time.Time { return time.Now().Add(ahead) }
	way := &unlisting{}
	h.runner.HTTP = &http.Client{Transport: way}
	j := h.started(h.application("Eng"))
	cycle := func(state string, tries bool) {
		t.Helper()
		before := way.lists
		h.must(h.runner.RunJob(t.Context(), j))
		var err error
		j, err = h.tenant.Job(t.Context(), j.ServicePrincipalID, j.ID)
		h.must(err)
		if j.Last.State != state || (way.lists > before) != tries || j.Watermark == "" || j.Unasked == way.well {
			t.Errorf("it ends as %s, lists: %v; %+v", j.Last.State, way.lists > before, j)
		}
	}
	for range 3 {
		cycle("Failed", true)
	}
	h.enable("ada", false)
	cycle("Succeeded", false)
	h.want("ada", "eva*", "Eng=ada+eva")
	cycle("Succeeded", false)
	ahead += time.Hour + time.Minute
	cycle("Failed", true)
	cycle("Succeeded", false)
	way.well = true
	h.must(h.tenant.RestartJob(t.Context(), tenanttest.Actor, j.ID, tenant.Reset{Links: true}))
	cycle("Succeeded", true)
}
