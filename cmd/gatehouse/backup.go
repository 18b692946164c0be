package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center"
	centerstore "github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantstore "github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// backups are the backups of one half's data.
type backups struct {
	name, command, file string
	// write writes one to a file.
	write func(ctx context.Context, dsn, file string, accept bool, progress func(done, total int)) error
	// restore makes one the half's data; opens proves the master key.
	restore func(ctx context.Context, h *half, r *restoration) (kept string, err error)
}

// restoration is what a restore command was asked for.
type restoration struct {
	file     string
	force    bool
	accept   bool
	env      func(string) (string, bool)
	progress func(done, total int)
	unread   func(error)
	id       string // of the center or tenant in the backup
}

var centerBackups = backups{
	name:    "center",
	command: "gatehouse",
	file:    datafolder.Center,
	write:   centerstore.BackupBeside,
	restore: func(ctx context.Context, h *half, r *restoration) (string, error) {
		opens := func(reader center.Reader) error {
			i, err := reader.Instance()
			if err != nil {
				return err
			}
			r.id = i.PlaceID()
			tries, err := center.OpensWith(reader, i)
			if err == nil {
				_, err = h.masterKey(r.env).LoadFor(tries)
			}
			return err
		}
		return centerstore.Restore(ctx, centerstore.Restoration{
			Backup:   r.file,
			Database: h.folder().DSN(datafolder.Center),
			Beside:   filepath.Join(h.data, datafolder.Center),
			Unread:   r.unread,
			Replace:  r.force,
			Accept:   r.accept,
			Opens:    opens,
			Progress: r.progress,
		})
	},
}

var tenantBackups = backups{
	name:    "tenant",
	command: "gatehouse tenant",
	file:    datafolder.Tenant,
	write:   tenantstore.BackupBeside,
	restore: func(ctx context.Context, h *half, r *restoration) (string, error) {
		opens := func(reader tenant.Reader) error {
			o, err := reader.Organization()
			if err != nil {
				return err
			}
			r.id = o.ID
			_, err = h.masterKey(r.env).LoadFor(o.OpensWith)
			return err
		}
		return tenantstore.Restore(ctx, tenantstore.Restoration{
			Backup:   r.file,
			Database: h.folder().DSN(datafolder.Tenant),
			Beside:   filepath.Join(h.data, datafolder.Tenant),
			Unread:   r.unread,
			Replace:  r.force,
			Accept:   r.accept,
			Opens:    opens,
			Progress: r.progress,
		})
	},
}

// backupCommands are the commands that back a half's data up and restore it.
func (w *world) backupCommands(b backups) []*cobra.Command {
	words := strings.NewReplacer("HALF", b.name, "COMMAND", b.command)
	var asJSON, force, accept bool
	h := &half{}
	backup := &cobra.Command{
		Use:   "backup FILE",
		Short: words.Replace("Copy a HALF's data to a file (safe while the HALF is running)"),
		Long: words.Replace(
			`Writes a consistent copy of the HALF's database, with every change that was acknowledged when
the command began. The HALF can keep running. The copy is an SQLite file with mode 0600 and a
checksum, also from PostgreSQL; it can be restored into either. It is verified before it gets its
name. If the database is damaged, the command fails and writes nothing.

The copy does not contain the master key, so it reveals no secrets on its own. Keep master.key
(or GATEHOUSE_MASTER_KEY) in another place: a restore needs both.`),
		Example: words.Replace(`  COMMAND backup /backups/HALF-$(date +%F).db --data /var/lib/gatehouse`),
		Args:    terminal.OneArg("the file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return w.backup(cmd.Context(), b, h, args[0], accept, asJSON)
		},
	}
	restore := &cobra.Command{
		Use:   "restore FILE",
		Short: words.Replace("Restore a backup of a HALF (stop the HALF first)"),
		Long: words.Replace(
			`Checks the backup, then makes it the HALF's data. Nothing is changed before the backup has been
verified. The data folder must have the master key that sealed the backup's secrets.

With --force it replaces data that is there, damaged or not. SQLite files that were there stay
under another name; what was in PostgreSQL is backed up into the data folder first, under such a
name, if it can be read. If the command is interrupted, run it again.`),
		Example: words.Replace(`  cp /safe/master.key ./HALF/ && COMMAND restore HALF-2026-11-25.db --data ./HALF`),
		Args:    terminal.OneArg("the backup file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := restoration{file: args[0], force: force, accept: accept, env: w.env}
			r.progress = terminal.Bar(w.err, "restore")
			return w.restore(cmd.Context(), b, h, r, asJSON)
		},
	}
	for _, cmd := range []*cobra.Command{backup, restore} {
		f := cmd.Flags()
		f.StringVar(&h.data, "data", "gatehouse-"+b.name, words.Replace("the HALF's data folder"))
		f.StringVar(
			&h.database, "database", "",
			words.Replace("postgres:// URL, if the HALF does not use SQLite in the data folder"),
		)
		f.BoolVar(&asJSON, "json", false, "print one JSON object")
		f.BoolVar(
			&accept, "accept-problems", false, "accept objects that break a rule; a damaged file is always refused",
		)
	}
	restore.Flags().BoolVar(&force, "force", false, "replace the data that is there")
	return []*cobra.Command{backup, restore}
}

func (w *world) backup(ctx context.Context, b backups, h *half, file string, accept, asJSON bool) error {
	err := b.write(ctx, h.folder().DSN(b.file), file, accept, terminal.Bar(w.err, "backup"))
	if errors.Is(err, sqldb.ErrNoDatabase) {
		where := h.folder().Where()
		return fmt.Errorf("%s has no %s's data: name its folder with --data, or use --database", where, b.name)
	}
	if err != nil {
		return fmt.Errorf("back up: %w", remedyOf(err, accept))
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return w.result(
		asJSON, map[string]any{"file": file, "bytes": info.Size()},
		"%s: %.1f MiB. Keep the master key of %s in another place: a restore needs it.", file,
		float64(info.Size())/(1<<20), h.data,
	)
}

func (w *world) restore(ctx context.Context, b backups, h *half, r restoration, asJSON bool) error {
	if err := h.makeFolder(); err != nil {
		return err
	}
	r.unread = func(err error) {
		fmt.Fprintln(w.err, "What was there could not be read, and is not kept:", terminal.Inline(err.Error()))
	}
	kept, err := b.restore(ctx, h, &r)
	if errors.Is(err, sqldb.ErrOccupied) {
		return fmt.Errorf("%s already has data; --force replaces it", h.folder().Where())
	}
	if err != nil {
		return remedyOf(err, r.accept)
	}
	if err := (datafolder.Place{Folder: h.folder(), File: b.file}).Keep(r.id); err != nil {
		return fmt.Errorf("restored, but %w", err)
	}
	serve := map[string]string{datafolder.Center: "gatehouse serve", datafolder.Tenant: "gatehouse tenant"}[b.file]
	words := "Restored into SQLite in %s. Start it with: %s --data %s"
	args := []any{h.data, serve, h.data}
	if h.database != "" {
		words, args = "Restored into PostgreSQL. Start it with: %s --data %s --database …", []any{serve, h.data}
	}
	if kept != "" {
		words += "\nWhat was there is kept as %s"
		args = append(args, kept)
	}
	return w.result(asJSON, map[string]any{"data": h.data, "kept": kept}, words, args...)
}

// remedyOf says what to do about data in which the check has found something.
func remedyOf(err error, accepted bool) error {
	if errors.Is(err, sqldb.ErrProblems) && !accepted {
		return fmt.Errorf("%w. Restore or repair what is damaged, or take it as it is with --accept-problems", err)
	}
	return err
}
