package ssooidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/document"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	oidctypes "github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
	"github.com/aws/smithy-go"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

var background = context.Background()

const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
	refreshType   = "urn:ietf:params:oauth:token-type:refresh_token"
)

// applications is a center with a person and the SDK's clients of an administrator.
type applications struct {
	*centertest.Server
	t     *testing.T
	admin *ssoadmin.Client
	oidc  *ssooidc.Client
	ada   center.User
}

func newApplications(t *testing.T) *applications {
	t.Helper()
	a := &applications{Server: centertest.Serve(t), t: t}
	a.NoMFA()
	var err error
	a.ada, err = a.UpdateUser(background, audit.SystemActor, a.NewPerson("ada").ID, func(u *center.User) error {
		u.Emails = []center.Value{{Value: "ada@example.com", Type: "work", Primary: true}}
		u.ExternalID = "external-ada"
		return nil
	})
	a.must(err)
	a.admin = ssoadmin.NewFromConfig(a.as(center.RoleAdministrator))
	a.oidc = a.signs(center.RoleAdministrator)
	return a
}

// as are the settings of the SDK with a new access key.
func (a *applications) as(role center.KeyRole) aws.Config {
	a.t.Helper()
	key, err := a.CreateAccessKey(background, audit.SystemActor, "key-"+string(role), role)
	if err != nil {
		a.t.Fatal(err)
	}
	return aws.Config{
		Region:           a.Instance.Region,
		BaseEndpoint:     &a.URL,
		RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(
			key.ID, key.SecretAccessKey.Reveal(), "",
		),
	}
}

func (a *applications) signs(role center.KeyRole) *ssooidc.Client {
	a.t.Helper()
	return ssooidc.NewFromConfig(a.as(role))
}

func (a *applications) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("%v; the last event is %+v", err, a.LastEvent())
	}
}

func (a *applications) setActive(active bool) {
	a.t.Helper()
	_, err := a.UpdateUser(background, audit.SystemActor, a.ada.ID, func(u *center.User) error {
		u.Active = active
		return nil
	})
	a.must(err)
}

// application makes an application with grants that everybody with a key of the account may act
// for, and that is assigned to the person.
func (a *applications) application(name string, grants ...types.Grant) *string {
	a.t.Helper()
	out, err := a.admin.CreateApplication(background, &ssoadmin.CreateApplicationInput{
		InstanceArn:            &a.Instance.ARN,
		ApplicationProviderArn: aws.String("arn:aws:sso::aws:applicationProvider/custom"),
		Name:                   &name,
	})
	a.must(err)
	a.policy(out.ApplicationArn, map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"AWS": a.Instance.OwnerAccountID},
		"Action": "sso-oauth:CreateTokenWithIAM", "Resource": "*",
	})
	for _, g := range grants {
		a.grant(out.ApplicationArn, g)
	}
	_, err = a.admin.CreateApplicationAssignment(background, &ssoadmin.CreateApplicationAssignmentInput{
		ApplicationArn: out.ApplicationArn,
		PrincipalId:    aws.String(string(a.ada.ID)),
		PrincipalType:  types.PrincipalTypeUser,
	})
	a.must(err)
	return out.ApplicationArn
}

func (a *applications) policy(arn *string, statements ...any) {
	a.t.Helper()
	_, err := a.admin.PutApplicationAuthenticationMethod(background, &ssoadmin.PutApplicationAuthenticationMethodInput{
		ApplicationArn:           arn,
		AuthenticationMethodType: types.AuthenticationMethodTypeIam,
		AuthenticationMethod: &types.AuthenticationMethodMemberIam{Value: types.IamAuthenticationMethod{
			ActorPolicy: document.NewLazyDocument(map[string]any{"Version": "2012-10-17", "Statement": statements}),
		}},
	})
	a.must(err)
}

func (a *applications) grant(arn *string, g types.Grant) {
	a.t.Helper()
	of := types.GrantTypeTokenExchange
	switch g.(type) {
	case *types.GrantMemberAuthorizationCode:
		of = types.GrantTypeAuthorizationCode
	case *types.GrantMemberRefreshToken:
		of = types.GrantTypeRefreshToken
	case *types.GrantMemberJwtBearer:
		of = types.GrantTypeJwtBearer
	}
	_, err := a.admin.PutApplicationGrant(
		background, &ssoadmin.PutApplicationGrantInput{ApplicationArn: arn, GrantType: of, Grant: g},
	)
	a.must(err)
}

func (a *applications) scope(arn *string, scope string, targets ...string) {
	a.t.Helper()
	_, err := a.admin.PutApplicationAccessScope(background, &ssoadmin.PutApplicationAccessScopeInput{
		ApplicationArn: arn, Scope: &scope, AuthorizedTargets: targets,
	})
	a.must(err)
}

func redirects(uris ...string) types.Grant {
	return &types.GrantMemberAuthorizationCode{Value: types.AuthorizationCodeGrant{RedirectUris: uris}}
}

var (
	refreshes = &types.GrantMemberRefreshToken{}
	exchanges = &types.GrantMemberTokenExchange{}
)

// tokens asks for tokens, which must be given.
func (a *applications) tokens(in *ssooidc.CreateTokenWithIAMInput) *ssooidc.CreateTokenWithIAMOutput {
	a.t.Helper()
	out, err := a.ask(in)
	a.must(err)
	return out
}

// refuses asks for tokens, which must be refused.
func (a *applications) refuses(what, want string, in *ssooidc.CreateTokenWithIAMInput) {
	a.t.Helper()
	_, err := a.ask(in)
	a.fails(what, want, err)
}

// ask asks for tokens, as often as it takes where that is bounded.
func (a *applications) ask(in *ssooidc.CreateTokenWithIAMInput) (out *ssooidc.CreateTokenWithIAMOutput, err error) {
	for {
		out, err = a.oidc.CreateTokenWithIAM(background, in)
		if slow := new(oidctypes.SlowDownException); !errors.As(err, &slow) {
			return out, err
		}
	}
}

func (a *applications) fails(what, want string, err error) {
	a.t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != want {
		a.t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// issuer is an OAuth 2.0 server that nobody here wrote the tokens of: it publishes its keys.
type issuer struct {
	*httptest.Server
	t     *testing.T
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	asked atomic.Int32
	serve func(w http.ResponseWriter, r *http.Request) bool // may answer instead
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t}
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		if i.serve != nil && i.serve(w, r) {
			return
		}
		if r.URL.Path == "/.well-known/openid-configuration" {
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{
			map[string]any{"kty": "unheard-of", "kid": "x"},
			jose.JSONWebKey{Key: i.rsa.Public(), KeyID: "r", Use: "sig", Algorithm: "RS256"},
			jose.JSONWebKey{Key: i.ec.Public(), KeyID: "e"},
		}})
	}))
	t.Cleanup(i.Close)
	return i
}

// claims are those of a token that is taken.
func (i *issuer) claims(change map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.URL, "sub": "s-1", "aud": "wiki", "email": "ADA@example.com", "jti": "1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range change {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// token is a token with changed claims, signed by the RSA key.
func (i *issuer) token(change map[string]any) *string {
	i.t.Helper()
	return signed(i.t, jose.RS256, jose.JSONWebKey{Key: i.rsa, KeyID: "r"}, i.claims(change))
}

func signed(t *testing.T, by jose.SignatureAlgorithm, key any, claims map[string]any) *string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: by, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return &text
}

// trusts makes an issuer a trusted token issuer.
func (a *applications) trusts(i *issuer, name, claim, attribute string) string {
	a.t.Helper()
	out, err := a.admin.CreateTrustedTokenIssuer(background, &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn:            &a.Instance.ARN,
		Name:                   &name,
		TrustedTokenIssuerType: types.TrustedTokenIssuerTypeOidcJwt,
		TrustedTokenIssuerConfiguration: &types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration{
			Value: types.OidcJwtConfiguration{
				IssuerUrl:                  &i.URL,
				ClaimAttributePath:         &claim,
				IdentityStoreAttributePath: &attribute,
				JwksRetrievalOption:        types.JwksRetrievalOptionOpenIdDiscovery,
			},
		},
	})
	a.must(err)
	return *out.TrustedTokenIssuerArn
}

func takes(arn string, audiences ...string) types.Grant {
	one := types.AuthorizedTokenIssuer{TrustedTokenIssuerArn: &arn, AuthorizedAudiences: audiences}
	return &types.GrantMemberJwtBearer{
		Value: types.JwtBearerGrant{AuthorizedTokenIssuers: []types.AuthorizedTokenIssuer{one}},
	}
}

func code(arn *string, code, redirectURI, verifier string) *ssooidc.CreateTokenWithIAMInput {
	in := &ssooidc.CreateTokenWithIAMInput{
		ClientId: arn, GrantType: aws.String("authorization_code"), Code: &code, RedirectUri: &redirectURI,
	}
	if verifier != "" {
		in.CodeVerifier = &verifier
	}
	return in
}

func bearer(arn, assertion *string) *ssooidc.CreateTokenWithIAMInput {
	return &ssooidc.CreateTokenWithIAMInput{
		ClientId: arn, GrantType: aws.String(jwtBearer), Assertion: assertion,
	}
}

func refresh(arn, token *string, scopes ...string) *ssooidc.CreateTokenWithIAMInput {
	return &ssooidc.CreateTokenWithIAMInput{
		ClientId: arn, GrantType: aws.String("refresh_token"), RefreshToken: token, Scope: scopes,
	}
}

func exchange(arn, token *string) *ssooidc.CreateTokenWithIAMInput {
	return &ssooidc.CreateTokenWithIAMInput{
		ClientId: arn, GrantType: aws.String(tokenExchange), SubjectToken: token,
		SubjectTokenType: aws.String(accessType),
	}
}

// claimsOf reads a token as AWS's plugins do, without looking at its signature.
func claimsOf(t *testing.T, token *string) map[string]any {
	t.Helper()
	parsed, err := jwt.ParseSigned(aws.ToString(token), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestTokensOfATrustedTokenIssuer: the answer has what AWS's examples have, and the token of an
// issuer names the user by each attribute that does.
func TestTokensOfATrustedTokenIssuer(t *testing.T) {
	t.Parallel()
	a, i := newApplications(t), newIssuer(t)
	trusted := a.trusts(i, "idp", "email", "emails.value")
	wiki := a.application("wiki", takes(trusted, "other", "wiki"))
	a.scope(wiki, "wiki:pages:read")
	got := a.tokens(bearer(wiki, i.token(nil)))
	if aws.ToString(got.IssuedTokenType) != accessType || got.RefreshToken != nil || got.ExpiresIn != 3600 ||
		aws.ToString(got.TokenType) != "Bearer" ||
		!slices.Equal(got.Scope, []string{"openid", "aws", "sts:identity_context", "wiki:pages:read"}) {
		t.Errorf("the answer is %+v", got)
	}
	claims := claimsOf(t, got.IdToken)
	for name, want := range map[string]any{
		"iss": a.IssuerURL(), "sub": string(a.ada.ID), "aws:application_arn": *wiki,
		"aws:instance_arn": a.Instance.ARN, "aws:identity_store_id": a.Instance.IdentityStoreID,
		"aws:identity_store_arn": a.Instance.IdentityStoreARN(), "aws:instance_account": a.Instance.OwnerAccountID,
		"sts:identity_context": *got.AwsAdditionalDetails.IdentityContext, "aud": *wiki,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if act, _ := claims["act"].(map[string]any); act["sub"] != trusted {
		t.Errorf("act is %v", claims["act"])
	}
	if _, err := time.Parse(time.RFC3339, claims["auth_time"].(string)); err != nil {
		t.Error(err)
	}
	// with the grant, a refresh token comes along; renewing says nothing of the person again
	a.grant(wiki, refreshes)
	got = a.tokens(bearer(wiki, i.token(map[string]any{"aud": []string{"x", "wiki"}})))
	if aws.ToString(got.IssuedTokenType) != refreshType || got.RefreshToken == nil {
		t.Errorf("with a refresh token: %+v", got)
	}
	again := a.tokens(refresh(wiki, got.RefreshToken, "openid"))
	if again.IdToken != nil || again.AwsAdditionalDetails != nil || !slices.Equal(again.Scope, []string{"openid"}) {
		t.Errorf("renewed: %+v", again)
	}
	// what an issuer began ends when its tokens are not taken any more
	renewable := a.tokens(bearer(wiki, i.token(nil))).RefreshToken
	a.grant(wiki, takes(a.trusts(newIssuer(t), "next", "email", "emails.value"), "wiki"))
	a.refuses("an issuer of before", "InvalidGrantException", refresh(wiki, renewable))
	a.grant(wiki, takes(trusted, "wiki"))
	a.tokens(refresh(wiki, renewable))
	// EC keys, tokens that name no key, and other attributes
	a.tokens(bearer(wiki, signed(t, jose.ES256, jose.JSONWebKey{Key: i.ec, KeyID: "e"}, i.claims(nil))))
	a.tokens(bearer(wiki, signed(t, jose.RS256, i.rsa, i.claims(nil))))
	a.tokens(bearer(wiki, i.token(map[string]any{"jti": nil, "nbf": time.Now().Unix()})))
	for attribute, value := range map[string]any{"userName": "ada", "externalIds.id": a.ada.ExternalID} {
		other := newIssuer(t)
		a.grant(wiki, takes(a.trusts(other, attribute, "in.side", attribute), "wiki"))
		a.tokens(bearer(wiki, other.token(map[string]any{"in": map[string]any{"side": value}})))
	}
	if _, err := a.admin.CreateTrustedTokenIssuer(background, &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn: &a.Instance.ARN, Name: aws.String("x"), TrustedTokenIssuerType: "OIDC_JWT",
		TrustedTokenIssuerConfiguration: &types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration{
			Value: types.OidcJwtConfiguration{
				IssuerUrl: aws.String("https://idp.example.com"), ClaimAttributePath: aws.String("sub"),
				IdentityStoreAttributePath: aws.String("title"), JwksRetrievalOption: "OPEN_ID_DISCOVERY",
			},
		},
	}); err == nil {
		t.Error("an attribute that many have is taken")
	}
}

// TestATokenThatIsNotTrustedIsRefused: whatever is wrong with a token, the answer is the same, and
// the event says what it is.
func TestATokenThatIsNotTrustedIsRefused(t *testing.T) {
	t.Parallel()
	a, i := newApplications(t), newIssuer(t)
	wiki := a.application("wiki", takes(a.trusts(i, "idp", "email", "emails.value"), "wiki"))
	a.tokens(bearer(wiki, i.token(nil)))
	stranger := newIssuer(t)
	public, err := json.Marshal(jose.JSONWebKey{Key: i.rsa.Public(), KeyID: "r"})
	a.must(err)
	none := "eyJhbGciOiJub25lIn0." + part(t, i.claims(nil)) + "."
	for what, token := range map[string]*string{
		"no signature":         &none,
		"an HMAC of the key":   signed(t, jose.HS256, jose.JSONWebKey{Key: public, KeyID: "r"}, i.claims(nil)),
		"another's key":        signed(t, jose.RS256, jose.JSONWebKey{Key: stranger.rsa, KeyID: "r"}, i.claims(nil)),
		"an unknown key":       signed(t, jose.RS256, jose.JSONWebKey{Key: stranger.rsa, KeyID: "y"}, i.claims(nil)),
		"another algorithm":    signed(t, jose.PS256, jose.JSONWebKey{Key: i.rsa, KeyID: "r"}, i.claims(nil)),
		"an unknown issuer":    stranger.token(nil),
		"a slash too many":     i.token(map[string]any{"iss": i.URL + "/"}),
		"no issuer":            i.token(map[string]any{"iss": nil}),
		"another audience":     i.token(map[string]any{"aud": "mail"}),
		"no audience":          i.token(map[string]any{"aud": nil}),
		"an end in the past":   i.token(map[string]any{"exp": time.Now().Add(-2 * time.Minute).Unix()}),
		"no end":               i.token(map[string]any{"exp": nil}),
		"a beginning to come":  i.token(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"made tomorrow":        i.token(map[string]any{"iat": time.Now().Add(24 * time.Hour).Unix()}),
		"nobody we know":       i.token(map[string]any{"email": "eve@example.com"}),
		"no user":              i.token(map[string]any{"email": nil}),
		"an empty user":        i.token(map[string]any{"email": ""}),
		"two users":            i.token(map[string]any{"email": []string{"ada@example.com", "eve@example.com"}}),
		"no token":             aws.String("x"),
		"a very large one":     i.token(map[string]any{"x": strings.Repeat("x", 20<<10)}),
		"five parts":           aws.String("a.b.c.d.e"),
		"a key of its own":     withKey(t, stranger, i.claims(nil)),
		"JSON and not compact": aws.String(`{"payload":"e30","signatures":[]}`),
	} {
		a.refuses(what, "InvalidGrantException", bearer(wiki, token))
		if e := a.LastEvent(); e.Action != "CreateTokenWithIAM" || e.Code != "issued-token-refused" ||
			e.Actor.Kind != audit.Application {
			t.Errorf("%s: the event is %+v", what, e)
		}
	}
	if n := i.asked.Load(); n > 2 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// part is a part of a JWT.
func part(t *testing.T, claims map[string]any) string {
	t.Helper()
	text := *signed(t, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), claims)
	return text[indexes(text)[0]+1 : indexes(text)[1]]
}

func indexes(token string) (dots []int) {
	for i, c := range token {
		if c == '.' {
			dots = append(dots, i)
		}
	}
	return dots
}

// withKey is a token that brings the key along that it is signed with.
func withKey(t *testing.T, by *issuer, claims map[string]any) *string {
	t.Helper()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: by.rsa}, &jose.SignerOptions{EmbedJWK: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return &text
}
