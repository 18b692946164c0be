package sqldb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestBehindPgBouncer has a pooler give each transaction any server connection: there are fewer of
// them than the nodes have. Statements are not prepared then, as the URL says.
func TestBehindPgBouncer(t *testing.T) {
	dsn := pgbouncer(t, sqldbtest.NewServer(t), "")
	var nodes [2]*DB
	var all sync.WaitGroup
	for i := range nodes {
		all.Go(func() {
			db, err := Open(context.Background(), dsn, withMigrations(adds))
			if err != nil {
				t.Error(err)
			}
			nodes[i] = db
		})
	}
	if all.Wait(); t.Failed() {
		return
	}
	for i := range 80 {
		all.Go(func() {
			db := nodes[i%2]
			if err := note(db, strconv.Itoa(i)); err != nil {
				t.Error(err)
			}
			if err := read(db, strconv.Itoa(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := count(t, nodes[0]); n != 80 {
		t.Errorf("%d notes, want 80", n)
	}
	for _, db := range nodes {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWhoPreparesBehindAPoolerIsTold: without the setting, statements that one connection has
// prepared are in the way of another. The failure names the setting, at a start and at a request.
func TestWhoPreparesBehindAPoolerIsTold(t *testing.T) {
	const setting = "default_query_exec_mode=exec"
	server := sqldbtest.NewServer(t)
	migrated := openOn(t, server.URL())
	if err := note(migrated, "1"); err != nil {
		t.Fatal(err)
	}
	dsn := strings.TrimSuffix(pgbouncer(t, server, "max_db_connections = 1\n"), "&"+setting)
	node, err := Open(t.Context(), dsn, notes, Patience(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close() //nolint:errcheck // nothing was written to it
	if err := read(node, "1"); err != nil {
		t.Fatal(err)
	}
	node.engine.(*postgres).pool.Reset() // which opens another connection, as under load
	if err := read(node, "1"); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), setting) {
		t.Errorf("a request: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := ""
	_, err = Open(ctx, dsn, notes, Tell(func(text string) { told = text; cancel() }))
	if err == nil || !strings.Contains(err.Error(), setting) || !strings.Contains(told, setting) {
		t.Errorf("a start: %v; told: %s", err, told)
	}
}

// TestACommitThatAPoolerGivesUpIsNotRepeated: PgBouncer's query_timeout is over while the server
// waits for its standby, and has committed.
func TestACommitThatAPoolerGivesUpIsNotRepeated(t *testing.T) {
	server := sqldbtest.NewServer(t, "synchronous_standby_names=nobody", "synchronous_commit=local")
	db := openOn(t, pgbouncer(t, server, "query_timeout = 1\n"))
	err := db.Update(context.Background(), func(tx Tx) error {
		return errors.Join(
			tx.Do(`SET LOCAL synchronous_commit = on`), tx.Do(`INSERT INTO notes (id, text) VALUES ('given up', '')`),
		)
	})
	if !errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("%v, want ErrUnknownOutcome", err)
	}
	// The server shows what it has committed when it waits no longer.
	server.Run(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
	for deadline := time.Now().Add(20 * time.Second); countOf(t, db, "given up") != 1; {
		if time.Now().After(deadline) {
			t.Fatal("what was committed is not there")
		}
		time.Sleep(10 * time.Millisecond) // between two looks at the condition
	}
}

// pgbouncer starts a pooler before a server, and returns its URL.
func pgbouncer(t *testing.T, server *sqldbtest.Server, settings string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // Debian's
	}
	if _, err := os.Stat(program); err != nil {
		sqldbtest.Skip(t, "PgBouncer is not installed (apt-get install pgbouncer)")
	}
	dir := server.Socket()
	config := fmt.Sprintf(`[databases]
* = host=%s port=5432 user=postgres
[pgbouncer]
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
listen_addr =
unix_socket_dir = %s
listen_port = 6432
auth_type = any
logfile = %s
%s`, dir, dir, filepath.Join(dir, "pgbouncer.log"), settings)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil { // #nosec G306 -- no secret is in it
		t.Fatal(err)
	}
	c := server.As(exec.Command(program, "-q", file)) // #nosec G204 -- above
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	dsn := "postgres:///postgres?user=postgres&sslmode=disable&port=6432&host=" + dir + "&default_query_exec_mode=exec"
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // between two looks
		// Its socket is there before it listens.
		if connection, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.6432")); err == nil {
			_ = connection.Close()
			break
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "pgbouncer.log")) // #nosec G304 -- above
			t.Fatalf("PgBouncer does not start: %s", log)
		}
	}
	return dsn
}
