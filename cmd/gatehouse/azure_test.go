package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/go-cmp/cmp"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotaauth "github.com/microsoft/kiota-authentication-azure-go"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	msgraphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// secureTenant is `gatehouse tenant` with TLS, which the official libraries demand.
type secureTenant struct {
	t                                *testing.T
	url, id, clientID, secret, admin string
	caFile                           string
	certificate                      *x509.Certificate
	key                              *rsa.PrivateKey
	http                             *http.Client
}

// firstStart is what a first start of the tenant keeps in its file.
var firstStart = regexp.MustCompile(
	`password +(\S+)\n\n +graph +(\S+)/v1\.0\n +token URL +\S+?//[^/]+/([^/]+)/\S+\n +client id +(\S+)\n +client secret (\S+)`,
)

func template() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
}

func newSecureTenant(t *testing.T) *secureTenant {
	t.Helper()
	s := &secureTenant{t: t}
	var err error
	if s.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template(), template(), &s.key.PublicKey, s.key)
	if err != nil {
		t.Fatal(err)
	}
	if s.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s.caFile = filepath.Join(dir, "cert.pem")
	keyFile := filepath.Join(dir, "key.pem")
	e1 := os.WriteFile(s.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	e2 := os.WriteFile(
		keyFile, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(s.key)}),
		0o600,
	)
	if e1 != nil || e2 != nil {
		t.Fatal(e1, e2)
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.certificate)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.http = &http.Client{
		Jar:       jar,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
	address := freeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	var out, errOut buffer
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{
			"tenant", "--data", filepath.Join(dir, "data"), "--listen", address, "--tls-cert", s.caFile, "--tls-key",
			keyFile, "--url", "https://" + address, "--log-level", "error",
		},
			strings.NewReader(""), &out, &errOut, noEnv)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("the tenant ends with %d: %s", code, errOut.String())
		}
	})
	deadline := time.Now().Add(time.Minute)
	for {
		kept, _ := os.ReadFile(filepath.Join(dir, "data", firstStartFile)) // not there yet
		if m := firstStart.FindSubmatch(kept); m != nil {
			s.admin = string(m[1])
			s.url = string(m[2])
			s.id = string(m[3])
			s.clientID = string(m[4])
			s.secret = string(m[5])
			if res, err := s.http.Get(s.url + "/login"); err == nil {
				_ = res.Body.Close()
				return s
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the tenant does not start: %s %s", out.String(), errOut.String())
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// options are what an official library must be told to use another authority.
func (s *secureTenant) options() azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.url},
		Transport: &http.Client{Transport: s.http.Transport},
	}
}

// token asks a credential for a token, and Graph for something with it.
func (s *secureTenant) token(credential azcore.TokenCredential, scopes ...string) (*graph.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: scopes})
	if err != nil {
		return nil, err
	}
	return s.graph(token.Token), nil
}

func (s *secureTenant) graph(token string) *graph.Client {
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: s.http.Transport})
	return &graph.Client{
		BaseURL: s.url + "/v1.0",
		HTTP:    oauth2.NewClient(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})),
	}
}

const defaultScope = "https://graph.microsoft.com/.default"

// post fills a form of the tenant's pages as a browser would, and returns the page that follows.
func (s *secureTenant) post(path string, form url.Values) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", s.url)
	return s.page(req)
}

func (s *secureTenant) page(req *http.Request) (*http.Response, string) {
	s.t.Helper()
	res, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text := new(strings.Builder)
	if _, err := io.Copy(text, res.Body); err != nil {
		s.t.Fatal(err)
	}
	return res, text.String()
}

// TestAzureIdentitySignsIn: the official Go library, unmodified, with a secret, with a certificate,
// and by device code.
func TestAzureIdentitySignsIn(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	withSecret, err := azidentity.NewClientSecretCredential(
		s.id, s.clientID, s.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.token(withSecret, defaultScope)
	if err != nil {
		t.Fatal(err)
	}
	var made graph.User
	if err := g.Do(context.Background(), http.MethodPost, "/users",
		map[string]any{"accountEnabled": true, "displayName": "Ada", "mailNickname": "ada",
			"userPrincipalName": "ada@northwind.example",
			"passwordProfile":   map[string]any{"password": "a long password"}}, &made); err != nil {
		t.Fatal(err)
	}
	wrong, err := azidentity.NewClientSecretCredential(
		s.id, s.clientID, "wrong",
		&azidentity.ClientSecretCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.token(wrong, defaultScope); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("a wrong secret: %v", err)
	}

	clientID := s.register(url.Values{
		"name":        {"robot"},
		"certificate": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw}))},
		"permission":  {"User.Read.All"},
	})
	withCertificate, err := azidentity.NewClientCertificateCredential(
		s.id, clientID, []*x509.Certificate{s.certificate}, s.key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = s.token(withCertificate, defaultScope); err != nil {
		t.Fatal(err)
	}
	if users, err := graph.All[graph.User](context.Background(), g, "/users"); err != nil || len(users) != 1 {
		t.Errorf("users by certificate: %v, %v", users, err)
	}
	for _, path := range []string{"/groups", "/auditLogs/provisioning"} { // it may read users and nothing else
		if err := g.Do(context.Background(), http.MethodGet, path, nil, nil); err == nil ||
			!strings.Contains(err.Error(), "Authorization_RequestDenied") {
			t.Errorf("%s without the permission: %v", path, err)
		}
	}
	if err := g.Do(context.Background(), http.MethodDelete, "/users/"+made.ID, nil, nil); err == nil ||
		!strings.Contains(err.Error(), "Insufficient privileges") &&
			!strings.Contains(err.Error(), "insufficient privileges") {
		t.Errorf("deleting without the permission: %v", err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template(), template(), &other.PublicKey, other)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := azidentity.NewClientCertificateCredential(
		s.id, clientID, []*x509.Certificate{forged}, other,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true},
	)
	if err == nil {
		_, err = s.token(stranger, defaultScope)
	}
	if err == nil || !strings.Contains(err.Error(), "AADSTS700027") {
		t.Errorf("a certificate that is not registered: %v", err)
	}
}

// register makes a client in the admin center and returns its id.
func (s *secureTenant) register(form url.Values) string {
	s.t.Helper()
	s.post("/admin/login", url.Values{"username": {"admin"}, "password": {s.admin}, "return": {"/admin/"}})
	res, page := s.post("/admin/clients", form)
	m := regexp.MustCompile(`client-id">([0-9a-f-]{36})<`).FindStringSubmatch(page)
	if m == nil {
		s.t.Fatalf("%d %s", res.StatusCode, page)
	}
	return m[1]
}

// TestDeviceCodes: the official library shows a code, a person types it in.
func TestDeviceCodes(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	for answer, want := range map[string]string{"allow": "", "deny": "authentication failed"} {
		credential, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions:            s.options(),
			DisableInstanceDiscovery: true,
			TenantID:                 s.id,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				if !strings.HasPrefix(m.VerificationURL, s.url) || !strings.Contains(m.Message, m.UserCode) {
					t.Errorf("the message is %q", m.Message)
				}
				if _, page := s.post(
					"/login", url.Values{"loginfmt": {"admin"}, "passwd": {s.admin}, "return": {"/devicelogin"}},
				); !strings.Contains(page, "Enter code") {
					t.Errorf("after the sign-in: %s", page)
				}
				if _, page := s.post("/devicelogin", url.Values{"code": {"NOSUCHCOD"}}); !strings.Contains(
					page, "did not work",
				) {
					t.Errorf("a wrong code: %s", page)
				}
				if _, page := s.post(
					"/devicelogin", url.Values{"code": {strings.ToLower(m.UserCode)}},
				); !strings.Contains(page, "Are you trying to sign in to Microsoft Azure CLI?") {
					t.Errorf("before the answer: %s", page)
				}
				s.post("/devicelogin", url.Values{"code": {m.UserCode}, "answer": {answer}})
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.token(credential, defaultScope)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", answer, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var me map[string]any
		if err := g.Do(context.Background(), http.MethodGet, "/me", nil, &me); err != nil ||
			me["displayName"] != "admin" {
			t.Errorf("me: %v, %v", me, err)
		}
		if err := g.Do(
			context.Background(), http.MethodPost, "/groups",
			map[string]any{"displayName": "X", "mailNickname": "x", "mailEnabled": false, "securityEnabled": true},
			nil,
		); err != nil {
			t.Errorf("an administrator may write: %v", err)
		}
	}
}

// TestAuthorizationCodes goes through the browser's part by hand and leaves the rest to
// golang.org/x/oauth2, with PKCE.
func TestAuthorizationCodes(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: s.http.Transport})
	admin := s.options()
	credential, err := azidentity.NewClientSecretCredential(
		s.id, s.clientID, s.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: admin, DisableInstanceDiscovery: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.token(credential, defaultScope)
	if err == nil {
		err = g.Do(
			ctx,
			http.MethodPost,
			"/users",
			map[string]any{
				"accountEnabled":    true,
				"displayName":       "Ada",
				"mailNickname":      "ada",
				"userPrincipalName": "ada@northwind.example",
				"passwordProfile":   map[string]any{"password": "a long password"},
			},
			nil,
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID:    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
		RedirectURL: "http://localhost:4711/",
		Scopes:      []string{"openid", "profile", "offline_access", "User.ReadWrite.All"},
		Endpoint: oauth2.Endpoint{
			AuthURL:   s.url + "/" + s.id + "/oauth2/v2.0/authorize",
			TokenURL:  s.url + "/" + s.id + "/oauth2/v2.0/token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	s.http.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Host == "localhost:4711" {
			return http.ErrUseLastResponse // the program's own address
		}
		return nil
	}
	verifier := oauth2.GenerateVerifier()
	code := func(answer string, options ...oauth2.AuthCodeOption) url.Values {
		t.Helper()
		address := config.AuthCodeURL("a state", append(options, oauth2.S256ChallengeOption(verifier))...)
		path := strings.TrimPrefix(address, s.url)
		if _, page := s.post(
			"/login",
			url.Values{"loginfmt": {"ada@northwind.example"}, "passwd": {"a long password"}, "return": {path}},
		); !strings.Contains(page, "Microsoft Azure CLI asks for access") ||
			!strings.Contains(page, "User.ReadWrite.All") {
			t.Fatalf("the consent page: %s", page)
		}
		res, page := s.post(path, url.Values{"answer": {answer}})
		if res.Request.URL.Query().Get("response_mode") == "form_post" {
			return url.Values{"page": {page}}
		}
		to, err := res.Location()
		if err != nil {
			t.Fatal(err)
		}
		return to.Query()
	}
	if q := code("deny"); q.Get("error") != "access_denied" || q.Get("state") != "a state" {
		t.Errorf("denied: %v", q)
	}
	if q := code("allow", oauth2.SetAuthURLParam("response_mode", "form_post")); !strings.Contains(
		q.Get("page"), `action="http://localhost:4711/"`,
	) ||
		!strings.Contains(q.Get("page"), `name="code"`) {
		t.Errorf("by form: %v", q)
	}
	given := code("allow").Get("code")
	if _, err := config.Exchange(
		ctx, given, oauth2.VerifierOption("another verifier, which nobody has made a challenge of"),
	); err == nil ||
		!strings.Contains(err.Error(), "AADSTS50148") {
		t.Errorf("another verifier: %v", err)
	}
	given = code("allow").Get("code")
	token, err := config.Exchange(ctx, given, oauth2.VerifierOption(verifier))
	if err != nil || token.RefreshToken == "" || token.Extra("id_token") == nil {
		t.Fatalf("%+v, %v", token, err)
	}
	if _, err := config.Exchange(ctx, given, oauth2.VerifierOption(verifier)); err == nil ||
		!strings.Contains(err.Error(), "AADSTS70000") {
		t.Errorf("a code twice: %v", err)
	}
	if _, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
		t.Error("the refresh token of a code that came twice works")
	}
	if token, err = config.Exchange(ctx, code("allow").Get("code"), oauth2.VerifierOption(verifier)); err != nil {
		t.Fatal(err)
	}
	mine := s.graph(token.AccessToken)
	var me graph.User
	if err := mine.Do(ctx, http.MethodGet, "/me", nil, &me); err != nil ||
		me.UserPrincipalName != "ada@northwind.example" {
		t.Errorf("me: %+v, %v", me, err)
	}
	if err := mine.Do(ctx, http.MethodPatch, "/users/"+me.ID, map[string]any{"jobTitle": "Queen"}, nil); err == nil ||
		!strings.Contains(err.Error(), "Authorization_RequestDenied") {
		t.Errorf("a program may not do what the person may not: %v", err)
	}
	again, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil || again.AccessToken == "" {
		t.Errorf("refreshed: %v", err)
	}
	for what, end := range map[string]func() error{
		"a reset password": func() error { // to the same one, for the next sign-in here
			return g.Do(
				ctx, http.MethodPatch, "/users/"+me.ID,
				map[string]any{"passwordProfile": map[string]any{"password": "a long password"}}, nil,
			)
		},
		"revoked sessions": func() error {
			return g.Do(ctx, http.MethodPost, "/users/"+me.ID+"/revokeSignInSessions", nil, nil)
		},
	} {
		pending := code("allow").Get("code")
		if err := end(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil ||
			!strings.Contains(err.Error(), "AADSTS50173") {
			t.Errorf("%s: the refresh token gives %v", what, err)
		}
		if _, err := config.Exchange(ctx, pending, oauth2.VerifierOption(verifier)); err == nil ||
			!strings.Contains(err.Error(), "AADSTS50173") {
			t.Errorf("%s: a code from before gives %v", what, err)
		}
		req, err := http.NewRequestWithContext(
			ctx, http.MethodGet, config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)), nil,
		)
		if err != nil {
			t.Fatal(err)
		}
		if _, page := s.page(req); !strings.Contains(page, "loginfmt") {
			t.Errorf("%s: the browser is still signed in: %s", what, page)
		}
		if token, err = config.Exchange(ctx, code("allow").Get("code"), oauth2.VerifierOption(verifier)); err != nil {
			t.Fatalf("after %s a new sign-in: %v", what, err)
		}
		if _, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err != nil {
			t.Errorf("after %s a new refresh token: %v", what, err)
		}
	}
	if err := g.Do(ctx, http.MethodPatch, "/users/"+me.ID, map[string]any{"accountEnabled": false}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
		t.Error("a disabled person's refresh token works")
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"an unknown program":                   {"client_id=04b07795", "client_id=x", "AADSTS700016"},
		"an address that is not the program's": {"localhost%3A4711", "evil.example", "AADSTS50011"},
	} {
		address := strings.Replace(config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)), c.from, c.to, 1)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, page := s.page(req); res.StatusCode != http.StatusBadRequest || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d %s", name, res.StatusCode, page)
		}
	}
}

// TestTheOfficialJavaScriptClients runs tools/graphjs/check.mjs, which is Microsoft's own libraries
// and nothing else.
func TestTheOfficialJavaScriptClients(t *testing.T) {
	t.Parallel()
	const folder = "../../tools/graphjs"
	if _, err := os.Stat(folder + "/node_modules/@azure/identity"); err != nil {
		sqldbtest.Skip(t, "the JavaScript clients are not there: run scripts/deps")
	}
	s := newSecureTenant(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "check.mjs", s.url, s.id, s.clientID) // #nosec G204 -- our own arguments
	node.Dir = folder
	node.Env = append(os.Environ(), "CLIENT_SECRET="+s.secret, "NODE_EXTRA_CA_CERTS="+s.caFile)
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var seen map[string]any
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	names, _ := seen["names"].([]any)
	sort.Slice(names, func(i, j int) bool { return names[i].(string) < names[j].(string) })
	want := map[string]any{
		"names":    []any{"Ada", "Bob", "Cy"},
		"filtered": []any{"Bob", "Cy"},
		"count":    "3",
		"members":  []any{"#microsoft.graph.user Ada"},
		"left":     "deleted",
		"batch":    []any{200.0, 404.0},
		"error":    []any{404.0, "Request_ResourceNotFound"},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("the clients have seen (-want +have):\n%s", diff)
	}
}

// TestTheOfficialGoClient sends a request and a batch by the core of Microsoft's Graph SDK for Go.
// The SDK itself is the core with a type for every resource.
func TestTheOfficialGoClient(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	credential, err := azidentity.NewClientSecretCredential(
		s.id, s.clientID, s.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := kiotaauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		credential, []string{defaultScope}, []string{"127.0.0.1", strings.TrimPrefix(s.url, "https://")},
	)
	if err != nil {
		t.Fatal(err)
	}
	serialization.DefaultParseNodeFactoryInstance.ContentTypeAssociatedFactories["application/json"] = kiotajson.NewJsonParseNodeFactory()
	serialization.DefaultSerializationWriterFactoryInstance.ContentTypeAssociatedFactories["application/json"] = kiotajson.NewJsonSerializationWriterFactory()
	adapter, err := msgraphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		auth, msgraphcore.GraphClientOptions{GraphServiceVersion: "v1.0"},
		serialization.DefaultParseNodeFactoryInstance, serialization.DefaultSerializationWriterFactoryInstance,
		&http.Client{Transport: s.http.Transport},
	)
	if err != nil {
		t.Fatal(err)
	}
	adapter.SetBaseUrl(s.url + "/v1.0")
	ctx := context.Background()
	request := func(path string) *abstractions.RequestInformation {
		r := abstractions.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(
			abstractions.GET, "{+baseurl}"+path, map[string]string{"baseurl": s.url + "/v1.0"},
		)
		r.Headers.Add("Accept", "application/json")
		return r
	}
	found, err := adapter.Send(
		ctx, request("/organization"), serialization.CreateUntypedNodeFromDiscriminatorValue, nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	if value := found.(*serialization.UntypedObject).GetValue()["value"].(*serialization.UntypedArray).GetValue(); len(
		value,
	) != 1 {
		t.Errorf("organizations: %v", value)
	}
	batch := msgraphcore.NewBatchRequest(adapter)
	good, e1 := batch.AddBatchRequestStep(*request("/users"))
	bad, e2 := batch.AddBatchRequestStep(*request("/users/nobody"))
	if e1 != nil || e2 != nil {
		t.Fatal(e1, e2)
	}
	answer, err := batch.Send(ctx, adapter)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := answer.GetResponseById(*good.GetId()), answer.GetResponseById(*bad.GetId()); *a.GetStatus() != 200 ||
		*b.GetStatus() != 404 {
		t.Errorf("the batch: %d, %d", *a.GetStatus(), *b.GetStatus())
	}
}
