package oversee

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// heldAccess is the group of commands that say who has what.
type heldAccess struct {
	*administer.Caller
	in    adminapi.HeldAccessInput
	all   bool
	limit int
}

// access is the group of commands on who has access to what.
func (w World) access() *cobra.Command {
	h := &heldAccess{Caller: administer.NewCaller(w.World)}
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Say who has access to what, by which way, and when they used it last",
		Example: `  gatehouse access who Production          # who can administer it
  gatehouse access who 111122223333 --all  # who has any role there
  gatehouse access of ada@example.com`,
	}
	h.Group(cmd)
	who := h.Command("who ACCOUNT", "List who can administer an AWS account, by which way, and when they did last",
		terminal.OneArg("an account's name or id"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			h.in.AccountID = args[0]
			h.in.Administrative = !h.all
			return h.list(cmd.Context(), c)
		})
	who.Long = `Lists every way by which somebody can administer an account: a permission set with an AWS managed
policy that allows everything or changes policies (AdministratorAccess, IAMFullAccess), or with an
inline policy that allows "*", an action of IAM by which one gives oneself more, or iam:PassRole
together with an action that runs code under a role. Conditions are not weighed, so rather too much
is named. What is in a customer managed policy is in the account only: REACH says "not read".`
	who.Flags().BoolVar(&h.all, "all", false, "list every permission set")
	of := h.Command("of USER", "List what a user has, by which way, and when it was used last",
		terminal.OneArg("a user name or a user's id"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			u, err := administer.FindUser(cmd, c, args[0])
			if err != nil {
				return err
			}
			h.in.UserID = u.UserID
			return h.list(cmd.Context(), c)
		})
	of.Flags().BoolVar(&h.in.Administrative, "administrative", false, "only what can administer an account")
	for _, sub := range []*cobra.Command{who, of} {
		sub.Flags().IntVar(&h.limit, "limit", 10_000, "how many ways to list at the most")
	}
	cmd.AddCommand(who, of, w.migrate())
	return cmd
}

func (h *heldAccess) list(ctx context.Context, c *adminapi.Client) error {
	ways, total, err := c.ListHeldAccess(ctx, h.in, h.limit)
	if err != nil {
		return err
	}
	if ways == nil {
		ways = []adminapi.HeldAccess{}
	}
	err = h.Print(ways, "USER\tACCOUNT\tPERMISSION SET\tWAY\tREACH\tLAST USED", func(line func(...any)) {
		for _, w := range ways {
			user := w.UserName
			if w.UserStatus == adminapi.UserDisabled {
				user += " (disabled)"
			}
			line(user, w.AccountName+" "+w.AccountID, w.PermissionSet, wayOf(w), reachOf(w),
				administer.Moment(w.LastUsed))
		}
	})
	if err == nil && !h.JSON() && len(ways) < total {
		fmt.Fprintf(h.Err, "%d of %d ways: use --limit.\n", len(ways), total)
	}
	return err
}

func wayOf(w adminapi.HeldAccess) string {
	way := "direct"
	if w.GroupName != "" {
		way = "group " + w.GroupName
	}
	switch {
	case w.Request != "":
		way = "request, until " + administer.Moment(w.Until)
		if w.ByHand || len(w.Rules) > 0 {
			way += ", and without it"
		}
	case len(w.Rules) > 0 && w.ByHand:
		way += ", by hand and by rule"
	case len(w.Rules) > 0:
		way += ", by rule"
	}
	return way
}

func reachOf(w adminapi.HeldAccess) string {
	switch w.Reach {
	case adminapi.ReachAdministers:
		return "administers: " + w.Why
	case adminapi.ReachUnread:
		return "not read: " + strings.TrimPrefix(w.Why, "customer managed policies, not read: ")
	}
	return "-"
}
