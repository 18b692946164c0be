package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// credentialSettings are the flags that say what a center does at AWS.
type credentialSettings struct{ server.AWS }

func (s *credentialSettings) flags(f *pflag.FlagSet) {
	f.StringVar(
		&s.From, "credentials", server.FromSandbox,
		"source of role credentials: sandbox (issued by the center, not valid at AWS), saml (accounts trust the\n"+
			"center as a SAML provider), or assume-role (uses this machine's AWS credentials)",
	)
	f.StringVar(
		&s.SignInURL, "aws-sign-in", broker.SignInEndpoint,
		"AWS console sign-in URL, for --credentials saml and assume-role",
	)
	f.StringVar(
		&s.ProvisioningRole, "provisioning-role", "",
		"name of the role in every account that the center assumes to create roles in IAM, such as\n"+
			"OrganizationAccountAccessRole; this machine's AWS credentials must be allowed to assume it "+
			"(default: create no roles)",
	)
	f.StringVar(
		&s.Hub, "hub-role", "",
		"ARN of the hub role that role trust policies name, for --credentials assume-role (default: the identity "+
			"of this machine's AWS credentials)",
	)
	f.BoolVar(
		&s.Organizations, "organizations", false,
		"import accounts, organizational units and tags from AWS Organizations and keep them up to date; needs AWS "+
			"credentials\nof the management account or a delegated administrator account",
	)
	f.DurationVar(&s.OrganizationsEach, "organizations-every", time.Hour, "how often to read AWS Organizations")
	f.StringVar(&s.RolePath, "role-path", "/", "path of the roles in IAM; must start and end with a slash")
}

// check refuses settings that make no sense, before anything is opened.
func (s *credentialSettings) check() error {
	u, err := url.Parse(s.SignInURL)
	switch {
	case s.From != server.FromSandbox && s.From != server.FromSAML && s.From != server.FromAssumeRole:
		return terminal.UsageError{Err: fmt.Errorf("--credentials %q: use sandbox, saml or assume-role", s.From)}
	case !strings.HasPrefix(s.RolePath, "/") || !strings.HasSuffix(s.RolePath, "/"):
		return terminal.UsageError{
			Err: fmt.Errorf("--role-path %q: use a path that starts and ends with a slash", s.RolePath),
		}
	case s.Organizations && s.OrganizationsEach < time.Minute:
		return terminal.UsageError{Err: errors.New("--organizations-every: use at least one minute")}
	case s.ProvisioningRole != "" && s.From == server.FromSandbox:
		return terminal.UsageError{
			Err: errors.New("--provisioning-role: the sandbox opens no roles; use --credentials saml or assume-role"),
		}
	case err != nil || u.Scheme != "https" || u.Host == "":
		return terminal.UsageError{Err: errors.New("--aws-sign-in: use an https URL")}
	}
	return nil
}
