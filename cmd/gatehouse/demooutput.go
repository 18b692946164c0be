package main

import (
	"context"
	"encoding/json"
	"fmt"
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
	out, i := d.w.out, d.center.Instance
	membershipCommand, err := company.MembershipCommand(ctx, d.center, d.tenant.Organization.Domain)
	if err != nil {
		return err
	}
	for _, f := range to.Result.Failures {
		fmt.Fprintf(out, " ! %s was not provisioned: %s\n", terminal.Inline(f.Name), terminal.Inline(f.Reason))
	}
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(
		t, "Access portal\t%s\tamara.okafor@%s / %s\n", d.center.PortalURL(), d.tenant.Organization.Domain,
		d.secrets.PersonPassword,
	)
	fmt.Fprintf(t, "\t\tEveryone in the company has this password.\n")
	fmt.Fprintf(t, "Console\t%s\t%s / %s\n", d.center.ConsoleURL(), company.AdminName, d.secrets.AdminPassword)
	fmt.Fprintf(t, "Admin center\t%s\tthe same name and password\n", d.tenant.AdminCenterURL())
	fmt.Fprintf(t, "Email\t%s\twhat the demo would send\n", d.center.URL+company.OutboxPath)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, `
On the command line:

  export AWS_ACCESS_KEY_ID=%s
  export AWS_SECRET_ACCESS_KEY=%s
  export AWS_REGION=%s
  export AWS_ENDPOINT_URL=%s

  aws --endpoint-url $AWS_ENDPOINT_URL sso-admin list-instances
  aws --endpoint-url $AWS_ENDPOINT_URL identitystore list-users --identity-store-id %s --query 'Users[].UserName'
%s
As a user, with AWS CLI 2.13 or later:

  export AWS_CONFIG_FILE=%s
  aws sso login --profile gatehouse
  aws sts get-caller-identity --profile gatehouse
`, d.secrets.AccessKeyID, d.secrets.SecretAccessKey, i.Region, d.center.URL, i.IdentityStoreID, membershipCommand,
		d.configFile())
	if to.State.SCIM.ScimEndpoint == "" {
		fmt.Fprintf(out, `
Connect them yourself in the two consoles, or with:

  GATEHOUSE_CLIENT_SECRET=%s \
  gatehouse connect --center-url %s --graph-url %s --login-url %s/%s \
    --client-id %s --group "Platform Engineering" --group Engineering
`, d.secrets.ClientSecret, d.center.URL, d.tenant.GraphURL(), d.tenant.URL, d.tenant.Organization.ID,
			d.secrets.ClientID)
	}
	fmt.Fprintln(out, "\nPress Ctrl-C to stop.")
	return nil
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
