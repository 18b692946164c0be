package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// people opens a tenant's data, makes users, and returns how many there are.
func people(t *testing.T, dsn string, names ...string) int {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	tn := tenanttest.On(t, s)
	for _, name := range names {
		u := tenant.User{UserPrincipalName: name, DisplayName: name}
		if _, err := tn.CreateUser(ctx, tenanttest.Actor, u, "a password of 1 tenant"); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err = s.View(ctx, func(r tenant.Reader) (err error) {
		n, err = r.CountUsers(tenant.Query{})
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

func backUp(t *testing.T, dsn, file string) error {
	t.Helper()
	ctx := context.Background()
	s, err := store.OpenBeside(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	return errors.Join(s.Backup(ctx, file, false, nil), s.Close())
}

// TestATenantIsBackedUpAndRestored goes from each engine into each, and refuses what is damaged or
// sealed with another key.
func TestATenantIsBackedUpAndRestored(t *testing.T) {
	ctx, folder := context.Background(), t.TempDir()
	refuse := errors.New("another master key")
	for engine, dsn := range map[string]string{
		"sqlite": filepath.Join(folder, "tenant.db"), "postgres": sqldbtest.Postgres(t),
	} {
		people(t, dsn, "ada@example.com", "zoë@example.com")
		backup := filepath.Join(folder, engine+".backup")
		if err := backUp(t, dsn, backup); err != nil {
			t.Fatalf("%s: %v", engine, err)
		}
		for _, to := range []string{filepath.Join(t.TempDir(), "tenant.db"), sqldbtest.Postgres(t)} {
			r := store.Restoration{Backup: backup, Database: to, Beside: filepath.Join(t.TempDir(), "tenant.db")}
			r.Opens = func(tenant.Reader) error { return refuse }
			if _, err := store.Restore(ctx, r); !errors.Is(err, refuse) {
				t.Errorf("%s to %s with another key: %v", engine, to, err)
			}
			r.Opens = func(reader tenant.Reader) error {
				_, err := reader.Organization()
				return err
			}
			if _, err := store.Restore(ctx, r); err != nil {
				t.Fatalf("%s to %s: %v", engine, to, err)
			}
			if n := people(t, to, "new@example.com"); n != 3 {
				t.Errorf("%s to %s: %d users, want the two of the backup and a new one", engine, to, n)
			}
			if _, err := store.Restore(ctx, r); !errors.Is(err, store.ErrOccupied) {
				t.Errorf("%s to %s, again: %v", engine, to, err)
			}
		}
	}
}

// TestADamagedTenantHasNoBackup damages what a database cannot know.
func TestADamagedTenantHasNoBackup(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for damage, want := range map[string]string{
		`UPDATE users SET doc = '{"ID": 5'`:                     "user",
		`UPDATE users SET id = 'another'`:                       "is stored under another",
		`DELETE FROM documents WHERE kind = 'organization'`:     "organization",
		`INSERT INTO members VALUES ('nogroup', 'a', 'User')`:   "nogroup",
		`INSERT INTO events (id, time, doc) VALUES (1, 1, '[')`: "event",
	} {
		folder := t.TempDir()
		dsn, backup := filepath.Join(folder, "tenant.db"), filepath.Join(folder, "backup")
		people(t, dsn, "ada@example.com")
		s, err := store.Open(ctx, dsn)
		if err == nil {
			err = errors.Join(s.Damage(ctx, damage), s.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := backUp(t, dsn, backup); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after %s: %v", damage, err)
		}
		if _, err := os.Lstat(backup); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after %s there is a file: %v", damage, err)
		}
	}
	if _, err := store.OpenBeside(ctx, filepath.Join(t.TempDir(), "x")); !errors.Is(err, sqldb.ErrNoDatabase) {
		t.Errorf("of nothing: %v", err)
	}
}
