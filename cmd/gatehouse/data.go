package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/rehearse"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// dataFlags are the flags of commands that work on a half's data without its server.
type dataFlags struct {
	half
	asJSON bool
}

func (d *dataFlags) flags(cmd *cobra.Command, half string) {
	f := cmd.Flags()
	f.StringVar(&d.data, "data", "gatehouse-"+half, "the "+half+"'s data folder")
	f.StringVar(
		&d.database, "database", "", "postgres:// URL, if the "+half+" does not use SQLite in the data folder",
	)
	f.BoolVar(&d.asJSON, "json", false, "print one JSON object")
}

// beside opens a center's store to look at it, also while a server serves from it.
func (d *dataFlags) beside(ctx context.Context) (*store.Store, error) {
	s, err := store.OpenBeside(ctx, d.folder().DSN(datafolder.Center))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no center's data: name its folder with --data, or use --database", d.data)
	}
	return s, err
}

// result prints what was done: as JSON, or in words.
func (w *world) result(asJSON bool, v any, words string, args ...any) error {
	if asJSON {
		return json.NewEncoder(w.out).Encode(v)
	}
	_, err := fmt.Fprintf(w.out, words+"\n", args...)
	return err
}

func (w *world) exportCommand() *cobra.Command {
	d := &dataFlags{}
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write a center's users and groups as SCIM JSON lines (safe while the center is running)",
		Long: `Writes one SCIM resource per line, users first, from one consistent snapshot. Without FILE it
writes to standard output. It does not export passwords, second factors or sessions.`,
		Example: `  gatehouse export people.jsonl --data ./center
  gatehouse export --data ./center | jq -r .userName`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return terminal.UsageError{Err: errors.New("export takes at most one file")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s, err := d.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close() //nolint:errcheck // nothing was written to it
			out, done := w.out, ""
			if len(args) == 1 {
				f, err := authn.PrivateFile(args[0])
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				out, done = f, args[0]
			}
			lines, bar := 0, terminal.Counter(w.err, "export")
			err = scimserver.Export(cmd.Context(), &center.Center{Store: s}, out, func() { lines++; bar.Add(1) })
			if err != nil {
				return fmt.Errorf("export: %w", err)
			}
			bar.Finish()
			if done != "" {
				return w.result(
					d.asJSON, map[string]any{"file": done, "lines": lines}, "%s: %s", done,
					terminal.Counted("%d {user or group|users and groups}", lines),
				)
			}
			return nil
		},
	}
	d.flags(cmd, "center")
	return cmd
}

func (w *world) importCommand() *cobra.Command {
	d := &dataFlags{}
	var o scimserver.ImportOptions
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Read users and groups from SCIM JSON lines into a center's data (stop the center first)",
		Long: `Reads one SCIM resource per line, as "gatehouse export" writes them. Users and groups whose user
name or display name exists stay unchanged, unless you add --update. Members and managers refer
to the IDs in the file; new users and groups get new IDs. The command reports lines that it
cannot import, and imports the others.`,
		Example: `  gatehouse import people.jsonl --data ./center --dry-run
  gatehouse import people.jsonl --data ./center`,
		Args: terminal.OneArg("the file"),
		RunE: func(cmd *cobra.Command, args []string) error { return w.importFile(cmd.Context(), d, args[0], o) },
	}
	d.flags(cmd, "center")
	cmd.Flags().BoolVar(&o.Update, "update", false, "change users and groups that exist")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "print what would change and change nothing")
	world := w.administered()
	return rehearse.Extend(cmd, world, w.staying(d), errChanges)
}

// staying is the center on some data, for what is brought into it.
func (w *world) staying(d *dataFlags) rehearse.Staying {
	return rehearse.Staying{
		Beside: func(ctx context.Context) (center.Store, error) {
			return store.OpenBeside(ctx, d.folder().DSN(datafolder.Center))
		},
		Free: func(ctx context.Context) error { return sqldb.Free(ctx, d.folder().DSN(datafolder.Center)) },
		Open: func(ctx context.Context, folder string, as *center.Identity) (*center.Center, error) {
			h := half{data: folder, log: slog.New(slog.DiscardHandler)}
			h.database = map[bool]string{true: d.database}[folder == d.data] // what is read is in a file beside it
			return openCenter(ctx, &h, w.env, center.Config{Identity: as})
		},
	}
}

func (w *world) importFile(ctx context.Context, d *dataFlags, file string, o scimserver.ImportOptions) error {
	f, err := os.Open(file) // #nosec G304 -- named by the person who runs the command
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	d.log = slog.New(slog.DiscardHandler)
	c, err := openCenter(ctx, &d.half, w.env, center.Config{})
	if err != nil {
		return err
	}
	bar := terminal.Counter(w.err, "import")
	o.Progress = func() { bar.Add(1) }
	result, err := scimserver.Import(ctx, c, audit.SystemActor, f, o)
	bar.Finish()
	if err := errors.Join(err, c.Store.Close()); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	for _, line := range result.Failures {
		fmt.Fprintln(w.err, terminal.Inline(line))
	}
	verb := map[bool]string{
		false: "%d created, %d changed, %d unchanged, %d failed",
		true:  "Dry run, nothing was changed: %d created, %d changed, %d unchanged, %d failed",
	}[o.DryRun]
	err = w.result(d.asJSON, result, verb, result.Created, result.Updated, result.Left, result.Failed)
	if err == nil && result.Failed > 0 {
		err = errors.New(terminal.Counted("%d {line|lines} could not be imported", result.Failed))
	}
	return err
}
