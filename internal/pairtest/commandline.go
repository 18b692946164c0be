package pairtest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// What programs of the command line are made with.
const (
	Amara     = "amara.okafor@northwind.example"
	Callback  = "http://127.0.0.1/oauth/callback"
	WithPort  = "http://127.0.0.1:49152/oauth/callback" // Callback, as RFC 8252, 7.3, lets a program have it
	DeviceURN = "urn:ietf:params:oauth:grant-type:device_code"
)

// CommandLine is somebody who is signed in to the portal and starts programs on the command line.
type CommandLine struct {
	webtest.Visitor

	OIDC *ssooidc.Client
	SSO  *sso.Client
	ends Ends
}

// NewCommandLine signs Amara in.
func NewCommandLine(e Ends) CommandLine {
	e.T.Helper()
	return CommandLine{
		e.SignIn(Amara),
		ssooidc.New(ssooidc.Options{Region: e.AWS.Region, BaseEndpoint: &e.Center.URL, RetryMaxAttempts: 1}),
		sso.New(sso.Options{Region: e.AWS.Region, BaseEndpoint: &e.Center.URL, RetryMaxAttempts: 1}),
		e,
	}
}

// Register registers a program, as botocore does.
func (c CommandLine) Register(scopes ...string) *ssooidc.RegisterClientOutput {
	c.T.Helper()
	out, err := c.OIDC.RegisterClient(
		context.Background(),
		&ssooidc.RegisterClientInput{
			ClientName: aws.String("botocore-client-test"),
			ClientType: aws.String("public"),
			Scopes:     scopes,
			RedirectUris: []string{
				Callback,
			},
			IssuerUrl:  &c.ends.Center.PortalURL,
			GrantTypes: []string{"authorization_code", "refresh_token"},
		},
	)
	if err != nil {
		c.T.Fatal(err)
	}
	return out
}

// Decide answers on the page of a device or of a program.
func (c CommandLine) Decide(page string, form url.Values, decision string) string {
	c.T.Helper()
	for name, value := range webtest.Hidden(page) {
		form[name] = value
	}
	form.Set("decision", decision)
	target := c.ends.Center.URL + "/start/device"
	if form.Has("client_id") {
		target = c.ends.Center.URL + "/authorize"
	}
	answer := c.Stays().Do(http.MethodPost, target, form)
	if at := answer.Header.Get("Location"); at != "" {
		return at
	}
	return http.StatusText(answer.Status)
}

// Device signs a device in and returns what the token operation answers.
func (c CommandLine) Device(client *ssooidc.RegisterClientOutput, decision string) (*ssooidc.CreateTokenInput, string) {
	c.T.Helper()
	start, err := c.OIDC.StartDeviceAuthorization(
		context.Background(),
		&ssooidc.StartDeviceAuthorizationInput{
			ClientId:     client.ClientId,
			ClientSecret: client.ClientSecret,
			StartUrl:     &c.ends.Center.PortalURL,
		},
	)
	if err != nil {
		c.T.Fatal(err)
	}
	in := &ssooidc.CreateTokenInput{
		ClientId:     client.ClientId,
		ClientSecret: client.ClientSecret,
		GrantType:    aws.String(DeviceURN),
		DeviceCode:   start.DeviceCode,
	}
	if decision != "" {
		status, page := c.Send(http.MethodGet, *start.VerificationUriComplete, nil)
		if status != http.StatusOK || !strings.Contains(page, *start.UserCode) ||
			!strings.Contains(page, "botocore-client-test") {
			c.T.Fatalf("the device's page: %d %s", status, page)
		}
		if answer := c.Decide(page, url.Values{}, decision); answer != http.StatusText(http.StatusOK) {
			c.T.Fatalf("the decision was answered with %s", answer)
		}
	}
	return in, *start.UserCode
}

// TokenError checks which exception CreateToken fails with: the SDK knows it as a typed one.
func (c CommandLine) TokenError(what string, in *ssooidc.CreateTokenInput, want string) {
	c.T.Helper()
	_, err := c.OIDC.CreateToken(context.Background(), in)
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != want {
		c.T.Errorf("%s: %v, want %s", what, err, want)
	}
}

// Tokens returns what CreateToken gives.
func (c CommandLine) Tokens(in *ssooidc.CreateTokenInput) *ssooidc.CreateTokenOutput {
	c.T.Helper()
	out, err := c.OIDC.CreateToken(context.Background(), in)
	if err != nil {
		c.T.Fatal(err)
	}
	return out
}

// Accounts returns how many accounts a token opens, or the exception.
func (c CommandLine) Accounts(token *string) (int, string) {
	out, err := c.SSO.ListAccounts(context.Background(), &sso.ListAccountsInput{AccessToken: token})
	var e smithy.APIError
	if errors.As(err, &e) {
		return 0, e.ErrorCode()
	}
	if err != nil {
		return 0, err.Error()
	}
	return len(out.AccountList), ""
}

// AnyRole is a role that the person has.
func (c CommandLine) AnyRole(token *string) (account, role string) {
	c.T.Helper()
	accounts, err := c.SSO.ListAccounts(context.Background(), &sso.ListAccountsInput{AccessToken: token})
	if err != nil || len(accounts.AccountList) == 0 {
		c.T.Fatalf("accounts %+v, %v", accounts, err)
	}
	roles, err := c.SSO.ListAccountRoles(
		context.Background(),
		&sso.ListAccountRolesInput{AccessToken: token, AccountId: accounts.AccountList[0].AccountId},
	)
	if err != nil || len(roles.RoleList) == 0 {
		c.T.Fatalf("roles %+v, %v", roles, err)
	}
	return *roles.RoleList[0].AccountId, *roles.RoleList[0].RoleName
}
