package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestNothingIsMissingBecauseTheDiskFailed calls every method of a store on SQLite while the disk
// gives nothing.
func TestNothingIsMissingBecauseTheDiskFailed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	everyMethodFails(t, open(t, path), func(r center.Reader) func() {
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
	everyMethodFails(t, open(t, url, sqldb.Patience(0)), func(center.Reader) func() {
		cut()
		return func() {}
	})
}

// everyMethodFails calls every method of the store's readers and transactions on a database that
// breaks just before: all say so, and none that something is not there, whatever the function makes
// of it.
func everyMethodFails(t *testing.T, s center.Store, breaks func(center.Reader) (mend func())) {
	t.Helper()
	ctx := context.Background()
	fails := func(how, name string, err, method error) {
		t.Helper()
		if refusal.CodeOf(err) != center.StoreUnavailable || errors.Is(err, refusal.ErrNoRow) {
			t.Errorf("%s, %s: the store fails with %v", how, name, err)
		}
		if errors.Is(method, refusal.ErrNoRow) {
			t.Errorf("%s, %s: %v", how, name, method)
		}
	}
	readers := sqldbtest.Methods(t, reflect.TypeFor[center.Reader](), "EventChain")
	readers["Membership by the id that this release gives"] = func(on any) error {
		r, _ := on.(center.Reader)
		_, err := r.Membership("00000000-0000-8000-8000-000000000000")
		return err
	}
	writers := sqldbtest.Methods(t, reflect.TypeFor[center.Tx](), "Writes", "EventChain")
	if !s.Shared() { // the process's own clock asks no database
		delete(readers, "Clock")
		delete(writers, "Clock")
	}
	for name, call := range readers {
		for how, read := range map[string]func(context.Context, func(center.Reader) error) error{
			"View": s.View, "Get": s.Get,
		} {
			if how == "Get" && s.Shared() {
				continue // a single statement finds another connection, and succeeds
			}
			var method error
			err := read(ctx, func(r center.Reader) error {
				defer breaks(r)()
				method = call(r)
				return misread(method)
			})
			fails(how, name, err, method)
		}
	}
	for name, call := range writers {
		var method error
		err := s.Update(ctx, func(tx center.Tx) error {
			defer breaks(tx)()
			method = call(tx)
			return misread(method)
		})
		fails("Update", name, err, method)
	}
	if err := s.View(ctx, func(r center.Reader) error {
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
