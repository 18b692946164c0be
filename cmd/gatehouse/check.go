package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantstore "github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// inspection looks at the data of one half.
type inspection struct {
	name, command, long string
	// look tells how many rows it has seen so far, and then of how many lines of the log each time.
	look func(
		ctx context.Context, d *dataFlags, key authn.MasterKey, known chain.Known, rows, lines func(int),
	) (inspected, error)
}

// inspected is what was found.
type inspected struct {
	problems []string // a line for each
	log      chain.Result
}

var centerInspection = inspection{
	name:    "center",
	command: "gatehouse",
	long: `Checks the database file and every object: that it can be read and is stored under its own keys,
that names and addresses are unique, that memberships and sessions belong to users and groups
that exist, that the master key opens the sealed secrets, and that no line of the audit log was
changed or is missing. It changes nothing. The exit code is 1 if something is wrong.`,
	look: func(
		ctx context.Context, d *dataFlags, key authn.MasterKey, known chain.Known, rows, lines func(int),
	) (found inspected, err error) {
		s, err := d.beside(ctx)
		if err != nil {
			return found, err
		}
		found.problems, err = s.Check(ctx, rows)
		if err == nil {
			var more []string
			more, err = center.CheckSealed(ctx, s, key)
			found.problems = append(found.problems, more...)
		}
		if err == nil {
			found.log, err = center.CheckEvents(ctx, s, key, known, lines)
		}
		return found, errors.Join(err, s.Close())
	},
}

var tenantInspection = inspection{
	name:    "tenant",
	command: "gatehouse tenant",
	long: `Checks the database file and every object: that it can be read and is stored under its own id,
that members belong to groups that exist, that the master key opens the sealed secrets, and that no
line of the audit log was changed or is missing. It changes nothing. The exit code is 1 if something
is wrong.`,
	look: func(
		ctx context.Context, d *dataFlags, key authn.MasterKey, known chain.Known, rows, lines func(int),
	) (found inspected, err error) {
		s, err := tenantstore.OpenBeside(ctx, d.folder().DSN(datafolder.Tenant))
		if errors.Is(err, fs.ErrNotExist) {
			return found, fmt.Errorf("%s has no tenant's data: name its folder with --data, or use --database", d.data)
		}
		if err != nil {
			return found, err
		}
		found.problems, err = s.Check(ctx, rows)
		if err == nil {
			err = s.View(ctx, func(r tenant.Reader) error {
				o, err := r.Organization()
				if err != nil {
					return err
				}
				if _, err := key.LoadFor(o.OpensWith); err != nil {
					found.problems = append(found.problems, "master key: "+err.Error())
				}
				return nil
			})
		}
		if err == nil {
			found.log, err = tenant.CheckEvents(ctx, s, key, known, lines)
		}
		return found, errors.Join(err, s.Close())
	},
}

func (w *world) checkCommand(i inspection) *cobra.Command {
	d := &dataFlags{}
	var anchor string
	cmd := &cobra.Command{
		Use:     "check",
		Short:   fmt.Sprintf("Verify every invariant of a %s's data (safe while the %s is running)", i.name, i.name),
		Long:    i.long,
		Example: fmt.Sprintf("  %s check --data ./%s", i.command, i.name),
		Args:    terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known, err := observe.ParseAnchor(anchor)
			if err != nil {
				return err
			}
			bar, seen := terminal.Counter(w.err, "check"), 0
			found, err := i.look(cmd.Context(), d, d.masterKey(w.env), known, func(rows int) {
				bar.Add(rows - seen)
				seen = rows
			}, bar.Add)
			bar.Finish()
			if err != nil {
				return fmt.Errorf("check: %w", err)
			}
			log, problems := found.log, append(found.problems, found.log.Problems...)
			for _, p := range append(log.Notes, problems...) {
				fmt.Fprintln(w.err, terminal.Inline(p))
			}
			if err := w.result(
				d.asJSON, map[string]any{
					"rows": seen, "problems": append([]string{}, problems...), "audit": observe.Chained(log),
				},
				"%s\n%s", terminal.Counted("%d {row|rows} checked, %d {problem|problems}", seen, len(problems)),
				observe.ChainedText(log),
			); err != nil {
				return err
			}
			if len(problems) > 0 {
				return errors.New("the data is damaged: restore a backup, or report the problems")
			}
			return nil
		},
	}
	d.flags(cmd, i.name)
	cmd.Flags().StringVar(
		&anchor, "audit-anchor", "",
		"POSITION:HASH that a receiver of the audit log, or an earlier check, has: the log must have it still",
	)
	return cmd
}
