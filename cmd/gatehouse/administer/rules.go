package administer

import (
	"cmp"
	"errors"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// TagUsage says how a flag names a tag of accounts.
const TagUsage = `tag of the accounts, as KEY=VALUE; a KEY with an equals sign in double quotes: '"a=b"=c'`

func (w World) rules() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Assign permission sets in all accounts of an organizational unit, or with a tag",
		Long: `An assignment rule gives a user or a group a permission set in all accounts of an
organizational unit, or in all accounts with a tag. The center expands a rule to plain
account assignments, and updates them as accounts come and go. The AWS API lists these
assignments and refuses to delete them.`,
		Example: `  gatehouse rules create --unit ou-abcd-12345678 \
      --permission-set ReadOnlyAccess --group Engineers --dry-run
  gatehouse rules create --tag env=prod --permission-set ReadOnlyAccess --user ada@example.com
  gatehouse rules list
  gatehouse rules delete RULE`,
	}
	a.flags(cmd)
	cmd.AddCommand(
		a.command("list", "List the rules", terminal.NoArgs, func(
			cmd *cobra.Command, c *adminapi.Client, _ []string,
		) error {
			rules, err := c.Rules(cmd.Context())
			if err != nil {
				return err
			}
			return a.printRules(rules)
		}),
		a.createRule(),
		a.command("delete RULE", "Delete a rule and the assignments that it made", terminal.OneArg("a rule's id"),
			func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
				return a.done(c.DeleteRule(cmd.Context(), args[0]),
					"The rule is deleted, and the assignments that only it has made.")
			}),
	)
	return cmd
}

func (a *administration) printRules(rules []adminapi.Rule) error {
	return a.print(rules, "RULE\tACCOUNTS\tPERMISSION SET\tPRINCIPAL\tPROBLEM", func(line func(...any)) {
		for _, r := range rules {
			where := r.Unit
			if r.Tag != nil {
				where = r.Tag.Text()
			}
			who := r.PrincipalType + " " + cmp.Or(r.PrincipalName, r.PrincipalID)
			line(r.RuleID, where, cmp.Or(r.PermissionSetName, r.PermissionSetARN), who, r.Problem)
		}
	})
}

func (a *administration) createRule() *cobra.Command {
	var unit, tag, set, user, group string
	var dryRun bool
	cmd := a.command("create", "Create a rule and its assignments", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			rule := adminapi.Rule{
				Unit:             unit,
				PermissionSetARN: set,
				PrincipalType:    adminapi.PrincipalUser,
				PrincipalID:      user,
			}
			if group != "" {
				rule.PrincipalType, rule.PrincipalID = adminapi.PrincipalGroup, group
			}
			if tag != "" {
				rule.Tag = adminapi.ReadTag(tag)
			}
			if dryRun {
				accounts, err := c.PreviewRule(cmd.Context(), rule)
				if err != nil {
					return err
				}
				return a.printAccounts(accounts)
			}
			made, err := c.CreateRule(cmd.Context(), rule)
			if err != nil {
				return err
			}
			return a.printRules([]adminapi.Rule{made})
		})
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch {
		case (unit == "") == (tag == ""):
			return terminal.UsageError{Err: errors.New("use exactly one of --unit and --tag")}
		case (user == "") == (group == ""):
			return terminal.UsageError{Err: errors.New("use exactly one of --user and --group")}
		case set == "":
			return terminal.UsageError{Err: errors.New("--permission-set is missing")}
		}
		return nil
	}
	f := cmd.Flags()
	f.StringVar(&unit, "unit", "", "id of an organizational unit or of the root; includes the units below it")
	f.StringVar(&tag, "tag", "", TagUsage)
	f.StringVar(&set, "permission-set", "", "the permission set, by name or ARN")
	f.StringVar(&user, "user", "", "a user, by name or id")
	f.StringVar(&group, "group", "", "a group, by name or id")
	f.BoolVar(&dryRun, "dry-run", false, "list the accounts and change nothing")
	return cmd
}
