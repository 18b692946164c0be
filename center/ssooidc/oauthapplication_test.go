package ssooidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// wiki is a customer managed OAuth application: its sign-in is by golang.org/x/oauth2, its tokens
// are by AWS's SDK, and it verifies who has come by go-oidc.
type wiki struct {
	*httptest.Server
	of       *applications
	arn      *string
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier

	secret string // PKCE
	tokens *ssooidc.CreateTokenWithIAMOutput
	code   string
}

func newWiki(a *applications) *wiki {
	a.t.Helper()
	w := &wiki{of: a, secret: oauth2.GenerateVerifier()}
	mux := http.NewServeMux()
	w.Server = httptest.NewServer(mux)
	a.t.Cleanup(w.Close)
	w.arn = a.application("wiki", redirects(w.URL+"/callback"), refreshes)
	provider, err := oidc.NewProvider(background, a.IssuerURL())
	a.must(err)
	w.verifier = provider.Verifier(&oidc.Config{ClientID: *w.arn})
	w.config = oauth2.Config{
		ClientID: *w.arn, Endpoint: provider.Endpoint(), RedirectURL: w.URL + "/callback",
		Scopes: []string{oidc.ScopeOpenID, "aws", "sts:identity_context"},
	}
	mux.HandleFunc("GET /{$}", func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, w.config.AuthCodeURL(
			"the state", oauth2.S256ChallengeOption(w.secret), oidc.Nonce("the nonce"),
		), http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(out http.ResponseWriter, r *http.Request) {
		name, err := w.signIn(r.Context(), r.URL.Query())
		if err != nil {
			http.Error(out, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprintln(out, "You are", name)
	})
	return w
}

// signIn is what the application does with the answer that a browser brings.
func (w *wiki) signIn(ctx context.Context, answer url.Values) (string, error) {
	if answer.Get("state") != "the state" || answer.Get("error") != "" {
		return "", errors.New("the answer is " + answer.Encode())
	}
	var err error
	w.code = answer.Get("code")
	w.tokens, err = w.of.oidc.CreateTokenWithIAM(ctx, code(w.arn, w.code, w.config.RedirectURL, w.secret))
	if err != nil {
		return "", err
	}
	id, err := w.verifier.Verify(ctx, aws.ToString(w.tokens.IdToken))
	if err == nil && id.Nonce != "the nonce" {
		err = errors.New("the nonce is " + id.Nonce)
	}
	if err != nil {
		return "", err
	}
	return id.Subject, nil
}

// open has a browser open the application, and a person allow what it asks for.
func (w *wiki) open(v webtest.Visitor, decision string) webtest.Page {
	v.T.Helper()
	page := v.Get(w.URL)
	action, form := v.Form(page, "client_id")
	form.Set("decision", decision)
	return v.Do(http.MethodPost, w.of.URL+action, form)
}

// TestAnOAuthApplicationSignsPeopleIn from its first page to the person who leaves.
func TestAnOAuthApplicationSignsPeopleIn(t *testing.T) {
	t.Parallel()
	a := newApplications(t)
	w, v := newWiki(a), a.SignIn("ada")
	asked := v.Get(w.URL)
	for _, text := range []string{"wiki", "sts:identity_context", strings.TrimPrefix(w.URL, "http://")} {
		if !strings.Contains(asked, text) {
			t.Errorf("the page does not say %q: %s", text, asked)
		}
	}
	if page := w.open(v, "deny"); !strings.Contains(page.Text, "access_denied") {
		t.Errorf("denied: %s", page.Text)
	}
	if page := w.open(v, "allow"); page.Text != "You are "+string(a.ada.ID)+"\n" {
		t.Fatalf("allowed: %d %s", page.Status, page.Text)
	}
	known := claimsOf(t, w.tokens.IdToken)["sts:identity_context"]
	if known != *w.tokens.AwsAdditionalDetails.IdentityContext {
		t.Errorf("the context is %v", known)
	}
	fresh := a.tokens(refresh(w.arn, w.tokens.RefreshToken))
	if fresh.RefreshToken == nil || fresh.AccessToken == nil {
		t.Fatalf("renewed: %+v", fresh)
	}
	a.refuses("a scope that was not granted", "InvalidScopeException", refresh(w.arn, fresh.RefreshToken, "more"))
	fresh = a.tokens(refresh(w.arn, fresh.RefreshToken))
	a.refuses("a refresh token from long ago", "InvalidGrantException", refresh(w.arn, w.tokens.RefreshToken))
	a.refuses("the newest, after the theft was noticed", "InvalidGrantException", refresh(w.arn, fresh.RefreshToken))

	// a code that comes twice ends what it opened
	w.open(v, "allow")
	a.refuses("a code twice", "InvalidGrantException", code(w.arn, w.code, w.config.RedirectURL, w.secret))
	a.refuses("what the code opened", "InvalidGrantException", refresh(w.arn, w.tokens.RefreshToken))

	// who leaves takes everything along
	w.open(v, "allow")
	a.setActive(false)
	a.refuses("a person who was disabled", "InvalidGrantException", refresh(w.arn, w.tokens.RefreshToken))
	a.setActive(true)
	v = a.SignIn("ada")
	w.open(v, "allow")
	unassign := &ssoadmin.DeleteApplicationAssignmentInput{
		ApplicationArn: w.arn, PrincipalId: aws.String(string(a.ada.ID)), PrincipalType: types.PrincipalTypeUser,
	}
	_, err := a.admin.DeleteApplicationAssignment(background, unassign)
	a.must(err)
	a.refuses("a person who is not assigned", "AccessDeniedException", refresh(w.arn, w.tokens.RefreshToken))
	if page := w.open(v, "allow"); !strings.Contains(page.Text, "access_denied") {
		t.Errorf("not assigned: %s", page.Text)
	}
	if e := a.LastEvent(); e.Code != center.ApplicationNotAssigned.String() || e.Actor.Name != "ada" {
		t.Errorf("not assigned: %+v", e)
	}
	a.must(a.AssignApplication(background, audit.SystemActor, center.ApplicationAssignment{
		ApplicationARN: *w.arn, PrincipalType: center.PrincipalUser, PrincipalID: string(a.ada.ID),
	}))
	w.open(v, "allow")
	v.Do(http.MethodPost, a.URL+"/platform/logout", nil)
	a.refuses("who has signed out", "InvalidGrantException", refresh(w.arn, w.tokens.RefreshToken))
}

// TestACodeIsGoodForItsApplicationOnly: with its redirect URI and its verifier, where the grant
// has the address.
func TestACodeIsGoodForItsApplicationOnly(t *testing.T) {
	t.Parallel()
	a := newApplications(t)
	const at = "https://wiki.example.com/cb"
	arn := a.application("wiki", redirects(at))
	other := a.application("mail", redirects(at))
	v := a.SignIn("ada").Stays()
	ask := func(change url.Values) (int, url.Values) {
		t.Helper()
		q := url.Values{"response_type": {"code"}, "client_id": {*arn}, "redirect_uri": {at}, "state": {"s"}}
		for name, values := range change {
			q[name] = values
		}
		page := v.Do(http.MethodGet, a.URL+"/authorize?"+q.Encode(), nil)
		if page.Status == http.StatusOK {
			action, form := v.Form(page.Text, "client_id")
			form.Set("decision", "allow")
			page = v.Do(http.MethodPost, a.URL+action, form)
		}
		to, err := url.Parse(page.Header.Get("Location"))
		if err != nil || to.String() != "" && !strings.HasPrefix(to.String(), at) {
			t.Fatalf("sent to %s, %v", to, err)
		}
		return page.Status, to.Query()
	}
	given := func(change url.Values) string {
		t.Helper()
		_, answer := ask(change)
		if answer.Get("code") == "" {
			t.Fatalf("no code: %v", answer)
		}
		return answer.Get("code")
	}
	pkce := url.Values{"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}}

	// AWS's example has no verifier; which scopes there are is the application's
	out := a.tokens(code(arn, given(nil), at, ""))
	if out.RefreshToken != nil || aws.ToString(out.IssuedTokenType) != accessType {
		t.Errorf("without the grant to refresh: %+v", out)
	}
	if id := claimsOf(t, out.IdToken); id["nonce"] != nil || id["aud"] != *arn {
		t.Errorf("the ID token is %v", id)
	}
	a.tokens(code(arn, given(pkce), at, verifier))
	a.refuses("another verifier", "InvalidGrantException", code(arn, given(pkce), at, strings.Repeat("x", 43)))
	a.refuses("no verifier", "InvalidGrantException", code(arn, given(pkce), at, ""))
	a.refuses("a verifier too many", "InvalidGrantException", code(arn, given(nil), at, verifier))
	a.refuses("another redirect URI", "InvalidGrantException", code(arn, given(nil), at+"/x", ""))
	a.refuses("another application", "InvalidGrantException", code(other, given(nil), at, ""))
	a.refuses("no code of ours", "InvalidGrantException", code(arn, "x", at, ""))

	for what, change := range map[string]url.Values{
		"an address that was not named": {"redirect_uri": {at + "/x"}},
		"another host":                  {"redirect_uri": {"https://wiki.example.com.evil.example/cb"}},
		"another scheme":                {"redirect_uri": {"http://wiki.example.com/cb"}},
		"no application":                {"client_id": {*arn + "0"}},
	} {
		if status, answer := ask(change); status != http.StatusBadRequest || len(answer) > 0 {
			t.Errorf("%s: %d %v", what, status, answer)
		}
	}
	for want, change := range map[string]url.Values{
		"invalid_scope":             {"scope": {"openid more"}},
		"unsupported_response_type": {"response_type": {"token"}},
		"invalid_request":           {"code_challenge": {"x"}, "code_challenge_method": {"S256"}},
	} {
		if _, answer := ask(change); answer.Get("error") != want {
			t.Errorf("%s: %v", want, answer)
		}
	}
	if _, answer := ask(url.Values{"code_challenge_method": {"plain"}, "code_challenge": {verifier}}); answer.Get(
		"error",
	) != "invalid_request" {
		t.Errorf("a challenge in plain: %v", answer)
	}
	_, err := a.admin.UpdateApplication(
		background, &ssoadmin.UpdateApplicationInput{ApplicationArn: arn, Status: types.ApplicationStatusDisabled},
	)
	a.must(err)
	if status, answer := ask(nil); status != http.StatusBadRequest || len(answer) > 0 {
		t.Errorf("disabled: %d %v", status, answer)
	}
}

// TestAnApplicationRestrictsProgramsThatAreRegisteredForIt: their scopes, grants, redirect URIs and
// people are the application's.
func TestAnApplicationRestrictsProgramsThatAreRegisteredForIt(t *testing.T) {
	t.Parallel()
	a := newApplications(t)
	const at = "http://127.0.0.1/oauth/callback"
	arn := a.application("plugin", redirects(at), refreshes)
	a.scope(arn, "plugin:complete")
	register := func(change func(*ssooidc.RegisterClientInput)) (*ssooidc.RegisterClientOutput, error) {
		in := &ssooidc.RegisterClientInput{
			ClientName: aws.String("My IDE Plugin"), ClientType: aws.String("public"), EntitledApplicationArn: arn,
			GrantTypes:   []string{"authorization_code", "refresh_token"},
			IssuerUrl:    aws.String("https://identitycenter.amazonaws.com/" + a.InstanceID()),
			RedirectUris: []string{at}, Scopes: []string{"plugin:complete"},
		}
		if change != nil {
			change(in)
		}
		return a.oidc.RegisterClient(background, in)
	}
	for want, change := range map[string]func(*ssooidc.RegisterClientInput){
		"InvalidScopeException": func(in *ssooidc.RegisterClientInput) {
			in.Scopes = []string{"sso:account:access"}
		},
		"InvalidRedirectUriException": func(in *ssooidc.RegisterClientInput) { in.RedirectUris = []string{at + "/x"} },
		"InvalidClientException": func(in *ssooidc.RegisterClientInput) {
			in.EntitledApplicationArn = aws.String(*arn + "0")
		},
	} {
		_, err := register(change)
		a.fails(want, want, err)
	}
	client, err := register(nil)
	a.must(err)
	_, err = a.oidc.StartDeviceAuthorization(background, &ssooidc.StartDeviceAuthorizationInput{
		ClientId: client.ClientId, ClientSecret: client.ClientSecret, StartUrl: aws.String(a.PortalURL()),
	})
	a.fails("a device", "UnauthorizedClientException", err)
	v := a.SignIn("ada").Stays()
	in := func() *ssooidc.CreateTokenInput {
		t.Helper()
		page := v.Do(http.MethodGet, a.URL+"/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {*client.ClientId}, "state": {"s"},
			"redirect_uri":   {"http://127.0.0.1:4711/oauth/callback"},
			"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}, "scopes": {"plugin:complete"},
		}.Encode(), nil)
		action, form := v.Form(page.Text, "client_id")
		form.Set("decision", "allow")
		to, err := url.Parse(v.Do(http.MethodPost, a.URL+action, form).Header.Get("Location"))
		a.must(err)
		return &ssooidc.CreateTokenInput{
			ClientId: client.ClientId, ClientSecret: client.ClientSecret, GrantType: aws.String("authorization_code"),
			Code: aws.String(to.Query().Get("code")), CodeVerifier: aws.String(verifier),
			RedirectUri: aws.String("http://127.0.0.1:4711/oauth/callback"),
		}
	}
	got, err := a.oidc.CreateToken(background, in())
	a.must(err)
	if _, err := a.TokenUser(background, *got.AccessToken); err == nil {
		t.Error("a token without the scope of accounts is one of the portal's")
	}
	renew := &ssooidc.CreateTokenInput{
		ClientId: client.ClientId, ClientSecret: client.ClientSecret, GrantType: aws.String("refresh_token"),
		RefreshToken: got.RefreshToken,
	}
	got, err = a.oidc.CreateToken(background, renew)
	a.must(err)
	renew.RefreshToken = got.RefreshToken
	a.refuses("as an application", "InvalidGrantException", refresh(arn, got.RefreshToken))
	_, err = a.oidc.CreateToken(background, in())
	a.must(err)
	late := in()
	_, err = a.admin.DeleteApplicationAssignment(background, &ssoadmin.DeleteApplicationAssignmentInput{
		ApplicationArn: arn, PrincipalId: aws.String(string(a.ada.ID)), PrincipalType: types.PrincipalTypeUser,
	})
	a.must(err)
	for what, in := range map[string]*ssooidc.CreateTokenInput{"a code": late, "a refresh token": renew} {
		_, err = a.oidc.CreateToken(background, in)
		a.fails(what+" of who is not assigned any more", "AccessDeniedException", err)
	}
}
