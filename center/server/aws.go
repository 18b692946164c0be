package server

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/iam"
	"github.com/gatehouse-id/gatehouse/center/organizations"
	"github.com/gatehouse-id/gatehouse/outbound"
)

// The ways to open roles.
const (
	FromSandbox    = "sandbox"
	FromSAML       = "saml"
	FromAssumeRole = "assume-role"
)

// AWS says what a center does at AWS: where the credentials of roles come from, who makes the
// roles, and where the accounts come from. The zero value is the sandbox.
type AWS struct {
	From              string
	SignInURL         string // of AWS's console
	RolePath          string // of the roles in IAM
	ProvisioningRole  string // that is assumed in each account to make its roles; "": nobody makes them
	Hub               string // ARN of the role that opens roles; "": the one of this machine
	Organizations     bool
	OrganizationsEach time.Duration
}

// Settings are those that all nodes of a center have to be given alike, by their flags.
func (a AWS) Settings() map[string]string {
	return map[string]string{
		"credentials": a.From, "provisioning-role": a.ProvisioningRole, "hub-role": a.Hub, "role-path": a.RolePath,
	}
}

// Connect has the center keep its roles in IAM and its accounts in step with its organization,
// where the settings say so.
func (a AWS) Connect(ctx context.Context, c *center.Center) error {
	if a.ProvisioningRole != "" {
		if err := a.keepRoles(ctx, c); err != nil {
			return err
		}
	}
	if !a.Organizations {
		return nil
	}
	settings, err := awsSettings(ctx, c)
	if err == nil { // what keeps the organization from being read is shown with the import
		c.Organization, c.OrganizationEach = organizations.New(settings), a.OrganizationsEach
	}
	return err
}

// Broker makes the broker. STS is reached as the SDK's settings say: AWS_ENDPOINT_URL_STS,
// AWS_PROFILE and the others.
func (a AWS) Broker(ctx context.Context, c *center.Center) (center.Broker, error) {
	if a.From == "" || a.From == FromSandbox {
		return NewSandbox(c), nil
	}
	settings, err := awsSettings(ctx, c)
	if err != nil {
		return nil, err
	}
	federation := broker.Federation{Center: c, URL: a.SignInURL, RolePath: a.RolePath}
	if a.From == FromSAML {
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

// keepRoles has the center keep its roles in IAM. IAM is reached as the SDK's settings say.
func (a AWS) keepRoles(ctx context.Context, c *center.Center) error {
	settings, err := awsSettings(ctx, c)
	if err != nil {
		return err
	}
	own, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("--provisioning-role needs AWS credentials on this machine: %w", err)
	}
	trust := iam.Trust{Path: a.RolePath}
	if a.From == FromAssumeRole {
		trust.Hub = a.Hub
		if trust.Hub == "" {
			trust.Hub = roleOfSession(aws.ToString(own.Arn))
		}
	}
	clients := &iam.Clients{
		Config: settings,
		Own:    aws.ToString(own.Account),
		Role:   strings.TrimPrefix(a.ProvisioningRole, "/"),
	}
	c.Roles = &iam.Keeper{Center: c, Trust: trust, Client: clients.In}
	return nil
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
