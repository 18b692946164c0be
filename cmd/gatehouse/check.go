package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantstore "github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// inspection looks at the data of one half.
type inspection struct {
	name, command, long string
	// look returns a line for each problem.
	look func(ctx context.Context, d *dataFlags, key authn.MasterKey, progress func(rows int)) ([]string, error)
}

var centerInspection = inspection{
	name:    "center",
	command: "gatehouse",
	long: `Checks the database file and every object: that it can be read and is stored under its own keys,
that names and addresses are unique, that memberships and sessions belong to users and groups
that exist, and that the master key opens the sealed secrets. It changes nothing. The exit code
is 1 if something is wrong.`,
	look: func(ctx context.Context, d *dataFlags, key authn.MasterKey, progress func(int)) ([]string, error) {
		s, err := d.beside(ctx)
		if err != nil {
			return nil, err
		}
		problems, err := s.Check(ctx, progress)
		if err == nil {
			var more []string
			more, err = center.CheckSealed(ctx, s, key)
			problems = append(problems, more...)
		}
		return problems, errors.Join(err, s.Close())
	},
}

var tenantInspection = inspection{
	name:    "tenant",
	command: "gatehouse tenant",
	long: `Checks the database file and every object: that it can be read and is stored under its own id,
that members belong to groups that exist, and that the master key opens the sealed secrets. It
changes nothing. The exit code is 1 if something is wrong.`,
	look: func(ctx context.Context, d *dataFlags, key authn.MasterKey, progress func(int)) ([]string, error) {
		s, err := tenantstore.OpenBeside(ctx, d.folder().DSN(datafolder.Tenant))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s has no tenant's data: name its folder with --data, or use --database", d.data)
		}
		if err != nil {
			return nil, err
		}
		problems, err := s.Check(ctx, progress)
		if err == nil {
			err = s.View(ctx, func(r tenant.Reader) error {
				o, err := r.Organization()
				if err != nil {
					return err
				}
				if _, err := key.LoadFor(o.OpensWith); err != nil {
					problems = append(problems, "master key: "+err.Error())
				}
				return nil
			})
		}
		return problems, errors.Join(err, s.Close())
	},
}

func (w *world) checkCommand(i inspection) *cobra.Command {
	d := &dataFlags{}
	cmd := &cobra.Command{
		Use:     "check",
		Short:   fmt.Sprintf("Verify every invariant of a %s's data (safe while the %s is running)", i.name, i.name),
		Long:    i.long,
		Example: fmt.Sprintf("  %s check --data ./%s", i.command, i.name),
		Args:    terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bar, seen := terminal.Counter(w.err, "check"), 0
			problems, err := i.look(cmd.Context(), d, d.masterKey(w.env), func(rows int) {
				_ = bar.Add(rows - seen)
				seen = rows
			})
			_ = bar.Finish()
			if err != nil {
				return fmt.Errorf("check: %w", err)
			}
			for _, p := range problems {
				fmt.Fprintln(w.err, terminal.Inline(p))
			}
			if err := w.result(
				d.asJSON, map[string]any{"rows": seen, "problems": append([]string{}, problems...)},
				"%d rows checked, %d problems", seen, len(problems),
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
	return cmd
}
