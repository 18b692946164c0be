package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// secureTenant is a tenant with TLS, which the official libraries demand, a client of Graph, and an
// administrator.
type secureTenant struct {
	t                                *testing.T
	url, id, clientID, secret, admin string
	caFile                           string
	certificate                      *x509.Certificate
	key                              *rsa.PrivateKey
	http                             *http.Client
}

func newSecureTenant(t *testing.T) *secureTenant {
	t.Helper()
	at := tenanttest.ServeTLS(t)
	ctx := context.Background()
	client, err := at.CreateClient(ctx, audit.SystemActor, "test")
	if err == nil {
		err = at.SetAdministrator(ctx, audit.SystemActor, tenanttest.AdminName, tenanttest.Password)
	}
	if err != nil {
		t.Fatal(err)
	}
	key, ok := at.HTTP.TLS.Certificates[0].PrivateKey.(*rsa.PrivateKey)
	if !ok {
		t.Fatal("the server's key is no RSA key")
	}
	s := &secureTenant{
		t:           t,
		url:         at.URL,
		id:          at.Organization.ID,
		clientID:    string(client.ID),
		secret:      client.Secret.Reveal(),
		admin:       tenanttest.Password,
		caFile:      filepath.Join(t.TempDir(), "cert.pem"),
		certificate: at.HTTP.Certificate(),
		key:         key,
		http:        at.Visitor().Client,
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw})
	if err := os.WriteFile(s.caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
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
	plain := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, plain, plain, &other.PublicKey, other)
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
	m := regexp.MustCompile(`id="new-client"[\s\S]*?<pre tabindex="0">([0-9a-f-]{36})<`).FindStringSubmatch(page)
	if m == nil {
		s.t.Fatalf("%d %s", res.StatusCode, page)
	}
	return m[1]
}
