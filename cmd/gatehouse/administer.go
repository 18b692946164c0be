package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/outbound"
)

// clientTimeout bounds how long a command waits for one answer of a server.
const clientTimeout = time.Minute //bound:wait an answer, by a command

// centerAddress is where a center's API is, and the access key to call it with.
type centerAddress struct{ url, region, keyID, secret string }

func (a *centerAddress) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&a.url, "center-url", "http://127.0.0.1:8080", "the center's URL")
	f.StringVar(
		&a.region, "region", "", "region that the center's clients sign for (default: AWS_REGION, else us-east-1)",
	)
	f.StringVar(&a.keyID, "access-key-id", "", "access key of the center (default: AWS_ACCESS_KEY_ID)")
	f.StringVar(&a.secret, "secret-access-key", "", "its secret (default: AWS_SECRET_ACCESS_KEY)")
}

// client returns a client, and every mistake in the settings.
func (a *centerAddress) client(env func(string) (string, bool), using *http.Client) (*adminapi.Client, []error) {
	for _, or := range []struct {
		value *string
		name  string
	}{{&a.region, "AWS_REGION"}, {&a.keyID, "AWS_ACCESS_KEY_ID"}, {&a.secret, "AWS_SECRET_ACCESS_KEY"}} {
		if *or.value == "" {
			*or.value, _ = env(or.name)
		}
	}
	if a.region == "" {
		a.region = "us-east-1"
	}
	var mistakes []error
	if err := outbound.Operator.Check(a.url); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--center-url: %w", err))
	}
	if a.keyID == "" {
		mistakes = append(mistakes, errors.New("the access key is missing: set AWS_ACCESS_KEY_ID"))
	}
	if a.secret == "" {
		mistakes = append(mistakes, errors.New("the access key's secret is missing: set AWS_SECRET_ACCESS_KEY"))
	}
	return &adminapi.Client{
		URL:             strings.TrimRight(a.url, "/"),
		Region:          a.region,
		AccessKeyID:     a.keyID,
		SecretAccessKey: a.secret,
		HTTP:            using,
	}, mistakes
}

// administration is a command with subcommands that call a center's API.
type administration struct {
	*world
	address centerAddress
	asJSON  bool
}

func (a *administration) client() (*adminapi.Client, error) {
	c, mistakes := a.address.client(a.env, outbound.Operator.Client(clientTimeout))
	if len(mistakes) > 0 {
		return nil, usageError{errors.Join(mistakes...)}
	}
	return c, nil
}

// print prints v as JSON where that was asked for, or by rows in columns.
func (a *administration) print(v any, header string, rows func(line func(...any))) error {
	if a.asJSON {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	t := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, header)
	rows(func(columns ...any) {
		texts := make([]string, len(columns))
		for i, c := range columns {
			texts[i] = inline(c)
		}
		fmt.Fprintln(t, strings.Join(texts, "\t"))
	})
	return t.Flush()
}

// oneArg demands exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%q takes %s, but got %d arguments", cmd.CommandPath(), what, len(args))}
		}
		return nil
	}
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func (w *world) accessKeysCommand() *cobra.Command {
	a := &administration{world: w}
	var role string
	cmd := &cobra.Command{
		Use:   "access-keys",
		Short: "List, create, disable and delete the access keys of a center",
		Long: `Manages the SigV4 keys that the aws CLI, SDKs, Terraform and gatehouse itself sign with.

An administrator's key may change everything; a user-administrator's may change users, groups and memberships;
a read-only one may change nothing. All may read.`,
		Example: `  gatehouse access-keys list
  gatehouse access-keys create terraform --role user-administrator
  gatehouse access-keys disable AKIA…`,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.address.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the access keys with their last use",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			keys, err := c.AccessKeys(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(keys, "ACCESS KEY ID\tFOR\tROLE\tSTATUS\tLAST USED\tWHERE", func(line func(...any)) {
				for _, k := range keys {
					line(
						k.AccessKeyID, k.UserName, k.Role, k.Status, moment(k.LastUsedDate),
						strings.TrimSpace(k.LastUsedService+" "+k.LastUsedAddress),
					)
				}
			})
		},
	}
	create := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an access key and print its secret, once",
		Args:  oneArg("the name of a person or a program"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			k, err := c.CreateAccessKey(cmd.Context(), args[0], role)
			if err != nil {
				return err
			}
			if a.asJSON {
				return a.print(k, "", nil)
			}
			fmt.Fprintf(
				a.out,
				"The secret is shown once.\n\n  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n",
				k.AccessKeyID, k.SecretAccessKey,
			)
			return nil
		},
	}
	create.Flags().StringVar(&role, "role", "read-only", "administrator, user-administrator or read-only")
	cmd.AddCommand(list, create)
	for _, change := range []struct {
		name, short, done string
		do                func(*adminapi.Client, *cobra.Command, string) error
	}{
		{"enable", "Enable an access key", "is enabled", func(c *adminapi.Client, cmd *cobra.Command, id string) error {
			return c.UpdateAccessKey(cmd.Context(), id, adminapi.KeyActive)
		}},
		{"disable", "Disable an access key, at once", "is disabled", func(
			c *adminapi.Client, cmd *cobra.Command, id string,
		) error {
			return c.UpdateAccessKey(cmd.Context(), id, adminapi.KeyInactive)
		}},
		{"delete", "Delete an access key, at once", "is deleted", func(
			c *adminapi.Client, cmd *cobra.Command, id string,
		) error {
			return c.DeleteAccessKey(cmd.Context(), id)
		}},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   change.name + " ID",
			Short: change.short,
			Args:  oneArg("an access key id"),
			RunE: func(cmd *cobra.Command, args []string) error {
				c, err := a.client()
				if err == nil {
					err = change.do(c, cmd, args[0])
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.err, "%s %s.\n", args[0], change.done)
				return nil
			},
		})
	}
	return cmd
}

func (w *world) scimTokensCommand() *cobra.Command {
	a := &administration{world: w}
	var profile string
	cmd := &cobra.Command{
		Use:   "scim-tokens",
		Short: "List, create and revoke the SCIM access tokens of a center",
		Long: `Manages the access tokens of automatic provisioning. Two can be valid at once, so that one is replaced without a gap:
create a second one, give it to the identity provider, see it used, then delete the first.

A token's profile is what its bearer speaks: aws is IAM Identity Center's dialect with its limits, which Entra ID and
Okta expect; standard is RFC 7643 and RFC 7644 in full, for any other client.`,
		Example: `  gatehouse scim-tokens list
  gatehouse scim-tokens create --profile standard
  gatehouse scim-tokens delete TOKEN_ID`,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.address.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	// with calls fn with a client and the SCIM endpoint.
	with := func(cmd *cobra.Command, fn func(*adminapi.Client, adminapi.Tenant) error) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		tenants, err := c.Tenants(cmd.Context())
		if err != nil {
			return err
		}
		if len(tenants) == 0 {
			return errors.New(
				"automatic provisioning is not enabled; enable it in the console's settings, or with gatehouse connect",
			)
		}
		return fn(c, tenants[0])
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the access tokens with their last use",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *adminapi.Client, t adminapi.Tenant) error {
				tokens, err := c.BearerTokens(cmd.Context(), t.TenantID)
				if err != nil {
					return err
				}
				return a.print(
					tokens,
					"TOKEN ID\tPROFILE\tEXPIRES\tDAYS LEFT\tLAST USED\tFROM",
					func(line func(...any)) {
						for _, k := range tokens {
							line(
								k.TokenID, k.Profile, moment(&k.ExpirationTime),
								int(time.Until(k.ExpirationTime).Hours()/24), moment(k.LastUsedTime),
								k.LastUsedAddress,
							)
						}
					},
				)
			})
		},
	}
	create := &cobra.Command{
		Use:   "create",
		Short: "Create an access token and print it, once",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *adminapi.Client, t adminapi.Tenant) error {
				token, err := c.CreateBearerToken(cmd.Context(), t.TenantID, profile)
				if err != nil {
					return err
				}
				if a.asJSON {
					return a.print(token, "", nil)
				}
				fmt.Fprintf(a.err, "The token is shown once. SCIM endpoint: %s\n", t.ScimEndpoint)
				fmt.Fprintln(a.out, token.Value)
				return nil
			})
		},
	}
	create.Flags().StringVar(&profile, "profile", "aws", "aws or standard")
	remove := &cobra.Command{
		Use:   "delete TOKEN_ID",
		Short: "Revoke an access token, at once",
		Args:  oneArg("a token id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *adminapi.Client, t adminapi.Tenant) error {
				if err := c.DeleteBearerToken(cmd.Context(), t.TenantID, args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.err, "%s is revoked.\n", args[0])
				return nil
			})
		},
	}
	cmd.AddCommand(list, create, remove)
	return cmd
}
