package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

func open(t *testing.T, dsn string, choices ...sqldb.Option) center.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dsn, choices...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContractOnSQLite(t *testing.T) {
	centertest.Store(t, func(t *testing.T) center.Store { return open(t, filepath.Join(t.TempDir(), "center.db")) })
}

func TestContractOnPostgreSQL(t *testing.T) {
	migrated := sqldbtest.Postgres(t)
	s, err := store.Open(context.Background(), migrated)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	centertest.Store(t, func(t *testing.T) center.Store { return open(t, sqldbtest.PostgresLike(t, migrated)) })
}

func TestANewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	s, err := store.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Pretend(context.Background(), 999); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(context.Background(), path); !errors.Is(err, sqldb.ErrNewerSchema) {
		t.Errorf("opened with %v, want ErrNewerSchema", err)
	}
}

func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	_, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "missing", "center.db"))
	if err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v, want one that names the folder", err)
	}
}

func TestReopeningKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	for i := range 2 {
		s, err := store.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		c := centertest.On(t, s, "http://127.0.0.1")
		if i == 0 {
			_, err = c.CreateUser(context.Background(), centertest.Actor, centertest.Person("ada@example.com"))
		} else {
			_, err = c.UserByName(context.Background(), "ada@example.com")
		}
		if err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
