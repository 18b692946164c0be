// Package sqldbtest starts a real PostgreSQL server in a temporary folder for tests, from the
// distribution's postgresql package.
//
// It imports nothing of ours.
package sqldbtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

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
	err      error
	n        int
	mu       sync.Mutex
}

var (
	once    sync.Once
	running server
)

// Main runs a package's tests and stops the server afterwards. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if running.dir != "" {
		_ = running.command("pg_ctl", "-D", running.dir+"/data", "-m", "immediate", "stop").Run()
		_ = os.RemoveAll(running.dir)
	}
	os.Exit(code)
}

// Postgres returns the URL of a new, empty database. The test is skipped where PostgreSQL is not
// installed.
func Postgres(t testing.TB) string {
	t.Helper()
	bin := programs(t)
	once.Do(func() { running.start(bin) })
	if running.err != nil {
		t.Fatal(running.err)
	}
	running.mu.Lock()
	defer running.mu.Unlock()
	running.n++
	name := fmt.Sprintf("test%d", running.n)
	db, err := sql.Open("pgx", running.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a short-lived connection
	if _, err := db.ExecContext(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return running.url(name)
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

// NewServer starts one. It ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	s.start(programs(t))
	if s.err != nil {
		t.Fatal(s.err)
	}
	t.Cleanup(func() {
		_ = s.command("pg_ctl", "-D", s.dir+"/data", "-m", "immediate", "stop").Run()
		_ = os.RemoveAll(s.dir)
	})
	return s
}

// URL is that of the server's own database.
func (s *Server) URL() string { return s.url("postgres") }

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

func (s *server) url(database string) string {
	return "postgres:///" + database + "?user=postgres&host=" + s.dir
}

// start makes a cluster and starts a server on a socket in its folder, without fsync: what is
// tested is behaviour, not the disk.
func (s *server) start(bin string) {
	s.bin = bin
	if s.dir, s.err = os.MkdirTemp("", "gatehouse-pg-"); s.err != nil {
		return
	}
	if os.Getuid() == 0 {
		uid, gid, err := postgresUser()
		if err == nil {
			err = os.Chown(s.dir, uid, gid)
		}
		if s.err = err; err != nil {
			return
		}
	}
	for _, c := range []*exec.Cmd{
		s.command(
			"initdb", "-D", s.dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
		),
		s.up(),
	} {
		if out, err := c.CombinedOutput(); err != nil {
			s.err = fmt.Errorf("%s: %w: %s", c.Path, err, out)
			return
		}
	}
}

func (s *server) up() *exec.Cmd {
	return s.command(
		"pg_ctl", "-D", s.dir+"/data", "-w", "-l", s.dir+"/log", "-o",
		"-k "+s.dir+" -c listen_addresses= -c fsync=off -c max_connections=200", "start",
	)
}

// command runs as the user postgres when the tests run as root, which the server refuses.
func (s *server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...) // #nosec G204 -- test harness
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
