package store

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// due is the kind of documents that say what is to be done when the database is opened, since SQL
// cannot do it.
const due = "due"

// refold gives the rows of earlier releases, which ignored letter case of all letters, the keys by
// which names are found now. Where another one has the key, as only names can that differ in their
// normal form, the row keeps the one that it had, and gatehouse check says so.
func (s *Store) refold(ctx context.Context) error {
	return s.db.Update(ctx, func(db sqldb.Tx) error {
		t := tx{db, &s.writes, s.db.Shared()}
		n, err := t.Count(`SELECT COUNT(*) FROM documents WHERE kind = $1 AND id = 'names'`, due)
		if err != nil || n == 0 {
			return err
		}
		return errors.Join(t.refoldUsers(), t.refoldGroups(), t.refoldAdministrators(), t.deleteDocument(due, "names"))
	})
}

// refoldUsers looks at those that have other characters than ASCII's.
func (t tx) refoldUsers() error {
	var moved []center.User
	query := `SELECT user_name, COALESCE(email, ''), name_is_email, doc FROM users
		WHERE length(doc) <> octet_length(doc) ORDER BY id`
	err := t.Query(query, nil, func(r sqldb.Row) error {
		var name, email, doc string
		var same int
		if err := r.Scan(&name, &email, &same, &doc); err != nil {
			return err
		}
		if same == 1 {
			email = name
		}
		u, err := sqldb.Decode[center.User](doc)
		if name != names.Fold(u.UserName) || email != names.Fold(u.PrimaryEmail()) {
			moved = append(moved, u)
		}
		return err
	})
	return errors.Join(err, settle(moved, func(u center.User) (bool, error) {
		holders, err := t.UsersHolding(u.UserName, u.PrimaryEmail(), "")
		if err != nil || len(holders) > 1 || (len(holders) == 1 && holders[0].ID != u.ID) {
			return false, err
		}
		return true, t.PutUser(u)
	}))
}

func (t tx) refoldGroups() error {
	type row struct{ id, want string }
	var moved []row
	query := `SELECT id, display_name, doc FROM user_groups WHERE length(doc) <> octet_length(doc) ORDER BY id`
	err := t.Query(query, nil, func(r sqldb.Row) error {
		var id, have, doc string
		if err := r.Scan(&id, &have, &doc); err != nil {
			return err
		}
		g, err := sqldb.Decode[center.Group](doc)
		if want := names.Fold(g.DisplayName); want != have {
			moved = append(moved, row{id, want})
		}
		return err
	})
	return errors.Join(err, settle(moved, func(x row) (bool, error) {
		n, err := t.Count(`SELECT COUNT(*) FROM user_groups WHERE display_name = $1`, x.want)
		if err != nil || n > 0 {
			return false, err
		}
		return true, t.Do(`UPDATE user_groups SET display_name = $2 WHERE id = $1`, x.id, x.want)
	}))
}

// settle tries to move all rows, again and again: a key may become free when its holder gets
// another.
func settle[T any](rows []T, move func(T) (bool, error)) error {
	for before := len(rows) + 1; len(rows) < before; {
		before = len(rows)
		var left []T
		for _, row := range rows {
			moved, err := move(row)
			if err != nil {
				return err
			}
			if !moved {
				left = append(left, row)
			}
		}
		rows = left
	}
	return nil
}

// refoldAdministrators writes their names in the small letters by which they are found already:
// passwords and devices stand under those.
func (t tx) refoldAdministrators() error {
	all, err := t.Administrators()
	if err != nil {
		return err
	}
	for _, a := range all {
		small := strings.ToLower(a.Name)
		if names.Fold(a.Name) == small || names.Fold(small) != small {
			continue
		}
		a.Name = small
		if err := t.PutAdministrator(a); err != nil {
			return err
		}
	}
	return nil
}
