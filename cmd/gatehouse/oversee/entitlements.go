package oversee

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// accountAccess is the group of commands on roles that are in accounts already.
type accountAccess struct {
	*administer.Caller
	user, group string
}

func (w World) accountAccess() *cobra.Command {
	a := &accountAccess{Caller: administer.NewCaller(w.World)}
	cmd := &cobra.Command{
		Use:   "account-access",
		Short: "Entitle users and groups to roles that are in AWS accounts already",
		Example: `  gatehouse account-access enable
  gatehouse account-access give arn:aws:iam::111122223333:role/ops/Reader --group Platform
  gatehouse account-access list
  gatehouse account-access remove 0192…
  gatehouse account-access status
  gatehouse account-access disable`,
	}
	a.Group(cmd)
	status := a.Command("status", "Show the application of account access", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			is, err := c.DescribeAccountAccess(cmd.Context())
			return a.tell(is, err)
		})
	enable := a.Command("enable", "Make the application of account access", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			is, err := c.EnableAccountAccess(cmd.Context())
			return a.tell(is, err)
		})
	disable := a.Command("disable", "Delete the application, when nobody is entitled to anything", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			return a.Done(c.DisableAccountAccess(cmd.Context()), "The application of account access is deleted.")
		})
	list := a.Command("list", "List who is entitled to which role", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			list, err := c.Entitlements(cmd.Context())
			if err != nil {
				return err
			}
			return a.entitlements(append([]adminapi.Entitlement{}, list...))
		})
	give := a.Command("give ROLE", "Entitle a user or a group to a role", terminal.OneArg("the ARN of a role"), a.give)
	give.Flags().StringVar(&a.user, "user", "", "who gets it: a user, by name or ID")
	give.Flags().StringVar(&a.group, "group", "", "… or a group, by name or ID")
	remove := a.Command("remove ENTITLEMENT", "Take a role from a user or a group; open sessions go on",
		terminal.OneArg("an entitlement's id, as list shows it"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			return a.Done(c.DeleteEntitlement(cmd.Context(), args[0]),
				"The entitlement %s is removed. Sessions that are open go on.", terminal.Inline(args[0]))
		})
	cmd.AddCommand(status, enable, disable, list, give, remove)
	return cmd
}

func (a *accountAccess) tell(is adminapi.AccountAccess, err error) error {
	if err != nil {
		return err
	}
	return a.Print(is, "APPLICATION\tTENANT", func(line func(...any)) { line(is.ApplicationArn, is.TenantID) })
}

func (a *accountAccess) entitlements(list []adminapi.Entitlement) error {
	return a.Print(list, "WHO\tROLE\tACCOUNT\tID", func(line func(...any)) {
		for _, e := range list {
			line(holder(e), e.RoleArn, e.AccountName, e.EntitlementID)
		}
	})
}

// holder says whom an entitlement is for.
func holder(e adminapi.Entitlement) string {
	name := e.PrincipalName
	if name == "" {
		name = e.PrincipalID + " (deleted)"
	}
	return strings.ToLower(e.PrincipalType) + " " + name
}

func (a *accountAccess) give(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	e := adminapi.Entitlement{RoleArn: args[0], PrincipalType: "USER"}
	switch {
	case (a.user == "") == (a.group == ""):
		return terminal.UsageError{Err: errors.New("use exactly one of --user and --group")}
	case a.group != "":
		e.PrincipalType, e.PrincipalID = "GROUP", a.group
	default:
		e.PrincipalID = a.user
	}
	made, err := c.CreateEntitlement(cmd.Context(), e)
	if err != nil {
		return fmt.Errorf("entitle to %s: %w", terminal.Inline(args[0]), err)
	}
	return a.entitlements([]adminapi.Entitlement{made})
}
