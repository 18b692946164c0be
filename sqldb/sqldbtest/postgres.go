// Package sqldbtest starts a real PostgreSQL server in a temporary folder for tests, from the
// distribution's postgresql package.
//
// It imports nothing of ours.
package sqldbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// RequireAll names the environment variable that turns skipped tests into failures, as CI does.
const RequireAll = "GATEHOUSE_REQUIRE_ALL"

// Skip skips the test and says what is missing, or fails it where everything is required.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(RequireAll) != "" {
		t.Fatalf("required here, but: %s", why)
	}
	t.Skip(why)
}

type server struct {
	dir, bin string
	settings []string // name=value
	err      error
}

// running is the server that a package's tests share.
var running struct {
	server
	once sync.Once
	mu   sync.Mutex
	n    int     // of databases
	db   *sql.DB // one connection: a server's process for each database would cost more than the database
	how  string  // a database is made
}

// Main runs a package's tests, and stops the server and calls after afterwards. Call it from
// TestMain.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	if running.dir != "" {
		if running.db != nil {
			_ = running.db.Close()
		}
		_ = running.command("pg_ctl", "-D", running.dir+"/data", "-m", "immediate", "stop").Run()
		_ = os.RemoveAll(running.dir)
	}
	_ = os.RemoveAll(blank.dir) // of an empty name, it removes nothing
	os.Exit(code)
}

// Postgres returns the URL of a new, empty database. The test is skipped where PostgreSQL is not
// installed.
func Postgres(t testing.TB) string {
	t.Helper()
	return database(t, "template1")
}

// PostgresLike returns the URL of a new database with what another one of Postgres has, to which
// nobody is connected: to copy one takes a third of what it takes to migrate one.
func PostgresLike(t testing.TB, other string) string {
	t.Helper()
	name, _, _ := strings.Cut(strings.TrimPrefix(other, "postgres:///"), "?")
	return database(t, name)
}

func database(t testing.TB, template string) string {
	t.Helper()
	bin := programs(t)
	running.once.Do(func() {
		running.bin = bin
		running.start(running.empty)
		if running.err == nil {
			running.how, running.err = connect()
		}
	})
	if running.err != nil {
		t.Fatal(running.err)
	}
	running.mu.Lock()
	defer running.mu.Unlock()
	running.n++
	name := fmt.Sprintf("test%d", running.n)
	if _, err := running.db.ExecContext(
		context.Background(), "CREATE DATABASE "+name+" TEMPLATE "+template+running.how,
	); err != nil {
		t.Fatal(err)
	}
	return running.url(name)
}

// connect connects to the server that the tests share, and says how it makes a database. To copy
// files takes a quarter of what it takes to log each page, which servers do since release 15.
func connect() (how string, err error) {
	if running.db, err = sql.Open("pgx", running.url("postgres")); err != nil {
		return "", err
	}
	running.db.SetMaxOpenConns(1)
	version := 0
	err = running.db.QueryRowContext(
		context.Background(), "SELECT current_setting('server_version_num')::int",
	).Scan(&version)
	if version >= 150000 {
		how = " STRATEGY file_copy"
	}
	return how, err
}

// programs is the folder of PostgreSQL's programs.
func programs(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what PostgreSQL does")
	}
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(bins) == 0 {
		Skip(t, "PostgreSQL is not installed (apt-get install postgresql)")
	}
	return filepath.Dir(bins[len(bins)-1])
}

// Server is a PostgreSQL server of its own, which a test can stop and start again.
type Server struct{ server }

// NewServer starts one, with settings such as max_connections=10. It ends with the test.
func NewServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{server{settings: settings}}
	s.bin = programs(t)
	s.start(t, s.empty)
	return s
}

// Standby starts a second server that has everything which the first one has acknowledged: from now
// on a commit waits for both. It ends with the test.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby := &Server{server{settings: s.settings, bin: s.bin}}
	standby.start(t, func(data string) ([]byte, error) {
		return standby.command(
			"pg_basebackup", "-h", s.dir, "-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-D", data,
		).CombinedOutput()
	})
	s.Run(t, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	for deadline := time.Now().Add(time.Minute); s.Read(
		t, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
	) != "1"; time.Sleep(10 * time.Millisecond) { // between two looks at the condition
		if time.Now().After(deadline) {
			t.Fatal("the standby does not follow")
		}
	}
	return standby
}

// start makes the data in a folder, and starts the server.
func (s *Server) start(t testing.TB, data func(folder string) ([]byte, error)) {
	t.Helper()
	s.server.start(data)
	t.Cleanup(func() {
		_ = s.command("pg_ctl", "-D", s.dir+"/data", "-m", "immediate", "stop").Run()
		_ = os.RemoveAll(s.dir)
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
}

// Promote makes a standby the server that takes writes, and returns at once.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if out, err := s.command("pg_ctl", "-D", s.dir+"/data", "-W", "promote").CombinedOutput(); err != nil {
		t.Fatalf("promote: %v: %s", err, out)
	}
}

// Run runs statements, each as a transaction of its own, as the superuser.
func (s *Server) Run(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		s.Read(t, statement)
	}
}

// Read runs a statement as the superuser and returns the first column of the first row, if any.
func (s *Server) Read(t testing.TB, statement string) (text string) {
	t.Helper()
	db, err := sql.Open("pgx", s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a short-lived connection
	err = db.QueryRowContext(context.Background(), statement).Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatalf("%s: %v", statement, err)
	}
	return text
}

// URL is that of the server's own database.
func (s *Server) URL() string { return s.url("postgres") }

// Socket is the folder of the server's socket, as the host of a URL.
func (s *Server) Socket() string { return s.dir }

// Stop ends the server as a crash would: connections break.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if out, err := s.command(
		"pg_ctl", "-D", s.dir+"/data", "-w", "-m", "immediate", "stop",
	).CombinedOutput(); err != nil {
		t.Fatalf("stop: %v: %s", err, out)
	}
}

// Start starts it again.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if out, err := s.up().CombinedOutput(); err != nil {
		t.Fatalf("start: %v: %s", err, out)
	}
}

// Exec runs statements in the server's own database, each by itself.
func (s *Server) Exec(t testing.TB, statements string) {
	t.Helper()
	db, err := sql.Open("pgx", s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a short-lived connection
	db.SetMaxOpenConns(1)
	for statement := range strings.SplitSeq(statements, ";") {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (s *server) url(database string) string {
	return "postgres:///" + database + "?user=postgres&host=" + s.dir
}

// blank is an empty cluster, which is made once: its copies take a tenth of the processor time.
var blank struct {
	once sync.Once
	dir  string
	out  []byte
	err  error
}

// empty makes an empty cluster in a folder.
func (s *server) empty(data string) ([]byte, error) {
	blank.once.Do(func() {
		if blank.dir, blank.err = folder(); blank.err != nil {
			return
		}
		initdb := s.command(
			"initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D", blank.dir+"/data",
		)
		blank.out, blank.err = initdb.CombinedOutput()
	})
	if blank.err != nil {
		return blank.out, blank.err
	}
	return s.as(exec.Command("cp", "-a", blank.dir+"/data", data)).CombinedOutput() // #nosec G204 -- test harness
}

// folder makes a folder of the server's user.
func folder() (string, error) {
	dir, err := os.MkdirTemp("", "gatehouse-pg-")
	if err != nil || os.Getuid() != 0 {
		return dir, err
	}
	uid, gid, err := postgresUser()
	if err != nil {
		return "", err
	}
	return dir, os.Chown(dir, uid, gid)
}

// start makes the data in a folder, and starts a server on a socket beside it, without fsync: what
// is tested is behaviour, not the disk.
func (s *server) start(data func(folder string) ([]byte, error)) {
	if s.dir, s.err = folder(); s.err != nil {
		return
	}
	if out, err := data(s.dir + "/data"); err != nil {
		s.err = fmt.Errorf("make a cluster: %w: %s", err, out)
		return
	}
	if out, err := s.up().CombinedOutput(); err != nil {
		log, _ := os.ReadFile(s.dir + "/log") // #nosec G304 -- the server's own
		s.err = fmt.Errorf("start PostgreSQL: %w: %s: %s", err, out, log)
	}
}

func (s *server) up() *exec.Cmd {
	options := "-k " + s.dir + " -c listen_addresses= -c fsync=off -c autovacuum=off -c max_connections=200"
	for _, setting := range s.settings {
		options += " -c " + setting
	}
	return s.command("pg_ctl", "-D", s.dir+"/data", "-w", "-l", s.dir+"/log", "-o", options, "start")
}

// As lets a program run as the server's user, in the server's folder.
func (s *Server) As(c *exec.Cmd) *exec.Cmd { return s.as(c) }

// command is one of PostgreSQL's programs.
func (s *server) command(name string, args ...string) *exec.Cmd {
	return s.as(exec.Command(filepath.Join(s.bin, name), args...)) // #nosec G204 -- test harness
}

// as runs as the user postgres when the tests run as root, which the server refuses.
func (s *server) as(c *exec.Cmd) *exec.Cmd {
	c.Dir = s.dir
	if os.Getuid() == 0 {
		if uid, gid, err := postgresUser(); err == nil {
			// #nosec G115 -- small numbers
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
	}
	return c
}

func postgresUser() (uid, gid int, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}
