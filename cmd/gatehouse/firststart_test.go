package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// kind is how the two halves are started and looked after.
type kind struct {
	serve          []string
	administrators []string
	prefix         string // of the administrators' pages
}

var kinds = map[string]kind{
	"center": {[]string{"serve"}, []string{"administrators"}, "/console"},
	"tenant": {[]string{"tenant"}, []string{"tenant", "administrators"}, "/admin"},
}

// startWith runs a half's server on a folder, with settings from the environment, until stop is
// called or the test ends.
func (k kind) startWith(
	t *testing.T,
	env map[string]string,
	folder string,
	more ...string,
) (s started, o webtest.Office, stop func()) {
	t.Helper()
	at := webtest.FreeAddress(t)
	args := append(append([]string{}, k.serve...), append([]string{"--data", folder, "--listen", at}, more...)...)
	s, stop = startIn(t, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, args...)
	return s, webtest.Office("http://" + at + k.prefix), stop
}

// TestTheFirstPassword takes it from where it may come from, and looks where it is afterwards.
func TestTheFirstPassword(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(given, []byte(rootPassword+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for how, c := range map[string]struct {
				env  map[string]string
				args []string
				made bool
			}{
				"made":                 {nil, nil, true},
				"environment":          {map[string]string{"GATEHOUSE_ADMIN_PASSWORD": rootPassword}, nil, false},
				"file":                 {nil, []string{"--admin-password-file", given}, false},
				"file, by environment": {map[string]string{"GATEHOUSE_ADMIN_PASSWORD_FILE": given}, nil, false},
			} {
				folder := t.TempDir()
				password, path := rootPassword, filepath.Join(folder, control.FirstStartFile)
				if err := os.WriteFile(path, []byte("of a first start that was interrupted"), 0o600); err != nil {
					t.Fatal(err)
				}
				s, o, stop := k.startWith(t, c.env, folder, append(c.args, "--admin", "root")...)
				if c.made {
					password = s.shown(t, `password\s+(\S+)`)
				}
				if v, _ := o.Enter(t, "root", password); !o.In(v) {
					t.Errorf("%s: the password opens nothing", how)
				}
				kept, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: the file is %v, %v", how, info.Mode(), err)
				}
				if strings.Contains(string(kept), password) != c.made || strings.Contains(string(kept), "interrupted") {
					t.Errorf("%s: the file has %s", how, kept)
				}
				printed := s.out.String() + s.err.String()
				for _, secret := range append(
					regexp.MustCompile(
						`(?:AWS_SECRET_ACCESS_KEY=|client secret )(\S+)`,
					).FindStringSubmatch(string(kept))[1:],
					password,
				) {
					if strings.Contains(printed, secret) {
						t.Errorf("%s: a secret was printed", how)
					}
				}
				if !strings.Contains(s.out.String(), path) {
					t.Errorf("%s: nobody says where the secrets are: %s", how, s.out.String())
				}
				stop()
				if strings.HasPrefix(how, "file") { // which may be deleted then
					_, _, stop := k.startWith(
						t,
						map[string]string{"GATEHOUSE_ADMIN_PASSWORD_FILE": given + " is gone"},
						folder,
					)
					stop()
				}
			}
			for what, c := range map[string]struct {
				env  map[string]string
				args []string
			}{
				"a simple one": {map[string]string{"GATEHOUSE_ADMIN_PASSWORD": "simple"}, nil},
				"two of them": {
					map[string]string{"GATEHOUSE_ADMIN_PASSWORD": rootPassword},
					[]string{"--admin-password-file", given},
				},
				"no such file": {nil, []string{"--admin-password-file", given + "x"}},
			} {
				folder := t.TempDir()
				code, out, errOut := call(
					t,
					"",
					c.env,
					append(
						append(append([]string{}, k.serve...), "--data", folder, "--listen", webtest.FreeAddress(t)),
						c.args...)...)
				if _, err := os.Stat(filepath.Join(folder, control.FirstStartFile)); code == exitDone || err == nil {
					t.Errorf("%s: %d %s %s", what, code, out, errOut)
				}
			}
		})
	}
}

// TestAPasswordThatIsGivenLaterIsIgnoredAloud: a later start says so, and does as before.
func TestAPasswordThatIsGivenLaterIsIgnoredAloud(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			for i, c := range []struct {
				password string
				warns    bool
			}{{rootPassword, false}, {rootPassword, false}, {otherPassword, true}} {
				s, o, stop := k.startWith(t, map[string]string{"GATEHOUSE_ADMIN_PASSWORD": c.password}, folder)
				if warned := strings.Contains(s.err.String(), "is ignored") &&
					strings.Contains(s.err.String(), "administrators set-password admin"); warned != c.warns {
					t.Errorf("with %s: warned is %v: %s", c.password, warned, s.err.String())
				}
				if v, _ := o.Enter(t, "admin", rootPassword); !o.In(v) {
					t.Error("the first password is not good any more")
				}
				stop()
				if lies := strings.Contains(s.err.String(), "are still in their file"); lies != (i == 1) {
					t.Errorf("start %d: told of the file is %v: %s", i, lies, s.err.String())
				}
				if i == 1 {
					if err := os.Remove(filepath.Join(folder, control.FirstStartFile)); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestTheCommandsForAdministrators on a data folder without and with a server, and on a database
// that the server uses.
func TestTheCommandsForAdministrators(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		for _, way := range []string{"stopped", "running", "PostgreSQL"} {
			t.Run(name+" "+way, func(t *testing.T) {
				folder, where := filepath.Join(t.TempDir(), strings.Repeat("a long name ", 5)), []string{}
				if way == "PostgreSQL" {
					where = []string{"--database", sqldbtest.Postgres(t)}
				}
				start := func() (o webtest.Office, stop func()) {
					_, o, stop = k.startWith(
						t,
						map[string]string{"GATEHOUSE_ADMIN_PASSWORD": rootPassword},
						folder,
						where...)
					return o, stop
				}
				o, stop := start()
				command := func(want int, args ...string) (out, errOut string) {
					t.Helper()
					if way == "stopped" {
						stop()
						defer func() { o, stop = start() }()
					}
					code, out, errOut := call(
						t,
						"",
						nil,
						append(
							append(append(append([]string{}, k.administrators...), args...), "--data", folder),
							where...)...)
					if code != want {
						t.Fatalf("%v: %d, want %d: %s %s", args, code, want, out, errOut)
					}
					return out, errOut
				}
				if _, errOut := command(exitFailed, "remove", "admin"); !strings.Contains(
					errOut,
					"last administrator",
				) {
					t.Errorf("the last one: %s", errOut)
				}
				out, _ := command(exitDone, "add", "bob")
				bob, page := o.Enter(t, "bob", strings.TrimSpace(out))
				if !strings.Contains(page, "Set a new password") {
					t.Fatalf("the one-time password %q leads to %s", out, page)
				}
				bob.Send(
					http.MethodPost,
					string(o)+"/login/next",
					url.Values{"password": {otherPassword}, "again": {otherPassword}},
				)

				admin, _ := o.Enter(t, "admin", rootPassword)
				file := filepath.Join(t.TempDir(), "new")
				if err := os.WriteFile(file, []byte(otherPassword), 0o600); err != nil {
					t.Fatal(err)
				}
				command(exitDone, "set-password", "admin", "--password-file", file)
				if v, _ := o.Enter(t, "admin", otherPassword); o.In(admin) || !o.In(v) {
					t.Error("the new password opens nothing, or the old session goes on")
				}
				command(exitFailed, "set-password", "admin") // nobody is there to ask
				command(exitFailed, "set-password", "nobody", "--password-file", file)
				if out, _ = command(exitDone, "set-password", "admin", "--one-time"); len(strings.TrimSpace(out)) < 16 {
					t.Errorf("the one-time password is %q", out)
				}
				bob, _ = o.Enter(t, "bob", otherPassword)
				command(exitDone, "reset-mfa", "bob")
				if o.In(bob) {
					t.Error("reset, and the session goes on")
				}
				bob, _ = o.Enter(t, "bob", otherPassword)
				command(exitDone, "sign-out", "bob")
				if o.In(bob) {
					t.Error("signed out, and the session goes on")
				}
				out, _ = command(exitDone, "list", "--json")
				var list []authn.AdministratorSummary
				if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 || list[1].Name != "bob" ||
					list[1].LastSignInAt.IsZero() ||
					!list[0].OneTimePassword ||
					!strings.HasPrefix(list[1].CreatedBy, "gatehouse administrators") {
					t.Errorf("the list is %s, %v", out, err)
				}
				bob, _ = o.Enter(t, "bob", otherPassword)
				command(exitDone, "remove", "bob")
				if v, _ := o.Enter(t, "bob", otherPassword); o.In(bob) || o.In(v) {
					t.Error("bob is removed, and in")
				}
				if out, _ = command(exitDone, "list"); strings.Contains(out, "bob") ||
					!strings.Contains(out, "one-time") {
					t.Errorf("the list is %s", out)
				}
				stop()
			})
		}
	}
}

// TestTheCommandsMakeNoDataWhereThereIsNone: a mistyped folder stays as it is.
func TestTheCommandsMakeNoDataWhereThereIsNone(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		folder := t.TempDir()
		for _, where := range [][]string{nil, {"--database", "postgres://nobody@127.0.0.1:1/none"}} {
			code, _, errOut := call(
				t,
				"",
				nil,
				append(append(append([]string{}, k.administrators...), "list", "--data", folder), where...)...)
			if left, err := os.ReadDir(folder); code != exitFailed || err != nil || len(left) > 0 {
				t.Errorf("%s %v: %d %s, %v %v", name, where, code, errOut, left, err)
			}
		}
	}
}
