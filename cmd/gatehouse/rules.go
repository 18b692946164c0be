package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
)

func (w *world) rulesCommand() *cobra.Command {
	a := &administration{world: w}
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Assign permission sets in all accounts of an organizational unit, or with a tag",
		Long: `An assignment rule gives a user or a group a permission set in all accounts of an organizational unit, or in all that have a tag. It is
expanded to plain account assignments, which come and go as accounts do. The AWS API shows these assignments, and refuses to delete
one that follows a rule.`,
		Example: `  gatehouse rules create --unit ou-abcd-12345678 --permission-set arn:aws:sso:::permissionSet/… --group 0190… --dry-run
  gatehouse rules create --tag env=prod --permission-set arn:aws:sso:::permissionSet/… --user 0190…
  gatehouse rules list`,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.address.flags(cmd)
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the rules",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			rules, err := c.Rules(cmd.Context())
			if err != nil {
				return err
			}
			return a.printRules(rules)
		},
	}
	remove := &cobra.Command{
		Use:   "delete RULE",
		Short: "Take back what a rule has assigned, and delete it",
		Args:  oneArg("a rule's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.DeleteRule(cmd.Context(), args[0])
		},
	}
	cmd.AddCommand(list, a.createRule(), remove)
	return cmd
}

func (a *administration) printRules(rules []adminapi.Rule) error {
	return a.print(rules, "RULE\tACCOUNTS\tPERMISSION SET\tPRINCIPAL\tPROBLEM", func(line func(...any)) {
		for _, r := range rules {
			where := r.Unit
			if r.Tag != nil {
				where = r.Tag.Key + "=" + r.Tag.Value
			}
			line(r.RuleID, where, r.PermissionSetARN, r.PrincipalType+" "+r.PrincipalID, r.Problem)
		}
	})
}

func (a *administration) createRule() *cobra.Command {
	var unit, tag, set, user, group string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "create", Short: "Make a rule and assign", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rule := adminapi.Rule{
				Unit:             unit,
				PermissionSetARN: set,
				PrincipalType:    string(center.PrincipalUser),
				PrincipalID:      user,
			}
			if group != "" {
				rule.PrincipalType, rule.PrincipalID = string(center.PrincipalGroup), group
			}
			if tag != "" {
				key, value, _ := strings.Cut(tag, "=")
				rule.Tag = &adminapi.Tag{Key: key, Value: value}
			}
			c, err := a.client()
			if err != nil {
				return err
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
		},
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case (unit == "") == (tag == ""):
				return usageError{errors.New("want exactly one of --unit and --tag")}
			case (user == "") == (group == ""):
				return usageError{errors.New("want exactly one of --user and --group")}
			case set == "":
				return usageError{errors.New("--permission-set is missing")}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&unit, "unit", "", "id of an organizational unit or of the root; units below it count too")
	cmd.Flags().StringVar(&tag, "tag", "", "a tag of accounts, KEY=VALUE")
	cmd.Flags().StringVar(&set, "permission-set", "", "ARN of the permission set")
	cmd.Flags().StringVar(&user, "user", "", "id of a user")
	cmd.Flags().StringVar(&group, "group", "", "id of a group")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list the accounts")
	return cmd
}
