package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/connect"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// printJSON prints what docs/demo.md describes.
func (d *demo) printJSON(ctx context.Context, s connect.State) error {
	out, err := d.secrets.Describe(ctx, d.center, d.tenant, s, d.configFile())
	if err != nil {
		return err
	}
	return json.NewEncoder(d.w.out).Encode(out)
}

// printPage ends the walk: where to go, who can sign in, and what to type.
func (d *demo) printPage(ctx context.Context, to company.Connected) error {
	out := d.w.out
	move, err := company.MembershipCommand(ctx, d.center, d.tenant.Organization.Domain)
	if err != nil {
		return err
	}
	for _, f := range to.Result.Failures {
		fmt.Fprintf(out, " ! %s was not provisioned: %s\n", terminal.Inline(f.Name), terminal.Inline(f.Reason))
	}
	fmt.Fprintln(out)
	connected := to.State.SCIM.ScimEndpoint != ""
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "Console\t%s\t%s / %s\n", d.center.ConsoleURL(), company.AdminName, d.secrets.AdminPassword)
	fmt.Fprintf(t, "Admin center\t%s\tthe same name and password\n", d.tenant.AdminCenterURL())
	fmt.Fprintf(t, "Email\t%s\twhat the demo would send\n", d.center.URL+company.OutboxPath)
	if connected {
		d.printPortal(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	d.printAdministration(move)
	if !connected {
		fmt.Fprintf(out, `
Connect them yourself in the two consoles, or with:

  GATEHOUSE_CLIENT_SECRET=%s \
  gatehouse connect --center-url %s --graph-url %s --login-url %s/%s \
    --client-id %s --group "Platform Engineering" --group Engineering

After that, people can sign in:

`, d.secrets.ClientSecret, d.center.URL, d.tenant.GraphURL(), d.tenant.URL, d.tenant.Organization.ID,
			d.secrets.ClientID)
		d.printPortal(t)
		if err := t.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, `
As a user, with AWS CLI 2.13 or later:

  export AWS_CONFIG_FILE=%s
  aws sso login --profile gatehouse
  aws sts get-caller-identity --profile gatehouse

Press Ctrl-C to stop.
`, d.configFile())
	return nil
}

// printPortal says where people sign in.
func (d *demo) printPortal(w io.Writer) {
	fmt.Fprintf(
		w, "Access portal\t%s\tamara.okafor@%s / %s\n", d.center.PortalURL(), d.tenant.Organization.Domain,
		d.secrets.PersonPassword,
	)
	fmt.Fprintf(w, "\t\tEveryone in the company has this password.\n")
}

// printAdministration says what administrators type. Version 1 of the AWS CLI and boto3 do not know
// AWS_REGION.
func (d *demo) printAdministration(move company.Membership) {
	i := d.center.Instance
	fmt.Fprintf(d.w.out, `
As an administrator, on the command line:

  export AWS_ACCESS_KEY_ID=%s
  export AWS_SECRET_ACCESS_KEY=%s
  export AWS_REGION=%s AWS_DEFAULT_REGION=%s
  export AWS_ENDPOINT_URL=%s

  aws --endpoint-url $AWS_ENDPOINT_URL sso-admin list-instances
  aws --endpoint-url $AWS_ENDPOINT_URL identitystore list-users --identity-store-id %s --query 'Users[].UserName'
`, d.secrets.AccessKeyID, d.secrets.SecretAccessKey, i.Region, i.Region, d.center.URL, i.IdentityStoreID)
	if move.Command != "" {
		fmt.Fprintf(d.w.out, "\n%s joins %s:\n\n%s", move.User, move.Group, move.Command)
	}
}

// configFile is where the demo writes a configuration of the AWS CLI for people.
func (d *demo) configFile() string { return filepath.Join(d.data, "aws-config") }

// writeConfig writes a configuration of the AWS CLI with a profile that signs in at this center.
func (d *demo) writeConfig(ctx context.Context) error {
	text, err := company.AWSConfig(ctx, d.center, d.tenant.Organization.Domain)
	if err != nil {
		return err
	}
	return authn.WritePrivate(d.configFile(), []byte(text))
}
