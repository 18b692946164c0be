package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestTheFirstReleasesDataIsMigrated fills a database as the first release did, and opens it with
// this one.
func TestTheFirstReleasesDataIsMigrated(t *testing.T) {
	for engine, dsn := range map[string]string{
		"SQLite":     filepath.Join(t.TempDir(), "center.db"),
		"PostgreSQL": sqldbtest.Postgres(t),
	} {
		t.Run(engine, func(t *testing.T) {
			fillFirstRelease(t, dsn)
			s := open(t, dsn)
			view := func(fn func(center.Reader) error) {
				t.Helper()
				if err := s.View(context.Background(), fn); err != nil {
					t.Fatal(err)
				}
			}
			view(func(r center.Reader) error {
				u, err := r.UserByName("ADA@example.com")
				if err != nil || u.ID != "u1" || len(u.Emails) != 1 || u.PrimaryEmail() != "ada@example.com" ||
					!u.Active {
					t.Errorf("ada is %+v, %v", u, err)
				}
				if u, err := r.UserByEmail("bob@home.example"); err != nil || u.ID != "u2" {
					t.Errorf("bob by address: %+v, %v", u, err)
				}
				m, err := r.Membership("11111111-2222-4333-8444-555555555555") // an id of the first release goes on
				if err != nil || m.GroupID != "g1" || m.UserID != "u2" || m.CreatedBy != "admin" ||
					!m.CreatedAt.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) {
					t.Errorf("the membership is %+v, %v", m, err)
				}
				events, err := r.Events(center.EventQuery{})
				// in the order of their time, whatever their ids
				if err != nil || len(events) != 2 || events[0].ID != "e1" {
					t.Errorf("events %+v, %v", events, err)
				}
				role, err := r.RoleOf("u2", "111122223333", "Admin")
				if err != nil || role.Account.Name != "Prod" ||
					!strings.HasPrefix(role.RoleName, "AWSReservedSSO_Admin_") || len(role.RoleName) != 37 {
					t.Errorf("bob's role is %+v, %v", role, err)
				}
				if found, err := r.AccountsOf(center.AccessQuery{User: "u2", Search: "prod"}); err != nil ||
					len(found) != 1 {
					t.Errorf("bob's accounts are %+v, %v", found, err)
				}
				return nil
			})
			problems, err := s.(*store.Store).Check(context.Background(), func(int) {})
			// it was left out above
			if err != nil || len(problems) != 1 || problems[0] != "instance: it cannot be read: no such row" {
				t.Errorf("the check says %v, %v", problems, err)
			}
			if err := s.Update(context.Background(), func(tx center.Tx) error {
				if n, err := tx.DeleteEvents(time.Now(), true, 100); err != nil || n != 1 {
					t.Errorf("%d events of strangers, %v", n, err)
				}
				_, err := tx.AddMember("g1", "u1", time.Now(), "me", &center.Membership{})
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// fillFirstRelease runs the first release's migration and writes what it wrote.
func fillFirstRelease(t *testing.T, dsn string) {
	t.Helper()
	sql, err := os.ReadFile("migrations/00001_first_light.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(context.Background(), dsn, fstest.MapFS{"00001_first_light.sql": {Data: sql}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(context.Background(), func(tx sqldb.Tx) error {
		for _, statement := range []string{
			`INSERT INTO users
				VALUES ('u1', 'ada@example.com', 'ada@example.com', 'x1', 'ada',
					'{"ID":"u1","UserName":"Ada@example.com","ExternalID":"x1","Active":true,"Name":{"Formatted":"",
					"FamilyName":"L","GivenName":"A","MiddleName":"","HonorificPrefix":"","HonorificSuffix":""},
					"DisplayName":"Ada","NickName":"","Emails":[{"Value":"ada@example.com","Type":"work",
					"Primary":true}],"PhoneNumbers":null,"CreatedAt":"2026-11-23T09:00:00Z"}')`,
			`INSERT INTO users
				VALUES ('u2', 'bob', 'bob@home.example', NULL, 'bob',
					'{"ID":"u2","UserName":"bob","Active":true,"DisplayName":"Bob \"B\"",
					"Emails":[{"Value":"bob@home.example","Type":"work","Primary":false}]}')`,
			`INSERT INTO user_groups VALUES ('g1', 'crew', NULL, '{"ID":"g1","DisplayName":"Crew"}')`,
			`INSERT INTO memberships
				VALUES ('11111111-2222-4333-8444-555555555555', 'g1', 'u2',
					'{"ID":"11111111-2222-4333-8444-555555555555","GroupID":"g1","UserID":"u2",
					"CreatedAt":"2026-11-23T10:00:00Z","CreatedBy":"admin"}')`,
			`INSERT INTO documents
				VALUES ('account', '111122223333', '{"ID":"111122223333","Name":"Prod","Email":""}')`,
			`INSERT INTO permission_sets VALUES ('ps1', 'Admin', '{"ARN":"ps1","Name":"Admin"}')`,
			`INSERT INTO assignments VALUES ('111122223333', 'ps1', 'GROUP', 'g1')`,
			`INSERT INTO assignments VALUES ('111122223333', 'ps1', 'USER', 'u2')`,
			`INSERT INTO events VALUES ('e1', 2000, 'r1', '{"ID":"e1"}')`,
			`INSERT INTO events
				VALUES ('e2', 1000, 'r2', '{"ID":"e2","Actor":{"Kind":"Anonymous","Name":"x"},"Result":"Refused"}')`,
		} {
			if err := tx.Do(statement); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestHugeEventsOfEarlierReleasesAreCut reads events as strangers could have earlier releases write
// them: a page of them is small all the same.
func TestHugeEventsOfEarlierReleasesAreCut(t *testing.T) {
	for engine, dsn := range map[string]string{
		"SQLite":     filepath.Join(t.TempDir(), "center.db"),
		"PostgreSQL": sqldbtest.Postgres(t),
	} {
		t.Run(engine, func(t *testing.T) {
			s, ctx := open(t, dsn), context.Background()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db, err := sqldb.Open(ctx, dsn, os.DirFS("migrations"))
			if err != nil {
				t.Fatal(err)
			}
			doc := `{"ID":"e","Actor":{"Kind":"Anonymous","Name":"` + strings.Repeat(
				"x", 3_000_000,
			) + `"},"Result":"Refused"}`
			err = db.Update(ctx, func(tx sqldb.Tx) error {
				for i := range 8 {
					if err := tx.Do(
						`INSERT INTO events (time, request_id, doc) VALUES ($1, 'r', $2)`, 1000+i, doc,
					); err != nil {
						return err
					}
				}
				return nil
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			s = open(t, dsn)
			if err := s.View(ctx, func(r center.Reader) error {
				events, err := r.Events(center.EventQuery{Limit: 100})
				if len(events) == 0 || len(events) > 4 {
					t.Errorf("%d events of 3 MB are read at once", len(events))
				}
				for _, e := range events {
					if len(e.Actor.Name) > 300 {
						t.Errorf("a name of %d bytes is shown", len(e.Actor.Name))
					}
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
