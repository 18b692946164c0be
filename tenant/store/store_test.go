package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

func open(t *testing.T, dsn string, choices ...sqldb.Option) tenant.Store {
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
	tenanttest.Store(t, func(t *testing.T) tenant.Store { return open(t, filepath.Join(t.TempDir(), "tenant.db")) })
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
	tenanttest.Store(t, func(t *testing.T) tenant.Store { return open(t, sqldbtest.PostgresLike(t, migrated)) })
}
