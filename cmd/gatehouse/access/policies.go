package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// office is a command of an administrator, with an access key.
type office struct {
	administer.World
	address administer.Address
	asJSON  bool
}

func (o *office) client() (*adminapi.Client, error) {
	c, mistakes := o.address.Client(o.Env, outbound.Operator.Client(administer.Timeout))
	if len(mistakes) > 0 {
		return nil, terminal.UsageError{Err: errors.Join(mistakes...)}
	}
	return c, nil
}

// command is one of an administrator's, which calls do with a client.
func (o *office) command(
	use, short string, args cobra.PositionalArgs, do func(context.Context, *adminapi.Client, []string) error,
) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			return administer.Helped(cmd.Context(), c, do(cmd.Context(), c, args))
		},
	}
}

// done says what was done, unless it was not: to a program as JSON.
func (o *office) done(err error, words string) error {
	switch {
	case err != nil:
		return err
	case o.asJSON:
		return printJSON(o.World, struct{ Done string }{words})
	}
	_, err = fmt.Fprintln(o.Err, words)
	return err
}

// group is the command that others stand under.
func (o *office) group(use, short, examples string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Example: examples, Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.address.Flags(cmd)
	cmd.PersistentFlags().BoolVar(&o.asJSON, "json", false, "print JSON")
	cmd.AddCommand(commands...)
	return cmd
}

func policy(w administer.World) *cobra.Command {
	o := &office{World: w}
	return o.group("policy", "Say who may ask for what, for how long, and who decides",
		`  gatehouse access policy create --name Production --eligible Engineers --approvers Leads \
      --permission-set AdministratorAccess --account 111122223333 --longest 4h
  gatehouse access policy list
  gatehouse access policy delete Production`,
		o.createPolicy(),
		o.command("list", "List the policies", terminal.NoArgs,
			func(ctx context.Context, c *adminapi.Client, _ []string) error {
				list, err := c.RequestPolicies(ctx)
				if err != nil {
					return err
				}
				return o.printPolicies(list)
			}),
		o.command("delete POLICY", "Delete a policy; what waits for approval is denied",
			terminal.OneArg("a policy's name or id"),
			func(ctx context.Context, c *adminapi.Client, args []string) error {
				return o.done(c.DeleteRequestPolicy(ctx, args[0]),
					"The policy is deleted. What waited for approval is denied.")
			}),
	)
}

func (o *office) printPolicies(list []adminapi.RequestPolicy) error {
	if o.asJSON {
		return printJSON(o.World, list)
	}
	var rows [][]any
	for _, p := range list {
		where := cmp.Or(p.AccountName, p.AccountID) + p.Unit
		if p.Tag != nil {
			where = p.Tag.Text()
		}
		rows = append(rows, []any{
			p.PolicyID, p.Name, cmp.Or(p.EligibleGroupName, p.EligibleGroupID),
			cmp.Or(p.PermissionSetName, p.PermissionSetARN), where, seconds(p.LongestSeconds),
			cmp.Or(p.ApproverGroupName, p.ApproverGroupID), p.Approvals, yes(p.Emergency),
		})
	}
	return terminal.Table(o.Out,
		"POLICY\tNAME\tWHO\tPERMISSION SET\tWHERE\tLONGEST\tAPPROVERS\tAPPROVALS\tEMERGENCY", rows)
}

func (o *office) createPolicy() *cobra.Command {
	var p adminapi.RequestPolicy
	var tag string
	var longest time.Duration
	cmd := o.command("create", "Let the members of a group ask for access", terminal.NoArgs,
		func(ctx context.Context, c *adminapi.Client, _ []string) error {
			p.LongestSeconds = int64(longest / time.Second)
			if tag != "" {
				p.Tag = adminapi.ReadTag(tag)
			}
			made, err := c.CreateRequestPolicy(ctx, p)
			if err != nil {
				return err
			}
			return o.printPolicies([]adminapi.RequestPolicy{made})
		})
	f := cmd.Flags()
	f.StringVar(&p.Name, "name", "", "what people see")
	f.StringVar(&p.EligibleGroupID, "eligible", "", "the group whose members may ask, by name or id")
	f.StringVar(&p.ApproverGroupID, "approvers", "", "the group whose members decide on what others ask for")
	f.IntVar(&p.Approvals, "approvals", 1, "how many must approve: 1 or 2")
	f.StringVar(&p.PermissionSetARN, "permission-set", "", "the permission set, by name or ARN")
	f.StringVar(&p.AccountID, "account", "", "the account, by name or id")
	f.StringVar(&p.Unit, "unit", "", "id of an organizational unit or of the root; includes the units below it")
	f.StringVar(&tag, "tag", "", administer.TagUsage)
	f.DurationVar(&longest, "longest", 4*time.Hour, "how long access may last, such as 30m or 8h; at most 720h")
	f.BoolVar(&p.Emergency, "emergency", false, "people may have it at once; the approvers review it afterwards")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		places := 0
		for _, place := range []string{p.AccountID, p.Unit, tag} {
			if place != "" {
				places++
			}
		}
		switch {
		case places != 1:
			return terminal.UsageError{Err: errors.New("use exactly one of --account, --unit and --tag")}
		case p.Name == "" || p.EligibleGroupID == "" || p.ApproverGroupID == "" || p.PermissionSetARN == "":
			return terminal.UsageError{
				Err: errors.New("--name, --eligible, --approvers and --permission-set are needed"),
			}
		}
		return nil
	}
	return cmd
}

func webhook(w administer.World) *cobra.Command {
	o := &office{World: w}
	show := func(hook adminapi.RequestWebhook, err error) error {
		if err != nil {
			return err
		}
		if o.asJSON {
			return printJSON(o.World, hook)
		}
		if hook.URL == "" {
			fmt.Fprintln(o.Out, "Notices are posted nowhere.")
			return nil
		}
		fmt.Fprintf(o.Out, "Notices are posted to %s.\n", terminal.Inline(hook.URL))
		if hook.Secret != "" {
			fmt.Fprintf(o.Out, "They are signed with this secret, which is shown once:\n\n  %s\n", hook.Secret)
			return nil
		}
		fmt.Fprintf(o.Out, "The last one was taken: %s.\n", administer.Moment(&hook.PostedAt))
		if hook.Problem != "" {
			fmt.Fprintf(o.Out, "The last try failed: %s\n", terminal.Inline(hook.Problem))
		}
		return nil
	}
	return o.group("webhook", "Post a signed notice of each request to an address",
		`  gatehouse access webhook set https://chat.example.com/hooks/access
  gatehouse access webhook show
  gatehouse access webhook remove`,
		o.command("set URL", "Post notices to an address; prints the secret that they are signed with",
			terminal.OneArg("an https address"), func(ctx context.Context, c *adminapi.Client, args []string) error {
				return show(c.PutRequestWebhook(ctx, args[0]))
			}),
		o.command("show", "Say where notices are posted, and whether they are taken", terminal.NoArgs,
			func(ctx context.Context, c *adminapi.Client, _ []string) error { return show(c.RequestWebhook(ctx)) }),
		o.command("remove", "Post nothing anymore", terminal.NoArgs,
			func(ctx context.Context, c *adminapi.Client, _ []string) error {
				return show(c.PutRequestWebhook(ctx, ""))
			}),
	)
}

// list is a person's own list, or with an access key everybody's.
func list(w administer.World) *cobra.Command {
	p, o := &person{World: w}, &office{World: w}
	var all bool
	in := adminapi.ListAccessRequestsInput{}
	cmd := p.command("list", "List your requests and what waits for you", terminal.NoArgs,
		func(ctx context.Context, _ []string) error {
			if !all {
				var out adminapi.AccessRequests
				if err := p.ask(ctx, "ListAccessRequests", in, &out); err != nil {
					return err
				}
				return printRequests(w, p.asJSON, out.Requests)
			}
			c, err := o.client()
			if err != nil {
				return err
			}
			found, err := c.AccessRequests(ctx, in)
			if err != nil {
				return err
			}
			if err := printRequests(w, p.asJSON, found); err != nil || len(found) < mostListed || p.asJSON {
				return err
			}
			fmt.Fprintf(w.Err, "These are the newest %d. The next ones: --before %s\n", mostListed,
				terminal.Inline(found[len(found)-1].RequestID))
			return nil
		})
	f := cmd.Flags()
	f.BoolVar(&in.Open, "open", false, "only those about which something is still to be done")
	f.BoolVar(&all, "all", false, "everybody's, with an administrator's access key")
	f.StringVar(&in.Before, "before", "", "with --all: only those that are older than the one with this id")
	o.key(cmd)
	return cmd
}

// mostListed is how many requests the center lists at once.
const mostListed = 200 //bound:list requests for access that one answer has

// key adds the flags of an access key to a person's command. Where and in which Region are its
// own.
func (o *office) key(cmd *cobra.Command) {
	own := &cobra.Command{}
	o.address.Flags(own)
	for _, name := range []string{"center-url", "access-key-id", "secret-access-key"} {
		cmd.Flags().AddFlag(own.PersistentFlags().Lookup(name))
	}
}

// end ends one's own access, what one may decide on, or with an access key anybody's.
func end(w administer.World) *cobra.Command {
	p, o := &person{World: w}, &office{World: w}
	var reason string
	var administrator bool
	cmd := p.command("end ID", "End access now, or take a request back", oneRequest,
		func(ctx context.Context, args []string) error {
			if !administrator {
				return p.done(ctx, "EndAccess", adminapi.AccessRequestInput{RequestID: args[0], Comment: reason})
			}
			c, err := o.client()
			if err != nil {
				return err
			}
			r, err := c.EndAccess(ctx, args[0], reason)
			if err != nil {
				return err
			}
			return printRequests(w, p.asJSON, []adminapi.AccessRequest{r})
		})
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "a reason, which is kept")
	f.BoolVar(&administrator, "as-administrator", false, "end anybody's, with an administrator's access key")
	o.key(cmd)
	return cmd
}
