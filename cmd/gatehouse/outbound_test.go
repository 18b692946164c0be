package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// thief is a server that notes all that it is asked, and whether a secret came along.
type thief struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newThief(t *testing.T) *thief {
	t.Helper()
	x := &thief{}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x.mu.Lock()
		defer x.mu.Unlock()
		x.seen = append(x.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
		_, _ = io.WriteString(w, `{"Resources":[],"totalResults":0}`)
	}))
	t.Cleanup(x.Close)
	return x
}

// got returns what has come since the last call.
func (x *thief) got() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := strings.Join(x.seen, "\n")
	x.seen = nil
	return all
}

// redirecting is a server that sends everybody on.
func redirecting(t *testing.T, to string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestASavedTokenGoesToItsOwnAddressOnly(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e, x := of(t, d), newThief(t)
	job := "/servicePrincipals/" + d.Tenant.ServicePrincipalID + "/synchronization"
	validate := func(address string) (int, string) {
		body := graph.ValidateCredentials{
			UseSavedCredentials: true,
			Credentials:         []graph.KeyValue{{Key: "BaseAddress", Value: address}},
		}
		status, _, text := e.Ask(http.MethodPost, job+"/jobs/"+d.Tenant.JobID+"/validateCredentials", body)
		return status, text
	}
	if status, text := validate(strings.TrimRight(d.Center.SCIMEndpoint, "/")); status != http.StatusNoContent {
		t.Errorf("its own address: %d %s", status, text)
	}
	if status, text := validate(x.URL); status != http.StatusBadRequest ||
		!strings.Contains(text, "enter the token again") ||
		x.got() != "" {
		t.Errorf("another address: %d %s", status, text)
	}

	admin := webtest.New(t, nil)
	admin.Send(
		http.MethodPost,
		d.Tenant.URL+"/admin/login",
		url.Values{"username": {d.Admin.UserName}, "password": {d.Admin.Password}},
	)
	form := d.Tenant.URL + "/admin/apps/" + d.Tenant.ApplicationID + "/provisioning"
	for _, do := range []string{"test", "save"} {
		admin.Does(form, url.Values{"url": {x.URL}, "token": {""}, "do": {do}}, "enter the token again")
		admin.Does(
			form,
			url.Values{"url": {"http://169.254.169.254/latest"}, "token": {"x"}, "do": {do}},
			"use an https address",
		)
	}
	admin.Does(form, url.Values{"url": {d.Center.SCIMEndpoint}, "token": {""}, "do": {"save"}}, "are saved")
	if got := x.got(); got != "" {
		t.Errorf("the thief got %s", got)
	}

	// A token that is given with its address does not follow a redirect.
	away := redirecting(t, x.URL)
	status, _, text := e.Ask(
		http.MethodPost,
		job+"/jobs/"+d.Tenant.JobID+"/validateCredentials",
		graph.ValidateCredentials{
			Credentials: []graph.KeyValue{{Key: "BaseAddress", Value: away}, {Key: "SecretToken", Value: "given"}},
		},
	)
	if status != http.StatusBadRequest || !strings.Contains(text, "redirect") || x.got() != "" {
		t.Errorf("a redirect: %d %s", status, text)
	}

	// A new address without a token is refused, and so is one with what stands for the saved token.
	for _, secrets := range [][]graph.KeyValue{
		{{Key: "BaseAddress", Value: x.URL}},
		{{Key: "BaseAddress", Value: x.URL}, {Key: "SecretToken", Value: "*"}},
	} {
		if status, _, text := e.Ask(
			http.MethodPut, job+"/secrets", graph.Secrets{Value: secrets},
		); status != http.StatusBadRequest || !strings.Contains(text, "enter the token again") {
			t.Errorf("%v: %d %s", secrets, status, text)
		}
	}
	// With an empty one, no token is left behind.
	e.Change(
		http.MethodPut,
		job+"/secrets",
		graph.Secrets{Value: []graph.KeyValue{{Key: "BaseAddress", Value: x.URL}, {Key: "SecretToken"}}},
		nil,
	)
	if status, text := validate(x.URL); status != http.StatusBadRequest || x.got() != "" {
		t.Errorf("after an address without a token: %d %s", status, text)
	}
	if status, _, text := e.Ask(
		http.MethodPost, job+"/jobs/"+d.Tenant.JobID+"/start", nil,
	); status != http.StatusBadRequest {
		t.Errorf("it starts without a token: %d %s", status, text)
	}
}

// TestNoCommandSendsASecretElsewhere: to a redirect's address, to another Graph than the one that
// was read, or without TLS.
func TestNoCommandSendsASecretElsewhere(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	x, quiet := newThief(t), newThief(t).URL
	away := redirecting(t, x.URL)
	env := map[string]string{
		"GATEHOUSE_CLIENT_SECRET": d.Tenant.ClientSecret,
		"GATEHOUSE_SCIM_TOKEN":    "a secret token",
		"AWS_ACCESS_KEY_ID":       d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":   d.AWS.SecretAccessKey,
	}
	login, state := strings.TrimSuffix(d.Tenant.TokenURL, "/oauth2/v2.0/token"), t.TempDir()
	from := func(graphURL, loginURL string, more ...string) []string {
		return append([]string{"--from", graphURL, "--login-url", loginURL, "--client-id", d.Tenant.ClientID}, more...)
	}
	if code, _, errOut := call(
		t, "", env, append([]string{"tenant", "import", "--data", state}, from(d.Tenant.GraphURL, login)...)...,
	); code != exitDone {
		t.Fatalf("import: %s", errOut)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"import from another Graph": {
			append([]string{"tenant", "import", "--data", state}, from(x.URL+"/v1.0", login)...),
			"read from another Microsoft Graph",
		},
		"sync, a token endpoint that sends on": {
			append([]string{"sync", "--to", quiet}, from(d.Tenant.GraphURL, away)...), "307",
		},
		"sync, a Graph that sends on": {append([]string{"sync", "--to", quiet}, from(away+"/v1.0", login)...), "307"},
		"sync, a target that sends on": {
			append([]string{"sync", "--to", away}, from(d.Tenant.GraphURL, login)...), "redirects are not followed",
		},
		"a center that sends on": {[]string{"access-keys", "list", "--center-url", away}, "307"},
		"sync to plain http": {
			append([]string{"sync", "--to", "http://scim.example.com/v2"}, from(d.Tenant.GraphURL, login)...),
			"--to: ",
		},
		"sync to a cloud's metadata": {
			append([]string{"sync", "--to", "https://169.254.169.254/v2"}, from(d.Tenant.GraphURL, login)...),
			"link-local",
		},
		"sync from plain http": {
			append([]string{"sync", "--to", quiet}, from("http://graph.example.com/v1.0", login)...), "--from: ",
		},
		"import by plain http": {
			append(
				[]string{"tenant", "import", "--data", t.TempDir()},
				from(d.Tenant.GraphURL, "http://login.example.com/x")...,
			),
			"--login-url: ",
		},
		"a center by plain http": {
			[]string{"access-keys", "list", "--center-url", "http://id.example.com"}, "--center-url: ",
		},
		"connect by plain http": {
			[]string{
				"connect", "--graph-url", "http://graph.example.com/v1.0", "--login-url", login, "--client-id", "x",
				"--dry-run",
			},
			"--graph-url: ",
		},
		"explain by plain http": {
			append(
				[]string{"explain", "ada@example.com", "--to", "http://scim.example.com/v2"},
				from(d.Tenant.GraphURL, login)...,
			),
			"--to: ",
		},
	} {
		code, _, errOut := call(t, "", env, c.args...)
		got := x.got()
		if code == exitDone || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: %d %s", name, code, errOut)
		}
		if strings.Contains(got, "Bearer") || strings.Contains(got, "secret") || strings.Contains(got, "AWS4") {
			t.Errorf("%s: the thief got %s", name, got)
		}
	}
}

// TestAClientOfGraphStaysThere: pages of a hostile Graph, and redirects of the official library's
// transport.
func TestAClientOfGraphStaysThere(t *testing.T) {
	t.Parallel()
	x := newThief(t)
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/token"):
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"a token","token_type":"Bearer","expires_in":3600}`)
		case strings.HasSuffix(r.URL.Path, "/away"):
			http.Redirect(w, r, x.URL, http.StatusFound)
		default:
			_, _ = io.WriteString(w, `{"value":[],"@odata.nextLink":"`+x.URL+`/v1.0/users"}`)
		}
	}))
	defer hostile.Close()
	c := graph.NewClient(context.Background(), hostile.URL+"/v1.0", hostile.URL+"/token", "id", "secret", nil)
	if _, err := graph.All[graph.User](context.Background(), c, "/users"); err == nil {
		t.Error("a page elsewhere was read")
	}
	if err := c.Do(context.Background(), http.MethodGet, x.URL+"/v1.0/users", nil, nil); err == nil {
		t.Error("a link elsewhere was followed")
	}
	if err := c.Do(context.Background(), http.MethodGet, "/away", nil, nil); err == nil {
		t.Error("a redirect was followed")
	}
	if got := x.got(); got != "" {
		t.Errorf("the thief got %s", got)
	}
}
