package store

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// due is the kind of documents that say what is to be done when the database is opened, since SQL
// cannot do it.
const due = "due"

// refold gives the rows of earlier releases, which ignored letter case of all letters, the keys by
// which names are found now. Where another one has the key, as only names can that differ in their
// normal form, the row keeps the one that it had.
func (s *Store) refold(ctx context.Context) error {
	return s.db.Update(ctx, func(db sqldb.Tx) error {
		t := tx{db, s.db.Shared()}
		n, err := t.Count(`SELECT COUNT(*) FROM documents WHERE kind = $1 AND id = 'names'`, due)
		if err != nil || n == 0 {
			return err
		}
		return errors.Join(t.refoldUsers(), t.refoldGroups(), t.refoldAdministrators(), t.deleteDocument(due, "names"))
	})
}

// refoldGroups looks at those that have other characters than ASCII's. Their names need not be
// unique.
func (t tx) refoldGroups() error {
	query := `SELECT doc FROM user_groups WHERE length(doc) <> octet_length(doc) ORDER BY id`
	all, err := list[tenant.Group](t, query)
	for _, g := range all {
		err = errors.Join(err, t.PutGroup(g))
	}
	return err
}

// refoldUsers looks at those that have other characters than ASCII's.
func (t tx) refoldUsers() error {
	var moved []tenant.User
	query := `SELECT user_principal_name, doc FROM users WHERE length(doc) <> octet_length(doc) ORDER BY id`
	err := t.Query(query, nil, func(r sqldb.Row) error {
		var name, doc string
		if err := r.Scan(&name, &doc); err != nil {
			return err
		}
		u, err := sqldb.Decode[tenant.User](doc)
		if names.Fold(u.UserPrincipalName) != name {
			moved = append(moved, u)
		}
		return err
	})
	for again := err == nil; again; { // a key may become free when its holder gets another
		again = false
		for i := 0; i < len(moved); i++ {
			_, err := t.UserByPrincipalName(moved[i].UserPrincipalName)
			if err == nil {
				continue
			}
			if !errors.Is(err, refusal.ErrNoRow) {
				return err
			}
			if err := t.PutUser(moved[i]); err != nil {
				return err
			}
			moved = append(moved[:i], moved[i+1:]...)
			again, i = true, i-1
		}
	}
	return err
}

// refoldAdministrators writes their names in the small letters by which they are found already:
// passwords and factors stand under those.
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
