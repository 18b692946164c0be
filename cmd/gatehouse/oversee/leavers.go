package oversee

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// accept is what somebody types who wants what the plan says.
const accept = "ACCEPT"

// leaverReport is what `leavers --json` prints. Fields are added, never changed.
type leaverReport struct {
	Disabled []adminapi.Leaver `json:"disabled"`
	Deleted  []adminapi.Orphan `json:"deleted"`
}

// leavers is the report on who left with something, and the group of commands that mend it.
type leavers struct {
	*administer.Caller
	asCSV   bool
	confirm string
	to      string
}

func (w World) leavers() *cobra.Command {
	l := &leavers{Caller: administer.NewCaller(w.World)}
	cmd := l.Command("leavers", "List who is disabled or deleted and has something left, and mend it", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error { return l.list(cmd.Context(), c) })
	report := cmd.RunE
	l.Group(cmd)
	cmd.RunE = report
	cmd.Long = `Lists disabled users with what is given to them beside the directory, which would open something
again with the user: assignments to the user, memberships of groups that the identity provider does
not keep, and what is open still: sessions, roles whose credentials nobody refuses, access keys and
administrators of the console under the user's name.

It lists deleted users and groups to which something is still assigned. That grants nothing, since
ids are never used again: give it to who came back under another id, or remove it.`
	cmd.Example = `  gatehouse leavers
  gatehouse leavers --csv > leavers.csv
  gatehouse leavers relink Platform          # to the group that came back, as the list names it
  gatehouse leavers relink 6f1c… --to "Platform team"
  gatehouse leavers remove ada@example.com`
	cmd.Flags().BoolVar(&l.asCSV, "csv", false, "print CSV")
	cmd.AddCommand(l.relink(), l.remove())
	return cmd
}

// read reads all pages of the report.
func (l *leavers) read(ctx context.Context, c *adminapi.Client) (r leaverReport, err error) {
	r = leaverReport{Disabled: []adminapi.Leaver{}, Deleted: []adminapi.Orphan{}}
	for next := ""; ; {
		page, err := c.ListLeavers(ctx, next)
		if err != nil {
			return r, err
		}
		r.Disabled = append(r.Disabled, page.Leavers...)
		if next = page.NextToken; next == "" {
			break
		}
	}
	for next := ""; ; {
		page, err := c.ListOrphans(ctx, next)
		if err != nil {
			return r, err
		}
		r.Deleted = append(r.Deleted, page.Orphans...)
		if next = page.NextToken; next == "" {
			return r, nil
		}
	}
}

const leaverColumns = "WHO\tSTATE\tASSIGNMENTS\tAPPLICATIONS\tGROUPS\tSESSIONS\tROLES\tKEYS\tNOTE\tID"

func (l *leavers) list(ctx context.Context, c *adminapi.Client) error {
	r, err := l.read(ctx, c)
	if err != nil {
		return err
	}
	if l.asCSV && !l.JSON() {
		return l.printCSV(r)
	}
	err = l.Print(r, leaverColumns, func(line func(...any)) {
		for _, row := range r.rows() {
			cells := make([]any, len(row))
			for i, text := range row {
				cells[i] = text
			}
			line(cells...)
		}
	})
	if err == nil && !l.JSON() && len(r.Disabled)+len(r.Deleted) == 0 {
		fmt.Fprintln(l.Err, "Nobody who is disabled or deleted has anything left.")
	}
	return err
}

// rows are the lines of the table.
func (r leaverReport) rows() (rows [][]string) {
	for _, d := range r.Disabled {
		note := ""
		if d.Console {
			note = "an administrator of the console has the name"
		}
		rows = append(rows, []string{
			d.UserName, "disabled", strconv.Itoa(d.Assignments), strconv.Itoa(d.Applications),
			strings.Join(d.Groups, " "), strconv.Itoa(d.Sessions), strconv.Itoa(d.OpenRoles),
			strings.Join(d.AccessKeys, " "), note, d.UserID,
		})
	}
	for _, o := range r.Deleted {
		note := ""
		if o.Successor != "" {
			note = "came back as " + o.SuccessorName
		}
		if o.Rules > 0 {
			note = strings.TrimPrefix(note+"; has assignment rules", "; ")
		}
		state := "deleted user"
		if o.PrincipalType == "GROUP" {
			state = "deleted group"
		}
		rows = append(rows, []string{
			cmp.Or(o.Name, "(name not known)"), state, strconv.Itoa(o.Assignments), strconv.Itoa(o.Applications), "",
			"0", "0", "", note, o.PrincipalID,
		})
	}
	return rows
}

// printCSV prints the table for a spreadsheet, which must take no name for a formula.
func (l *leavers) printCSV(r leaverReport) error {
	w := csv.NewWriter(l.Out)
	lines := append([][]string{strings.Split(strings.ToLower(leaverColumns), "\t")}, r.rows()...)
	for _, line := range lines {
		for i, text := range line {
			if text = terminal.Inline(text); text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
				text = "'" + text
			}
			line[i] = text
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// find is the line of the report that a name or an id names.
func (r leaverReport) find(name string) (leaver *adminapi.Leaver, orphan *adminapi.Orphan, err error) {
	found := 0
	for i, d := range r.Disabled {
		if d.UserID == name || strings.EqualFold(d.UserName, name) {
			leaver, found = &r.Disabled[i], found+1
		}
	}
	for i, o := range r.Deleted {
		if o.PrincipalID == name || o.Name != "" && strings.EqualFold(o.Name, name) {
			orphan, found = &r.Deleted[i], found+1
		}
	}
	switch found {
	case 0:
		return nil, nil, fmt.Errorf("%s is not among the leavers: gatehouse leavers lists them", name)
	case 1:
		return leaver, orphan, nil
	}
	return nil, nil, fmt.Errorf("more than one leaver is called %s: use the ID", name)
}

// confirmed shows a plan and asks whether it is wanted.
func (l *leavers) confirmed(plan string) error {
	fmt.Fprintln(l.Err, plan)
	typed := l.confirm
	if typed == "" {
		var err error
		if typed, err = terminal.Ask(l.In, l.Err, "Type "+accept+" to do it: "); err != nil {
			return err
		}
	}
	if strings.TrimSpace(typed) != accept {
		return errors.New("nothing was changed: it was not confirmed with " + accept)
	}
	return nil
}

func (l *leavers) tell(m adminapi.Moved) error {
	err := l.Print(m, "ASSIGNMENTS\tAPPLICATIONS\tRULES\tMEMBERSHIPS\tLEFT", func(line func(...any)) {
		line(m.Assignments, m.Applications, m.Rules, m.Memberships, m.Left)
	})
	for _, p := range m.Problems {
		fmt.Fprintln(l.Err, terminal.Inline(p))
	}
	if err == nil && m.Left > 0 {
		err = errors.New(terminal.Counted("%d {assignment is|assignments are} left: see above", m.Left))
	}
	return err
}

func (l *leavers) relink() *cobra.Command {
	cmd := l.Command("relink LEAVER", "Give the assignments of a deleted user or group to who came back",
		terminal.OneArg("a name or an id, as \"gatehouse leavers\" lists it"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			r, err := l.read(cmd.Context(), c)
			if err != nil {
				return err
			}
			_, o, err := r.find(args[0])
			if err != nil {
				return err
			}
			if o == nil {
				return fmt.Errorf("%s is disabled, and not deleted: what is assigned stays", args[0])
			}
			to, name, err := l.successor(cmd, c, *o)
			if err != nil {
				return err
			}
			if err := l.confirmed(terminal.Counted(
				"%d {assignment|assignments} to accounts, %d {application|applications} and %d {rule|rules}\n"+
					"of the deleted %s %s (%s) will be those of %s (%s), who can use them at once.",
				o.Assignments, o.Applications, o.Rules, strings.ToLower(o.PrincipalType), terminal.Inline(o.Name),
				terminal.Inline(o.PrincipalID), terminal.Inline(name), terminal.Inline(to),
			)); err != nil {
				return err
			}
			m, err := c.RelinkAssignments(cmd.Context(), adminapi.MoveInput{
				PrincipalType: o.PrincipalType, PrincipalID: o.PrincipalID, To: to,
			})
			if err != nil {
				return err
			}
			return l.tell(m)
		})
	cmd.Flags().StringVar(&l.to, "to", "", "who gets them: a user, or a group, by name or ID (default: who came back)")
	cmd.Flags().StringVar(&l.confirm, "confirm", "", "the word "+accept+", to skip the question")
	return cmd
}

// successor is who gets the assignments.
func (l *leavers) successor(cmd *cobra.Command, c *adminapi.Client, o adminapi.Orphan) (id, name string, err error) {
	switch {
	case l.to == "" && o.Successor == "":
		return "", "", errors.New("nobody is known who came back: name somebody with --to")
	case l.to == "":
		return o.Successor, o.SuccessorName, nil
	case o.PrincipalType == "GROUP":
		in := adminapi.GroupInput{GroupName: l.to}
		if uuid.MatchString(l.to) {
			in = adminapi.GroupInput{GroupID: l.to}
		}
		g, err := c.DescribeGroup(cmd.Context(), in)
		return g.GroupID, g.DisplayName, err
	}
	u, err := administer.FindUser(cmd, c, l.to)
	return u.UserID, u.UserName, err
}

func (l *leavers) remove() *cobra.Command {
	cmd := l.Command("remove LEAVER", "Remove what is assigned to somebody who is disabled or deleted",
		terminal.OneArg("a name or an id, as \"gatehouse leavers\" lists it"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			r, err := l.read(cmd.Context(), c)
			if err != nil {
				return err
			}
			d, o, err := r.find(args[0])
			if err != nil {
				return err
			}
			in := adminapi.MoveInput{PrincipalType: "USER"}
			plan := ""
			if o != nil {
				in.PrincipalType, in.PrincipalID = o.PrincipalType, o.PrincipalID
				plan = terminal.Counted("%d {assignment|assignments} to accounts, %d {application|applications} "+
					"and %d {rule|rules} of the deleted %s %s "+
					"(%s) will be removed.", o.Assignments, o.Applications, o.Rules, strings.ToLower(o.PrincipalType),
					terminal.Inline(o.Name), terminal.Inline(o.PrincipalID))
			} else {
				in.PrincipalID = d.UserID
				plan = terminal.Counted("%d {assignment|assignments} to accounts, %d {application|applications} "+
					"and the memberships of %d {group|groups} of "+
					"%s will be removed. The user stays disabled.", d.Assignments, d.Applications, len(d.Groups),
					terminal.Inline(d.UserName))
			}
			if err := l.confirmed(plan); err != nil {
				return err
			}
			m, err := c.RemoveAccess(cmd.Context(), in)
			if err != nil {
				return err
			}
			return l.tell(m)
		})
	cmd.Flags().StringVar(&l.confirm, "confirm", "", "the word "+accept+", to skip the question")
	return cmd
}
