package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/examine"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/federate"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/graph/signin"
	"github.com/gatehouse-id/gatehouse/outbound"
)

// microsoft is how to reach a Microsoft Graph and how to sign in to it: the settings that connect,
// sync and explain share.
type microsoft struct {
	signin.Settings

	graphFlag string // the name of the flag of graphURL
}

// flags adds the settings. name and url are the flag of the Graph root and its default.
func (m *microsoft) flags(cmd *cobra.Command, name, url, usage string) {
	f := cmd.Flags()
	m.graphFlag = name
	f.StringVar(&m.GraphURL, name, url, usage)
	f.StringVar(
		&m.LoginURL, "login-url", "",
		"the tenant's sign-in URL with its tenant ID, such as https://login.microsoftonline.com/TENANT_ID",
	)
	f.StringVar(
		&m.Method, "sign-in", signin.Client,
		"client (id and secret), azure-cli (the account of \"az login\"), device-code, browser, managed-identity "+
			"or workload-identity",
	)
	f.StringVar(
		&m.ClientID, "client-id", "",
		"client ID to sign in with; for device-code and browser a public client (default there: Azure CLI's)",
	)
	f.StringVar(&m.ClientSecret, "client-secret", "", "client secret; set it with GATEHOUSE_CLIENT_SECRET")
	f.StringVar(
		&m.Token, "graph-token", "", "access token to use instead of signing in; set it with GATEHOUSE_GRAPH_TOKEN",
	)
}

// tenant is the settings for a command that has its own package.
func (m *microsoft) tenant() examine.Tenant {
	return examine.Tenant{Settings: &m.Settings, Check: m.check, Flags: func(cmd *cobra.Command) {
		m.flags(cmd, "graph-url", connect.MicrosoftGraph, "URL of Microsoft Graph, with its version")
	}}
}

// federated is the settings for connect and the commands under it.
func federated() federate.Tenant {
	m := &microsoft{}
	return federate.Tenant{Settings: &m.Settings, Check: m.check, Client: m.client, Flags: func(cmd *cobra.Command) {
		m.flags(
			cmd, "graph-url", "", "URL of Microsoft Graph, with its version (default: http://127.0.0.1:8081/v1.0, "+
				"with --center aws Microsoft's own)",
		)
	}}
}

// check finds every mistake. No token and no secret goes to an address that is not confidential.
func (m *microsoft) check() (mistakes []error) {
	for _, address := range []struct{ flag, value string }{{m.graphFlag, m.GraphURL}, {"login-url", m.LoginURL}} {
		if address.value == "" {
			continue
		}
		if err := outbound.Operator.Check(address.value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--%s: %w", address.flag, err))
		}
	}
	if m.Token != "" {
		return mistakes
	}
	switch m.Method {
	case signin.Client:
		for _, need := range []struct{ value, text string }{
			{m.LoginURL, "--login-url is missing: the tenant's sign-in URL with its tenant ID"},
			{m.ClientID, "--client-id is missing"},
			{m.ClientSecret, "the client secret is missing: set GATEHOUSE_CLIENT_SECRET"},
		} {
			if need.value == "" {
				mistakes = append(mistakes, errors.New(need.text))
			}
		}
	case signin.DeviceCode, signin.Browser:
		if m.LoginURL == "" {
			mistakes = append(
				mistakes, errors.New("--login-url is missing: the tenant's sign-in URL with its tenant ID"),
			)
		}
	case signin.AzureCLI, signin.ManagedIdentity, signin.WorkloadIdentity:
	default:
		mistakes = append(
			mistakes,
			fmt.Errorf(
				"--sign-in %q: use client, azure-cli, device-code, browser, managed-identity or workload-identity",
				m.Method,
			),
		)
	}
	return mistakes
}

// client returns a client of the Graph that signs in when it first has to. Messages for the person
// who is to sign in go to say.
func (m *microsoft) client(ctx context.Context, using *http.Client, say func(string)) (*graph.Client, error) {
	c, err := m.Client(ctx, using, say)
	if err != nil {
		return nil, fmt.Errorf("--sign-in: %w", err)
	}
	return c, nil
}
