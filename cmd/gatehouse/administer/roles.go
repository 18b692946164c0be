package administer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

func (w World) roles() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "roles",
		Short: "Show, check and provision the roles of permission sets in AWS accounts",
		Long: `A permission set that is assigned in an account has a role in the account's IAM. A center
that was started with --provisioning-role makes these roles itself, compares them with IAM
every six hours, and removes roles that nobody has anymore. For accounts that it may not
change, print a template of what they must have.`,
		Example: `  gatehouse roles list --account Production
  gatehouse roles check
  gatehouse roles provision --account Production --dry-run
  gatehouse roles template 111122223333 > roles.json`,
	}
	a.flags(cmd)
	cmd.AddCommand(a.listRoles(), a.checkRoles(), a.provisionRoles(), a.roleTemplate())
	return cmd
}

const accountFlag = "only the roles of this account, by name or id (default: of all accounts)"

func (a *administration) listRoles() *cobra.Command {
	var account string
	var drifted bool
	cmd := a.command("list", "List the roles, and how they differ in IAM", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			roles, err := c.Roles(cmd.Context(), account, drifted)
			if err != nil {
				return err
			}
			return a.printRoles(roles)
		})
	cmd.Flags().StringVar(&account, "account", "", accountFlag)
	cmd.Flags().BoolVar(&drifted, "drifted", false, "only roles that somebody changed in IAM")
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
			line(r.AccountID, r.PermissionSet, r.RoleName, r.Status, Moment(r.CheckedAt), note)
		}
	})
}

// patienceWithRoles is how long a command waits for the center's work on roles.
const patienceWithRoles = 10 * time.Minute //bound:wait the work on roles, by a command

func (a *administration) checkRoles() *cobra.Command {
	var account string
	cmd := a.command("check", "Compare the roles with IAM now, and list the ones that differ", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), patienceWithRoles)
			defer cancel()
			bar := terminal.Counter(a.Err, "roles")
			different, err := c.CheckRoles(ctx, account, bar.Set)
			if err != nil {
				return stillWorking(err)
			}
			return a.printRoles(different)
		})
	cmd.Flags().StringVar(&account, "account", "", accountFlag)
	return cmd
}

// stillWorking says where to look at work that goes on.
func stillWorking(err error) error {
	if errors.Is(err, adminapi.ErrUnfinished) {
		return fmt.Errorf("%w: see `gatehouse roles list`", err)
	}
	return err
}

func (a *administration) provisionRoles() *cobra.Command {
	var account string
	var all, dryRun bool
	cmd := a.command("provision", "Update roles in IAM to match their permission sets", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			stale, err := c.StaleRoles(cmd.Context(), account, all)
			if err != nil {
				return err
			}
			if err := a.printRoles(stale); err != nil || dryRun {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patienceWithRoles)
			defer cancel()
			bar := terminal.Counter(a.Err, "roles")
			return stillWorking(c.ProvisionAll(ctx, stale, bar.Set))
		})
	cmd.Long = `Provisions the roles whose permission set changed since they were last provisioned, and the
roles that somebody changed in IAM. With --all it provisions the other roles too: use it when
a center starts to make its roles itself.`
	cmd.Flags().StringVar(&account, "account", "", accountFlag)
	cmd.Flags().BoolVar(&all, "all", false, "include roles that are not known to differ")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "list the roles and change nothing")
	return cmd
}

func (a *administration) roleTemplate() *cobra.Command {
	var in adminapi.RoleTemplateInput
	cmd := a.command("template ACCOUNT", "Print what an AWS account must have in IAM, as a template",
		terminal.OneArg("an account's name or id"), func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			in.AccountID = args[0]
			text, err := c.RoleTemplate(cmd.Context(), in)
			if err == nil {
				_, err = fmt.Fprint(a.Out, text)
			}
			return err
		})
	cmd.Long = `Prints the SAML provider and the roles for the assignments in an account, to deploy with
CloudFormation or Terraform. It changes nothing. Deploy it again after the permission sets or
assignments of the account change.`
	cmd.Example = `  gatehouse roles template 111122223333 > roles.json
  aws cloudformation deploy --template-file roles.json --stack-name gatehouse --capabilities CAPABILITY_NAMED_IAM
  gatehouse roles template 111122223333 --format terraform > gatehouse.tf.json`
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if in.Format != adminapi.TemplateCloudFormation && in.Format != adminapi.TemplateTerraform {
			return terminal.UsageError{Err: fmt.Errorf("--format %q: use cloudformation or terraform", in.Format)}
		}
		return nil
	}
	f := cmd.Flags()
	f.StringVar(&in.Format, "format", adminapi.TemplateCloudFormation, "cloudformation or terraform")
	f.StringVar(&in.RolePath, "role-path", "/", "path of the roles in IAM, as given to the center")
	f.StringVar(&in.HubRole, "hub-role", "", "ARN of the hub role, for a center with --credentials assume-role")
	return cmd
}
