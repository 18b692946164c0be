package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/graph"
)

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
