//go:build unix

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// silent takes connections and says nothing; met has one for each.
func silent(t *testing.T) (url string, met <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections := make(chan struct{}, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() //nolint:errcheck // nothing was said
			select {
			case connections <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String(), connections
}

// TestCtrlCEndsEveryLongCommand while another program does not answer: at once, with the exit code
// that shells know, and with what is to be done next.
func TestCtrlCEndsEveryLongCommand(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, c := range map[string]struct{ args, want string }{
		"connect":         {"connect --group G", "it goes on there"},
		"status":          {"connect status", "Nothing was changed."},
		"undo":            {"connect undo --accept", "it goes on there"},
		"repair":          {"connect repair --accept", "it goes on there"},
		"rotate":          {"rotate scim-token --accept", "it goes on there"},
		"doctor":          {"doctor", "Run it again to look anew."},
		"doctor, again":   {"doctor --every 1h", "Run it again to look anew."},
		"sync":            {"sync --from URL/v1.0 --to URL/scim/ --every 1s", "command again: it goes on."},
		"a dry run of it": {"sync --from URL/v1.0 --to URL/scim/ --dry-run", "Run the same command again"},
		"rehearse":        {"rehearse --from URL --data DIR", "The original is as it was"},
		"tenant import":   {"tenant import --from URL/v1.0 --data DIR", "it goes on with the rest"},
		"import":          {"import --from URL --data DIR", "it goes on with the rest"},
		"accounts sync":   {"accounts sync", "The center goes on to read"},
		"roles check":     {"roles check", "The center goes on"},
		"roles provision": {"roles provision", "The center goes on"},
		"revoke":          {"revoke ada", "gatehouse proof show USER"},
		"leavers":         {"leavers", "Nothing was changed."},
		"leavers remove":  {"leavers remove ada", "it removes the rest"},
		"migrate":         {"access migrate --to account-access", "for the rest"},
		"audit":           {"audit search", "Nothing was changed."},
		"audit, followed": {"audit search --follow", "--since"},
		"a list":          {"users list", "Nothing was changed."},
		"a change":        {"users disable ada", "It may have been done already"},
		"Terraform":       {"connect export --terraform DIR", "The folder is as it was."},
		"profiles":        {"profiles write --start-url URL/start --region us-east-1", "run the same command again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, met := silent(t)
			args := strings.NewReplacer("URL", url, "DIR", filepath.Join(t.TempDir(), "x")).Replace(c.args)
			cmd := exec.Command(program, strings.Fields(args)...) // #nosec G204 -- our own program
			cmd.Env = append(os.Environ(),
				"HOME="+t.TempDir(), "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=us-east-1",
				"GATEHOUSE_CENTER_URL="+url, "GATEHOUSE_GRAPH_URL="+url+"/v1.0", "GATEHOUSE_LOGIN_URL="+url+"/t",
				"GATEHOUSE_CLIENT_ID=c", "GATEHOUSE_CLIENT_SECRET=x", "GATEHOUSE_SCIM_TOKEN=x",
				"GATEHOUSE_SIGN_IN=client", "BROWSER=true",
			)
			interrupted(t, cmd, c.want, func(ctx context.Context) error {
				select {
				case <-met:
					return nil
				case <-ctx.Done():
					return errors.New("it never asked anybody")
				}
			})
		})
	}
}

// interrupted starts a command, waits for something, presses Ctrl-C, and reads what is said.
func interrupted(t *testing.T, cmd *exec.Cmd, want string, until func(context.Context) error) {
	t.Helper()
	var out, said buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(ended)
	}()
	if err := until(ctx); err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("%v; it said %s%s", err, out.String(), said.String())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(8 * time.Second): // a second is meant; others wait a minute for an answer
		_ = cmd.Process.Kill()
		t.Fatalf("it goes on: %s", said.String())
	}
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(said.String(), "interrupted") ||
		!strings.Contains(said.String(), want) || strings.Contains(said.String(), "interrupt:") {
		t.Errorf("exit %d, want %q in %s", code, want, said.String())
	}
}

// TestASyncThatIsToldToEndHasNotEnded: a dry run would say that there is no difference, and a
// single run that all is done.
func TestASyncThatIsToldToEndHasNotEnded(t *testing.T) {
	t.Parallel()
	program := build(t)
	for _, how := range []string{"--dry-run", "--accept"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			url, met := silent(t)
			cmd := exec.Command( // #nosec G204 -- our own program
				program, "sync", "--from", url+"/v1.0", "--to", "http://127.0.0.1:1/scim?aadOptscim062020", how,
			)
			cmd.Env = append(os.Environ(), "GATEHOUSE_GRAPH_TOKEN=x", "GATEHOUSE_SCIM_TOKEN=x")
			var said buffer
			cmd.Stderr = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-met:
			case <-time.After(time.Minute):
				t.Error("it never asked anybody")
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // its state says how it ended
			if code := cmd.ProcessState.ExitCode(); code != 143 || !strings.Contains(said.String(), "it goes on") {
				t.Errorf("exit %d: %s", code, said.String())
			}
		})
	}
}

// waiting is who waits for a lock of this database: others are on the same server.
const waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

// TestCtrlCEndsWhatWorksOnADatabase that another program has locked.
func TestCtrlCEndsWhatWorksOnADatabase(t *testing.T) {
	t.Parallel()
	program, dsn := build(t), sqldbtest.Postgres(t)
	folder := t.TempDir()
	people := filepath.Join(folder, "people.jsonl")
	line := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","displayName":"A",` +
		`"name":{"givenName":"A","familyName":"B"}}` + "\n"
	if err := os.WriteFile(people, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(folder, "backup")
	beside := []string{"--data", folder, "--database", dsn}
	for _, args := range [][]string{{"import", people}, {"backup", backup}} {
		if code, out, said := call(t, "", nil, append(args, beside...)...); code != exitDone {
			t.Fatalf("%q: %d %s %s", args, code, out, said)
		}
	}
	looks, other := connected(t, dsn), connected(t, dsn)
	locked, err := other.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.Exec(t.Context(), "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	waits := func(ctx context.Context) error {
		return until(ctx, looks, "SELECT count(*) > 0 FROM "+waiting)
	}
	second := filepath.Join(folder, "second")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"backup", second}, "run the same command again"},
		{[]string{"restore", backup, "--force"}, "before you start the center"},
		{[]string{"import", people, "--update"}, "it goes on with the rest"},
		{[]string{"export", filepath.Join(folder, "export")}, "not complete"},
		{[]string{"check"}, "Nothing was changed."},
	} {
		// who has gone away waits on in the database
		if _, err := looks.Exec(
			t.Context(), "SELECT pg_terminate_backend(pid) FROM "+waiting,
		); err != nil {
			t.Fatal(err)
		}
		if err := until(
			t.Context(), looks, "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database()",
		); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, append(c.args, beside...)...) // #nosec G204 -- our own program
		interrupted(t, cmd, c.want, waits)
	}
	if left, _ := filepath.Glob(second + "*"); len(left) > 0 {
		t.Errorf("left of a backup that did not end: %q", left)
	}
	if err := locked.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, out, said := call(t, "", nil, append([]string{"check"}, beside...)...); code != exitDone {
		t.Errorf("afterwards: %d %s %s", code, out, said)
	}
}

func connected(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// until waits for a condition of a database.
func until(ctx context.Context, on *pgx.Conn, condition string) error {
	for holds := false; !holds; {
		if ctx.Err() != nil {
			return errors.New("it never waited for the database")
		}
		if err := on.QueryRow(ctx, condition).Scan(&holds); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
	return nil
}
