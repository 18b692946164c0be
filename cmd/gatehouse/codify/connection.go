package codify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/upkeep"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/terminal"
	"github.com/gatehouse-id/gatehouse/terraform"
)

// usual is the folder when none is named.
const usual = "gatehouse-terraform"

// connected is the command of a connection.
type connected struct {
	output

	connection upkeep.Connection
}

// Connection is the command under connect that writes both sides of a connection.
func Connection(w upkeep.World) *cobra.Command {
	c := &connected{
		output:     output{World: administer.World{In: w.In, Out: w.Out, Err: w.Err}, differs: w.Differs},
		connection: w.Connect(),
	}
	cmd := &cobra.Command{
		Use:   "export --terraform [DIR]",
		Short: "Write both sides of a connection as Terraform, with import blocks",
		Long: `Writes the enterprise application of the tenant (SAML settings, certificates, claims, provisioning
job, who is assigned) and the organization at AWS's side as Terraform. The plan of it imports what is
there, and changes nothing. What only a console has is in comments, and in check blocks where a
provider can see it: the identity store, the ends of certificates and of access tokens. It only
reads, and writes no secret. docs/terraform.md says more.`,
		Example: `  gatehouse connect export --terraform ./pair --center aws@eu-west-1 --sign-in azure-cli
  gatehouse connect export --terraform ./pair --center-url https://sso.example.com --graph-url … --login-url …
  gatehouse connect export --terraform ./pair … --dry-run  # exit code 2 if anything is other than written`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && c.dir == usual { // --terraform DIR, in two words
				c.dir = args[0]
				return nil
			}
			return terminal.NoArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.dir == "" {
				return terminal.UsageError{Err: errors.New("say what to write: --terraform, with a folder")}
			}
			return c.run(cmd.Context())
		},
	}
	c.flags(cmd)
	cmd.Flags().Lookup("terraform").NoOptDefVal = usual
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print one JSON object")
	c.connection.Flags(cmd)
	return cmd
}

func (c *connected) run(ctx context.Context) error {
	if err := terraform.Check(c.dir, c.options()); err != nil { // reading may take half an hour
		return err
	}
	cfg, err := c.connection.Config(ctx)
	if err != nil {
		return err
	}
	source := terraform.Source{People: c.people, Progress: terminal.Bar(c.Err, "Reading AWS's side")}
	endpoint := ""
	switch center := cfg.Center.(type) {
	case *adminapi.Client:
		source.SDK, source.Unlimited = aws.SDKOf(center), true
		endpoint = center.URL
	case *aws.Center:
		source.SDK = center.SDK()
		source.Instance = center.Instance.ARN[strings.LastIndex(center.Instance.ARN, "/")+1:]
	default:
		return fmt.Errorf("this center is not read by AWS's APIs: %T", center)
	}
	options := c.options()
	sp, err := cfg.Center.ServiceProvider(ctx)
	if err != nil {
		return fmt.Errorf("read the center: %w", err)
	}
	options.Entra, err = terraform.ReadEntra(ctx, terraform.EntraSource{
		Graph: cfg.Graph, EntityID: sp.EntityID, Name: cfg.AppName, LoginURL: cfg.LoginURL,
	})
	if err != nil {
		return err
	}
	organization, err := terraform.Read(ctx, source)
	if err != nil {
		return aws.Explained("read the organization", err)
	}
	organization.Endpoint = endpoint
	organization.Unread = append(organization.Unread, options.Entra.Unread...)
	options.Facts, options.Ends = facts(ctx, cfg.Center, sp)
	return c.write(organization, options)
}

// facts are what AWS has only in its console, as far as this side tells it.
func facts(
	ctx context.Context, center connect.CenterReader, sp adminapi.ServiceProvider,
) (lines []string, ends []terraform.End) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	say("service provider: issuer %s; assertion consumer service %s", sp.EntityID,
		cmp.Or(strings.Join(sp.AcsURLs, ", "), "not known"))
	if directory, err := center.DescribeDirectory(ctx); err == nil {
		say("identity source: %s", cmp.Or(directory.IdentitySource, "AWS does not say"))
	}
	if configurations, err := center.Configurations(ctx); err == nil {
		for _, c := range configurations {
			if c.Status == adminapi.StatusEnabled {
				say("identity provider: %s, sign-in at %s, certificates with the SHA-256 %s", c.EntityID, c.SignInURL,
					strings.Join(c.Thumbprints, ", "))
			}
		}
	}
	tenants, err := center.Tenants(ctx)
	if err != nil {
		return lines, nil
	}
	for _, t := range tenants {
		say("automatic provisioning: SCIM endpoint %s", t.ScimEndpoint)
		tokens, err := center.BearerTokens(ctx, t.TenantID)
		if err != nil {
			continue
		}
		for _, token := range tokens {
			if !token.ExpirationTime.IsZero() {
				ends = append(ends, terraform.End{What: "SCIM access token " + token.TokenID, At: token.ExpirationTime})
			}
		}
	}
	return lines, ends
}
