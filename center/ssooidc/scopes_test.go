package ssooidc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestAPersonIsToldWhatAProgramGets: the pages name what the scopes let it do, and a program that
// asks for less than it was registered with gets less.
func TestAPersonIsToldWhatAProgramGets(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	c := pairtest.NewCommandLine(e)
	const (
		accounts  = "sso:account:access"
		reads     = "account_access:read_only"
		assumes   = "account_access:assume"
		toAccount = "asks to see your AWS accounts and roles, and to get credentials for them"
		toRoles   = "see the roles that account access entitles you to"
		toAssume  = "get credentials for the roles that account access entitles you to"
	)
	ask := func(client *ssooidc.RegisterClientOutput, scopes string) string {
		t.Helper()
		return c.Stays().Do(http.MethodGet, e.Center.URL+"/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {*client.ClientId}, "redirect_uri": {pairtest.WithPort},
			"state": {"s"}, "code_challenge_method": {"S256"}, "code_challenge": {challengeOf(verifier)},
			"scopes": {scopes},
		}.Encode(), nil).Text
	}
	for name, x := range map[string]struct {
		scopes []string
		want   string
	}{
		"none":     {nil, toAccount + "."},
		"accounts": {[]string{accounts}, toAccount + "."},
		"reads":    {[]string{reads}, "asks to " + toRoles + "."},
		"assumes":  {[]string{assumes}, "asks to " + toAssume + "."},
		"both":     {[]string{reads, assumes}, "asks to " + toRoles + ", and to get credentials for those."},
		"all": {
			[]string{accounts, reads, assumes}, toAccount + ", and to " + toRoles + ", and to get credentials",
		},
	} {
		client := c.Register(x.scopes...)
		start, err := c.OIDC.StartDeviceAuthorization(context.Background(), &ssooidc.StartDeviceAuthorizationInput{
			ClientId: client.ClientId, ClientSecret: client.ClientSecret, StartUrl: &e.Center.PortalURL,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, page := c.Send(http.MethodGet, *start.VerificationUriComplete, nil); !strings.Contains(page, x.want) {
			t.Errorf("%s: the device's page lacks %q: %s", name, x.want, page)
		}
		if page := ask(client, ""); !strings.Contains(page, x.want) {
			t.Errorf("%s: the program's page lacks %q: %s", name, x.want, page)
		}
	}
	client := c.Register(accounts, reads)
	for scopes, want := range map[string]bool{reads: false, accounts: true, "": true} {
		at, err := url.Parse(c.Decide(ask(client, scopes), url.Values{}, "allow"))
		if err != nil {
			t.Fatal(err)
		}
		token := c.Tokens(&ssooidc.CreateTokenInput{
			ClientId: client.ClientId, ClientSecret: client.ClientSecret, GrantType: aws.String("authorization_code"),
			Code: aws.String(at.Query().Get("code")), RedirectUri: aws.String(pairtest.WithPort),
			CodeVerifier: aws.String(verifier),
		})
		if n, refused := c.Accounts(token.AccessToken); (n > 0 && refused == "") != want {
			t.Errorf("with %q: %d accounts, %s", scopes, n, refused)
		}
	}
}
