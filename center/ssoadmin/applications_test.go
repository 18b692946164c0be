package ssoadmin_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/document"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

func TestApplicationsRoundTrip(t *testing.T) {
	a := newAPI(t)
	providers := ok[*ssoadmin.ListApplicationProvidersOutput](
		a,
	)(a.ListApplicationProviders(background, &ssoadmin.ListApplicationProvidersInput{})).ApplicationProviders
	if len(providers) != 2 {
		t.Fatalf("providers %+v", providers)
	}
	if p := ok[*ssoadmin.DescribeApplicationProviderOutput](a)(a.DescribeApplicationProvider(
		background,
		&ssoadmin.DescribeApplicationProviderInput{ApplicationProviderArn: providers[1].ApplicationProviderArn},
	)); p.FederationProtocol != types.FederationProtocolSaml {
		t.Errorf("the second provider %+v", p)
	}
	refused[*ssoadmin.DescribeApplicationProviderOutput](a, "ResourceNotFoundException")(
		a.DescribeApplicationProvider(
			background,
			&ssoadmin.DescribeApplicationProviderInput{
				ApplicationProviderArn: aws.String("arn:aws:sso::aws:applicationProvider/none"),
			},
		),
	)
	in := ssoadmin.CreateApplicationInput{
		InstanceArn:            a.instance,
		ApplicationProviderArn: providers[0].ApplicationProviderArn,
		Name:                   aws.String("Wiki"),
		ClientToken:            aws.String("once"),
		PortalOptions: &types.PortalOptions{
			Visibility: types.ApplicationVisibilityEnabled,
			SignInOptions: &types.SignInOptions{
				Origin:         types.SignInOriginApplication,
				ApplicationUrl: aws.String("https://wiki.example.com/"),
			},
		},
	}
	arn := ok[*ssoadmin.CreateApplicationOutput](a)(a.CreateApplication(background, &in)).ApplicationArn
	if again := ok[*ssoadmin.CreateApplicationOutput](a)(a.CreateApplication(
		background, &in,
	)).ApplicationArn; *again != *arn {
		t.Errorf("the same client token made %s besides %s", *again, *arn)
	}
	other := in
	other.Name = aws.String("Other")
	refused[*ssoadmin.CreateApplicationOutput](a, "ConflictException")(a.CreateApplication(background, &other))
	other.ClientToken, other.ApplicationProviderArn = nil, aws.String("arn:aws:sso::aws:applicationProvider/none")
	refused[*ssoadmin.CreateApplicationOutput](a, "ResourceNotFoundException")(a.CreateApplication(background, &other))
	ok[*ssoadmin.UpdateApplicationOutput](a)(
		a.UpdateApplication(
			background,
			&ssoadmin.UpdateApplicationInput{ApplicationArn: arn, Status: types.ApplicationStatusDisabled},
		),
	)
	if d := ok[*ssoadmin.DescribeApplicationOutput](a)(a.DescribeApplication(
		background, &ssoadmin.DescribeApplicationInput{ApplicationArn: arn},
	)); *d.Name != "Wiki" ||
		d.Status != types.ApplicationStatusDisabled ||
		*d.PortalOptions.SignInOptions.ApplicationUrl != "https://wiki.example.com/" {
		t.Errorf("the application %+v", d)
	}
	if l := ok[*ssoadmin.ListApplicationsOutput](a)(a.ListApplications(
		background,
		&ssoadmin.ListApplicationsInput{
			InstanceArn: a.instance,
			Filter:      &types.ListApplicationsFilter{ApplicationProvider: providers[1].ApplicationProviderArn},
		},
	)); len(l.Applications) != 0 {
		t.Errorf("applications of the other provider %+v", l.Applications)
	}

	group := a.group("Writers")
	assign := &ssoadmin.CreateApplicationAssignmentInput{
		ApplicationArn: arn,
		PrincipalId:    group,
		PrincipalType:  types.PrincipalTypeGroup,
	}
	find := &ssoadmin.DescribeApplicationAssignmentInput{
		ApplicationArn: arn,
		PrincipalId:    group,
		PrincipalType:  types.PrincipalTypeGroup,
	}
	refused[*ssoadmin.DescribeApplicationAssignmentOutput](
		a, "ResourceNotFoundException",
	)(a.DescribeApplicationAssignment(background, find))
	ok[*ssoadmin.CreateApplicationAssignmentOutput](a)(a.CreateApplicationAssignment(background, assign))
	ok[*ssoadmin.DescribeApplicationAssignmentOutput](a)(a.DescribeApplicationAssignment(background, find))
	if l := ok[*ssoadmin.ListApplicationAssignmentsForPrincipalOutput](a)(
		a.ListApplicationAssignmentsForPrincipal(background,
			&ssoadmin.ListApplicationAssignmentsForPrincipalInput{InstanceArn: a.instance,
				PrincipalId: group, PrincipalType: types.PrincipalTypeGroup})); len(l.ApplicationAssignments) != 1 {
		t.Errorf("assignments %+v", l.ApplicationAssignments)
	}
	ok[*ssoadmin.DeleteApplicationAssignmentOutput](a)(
		a.DeleteApplicationAssignment(
			background,
			&ssoadmin.DeleteApplicationAssignmentInput{
				ApplicationArn: arn,
				PrincipalId:    group,
				PrincipalType:  types.PrincipalTypeGroup,
			},
		),
	)
	if l := ok[*ssoadmin.ListApplicationAssignmentsOutput](a)(a.ListApplicationAssignments(
		background, &ssoadmin.ListApplicationAssignmentsInput{ApplicationArn: arn},
	)); len(l.ApplicationAssignments) != 0 {
		t.Errorf("assignments left %+v", l.ApplicationAssignments)
	}

	ok[*ssoadmin.PutApplicationAssignmentConfigurationOutput](a)(
		a.PutApplicationAssignmentConfiguration(
			background,
			&ssoadmin.PutApplicationAssignmentConfigurationInput{
				ApplicationArn:     arn,
				AssignmentRequired: aws.Bool(false),
			},
		),
	)
	if g := ok[*ssoadmin.GetApplicationAssignmentConfigurationOutput](a)(a.GetApplicationAssignmentConfiguration(
		background, &ssoadmin.GetApplicationAssignmentConfigurationInput{ApplicationArn: arn},
	)); *g.AssignmentRequired {
		t.Error("an assignment is still required")
	}
	ok[*ssoadmin.PutApplicationSessionConfigurationOutput](a)(
		a.PutApplicationSessionConfiguration(
			background,
			&ssoadmin.PutApplicationSessionConfigurationInput{ApplicationArn: arn,
				UserBackgroundSessionApplicationStatus: types.UserBackgroundSessionApplicationStatusEnabled},
		),
	)
	if g := ok[*ssoadmin.GetApplicationSessionConfigurationOutput](a)(a.GetApplicationSessionConfiguration(
		background, &ssoadmin.GetApplicationSessionConfigurationInput{ApplicationArn: arn},
	)); g.UserBackgroundSessionApplicationStatus != "ENABLED" {
		t.Errorf("background sessions %q", g.UserBackgroundSessionApplicationStatus)
	}
	applicationAccess(a, arn)
	ok[*ssoadmin.DeleteApplicationOutput](
		a,
	)(a.DeleteApplication(background, &ssoadmin.DeleteApplicationInput{ApplicationArn: arn}))
	refused[*ssoadmin.DescribeApplicationOutput](
		a, "ResourceNotFoundException",
	)(a.DescribeApplication(background, &ssoadmin.DescribeApplicationInput{ApplicationArn: arn}))
}

// applicationAccess goes through scopes, authentication methods, grants and the trusted token
// issuers that grants name.
func applicationAccess(a *api, arn *string) {
	t := a.t
	t.Helper()
	scope := aws.String("sso:account:access")
	ok[*ssoadmin.PutApplicationAccessScopeOutput](a)(
		a.PutApplicationAccessScope(
			background,
			&ssoadmin.PutApplicationAccessScopeInput{
				ApplicationArn:    arn,
				Scope:             scope,
				AuthorizedTargets: []string{*arn},
			},
		),
	)
	if g := ok[*ssoadmin.GetApplicationAccessScopeOutput](a)(a.GetApplicationAccessScope(
		background, &ssoadmin.GetApplicationAccessScopeInput{ApplicationArn: arn, Scope: scope},
	)); len(g.AuthorizedTargets) != 1 {
		t.Errorf("scope %+v", g)
	}
	if l := ok[*ssoadmin.ListApplicationAccessScopesOutput](a)(a.ListApplicationAccessScopes(
		background, &ssoadmin.ListApplicationAccessScopesInput{ApplicationArn: arn},
	)); len(l.Scopes) != 1 {
		t.Errorf("scopes %+v", l.Scopes)
	}
	ok[*ssoadmin.DeleteApplicationAccessScopeOutput](a)(
		a.DeleteApplicationAccessScope(
			background, &ssoadmin.DeleteApplicationAccessScopeInput{ApplicationArn: arn, Scope: scope},
		),
	)
	refused[*ssoadmin.GetApplicationAccessScopeOutput](a, "ResourceNotFoundException")(
		a.GetApplicationAccessScope(
			background, &ssoadmin.GetApplicationAccessScopeInput{ApplicationArn: arn, Scope: scope},
		),
	)

	method := &types.AuthenticationMethodMemberIam{
		Value: types.IamAuthenticationMethod{
			ActorPolicy: document.NewLazyDocument(map[string]any{"Version": "2012-10-17", "Statement": []any{}}),
		},
	}
	ok[*ssoadmin.PutApplicationAuthenticationMethodOutput](a)(a.PutApplicationAuthenticationMethod(
		background,
		&ssoadmin.PutApplicationAuthenticationMethodInput{
			ApplicationArn:           arn,
			AuthenticationMethodType: types.AuthenticationMethodTypeIam,
			AuthenticationMethod:     method,
		},
	))
	got := ok[*ssoadmin.GetApplicationAuthenticationMethodOutput](a)(a.GetApplicationAuthenticationMethod(
		background,
		&ssoadmin.GetApplicationAuthenticationMethodInput{
			ApplicationArn:           arn,
			AuthenticationMethodType: types.AuthenticationMethodTypeIam,
		},
	))
	var policy struct{ Version string }
	if m, fine := got.AuthenticationMethod.(*types.AuthenticationMethodMemberIam); !fine ||
		m.Value.ActorPolicy.UnmarshalSmithyDocument(&policy) != nil || policy.Version != "2012-10-17" {
		t.Errorf("method %+v", got.AuthenticationMethod)
	}
	if l := ok[*ssoadmin.ListApplicationAuthenticationMethodsOutput](a)(a.ListApplicationAuthenticationMethods(
		background, &ssoadmin.ListApplicationAuthenticationMethodsInput{ApplicationArn: arn},
	)); len(l.AuthenticationMethods) != 1 {
		t.Errorf("methods %+v", l.AuthenticationMethods)
	}
	remove := &ssoadmin.DeleteApplicationAuthenticationMethodInput{
		ApplicationArn:           arn,
		AuthenticationMethodType: types.AuthenticationMethodTypeIam,
	}
	ok[*ssoadmin.DeleteApplicationAuthenticationMethodOutput](
		a,
	)(a.DeleteApplicationAuthenticationMethod(background, remove))
	refused[*ssoadmin.DeleteApplicationAuthenticationMethodOutput](
		a, "ResourceNotFoundException",
	)(a.DeleteApplicationAuthenticationMethod(background, remove))

	config := &types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration{
		Value: types.OidcJwtConfiguration{
			IssuerUrl:                  aws.String("https://issuer.example.com"),
			ClaimAttributePath:         aws.String("email"),
			IdentityStoreAttributePath: aws.String("emails.value"),
			JwksRetrievalOption:        types.JwksRetrievalOptionOpenIdDiscovery,
		},
	}
	create := ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn:                     a.instance,
		Name:                            aws.String("corp"),
		TrustedTokenIssuerType:          types.TrustedTokenIssuerTypeOidcJwt,
		TrustedTokenIssuerConfiguration: config,
	}
	issuer := ok[*ssoadmin.CreateTrustedTokenIssuerOutput](
		a,
	)(a.CreateTrustedTokenIssuer(background, &create)).TrustedTokenIssuerArn
	create.ClientToken = aws.String("another") // the SDK has filled one in, which makes a repetition the same request
	refused[*ssoadmin.CreateTrustedTokenIssuerOutput](
		a, "ConflictException",
	)(a.CreateTrustedTokenIssuer(background, &create))
	ok[*ssoadmin.UpdateTrustedTokenIssuerOutput](a)(
		a.UpdateTrustedTokenIssuer(
			background,
			&ssoadmin.UpdateTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer, Name: aws.String("renamed")},
		),
	)
	d := ok[*ssoadmin.DescribeTrustedTokenIssuerOutput](a)(
		a.DescribeTrustedTokenIssuer(
			background, &ssoadmin.DescribeTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer},
		),
	)
	type oidc = types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration
	if m, fine := d.TrustedTokenIssuerConfiguration.(*oidc); !fine ||
		*m.Value.IssuerUrl != "https://issuer.example.com" || *d.Name != "renamed" {
		t.Errorf("issuer %+v", d)
	}
	if l := ok[*ssoadmin.ListTrustedTokenIssuersOutput](a)(a.ListTrustedTokenIssuers(
		background, &ssoadmin.ListTrustedTokenIssuersInput{InstanceArn: a.instance},
	)); len(l.TrustedTokenIssuers) != 1 {
		t.Errorf("issuers %+v", l.TrustedTokenIssuers)
	}

	put := func(kind types.GrantType, g types.Grant) (*ssoadmin.PutApplicationGrantOutput, error) {
		return a.PutApplicationGrant(
			background, &ssoadmin.PutApplicationGrantInput{ApplicationArn: arn, GrantType: kind, Grant: g},
		)
	}
	code := &types.GrantMemberAuthorizationCode{
		Value: types.AuthorizationCodeGrant{RedirectUris: []string{"https://wiki.example.com/callback"}},
	}
	jwt := &types.GrantMemberJwtBearer{
		Value: types.JwtBearerGrant{
			AuthorizedTokenIssuers: []types.AuthorizedTokenIssuer{
				{TrustedTokenIssuerArn: issuer, AuthorizedAudiences: []string{"wiki"}},
			},
		},
	}
	refused[*ssoadmin.PutApplicationGrantOutput](a, "ValidationException")(put(types.GrantTypeRefreshToken, code))
	for _, bad := range []string{
		"relative", "javascript:alert(1)", "https://wiki.example.com#x", "https://wiki.example.com@evil.example",
		"https://wiki.example.com\\@evil.example",
	} {
		refused[*ssoadmin.PutApplicationGrantOutput](a, "ValidationException")(put(types.GrantTypeAuthorizationCode,
			&types.GrantMemberAuthorizationCode{Value: types.AuthorizationCodeGrant{RedirectUris: []string{bad}}}))
		refused[*ssoadmin.UpdateApplicationOutput](a, "ValidationException")(
			a.UpdateApplication(background, &ssoadmin.UpdateApplicationInput{ApplicationArn: arn,
				PortalOptions: &types.UpdateApplicationPortalOptions{
					SignInOptions: &types.SignInOptions{Origin: types.SignInOriginApplication,
						ApplicationUrl: aws.String(strings.Replace(bad, "#x", ":99999/", 1))},
				}}),
		)
	}
	ok[*ssoadmin.PutApplicationGrantOutput](a)(put(types.GrantTypeAuthorizationCode, code))
	ok[*ssoadmin.PutApplicationGrantOutput](a)(put(types.GrantTypeJwtBearer, jwt))
	ok[*ssoadmin.PutApplicationGrantOutput](a)(put(types.GrantTypeRefreshToken, &types.GrantMemberRefreshToken{}))
	ok[*ssoadmin.PutApplicationGrantOutput](a)(put(types.GrantTypeTokenExchange, &types.GrantMemberTokenExchange{}))
	if l := ok[*ssoadmin.ListApplicationGrantsOutput](a)(a.ListApplicationGrants(
		background, &ssoadmin.ListApplicationGrantsInput{ApplicationArn: arn},
	)); len(l.Grants) != 4 {
		t.Errorf("grants %+v", l.Grants)
	}
	refused[*ssoadmin.DeleteTrustedTokenIssuerOutput](
		a, "ConflictException",
	)(a.DeleteTrustedTokenIssuer(background, &ssoadmin.DeleteTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer}))
	g := ok[*ssoadmin.GetApplicationGrantOutput](a)(
		a.GetApplicationGrant(
			background, &ssoadmin.GetApplicationGrantInput{ApplicationArn: arn, GrantType: types.GrantTypeJwtBearer},
		),
	)
	if m, fine := g.Grant.(*types.GrantMemberJwtBearer); !fine ||
		*m.Value.AuthorizedTokenIssuers[0].TrustedTokenIssuerArn != *issuer {
		t.Errorf("grant %+v", g.Grant)
	}
	ok[*ssoadmin.DeleteApplicationGrantOutput](a)(
		a.DeleteApplicationGrant(
			background,
			&ssoadmin.DeleteApplicationGrantInput{ApplicationArn: arn, GrantType: types.GrantTypeJwtBearer},
		),
	)
	refused[*ssoadmin.GetApplicationGrantOutput](a, "ResourceNotFoundException")(
		a.GetApplicationGrant(
			background, &ssoadmin.GetApplicationGrantInput{ApplicationArn: arn, GrantType: types.GrantTypeJwtBearer},
		),
	)
	ok[*ssoadmin.DeleteTrustedTokenIssuerOutput](
		a,
	)(a.DeleteTrustedTokenIssuer(background, &ssoadmin.DeleteTrustedTokenIssuerInput{TrustedTokenIssuerArn: issuer}))
}
