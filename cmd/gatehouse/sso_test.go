package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/saml"
)

const (
	amara     = "amara.okafor@northwind.example"
	callback  = "http://127.0.0.1/oauth/callback"
	withPort  = "http://127.0.0.1:49152/oauth/callback"
	pkceCode  = "0123456789abcdefghijklmnopqrstuvwxyz-._~ABCDEFGHIJKLMNOPQRSTUVWX"
	deviceURN = "urn:ietf:params:oauth:grant-type:device_code"
)

// commandLine is somebody who is signed in to the portal and starts programs on the command line.
type commandLine struct {
	visitor
	d    demoOutput
	oidc *ssooidc.Client
	sso  *sso.Client
}

func newCommandLine(t *testing.T, d demoOutput) commandLine {
	t.Helper()
	v := newVisitor(t)
	acs, form := v.response(d, d.Center.PortalURL, amara)
	if status, page := v.send(http.MethodPost, acs, form); status != http.StatusOK {
		t.Fatalf("%s cannot sign in: %d %s", amara, status, page)
	}
	return commandLine{
		v, d, ssooidc.New(ssooidc.Options{Region: d.AWS.Region, BaseEndpoint: &d.Center.URL, RetryMaxAttempts: 1}),
		sso.New(sso.Options{Region: d.AWS.Region, BaseEndpoint: &d.Center.URL, RetryMaxAttempts: 1}),
	}
}

func (c commandLine) register(scopes ...string) *ssooidc.RegisterClientOutput {
	c.t.Helper()
	out, err := c.oidc.RegisterClient(
		context.Background(),
		&ssooidc.RegisterClientInput{
			ClientName:   aws.String("botocore-client-test"),
			ClientType:   aws.String("public"),
			Scopes:       scopes,
			RedirectUris: []string{callback},
			IssuerUrl:    &c.d.Center.PortalURL,
			GrantTypes:   []string{"authorization_code", "refresh_token"},
		},
	)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// decide answers on the page of a device or of a program.
func (c commandLine) decide(page string, form url.Values, decision string) string {
	c.t.Helper()
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], unescape(m[2]))
	}
	form.Set("decision", decision)
	target := c.d.Center.URL + "/start/device"
	if form.Has("client_id") {
		target = c.d.Center.URL + "/authorize"
	}
	req, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, target, strings.NewReader(form.Encode()),
	)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	stay := *c.client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := stay.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // only looked at
	if at := res.Header.Get("Location"); at != "" {
		return at
	}
	return res.Status
}

// device signs a device in and returns what the token operation answers.
func (c commandLine) device(client *ssooidc.RegisterClientOutput, decision string) (*ssooidc.CreateTokenInput, string) {
	c.t.Helper()
	start, err := c.oidc.StartDeviceAuthorization(
		context.Background(),
		&ssooidc.StartDeviceAuthorizationInput{
			ClientId:     client.ClientId,
			ClientSecret: client.ClientSecret,
			StartUrl:     &c.d.Center.PortalURL,
		},
	)
	if err != nil {
		c.t.Fatal(err)
	}
	in := &ssooidc.CreateTokenInput{
		ClientId:     client.ClientId,
		ClientSecret: client.ClientSecret,
		GrantType:    aws.String(deviceURN),
		DeviceCode:   start.DeviceCode,
	}
	if decision != "" {
		status, page := c.send(http.MethodGet, *start.VerificationUriComplete, nil)
		if status != http.StatusOK || !strings.Contains(page, *start.UserCode) ||
			!strings.Contains(page, "botocore-client-test") {
			c.t.Fatalf("the device's page: %d %s", status, page)
		}
		if answer := c.decide(page, url.Values{}, decision); answer != "200 OK" {
			c.t.Fatalf("the decision was answered with %s", answer)
		}
	}
	return in, *start.UserCode
}

// tokenError checks which exception CreateToken fails with: the SDK knows it as a typed one.
func (c commandLine) tokenError(what string, in *ssooidc.CreateTokenInput, want string) {
	c.t.Helper()
	_, err := c.oidc.CreateToken(context.Background(), in)
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != want {
		c.t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func (c commandLine) tokens(in *ssooidc.CreateTokenInput) *ssooidc.CreateTokenOutput {
	c.t.Helper()
	out, err := c.oidc.CreateToken(context.Background(), in)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c commandLine) accounts(token *string) (int, string) {
	out, err := c.sso.ListAccounts(context.Background(), &sso.ListAccountsInput{AccessToken: token})
	var e smithy.APIError
	if errors.As(err, &e) {
		return 0, e.ErrorCode()
	}
	if err != nil {
		return 0, err.Error()
	}
	return len(out.AccountList), ""
}

// anyRole is a role that the person has.
func (c commandLine) anyRole(token *string) (account, role string) {
	c.t.Helper()
	accounts, err := c.sso.ListAccounts(context.Background(), &sso.ListAccountsInput{AccessToken: token})
	if err != nil || len(accounts.AccountList) == 0 {
		c.t.Fatalf("accounts %+v, %v", accounts, err)
	}
	roles, err := c.sso.ListAccountRoles(
		context.Background(),
		&sso.ListAccountRolesInput{AccessToken: token, AccountId: accounts.AccountList[0].AccountId},
	)
	if err != nil || len(roles.RoleList) == 0 {
		c.t.Fatalf("roles %+v, %v", roles, err)
	}
	return *roles.RoleList[0].AccountId, *roles.RoleList[0].RoleName
}

func TestDevicesSignIn(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	c := newCommandLine(t, d)
	client := c.register("sso-portal:*") // as Granted does: no refresh tokens

	in, code := c.device(client, "")
	c.tokenError("before the decision", in, "AuthorizationPendingException")
	c.tokenError("the second time at once", in, "AuthorizationPendingException")
	c.tokenError("the third time at once", in, "AuthorizationPendingException")
	c.tokenError("too fast", in, "SlowDownException")
	other := c.register()
	in2, _ := c.device(client, "allow")
	stolen := *in2
	stolen.ClientId, stolen.ClientSecret = other.ClientId, other.ClientSecret
	c.tokenError("another client's code", &stolen, "InvalidGrantException")
	wrong := *in2
	wrong.ClientSecret = other.ClientSecret
	c.tokenError("another client's secret", &wrong, "InvalidClientException")
	in2, _ = c.device(client, "allow")
	got := c.tokens(in2)
	if got.RefreshToken != nil || got.ExpiresIn < 3600 || *got.TokenType != "Bearer" {
		t.Errorf("a client without scopes got %+v", got)
	}
	c.tokenError("a code twice", in2, "InvalidGrantException")
	if n, refused := c.accounts(got.AccessToken); n == 0 || refused != "" {
		t.Errorf("%d accounts, %s", n, refused)
	}
	denied, _ := c.device(client, "deny")
	c.tokenError("after denial", denied, "AccessDeniedException")
	unknown := *in
	unknown.DeviceCode, unknown.GrantType = aws.String("x"), aws.String("password")
	c.tokenError("another grant type", &unknown, "UnsupportedGrantTypeException")

	// The code may be typed without its dash and in small letters. Wrong ones are counted.
	status, page := c.send(
		http.MethodGet, d.Center.URL+"/start/device?user_code="+strings.ToLower(strings.ReplaceAll(code, "-", "")),
		nil,
	)
	if status != http.StatusOK || !strings.Contains(page, "Authorization requested") {
		t.Errorf("the code as it is typed: %d %s", status, page)
	}
	for range 6 {
		status, page = c.send(http.MethodPost, d.Center.URL+"/start/device", url.Values{"user_code": {"BBBB-BBBB"}})
	}
	if status != http.StatusBadRequest || !strings.Contains(page, "Too many wrong codes") {
		t.Errorf("the sixth wrong code: %d %s", status, page)
	}
	if status, page = c.send(
		http.MethodGet, d.Center.URL+"/start/device?user_code="+code, nil,
	); status != http.StatusBadRequest ||
		strings.Contains(page, "botocore") {
		t.Errorf("the right code during the lock-out: %d %s", status, page)
	}
	for _, start := range []string{"https://d-0000000000.awsapps.com/start", "https://evil.example/start", ""} {
		_, err := c.oidc.StartDeviceAuthorization(
			context.Background(),
			&ssooidc.StartDeviceAuthorizationInput{
				ClientId:     client.ClientId,
				ClientSecret: client.ClientSecret,
				StartUrl:     &start,
			},
		)
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != "InvalidRequestException" {
			t.Errorf("start URL %q: %v", start, err)
		}
	}
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestProgramsSignInByAuthorizationCode(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	c := newCommandLine(t, d)
	client := c.register("sso:account:access")
	ask := func(change map[string]string) (int, string, string) {
		t.Helper()
		q := url.Values{
			"response_type":         {"code"},
			"client_id":             {*client.ClientId},
			"redirect_uri":          {withPort},
			"state":                 {"a b&c"},
			"code_challenge_method": {"S256"},
			"code_challenge":        {challengeOf(pkceCode)},
			"scopes":                {"sso:account:access"},
		}
		for k, v := range change {
			q.Set(k, v)
		}
		stay := visitor{
			t,
			&http.Client{
				Jar:           c.client.Jar,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
		}
		req, err := http.NewRequestWithContext(
			context.Background(), http.MethodGet, d.Center.URL+"/authorize?"+q.Encode(), nil,
		)
		if err != nil {
			t.Fatal(err)
		}
		res, err := stay.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		var page bytes.Buffer
		if _, err := page.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, page.String(), res.Header.Get("Location")
	}
	code := func() string {
		t.Helper()
		_, page, _ := ask(nil)
		at, err := url.Parse(c.decide(page, url.Values{}, "allow"))
		if err != nil || at.Query().Get("state") != "a b&c" || at.Query().Get("code") == "" ||
			!strings.HasPrefix(at.String(), withPort) {
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
			RedirectUri:  aws.String(withPort),
			CodeVerifier: aws.String(pkceCode),
		}
	}

	// Before the client and where it waits are known to be right, nobody is sent anywhere.
	for name, change := range map[string]map[string]string{
		"an unknown client": {"client_id": "x"}, "another host": {"redirect_uri": "http://evil.example/oauth/callback"},
		"another path":           {"redirect_uri": "http://127.0.0.1:1/other"},
		"TLS":                    {"redirect_uri": "https://127.0.0.1/oauth/callback"},
		"a user":                 {"redirect_uri": "http://127.0.0.1@evil.example/oauth/callback"},
		"a query":                {"redirect_uri": callback + "?x=1"},
		"a password":             {"redirect_uri": "http://127.0.0.1:x@evil.example/oauth/callback"},
		"a backslash":            {"redirect_uri": `http://127.0.0.1\@evil.example/oauth/callback`},
		"no port":                {"redirect_uri": "http://127.0.0.1:/oauth/callback"},
		"a fragment":             {"redirect_uri": callback + "#x"},
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
	if at := c.decide(page, url.Values{}, "deny"); !strings.Contains(at, "error=access_denied") {
		t.Errorf("denied: to %s", at)
	}

	other := in(code())
	other.CodeVerifier = aws.String(strings.Repeat("x", 64))
	c.tokenError("another verifier", other, "InvalidGrantException")
	other = in(code())
	other.RedirectUri = aws.String(callback)
	c.tokenError("another redirect URI", other, "InvalidGrantException")
	fine := in(code())
	tokens := c.tokens(fine)
	c.tokenError("a code twice", fine, "InvalidGrantException")
	if _, refused := c.accounts(tokens.AccessToken); refused != "UnauthorizedException" {
		t.Errorf("the tokens of a code that came twice: %q", refused)
	}
	tokens = c.tokens(in(code()))
	if tokens.ExpiresIn != 3600 || tokens.RefreshToken == nil {
		t.Fatalf("tokens %+v", tokens)
	}

	refresh := &ssooidc.CreateTokenInput{
		ClientId:     client.ClientId,
		ClientSecret: client.ClientSecret,
		GrantType:    aws.String("refresh_token"),
		RefreshToken: tokens.RefreshToken,
	}
	second := c.tokens(refresh)
	again := c.tokens(refresh) // its answer got lost, or two programs share it
	for _, t1 := range []*ssooidc.CreateTokenOutput{second, again} {
		if n, refused := c.accounts(t1.AccessToken); n == 0 || refused != "" {
			t.Errorf("after a refresh %d accounts, %s", n, refused)
		}
	}
	third := *refresh
	third.RefreshToken = second.RefreshToken
	c.tokens(&third)
	c.tokenError("a refresh token from long ago", refresh, "InvalidGrantException")
	if _, refused := c.accounts(second.AccessToken); refused != "UnauthorizedException" {
		t.Errorf("after the theft was noticed: %q", refused)
	}
	c.tokenError("the thief's, after the session has ended", &third, "InvalidGrantException")
	if _, page := c.send(http.MethodGet, d.Center.PortalURL, nil); !strings.Contains(page, "AWS accounts") {
		t.Error("the portal session has ended with the program's")
	}
}

func TestThePortalAPI(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	c := newCommandLine(t, d)
	ctx := context.Background()
	in, _ := c.device(c.register("sso:account:access"), "allow")
	token := c.tokens(in).AccessToken

	seen := map[string]bool{}
	pages := sso.NewListAccountsPaginator(c.sso, &sso.ListAccountsInput{AccessToken: token, MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.AccountList {
			seen[*a.AccountId] = *a.AccountName != ""
		}
	}
	id, name := c.anyRole(token)
	if len(seen) < 2 || !seen[id] {
		t.Fatalf("accounts %v over pages of one", seen)
	}
	account, role := &id, &name
	got, err := c.sso.GetRoleCredentials(
		ctx, &sso.GetRoleCredentialsInput{AccessToken: token, AccountId: account, RoleName: role},
	)
	if err != nil || !strings.HasPrefix(*got.RoleCredentials.AccessKeyId, "ASIA") ||
		time.Until(time.UnixMilli(got.RoleCredentials.Expiration)) < time.Minute {
		t.Fatalf("credentials %+v, %v", got, err)
	}
	for name, x := range map[string]struct {
		in   sso.GetRoleCredentialsInput
		want string
	}{
		"a role of nobody": {
			sso.GetRoleCredentialsInput{AccessToken: token, AccountId: account, RoleName: aws.String("Nothing")},
			"ForbiddenException",
		},
		"an unknown account": {
			sso.GetRoleCredentialsInput{AccessToken: token, AccountId: aws.String("000000000000"), RoleName: role},
			"ForbiddenException",
		},
		"a forged token": {
			sso.GetRoleCredentialsInput{AccessToken: aws.String("x" + *token), AccountId: account, RoleName: role},
			"UnauthorizedException",
		},
		"another kind of token": {
			sso.GetRoleCredentialsInput{AccessToken: in.DeviceCode, AccountId: account, RoleName: role},
			"UnauthorizedException",
		},
		"a huge token": {
			sso.GetRoleCredentialsInput{
				AccessToken: aws.String(strings.Repeat("x", 20000)),
				AccountId:   account,
				RoleName:    role,
			},
			"UnauthorizedException",
		},
	} {
		_, err := c.sso.GetRoleCredentials(ctx, &x.in)
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
	for _, path := range []string{
		"/assignment/accounts?max_result=0", "/assignment/accounts?max_result=x", "/assignment/accounts?next_token=x",
		"/assignment/roles", "/federation/credentials?account_id=1",
	} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Center.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Sso_bearer_token", *token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("X-Amzn-Errortype") != "InvalidRequestException" {
			t.Errorf("%s: %s %s", path, res.Status, res.Header.Get("X-Amzn-Errortype"))
		}
	}

	// The Go SDK's own providers: a cached token is refreshed, and becomes credentials.
	cache := filepath.Join(t.TempDir(), "token.json")
	client := c.register("sso:account:access")
	in, _ = c.device(client, "allow")
	tokens := c.tokens(in)
	text, err := json.Marshal(map[string]any{
		"accessToken":           "expired",
		"expiresAt":             time.Now().Add(-time.Hour).UTC().Format(time.RFC3339),
		"refreshToken":          *tokens.RefreshToken,
		"clientId":              *client.ClientId,
		"clientSecret":          *client.ClientSecret,
		"registrationExpiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"startUrl":              d.Center.PortalURL,
		"region":                d.AWS.Region,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cache, text, 0o600); err != nil {
		t.Fatal(err)
	}
	provider := ssocreds.New(
		c.sso, *account, *role, d.Center.PortalURL,
		func(o *ssocreds.Options) { o.SSOTokenProvider = ssocreds.NewSSOTokenProvider(c.oidc, cache) },
	)
	who, err := sts.New(sts.Options{
		Region:       d.AWS.Region,
		BaseEndpoint: &d.Center.URL,
		Credentials:  provider,
	}).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || !strings.Contains(*who.Arn, ":assumed-role/AWSReservedSSO_"+*role+"_") ||
		!strings.HasSuffix(*who.Arn, "/"+amara) {
		t.Errorf("the SDK is %+v, %v", who, err)
	}

	if _, err := c.sso.Logout(ctx, &sso.LogoutInput{AccessToken: token}); err != nil {
		t.Error(err)
	}
	if _, refused := c.accounts(token); refused != "UnauthorizedException" {
		t.Errorf("after signing out: %q", refused)
	}
	// A person sees the programs among the sessions, and ends them.
	if _, page := c.send(http.MethodGet, d.Center.URL+"/platform/account", nil); !strings.Contains(
		page, "botocore-client-test",
	) {
		t.Error("the program's session is not listed")
	}
	if status, _ := c.send(
		http.MethodPost, d.Center.URL+"/platform/account/sessions/delete", nil,
	); status != http.StatusOK {
		t.Errorf("ending the others: %d", status)
	}
	if _, refused := c.accounts(tokens.AccessToken); refused != "UnauthorizedException" {
		t.Errorf("after the session was ended: %q", refused)
	}
}

// TestAWSAccountsLearnWhoTheCenterIs reads the metadata that an account's SAML provider is made of.
func TestAWSAccountsLearnWhoTheCenterIs(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	v := newVisitor(t)
	address := d.Center.URL + "/platform/saml/aws/" + d.Center.IdentityStoreID
	status, first := v.send(http.MethodGet, address, nil)
	idp, err := saml.ParseIdentityProvider([]byte(first))
	if status != http.StatusOK || err != nil || idp.EntityID != address || len(idp.Certificates) != 1 {
		t.Fatalf("%d, %v: %s", status, err, first)
	}
	if _, again := v.send(http.MethodGet, address, nil); again != first {
		t.Error("the key is another one at the second look")
	}
	if status, _ := v.send(
		http.MethodGet, d.Center.URL+"/platform/saml/aws/d-0000000000", nil,
	); status != http.StatusNotFound {
		t.Errorf("another directory's: %d", status)
	}
}

// TestTheRealAWSCLISignsIn runs `aws sso login`, a command of an SSO profile, and `aws sso logout`.
// Debian's CLI has no setting for the endpoints: it is given the names of AWS by a proxy, as an
// office would by DNS.
func TestTheRealAWSCLISignsIn(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	c := newCommandLine(t, d)
	cli := newAWS(t, d)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	in, _ := c.device(c.register(), "allow")
	account, role := c.anyRole(c.tokens(in).AccessToken)
	config := fmt.Sprintf(
		"[profile new]\nsso_session = gatehouse\nsso_account_id = %[1]s\nsso_role_name = %[2]s\n[sso-session "+
			"gatehouse]\nsso_start_url = %[3]s\nsso_region = %[4]s\nsso_registration_scopes = sso:account:access\n"+
			"[profile old]\nsso_start_url = %[3]s\nsso_region = %[4]s\nsso_account_id = %[1]s\nsso_role_name = %[2]s\n",
		account,
		role,
		d.Center.PortalURL,
		d.AWS.Region,
	)
	if err := os.WriteFile(filepath.Join(dir, ".aws", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy, bundle := awsNames(t, d.Center.URL)
	cli.env = []string{
		"HOME=" + dir, "PATH=/usr/bin:/bin", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION=" + d.AWS.Region, "HTTPS_PROXY=" + proxy, "AWS_CA_BUNDLE=" + bundle, "PYTHONUNBUFFERED=1",
	}
	for _, profile := range []string{"new", "old"} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		// #nosec G204 -- the test's own arguments
		login := exec.CommandContext(ctx, cli.path, "sso", "login", "--no-browser", "--profile", profile)
		login.Env = cli.env
		out := &buffer{}
		login.Stdout, login.Stderr = out, out
		if err := login.Start(); err != nil {
			t.Fatal(err)
		}
		code := waitFor(t, out, `[B-Z]{4}-[B-Z]{4}`)
		_, page := c.send(http.MethodGet, d.Center.URL+"/start/device?user_code="+code, nil)
		if answer := c.decide(page, url.Values{}, "allow"); answer != "200 OK" {
			t.Fatalf("allowing the CLI: %s", answer)
		}
		if err := login.Wait(); err != nil || !strings.Contains(out.String(), "Successfully logged into") {
			t.Fatalf("aws sso login: %v: %s", err, out)
		}
		var who struct{ Arn string }
		cli.run(&who, "sts", "get-caller-identity", "--profile", profile)
		if !strings.Contains(who.Arn, ":assumed-role/AWSReservedSSO_"+role+"_") {
			t.Errorf("the profile %s is %s", profile, who.Arn)
		}
	}
	if _, page := c.send(http.MethodGet, d.Center.URL+"/platform/account", nil); !strings.Contains(
		page, "botocore-client-gatehouse",
	) {
		t.Error("the CLI's session is not listed")
	}
	// #nosec G204 -- the test's own arguments
	logout := exec.CommandContext(context.Background(), cli.path, "sso", "logout")
	logout.Env = cli.env
	if out, err := logout.CombinedOutput(); err != nil {
		t.Errorf("aws sso logout: %v: %s", err, out)
	}
	if _, page := c.send(http.MethodGet, d.Center.URL+"/platform/account", nil); strings.Contains(
		page, "botocore-client-gatehouse",
	) {
		t.Error("the CLI's sessions outlive aws sso logout")
	}
}

// waitFor waits until something that matches is written.
func waitFor(t *testing.T, out *buffer, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if found := re.FindString(out.String()); found != "" {
			return found
		}
	}
	t.Fatalf("nothing like %s in: %s", pattern, out)
	return ""
}

// awsNames is a proxy that leads the names of AWS's endpoints to a center, with TLS of its own. It
// returns its address and the file of its certificate.
func awsNames(t *testing.T, centerURL string) (address, bundle string) {
	t.Helper()
	certFile, keyFile, _ := testCertificate(t, t.TempDir())
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(centerURL)
	if err != nil {
		t.Fatal(err)
	}
	opened := &tunnels{make(chan net.Conn, 16)}
	inside := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // as DNS would have it
		}},
	}
	go func() {
		_ = inside.Serve(
			tls.NewListener(
				opened, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
			),
		)
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	outside := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodConnect {
				http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
				return
			}
			w.WriteHeader(http.StatusOK)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				opened.conns <- conn
			}
		}),
	}
	go func() { _ = outside.Serve(l) }()
	t.Cleanup(func() { _ = errors.Join(outside.Close(), inside.Close()) })
	return "http://" + l.Addr().String(), certFile
}

// tunnels is a listener for connections that a proxy has opened.
type tunnels struct{ conns chan net.Conn }

func (l *tunnels) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l *tunnels) Close() error { close(l.conns); return nil }

func (l *tunnels) Addr() net.Addr { return &net.TCPAddr{} }
