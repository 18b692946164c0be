package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// maxFindings bounds how many findings of one check are told.
const maxFindings = 20 //bound:list findings that a check of a tenant's data tells

// Check looks for damage, on one snapshot: in the database itself, and in each object, which must
// be readable and stand under its own id. It returns a line for each finding; progress is called
// from time to time with how many rows were checked.
func (s *Store) Check(ctx context.Context, progress func(rows int)) ([]string, error) {
	damage, err := s.db.Check(ctx)
	if err != nil || len(damage) >= maxFindings {
		return damage, err
	}
	var found []string
	err = s.db.View(ctx, func(db sqldb.Tx) error {
		t, rows := tx{db, s.db.Shared()}, 0
		found = slices.Clone(damage) // the view may begin again
		looked := func() {
			if rows++; rows%1000 == 0 {
				progress(rows)
			}
		}
		if _, err := t.Organization(); err != nil {
			found = append(found, fmt.Sprintf("the organization cannot be read: %v", err))
		}
		for _, look := range []func(tx, func()) ([]string, error){
			readable("user", `SELECT id, doc FROM users`, func(u tenant.User) string { return string(u.ID) }),
			readable("group", `SELECT id, doc FROM user_groups`, func(g tenant.Group) string { return string(g.ID) }),
			readable[tenant.Application]("application", `SELECT id, doc FROM applications`, nil),
			readable[tenant.Assignment]("assignment", `SELECT id, doc FROM assignments`, nil),
			readable("deleted item", `SELECT id, doc FROM deleted_items`,
				func(i tenant.DeletedItem) string { return i.ID }),
			readable("job", `SELECT id, doc FROM jobs`, func(j tenant.Job) string { return string(j.ID) }),
			readable[tenant.Link]("link", `SELECT source_id, doc FROM links`, nil),
			readable[tenant.Session]("session", `SELECT digest, doc FROM sessions`, nil),
			readable[tenant.Grant]("grant", `SELECT digest, doc FROM grants`, nil),
			readable[audit.Event]("event", `SELECT id, doc FROM events`, nil),
			readable[tenant.LogEntry]("log entry", `SELECT id, doc FROM provisioning_log`, nil),
			strangeMembers,
		} {
			more, err := look(t, looked)
			if err != nil {
				return err
			}
			if found = append(found, more...); len(found) >= maxFindings {
				break
			}
		}
		progress(rows)
		return nil
	})
	return found, err
}

// readable looks at the objects of one table; id is where they have the key that they stand under,
// or nil.
func readable[T any](what, query string, id func(T) string) func(tx, func()) ([]string, error) {
	return func(t tx, looked func()) (found []string, err error) {
		err = t.Query(query, nil, func(r sqldb.Row) error {
			looked()
			var key, doc string
			if err := r.Scan(&key, &doc); err != nil {
				return err
			}
			v, err := sqldb.Decode[T](doc)
			switch {
			case len(found) >= maxFindings:
			case err != nil:
				found = append(found, fmt.Sprintf("%s %s cannot be read: %v", what, key, err))
			case id != nil && id(v) != key:
				found = append(found, fmt.Sprintf("%s %s is stored under %s", what, id(v), key))
			}
			return nil
		})
		return found, err
	}
}

// strangeMembers looks for members of groups that do not exist.
func strangeMembers(t tx, _ func()) (found []string, err error) {
	query := `SELECT m.group_id, m.member_id FROM members m
		WHERE NOT EXISTS (SELECT 1 FROM user_groups g WHERE g.id = m.group_id) LIMIT 20`
	err = t.Query(query, nil, func(r sqldb.Row) error {
		var group, member string
		if err := r.Scan(&group, &member); err != nil {
			return err
		}
		found = append(found, fmt.Sprintf("%s is a member of the group %s, which does not exist", member, group))
		return nil
	})
	return found, err
}
