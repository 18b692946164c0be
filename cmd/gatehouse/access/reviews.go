package access

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// officeUnder adds an administrator's commands, each with its own flags, to a command that has a
// person's too.
func officeUnder(w administer.World, built func(o *office) *cobra.Command) *cobra.Command {
	o := &office{World: w}
	cmd := built(o)
	o.key(cmd)
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// reviewCommands stand under access review.
func reviewCommands(w administer.World) []*cobra.Command {
	return []*cobra.Command{
		officeUnder(w, (*office).startReview), reviewList(w), reviewShow(w),
		verdict(w, "confirm REVIEW LINE...", "Say that people keep what they have", "CONFIRM"),
		verdict(w, "remove REVIEW LINE...", "Take what lines of a review are about, at once", "REMOVE"),
		verdict(w, "restore REVIEW LINE...", "Give back what a review has taken", "RESTORE"),
		officeUnder(w, (*office).closeReview), officeUnder(w, (*office).exportReview),
	}
}

func (o *office) startReview() *cobra.Command {
	var v adminapi.AccessReview
	var until string
	cmd := o.command("start", "Have owners confirm or remove who has access, by a date", terminal.NoArgs,
		func(ctx context.Context, c *adminapi.Client, _ []string) error {
			at, err := time.Parse(time.RFC3339, until)
			if err != nil {
				if at, err = time.Parse(time.DateOnly, until); err != nil {
					return terminal.UsageError{Err: errors.New("--until: use a date such as 2026-12-31")}
				}
			}
			v.Deadline = at
			made, err := c.StartAccessReview(ctx, v)
			if err != nil {
				return err
			}
			return printReviews(o.World, o.asJSON, []adminapi.AccessReview{made})
		})
	f := cmd.Flags()
	f.StringVar(&v.Name, "name", "", "what people see")
	f.StringVar(&until, "until", "", "by when, such as 2026-12-31 (midnight UTC) or 2026-12-31T17:00:00Z")
	f.StringVar(&v.PermissionSetARN, "permission-set", "", "only this permission set, by name or ARN")
	f.StringVar(&v.AccountID, "account", "", "only the account with this id or name")
	f.BoolVar(&v.Administrative, "administrative", false, "only permission sets that administer an account, or may")
	f.BoolVar(&v.EndUnconfirmed, "end-unconfirmed", false, "what nobody confirms ends")
	f.IntVar(&v.RestoreDays, "restore-days", 0, "for how many days what is taken can be given back (default 30)")
	required(cmd, "name", "until")
	return cmd
}

func (o *office) closeReview() *cobra.Command {
	keep := false
	cmd := o.command("close REVIEW", "Bring a review's deadline to now", terminal.OneArg("a review's name or id"),
		func(ctx context.Context, c *adminapi.Client, args []string) error {
			v, err := c.CloseAccessReview(ctx, args[0], keep)
			if err != nil {
				return err
			}
			return printReviews(o.World, o.asJSON, []adminapi.AccessReview{v})
		})
	cmd.Flags().BoolVar(&keep, "keep", false, "what nobody has confirmed stays")
	return cmd
}

func (o *office) exportReview() *cobra.Command {
	return o.command("export REVIEW", "Print all lines of a review as CSV", terminal.OneArg("a review's name or id"),
		func(ctx context.Context, c *adminapi.Client, args []string) error {
			all, err := allLines(ctx, c, adminapi.ReviewInput{ReviewID: args[0]})
			if err != nil {
				return err
			}
			if o.asJSON {
				return printJSON(o.World, all.Lines)
			}
			w := csv.NewWriter(o.Out)
			_ = w.Write(all.Columns) // its error stays, and Error has it
			for _, l := range all.Lines {
				for i, text := range l.Cells {
					// a spreadsheet must take no name for a formula
					if text = terminal.Inline(text); text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
						text = "'" + text
					}
					l.Cells[i] = text
				}
				_ = w.Write(l.Cells)
			}
			w.Flush()
			return w.Error()
		})
}

func allLines(ctx context.Context, c *adminapi.Client, in adminapi.ReviewInput) (all adminapi.ReviewLines, err error) {
	for {
		page, err := c.ReviewLines(ctx, in)
		if err != nil || len(page.Lines) == 0 {
			return all, err
		}
		all.Columns = page.Columns
		all.Lines = append(all.Lines, page.Lines...)
		in.After = page.Lines[len(page.Lines)-1].Line
	}
}

// either is a command of an owner or, with an access key, of an administrator.
type either struct {
	person
	office        office
	administrator bool
}

func newEither(w administer.World) *either {
	return &either{person: person{World: w}, office: office{World: w}}
}

func (e *either) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(
		&e.administrator, "as-administrator", false, "any line, with an administrator's access key",
	)
	e.office.key(cmd)
	return cmd
}

func reviewList(w administer.World) *cobra.Command {
	e := newEither(w)
	return e.flags(e.command("list", "List the reviews in which something is yours to decide", terminal.NoArgs,
		func(ctx context.Context, _ []string) error {
			if !e.administrator {
				var out adminapi.AccessReviews
				if err := e.ask(ctx, "ListOwnReviews", adminapi.ReviewInput{}, &out); err != nil {
					return err
				}
				return printReviews(w, e.asJSON, out.Reviews)
			}
			c, err := e.office.client()
			if err != nil {
				return err
			}
			list, err := c.AccessReviews(ctx)
			if err != nil {
				return err
			}
			return printReviews(w, e.asJSON, list)
		}))
}

func reviewShow(w administer.World) *cobra.Command {
	e := newEither(w)
	return e.flags(e.command("show REVIEW", "List the lines of a review, with who used what last",
		terminal.OneArg("a review's name or id"), func(ctx context.Context, args []string) error {
			in := adminapi.ReviewInput{ReviewID: args[0]}
			if e.administrator {
				c, err := e.office.client()
				if err != nil {
					return err
				}
				all, err := allLines(ctx, c, in)
				if err != nil {
					return err
				}
				return printLines(w, e.asJSON, all.Lines)
			}
			var lines []adminapi.ReviewLine
			for {
				var out adminapi.AccessReviews
				if err := e.ask(ctx, "ListOwnReviews", in, &out); err != nil {
					return err
				}
				if len(out.Reviews) == 0 {
					break
				}
				lines = append(lines, out.Reviews[0].Lines...)
				in.After = lines[len(lines)-1].Line
			}
			if len(lines) == 0 {
				return errors.New("nothing of this review is yours to decide: see gatehouse access review list")
			}
			return printLines(w, e.asJSON, lines)
		}))
}

func verdict(w administer.World, use, short, say string) *cobra.Command {
	e := newEither(w)
	var comment string
	some := func(_ *cobra.Command, args []string) error {
		if len(args) < 2 {
			return terminal.UsageError{Err: errors.New("name a review and at least one of its lines")}
		}
		return nil
	}
	cmd := e.command(use, short, some, func(ctx context.Context, args []string) error {
		in := adminapi.DecideReviewInput{ReviewID: args[0], Verdict: say, Lines: args[1:], Comment: comment}
		var out adminapi.ReviewLines
		if !e.administrator {
			if err := e.ask(ctx, "DecideReview", in, &out); err != nil {
				return err
			}
			return printLines(w, e.asJSON, out.Lines)
		}
		c, err := e.office.client()
		if err != nil {
			return err
		}
		if out, err = c.DecideReview(ctx, in); err != nil {
			return err
		}
		return printLines(w, e.asJSON, out.Lines)
	})
	cmd.Flags().StringVar(&comment, "comment", "", "a comment, which is kept")
	return e.flags(cmd)
}

func printReviews(w administer.World, asJSON bool, list []adminapi.AccessReview) error {
	if asJSON {
		return printJSON(w, list)
	}
	var rows [][]any
	for _, v := range list {
		rows = append(rows, []any{
			v.ReviewID, v.Name, v.State, administer.Moment(&v.Deadline), yes(v.EndUnconfirmed), v.Waiting,
		})
	}
	return terminal.Table(w.Out, "REVIEW\tNAME\tSTATE\tUNTIL\tENDS WHAT IS NOT CONFIRMED\tWAIT FOR YOU", rows)
}

func printLines(w administer.World, asJSON bool, list []adminapi.ReviewLine) error {
	if asJSON {
		return printJSON(w, list)
	}
	var rows [][]any
	for _, l := range list {
		where := " in " + l.AccountName + " (" + l.AccountID + ")"
		if l.AccountID == "" {
			where = " where the rule matches"
		}
		used := "never"
		if !l.LastUsed.IsZero() {
			used = administer.Moment(&l.LastUsed) + " by " + l.LastUsedBy
		}
		rows = append(rows, []any{
			l.Line, l.State, l.PrincipalName, l.PermissionSet + where, strings.ToLower(l.Way), used, l.Removing,
		})
	}
	return terminal.Table(w.Out, "LINE\tSTATE\tWHO\tACCESS\tBY\tLAST USED\tREMOVING", rows)
}

// owner says who reviews what.
func owner(w administer.World) *cobra.Command {
	o := &office{World: w}
	var of adminapi.AccessOwner
	var user, group string
	what := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringVar(&of.PermissionSetARN, "permission-set", "", "the permission set, by name or ARN")
		cmd.Flags().StringVar(&of.AccountID, "account", "", "the account, by id or name")
		return cmd
	}
	set := what(o.command("set", "Say who reviews a permission set or an account", terminal.NoArgs,
		func(ctx context.Context, c *adminapi.Client, _ []string) error {
			if (user == "") == (group == "") {
				return terminal.UsageError{Err: errors.New("use exactly one of --user and --group")}
			}
			of.OwnerType, of.OwnerID = "USER", user
			if group != "" {
				of.OwnerType, of.OwnerID = "GROUP", group
			}
			return o.done(c.PutAccessOwner(ctx, of), "The owner is set.")
		}))
	set.Flags().StringVar(&user, "user", "", "the user, by name or id")
	set.Flags().StringVar(&group, "group", "", "the group, by name or id")
	list := o.command("list", "List who reviews what", terminal.NoArgs,
		func(ctx context.Context, c *adminapi.Client, _ []string) error {
			all, err := c.AccessOwners(ctx)
			if err != nil {
				return err
			}
			if o.asJSON {
				return printJSON(w, all)
			}
			var rows [][]any
			for _, a := range all {
				of := cmp.Or(a.PermissionSetName, a.PermissionSetARN) + cmp.Or(a.AccountName, a.AccountID)
				rows = append(rows, []any{of, strings.ToLower(a.OwnerType), cmp.Or(a.OwnerName, a.OwnerID)})
			}
			return terminal.Table(w.Out, "OF\tTYPE\tOWNER", rows)
		})
	remove := what(o.command("remove", "Leave a review to administrators", terminal.NoArgs,
		func(ctx context.Context, c *adminapi.Client, _ []string) error {
			return o.done(c.DeleteAccessOwner(ctx, of), "The owner is removed: administrators review it.")
		}))
	return o.group("owner", "Say who reviews who has a permission set, or what people have in an account",
		`  gatehouse access owner set --permission-set AdministratorAccess --group Leads
  gatehouse access owner set --account Production --user ada@example.com
  gatehouse access owner list
  gatehouse access owner remove --account Production`,
		set, list, remove)
}
