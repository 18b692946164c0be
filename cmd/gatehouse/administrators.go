package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// administratorCommands are the commands on one half's administrators.
type administratorCommands struct {
	*world
	half
	file   string // the half's database
	asJSON bool
	check  func(string) error
	open   control.Open
}

// run carries out an order.
func (a *administratorCommands) run(ctx context.Context, o control.Order) (control.Answer, error) {
	o.By = "gatehouse administrators"
	if u, err := user.Current(); err == nil {
		o.By += " (" + u.Username + ")"
	}
	if err := a.there(); err != nil {
		return control.Answer{}, err
	}
	a.log = slog.New(slog.DiscardHandler)
	return control.Run(ctx, a.data, o, a.open)
}

// there refuses a folder that holds no data, before opening it would make some there.
func (a *administratorCommands) there() error {
	if a.database != "" {
		if _, given := a.env("GATEHOUSE_MASTER_KEY"); given {
			return nil
		}
		if _, err := os.Stat(filepath.Join(a.data, datafolder.MasterKey)); err != nil {
			const missing = "the master key is not in %s: name its folder with --data, or set GATEHOUSE_MASTER_KEY: %w"
			return fmt.Errorf(missing, a.data, err)
		}
		return nil
	}
	if _, err := os.Stat(a.folder().DSN(a.file)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no such data: name its folder with --data, or use --database", a.data)
	}
	return nil
}

func (w *world) administratorsCommand() *cobra.Command {
	a := &administratorCommands{world: w, file: datafolder.Center, check: center.CheckPassword}
	a.open = func(ctx context.Context) (control.Data, error) {
		c, err := openCenter(ctx, &a.half, w.env, center.Config{})
		if err != nil {
			return control.Data{}, err
		}
		return control.Data{On: centerserver.Controlled{Center: c}, Close: c.Store.Close}, nil
	}
	return a.command("gatehouse administrators", "the console", "gatehouse-center")
}

func (w *world) tenantAdministratorsCommand() *cobra.Command {
	a := &administratorCommands{world: w, file: datafolder.Tenant, check: tenant.CheckPassword}
	a.open = func(ctx context.Context) (control.Data, error) {
		t, err := openTenant(ctx, &a.half, w.env, "", "", nil)
		if err != nil {
			return control.Data{}, err
		}
		return control.Data{On: tenantserver.Controlled{Tenant: t}, Close: t.Store.Close}, nil
	}
	return a.command("gatehouse tenant administrators", "the admin center", "gatehouse-tenant")
}

// command is the command with its subcommands. where is what the administrators sign in to.
func (a *administratorCommands) command(name, where, folder string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "administrators",
		Short: "List, add, remove and recover the administrators of " + where,
		Long: `Manages the administrators of ` + where + `. It works on the data folder or
database and trusts everyone who can read it: it asks for no password and no second factor. Use it
to get back in if you lost both. Run it as the user that the server runs as; the server can keep
running. Each change ends the administrator's sessions and is written to the audit log.`,
		Example: strings.ReplaceAll(`  NAME list --data ./data
  NAME add bob                  # prints a one-time password
  NAME set-password admin       # asks for the password twice
  NAME set-password admin --password-file ./new
  NAME reset-mfa admin          # after a lost phone
  NAME sign-out admin
  NAME remove bob`, "NAME", name),
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&a.data, "data", folder, "the data folder")
	f.StringVar(&a.database, "database", "", "postgres:// URL, if the data is not in SQLite in the data folder")
	f.BoolVar(&a.asJSON, "json", false, "print JSON")
	cmd.AddCommand(a.listCommand(), a.setPasswordCommand())
	for _, c := range []struct{ do, short, done string }{
		{control.Add, "Add an administrator and print a one-time password",
			"%s is added. Gatehouse shows the one-time password only once; it must be changed at the first sign-in:"},
		{control.Remove, "Remove an administrator and end all sessions; the last one must stay",
			"%s is removed and signed out everywhere."},
		{control.ResetMFA, "Delete an administrator's second factors, so that the password alone signs in",
			"The second factors of %s are deleted and the sessions have ended."},
		{control.SignOut, "End all sessions of an administrator", "%s is signed out everywhere."},
	} {
		sub := &cobra.Command{Use: c.do + " NAME", Short: c.short, Args: terminal.OneArg("an administrator's name")}
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			answer, err := a.run(cmd.Context(), control.Order{Do: c.do, Name: args[0]})
			if err != nil {
				return err
			}
			return a.tell(answer, c.done, args[0])
		}
		cmd.AddCommand(sub)
	}
	return cmd
}

// tell says what was done, and prints a one-time password by itself on standard output.
func (a *administratorCommands) tell(answer control.Answer, done, name string) error {
	if a.asJSON {
		return a.printJSON(struct {
			Done     string `json:"done"`
			Notice   string `json:"notice,omitempty"`
			Password string `json:"password,omitempty"` // one-time
		}{strings.TrimSuffix(fmt.Sprintf(done, name), ":"), strings.TrimSpace(answer.Notice), answer.Password})
	}
	fmt.Fprintf(a.err, done+"\n", terminal.Inline(name))
	if answer.Notice != "" {
		fmt.Fprintln(a.err, strings.TrimSpace(answer.Notice))
	}
	if answer.Password == "" {
		return nil
	}
	_, err := fmt.Fprintln(a.out, answer.Password)
	return err
}

func (a *administratorCommands) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *administratorCommands) listCommand() *cobra.Command {
	const short = "List the administrators with their last sign-in, sessions and second factors"
	cmd := &cobra.Command{
		Use:   "list",
		Short: short,
		Args:  terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := a.run(cmd.Context(), control.Order{Do: control.List})
			if err != nil {
				return err
			}
			if a.asJSON {
				return a.printJSON(append([]authn.AdministratorSummary{}, answer.List...))
			}
			var rows [][]any
			for _, l := range answer.List {
				password := "own"
				if l.OneTimePassword {
					password = "one-time"
				}
				rows = append(rows, []any{l.Name, administer.Moment(&l.CreatedAt), administer.Moment(&l.LastSignInAt),
					l.Sessions, l.SecondFactors, password})
			}
			return terminal.Table(a.out, "NAME\tADDED\tLAST SIGN-IN\tSESSIONS\tSECOND FACTORS\tPASSWORD", rows)
		},
	}
	return cmd
}

func (a *administratorCommands) setPasswordCommand() *cobra.Command {
	var file string
	var oneTime bool
	cmd := &cobra.Command{
		Use:   "set-password NAME",
		Short: "Set an administrator's password and end the sessions",
		Args:  terminal.OneArg("an administrator's name"),
		Long: `Sets the password. It asks you to type it twice on the terminal, or reads it from
--password-file. With --one-time it generates a password and prints it once; the administrator
must change it at the next sign-in. Sessions that were opened with the old password end.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o := control.Order{Do: control.SetPassword, Name: args[0]}
			switch {
			case oneTime && file != "":
				return terminal.UsageError{Err: errors.New("use --one-time or --password-file, not both")}
			case oneTime:
				o.Do = control.OneTimePassword
			case file != "":
				o.Password, err = readPasswordFile(file)
			case terminal.Is(a.in):
				o.Password, err = terminal.AskPassword(cmd.Context(), a.in, a.err, "New password for "+args[0], a.check)
				if err == nil && o.Password == "" {
					err = errors.New("you typed no password: nothing was changed")
				}
			default:
				return terminal.UsageError{Err: errors.New("cannot ask for the password without a terminal: " +
					"use --password-file or --one-time")}
			}
			if err != nil {
				return err
			}
			answer, err := a.run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.tell(answer, "The password of %s is set and the sessions have ended.", args[0])
		},
	}
	cmd.Flags().StringVar(&file, "password-file", "", "`file` with the password")
	cmd.Flags().BoolVar(&oneTime, "one-time", false, "generate a one-time password and print it")
	return cmd
}

// takeOrders has a server carry out orders of the commands until done is called. Where the database
// is shared, commands write to it themselves.
func (h *half) takeOrders(on control.Administrators) (done func()) {
	if h.database != "" {
		return func() {}
	}
	return control.Serve(h.data, on, h.log)
}
