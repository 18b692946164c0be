// Package signin signs in to a Microsoft Graph as a program on somebody's machine does: with a
// client's secret, or in the ways of the official library.
//
// Sources: "Azure Identity client module for Go". It may import graph.
package signin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/graph"
)

// The ways to sign in. All but the first are the official library's, and need https.
const (
	Client           = "client"
	AzureCLI         = "azure-cli"
	DeviceCode       = "device-code"
	Browser          = "browser"
	ManagedIdentity  = "managed-identity"
	WorkloadIdentity = "workload-identity"
)

// Settings say which Graph it is, and how to sign in to it.
type Settings struct {
	GraphURL     string // the root with its version
	LoginURL     string // the tenant's sign-in URL with its tenant id
	Method       string // one of the ways
	ClientID     string
	ClientSecret string
	Token        string // an access token instead of any sign-in
}

// Client returns a client of a Graph that signs in when it first has to. Messages for the person
// who is to sign in go to say.
func (s Settings) Client(ctx context.Context, using *http.Client, say func(string)) (*graph.Client, error) {
	if s.Token == "" && s.Method == Client {
		return graph.ClientOf(ctx, s.GraphURL, &named{source: graph.Tokens(
			ctx, graph.Scope(s.GraphURL), strings.TrimRight(s.LoginURL, "/")+"/oauth2/v2.0/token", s.ClientID,
			s.ClientSecret, using,
		)}, using), nil
	}
	if s.Token != "" {
		tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: s.Token})
		return graph.ClientOf(ctx, s.GraphURL, tokens, using), nil
	}
	credential, err := s.credential(using, say)
	if err != nil {
		return nil, fmt.Errorf("sign in by %s: %w", s.Method, err)
	}
	tokens := azureTokens{ctx, credential, graph.Scope(s.GraphURL), 0}
	if s.Method == AzureCLI {
		tokens.patience = cliTime
	}
	return graph.ClientOf(ctx, s.GraphURL, &named{source: tokens}, using), nil
}

func (s Settings) credential(using *http.Client, say func(string)) (azcore.TokenCredential, error) {
	options := azcore.ClientOptions{Transport: using}
	tenantID, ours := "", false
	if s.LoginURL != "" {
		u, err := url.Parse(s.LoginURL)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("the sign-in URL %q is not a URL", s.LoginURL)
		}
		tenantID = strings.Trim(u.Path, "/")
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: u.Scheme + "://" + u.Host}
		ours = !strings.HasPrefix(u.Host, "login.") // Microsoft's own authorities are asked whether they are one
	}
	switch s.Method {
	case AzureCLI:
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: tenantID})
	case DeviceCode:
		return azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions:            options,
			TenantID:                 tenantID,
			ClientID:                 s.ClientID,
			DisableInstanceDiscovery: ours,
			UserPrompt: func(_ context.Context, d azidentity.DeviceCodeMessage) error {
				say(d.Message)
				return nil
			},
		})
	case Browser:
		return azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{
			ClientOptions:            options,
			TenantID:                 tenantID,
			ClientID:                 s.ClientID,
			DisableInstanceDiscovery: ours,
		})
	case ManagedIdentity:
		return azidentity.NewManagedIdentityCredential(nil)
	}
	return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions:            options,
		TenantID:                 tenantID,
		ClientID:                 s.ClientID,
		DisableInstanceDiscovery: ours,
	})
}

// cliTime is how long the Azure CLI may take. The library waits ten seconds, which az needs alone
// where a machine is busy or scans each file of it.
const cliTime = time.Minute //bound:wait the Azure CLI

// azureTokens are the tokens of a credential of the official library.
type azureTokens struct {
	ctx        context.Context //nolint:containedctx // oauth2's interface has none
	credential azcore.TokenCredential
	scope      string
	patience   time.Duration // zero: as long as it takes
}

// Token implements oauth2.TokenSource.
func (a azureTokens) Token() (*oauth2.Token, error) {
	ctx := a.ctx
	if a.patience > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, a.patience)
		defer cancel()
	}
	t, err := a.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{a.scope}})
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.Token, Expiry: t.ExpiresOn}, nil
}
