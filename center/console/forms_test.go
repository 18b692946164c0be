package console_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/web"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

type noMail struct{}

func (noMail) Send(context.Context, center.Mail)          {}
func (noMail) Deliver(context.Context, center.Mail) error { return nil }

// openConsole serves the console of a center, to an administrator who has signed in.
func openConsole(t *testing.T, c *center.Center) webtest.Visitor {
	t.Helper()
	c.Mailer = noMail{}
	mux := http.NewServeMux()
	server := httptest.NewServer(web.Middleware(mux, web.Options{Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	nothing := func(context.Context) ([]byte, error) { return nil, nil }
	(&console.Handler{Center: c, Log: slog.New(slog.DiscardHandler), SPMetadata: nothing}).Mount(mux)
	if err := c.SetAdministrator(context.Background(), audit.SystemActor, "admin", "Correct horse 7!"); err != nil {
		t.Fatal(err)
	}
	v, page := webtest.Office(server.URL+"/console").Enter(t, "admin", "Correct horse 7!")
	if !strings.Contains(page, "<h1>Your account</h1>") {
		t.Fatalf("sign-in: %s", page)
	}
	return v
}

// TestAFormIsDoneWhollyOrNotAtAll: a permission set whose policy is refused is not made, nor is a
// user who cannot be invited.
func TestAFormIsDoneWhollyOrNotAtAll(t *testing.T) {
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	office := openConsole(t, c)
	post := func(path string, form url.Values) int {
		t.Helper()
		return office.Do(http.MethodPost, c.URL+path, form).Status
	}
	set := url.Values{"name": {"Reader"}, "hours": {"1"}, "policy": {"arn:aws:iam::111122223333:policy/Mine"}}
	user := url.Values{
		"username": {"ada"},
		"display":  {"Ada"},
		"given":    {"Ada"},
		"family":   {"Lovelace"},
		"password": {"mail"},
	}
	for path, form := range map[string]url.Values{"/console/permission-sets": set, "/console/users": user} {
		if status := post(path, form); status < 400 {
			t.Errorf("%s: %d", path, status)
		}
	}
	sets, err := c.PermissionSets(ctx, center.PermissionSetQuery{})
	if err != nil || len(sets) != 0 {
		t.Errorf("made all the same: %+v, %v", sets, err)
	}
	if n, err := c.CountUsers(ctx, center.UserQuery{}); err != nil || n != 0 {
		t.Errorf("%d users made all the same, %v", n, err)
	}
	set.Set("policy", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	user.Set("email", "ada@example.com")
	for path, form := range map[string]url.Values{"/console/permission-sets": set, "/console/users": user} {
		if status := post(path, form); status != http.StatusOK {
			t.Errorf("%s, corrected: %d", path, status)
		}
	}
	if sets, err = c.PermissionSets(ctx, center.PermissionSetQuery{}); err != nil || len(sets) != 1 ||
		len(sets[0].ManagedPolicies) != 1 {
		t.Errorf("%+v, %v", sets, err)
	}
	if n, err := c.CountUsers(ctx, center.UserQuery{}); err != nil || n != 1 {
		t.Errorf("%d users, %v", n, err)
	}
}

// TestARefusedFormKeepsWhatWasTyped: it comes back on its own page, with what was wrong above it.
func TestARefusedFormKeepsWhatWasTyped(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	office := openConsole(t, c)
	ctx := context.Background()
	if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		page, path string
		form       url.Values
		want       []string
	}{
		"a policy that is none": {
			"/console/permission-sets", "/console/permission-sets",
			url.Values{"name": {"Reader"}, "description": {`a "quoted" <b>`}, "hours": {"4"}, "policy": {"Biling"}},
			[]string{
				`value="Reader"`, `value="a &#34;quoted&#34; &lt;b&gt;"`, `value="4"`, `value="Biling"`,
				`<details class="create" id="create" open="">`,
			},
		},
		"a name that somebody has": {
			"/console/users?q=ada", "/console/users",
			url.Values{
				"username": {"ada@example.com"}, "email": {"a@example.com"}, "given": {"Ada"}, "family": {"Byron"},
				"display": {"Ada Byron"}, "password": {"mail"},
			},
			[]string{
				`value="ada@example.com"`, `value="a@example.com"`, `value="Byron"`, `value="Ada Byron"`,
				`<option value="mail" selected="">`,
			},
		},
		"a short password": {
			"/console/account", "/console/account/password",
			url.Values{"current": {"Correct horse 7!"}, "password": {"short"}, "again": {"short"}},
			[]string{`role="alert"`},
		},
	} {
		page := office.Do(http.MethodPost, c.URL+x.path, x.form, "Referer: "+c.URL+x.page)
		if page.Status < 400 || page.Status > 499 {
			t.Errorf("%s: %d", name, page.Status)
		}
		for _, want := range append(x.want, `class="flash bad" role="alert"`) {
			if !strings.Contains(page.Text, want) {
				t.Errorf("%s: no %s on %s", name, want, page.Text)
			}
		}
		if strings.Contains(page.Text, "short") || strings.Contains(page.Text, "Correct horse") {
			t.Errorf("%s: a password is on the page", name)
		}
	}
	elsewhere := office.Do(
		http.MethodPost, c.URL+"/console/permission-sets", url.Values{"name": {"x"}, "policy": {"Biling"}},
		"Referer: https://elsewhere.example/console/permission-sets",
	)
	if !strings.Contains(elsewhere.Text, "That did not work") {
		t.Errorf("a form of another site: %s", elsewhere.Text)
	}
}

// TestWhatIsRefusedAfterAQuestionLeadsBackToItsForm, and not to the question, which no address
// opens again. Only a page of the console is led to.
func TestWhatIsRefusedAfterAQuestionLeadsBackToItsForm(t *testing.T) {
	t.Parallel()
	c := centertest.Serve(t)
	office := c.Console()
	deletes, list := c.URL+"/console/users/nobody/delete", "/console/users?q=ada"
	form := url.Values{"pick": {"nobody"}, "id": {"nobody"}, "sure": {"yes"}, "asked-from": {list}}
	refused := office.Do(http.MethodPost, deletes, form, "Referer: "+deletes)
	if refused.Status < 400 || refused.Status > 499 || !strings.Contains(refused.Text, `href="`+list+`"`) &&
		!strings.Contains(refused.Text, `value="ada"`) {
		t.Errorf("%d %s", refused.Status, refused.Text)
	}
	for _, from := range []string{"https://elsewhere.example/console/", "//elsewhere.example/console/", "/start", ""} {
		form.Set("asked-from", from)
		page := office.Do(http.MethodPost, deletes, form, "Referer: "+deletes)
		for _, no := range []string{"elsewhere", `href="/start"`, `href="/console/users/nobody/delete"`} {
			if strings.Contains(page.Text, no) {
				t.Errorf("from %q it leads to %s", from, page.Text)
			}
		}
	}
}
