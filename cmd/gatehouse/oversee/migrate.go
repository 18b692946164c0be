package oversee

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// migration turns assignments of permission sets into entitlements.
type migration struct {
	*administer.Caller
	in        adminapi.MigrationInput
	to        string
	terraform bool
	cloud     bool
	apply     bool
	undo      bool
	confirm   string
}

func (w World) migrate() *cobra.Command {
	m := &migration{Caller: administer.NewCaller(w.World)}
	cmd := m.Command("migrate", "Plan how assignments of permission sets become entitlements to existing roles",
		terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error { return m.run(cmd.Context(), c) })
	cmd.Long = `Plans which assignments become entitlements to roles that are called like the permission sets, what
these roles need, and what cannot move. It changes nothing, unless --apply is given: then the
entitlements are made at the center. Assignments stay as they are, so that nobody is without access;
remove them when everybody uses the roles. It may be repeated. --undo removes those that
--apply has made, and no equal ones that somebody else has made.

--terraform prints the plan for AWS instead: the application and the entitlements as resources of
Terraform's AWS provider, which finds users and groups by their names. --cloudformation prints it as a
template, with the IDs of users and groups at AWS as parameters. The trust statement that each role
needs there is an output of both.`
	cmd.Example = `  gatehouse access migrate --to account-access
  gatehouse access migrate --to account-access --account Production --path /people/ --apply
  gatehouse access migrate --to account-access --terraform > account-access.tf.json
  gatehouse access migrate --to account-access --cloudformation > account-access.json`
	m.Single(cmd)
	f := cmd.Flags()
	f.StringVar(&m.to, "to", "", "where to: account-access")
	f.StringVar(&m.in.AccountID, "account", "", "only this AWS account, by name or ID")
	f.StringVar(&m.in.Path, "path", "", "path of the roles (default /)")
	f.BoolVar(&m.terraform, "terraform", false, "print Terraform for AWS, in its JSON syntax")
	f.BoolVar(&m.cloud, "cloudformation", false, "print a CloudFormation template for AWS")
	f.BoolVar(&m.apply, "apply", false, "make the entitlements at the center")
	f.BoolVar(&m.undo, "undo", false, "remove the entitlements that --apply has made")
	f.StringVar(&m.confirm, "confirm", "", "the word "+accept+", to skip the question")
	return cmd
}

func (m *migration) run(ctx context.Context, c *adminapi.Client) error {
	switch {
	case m.to != "account-access":
		return errors.New("say where to: --to account-access")
	case m.count() > 1:
		return errors.New("use one of --apply, --undo, --terraform and --cloudformation")
	}
	plan, err := c.PreviewMigration(ctx, m.in)
	if err != nil {
		return err
	}
	if m.terraform || m.cloud {
		return m.code(ctx, c, plan)
	}
	if err := m.show(plan); err != nil {
		return err
	}
	switch {
	case m.apply:
		return m.make(ctx, c, plan)
	case m.undo:
		return m.unmake(ctx, c, plan)
	}
	return nil
}

// count is how many things are asked for.
func (m *migration) count() (n int) {
	for _, asked := range []bool{m.apply, m.undo, m.terraform, m.cloud} {
		if asked {
			n++
		}
	}
	return n
}

// code prints a plan for AWS.
func (m *migration) code(ctx context.Context, c *adminapi.Client, plan adminapi.Migration) error {
	d, err := c.DescribeDirectory(ctx)
	if err != nil {
		return err
	}
	var text []byte
	if m.cloud {
		text, err = cloudFormationOf(plan)
	} else {
		text, err = terraformOf(plan, d.Region)
	}
	if err == nil {
		_, err = m.Out.Write(append(text, '\n'))
	}
	return err
}

func (m *migration) show(plan adminapi.Migration) error {
	err := m.Print(plan, "WHO\tROLE\tSTATE", func(line func(...any)) {
		for _, e := range plan.Entitlements {
			state := "to be made"
			switch {
			case e.Migrated:
				state = "there, made by a migration"
			case e.EntitlementID != "":
				state = "there, not made by a migration"
			}
			line(holder(e), e.RoleArn, state)
		}
		for _, s := range plan.Stays {
			who := strings.ToLower(s.PrincipalType) + " " + s.PrincipalID
			line(who, s.PermissionSet+" in "+s.AccountID, "stays: "+s.Why)
		}
	})
	if err != nil || m.JSON() {
		return err
	}
	for _, r := range plan.Roles {
		for _, need := range r.Needs {
			fmt.Fprintln(m.Err, terminal.Inline(r.RoleArn+" needs "+need))
		}
		for _, lost := range r.Lost {
			fmt.Fprintln(m.Err, terminal.Inline(r.RoleArn+" has no place for "+lost))
		}
	}
	return nil
}

// confirmed asks whether a plan is wanted.
func (m *migration) confirmed(plan string) error {
	l := leavers{Caller: m.Caller, confirm: m.confirm}
	return l.confirmed(plan)
}

// make makes what is not there yet. One role that does not fit keeps nobody else from theirs.
func (m *migration) make(ctx context.Context, c *adminapi.Client, plan adminapi.Migration) error {
	var wanted []adminapi.Entitlement
	for _, e := range plan.Entitlements {
		if e.EntitlementID == "" {
			e.Migrated = true
			wanted = append(wanted, e)
		}
	}
	if len(wanted) == 0 {
		fmt.Fprintln(m.Err, "Everything is there already.")
		return nil
	}
	err := m.confirmed(terminal.Counted(
		"%d {entitlement|entitlements} will be made. Assignments stay as they are.", len(wanted),
	))
	if err != nil {
		return err
	}
	if _, err := c.EnableAccountAccess(ctx); err != nil {
		return err
	}
	failed := 0
	for _, e := range wanted {
		if _, err := c.CreateEntitlement(ctx, e); err != nil {
			failed++
			fmt.Fprintln(m.Err, terminal.Inline(holder(e)+", "+e.RoleArn+": "+err.Error()))
		}
	}
	if failed > 0 {
		return errors.New(terminal.Counted(
			"%d of %d {entitlement|entitlements} could not be made: mend what is named, and run it again",
			failed, len(wanted)))
	}
	fmt.Fprint(m.Err, terminal.Counted("%d {entitlement was|entitlements were} made.\n", len(wanted)))
	return nil
}

func (m *migration) unmake(ctx context.Context, c *adminapi.Client, plan adminapi.Migration) error {
	var there []adminapi.Entitlement
	others := 0
	for _, e := range plan.Entitlements {
		switch {
		case e.Migrated:
			there = append(there, e)
		case e.EntitlementID != "":
			others++
		}
	}
	if others > 0 {
		fmt.Fprintf(m.Err, "Not made by a migration, though equal: %d. They stay.\n", others)
	}
	if len(there) == 0 {
		fmt.Fprintln(m.Err, "No migration has made any of these entitlements.")
		return nil
	}
	err := m.confirmed(terminal.Counted(
		"%d {entitlement|entitlements} will be removed. Sessions that are open go on.", len(there),
	))
	if err != nil {
		return err
	}
	for _, e := range there {
		if err := c.DeleteEntitlement(ctx, e.EntitlementID); err != nil {
			return fmt.Errorf("%s, %s: %w", holder(e), e.RoleArn, err)
		}
	}
	fmt.Fprint(m.Err, terminal.Counted("%d {entitlement was|entitlements were} removed.\n", len(there)))
	return nil
}
