package oauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/admincenter"
	"github.com/gatehouse-id/gatehouse/tenant/graphserver"
	"github.com/gatehouse-id/gatehouse/tenant/login"
	"github.com/gatehouse-id/gatehouse/tenant/oauth"
	"github.com/gatehouse-id/gatehouse/tenant/samlidp"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web"
)

const (
	azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	ada      = "ada@northwind.example"
	password = "a long password"
	verifier = "a-verifier-which-is-longer-than-forty-three-characters"
)

// system is the program itself.
var system = audit.Actor{Kind: audit.System, Name: "test"}

// office is a tenant with all its doors, a person, an administrator, and a clock that can be moved.
type office struct {
	*tenant.Tenant
	t      *testing.T
	now    time.Time
	user   tenant.User
	client *http.Client // a browser that shows where it is sent, and does not go there
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	o := &office{Tenant: tenanttest.On(t, s), t: t, now: time.Now().UTC()}
	o.Now = func() time.Time { return o.now }
	mux := http.NewServeMux()
	server := httptest.NewServer(web.Middleware(mux, web.Options{Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(server.Close)
	o.URL = server.URL
	people := &login.Handler{Tenant: o.Tenant, Log: o.Log}
	tokens := &oauth.Handler{Tenant: o.Tenant, Log: o.Log, RequireAccount: people.RequireAccount}
	idp := &samlidp.Handler{
		Tenant:      o.Tenant,
		Log:         o.Log,
		User:        people.User,
		RequireUser: people.RequireUser,
		EndSession:  people.EndSession,
	}
	people.Mount(mux)
	tokens.Mount(mux)
	idp.Mount(mux)
	(&graphserver.Handler{Tenant: o.Tenant, Log: o.Log, Authenticate: tokens.Authenticate}).Mount(mux)
	(&admincenter.Handler{Tenant: o.Tenant, Log: o.Log, Metadata: idp.Metadata}).Mount(mux)
	o.client = o.browser()
	if o.user, err = o.CreateUser(
		context.Background(), tenanttest.Actor,
		tenant.User{UserPrincipalName: ada, MailNickname: "ada", DisplayName: "Ada", Enabled: true}, password,
	); err != nil {
		t.Fatal(err)
	}
	if err := o.SetAdministrator(context.Background(), system, "root", password); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is what a door answered.
type answer struct {
	Status   int
	Header   http.Header
	Location string
	Body     string
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(a.Body), &out); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
	return out
}

func (o *office) send(req *http.Request) answer {
	o.t.Helper()
	res, err := o.client.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, res.Header.Get("Location"), string(body)}
}

func (o *office) request(method, path string, form url.Values) *http.Request {
	o.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, o.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		o.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}

func (o *office) get(path string) answer { return o.send(o.request(http.MethodGet, path, nil)) }
func (o *office) post(path string, form url.Values) answer {
	return o.send(o.request(http.MethodPost, path, form))
}

// signIn signs the browser in.
func (o *office) signIn(name string) {
	o.t.Helper()
	if a := o.post("/login", url.Values{"loginfmt": {name}, "passwd": {password}}); a.Status != http.StatusSeeOther {
		o.t.Fatalf("%s cannot sign in: %d %s", name, a.Status, a.Body)
	}
}

func (o *office) endpoint(name string) string {
	return "/" + o.Organization.ID + "/oauth2/v2.0/" + name
}

// asking is a request of the Azure CLI for a code, with changes.
func (o *office) asking(changes url.Values) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id":             {azureCLI},
		"redirect_uri":          {"http://localhost:8400"},
		"response_type":         {"code"},
		"state":                 {"a state"},
		"scope":                 {"openid offline_access https://graph.microsoft.com/User.ReadWrite.All"},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
	}
	for name, values := range changes {
		q[name] = values
	}
	return o.endpoint("authorize") + "?" + q.Encode()
}

// code is what the person who is signed in gives to the Azure CLI.
func (o *office) code() string {
	o.t.Helper()
	a := o.post(o.asking(nil), url.Values{"answer": {"allow"}})
	to, err := url.Parse(a.Location)
	if err != nil || to.Query().Get("code") == "" {
		o.t.Fatalf("no code: %d %s %s", a.Status, a.Location, a.Body)
	}
	return to.Query().Get("code")
}

// token asks the token endpoint.
func (o *office) token(form url.Values) answer {
	o.t.Helper()
	if !form.Has("client_id") {
		form.Set("client_id", azureCLI)
	}
	return o.post(o.endpoint("token"), form)
}

func (o *office) redeem(code string) answer {
	o.t.Helper()
	return o.token(
		url.Values{
			"grant_type":    {"authorization_code"},
			"code":          {code},
			"redirect_uri":  {"http://localhost:8400"},
			"code_verifier": {verifier},
		},
	)
}

func (o *office) refresh(token any) answer {
	o.t.Helper()
	text, _ := token.(string)
	return o.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}})
}

// graph calls Graph with an access token.
func (o *office) graph(method, path, token, body string) answer {
	o.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, o.URL+"/v1.0"+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return o.send(req)
}
