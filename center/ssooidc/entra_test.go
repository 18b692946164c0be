package ssooidc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/document"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// azureCLI is a public client that every tenant of Entra ID knows.
const azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// TestTheTenantIsATrustedTokenIssuer: somebody signs in at the tenant, and an application exchanges
// the ID token at the center for one of the same person, found by each way that Entra's claims
// offer.
func TestTheTenantIsATrustedTokenIssuer(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ada := e.People[0]
	ctx := context.Background()
	settings := aws.Config{
		Region: e.Center.Region, BaseEndpoint: &e.Center.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(e.AWS.AccessKeyID, e.AWS.SecretAccessKey, ""),
	}
	admin := ssoadmin.NewFromConfig(settings)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	issuer := strings.TrimSuffix(e.Tenant.TokenURL, "/oauth2/v2.0/token") + "/v2.0"
	provider, err := oidc.NewProvider(ctx, issuer)
	must(err)
	token := idTokenOf(e, provider, ada.UserName)
	id, err := provider.Verifier(&oidc.Config{ClientID: azureCLI}).Verify(ctx, token)
	must(err)

	instances, err := admin.ListInstances(ctx, &ssoadmin.ListInstancesInput{})
	must(err)
	app, err := admin.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{
		InstanceArn:            instances.Instances[0].InstanceArn,
		ApplicationProviderArn: aws.String("arn:aws:sso::aws:applicationProvider/custom"),
		Name:                   aws.String("Wiki"),
	})
	must(err)
	_, err = admin.PutApplicationAuthenticationMethod(ctx, &ssoadmin.PutApplicationAuthenticationMethodInput{
		ApplicationArn: app.ApplicationArn, AuthenticationMethodType: types.AuthenticationMethodTypeIam,
		AuthenticationMethod: &types.AuthenticationMethodMemberIam{Value: types.IamAuthenticationMethod{
			ActorPolicy: document.NewLazyDocument(map[string]any{"Statement": map[string]any{
				"Effect": "Allow", "Principal": "*", "Action": "sso-oauth:CreateTokenWithIAM", "Resource": "*",
			}}),
		}},
	})
	must(err)
	_, err = admin.PutApplicationAssignmentConfiguration(ctx, &ssoadmin.PutApplicationAssignmentConfigurationInput{
		ApplicationArn: app.ApplicationArn, AssignmentRequired: aws.Bool(false),
	})
	must(err)
	trusted, err := admin.CreateTrustedTokenIssuer(ctx, &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn: instances.Instances[0].InstanceArn, Name: aws.String("entra"), TrustedTokenIssuerType: "OIDC_JWT",
		TrustedTokenIssuerConfiguration: &types.TrustedTokenIssuerConfigurationMemberOidcJwtConfiguration{
			Value: types.OidcJwtConfiguration{
				IssuerUrl: &issuer, ClaimAttributePath: aws.String("preferred_username"),
				IdentityStoreAttributePath: aws.String("userName"), JwksRetrievalOption: "OPEN_ID_DISCOVERY",
			},
		},
	})
	must(err)
	_, err = admin.PutApplicationGrant(ctx, &ssoadmin.PutApplicationGrantInput{
		ApplicationArn: app.ApplicationArn, GrantType: types.GrantTypeJwtBearer,
		Grant: takes(*trusted.TrustedTokenIssuerArn, azureCLI),
	})
	must(err)
	exchange := func() string {
		t.Helper()
		out, err := ssooidc.NewFromConfig(settings).CreateTokenWithIAM(ctx, bearer(app.ApplicationArn, &token))
		must(err)
		return claimsOf(t, out.IdToken)["sub"].(string)
	}
	byName := exchange()
	_, err = admin.UpdateTrustedTokenIssuer(ctx, &ssoadmin.UpdateTrustedTokenIssuerInput{
		TrustedTokenIssuerArn: trusted.TrustedTokenIssuerArn,
		TrustedTokenIssuerConfiguration: &types.TrustedTokenIssuerUpdateConfigurationMemberOidcJwtConfiguration{
			Value: types.OidcJwtUpdateConfiguration{
				ClaimAttributePath: aws.String("oid"), IdentityStoreAttributePath: aws.String("externalIds.id"),
			},
		},
	})
	must(err)
	known := e.Find("/Users", "userName", ada.UserName).String("id")
	if byID := exchange(); byID != byName || byName != known || id.Subject == known {
		t.Errorf("by name %s, by ID %s, provisioned as %s; at the tenant %s", byName, byID, known, id.Subject)
	}
}

// idTokenOf signs somebody in at the tenant.
func idTokenOf(e pairtest.Ends, provider *oidc.Provider, userName string) string {
	e.T.Helper()
	config := oauth2.Config{
		ClientID: azureCLI, RedirectURL: "http://localhost:4711/", Scopes: []string{"openid", "profile"},
		Endpoint: provider.Endpoint(),
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	secret := oauth2.GenerateVerifier()
	v := webtest.New(e.T, nil)
	path := strings.TrimPrefix(config.AuthCodeURL("s", oauth2.S256ChallengeOption(secret)), e.Tenant.URL)
	v.Do(http.MethodPost, e.Tenant.URL+"/login", url.Values{
		"loginfmt": {userName}, "passwd": {e.People[0].Password}, "return": {path},
	})
	at, err := url.Parse(
		v.Stays().Do(http.MethodPost, e.Tenant.URL+path, url.Values{"answer": {"allow"}}).Header.Get("Location"),
	)
	if err != nil {
		e.T.Fatal(err)
	}
	tokens, err := config.Exchange(context.Background(), at.Query().Get("code"), oauth2.VerifierOption(secret))
	if err != nil {
		e.T.Fatalf("%v, after %s", err, at)
	}
	text, _ := tokens.Extra("id_token").(string)
	return text
}
