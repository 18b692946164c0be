package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/outbound"
)

// microsoft is how to reach a Microsoft Graph and how to sign in to it: the settings that connect,
// sync and explain share.
type microsoft struct {
	graphURL, loginURL, signIn, clientID, clientSecret, token string

	graphFlag string // the name of the flag of graphURL
}

// The ways to sign in. All but the first are the official library's, and need https.
const (
	signInClient   = "client"
	signInCLI      = "azure-cli"
	signInDevice   = "device-code"
	signInBrowser  = "browser"
	signInManaged  = "managed-identity"
	signInWorkload = "workload-identity"
)

// flags adds the settings. name and url are the flag of the Graph root and its default.
func (m *microsoft) flags(cmd *cobra.Command, name, url, usage string) {
	f := cmd.Flags()
	m.graphFlag = name
	f.StringVar(&m.graphURL, name, url, usage)
	f.StringVar(
		&m.loginURL, "login-url", "",
		"the tenant's sign-in URL with its tenant ID, such as https://login.microsoftonline.com/TENANT_ID",
	)
	f.StringVar(
		&m.signIn, "sign-in", signInClient,
		"client (id and secret), azure-cli (the account of \"az login\"), device-code, browser, managed-identity "+
			"or workload-identity",
	)
	f.StringVar(
		&m.clientID, "client-id", "",
		"client ID to sign in with; for device-code and browser a public client (default there: Azure CLI's)",
	)
	f.StringVar(&m.clientSecret, "client-secret", "", "client secret; set it with GATEHOUSE_CLIENT_SECRET")
	f.StringVar(
		&m.token, "graph-token", "", "access token to use instead of signing in; set it with GATEHOUSE_GRAPH_TOKEN",
	)
}

// check finds every mistake. No token and no secret goes to an address that is not confidential.
func (m *microsoft) check() (mistakes []error) {
	for _, address := range []struct{ flag, value string }{{m.graphFlag, m.graphURL}, {"login-url", m.loginURL}} {
		if address.value == "" {
			continue
		}
		if err := outbound.Operator.Check(address.value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--%s: %w", address.flag, err))
		}
	}
	if m.token != "" {
		return mistakes
	}
	switch m.signIn {
	case signInClient:
		for _, need := range []struct{ value, text string }{
			{m.loginURL, "--login-url is missing: the tenant's sign-in URL with its tenant ID"},
			{m.clientID, "--client-id is missing"},
			{m.clientSecret, "the client secret is missing: set GATEHOUSE_CLIENT_SECRET"},
		} {
			if need.value == "" {
				mistakes = append(mistakes, errors.New(need.text))
			}
		}
	case signInDevice, signInBrowser:
		if m.loginURL == "" {
			mistakes = append(
				mistakes, errors.New("--login-url is missing: the tenant's sign-in URL with its tenant ID"),
			)
		}
	case signInCLI, signInManaged, signInWorkload:
	default:
		mistakes = append(
			mistakes,
			fmt.Errorf(
				"--sign-in %q: want client, azure-cli, device-code, browser, managed-identity or workload-identity",
				m.signIn,
			),
		)
	}
	return mistakes
}

// client returns a Graph client that signs in when it first has to. Messages for the person who is
// to sign in go to say.
func (m *microsoft) client(ctx context.Context, using *http.Client, say func(string)) (*graph.Client, error) {
	if m.token == "" && m.signIn == signInClient {
		return graph.NewClient(
			ctx, m.graphURL, strings.TrimRight(m.loginURL, "/")+"/oauth2/v2.0/token", m.clientID, m.clientSecret,
			using,
		), nil
	}
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: m.token})
	if m.token == "" {
		credential, err := m.credential(using, say)
		if err != nil {
			return nil, fmt.Errorf("--sign-in %s: %w", m.signIn, err)
		}
		source = oauth2.ReuseTokenSource(nil, azureTokens{ctx, credential})
	}
	return &graph.Client{
		BaseURL: strings.TrimRight(m.graphURL, "/"),
		HTTP:    oauth2.NewClient(context.WithValue(ctx, oauth2.HTTPClient, using), source),
	}, nil
}

func (m *microsoft) credential(using *http.Client, say func(string)) (azcore.TokenCredential, error) {
	options := azcore.ClientOptions{Transport: using}
	tenantID, ours := "", false
	if m.loginURL != "" {
		u, err := url.Parse(m.loginURL)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("--login-url %q is not a URL", m.loginURL)
		}
		tenantID = strings.Trim(u.Path, "/")
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: u.Scheme + "://" + u.Host}
		ours = !strings.HasPrefix(u.Host, "login.") // Microsoft's own authorities are asked whether they are one
	}
	switch m.signIn {
	case signInCLI:
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: tenantID})
	case signInDevice:
		return azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions:            options,
			TenantID:                 tenantID,
			ClientID:                 m.clientID,
			DisableInstanceDiscovery: ours,
			UserPrompt: func(_ context.Context, d azidentity.DeviceCodeMessage) error {
				say(d.Message)
				return nil
			},
		})
	case signInBrowser:
		return azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{
			ClientOptions:            options,
			TenantID:                 tenantID,
			ClientID:                 m.clientID,
			DisableInstanceDiscovery: ours,
		})
	case signInManaged:
		return azidentity.NewManagedIdentityCredential(nil)
	}
	return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions:            options,
		TenantID:                 tenantID,
		ClientID:                 m.clientID,
		DisableInstanceDiscovery: ours,
	})
}

// azureTokens are the tokens of a credential of the official library.
type azureTokens struct {
	ctx        context.Context //nolint:containedctx // oauth2's interface has none
	credential azcore.TokenCredential
}

// Token implements oauth2.TokenSource.
func (a azureTokens) Token() (*oauth2.Token, error) {
	t, err := a.credential.GetToken(
		a.ctx, policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}},
	)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.Token, Expiry: t.ExpiresOn}, nil
}
