package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// firstAdministrator says who the first administrator is, and where the password comes from.
type firstAdministrator struct{ name, passwordFile string }

const passwordVariable = "GATEHOUSE_ADMIN_PASSWORD" // #nosec G101 -- the name of a variable

func (f *firstAdministrator) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "admin", "admin", "name of the first administrator")
	cmd.Flags().StringVar(&f.passwordFile, "admin-password-file", "",
		"file with the first administrator's password; or set "+passwordVariable)
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

// given returns the password that the environment or a file gives.
func (f *firstAdministrator) given(env func(string) (string, bool)) (password string, ok bool, err error) {
	password, ok = env(passwordVariable)
	if f.passwordFile == "" {
		return password, ok, nil
	}
	if ok {
		err := fmt.Errorf("%s and --admin-password-file both give a password: use only one", passwordVariable)
		return "", false, terminal.UsageError{Err: err}
	}
	password, err = readPasswordFile(f.passwordFile)
	return password, true, err
}

// choose returns the password for a first start: one that is given, or that a person types, or one
// that is made. check is the half's rule.
func (w *world) choose(ctx context.Context, f *firstAdministrator, check func(string) error,
	generate func() string) (password string, made bool, err error) {
	password, ok, err := f.given(w.env)
	if err != nil {
		return "", false, err
	}
	if ok {
		if err := check(password); err != nil {
			return "", false, terminal.UsageError{Err: fmt.Errorf("the first administrator's password: %w", err)}
		}
		return password, false, nil
	}
	if terminal.Is(w.in) && terminal.Is(w.err) {
		what := "Password for the first administrator, " + f.name + " (press Enter to generate one)"
		password, err = terminal.AskPassword(ctx, w.in, w.err, what, check)
		if err != nil || password != "" {
			return password, false, err
		}
	}
	return generate(), true, nil
}

// firstStartFile holds what a first start has made.
const firstStartFile = "first-start.txt"

// secretFile is a file that only its owner can read, from its first byte on.
type secretFile struct {
	*os.File
	path string
}

// firstStartSecrets makes the file for the secrets of a first start. One of a first start that was
// interrupted goes: what is in it opens nothing.
func firstStartSecrets(folder string) (*secretFile, error) {
	path, err := filepath.Abs(filepath.Join(folder, firstStartFile))
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the file with the secrets of the first start: %w", err)
	}
	const fresh = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	f, err := os.OpenFile(path, fresh, 0o600) // #nosec G304 -- in the operator's own data folder
	if err != nil {
		return nil, fmt.Errorf("write the secrets of the first start: %w", err)
	}
	return &secretFile{f, path}, nil
}

// add writes lines that are on the disk when it returns.
func (f *secretFile) add(format string, args ...any) error {
	_, err := fmt.Fprintf(f, format, args...)
	return errors.Join(err, f.Sync())
}

func shownPassword(password string, made bool) string {
	if made {
		return password
	}
	return "(the one that you gave)"
}

// beginning is what a half's first start is about.
type beginning struct {
	half, command string // the half, and the command for its administrators
	page, url     string // what the administrators sign in to, and where it is
	warn          func(string, ...any)
	begun         func(context.Context) (bool, error) // there was a first start, and it was completed
	passwordIs    func(ctx context.Context, name, password string) (bool, error)
	check         func(password string) error
	generate      func() string
	// fill makes the administrator and a key for programs, and writes both into the file. shown is
	// the password as the file may show it. Whatever begun asks for is made last.
	fill func(ctx context.Context, f *secretFile, name, password, shown string) error
}

// firstStart makes the first administrator, a key for programs, and a file with their secrets.
// These are never printed: what prints to a journal is kept there.
func (w *world) firstStart(ctx context.Context, b beginning, folder string, first *firstAdministrator) (err error) {
	begun, err := b.begun(ctx)
	if err != nil {
		return err
	}
	if begun {
		return w.laterStart(ctx, b, folder, first)
	}
	password, made, err := w.choose(ctx, first, b.check, b.generate)
	if err != nil {
		return err
	}
	f, err := firstStartSecrets(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.add("First start of the %s, %s\n\n", b.half, time.Now().UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	if err := b.fill(ctx, f, first.name, password, shownPassword(password, made)); err != nil {
		return err
	}
	fmt.Fprintf(w.out, "First start. %s is at %s. The administrator is %s.\n"+
		"The secrets are in %s, which only you can read. Store them safely, then delete the file.\n",
		b.page, b.url, first.name, f.path)
	return nil
}

func beginningOfCenter(c *center.Center) beginning {
	return beginning{
		half:    "center",
		command: "gatehouse administrators",
		page:    "The console",
		url:     c.ConsoleURL(),
		warn:    c.Log.Warn,
		begun: func(ctx context.Context) (bool, error) {
			keys, err := c.AccessKeys(ctx)
			return len(keys) > 0, err
		},
		passwordIs: c.AdministratorPasswordIs,
		check:      center.CheckPassword,
		generate:   center.NewPassword,
		fill: func(ctx context.Context, f *secretFile, name, password, shown string) error {
			err := f.add("  console   %s\n  user name %s\n  password  %s\n\n", c.ConsoleURL(), name, shown)
			if err == nil {
				err = c.SetAdministrator(ctx, audit.SystemActor, name, password)
			}
			if err != nil {
				return err
			}
			key, secret, err := c.CreateAccessKey(ctx, audit.SystemActor, name, center.RoleAdministrator)
			if err != nil {
				return err
			}
			return f.add("  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n  export AWS_REGION=%s\n"+
				"  aws sso-admin list-instances --endpoint-url %s\n",
				key.ID, secret.Reveal(), c.Instance.Region, c.URL)
		},
	}
}

func beginningOfTenant(t *tenant.Tenant) beginning {
	return beginning{
		half:    "tenant",
		command: "gatehouse tenant administrators",
		page:    "The admin center",
		url:     t.AdminCenterURL(),
		warn:    t.Log.Warn,
		begun: func(ctx context.Context) (bool, error) {
			administrators, err := t.Administrators(ctx)
			return len(administrators) > 0, err
		},
		passwordIs: t.AdministratorPasswordIs,
		check:      tenant.CheckPassword,
		generate:   tenant.NewPassword,
		fill: func(ctx context.Context, f *secretFile, name, password, shown string) error {
			client, secret, err := t.CreateClient(ctx, audit.SystemActor, "gatehouse connect")
			if err != nil {
				return err
			}
			if err := f.add("  admin center  %s\n  user name     %s\n  password      %s\n\n"+
				"  graph         %s\n  token URL     %s\n  client id     %s\n  client secret %s\n",
				t.AdminCenterURL(), name, shown, t.GraphURL(), t.TokenURL(), client.ID, secret.Reveal()); err != nil {
				return err
			}
			return t.SetAdministrator(ctx, audit.SystemActor, name, password)
		},
	}
}

// laterStart warns where a given password is not the administrator's, since it counts at the first
// start only, and where the secrets of the first start still lie about.
func (w *world) laterStart(ctx context.Context, b beginning, folder string, first *firstAdministrator) error {
	path := filepath.Join(folder, firstStartFile)
	if _, err := os.Lstat(path); err == nil {
		b.warn("the secrets of the first start are still in their file: store them safely, then delete the file",
			"file", path)
	}
	password, ok, err := first.given(w.env)
	if errors.Is(err, fs.ErrNotExist) { // the file has done what it was for
		return nil
	}
	if err != nil || !ok {
		return err
	}
	same, err := b.passwordIs(ctx, first.name, password)
	if err == nil && !same {
		b.warn("the given password for the first administrator is ignored: it is used only at the first start",
			"administrator", first.name, "set_it_with", b.command+" set-password "+first.name)
	}
	return err
}
