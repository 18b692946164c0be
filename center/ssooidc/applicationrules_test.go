package ssooidc_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/document"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/server"
)

// TestAnApplicationIsWhatItWasSet: state, grants, scopes, authentication method and assignments
// decide who gets tokens.
func TestAnApplicationIsWhatItWasSet(t *testing.T) {
	t.Parallel()
	a, i := newApplications(t), newIssuer(t)
	trusted := a.trusts(i, "idp", "email", "emails.value")
	wiki := a.application("wiki", takes(trusted, "wiki"))
	in := bearer(wiki, i.token(nil))
	with := func(change func(*ssooidc.CreateTokenWithIAMInput)) *ssooidc.CreateTokenWithIAMInput {
		other := *in
		change(&other)
		return &other
	}
	a.tokens(in)

	a.refuses("no such application", "InvalidClientException", with(func(in *ssooidc.CreateTokenWithIAMInput) {
		in.ClientId = aws.String(*wiki + "0")
	}))
	a.refuses("a grant that there is not", "UnsupportedGrantTypeException", with(
		func(in *ssooidc.CreateTokenWithIAMInput) { in.GrantType = aws.String("password") },
	))
	a.refuses("a member of another grant", "InvalidRequestException", with(
		func(in *ssooidc.CreateTokenWithIAMInput) { in.Code = aws.String("x") },
	))
	a.refuses("no assertion", "InvalidRequestException", with(
		func(in *ssooidc.CreateTokenWithIAMInput) { in.Assertion = nil },
	))
	for _, other := range []*ssooidc.CreateTokenWithIAMInput{
		refresh(wiki, aws.String("x")), exchange(wiki, aws.String("x")),
		code(wiki, "x", "https://wiki.example.com/cb", ""),
	} {
		a.refuses("no grant "+*other.GrantType, "UnauthorizedClientException", other)
	}
	a.refuses("no such scope", "InvalidScopeException", with(
		func(in *ssooidc.CreateTokenWithIAMInput) { in.Scope = []string{"openid", "wiki:read"} },
	))
	a.scope(wiki, "wiki:read")
	narrow := a.tokens(with(func(in *ssooidc.CreateTokenWithIAMInput) {
		in.Scope = []string{"wiki:read", "wiki:read"}
	}))
	if narrow.IdToken != nil || narrow.AwsAdditionalDetails != nil ||
		!slices.Equal(narrow.Scope, []string{"wiki:read"}) {
		t.Errorf("narrowed: %+v", narrow)
	}
	plain := a.tokens(with(func(in *ssooidc.CreateTokenWithIAMInput) { in.Scope = []string{"openid"} }))
	claims := claimsOf(t, plain.IdToken)
	if claims["aws:instance_arn"] != nil || claims["sts:identity_context"] != nil {
		t.Errorf("openid alone: %v", claims)
	}

	off := &ssoadmin.UpdateApplicationInput{ApplicationArn: wiki, Status: types.ApplicationStatusDisabled}
	_, err := a.admin.UpdateApplication(background, off)
	a.must(err)
	a.refuses("disabled", "UnauthorizedClientException", in)
	off.Status = types.ApplicationStatusEnabled
	_, err = a.admin.UpdateApplication(background, off)
	a.must(err)
	a.tokens(in)

	held := &ssoadmin.DeleteApplicationAssignmentInput{
		ApplicationArn: wiki, PrincipalId: aws.String(string(a.ada.ID)), PrincipalType: types.PrincipalTypeUser,
	}
	_, err = a.admin.DeleteApplicationAssignment(background, held)
	a.must(err)
	a.refuses("not assigned", "AccessDeniedException", in)
	_, err = a.admin.PutApplicationAssignmentConfiguration(
		background,
		&ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: wiki, AssignmentRequired: aws.Bool(false)},
	)
	a.must(err)
	a.tokens(in)
	a.setActive(false)
	a.refuses("a disabled person", "InvalidGrantException", in)
	a.setActive(true)
	a.tokens(in)

	_, err = a.admin.DeleteApplicationGrant(
		background, &ssoadmin.DeleteApplicationGrantInput{ApplicationArn: wiki, GrantType: types.GrantTypeJwtBearer},
	)
	a.must(err)
	a.refuses("the grant is gone", "UnauthorizedClientException", in)
}

// TestTheActorPolicyDecidesWhoAsks, by the statements of vendors' examples and by each principal.
func TestTheActorPolicyDecidesWhoAsks(t *testing.T) {
	t.Parallel()
	a, i := newApplications(t), newIssuer(t)
	wiki := a.application("wiki", takes(a.trusts(i, "idp", "email", "emails.value"), "wiki"))
	in := bearer(wiki, i.token(nil))
	reader := a.signs(center.RoleReadOnly)
	role := ssooidc.NewFromConfig(a.session("111122223333", "Deployer", "ada"))
	const own = "arn:aws:iam::111122223333:"
	allow := func(principal any) map[string]any {
		return map[string]any{
			"Effect": "Allow", "Principal": principal, "Action": "sso-oauth:CreateTokenWithIAM", "Resource": "*",
		}
	}
	by := func(arns ...string) any { return map[string]any{"AWS": arns} }
	deny := allow(by(own + "role/team/Deployer"))
	deny["Effect"] = "Deny"
	elsewhere, other := allow("*"), allow("*")
	elsewhere["Resource"], other["Action"] = *wiki+"0", "sso:ListApplications"
	wild := allow("*")
	wild["Action"] = []string{"SSO-OAuth:Create*"}
	wild["Resource"] = []string{"arn:aws:sso::111122223333:application/*"}
	denyAccount := allow(by("111122223333"))
	denyAccount["Effect"] = "Deny"
	session := func(name string) any {
		return by("arn:aws:sts::111122223333:assumed-role/Deployer/" + name)
	}
	for what, c := range map[string]struct {
		statements          []any
		admin, reader, role bool
	}{
		"everybody":            {[]any{allow("*")}, true, true, true},
		"everybody of AWS":     {[]any{allow(by("*"))}, true, true, true},
		"the account":          {[]any{allow(by("111122223333"))}, true, false, false},
		"its root":             {[]any{allow(by(own + "root"))}, true, false, false},
		"another account":      {[]any{allow(by("444455556666"))}, false, false, false},
		"a user":               {[]any{allow(by(own + "user/key-read-only"))}, false, true, false},
		"a role with a path":   {[]any{allow(by(own + "role/team/Deployer"))}, false, false, true},
		"a role alike":         {[]any{allow(by(own+"role/Deploy", own+"role/Deployer2"))}, false, false, false},
		"the role of another":  {[]any{allow(by("arn:aws:iam::444455556666:role/Deployer"))}, false, false, false},
		"a session":            {[]any{allow(session("ada"))}, false, false, true},
		"another's session":    {[]any{allow(session("eve"))}, false, false, false},
		"a service":            {[]any{allow(map[string]any{"Service": "lambda.amazonaws.com"})}, false, false, false},
		"nobody":               {nil, false, false, false},
		"another application":  {[]any{elsewhere}, false, false, false},
		"another action":       {[]any{other}, false, false, false},
		"patterns":             {[]any{wild}, true, true, true},
		"a denial":             {[]any{allow("*"), deny}, true, true, false},
		"a denial of accounts": {[]any{denyAccount, allow("*")}, false, false, false},
	} {
		a.policy(wiki, c.statements...)
		for who, may := range map[*ssooidc.Client]bool{a.oidc: c.admin, reader: c.reader, role: c.role} {
			_, err := who.CreateTokenWithIAM(background, in)
			if may && err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if !may {
				a.fails(what, "AccessDeniedException", err)
			}
		}
	}
	// what could not be judged is not kept
	conditional, unnamed := allow("*"), allow("*")
	conditional["Condition"] = map[string]any{"Bool": map[string]any{"aws:SecureTransport": "true"}}
	delete(unnamed, "Principal")
	for _, bad := range []any{
		conditional, unnamed, map[string]any{"Effect": "Allow", "NotPrincipal": "*", "Action": "*"},
		map[string]any{"Effect": "Perhaps", "Principal": "*", "Action": "*"}, "x",
	} {
		_, err := a.admin.PutApplicationAuthenticationMethod(
			background,
			&ssoadmin.PutApplicationAuthenticationMethodInput{
				ApplicationArn: wiki, AuthenticationMethodType: types.AuthenticationMethodTypeIam,
				AuthenticationMethod: &types.AuthenticationMethodMemberIam{Value: types.IamAuthenticationMethod{
					ActorPolicy: document.NewLazyDocument(map[string]any{"Statement": []any{bad}}),
				}},
			},
		)
		a.fails(fmt.Sprint(bad), "ValidationException", err)
	}
}

// session are the settings of somebody who has opened a role in the sandbox.
func (a *applications) session(account, role, name string) aws.Config {
	a.t.Helper()
	of, err := server.NewSandbox(a.Center).Credentials(background, center.RoleRequest{
		Role:        center.Role{Account: center.Account{ID: account}, RoleName: role},
		SessionName: name,
		Duration:    time.Hour,
	})
	a.must(err)
	return aws.Config{
		Region: a.Instance.Region, BaseEndpoint: &a.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(
			of.AccessKeyID, of.SecretAccessKey.Reveal(), of.SessionToken.Reveal(),
		),
	}
}

// TestRequestsForTokensAreSigned: without a good signature for the service, nothing is told.
func TestRequestsForTokensAreSigned(t *testing.T) {
	t.Parallel()
	a := newApplications(t)
	wiki := a.application("wiki", refreshes)
	forged := a.as(center.RoleAdministrator)
	kept, err := forged.Credentials.Retrieve(background)
	a.must(err)
	forged.Credentials = credentials.NewStaticCredentialsProvider(kept.AccessKeyID, "forged", "")
	_, err = ssooidc.NewFromConfig(forged).CreateTokenWithIAM(background, refresh(wiki, aws.String("x")))
	a.fails("a forged signature", "InvalidSignatureException", err)
	if e := a.LastEvent(); e.Action != "CreateTokenWithIAM" || e.Result != audit.Refused ||
		e.Actor.Kind != audit.Anonymous {
		t.Errorf("the event is %+v", e)
	}
	for query, want := range map[string]int{
		"?aws_iam=t": http.StatusForbidden, "?aws_iam": http.StatusForbidden, "?aws_iam=f": http.StatusForbidden,
		"": http.StatusBadRequest,
	} {
		page := a.Visitor().Do(http.MethodPost, a.URL+"/token"+query, nil, "Content-Type: application/json")
		if page.Status != want || !strings.HasPrefix(page.Header.Get("Content-Type"), "application/json") {
			t.Errorf("unsigned %q: %d %s", query, page.Status, page.Text)
		}
	}
}

// TestATokenIsExchangedWhereItsScopesSay: at the application that they name as a target, and
// nowhere else.
func TestATokenIsExchangedWhereItsScopesSay(t *testing.T) {
	t.Parallel()
	a, i := newApplications(t), newIssuer(t)
	trusted := a.trusts(i, "idp", "email", "emails.value")
	wiki, search := a.application("wiki", takes(trusted, "wiki"), exchanges), a.application("search", exchanges)
	mail := a.application("mail", exchanges)
	a.scope(wiki, "search:query", *search)
	a.scope(wiki, "everywhere")
	a.scope(search, "index:read")
	token := a.tokens(bearer(wiki, i.token(nil))).AccessToken
	got := a.tokens(exchange(search, token))
	if aws.ToString(got.IssuedTokenType) != accessType || got.RefreshToken != nil || got.AwsAdditionalDetails == nil ||
		claimsOf(t, got.IdToken)["sub"] != string(a.ada.ID) || !slices.Contains(got.Scope, "index:read") {
		t.Errorf("exchanged: %+v", got)
	}
	with := func(in *ssooidc.CreateTokenWithIAMInput, change func(*ssooidc.CreateTokenWithIAMInput),
	) *ssooidc.CreateTokenWithIAMInput {
		change(in)
		return in
	}
	a.refuses("another application", "InvalidGrantException", exchange(mail, token))
	a.refuses("the same application", "InvalidGrantException", exchange(wiki, token))
	a.refuses("what came of it", "InvalidGrantException", exchange(mail, got.AccessToken))
	a.refuses("no token", "InvalidGrantException", exchange(search, aws.String("x")))
	a.refuses("a JWT", "InvalidGrantException", exchange(search, i.token(nil)))
	a.refuses("an ID token", "InvalidGrantException", exchange(search, got.IdToken))
	narrow := bearer(wiki, i.token(nil))
	narrow.Scope = []string{"everywhere", "openid"}
	a.refuses("a scope without targets", "InvalidGrantException", exchange(search, a.tokens(narrow).AccessToken))
	a.refuses("another type", "InvalidRequestException", with(exchange(search, token),
		func(in *ssooidc.CreateTokenWithIAMInput) { in.SubjectTokenType = aws.String(refreshType) }))
	asked := with(exchange(search, token), func(in *ssooidc.CreateTokenWithIAMInput) {
		in.RequestedTokenType = aws.String(refreshType)
	})
	a.refuses("a refresh token without the grant", "UnauthorizedClientException", asked)
	a.grant(search, refreshes)
	renewable := a.tokens(asked)
	if aws.ToString(renewable.IssuedTokenType) != refreshType || renewable.RefreshToken == nil {
		t.Errorf("a refresh token was asked for: %+v", renewable)
	}
	a.tokens(refresh(search, renewable.RefreshToken))
	a.refuses("another's refresh token", "UnauthorizedClientException", refresh(wiki, renewable.RefreshToken))

	// the session that the first token belongs to ends, and what was exchanged for it
	a.must(a.EndSessions(background, audit.SystemActor, a.ada.ID, ""))
	a.refuses("an ended session", "InvalidGrantException", exchange(search, token))
	token = a.tokens(bearer(wiki, i.token(nil))).AccessToken
	a.scope(wiki, "search:query", *mail)
	a.refuses("the target has changed", "InvalidGrantException", exchange(search, token))
	a.tokens(exchange(mail, token))
}

// TestAnApplicationOpensRolesWithTheScope: tokens of applications are no tokens of the portal's
// API, unless they have the scope of accounts.
func TestAnApplicationOpensRolesWithTheScope(t *testing.T) {
	t.Parallel()
	a, i := newApplications(t), newIssuer(t)
	a.Assigned(a.ada, "111122223333", "Reader")
	wiki := a.application("wiki", takes(a.trusts(i, "idp", "email", "emails.value"), "wiki"))
	portal := sso.NewFromConfig(aws.Config{Region: a.Instance.Region, BaseEndpoint: &a.URL, RetryMaxAttempts: 1})
	works := func(token *string) bool {
		t.Helper()
		_, e1 := portal.ListAccounts(background, &sso.ListAccountsInput{AccessToken: token})
		_, e2 := portal.GetRoleCredentials(background, &sso.GetRoleCredentialsInput{
			AccessToken: token, AccountId: aws.String("111122223333"), RoleName: aws.String("Reader"),
		})
		if (e1 == nil) != (e2 == nil) {
			t.Errorf("accounts: %v, credentials: %v", e1, e2)
		}
		return e1 == nil
	}
	if works(a.tokens(bearer(wiki, i.token(nil))).AccessToken) {
		t.Error("a token without the scope opens a role")
	}
	a.scope(wiki, "sso:account:access")
	in := bearer(wiki, i.token(nil))
	all := a.tokens(in).AccessToken
	if !works(all) {
		t.Error("a token with the scope opens no role")
	}
	in.Scope = []string{"openid"}
	if works(a.tokens(in).AccessToken) {
		t.Error("a token that was narrowed opens a role")
	}
	_, err := a.admin.UpdateApplication(
		background, &ssoadmin.UpdateApplicationInput{ApplicationArn: wiki, Status: types.ApplicationStatusDisabled},
	)
	a.must(err)
	if works(all) {
		t.Error("a token of a disabled application opens a role")
	}
}

// TestSessionsOfApplicationsLeaveOthersAlone: an application that asks again and again ends its own
// sessions, and nobody's in the portal.
func TestSessionsOfApplicationsLeaveOthersAlone(t *testing.T) {
	t.Parallel()
	a, i := newApplications(t), newIssuer(t)
	browser := a.SignIn("ada")
	trusted := a.trusts(i, "idp", "email", "emails.value")
	wiki := a.application("wiki", takes(trusted, "wiki"), refreshes)
	first := a.tokens(bearer(wiki, i.token(nil)))
	for range 20 {
		a.tokens(bearer(wiki, i.token(nil)))
	}
	a.refuses("the first of too many", "InvalidGrantException", refresh(wiki, first.RefreshToken))
	sessions, err := a.Sessions(background, a.ada.ID)
	a.must(err)
	if len(sessions) != 21 {
		t.Errorf("%d sessions, want 20 and the browser's", len(sessions))
	}
	if page := browser.Get(a.PortalURL()); !strings.Contains(page, "AWS accounts") {
		t.Error("the portal session has ended")
	}
}

// TestAnIssuerThatMisbehaves is bounded: what it publishes is neither large, slow, elsewhere nor
// of somebody else.
func TestAnIssuerThatMisbehaves(t *testing.T) {
	t.Parallel()
	a := newApplications(t)
	end := make(chan struct{})
	defer close(end)
	wiki := a.application("wiki")
	for what, c := range map[string]struct {
		serve func(*issuer, http.ResponseWriter, *http.Request)
		want  string
	}{
		"large": {func(_ *issuer, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`))
		}, "InternalServerException"},
		"endless": {func(_ *issuer, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			select {
			case <-end:
			case <-r.Context().Done():
			}
		}, "InternalServerException"},
		"failing": {func(_ *issuer, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
		}, "InternalServerException"},
		"elsewhere": {func(i *issuer, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, i.URL+"/other", http.StatusFound)
		}, "InternalServerException"},
		"no JSON": {func(_ *issuer, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>"))
		}, "InternalServerException"},
		"somebody else": {func(_ *issuer, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"https://idp.example.com","jwks_uri":"https://idp.example.com/keys"}`))
		}, "InvalidGrantException"},
		"keys of the machine's own network": {func(i *issuer, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"` + i.URL + `","jwks_uri":"http://169.254.169.254/latest/meta-data"}`))
		}, "InvalidGrantException"},
		"keys in a file": {func(i *issuer, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"` + i.URL + `","jwks_uri":"file:///etc/passwd"}`))
		}, "InvalidGrantException"},
		"no keys": {func(i *issuer, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"` + i.URL + `","jwks_uri":"` + i.URL + `/keys"}`))
		}, "InvalidGrantException"},
	} {
		i := newIssuer(t)
		i.serve = func(w http.ResponseWriter, r *http.Request) bool {
			c.serve(i, w, r)
			return true
		}
		arn := a.trusts(i, "idp-"+strings.ReplaceAll(what[:5], " ", ""), "email", "emails.value")
		a.grant(wiki, takes(arn, "wiki"))
		a.refuses(what, c.want, bearer(wiki, i.token(nil)))
		asked := i.asked.Load()
		a.refuses(what+", at once again", c.want, bearer(wiki, i.token(nil)))
		if what != "no keys" && i.asked.Load() != asked {
			t.Errorf("%s: the issuer was asked again at once", what)
		}
	}
}

// TestWhatIsWrongWithAnActorPolicyIsSaid in the words of policies, not in those of the program.
func TestWhatIsWrongWithAnActorPolicyIsSaid(t *testing.T) {
	t.Parallel()
	a := newApplications(t)
	wiki := a.application("wiki")
	for want, policy := range map[string]any{
		"the document has the wrong type":           "text",
		"Statement.0.Effect has the wrong type":     map[string]any{"Statement": []any{map[string]any{"Effect": 1}}},
		"the element Condition cannot be judged":    map[string]any{"Statement": map[string]any{"Condition": 1}},
		"a statement needs an Effect, a Principal ": map[string]any{"Statement": map[string]any{"Effect": "Allow"}},
	} {
		method := types.IamAuthenticationMethod{ActorPolicy: document.NewLazyDocument(policy)}
		_, err := a.admin.PutApplicationAuthenticationMethod(
			background, &ssoadmin.PutApplicationAuthenticationMethodInput{
				ApplicationArn: wiki, AuthenticationMethodType: types.AuthenticationMethodTypeIam,
				AuthenticationMethod: &types.AuthenticationMethodMemberIam{Value: method},
			},
		)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), " Go ") {
			t.Errorf("%v: %v, want %q", policy, err, want)
		}
	}
}
