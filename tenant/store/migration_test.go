package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
)

// TestTheReleaseBeforesDataIsMigrated fills a database as it was before events and sessions were
// removed and names were folded by ASCII, and opens it.
func TestTheReleaseBeforesDataIsMigrated(t *testing.T) {
	for engine, dsn := range map[string]string{
		"SQLite":     filepath.Join(t.TempDir(), "tenant.db"),
		"PostgreSQL": sqldbtest.Postgres(t),
	} {
		t.Run(engine, func(t *testing.T) {
			fillReleaseBefore(t, dsn)
			ctx := context.Background()
			s, err := store.Open(ctx, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close() //nolint:errcheck // the test has ended
			now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
			err = s.Update(ctx, func(tx tenant.Tx) error {
				if n, err := tx.DeleteEvents(now, true, 100); err != nil || n != 2 {
					t.Errorf("%d events of strangers, %v", n, err)
				}
				if _, err := tx.DeleteSessions(now); err != nil {
					return err
				}
				if _, err := tx.Session("over"); !errors.Is(err, refusal.ErrNoRow) {
					t.Errorf("a session that is over: %v", err)
				}
				if s, err := tx.Session("open"); err != nil || s.Account != "u1" {
					t.Errorf("a session that is open is of %q, %v", s.Account, err)
				}
				if p, err := tx.Password("u1"); err != nil || p.Account != "u1" || p.Hash != "hash" {
					t.Errorf("a password: %+v, %v", p, err)
				}
				if f, err := tx.Factors("administrator/root"); err != nil || f.Account != "administrator/root" ||
					f.LastStep != 7 {
					t.Errorf("second factors: %+v, %v", f, err)
				}
				if u, err := tx.UserByPrincipalName("mike@example.com"); !errors.Is(err, refusal.ErrNoRow) {
					t.Errorf("mike is %s, %v", u.ID, err)
				}
				for name, id := range map[string]tenant.UserID{
					"mi\u212ae@example.com":  "u1",
					"JOS\u00e9@example.com":  "u2",
					"jose\u0301@example.com": "u2",
					"BOB@example.com":        "u3",
				} {
					if u, err := tx.UserByPrincipalName(name); err != nil || u.ID != id {
						t.Errorf("%s is %s, %v", name, u.ID, err)
					}
				}
				for _, name := range []string{"CAFe\u0301", "Caf\u00e9"} { // kept with an accent of its own
					if found, err := tx.GroupsByName(name); err != nil || len(found) != 1 || found[0].ID != "g1" {
						t.Errorf("the group %q is %v, %v", name, found, err)
					}
				}
				if found, err := tx.GroupsByName("kings"); err != nil || len(found) != 0 {
					t.Errorf("kings are %v, %v", found, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// fillReleaseBefore runs the migrations of that release and writes what it wrote.
func fillReleaseBefore(t *testing.T, dsn string) {
	t.Helper()
	ctx := context.Background()
	dir := os.DirFS("migrations")
	old := fstest.MapFS{}
	for _, name := range []string{"00001_first_light.sql", "00002_journal.sql", "00003_grants.sql", "00004_links.sql"} {
		sql, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		old[name] = &fstest.MapFile{Data: sql}
	}
	db, err := sqldb.Open(ctx, dsn, old)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the test opens it again
	if err := db.Update(ctx, func(tx sqldb.Tx) error {
		for _, statement := range []string{
			`INSERT INTO events VALUES ('e1', 1000, '{"ID":"e1","Actor":{"Kind":"Anonymous"},"Result":"Refused"}')`,
			`INSERT INTO events
				VALUES ('e2', 1000,
					'{"ID":"e2","Actor":{"Kind":"Application","Name":"xxx"},"Action":"Request token",
					"Result":"Refused"}')`,
			`INSERT INTO events
				VALUES ('e3', 1000,
					'{"ID":"e3","Actor":{"Kind":"Administrator","Name":"admin"},"Action":"Add user",
					"Result":"Granted"}')`,
			`INSERT INTO sessions
				VALUES ('over', 'u1', '{"Digest":"over","UserID":"u1","ExpiresAt":"2026-11-28T12:00:00Z"}')`,
			`INSERT INTO sessions
				VALUES ('open', 'u1', '{"Digest":"open","UserID":"u1","ExpiresAt":"2026-11-28T12:00:01.5Z"}')`,
			`INSERT INTO documents VALUES ('password', 'u1', '{"Principal":"u1","Hash":"hash"}')`,
			`INSERT INTO documents
				VALUES ('factors', 'administrator/root', '{"UserID":"administrator/root","LastStep":7}')`,
			"INSERT INTO users VALUES ('u1', 'mike@example.com', 'mike', " +
				"'{\"ID\":\"u1\",\"UserPrincipalName\":\"mi\u212ae@example.com\"}')",
			"INSERT INTO users VALUES ('u2', 'jose\u0301@example.com', 'jose', " +
				"'{\"ID\":\"u2\",\"UserPrincipalName\":\"Jose\u0301@example.com\"}')",
			"INSERT INTO users VALUES ('u3', 'bob@example.com', 'bob', " +
				"'{\"ID\":\"u3\",\"UserPrincipalName\":\"Bob@example.com\"}')",
			"INSERT INTO user_groups VALUES ('g1', 'cafe\u0301', '{\"ID\":\"g1\",\"DisplayName\":\"Cafe\u0301\"}')",
			"INSERT INTO user_groups VALUES ('g2', 'kings', '{\"ID\":\"g2\",\"DisplayName\":\"\u212aings\"}')",
		} {
			if err := tx.Do(statement); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
