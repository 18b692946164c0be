package administer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

func (w World) accessKeys() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "access-keys",
		Short: "List, create, disable and delete the access keys of a center",
		Long: `Manages the SigV4 keys that the AWS CLI, SDKs, Terraform and gatehouse itself sign requests
with.

All keys can read. The role of a key says what it can change: administrator everything,
user-administrator users, groups and memberships, read-only nothing.`,
		Example: `  gatehouse access-keys list
  gatehouse access-keys create terraform --role user-administrator
  gatehouse access-keys disable terraform
  gatehouse access-keys enable terraform
  gatehouse access-keys delete AKIA…`,
	}
	a.flags(cmd)
	id := terminal.OneArg("an access key's name or id")
	cmd.AddCommand(
		a.command("list", "List the access keys with their last use", terminal.NoArgs, a.listAccessKeys),
		a.createAccessKey(),
		a.command("enable KEY", "Enable an access key", id, a.setAccessKey(adminapi.KeyActive, "enabled")),
		a.command(
			"disable KEY", "Disable an access key immediately", id, a.setAccessKey(adminapi.KeyInactive, "disabled"),
		),
		a.command("delete KEY", "Delete an access key immediately", id,
			func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
				return a.done(c.DeleteAccessKey(cmd.Context(), args[0]), "%s is deleted.", args[0])
			}),
	)
	return cmd
}

func (a *administration) listAccessKeys(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
	keys, err := c.AccessKeys(cmd.Context())
	if err != nil {
		return err
	}
	return a.print(keys, "ACCESS KEY ID\tFOR\tROLE\tSTATUS\tLAST USED\tWHERE", func(line func(...any)) {
		for _, k := range keys {
			where := strings.TrimSpace(k.LastUsedService + " " + k.LastUsedAddress)
			line(k.AccessKeyID, k.UserName, k.Role, k.Status, Moment(k.LastUsedDate), where)
		}
	})
}

func (a *administration) createAccessKey() *cobra.Command {
	var role string
	cmd := a.command(
		"create NAME", "Create an access key and print its secret once",
		terminal.OneArg("the name of a person or a program"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			k, err := c.CreateAccessKey(cmd.Context(), args[0], role)
			if err != nil {
				return err
			}
			if a.asJSON {
				return a.print(k, "", nil)
			}
			_, err = fmt.Fprintf(
				a.Out,
				"Gatehouse shows the secret only once.\n\n  export AWS_ACCESS_KEY_ID=%s\n  export "+
					"AWS_SECRET_ACCESS_KEY=%s\n",
				k.AccessKeyID, k.SecretAccessKey,
			)
			return err
		})
	cmd.Flags().StringVar(&role, "role", "read-only", "administrator, user-administrator or read-only")
	return cmd
}

func (a *administration) setAccessKey(
	status, done string,
) func(*cobra.Command, *adminapi.Client, []string) error {
	return func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
		return a.done(c.UpdateAccessKey(cmd.Context(), args[0], status), "%s is %s.", args[0], done)
	}
}

// done says what was done, unless it was not: to a program as JSON.
func (a *administration) done(err error, words string, args ...any) error {
	if err == nil && a.asJSON {
		return a.print(struct{ Done string }{fmt.Sprintf(words, args...)}, "", nil)
	}
	if err == nil {
		fmt.Fprintf(a.Err, words+"\n", args...)
	}
	return err
}

func (w World) scimTokens() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "scim-tokens",
		Short: "List, create and revoke the SCIM access tokens of a center",
		Long: `Manages the access tokens of automatic provisioning. Two can be valid at the same time, so you
can replace one without a gap: create a second token, give it to the identity provider, check
that it is used, then delete the first.

A token's profile says what its client speaks: aws is IAM Identity Center's dialect with its
limits, which Entra ID and Okta expect; standard is RFC 7643 and RFC 7644 in full, for any
other client.`,
		Example: `  gatehouse scim-tokens list
  gatehouse scim-tokens create --profile standard
  gatehouse scim-tokens delete TOKEN_ID`,
	}
	a.flags(cmd)
	cmd.AddCommand(
		a.command("list", "List the access tokens with their last use", terminal.NoArgs, a.listTokens),
		a.createToken(),
		a.command(
			"delete TOKEN_ID", "Revoke an access token immediately", terminal.OneArg("a token id"), a.deleteToken,
		),
	)
	return cmd
}

// endpoint is the SCIM endpoint that the tokens are for.
func endpoint(cmd *cobra.Command, c *adminapi.Client) (adminapi.Tenant, error) {
	tenants, err := c.Tenants(cmd.Context())
	if err != nil {
		return adminapi.Tenant{}, err
	}
	if len(tenants) == 0 {
		return adminapi.Tenant{}, errors.New(
			"automatic provisioning is not enabled; enable it with gatehouse provisioning enable, or gatehouse connect",
		)
	}
	return tenants[0], nil
}

func (a *administration) listTokens(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
	at, err := endpoint(cmd, c)
	if err != nil {
		return err
	}
	tokens, err := c.BearerTokens(cmd.Context(), at.TenantID)
	if err != nil {
		return err
	}
	return a.printTokens(tokens)
}

func (a *administration) printTokens(tokens []adminapi.BearerToken) error {
	return a.print(tokens, "TOKEN ID\tPROFILE\tEXPIRES\tDAYS LEFT\tLAST USED\tFROM", func(line func(...any)) {
		for _, k := range tokens {
			left := int(time.Until(k.ExpirationTime).Hours() / 24)
			line(k.TokenID, k.Profile, Moment(&k.ExpirationTime), left, Moment(k.LastUsedTime), k.LastUsedAddress)
		}
	})
}

func (a *administration) createToken() *cobra.Command {
	var profile string
	cmd := a.command("create", "Create an access token and print it once", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			at, err := endpoint(cmd, c)
			if err != nil {
				return err
			}
			return a.printNewToken(cmd.Context(), c, at, profile)
		})
	cmd.Flags().StringVar(&profile, "profile", "aws", "aws or standard")
	return cmd
}

func (a *administration) deleteToken(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	at, err := endpoint(cmd, c)
	if err != nil {
		return err
	}
	return a.done(c.DeleteBearerToken(cmd.Context(), at.TenantID, args[0]), "%s is revoked.", args[0])
}
