package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestWhatEndsAnAdministratorsPrograms: what an administrator of the tenant has allowed a program
// ends with the password, with signing out everywhere, with reset second factors and with the
// removal, and does not come back with a new administrator of the name.
func TestWhatEndsAnAdministratorsPrograms(t *testing.T) {
	t.Parallel()
	tn := tenanttest.Serve(t)
	ctx := context.Background()
	by := audit.SystemActor
	set := func(password string) error { return tn.SetAdministrator(ctx, by, "bob", password) }
	if err := tn.SetAdministrator(ctx, by, "root", tenanttest.Password); err != nil {
		t.Fatal(err)
	}
	if err := set(tenanttest.Password); err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID:    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
		RedirectURL: "http://localhost:4711/",
		Scopes:      []string{"offline_access", "User.ReadWrite.All"},
		Endpoint: oauth2.Endpoint{
			AuthURL:   tn.URL + "/" + tn.Organization.ID + "/oauth2/v2.0/authorize",
			TokenURL:  tn.TokenURL(),
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	verifier := oauth2.GenerateVerifier()
	// allow signs in in a new browser and allows the program.
	allow := func(password string) (code string) {
		t.Helper()
		v := webtest.New(t, nil)
		v.Client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			if req.URL.Host == "localhost:4711" {
				code = req.URL.Query().Get("code")
				return http.ErrUseLastResponse // the program's own address
			}
			return nil
		}
		address := config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier))
		if _, page := v.Send(
			http.MethodPost, tn.URL+"/login",
			url.Values{"loginfmt": {"bob"}, "passwd": {password}, "return": {strings.TrimPrefix(address, tn.URL)}},
		); !strings.Contains(page, "asks for access") {
			t.Fatalf("the consent page: %s", page)
		}
		v.Send(http.MethodPost, address, url.Values{"answer": {"allow"}})
		if code == "" {
			t.Fatal("no code")
		}
		return code
	}
	works := func(token *oauth2.Token) bool {
		client := &graph.Client{
			BaseURL: tn.GraphURL(),
			HTTP:    oauth2.NewClient(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token.AccessToken})),
		}
		var users graph.Page[graph.User]
		return client.Do(ctx, http.MethodGet, "/users?$top=1", nil, &users) == nil
	}
	for _, c := range []struct {
		what string
		end  func() error
	}{
		{"another password", func() error { return set(tenanttest.Password) }},
		{"signed out everywhere", func() error { return tn.SignOutAdministrator(ctx, by, "bob") }},
		{"reset second factors", func() error { return tn.ResetAdministratorMFA(ctx, by, "bob") }},
		{"removed, and added again", func() error {
			if err := tn.RemoveAdministrator(ctx, by, "bob"); err != nil {
				return err
			}
			return set(tenanttest.Password)
		}},
		{"removed", func() error { return tn.RemoveAdministrator(ctx, by, "bob") }},
	} {
		token, err := config.Exchange(ctx, allow(tenanttest.Password), oauth2.VerifierOption(verifier))
		if err != nil || !works(token) {
			t.Fatalf("before %s: %v", c.what, err)
		}
		pending := allow(tenanttest.Password)
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
		if works(token) {
			t.Errorf("%s: the access token goes on", c.what)
		}
		if _, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
			t.Errorf("%s: the refresh token goes on", c.what)
		}
		if _, err := config.Exchange(ctx, pending, oauth2.VerifierOption(verifier)); err == nil {
			t.Errorf("%s: a code from before goes on", c.what)
		}
	}
}
