package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// refused starts a half that must not start, and returns what it says.
func refused(t *testing.T, env func(string) (string, bool), args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	said := &buffer{}
	if code := run(ctx, args, strings.NewReader(""), said, said, env); code != exitFailed {
		t.Errorf("%v ended with %d: %s", args, code, said)
	}
	return strings.Join(strings.Fields(said.String()), " ")
}

// TestAHalfStartsOnlyWithItsMasterKey starts both halves, on both databases, without their master
// key, with another one and as a second node with a key of its own. None of it starts or changes
// anything, and with the right key all goes on.
func TestAHalfStartsOnlyWithItsMasterKey(t *testing.T) {
	t.Parallel()
	const other = "b3RoZXIga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMhISE="
	for half, file := range map[string]string{"serve": datafolder.Center, "tenant": datafolder.Tenant} {
		for _, engine := range []string{"SQLite", "PostgreSQL"} {
			t.Run(half+" on "+engine, func(t *testing.T) {
				t.Parallel()
				folder := t.TempDir()
				args := func(folder string) []string {
					return []string{half, "--listen", "127.0.0.1:0", "--data", folder}
				}
				dsn := filepath.Join(folder, file)
				if engine == "PostgreSQL" {
					dsn = sqldbtest.Postgres(t)
					local := args
					args = func(folder string) []string { return append(local(folder), "--database", dsn) }
				}
				key := filepath.Join(folder, "master.key")
				start := func(env func(string) (string, bool), folder string) {
					t.Helper()
					_, stop := startIn(t, env, args(folder)...)
					stop()
				}
				start(noEnv, folder)
				right, err := os.ReadFile(key) // #nosec G304 -- the test's own
				if err == nil {
					err = os.Remove(key)
				}
				if err != nil {
					t.Fatal(err)
				}
				says := func(said string, parts ...string) {
					t.Helper()
					for _, part := range append(parts, "Copy master.key", "no key was made") {
						if !strings.Contains(said, part) {
							t.Errorf("%q is not in %s", part, said)
						}
					}
				}
				with := func(text string) func(string) (string, bool) {
					return func(name string) (string, bool) {
						if name != "GATEHOUSE_MASTER_KEY" {
							return "", false
						}
						return text, true
					}
				}
				says(refused(t, noEnv, args(folder)...), "the master key is missing", key)
				if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a key was made over data: %v", err)
				}
				says(refused(t, with(other), args(folder)...), "not the master key", "GATEHOUSE_MASTER_KEY has another")
				if engine == "PostgreSQL" {
					second := t.TempDir()
					says(refused(t, noEnv, args(second)...), "the master key is missing")
					if err := os.WriteFile(filepath.Join(second, "master.key"), []byte(other), 0o600); err != nil {
						t.Fatal(err)
					}
					says(refused(t, noEnv, args(second)...), "not the master key", "master.key has another")
					start(with(string(right)), t.TempDir())
				}
				if half == "serve" {
					forgetProof(t, dsn)
					says(refused(t, with(other), args(folder)...), "not the master key")
					start(with(string(right)), folder)
					says(refused(t, with(other), args(folder)...), "not the master key")
				}
				if err := os.WriteFile(key, right, 0o600); err != nil {
					t.Fatal(err)
				}
				start(noEnv, folder)
			})
		}
	}
}

// forgetProof makes the data what earlier releases kept, who had no value for the key alone.
func forgetProof(t *testing.T, dsn string) {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Update(t.Context(), func(tx center.Tx) error {
		i, err := tx.Instance()
		if err != nil || i.SealedProof == "" {
			t.Errorf("no proof was kept: %v", err)
			return err
		}
		i.SealedProof = ""
		return tx.PutInstance(i)
	}), s.Close()); err != nil {
		t.Fatal(err)
	}
}
