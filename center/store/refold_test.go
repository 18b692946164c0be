package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestNamesOfEarlierReleasesAreFound opens a database whose keys ignore letter case of all letters,
// as earlier releases had it.
func TestNamesOfEarlierReleasesAreFound(t *testing.T) {
	for engine, dsn := range map[string]string{
		"SQLite":     filepath.Join(t.TempDir(), "center.db"),
		"PostgreSQL": sqldbtest.Postgres(t),
	} {
		t.Run(engine, func(t *testing.T) {
			people := map[center.UserID]string{
				"kelvin": "mi\u212ae@example.com",
				"umlaut": "\u00c4nne@example.com",
				"two":    "jose\u0301@example.com",
				"ascii":  "Bob@example.com",
			}
			earlier(t, dsn, func(tx center.Tx) error {
				for id, name := range people {
					u := center.User{
						ID:          id,
						UserName:    name,
						DisplayName: name,
						Emails:      []center.Value{{Value: "x" + name}},
					}
					if ok, err := tx.AddUser(u); !ok || err != nil {
						t.Fatal(ok, err)
					}
				}
				return errors.Join(
					tx.AddGroup(center.Group{ID: "g1", DisplayName: "\u00c4RZTE"}),
					tx.AddGroup(center.Group{ID: "g2", DisplayName: "Staff"}),
					tx.PutAdministrator(center.Administrator{Name: "\u00c4nne"}),
				)
			})
			s := open(t, dsn)
			err := s.View(context.Background(), func(r center.Reader) error {
				for id, name := range people {
					if u, err := r.UserByName(name); err != nil || u.ID != id {
						t.Errorf("%s is %s, %v", name, u.ID, err)
					}
					if u, err := r.UserByEmail("x" + name); err != nil || u.ID != id {
						t.Errorf("x%s is %s, %v", name, u.ID, err)
					}
				}
				for _, name := range []string{"mike@example.com", "MIKE@example.com", "\u00e4nne@example.com"} {
					if u, err := r.UserByName(name); !errors.Is(err, refusal.ErrNoRow) {
						t.Errorf("%s is %s, %v", name, u.ID, err)
					}
				}
				g, err := r.GroupByName("\u00c4rzte")
				if err != nil || g.ID != "g1" {
					t.Errorf("the group is %s, %v", g.ID, err)
				}
				if found, err := r.Groups(center.GroupQuery{Search: "\u00c4rz"}); err != nil || len(found) != 1 {
					t.Errorf("searched groups %v, %v", found, err)
				}
				a, err := r.Administrator("\u00e4nne") // the password stands under this
				if err != nil || a.Name != "\u00e4nne" {
					t.Errorf("the administrator is %s, %v", a.Name, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// earlier fills a database and gives its rows the keys of earlier releases.
func earlier(t *testing.T, dsn string, fill func(center.Tx) error) {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Update(ctx, fill), s.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(ctx, dsn, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the test opens it again
	if err := db.Update(ctx, func(tx sqldb.Tx) error {
		if err := tx.Do(`INSERT INTO documents (kind, id, doc) VALUES ('due', 'names', '""')`); err != nil {
			return err
		}
		for _, column := range [][2]string{
			{"users", "user_name"}, {"users", "email"}, {"user_groups", "display_name"},
		} {
			old := map[string]string{}
			if err := tx.Query(`SELECT id, COALESCE(`+column[1]+`, '') FROM `+column[0], nil, func(r sqldb.Row) error {
				var id, name string
				err := r.Scan(&id, &name)
				old[id] = strings.ToLower(name)
				return err
			}); err != nil {
				return err
			}
			for id, name := range old {
				if err := tx.Do(`UPDATE `+column[0]+` SET `+column[1]+` = $2 WHERE id = $1`, id, name); err != nil {
					return err
				}
			}
		}
		return tx.Do(`UPDATE documents SET id = $1 WHERE kind = 'administrator'`, "\u00e4nne")
	}); err != nil {
		t.Fatal(err)
	}
}
