package dirsync

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/graphserver"
	"github.com/gatehouse-id/gatehouse/tenant/oauth"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

var ctx = context.Background()

// newTenant opens a tenant in a folder.
func newTenant(t *testing.T, folder string) *tenant.Tenant {
	t.Helper()
	s, err := store.Open(ctx, filepath.Join(folder, "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return tenanttest.On(t, s)
}

// The people of the source. Eva is in Engineering by a group in it only.
var people = []tenant.User{
	{ID: "u1", UserPrincipalName: "ada@example.com", GivenName: "Ada", Surname: "Lovelace", JobTitle: "Engineer"},
	{ID: "u2", UserPrincipalName: "bob@example.com", GivenName: "Bob", Surname: "Ross", JobTitle: "Painter"},
	{ID: "u3", UserPrincipalName: "eva@example.com", GivenName: "Eva", Surname: "Lu", JobTitle: "Engineer"},
	{ID: "u4", UserPrincipalName: "teller@example.com", GivenName: "Teller"},
}

// source is a tenant with people, and a client of its Graph.
type source struct {
	*tenant.Tenant
	client *graph.Client
}

func newSource(t *testing.T) source {
	t.Helper()
	tn := newTenant(t, t.TempDir())
	tn.Log = slog.New(slog.DiscardHandler)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	tn.URL = server.URL
	tokens := &oauth.Handler{Tenant: tn, Log: tn.Log}
	tokens.Mount(mux)
	(&graphserver.Handler{Tenant: tn, Log: tn.Log, Authenticate: tokens.Authenticate}).Mount(mux)
	company := tenant.Company{
		Groups: []tenant.Group{
			{ID: "g1", DisplayName: "Engineering", SecurityEnabled: true},
			{ID: "g2", DisplayName: "Platform", SecurityEnabled: true},
			{ID: "g3", DisplayName: "Art", SecurityEnabled: true},
		},
		Members: []tenant.Member{
			{GroupID: "g1", MemberID: "u1", Kind: tenant.KindUser},
			{GroupID: "g1", MemberID: "g2", Kind: tenant.KindGroup},
			{GroupID: "g2", MemberID: "u3", Kind: tenant.KindUser},
			{GroupID: "g3", MemberID: "u2", Kind: tenant.KindUser},
		},
	}
	for _, u := range people {
		u.DisplayName = strings.TrimSpace(u.GivenName + " " + u.Surname)
		u.Enabled = true
		company.Users = append(company.Users, u)
	}
	if err := tn.Import(ctx, audit.SystemActor, company); err != nil {
		t.Fatal(err)
	}
	client, err := tn.CreateClient(ctx, tenanttest.Actor, "sync")
	if err != nil {
		t.Fatal(err)
	}
	return source{
		tn, graph.NewClient(
			ctx, tn.GraphURL(), tn.TokenURL(), string(client.ID), client.Secret.Reveal(), http.DefaultClient,
		),
	}
}

// target is an empty center with a SCIM endpoint.
type target struct {
	center          *center.Center
	endpoint, token string
	client          *scim.Client
}

func newTarget(t *testing.T, profile center.Profile) target {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	centertest.ServeDoor(t, c, &scimserver.Handler{
		Center:    c,
		Log:       slog.New(slog.DiscardHandler),
		RequestID: func(*http.Request) string { return "id" },
		Address:   func(*http.Request) string { return "" },
	})
	endpoint, token := centertest.Provisioned(t, c, profile)
	return target{c, endpoint, token, &scim.Client{BaseURL: endpoint, Token: token}}
}

// title is the title that a person has at the target.
func (x target) title(t *testing.T, name string) string {
	t.Helper()
	found, err := x.client.Find(ctx, "/Users", "userName", name)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s at the target: %v, %v", name, found, err)
	}
	return found[0].String("title")
}

// spoil changes a person's title at the target.
func (x target) spoil(t *testing.T, name string) {
	t.Helper()
	found, err := x.client.Find(ctx, "/Users", "userName", name)
	if err == nil {
		err = x.client.Patch(
			ctx, "/Users/"+found[0].String("id"),
			scim.Operation{Op: "replace", Path: "title", Value: []byte(`"Intruder"`)},
		)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// counts are how many users and groups the target has, and who is in a group.
func (x target) counts(t *testing.T, group string) (users, groups, members int) {
	t.Helper()
	users, err := x.center.CountUsers(ctx, center.UserQuery{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := x.center.Groups(ctx, center.GroupQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		if g.DisplayName == group {
			in, err := x.center.Memberships(ctx, center.MembershipQuery{GroupID: g.ID})
			if err != nil {
				t.Fatal(err)
			}
			members = len(in)
		}
	}
	return users, len(all), members
}

// between is the configuration that brings a target into line with a source.
func between(from source, to target, state *tenant.Tenant) Config {
	return Config{
		State:  state,
		Source: from.client,
		Target: to.endpoint,
		Token:  to.token,
		HTTP:   http.DefaultClient,
		Log:    slog.New(slog.DiscardHandler),
	}
}

// cycle opens a synchronizer and runs a cycle.
func cycle(t *testing.T, c Config, repair bool) Report {
	t.Helper()
	s, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Cycle(ctx, repair)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// changes are the changes of one object in a report.
func changes(t *testing.T, r Report, name string) provisioning.Entry {
	t.Helper()
	for _, e := range r.Objects {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("%s is not in the report %+v", name, r.Objects)
	return provisioning.Entry{}
}

func setTitle(t *testing.T, from source, id tenant.UserID, title string) {
	t.Helper()
	if _, err := from.UpdateUser(ctx, tenanttest.Actor, id, func(u *tenant.User) { u.JobTitle = title }); err != nil {
		t.Fatal(err)
	}
}

func TestCyclesBringTheTargetIntoLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile center.Profile
		failed  int // the AWS profile wants a last name
	}{
		"AWS's profile":    {center.ProfileAWS, 1},
		"the standard one": {center.ProfileStandard, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, c.profile)
			config := between(from, to, newTenant(t, t.TempDir()))
			dry := config
			dry.DryRun = true

			r := cycle(t, dry, false)
			if r.Created != 7-c.failed || r.Failed != c.failed || !r.Changes || !r.Full {
				t.Errorf("a dry run reports %+v", r)
			}
			if e := changes(t, r, "Engineering"); !slices.Equal(e.Added, []string{"ada@example.com"}) {
				t.Errorf("in a dry run the group gets %v", e.Added)
			}
			if users, groups, _ := to.counts(t, ""); users+groups != 0 {
				t.Fatalf("a dry run made %d users and %d groups", users, groups)
			}
			if r := cycle(t, config, false); r.Created != 7-c.failed || r.Failed != c.failed {
				t.Errorf("the first cycle reports %+v", r)
			}
			if c.failed > 0 {
				// The dry run has seen the failure, and did not remember it.
				if e := changes(t, r, "teller@example.com"); e.Code != "MissingValues" {
					t.Errorf("a person without a last name: %+v", e)
				}
			}

			setTitle(t, from, "u1", "Wizard")
			if err := from.AddMembers(ctx, tenanttest.Actor, "g3", []tenant.PrincipalID{"u1"}); err != nil {
				t.Fatal(err)
			}
			r = cycle(t, dry, false)
			if e := changes(t, r, "ada@example.com"); len(e.Changes) != 1 || e.Changes[0].New != "Wizard" {
				t.Errorf("the difference is %+v", e)
			}
			r = cycle(t, config, false)
			if r.Updated != 2 || r.Created != 0 || r.Full || r.Read > 6 {
				t.Errorf("the second cycle reports %+v", r)
			}
			if got := to.title(t, "ada@example.com"); got != "Wizard" {
				t.Errorf("the title is %q", got)
			}

			to.spoil(t, "ada@example.com")
			if r := cycle(t, config, false); r.Updated != 0 {
				t.Errorf("without repair the target is compared: %+v", r)
			}
			if r := cycle(t, config, true); r.Updated != 1 || to.title(t, "ada@example.com") != "Wizard" {
				t.Errorf("the repair reports %+v", r)
			}
		})
	}
}

func TestTheScopeIsGroupsOrAnApplication(t *testing.T) {
	t.Parallel()
	from := newSource(t)
	app, err := from.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "Cloud")
	if err != nil {
		t.Fatal(err)
	}
	if err := from.SetAssigned(
		ctx, audit.SystemActor, app.ServicePrincipalID, []tenant.Holder{{Principal: "g1"}, {Principal: "g2"}}, nil,
	); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set                   func(*Config)
		users, groups, inside int
	}{
		"everybody":              {func(*Config) {}, 4, 3, 1},
		"a group":                {func(c *Config) { c.Groups = []string{"Engineering"} }, 1, 1, 1},
		"a group and its groups": {func(c *Config) { c.Groups, c.Nested = []string{"Engineering"}, true }, 2, 1, 2},
		"by id and by name":      {func(c *Config) { c.Groups = []string{"g2", "Art"} }, 2, 2, 0},
		"an application":         {func(c *Config) { c.Application = "Cloud" }, 2, 2, 1},
		"an application by id":   {func(c *Config) { c.Application = string(app.ServicePrincipalID) }, 2, 2, 1},
	} {
		to := newTarget(t, center.ProfileStandard)
		config := between(from, to, newTenant(t, t.TempDir()))
		c.set(&config)
		cycle(t, config, false)
		users, groups, inside := to.counts(t, "Engineering")
		if users != c.users || groups != c.groups || inside != c.inside {
			t.Errorf("%s: %d users, %d groups, %d in Engineering; want %d, %d, %d", name, users, groups, inside,
				c.users, c.groups, c.inside)
		}
	}
}

func TestNothingIsTakenOver(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	if _, err := to.center.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	config := between(from, to, newTenant(t, t.TempDir()))
	r := cycle(t, config, false)
	if e := changes(t, r, "ada@example.com"); r.Failed != 1 || e.Code != "NotAdopted" {
		t.Errorf("somebody who is there is taken over: %+v", r)
	}
	config.State = newTenant(t, t.TempDir()) // the old one tries again after a minute
	config.Adopt = true
	r = cycle(t, config, false)
	if e := changes(t, r, "ada@example.com"); r.Failed != 0 || e.Reason != "taken over" {
		t.Errorf("with Adopt: %+v", r)
	}
}

func TestAStateBelongsToOneSourceAndOneTarget(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	state := newTenant(t, t.TempDir())
	config := between(from, to, state)
	cycle(t, config, false)
	other := between(from, newTarget(t, center.ProfileStandard), state)
	if _, err := Open(ctx, other); err == nil || !strings.Contains(err.Error(), "use another folder") {
		t.Errorf("a state of another target: %v", err)
	}
	// A version before this one noted the source as it was typed.
	note := tenant.Note{Name: noteSource, Text: from.client.BaseURL + "/ → " + to.endpoint}
	if err := state.SetNote(ctx, note); err != nil {
		t.Fatal(err)
	}
	if r := cycle(t, config, false); r.Full || r.Changes {
		t.Errorf("the state is not known again: %+v", r)
	}
}

func TestWhatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	for want, set := range map[string]func(*Config){
		`the group "Nobody"`:   func(c *Config) { c.Groups = []string{"Nobody"} },
		"read the assignments": func(c *Config) { c.Application = "Nothing" },
		"ask " + to.endpoint:   func(c *Config) { c.Token = "wrong" },
		"read http": func(c *Config) {
			c.Source = &graph.Client{BaseURL: from.URL, HTTP: http.DefaultClient}
		},
		"refused the credential": func(c *Config) { c.Token = "wrong" },
	} {
		config := between(from, to, newTenant(t, t.TempDir()))
		set(&config)
		s, err := Open(ctx, config)
		if err == nil {
			_, err = s.Cycle(ctx, false)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

func TestACycleThatWouldDeleteTooMuchDoesAllElse(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config := between(from, to, newTenant(t, t.TempDir()))
	cycle(t, config, false)
	config.Groups = []string{"Art"}
	config.MaxDeletions = 1
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	setTitle(t, from, "u2", "Wizard")
	var tooMany *provisioning.TooManyDeletesError
	if r, err := s.Cycle(ctx, true); !errors.As(err, &tooMany) || tooMany.Allowed != 1 || r.Updated != 1 || r.Compared {
		t.Errorf("the error is %v, of %+v", err, r)
	}
	if users, groups, _ := to.counts(t, ""); users != 4 || groups != 3 {
		t.Errorf("%d users and %d groups are left", users, groups)
	}
	if title := to.title(t, "bob@example.com"); title != "Wizard" {
		t.Errorf("the title is %q", title)
	}
	for what, cycle := range map[string]func(context.Context, bool) (Report, error){
		"cycle": s.Cycle, "preview": s.Preview,
	} {
		if _, err := cycle(ctx, false); err == nil || !strings.Contains(err.Error(), "a higher --max-deletions") {
			t.Errorf("a %s does not say what to do: %v", what, err)
		}
	}
}

// TestWhoIsHeldBackIsToldByEachProcess: by a dry run, too, though an earlier process has told it.
// One that goes on tells it once.
func TestWhoIsHeldBackIsToldByEachProcess(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), serveStore(t)
	store, err := to.open(center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	config := between(from, target{}, newTenant(t, t.TempDir()))
	config.Store, config.LeaverGrace = store, time.Hour
	cycle(t, config, false)
	config.Groups, config.MaxDeletions = []string{"Art"}, 1
	told := func(r Report) (n int) {
		for _, e := range r.Objects {
			if e.Action == provisioning.StagedDelete {
				n++
			}
		}
		return n
	}
	for range 2 {
		s, err := Open(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Preview(ctx, false)
		if n := told(r); n < 2 {
			t.Errorf("a dry run tells of %d who are held back: %v", n, err)
		}
		r, err = s.Cycle(ctx, false)
		if n := told(r); n < 2 {
			t.Errorf("a process tells of %d who are held back: %v", n, err)
		}
		r, err = s.Cycle(ctx, false)
		if n := told(r); n > 0 || err == nil {
			t.Errorf("the next cycle tells of %d once more: %v", n, err)
		}
	}
}

func TestRunFollowsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	s, err := Open(ctx, between(from, to, newTenant(t, t.TempDir())))
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	// Each cycle makes the work of the next: a change at the source, then one at the target.
	cycles := 0
	s.Run(running, Pace{Every: time.Millisecond, RepairEvery: time.Nanosecond}, func(r Report, err error) {
		cycles++
		switch {
		case err != nil:
			t.Errorf("cycle %d: %v", cycles, err)
			stop()
		case cycles == 1:
			setTitle(t, from, "u1", "Wizard")
		case cycles == 2 && r.Updated == 1:
			to.spoil(t, "ada@example.com")
		case cycles == 3 && r.Updated == 1:
			stop()
		default:
			t.Errorf("cycle %d reports %+v", cycles, r)
			stop()
		}
	})
	if got := to.title(t, "ada@example.com"); got != "Wizard" || cycles != 3 {
		t.Errorf("after %d cycles the title is %q", cycles, got)
	}
}

// TestARepairIsDueWhateverHasBeenRestarted: a process that begins anew counts from the last repair.
func TestARepairIsDueWhateverHasBeenRestarted(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	folder := t.TempDir()
	start := func(since time.Duration) (compared bool) {
		t.Helper()
		state := newTenant(t, folder)
		if since > 0 {
			at := state.Now().Add(-since).UTC().Format(time.RFC3339Nano)
			if err := state.SetNote(ctx, tenant.Note{Name: noteRepaired, Text: at}); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(ctx, between(from, to, state))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		running, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		s.Run(running, Pace{Every: time.Hour, RepairEvery: time.Hour}, func(r Report, err error) {
			if err != nil {
				t.Error(err)
			}
			compared = r.Compared
			stop()
		})
		return compared
	}
	start(0) // the first comparison
	if start(0) {
		t.Error("it repairs at once after a restart")
	}
	if !start(2 * time.Hour) {
		t.Error("it counts from the restart")
	}
	if start(0) {
		t.Error("it does not remember that it has repaired")
	}
}

func TestOnePersonIsExplained(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileAWS)
	config := between(from, to, newTenant(t, t.TempDir()))
	config.Groups = []string{"Engineering"}
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]provisioning.Outcome{
		"ada@example.com": provisioning.Success,
		"bob@example.com": provisioning.Skipped, // not in the group
	} {
		x, err := s.Explain(ctx, name)
		if err != nil || x.Outcome() != want || len(x.Steps) < 3 {
			t.Errorf("%s: %+v, %v; want %s", name, x, err, want)
		}
	}
	if users, _, _ := to.counts(t, ""); users != 0 {
		t.Errorf("an explanation made %d users", users)
	}
	if _, err := s.Explain(ctx, "nobody@example.com"); err == nil ||
		!strings.Contains(err.Error(), "is not in the directory") {
		t.Errorf("nobody: %v", err)
	}
}

func TestMappingsAreTheSameWhateverTheirVersion(t *testing.T) {
	t.Parallel()
	a, b := tenant.DefaultMappings(), tenant.DefaultMappings()
	a.Objects[0].Attributes[0].Required = !a.Objects[0].Attributes[0].Required
	if !sameMappings(a, b) || a.Objects[0].Attributes[0].Required == b.Objects[0].Attributes[0].Required {
		t.Error("what a target requires makes mappings others, or was changed by the comparison")
	}
	b.Objects[0].Attributes = b.Objects[0].Attributes[1:]
	if sameMappings(a, b) {
		t.Error("mappings without an attribute are the same")
	}
}

// TestARepairLeavesTheOtherSyncAlone: two syncs, each with its own state, provision a group of one
// directory to one center. A repair of one takes nothing away from the other, and says what it has
// found; and with a new state nothing changes about that.
func TestARepairLeavesTheOtherSyncAlone(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileAWS)
	one, two := between(from, to, newTenant(t, t.TempDir())), between(from, to, newTenant(t, t.TempDir()))
	one.Groups, two.Groups = []string{"Engineering"}, []string{"Art"}
	there := func(when string) {
		t.Helper()
		bob, err := to.center.UserByName(ctx, "bob@example.com")
		users, groups, members := to.counts(t, "Art")
		if err != nil || !bob.Active || users != 2 || groups != 2 || members != 1 {
			t.Errorf("%s: %+v, %v; %d users, %d groups, %d in the group", when, bob, err, users, groups, members)
		}
	}
	cycle(t, two, false)
	cycle(t, one, false)
	there("at first")
	r := cycle(t, one, true)
	if e := changes(t, r, "bob@example.com"); e.Code != "NotAdopted" || e.Outcome != provisioning.Skipped {
		t.Errorf("of bob it says %+v", e)
	}
	there("after a repair")
	again := one
	again.State = newTenant(t, t.TempDir())
	cycle(t, again, true)
	there("after a repair without a state")
	again.Adopt = true
	if r := cycle(t, again, true); r.Disabled != 1 || r.Deleted != 0 {
		t.Errorf("told to take over, it reports %+v", r)
	}
}
