package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/iam"
	"github.com/gatehouse-id/gatehouse/center/organizations"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// The ways to open roles.
const (
	fromSandbox    = "sandbox"
	fromSAML       = "saml"
	fromAssumeRole = "assume-role"
)

// credentialSettings say where the credentials of roles come from. The zero value is the sandbox.
type credentialSettings struct {
	from, signInURL, rolePath, provisioningRole, hub string
	organizations                                    bool
	organizationsEach                                time.Duration
}

func (s *credentialSettings) flags(f *pflag.FlagSet) {
	f.StringVar(
		&s.from, "credentials", fromSandbox,
		"source of role credentials: sandbox (issued by the center, not valid at AWS), saml (accounts trust the\n"+
			"center as a SAML provider), or assume-role (uses this machine's AWS credentials)",
	)
	f.StringVar(
		&s.signInURL, "aws-sign-in", broker.SignInEndpoint,
		"AWS console sign-in URL, for --credentials saml and assume-role",
	)
	f.StringVar(
		&s.provisioningRole, "provisioning-role", "",
		"name of the role in every account that the center assumes to create roles in IAM, such as\n"+
			"OrganizationAccountAccessRole; this machine's AWS credentials must be allowed to assume it "+
			"(default: create no roles)",
	)
	f.StringVar(
		&s.hub, "hub-role", "",
		"ARN of the hub role that role trust policies name, for --credentials assume-role (default: the identity "+
			"of this machine's AWS credentials)",
	)
	f.BoolVar(
		&s.organizations, "organizations", false,
		"import accounts, organizational units and tags from AWS Organizations and keep them up to date; needs AWS "+
			"credentials\nof the management account or a delegated administrator account",
	)
	f.DurationVar(&s.organizationsEach, "organizations-every", time.Hour, "how often to read AWS Organizations")
	f.StringVar(&s.rolePath, "role-path", "/", "path of the roles in IAM; must start and end with a slash")
}

// check refuses settings that make no sense, before anything is opened.
func (s *credentialSettings) check() error {
	u, err := url.Parse(s.signInURL)
	switch {
	case s.from != fromSandbox && s.from != fromSAML && s.from != fromAssumeRole:
		return terminal.UsageError{Err: fmt.Errorf("--credentials %q: use sandbox, saml or assume-role", s.from)}
	case !strings.HasPrefix(s.rolePath, "/") || !strings.HasSuffix(s.rolePath, "/"):
		return terminal.UsageError{
			Err: fmt.Errorf("--role-path %q: use a path that starts and ends with a slash", s.rolePath),
		}
	case s.organizations && s.organizationsEach < time.Minute:
		return terminal.UsageError{Err: errors.New("--organizations-every: use at least one minute")}
	case s.provisioningRole != "" && s.from == fromSandbox:
		return terminal.UsageError{
			Err: errors.New("--provisioning-role: the sandbox opens no roles; use --credentials saml or assume-role"),
		}
	case err != nil || u.Scheme != "https" || u.Host == "":
		return terminal.UsageError{Err: errors.New("--aws-sign-in: use an https URL")}
	}
	return nil
}

// open makes the broker. STS is reached as the SDK's settings say: AWS_ENDPOINT_URL_STS,
// AWS_PROFILE and the others.
func (s *credentialSettings) open(ctx context.Context, c *center.Center) (center.Broker, error) {
	if s.from == "" || s.from == fromSandbox {
		return server.NewSandbox(c), nil
	}
	settings, err := awsSettings(ctx, c)
	if err != nil {
		return nil, err
	}
	federation := broker.Federation{Center: c, URL: s.signInURL, RolePath: s.rolePath}
	if s.from == fromSAML {
		settings.Credentials = aws.AnonymousCredentials{} // the response is what proves
		return &broker.SAML{Federation: federation, STS: sts.NewFromConfig(settings)}, nil
	}
	return &broker.AssumeRole{Federation: federation, STS: sts.NewFromConfig(settings)}, nil
}

// awsSettings are those of the AWS SDK on this machine, which follows no redirects.
func awsSettings(ctx context.Context, c *center.Center) (aws.Config, error) {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.Instance.Region))
	if err != nil {
		return settings, fmt.Errorf("read the settings of the AWS SDK: %w", err)
	}
	// it follows 307 and 308, with an assertion in the body
	if sdk, ok := settings.HTTPClient.(*awshttp.BuildableClient); ok {
		client, _ := sdk.Freeze().(*http.Client)
		client.CheckRedirect = outbound.Stay
		settings.HTTPClient = client
	}
	return settings, nil
}

// keepRoles has the center keep its roles in IAM, where the settings say so. IAM is reached as the
// SDK's settings say.
func (s *credentialSettings) keepRoles(ctx context.Context, c *center.Center) error {
	if s.provisioningRole == "" {
		return nil
	}
	settings, err := awsSettings(ctx, c)
	if err != nil {
		return err
	}
	own, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("--provisioning-role needs AWS credentials on this machine: %w", err)
	}
	trust := iam.Trust{Path: s.rolePath}
	if s.from == fromAssumeRole {
		trust.Hub = s.hub
		if trust.Hub == "" {
			trust.Hub = roleOfSession(aws.ToString(own.Arn))
		}
	}
	clients := &iam.Clients{
		Config: settings,
		Own:    aws.ToString(own.Account),
		Role:   strings.TrimPrefix(s.provisioningRole, "/"),
	}
	c.Roles = &iam.Keeper{Center: c, Trust: trust, Client: clients.In}
	return nil
}

// readOrganization has the center keep in step with its organization, where the settings say so.
// What keeps it from being read is shown with the import.
func (s *credentialSettings) readOrganization(ctx context.Context, c *center.Center) error {
	if !s.organizations {
		return nil
	}
	settings, err := awsSettings(ctx, c)
	if err == nil {
		c.Organization, c.OrganizationEach = organizations.New(settings), s.organizationsEach
	}
	return err
}

// assumedRole is the ARN of a session, which names the role without its path.
var assumedRole = regexp.MustCompile(`^arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/`)

// roleOfSession is the role behind a session's ARN; any other ARN is itself. A role with a path
// must be named by --hub-role.
func roleOfSession(arn string) string {
	if m := assumedRole.FindStringSubmatch(arn); m != nil {
		return "arn:" + m[1] + ":iam::" + m[2] + ":role/" + m[3]
	}
	return arn
}
