// Package access has the command access: people ask for access that ends, decide on what others ask
// for, and administrators say who may ask for what. People sign in at the access portal, as for the
// AWS CLI; administrators use an access key.
//
// It may import adminapi, cmd/gatehouse/administer, cmd/gatehouse/profiles, outbound and terminal.
package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/profiles"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Command is the command access.
func Command(w administer.World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Ask for access that ends by itself, decide on requests, and say who may ask for what",
		Long: `You ask for a permission set in an account, for a time and with a reason. Approvers decide. The
access is there for its window, as an account assignment like any other, and goes by itself.

"offers", "request", "list", "approve", "deny", "review", "extend" and "end" are yours: they use the
token of "aws sso login" or "gatehouse profiles write", and sign you in at the access portal if there
is none. "policy", "webhook", "list --all" and "end --as-administrator" need an access key.`,
		Example: `  gatehouse access offers
  gatehouse access request --account Production --permission-set AdministratorAccess --for 1h \
      --reason "The queue is stuck" --ticket OPS-4711
  gatehouse access list
  gatehouse access approve 0192… --comment "go ahead"
  gatehouse access deny 0192… --comment "ask for read-only"
  gatehouse access extend 0192… --for 1h --reason "not done yet"
  gatehouse access end 0192…
  gatehouse access policy create --name Production --eligible Engineers --approvers Leads \
      --permission-set AdministratorAccess --account 111122223333 --longest 4h`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		offers(w), request(w), list(w), approve(w), deny(w), review(w), extend(w), end(w), policy(w), webhook(w),
		owner(w),
	)
	return cmd
}

// Add adds the command to root, or what stands under it to a command of that name that root has.
func Add(root *cobra.Command, w administer.World) {
	own := Command(w)
	for _, there := range root.Commands() {
		if there.Name() == own.Name() {
			there.Short, there.Long = own.Short, own.Long
			there.Example = strings.TrimRight(own.Example, "\n") + "\n" + there.Example
			there.AddCommand(own.Commands()...)
			return
		}
	}
	root.AddCommand(own)
}

// person is a command of somebody who signs in.
type person struct {
	administer.World
	signIn *profiles.SignIn
	asJSON bool
}

// command is one of a person's, which calls do.
func (p *person) command(
	use, short string, args cobra.PositionalArgs, do func(context.Context, []string) error,
) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error { return do(cmd.Context(), args) },
	}
	p.signIn = profiles.NewSignIn(p.World)
	p.signIn.Flags(cmd)
	cmd.Flags().BoolVar(&p.asJSON, "json", false, "print JSON")
	return cmd
}

// ask calls an operation for the person. A token that the center refuses is got anew, once.
func (p *person) ask(ctx context.Context, operation string, in, out any) error {
	refused := ""
	for {
		address, token, err := p.signIn.Token(ctx, refused)
		if err != nil {
			return err
		}
		client := &adminapi.Person{URL: address, Token: token, HTTP: outbound.Operator.Client(administer.Timeout)}
		err = client.Do(ctx, operation, in, out)
		var ended *adminapi.TokenError
		if !errors.As(err, &ended) {
			return err
		}
		if refused != "" { // somebody ends the sessions as they begin
			return fmt.Errorf("your session at %s has ended again (%w): run the command again to sign in", address, err)
		}
		refused = token
	}
}

// done calls an operation on one request, and prints what became of it.
func (p *person) done(ctx context.Context, operation string, in any) error {
	var out adminapi.AccessRequest
	if err := p.ask(ctx, operation, in, &out); err != nil {
		return err
	}
	return printRequests(p.World, p.asJSON, []adminapi.AccessRequest{out})
}

func offers(w administer.World) *cobra.Command {
	p := &person{World: w}
	const short = "List what you may ask for"
	return p.command("offers", short, terminal.NoArgs, func(ctx context.Context, _ []string) error {
		var out adminapi.AccessOffers
		if err := p.ask(ctx, "ListAccessOffers", adminapi.None{}, &out); err != nil {
			return err
		}
		if p.asJSON {
			return printJSON(w, out.Offers)
		}
		var rows [][]any
		for _, o := range out.Offers {
			for _, a := range o.Accounts {
				rows = append(rows, []any{
					a.ID, a.Name, o.PermissionSet, seconds(o.LongestSeconds), yes(o.Emergency), o.Policy,
				})
			}
		}
		return terminal.Table(w.Out, "ACCOUNT\tNAME\tPERMISSION SET\tLONGEST\tEMERGENCY\tPOLICY", rows)
	})
}

func request(w administer.World) *cobra.Command {
	p := &person{World: w}
	var in adminapi.RequestAccessInput
	var length time.Duration
	var policy, start string
	cmd := p.command("request", "Ask for access", terminal.NoArgs, func(ctx context.Context, _ []string) error {
		in.Seconds = int64(length / time.Second)
		if start != "" {
			at, err := time.Parse(time.RFC3339, start)
			if err != nil {
				return terminal.UsageError{Err: errors.New("--start: use a time such as 2026-11-29T14:00:00Z")}
			}
			in.Start = at
		}
		if err := p.named(ctx, &in, policy); err != nil {
			return err
		}
		return p.done(ctx, "RequestAccess", in)
	})
	f := cmd.Flags()
	f.StringVar(&in.AccountID, "account", "", "the account, by id or name")
	f.StringVar(&in.PermissionSet, "permission-set", "", "the permission set, by name or ARN")
	f.DurationVar(&length, "for", time.Hour, "for how long, such as 30m or 2h")
	f.StringVar(&in.Reason, "reason", "", "what the access is for")
	f.StringVar(&in.Ticket, "ticket", "", "the ticket that it belongs to")
	f.StringVar(&start, "start", "", "when it begins, such as 2026-11-29T14:00:00Z (default: when it is approved)")
	f.StringVar(&policy, "policy", "", "the policy, by name (default: the first by name that allows it)")
	f.BoolVar(&in.Emergency, "emergency", false, "have it at once; the approvers are alerted and review it afterwards")
	required(cmd, "account", "permission-set", "reason")
	return cmd
}

// named finds the ids of what the person has named.
func (p *person) named(ctx context.Context, in *adminapi.RequestAccessInput, policy string) error {
	if policy == "" && adminapi.IsAccountID(in.AccountID) {
		return nil
	}
	var all adminapi.AccessOffers
	if err := p.ask(ctx, "ListAccessOffers", adminapi.None{}, &all); err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, o := range all.Offers {
		if strings.EqualFold(o.Policy, policy) {
			in.PolicyID = o.PolicyID
		}
		for _, a := range o.Accounts {
			if strings.EqualFold(a.Name, in.AccountID) {
				ids[a.ID] = true
			}
		}
	}
	if policy != "" && in.PolicyID == "" {
		return fmt.Errorf("no policy of the name %q offers you anything: see gatehouse access offers", policy)
	}
	if adminapi.IsAccountID(in.AccountID) {
		return nil
	}
	switch len(ids) {
	case 0:
		return fmt.Errorf("no account of the name %q is offered to you: see gatehouse access offers", in.AccountID)
	case 1:
		for id := range ids {
			in.AccountID = id
		}
		return nil
	}
	return fmt.Errorf("%d accounts have the name %q: use the account's id", len(ids), in.AccountID)
}

func approve(w administer.World) *cobra.Command {
	return decision(w, "approve ID", "Approve a request, or more time for it", "ApproveAccess")
}

func deny(w administer.World) *cobra.Command {
	return decision(w, "deny ID", "Deny a request, or more time for it", "DenyAccess")
}

func decision(w administer.World, use, short, operation string) *cobra.Command {
	p := &person{World: w}
	var comment string
	cmd := p.command(use, short, oneRequest, func(ctx context.Context, args []string) error {
		return p.done(ctx, operation, adminapi.AccessRequestInput{RequestID: args[0], Comment: comment})
	})
	cmd.Flags().StringVar(&comment, "comment", "", "a comment, which is kept")
	return cmd
}

var oneRequest = terminal.OneArg("a request's id")

func review(w administer.World) *cobra.Command {
	p := &person{World: w}
	var comment string
	var right, wrong bool
	cmd := p.command("review ID", "Say whether emergency access was right, or review who has what", oneRequest,
		func(ctx context.Context, args []string) error {
			return p.done(ctx, "ReviewAccess", adminapi.AccessRequestInput{
				RequestID: args[0], Comment: comment, Right: right,
			})
		})
	f := cmd.Flags()
	f.BoolVar(&right, "right", false, "it was right")
	f.BoolVar(&wrong, "wrong", false, "it was not right: it ends now, if it is open still")
	f.StringVar(&comment, "comment", "", "a comment, which is kept")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if right == wrong {
			return terminal.UsageError{Err: errors.New("use exactly one of --right and --wrong")}
		}
		return nil
	}
	cmd.Long = `With a request's id: says whether emergency access was right; if not, it ends.

The commands under it are about reviews of who has what: administrators start one, and the owners of
permission sets and accounts ("gatehouse access owner set") confirm or remove, by a date, what people
had when it began. With --as-administrator, an access key does what an owner may, and on any line.`
	cmd.Example = `  gatehouse access review 0192… --right
  gatehouse access review start --name "Fourth quarter" --until 2026-12-31 --end-unconfirmed
  gatehouse access review list
  gatehouse access review show 0193…
  gatehouse access review confirm 0193… 0001 0004
  gatehouse access review remove 0193… 0002 --comment "has moved to Sales"
  gatehouse access review restore 0193… 0002 --comment "needed after all"
  gatehouse access review close 0193…
  gatehouse access review export 0193… > review.csv`
	cmd.AddCommand(reviewCommands(w)...)
	return cmd
}

func extend(w administer.World) *cobra.Command {
	p := &person{World: w}
	var reason string
	var length time.Duration
	cmd := p.command("extend ID", "Ask for more time", oneRequest, func(ctx context.Context, args []string) error {
		return p.done(ctx, "ExtendAccess", adminapi.AccessRequestInput{
			RequestID: args[0], Comment: reason, Seconds: int64(length / time.Second),
		})
	})
	f := cmd.Flags()
	f.DurationVar(&length, "for", time.Hour, "how much longer, such as 30m or 2h")
	f.StringVar(&reason, "reason", "", "why the access is still needed")
	required(cmd, "reason")
	return cmd
}

func required(cmd *cobra.Command, flags ...string) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range flags {
			if cmd.Flag(name).Value.String() == "" {
				return terminal.UsageError{Err: fmt.Errorf("--%s is missing", name)}
			}
		}
		return nil
	}
}

func printJSON(w administer.World, v any) error {
	e := json.NewEncoder(w.Out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func seconds(n int64) string {
	text := (time.Duration(n) * time.Second).String()
	for _, zero := range []string{"0s", "0m"} {
		if short := strings.TrimSuffix(text, zero); strings.HasSuffix(short, "m") || strings.HasSuffix(short, "h") {
			text = short
		}
	}
	return text
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func printRequests(w administer.World, asJSON bool, list []adminapi.AccessRequest) error {
	if asJSON {
		return printJSON(w, list)
	}
	var rows [][]any
	for _, r := range list {
		until := ""
		switch {
		case !r.EndedAt.IsZero():
			until = administer.Moment(&r.EndedAt)
		case !r.EndsAt.IsZero():
			until = administer.Moment(&r.EndsAt)
		}
		note := ""
		switch {
		case r.ToReview:
			note = "to be reviewed"
		case r.WaitsForYou:
			note = "waits for you"
		case r.EndReason != "" && !r.EndedAt.IsZero():
			note = r.EndReason
		}
		rows = append(rows, []any{r.RequestID, r.State, r.UserName,
			r.PermissionSet + " in " + r.AccountName + " (" + r.AccountID + ")", seconds(r.Seconds), until, r.Reason,
			note})
	}
	return terminal.Table(w.Out, "REQUEST\tSTATE\tWHO\tACCESS\tFOR\tUNTIL\tREASON\tNOTE", rows)
}
