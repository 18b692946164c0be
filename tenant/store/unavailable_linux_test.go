package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
)

// TestNothingIsMissingBecauseTheDiskFailed calls every method of a store on SQLite while the disk
// gives nothing.
func TestNothingIsMissingBecauseTheDiskFailed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenant.db")
	everyMethodFails(t, open(t, path), func(r tenant.Reader) func() {
		if err := store.ForgetPages(r); err != nil {
			t.Fatal(err)
		}
		return sqldbtest.BreakDisk(t, path)
	})
}

// TestNothingIsMissingBecauseTheConnectionBroke calls every method of a store on PostgreSQL on a
// connection that has been cut.
func TestNothingIsMissingBecauseTheConnectionBroke(t *testing.T) {
	url, cut := sqldbtest.Cut(t, sqldbtest.Postgres(t))
	everyMethodFails(t, open(t, url, sqldb.Patience(0)), func(tenant.Reader) func() {
		cut()
		return func() {}
	})
}

// everyMethodFails calls every method of the store's readers and transactions on a database that
// breaks just before: all say so, and none that something is not there, whatever the function makes
// of it.
func everyMethodFails(t *testing.T, s tenant.Store, breaks func(tenant.Reader) (mend func())) {
	t.Helper()
	ctx := context.Background()
	fails := func(how, name string, err, method error) {
		t.Helper()
		if refusal.CodeOf(err) != tenant.StoreUnavailable || errors.Is(err, refusal.ErrNoRow) {
			t.Errorf("%s, %s: the store fails with %v", how, name, err)
		}
		if errors.Is(method, refusal.ErrNoRow) {
			t.Errorf("%s, %s: %v", how, name, method)
		}
	}
	readers := sqldbtest.Methods(t, reflect.TypeFor[tenant.Reader](), "EventChain")
	writers := sqldbtest.Methods(t, reflect.TypeFor[tenant.Tx](), "EventChain")
	if !s.Shared() { // the process's own clock asks no database
		delete(readers, "Clock")
		delete(writers, "Clock")
	}
	for name, call := range readers {
		var method error
		err := s.View(ctx, func(r tenant.Reader) error {
			defer breaks(r)()
			method = call(r)
			return misread(method)
		})
		fails("View", name, err, method)
	}
	for name, call := range writers {
		var method error
		err := s.Update(ctx, func(tx tenant.Tx) error {
			defer breaks(tx)()
			method = call(tx)
			return misread(method)
		})
		fails("Update", name, err, method)
	}
	if err := s.View(ctx, func(r tenant.Reader) error {
		_, err := r.User("x")
		return err
	}); !errors.Is(err, refusal.ErrNoRow) {
		t.Errorf("the database is back, and a user who was never there: %v", err)
	}
}

// misread is what a rule makes of a failure that it takes for a row which is not there.
func misread(err error) error {
	if err == nil {
		return nil
	}
	return refusal.ErrNoRow
}
