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
		return "", false, usageError{err}
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
			return "", false, usageError{fmt.Errorf("the first administrator's password: %w", err)}
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

// tellFirstStart says where the secrets are. They are never printed: what prints to a journal is
// kept there.
func (w *world) tellFirstStart(path, what, url, name string) {
	fmt.Fprintf(w.out, "First start. %s is at %s. The administrator is %s.\n"+
		"The secrets are in %s, which only you can read. Store them safely, then delete the file.\n",
		what, url, name, path)
}

// firstStartOfCenter makes the first administrator and access key, and a file with their secrets.
func (w *world) firstStartOfCenter(ctx context.Context, c *center.Center, folder string,
	first *firstAdministrator) (err error) {
	keys, err := c.AccessKeys(ctx)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return w.laterStart(ctx, folder, first, c.AdministratorPasswordIs, c.Log.Warn, "gatehouse administrators")
	}
	password, made, err := w.choose(ctx, first, center.CheckPassword, center.NewPassword)
	if err != nil {
		return err
	}
	f, err := firstStartSecrets(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.add("First start of the center, %s\n\n  console   %s\n  user name %s\n  password  %s\n\n",
		time.Now().UTC().Format(time.RFC3339), c.ConsoleURL(), first.name, shownPassword(password, made)); err != nil {
		return err
	}
	if err := c.SetAdministrator(ctx, audit.SystemActor, first.name, password); err != nil {
		return err
	}
	key, secret, err := c.CreateAccessKey(ctx, audit.SystemActor, first.name, center.RoleAdministrator)
	if err != nil {
		return err
	}
	if err := f.add("  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n  export AWS_REGION=%s\n"+
		"  aws sso-admin list-instances --endpoint-url %s\n",
		key.ID, secret.Reveal(), c.Instance.Region, c.URL); err != nil {
		return err
	}
	w.tellFirstStart(f.path, "The console", c.ConsoleURL(), first.name)
	return nil
}

// firstStartOfTenant makes the first administrator and a client for Graph, and a file with their
// secrets.
func (w *world) firstStartOfTenant(ctx context.Context, t *tenant.Tenant, folder string,
	first *firstAdministrator) (err error) {
	administrators, err := t.Administrators(ctx)
	if err != nil {
		return err
	}
	if len(administrators) > 0 {
		return w.laterStart(ctx, folder, first, t.AdministratorPasswordIs, t.Log.Warn,
			"gatehouse tenant administrators")
	}
	password, made, err := w.choose(ctx, first, tenant.CheckPassword, tenant.NewPassword)
	if err != nil {
		return err
	}
	f, err := firstStartSecrets(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	client, secret, err := t.CreateClient(ctx, audit.SystemActor, "gatehouse connect")
	if err != nil {
		return err
	}
	if err := f.add("First start of the tenant, %s\n\n  admin center  %s\n  user name     %s\n  password      %s\n\n"+
		"  graph         %s\n  token URL     %s\n  client id     %s\n  client secret %s\n",
		time.Now().UTC().Format(time.RFC3339), t.AdminCenterURL(), first.name, shownPassword(password, made),
		t.GraphURL(), t.TokenURL(), client.ID, secret.Reveal()); err != nil {
		return err
	}
	// Last: it marks the first start as done.
	if err := t.SetAdministrator(ctx, audit.SystemActor, first.name, password); err != nil {
		return err
	}
	w.tellFirstStart(f.path, "The admin center", t.AdminCenterURL(), first.name)
	return nil
}

// laterStart says that a password that is given counts at the first start only, where it is not the
// administrator's, and that the secrets of the first start still lie about.
func (w *world) laterStart(ctx context.Context, folder string, first *firstAdministrator,
	is func(context.Context, string, string) (bool, error), warn func(string, ...any), command string) error {
	if path := filepath.Join(folder, firstStartFile); exists(path) {
		warn("the secrets of the first start are still in their file: store them safely, then delete the file", "file", path)
	}
	password, ok, err := first.given(w.env)
	if errors.Is(err, fs.ErrNotExist) { // the file has done what it was for
		return nil
	}
	if err != nil || !ok {
		return err
	}
	same, err := is(ctx, first.name, password)
	if err == nil && !same {
		warn("the given password for the first administrator is ignored: it is used only at the first start",
			"administrator", first.name, "set_it_with", command+" set-password "+first.name)
	}
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
