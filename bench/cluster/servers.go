package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a PostgreSQL server on a socket in its folder.
type server struct{ dir, bin string }

// postgres makes the servers' folders, which their user must be able to enter.
func postgres(ctx context.Context) (primary, standby *server, err error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(bins) == 0 {
		return nil, nil, errors.New("PostgreSQL is not installed (scripts/deps installs it)")
	}
	bin := filepath.Dir(bins[len(bins)-1])
	for _, s := range []**server{&primary, &standby} {
		dir, err := os.MkdirTemp("", "gatehouse-pg-")
		if err != nil {
			return nil, nil, err
		}
		if uid, gid, err := account(); err == nil {
			if err := os.Chown(dir, uid, gid); err != nil {
				return nil, nil, err
			}
		}
		*s = &server{dir, bin}
	}
	err = primary.do("initdb", "-D", primary.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
	if err == nil {
		err = primary.start()
	}
	if err == nil {
		err = standby.do(
			"pg_basebackup", "-h", primary.dir, "-U", "postgres", "-D", standby.data(), "-R", "-X", "stream", "-c",
			"fast",
		)
	}
	if err == nil {
		err = standby.start()
	}
	if err == nil {
		err = primary.run(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	}
	for began := time.Now(); err == nil; {
		if n, e := primary.read(ctx, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"); e != nil ||
			n == 1 {
			return primary, standby, e
		}
		if time.Since(began) > time.Minute {
			err = errors.New("the standby does not follow")
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
	return nil, nil, err
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// start starts the server; it syncs what it commits.
func (s *server) start() error {
	return s.do("pg_ctl", "-D", s.data(), "-w", "-l", filepath.Join(s.dir, "log"), "-o",
		// the last: after a crash commits wait for the standby, which tries to follow every five
		// seconds
		"-k "+s.dir+" -c listen_addresses= -c max_connections=120 -c wal_retrieve_retry_interval=200ms", "start")
}

// crash ends the server as a crash would.
func (s *server) crash() error {
	return s.do("pg_ctl", "-D", s.data(), "-w", "-m", "immediate", "stop")
}

func (s *server) promote() error { return s.do("pg_ctl", "-D", s.data(), "-W", "promote") }

func (s *server) remove() {
	_ = s.crash() // it may have ended
	_ = os.RemoveAll(s.dir)
}

// do runs one of PostgreSQL's programs, which refuse to run as root.
func (s *server) do(program string, args ...string) error {
	c := exec.CommandContext(context.Background(), filepath.Join(s.bin, program), args...) // #nosec G204 -- above
	c.Dir = s.dir
	if uid, gid, err := account(); err == nil {
		// #nosec G115 -- small numbers
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}

// account is the user postgres, where this runs as root.
func account() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return 0, 0, errors.New("not root")
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, err
	}
	uid, e1 := strconv.Atoi(u.Uid)
	gid, e2 := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(e1, e2)
}

func (s *server) run(ctx context.Context, statements ...string) error {
	c, err := pgx.Connect(ctx, "postgres:///postgres?user=postgres&host="+s.dir)
	if err != nil {
		return err
	}
	defer c.Close(ctx) //nolint:errcheck // a short-lived connection
	for _, statement := range statements {
		if _, err := c.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func (s *server) read(ctx context.Context, query string) (n int, err error) {
	c, err := pgx.Connect(ctx, "postgres:///postgres?user=postgres&host="+s.dir)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx) //nolint:errcheck // a short-lived connection
	err = c.QueryRow(ctx, query).Scan(&n)
	return n, err
}
