package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// firstAdministrator says who the first administrator is, and where the password comes from.
type firstAdministrator struct{ name, passwordFile string }

const passwordVariable = "GATEHOUSE_ADMIN_PASSWORD" // #nosec G101 -- the name of a variable

func (f *firstAdministrator) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "admin", "admin", "name of the first administrator")
	cmd.Flags().StringVar(&f.passwordFile, "admin-password-file", "",
		"`file` with the first administrator's password; or set "+passwordVariable)
}

// maxPasswordFile bounds what is read of a file with a password.
const maxPasswordFile = 4 << 10 //bound:body a file with a password that a command reads

// readPasswordFile reads a password from a file; the end of its line is no part of it.
func readPasswordFile(path string) (string, error) {
	f, err := os.Open(path) // #nosec G304 -- named by the person who runs the command
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxPasswordFile))
	return strings.TrimRight(string(data), "\r\n"), err
}

// isGiven says whether the environment or a file gives the password.
func (f *firstAdministrator) isGiven(env func(string) (string, bool)) bool {
	_, set := env(passwordVariable)
	return set || f.passwordFile != ""
}

// given reads the password that the environment or a file gives.
func (f *firstAdministrator) given(env func(string) (string, bool)) (string, error) {
	password, set := env(passwordVariable)
	if f.passwordFile == "" {
		return password, nil
	}
	if set {
		err := fmt.Errorf("%s and --admin-password-file both give a password: use only one", passwordVariable)
		return "", terminal.UsageError{Err: err}
	}
	return readPasswordFile(f.passwordFile)
}

// beginning is a half whose first start this may be.
type beginning struct {
	control.Beginner

	half, command string // the half, and the command for its administrators
	page, url     string // what the administrators sign in to, and where it is
	log           *slog.Logger
	check         func(password string) error // the half's rule
	generate      func() string
}

func beginningOfCenter(c *center.Center) beginning {
	return beginning{
		Beginner: centerserver.Controlled{Center: c},
		half:     "center",
		command:  "gatehouse administrators",
		page:     "The console",
		url:      c.ConsoleURL(),
		log:      c.Log,
		check:    center.CheckPassword,
		generate: center.NewPassword,
	}
}

func beginningOfTenant(t *tenant.Tenant) beginning {
	return beginning{
		Beginner: tenantserver.Controlled{Tenant: t},
		half:     "tenant",
		command:  "gatehouse tenant administrators",
		page:     "The admin center",
		url:      t.AdminCenterURL(),
		log:      t.Log,
		check:    tenant.CheckPassword,
		generate: tenant.NewPassword,
	}
}

// choose returns the password for a first start: one that is given, or that a person types, or one
// that is made.
func (w *world) choose(ctx context.Context, b beginning, first *firstAdministrator) (control.FirstPassword, error) {
	var p control.FirstPassword
	var err error
	if first.isGiven(w.env) {
		if p.Text, err = first.given(w.env); err != nil {
			return p, err
		}
		if err := b.check(p.Text); err != nil {
			return p, terminal.UsageError{Err: fmt.Errorf("the first administrator's password: %w", err)}
		}
		return p, nil
	}
	if terminal.Is(w.in) && terminal.Is(w.err) {
		what := "Password for the first administrator, " + first.name + " (press Enter to generate one)"
		p.Text, err = terminal.AskPassword(ctx, w.in, w.err, what, b.check)
		if err != nil || p.Text != "" {
			return p, err
		}
	}
	return control.FirstPassword{Text: b.generate(), Generated: true}, nil
}

// firstStart makes the first administrator, unless there was a first start.
func (w *world) firstStart(ctx context.Context, b beginning, folder string, first *firstAdministrator) error {
	begun, err := b.Begun(ctx)
	if err != nil {
		return err
	}
	if begun {
		return w.laterStart(ctx, b, folder, first)
	}
	password, err := w.choose(ctx, b, first)
	if err != nil {
		return err
	}
	path, err := control.FirstStart(ctx, b, b.half, folder, first.name, password)
	if errors.Is(err, control.ErrBegun) {
		return w.laterStart(ctx, b, folder, first)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w.out, "First start. %s is at %s. The administrator is %s.\n"+
		"The secrets are in %s, which only you can read. Store them safely, then delete the file.\n",
		b.page, b.url, first.name, path)
	return nil
}

// laterStart warns where a given password is not the administrator's, since it counts at the first
// start only, and where the secrets of the first start still lie about.
func (w *world) laterStart(ctx context.Context, b beginning, folder string, first *firstAdministrator) error {
	path := filepath.Join(folder, control.FirstStartFile)
	if _, err := os.Lstat(path); err == nil {
		b.log.WarnContext(
			ctx, "the secrets of the first start are still in their file: store them safely, then delete the file",
			"file", path,
		)
	}
	if !first.isGiven(w.env) {
		return nil
	}
	password, err := first.given(w.env)
	if errors.Is(err, fs.ErrNotExist) { // the file has done what it was for
		return nil
	}
	if err != nil {
		return err
	}
	same, err := b.AdministratorPasswordIs(ctx, first.name, password)
	if err == nil && !same {
		b.log.WarnContext(
			ctx, "the given password for the first administrator is ignored: it is used only at the first start",
			"administrator", first.name, "set_it_with", b.command+" set-password "+first.name,
		)
	}
	return err
}
