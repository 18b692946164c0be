package server_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
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

	"golang.org/x/sys/unix"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

const (
	ada      = "ada@northwind.example"
	password = "a long password"
	azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
)

// house is a tenant with all its doors, a person and an administrator who have signed in, a program
// with an access token, and an application with single sign-on.
type house struct {
	*tenant.Tenant
	t      *testing.T
	client *http.Client
	token  string
	secret string // of the program
	id     string // of the program
	app    tenant.Application
	user   tenant.User

	waiting string // a device code that nobody has allowed yet
}

func newHouse(t *testing.T, dsn string, choices ...sqldb.Option) *house {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, choices...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := tenanttest.On(t, s)
	at := httptest.NewUnstartedServer(nil)
	tn.URL = "http://" + at.Listener.Addr().String()
	jobs := syncjobs.New(tn, slog.New(slog.DiscardHandler), http.DefaultClient)
	at.Config.Handler = server.Handler(tn, server.Config{Jobs: jobs})
	at.Start()
	t.Cleanup(at.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Tenant: tn, t: t, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	who := tenant.User{UserPrincipalName: ada, MailNickname: "ada", DisplayName: "Ada", Enabled: true}
	if h.user, err = tn.CreateUser(ctx, tenanttest.Actor, who, password); err != nil {
		t.Fatal(err)
	}
	if err := tn.SetAdministrator(ctx, audit.SystemActor, "root", password); err != nil {
		t.Fatal(err)
	}
	program, err := tn.CreateClient(ctx, tenanttest.Actor, "program")
	if err != nil {
		t.Fatal(err)
	}
	h.id, h.secret = string(program.ID), program.Secret.Reveal()
	if h.app, err = tn.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "App"); err != nil {
		t.Fatal(err)
	}
	key, err := saml.NewSigningKey(tn.Now(), tn.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	private, ok := key.Key.(*rsa.PrivateKey)
	if !ok {
		t.Fatalf("the key is a %T", key.Key)
	}
	signs := tn.NewSigningKey(private, key.Certificate, "CN=App")
	if h.app, err = tn.UpdateApplication(ctx, tenanttest.Actor, tenant.AnyApplicationID(h.app.ID),
		func(a *tenant.Application) error {
			a.IdentifierURIs = []string{"https://app.example"}
			a.ReplyURLs = []string{"https://app.example/acs"}
			a.AssignmentRequired = false
			a.SSOMode = "saml"
			a.Keys = append(a.Keys, signs)
			a.ActiveThumbprint = signs.Thumbprint
			return nil
		}); err != nil {
		t.Fatal(err)
	}
	template := tenant.Gallery[0].SyncTemplate
	if _, err := tn.CreateJob(ctx, tenanttest.Actor, h.app.ServicePrincipalID, template); err != nil {
		t.Fatal(err)
	}
	h.wants(http.StatusSeeOther, h.login())
	h.wants(http.StatusSeeOther, h.adminLogin())
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(h.wants(http.StatusOK, h.issue())), &out); err != nil {
		t.Fatal(err)
	}
	h.token = out.Token
	var waiting struct {
		Code string `json:"device_code"`
	}
	if err := json.Unmarshal([]byte(h.wants(http.StatusOK, h.device())), &waiting); err != nil {
		t.Fatal(err)
	}
	h.waiting = waiting.Code
	return h
}

// visit is a request to a door.
type visit struct {
	method, path string
	form         url.Values
	body         string // JSON; with it the access token is sent
	reads        bool   // it changes nothing, so that a full disk does not matter
}

func (v visit) String() string {
	path, _, _ := strings.Cut(v.path, "?")
	return v.method + " " + path + " " + v.form.Get("grant_type") + v.form.Get("do")
}

func (h *house) login() visit {
	return visit{method: "POST", path: "/login", form: url.Values{"loginfmt": {ada}, "passwd": {password}}}
}

func (h *house) adminLogin() visit {
	form := url.Values{"username": {"root"}, "password": {password}}
	return visit{method: "POST", path: "/admin/login", form: form}
}

// device asks for a device code.
func (h *house) device() visit {
	form := url.Values{"client_id": {azureCLI}, "scope": {"openid"}}
	return visit{method: "POST", path: "/" + h.Organization.ID + "/oauth2/v2.0/devicecode", form: form}
}

// issue is the client credentials grant.
func (h *house) issue() visit {
	return visit{method: "POST", path: "/" + h.Organization.ID + "/oauth2/v2.0/token", reads: true, form: url.Values{
		"grant_type": {"client_credentials"}, "client_id": {h.id}, "client_secret": {h.secret},
		"scope": {"https://graph.microsoft.com/.default"},
	}}
}

func (h *house) send(v visit) (*http.Response, string) {
	h.t.Helper()
	text := v.body
	if v.form != nil {
		text = v.form.Encode()
	}
	r, err := http.NewRequestWithContext(context.Background(), v.method, h.URL+v.path, strings.NewReader(text))
	if err != nil {
		h.t.Fatal(err)
	}
	if v.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if v.body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	res, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res, string(body)
}

func (h *house) wants(status int, v visit) string {
	h.t.Helper()
	res, body := h.send(v)
	if res.StatusCode != status {
		h.t.Fatalf("%s: %d, want %d: %s", v, res.StatusCode, status, body)
	}
	return body
}

// visits are requests to every door, by every method that it knows.
func (h *house) visits() []visit {
	h.t.Helper()
	tenantPath := "/" + h.Organization.ID
	users := "/v1.0/users"
	authorize := tenantPath + "/oauth2/v2.0/authorize?" + url.Values{
		"client_id": {azureCLI}, "redirect_uri": {"http://localhost:1"}, "response_type": {"code"},
		"scope": {"openid"}, "code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"},
	}.Encode()
	request := saml.AuthnRequest{ID: "_1", IssueInstant: h.Now(), Destination: h.SignInURL(),
		Issuer: h.app.IdentifierURIs[0], ACSURL: h.app.ReplyURLs[0]}
	signOn, err := request.RedirectURL("", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	factor := url.Values{"do": {"app"}, "ticket": {"x"}, "code": {"123456"}}
	token := func(grant, name, value string, reads bool) visit {
		form := url.Values{"grant_type": {grant}, "client_id": {azureCLI}, name: {value}}
		return visit{method: "POST", path: tenantPath + "/oauth2/v2.0/token", form: form, reads: reads}
	}
	app := "/v1.0/servicePrincipals/" + h.app.ServicePrincipalID
	return []visit{
		{method: "GET", path: users, body: " ", reads: true},
		{method: "GET", path: users + "/delta", body: " ", reads: true},
		{method: "POST", path: users, body: `{"displayName":"Bob","mailNickname":"bob","accountEnabled":true,` +
			`"userPrincipalName":"bob@northwind.example","passwordProfile":{"password":"another password"}}`},
		{method: "PATCH", path: users + "/" + string(h.user.ID), body: `{"jobTitle":"Countess"}`},
		{method: "POST", path: users + "/" + string(h.user.ID) + "/revokeSignInSessions", body: `{}`},
		{method: "POST", path: "/v1.0/groups", body: `{"displayName":"G","mailNickname":"g","mailEnabled":false,` +
			`"securityEnabled":true}`},
		{method: "POST", path: string(app + "/appRoleAssignedTo"),
			body: `{"principalId":"` + string(h.user.ID) + `","resourceId":"` +
				string(h.app.ServicePrincipalID) + `","appRoleId":"` + string(tenant.GalleryRoles[0].ID) + `"}`},
		{
			method: "PUT",
			path:   string(app + "/synchronization/secrets"),
			body:   `{"value":[{"key":"SecretToken","value":"x"}]}`,
		},
		h.issue(),
		token("urn:ietf:params:oauth:grant-type:device_code", "device_code", h.waiting, false),
		token("authorization_code", "code", "unknown", true),
		token("refresh_token", "refresh_token", "unknown", true),
		h.device(),
		{method: "GET", path: authorize, reads: true},
		{method: "POST", path: authorize, form: url.Values{"answer": {"allow"}}},
		{method: "GET", path: "/devicelogin", reads: true},
		{method: "POST", path: "/devicelogin", form: url.Values{"code": {"ABC"}}, reads: true},
		{method: "GET", path: strings.TrimPrefix(signOn, h.URL)},
		{method: "GET", path: "/signin/" + string(h.app.AppID)},
		{method: "GET",
			path:  tenantPath + "/federationmetadata/2007-06/federationmetadata.xml?appid=" + string(h.app.AppID),
			reads: true},
		h.login(),
		{method: "POST", path: "/login", form: url.Values{"loginfmt": {ada}, "passwd": {"wrong"}}},
		{method: "POST", path: "/login", form: url.Values{"loginfmt": {"root"}, "passwd": {password}}},
		{method: "GET", path: "/myapps", reads: true},
		{method: "GET", path: "/security-info", reads: true},
		{method: "POST", path: "/security-info", form: factor, reads: true}, // it is refused
		h.adminLogin(),
		{method: "GET", path: "/admin/users", reads: true},
		{method: "POST", path: "/admin/users/" + string(h.user.ID), form: url.Values{"display": {"Ada L."}}},
		{method: "POST", path: "/admin/groups", form: url.Values{"display": {"G"}}},
		{method: "POST", path: "/admin/logout", form: url.Values{}},
		{method: "POST", path: "/logout", form: url.Values{}},
	}
}

// later fails where a door does not answer that it may be asked again later, in its own words.
func (h *house) later(v visit) {
	h.t.Helper()
	res, body := h.send(v)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		h.t.Errorf("%s: %d, Retry-After %q: %s", v, res.StatusCode, res.Header.Get("Retry-After"), body)
	}
	want := "not available" // on pages
	switch {
	case strings.HasPrefix(v.path, "/v1.0/"):
		want = `"code":"serviceNotAvailable"`
	case strings.HasSuffix(v.path, "/token"), strings.HasSuffix(v.path, "/devicecode"):
		want = `"error":"temporarily_unavailable"`
	case strings.HasPrefix(v.path, "/"+h.Organization.ID), strings.HasPrefix(v.path, "/signin/"),
		v.path == "/devicelogin" && v.method == "POST":
		want = "AADSTS90033"
	}
	if v.path == "/devicelogin" && strings.Contains(body, "not available") {
		return
	}
	if !strings.Contains(body, want) {
		h.t.Errorf("%s does not say %s: %s", v, want, body)
	}
}

// serves fails where the doors do not serve again.
func (h *house) serves() {
	h.t.Helper()
	h.wants(http.StatusSeeOther, h.login())
	h.wants(http.StatusSeeOther, h.adminLogin())
	h.wants(http.StatusCreated, visit{method: "POST", path: "/v1.0/users", body: `{"displayName":"Eve",` +
		`"mailNickname":"eve","accountEnabled":true,"userPrincipalName":"eve@northwind.example",` +
		`"passwordProfile":{"password":"another password"}}`})
}

// TestEveryDoorAsksToComeBackWhenTheDatabaseIsGone stops PostgreSQL under a tenant that serves.
func TestEveryDoorAsksToComeBackWhenTheDatabaseIsGone(t *testing.T) {
	postgres := sqldbtest.NewServer(t)
	h := newHouse(t, postgres.URL())
	visits := h.visits()
	postgres.Stop(t)
	for _, v := range visits {
		h.later(v)
	}
	postgres.Start(t)
	h.serves()
}

// TestEveryDoorAsksToComeBackOnAFullDisk gives this process a limit to the size of its files, as a
// full disk would, and takes it away again. Reading goes on.
func TestEveryDoorAsksToComeBackOnAFullDisk(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "tenant.db"))
	visits := h.visits()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := func(bytes uint64) {
		t.Helper()
		l := unix.Rlimit{Cur: bytes, Max: before.Max}
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { limit(before.Cur) })
	limit(1)
	for _, v := range visits {
		if !v.reads {
			h.later(v)
		} else if res, body := h.send(v); res.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s: %d, but reading goes on: %s", v, res.StatusCode, body)
		}
	}
	limit(before.Cur)
	deadline := time.Now().Add(30 * time.Second)
	for res, _ := h.send(h.login()); res.StatusCode != http.StatusSeeOther; res, _ = h.send(h.login()) {
		if time.Now().After(deadline) {
			t.Fatal(fmt.Errorf("serving does not resume: %d", res.StatusCode))
		}
	}
	h.serves()
}
