package demo_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

var ctx = context.Background()

// pair is a center and a tenant that are empty and do not serve.
func pair(t *testing.T) (*center.Center, *tenant.Tenant) {
	t.Helper()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := tenanttest.On(t, s)
	tn.Log = slog.New(slog.DiscardHandler)
	return centertest.New(t, "http://127.0.0.1"), tn
}

// served has both halves of a pair serve, with provisioning, until the test ends.
func served(t *testing.T, c *center.Center, tn *tenant.Tenant) {
	t.Helper()
	targets := outbound.Policy{Loopback: true}
	jobs := syncjobs.New(tn, tn.Log, targets.Client(syncjobs.AnswerTimeout))
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); jobs.Run(running) }()
	t.Cleanup(func() { stop(); <-ended })
	for _, half := range []struct {
		url    *string
		handle func() http.Handler
	}{
		{&c.URL, func() http.Handler { return centerserver.Handler(c, centerserver.Config{Targets: targets}) }},
		{&tn.URL, func() http.Handler { return tenantserver.Handler(tn, tenantserver.Config{Jobs: jobs}) }},
	} {
		server := httptest.NewUnstartedServer(nil)
		*half.url = "http://" + server.Listener.Addr().String()
		server.Config.Handler = half.handle()
		server.Start()
		t.Cleanup(server.Close)
	}
}

func TestACompanyOfAnySize(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{25, 6}, {60, 9}, {3, 2}, {1, 1}} {
		company := demo.NewCompany(size[0], size[1], "example.com")
		if len(company.Users) != size[0] || len(company.Groups) != size[1] {
			t.Errorf("%v: %d users and %d groups", size, len(company.Users), len(company.Groups))
		}
		names, nameless := map[string]bool{}, 0
		for _, u := range company.Users {
			names[u.UserPrincipalName] = true
			if u.Surname == "" {
				nameless++
			}
		}
		if len(names) != size[0] || nameless > 1 {
			t.Errorf("%v: %d names, %d without a last name", size, len(names), nameless)
		}
		if company.Users[0].UserPrincipalName != "amara.okafor@example.com" || company.Users[0].ManagerID != "" {
			t.Errorf("%v: the first is %+v", size, company.Users[0])
		}
	}
}

// TestAPairIsSeededConnectedAndKept goes the way of the demo, twice.
func TestAPairIsSeededConnectedAndKept(t *testing.T) {
	t.Parallel()
	c, tn := pair(t)
	served(t, c, tn)
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys")
	keys, err := demo.Kept(ctx, file, sealer, c, tn, 25, 6)
	if err != nil {
		t.Fatal(err)
	}
	var planned, steps, progress int
	watch := demo.Watch{
		Planned: func(p *connect.Plan) func(int, bool) {
			planned = p.Pending()
			return func(_ int, done bool) {
				if done {
					steps++
				}
			}
		},
		NewToken: func(k demo.Keys) error { return k.Keep(file, sealer) },
		Cycle:    func(int, int) { progress++ },
	}
	connected, err := keys.Connect(ctx, c, tn, http.DefaultClient, watch)
	if err != nil {
		t.Fatal(err)
	}
	result := connected.Result
	if planned == 0 || steps != planned || progress == 0 || result.Users != 23 || len(result.Failures) != 1 {
		t.Errorf("%d of %d steps, %d times progress, %+v", steps, planned, progress, result)
	}

	again, err := demo.Kept(ctx, file, sealer, c, tn, 25, 6)
	if err != nil || again != keys || again.SCIMToken == "" {
		t.Errorf("the keys that were kept differ: %v", err)
	}
	data, err := os.ReadFile(file) // #nosec G304 -- a test's own
	if err != nil || strings.Contains(string(data), keys.SCIMToken) {
		t.Errorf("the keys are not sealed: %v", err)
	}
	if _, err := again.Connect(ctx, c, tn, http.DefaultClient, demo.Watch{}); err != nil || again != keys {
		t.Errorf("connecting a pair that is connected: %v", err)
	}

	out, err := again.Describe(ctx, c, tn, connected.State, "aws-config")
	if err != nil || len(out.People) != 25 || len(out.Accounts) != 4 || out.Tenant.JobID == "" {
		t.Errorf("%+v, %v", out, err)
	}
	// The order is the same each time, and says who is not at the center: whoever takes the first
	// of them in a script must not meet Teller, who has no last name, once in 25 runs.
	if p := out.People[0]; p.UserName != "amara.okafor@"+tn.Organization.Domain || p.CenterUserID == "" {
		t.Errorf("the first of the people is %+v", p)
	}
	for _, p := range out.People {
		if here := p.CenterUserID != ""; here == (p.DisplayName == "Teller" || p.DisplayName == "Viktor Horvat") {
			t.Errorf("%s is at the center: %v", p.DisplayName, here)
		}
	}
	i := slices.IndexFunc(out.Accounts, func(a demo.Account) bool { return a.ID == "333344445555" })
	if i < 0 || !slices.Contains(out.Accounts[i].Roles, "PowerUserAccess") {
		t.Errorf("roles that nobody has: %+v", out.Accounts)
	}
	text, err := demo.AWSConfig(ctx, c, tn.Organization.Domain)
	if err != nil || !strings.Contains(text, "sso_role_name = AdministratorAccess") {
		t.Errorf("the configuration of the AWS CLI is %s, %v", text, err)
	}
	move, err := demo.MembershipCommand(ctx, c, tn.Organization.Domain)
	if err != nil || !strings.Contains(move.Command, "create-group-membership") || move.Group != "Finance" {
		t.Errorf("the command of the walk is %+v, %v", move, err)
	}
	other, err := authn.NewSealer([]byte(strings.Repeat("k", authn.MasterKeySize)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := demo.Kept(ctx, file, other, c, tn, 25, 6); err == nil {
		t.Error("keys that another master key sealed are opened")
	}
}

// TestGroupsThatComeLaterAreAssigned makes the groups one after the other, as a person does who
// connects the two by hand.
func TestGroupsThatComeLaterAreAssigned(t *testing.T) {
	t.Parallel()
	c, _ := pair(t)
	if err := demo.CreateAccess(ctx, c, audit.SystemActor); err != nil {
		t.Fatal(err)
	}
	if missing, err := demo.Assign(ctx, c, audit.SystemActor); err != nil || missing != 7 {
		t.Errorf("%d grants lack their group, %v; want 7", missing, err)
	}
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() { defer close(ended); demo.AssignWhenReady(waiting, c, c.Log) }()
	for _, g := range demo.NewCompany(25, 6, "example.com").Groups {
		if _, err := c.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: g.DisplayName}); err != nil {
			t.Fatal(err)
		}
	}
	<-ended
	if waiting.Err() != nil {
		t.Fatal("it waits although all groups are there")
	}
	if missing, err := demo.Assign(ctx, c, audit.SystemActor); err != nil || missing != 0 {
		t.Errorf("%d grants lack their group, %v", missing, err)
	}
}

func TestTheOutboxIsShown(t *testing.T) {
	t.Parallel()
	c, _ := pair(t)
	outbox := &mail.Outbox{}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.URL = server.URL
	demo.MountOutbox(mux, c, outbox)
	read := func() string {
		res, err := http.Get(server.URL + demo.OutboxPath)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if page := read(); !strings.Contains(page, "No emails yet") {
		t.Errorf("an empty outbox: %s", page)
	}
	if err := outbox.Deliver(ctx, mail.Message{To: "ada@example.com", Subject: "Hello", Text: "<b>"}); err != nil {
		t.Fatal(err)
	}
	if page := read(); !strings.Contains(page, "ada@example.com") || !strings.Contains(page, "&lt;b&gt;") {
		t.Errorf("an email is not shown as text: %s", page)
	}
}
