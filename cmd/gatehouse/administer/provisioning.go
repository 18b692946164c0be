package administer

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// provisioning is the command for automatic provisioning.
func (w World) provisioning() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "provisioning",
		Short: "Enable and disable automatic provisioning, and show its endpoint and tokens",
		Long: `Automatic provisioning is the SCIM endpoint that an identity provider writes users and groups
to. While it is enabled, the console shows them read-only. "gatehouse scim-tokens" manages its
access tokens.`,
		Example: `  gatehouse provisioning status
  gatehouse provisioning enable
  gatehouse provisioning disable --revoke-tokens`,
	}
	a.flags(cmd)
	cmd.AddCommand(
		a.command("status", "Show the endpoint and the access tokens", terminal.NoArgs, a.provisioningStatus),
		a.enableProvisioning(),
		a.disableProvisioning(),
	)
	return cmd
}

// provisioningStatus is what the status says, for programs.
type provisioningStatus struct {
	Enabled      bool
	ScimEndpoint string `json:",omitempty"`
	UserCount    int
	GroupCount   int
	BearerTokens []adminapi.BearerToken
}

func (a *administration) provisioningStatus(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
	ctx := cmd.Context()
	d, err := c.DescribeDirectory(ctx)
	if err != nil {
		return err
	}
	out := provisioningStatus{UserCount: d.UserCount, GroupCount: d.GroupCount, BearerTokens: []adminapi.BearerToken{}}
	tenants, err := c.Tenants(ctx)
	if err != nil {
		return err
	}
	if len(tenants) > 0 {
		out.Enabled, out.ScimEndpoint = true, tenants[0].ScimEndpoint
		if out.BearerTokens, err = c.BearerTokens(ctx, tenants[0].TenantID); err != nil {
			return err
		}
	}
	if a.asJSON {
		return a.print(out, "", nil)
	}
	state := "disabled"
	if out.Enabled {
		state = "enabled since " + Moment(&tenants[0].CreationTime)
	}
	a.facts([][2]string{
		{"automatic provisioning", state}, {"SCIM endpoint", out.ScimEndpoint},
		{"users", fmt.Sprint(out.UserCount)}, {"groups", fmt.Sprint(out.GroupCount)},
	})
	if len(out.BearerTokens) == 0 {
		return nil
	}
	fmt.Fprintln(a.Out)
	return a.printTokens(out.BearerTokens)
}

func (a *administration) enableProvisioning() *cobra.Command {
	var profile string
	var noToken bool
	cmd := a.command("enable", "Enable automatic provisioning, and print its first access token once", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			at, err := c.CreateTenant(cmd.Context())
			if err != nil {
				return err
			}
			if !noToken {
				return a.printNewToken(cmd.Context(), c, at, profile)
			}
			if a.asJSON {
				return a.print(at, "", nil)
			}
			_, err = fmt.Fprintln(a.Out, "Automatic provisioning is enabled. SCIM endpoint:", at.ScimEndpoint)
			return err
		})
	cmd.Flags().StringVar(&profile, "profile", "aws", "what the token's client speaks: aws or standard")
	cmd.Flags().BoolVar(&noToken, "no-token", false, "create no access token")
	return cmd
}

// printNewToken makes a token and prints it.
func (a *administration) printNewToken(
	ctx context.Context, c *adminapi.Client, at adminapi.Tenant, profile string,
) error {
	token, err := c.CreateBearerToken(ctx, at.TenantID, profile)
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(struct {
			ScimEndpoint string
			adminapi.BearerToken
		}{at.ScimEndpoint, token}, "", nil)
	}
	fmt.Fprintf(a.Err, "Gatehouse shows the token only once. SCIM endpoint: %s\n", at.ScimEndpoint)
	_, err = fmt.Fprintln(a.Out, token.Value)
	return err
}

func (a *administration) disableProvisioning() *cobra.Command {
	const word = "DISABLE"
	var revoke bool
	cmd := a.confirmed("disable", "Disable automatic provisioning", terminal.NoArgs, word,
		"The SCIM endpoint will be gone. Users and groups stay, and the console can edit them.",
		"Automatic provisioning is disabled.",
		func(ctx context.Context, c *adminapi.Client, _ []string, typed string) error {
			if typed != word {
				return errors.New("nothing is changed: the word to type is " + word)
			}
			tenants, err := c.Tenants(ctx)
			if err != nil {
				return err
			}
			if len(tenants) == 0 {
				return errors.New("automatic provisioning is disabled already")
			}
			if revoke {
				if err := c.RevokeTokens(ctx, tenants[0].TenantID); err != nil {
					return err
				}
			}
			return c.DeleteTenant(ctx, tenants[0].TenantID)
		})
	cmd.Long = `Removes the SCIM endpoint. It is refused while there are access tokens, so that nobody takes the
endpoint from an identity provider that uses it; --revoke-tokens revokes them first.`
	cmd.Flags().BoolVar(&revoke, "revoke-tokens", false, "revoke the access tokens first")
	return cmd
}
