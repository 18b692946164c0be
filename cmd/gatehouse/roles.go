package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/iam"
)

func (w *world) rolesCommand() *cobra.Command {
	a := &administration{world: w}
	cmd := &cobra.Command{
		Use:   "roles",
		Short: "Show, check and provision the roles of permission sets in AWS accounts",
		Long: `A permission set that is assigned in an account has a role in the account's IAM. A center that was started with
--provisioning-role makes these roles itself, compares them with IAM every six hours, and removes those that nobody has any more. For
accounts where it may not, print what they must have as a template.`,
		Example: `  gatehouse roles list --account 111122223333
  gatehouse roles check
  gatehouse roles provision --account 111122223333 --dry-run
  gatehouse roles template 111122223333 > roles.json`,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.address.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	cmd.AddCommand(a.listRoles(), a.checkRoles(), a.provisionRoles(), a.roleTemplate())
	return cmd
}

const accountFlag = "only the roles of this account (default: of all)"

func (a *administration) listRoles() *cobra.Command {
	var account string
	var drifted bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the roles, and how they differ in IAM", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			roles, err := c.Roles(cmd.Context(), account, drifted)
			if err != nil {
				return err
			}
			return a.printRoles(roles)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", accountFlag)
	cmd.Flags().BoolVar(&drifted, "drifted", false, "only those that somebody changed in IAM")
	return cmd
}

func (a *administration) printRoles(roles []adminapi.RoleState) error {
	if roles == nil {
		roles = []adminapi.RoleState{}
	}
	return a.print(roles, "ACCOUNT\tPERMISSION SET\tROLE\tSTATUS\tCHECKED\tNOTE", func(line func(...any)) {
		for _, r := range roles {
			note := strings.Join(r.Drift, "; ")
			if r.Reason != "" {
				note = r.Reason
			}
			line(r.AccountID, r.PermissionSet, r.RoleName, r.Status, moment(r.CheckedAt), note)
		}
	})
}

// patienceWithRoles is how long a command waits for the center's work on roles.
const patienceWithRoles = 10 * time.Minute //bound:wait the work on roles, by a command

func (a *administration) checkRoles() *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "check", Short: "Compare the roles with IAM now, and list those that differ", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patienceWithRoles)
			defer cancel()
			if err := c.RecheckRoles(ctx, account); err != nil {
				return err
			}
			bar := a.counter("roles")
			var roles []adminapi.RoleState
			for unchecked := 1; unchecked > 0; {
				if err := pause(ctx); err != nil {
					return err
				}
				if roles, err = c.Roles(ctx, account, false); err != nil {
					return err
				}
				unchecked = 0
				for _, r := range roles {
					if r.CheckedAt == nil && r.Status != adminapi.RoleWorking && r.Status != adminapi.RoleRetiring {
						unchecked++
					}
				}
				_ = bar.Set(len(roles) - unchecked) // only a display
			}
			_ = bar.Finish()
			drifted := []adminapi.RoleState{}
			for _, r := range roles {
				if len(r.Drift) > 0 || r.Status == adminapi.RoleRetiring {
					drifted = append(drifted, r)
				}
			}
			return a.printRoles(drifted)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", accountFlag)
	return cmd
}

// pause waits a moment between two looks at work that goes on elsewhere.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return errors.New("the center has not finished in time; it goes on, see `gatehouse roles list`")
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}

func (a *administration) provisionRoles() *cobra.Command {
	var account string
	var all, dryRun bool
	cmd := &cobra.Command{
		Use: "provision", Short: "Bring roles in IAM to what their permission sets are", Args: noArgs,
		Long: `Provisions the roles whose permission set was changed since, and those that somebody changed in IAM. With --all also those of which
neither is known, which makes the roles of a center that has not kept them until now.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			roles, err := c.Roles(cmd.Context(), account, false)
			if err != nil {
				return err
			}
			stale := []adminapi.RoleState{}
			for _, r := range roles {
				if r.Status == adminapi.RoleChanged || r.Status == adminapi.RoleDrifted ||
					(all && r.Status == adminapi.RoleLatest) {
					stale = append(stale, r)
				}
			}
			if err := a.printRoles(stale); err != nil || dryRun {
				return err
			}
			return a.provision(cmd.Context(), c, stale)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", accountFlag)
	cmd.Flags().BoolVar(&all, "all", false, "also roles that are not known to differ")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list them")
	return cmd
}

// provision asks for all roles, waits, and says what failed.
func (a *administration) provision(ctx context.Context, c *adminapi.Client, roles []adminapi.RoleState) error {
	ctx, cancel := context.WithTimeout(ctx, patienceWithRoles)
	defer cancel()
	requests := make([]adminapi.RoleRequest, len(roles))
	for i, r := range roles {
		var err error
		if requests[i], err = c.ProvisionRoles(ctx, r.PermissionSetARN, r.AccountID); err != nil {
			return err
		}
	}
	bar := a.counter("roles")
	var failed []error
	for i, r := range requests {
		for r.Status == string(center.InProgress) {
			if err := pause(ctx); err != nil {
				return err
			}
			var err error
			if r, err = c.RoleRequest(ctx, r.RequestID); err != nil {
				return err
			}
		}
		if r.Status == string(center.Failed) {
			failed = append(
				failed, fmt.Errorf("%s in %s: %s", roles[i].PermissionSet, roles[i].AccountID, r.FailureReason),
			)
		}
		_ = bar.Add(1) // only a display
	}
	return errors.Join(append(failed, bar.Finish())...)
}

func (a *administration) roleTemplate() *cobra.Command {
	var format string
	var trust iam.Trust
	cmd := &cobra.Command{
		Use:   "template ACCOUNT",
		Short: "Print what an AWS account must have in IAM, as a template",
		Long: `Prints the SAML provider and the roles for what is assigned in an account, for people who make them by CloudFormation
or Terraform. It changes nothing. Deploy it again after permission sets or assignments of the account have changed.`,
		Example: `  gatehouse roles template 111122223333 > roles.json
  aws cloudformation deploy --template-file roles.json --stack-name gatehouse --capabilities CAPABILITY_NAMED_IAM
  gatehouse roles template 111122223333 --format terraform > gatehouse.tf.json`,
		Args: oneArg("an account id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			found, err := c.AccountRoles(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			roles := iam.AccountRoles{ProviderName: found.SAMLProviderName, Metadata: found.SAMLMetadata, Trust: trust}
			for _, r := range found.Roles {
				roles.Roles = append(
					roles.Roles,
					center.AccountRole{
						AccountID:    args[0],
						Name:         r.RoleName,
						Description:  r.Description,
						Policies:     r.ManagedPolicyARNs,
						InlinePolicy: r.InlinePolicy,
						Boundary:     r.PermissionsBoundary,
					},
				)
			}
			text, err := map[string]func() (
				[]byte, error,
			){formatCloudFormation: roles.CloudFormation, formatTerraform: roles.Terraform}[format]()
			if err == nil {
				_, err = a.out.Write(text)
			}
			return err
		},
		PreRunE: func(*cobra.Command, []string) error {
			if format != formatCloudFormation && format != formatTerraform {
				return usageError{fmt.Errorf("--format %q: want cloudformation or terraform", format)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", formatCloudFormation, "cloudformation or terraform")
	cmd.Flags().StringVar(&trust.Path, "role-path", "/", "path of the roles in IAM, as the center was started with")
	cmd.Flags().StringVar(
		&trust.Hub, "hub-role", "", "ARN of the role that opens them, of a center with --credentials assume-role",
	)
	return cmd
}

const (
	formatCloudFormation = "cloudformation"
	formatTerraform      = "terraform"
)
