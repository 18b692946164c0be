package ssooidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// verifier is a code verifier of PKCE, with every kind of character that there may be.
const verifier = "0123456789abcdefghijklmnopqrstuvwxyz-._~ABCDEFGHIJKLMNOPQRSTUVWX"

func TestProgramsSignInByAuthorizationCode(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	c := pairtest.NewCommandLine(e)
	client := c.Register("sso:account:access")
	ask := func(change map[string]string) (int, string, string) {
		t.Helper()
		q := url.Values{
			"response_type":         {"code"},
			"client_id":             {*client.ClientId},
			"redirect_uri":          {pairtest.WithPort},
			"state":                 {"a b&c"},
			"code_challenge_method": {"S256"},
			"code_challenge":        {challengeOf(verifier)},
			"scopes":                {"sso:account:access"},
		}
		for k, v := range change {
			q.Set(k, v)
		}
		page := c.Stays().Do(http.MethodGet, e.Center.URL+"/authorize?"+q.Encode(), nil)
		return page.Status, page.Text, page.Header.Get("Location")
	}
	code := func() string {
		t.Helper()
		_, page, _ := ask(nil)
		at, err := url.Parse(c.Decide(page, url.Values{}, "allow"))
		if err != nil || at.Query().Get("state") != "a b&c" || at.Query().Get("code") == "" ||
			!strings.HasPrefix(at.String(), pairtest.WithPort) {
			t.Fatalf("sent back to %v, %v", at, err)
		}
		return at.Query().Get("code")
	}
	in := func(code string) *ssooidc.CreateTokenInput {
		return &ssooidc.CreateTokenInput{
			ClientId:     client.ClientId,
			ClientSecret: client.ClientSecret,
			GrantType:    aws.String("authorization_code"),
			Code:         &code,
			RedirectUri:  aws.String(pairtest.WithPort),
			CodeVerifier: aws.String(verifier),
		}
	}

	// Before the client and where it waits are known to be right, nobody is sent anywhere.
	for name, change := range map[string]map[string]string{
		"an unknown client": {"client_id": "x"}, "another host": {"redirect_uri": "http://evil.example/oauth/callback"},
		"another path":           {"redirect_uri": "http://127.0.0.1:1/other"},
		"TLS":                    {"redirect_uri": "https://127.0.0.1/oauth/callback"},
		"a user":                 {"redirect_uri": "http://127.0.0.1@evil.example/oauth/callback"},
		"a query":                {"redirect_uri": pairtest.Callback + "?x=1"},
		"a password":             {"redirect_uri": "http://127.0.0.1:x@evil.example/oauth/callback"},
		"a backslash":            {"redirect_uri": `http://127.0.0.1\@evil.example/oauth/callback`},
		"no port":                {"redirect_uri": "http://127.0.0.1:/oauth/callback"},
		"a fragment":             {"redirect_uri": pairtest.Callback + "#x"},
		"a host in another form": {"redirect_uri": "http://127.1/oauth/callback"},
		"an error on the way":    {"redirect_uri": "http://127.0.0.1:x@evil.example/", "response_type": "token"},
	} {
		if status, page, at := ask(change); status != http.StatusBadRequest || at != "" ||
			!strings.Contains(page, "Reference") {
			t.Errorf("%s: %d, to %q", name, status, at)
		}
	}
	for name, change := range map[string]map[string]string{
		"unsupported_response_type": {"response_type": "token"},
		"invalid_scope":             {"scopes": "sso:account:access codewhisperer:completions"},
	} {
		if status, _, at := ask(change); status != http.StatusFound || !strings.Contains(at, "error="+name) ||
			!strings.Contains(at, "state=a+b%26c") {
			t.Errorf("%s: %d, to %q", name, status, at)
		}
	}
	// PKCE is no choice
	for _, change := range []map[string]string{
		{"code_challenge": ""}, {"code_challenge_method": "plain"}, {"code_challenge_method": ""},
	} {
		if status, _, at := ask(change); status != http.StatusFound || !strings.Contains(at, "error=invalid_request") {
			t.Errorf("%v: %d, to %q", change, status, at)
		}
	}
	_, page, _ := ask(nil)
	if !strings.Contains(page, "<strong>127.0.0.1:49152</strong>") {
		t.Errorf("the consent page does not name who receives the answer: %s", page)
	}
	if at := c.Decide(page, url.Values{}, "deny"); !strings.Contains(at, "error=access_denied") {
		t.Errorf("denied: to %s", at)
	}

	other := in(code())
	other.CodeVerifier = aws.String(strings.Repeat("x", 64))
	c.TokenError("another verifier", other, "InvalidGrantException")
	other = in(code())
	other.RedirectUri = aws.String(pairtest.Callback)
	c.TokenError("another redirect URI", other, "InvalidGrantException")
	fine := in(code())
	tokens := c.Tokens(fine)
	c.TokenError("a code twice", fine, "InvalidGrantException")
	if _, refused := c.Accounts(tokens.AccessToken); refused != "UnauthorizedException" {
		t.Errorf("the tokens of a code that came twice: %q", refused)
	}
	tokens = c.Tokens(in(code()))
	if tokens.ExpiresIn != 3600 || tokens.RefreshToken == nil {
		t.Fatalf("tokens %+v", tokens)
	}

	refresh := &ssooidc.CreateTokenInput{
		ClientId:     client.ClientId,
		ClientSecret: client.ClientSecret,
		GrantType:    aws.String("refresh_token"),
		RefreshToken: tokens.RefreshToken,
	}
	second := c.Tokens(refresh)
	again := c.Tokens(refresh) // its answer got lost, or two programs share it
	for _, t1 := range []*ssooidc.CreateTokenOutput{second, again} {
		if n, refused := c.Accounts(t1.AccessToken); n == 0 || refused != "" {
			t.Errorf("after a refresh %d accounts, %s", n, refused)
		}
	}
	third := *refresh
	third.RefreshToken = second.RefreshToken
	c.Tokens(&third)
	c.TokenError("a refresh token from long ago", refresh, "InvalidGrantException")
	if _, refused := c.Accounts(second.AccessToken); refused != "UnauthorizedException" {
		t.Errorf("after the theft was noticed: %q", refused)
	}
	c.TokenError("the thief's, after the session has ended", &third, "InvalidGrantException")
	if _, page := c.Send(http.MethodGet, e.Center.PortalURL, nil); !strings.Contains(page, "AWS accounts") {
		t.Error("the portal session has ended with the program's")
	}
}
