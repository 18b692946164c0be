package tenant

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Company is users, groups and memberships to import. Objects bring their own ids.
type Company struct {
	Users        []User
	Groups       []Group
	Members      []Member
	PasswordHash string // of every enabled user; empty: nobody can sign in
}

// importBatch bounds how many objects share a transaction.
const importBatch = 500

// Import adds a whole company. It is for a new tenant: an object whose id exists is replaced. Each
// batch is one transaction.
func (t *Tenant) Import(ctx context.Context, by audit.Actor, c Company) error {
	for batch := range slices.Chunk(c.Users, importBatch) {
		err := t.change(ctx, by, ActionImportUsers, func(tx Tx, touched *Touched) (string, error) {
			for _, u := range batch {
				u.normalize()
				u.CreatedAt = t.now()
				if err := errors.Join(u.checkID(), u.check(tx, User{})); err != nil {
					return u.UserPrincipalName, err
				}
				if err := tx.PutUser(u); err != nil {
					return string(u.ID), err
				}
				if c.PasswordHash != "" && u.Enabled {
					if err := tx.PutPassword(Password{Account: AccountID(u.ID), Hash: c.PasswordHash}); err != nil {
						return string(u.ID), err
					}
				}
				touched.add(KindUser, PrincipalID(u.ID))
			}
			return "", nil
		})
		if err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(c.Groups, importBatch) {
		err := t.change(ctx, by, ActionImportGroups, func(tx Tx, touched *Touched) (string, error) {
			for _, g := range batch {
				g.CreatedAt = t.now()
				if err := g.check(Group{}); err != nil {
					return g.DisplayName, err
				}
				if err := tx.PutGroup(g); err != nil {
					return string(g.ID), err
				}
				touched.add(KindGroup, PrincipalID(g.ID))
			}
			return "", nil
		})
		if err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(c.Members, importBatch) {
		err := t.change(ctx, by, ActionImportMembers, func(tx Tx, touched *Touched) (string, error) {
			for _, m := range batch {
				if err := tx.PutMember(m); err != nil {
					return string(m.GroupID), err
				}
				touched.member(m.GroupID, Mark{m.Kind, m.MemberID}, false)
			}
			return "", nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// GivePasswords gives the same password to everybody who may sign in and has none. It returns how
// many people got it, and fails with InvalidValue or SignInBusy.
func (t *Tenant) GivePasswords(ctx context.Context, by audit.Actor, password string) (given int, err error) {
	hash, err := t.newPassword(ctx, by, password)
	if err != nil {
		return 0, err
	}
	for after := ""; ; {
		var users []User
		if users, err = t.Users(ctx, Query{After: after, Limit: importBatch}); err != nil || len(users) == 0 {
			return given, err
		}
		after = string(users[len(users)-1].ID)
		batch := 0
		err := t.change(ctx, by, ActionResetPassword, func(tx Tx, _ *Touched) (string, error) {
			batch = 0
			for _, u := range users {
				_, err := tx.Password(AccountID(u.ID))
				if err == nil || !u.Enabled {
					continue
				}
				if !errors.Is(err, refusal.ErrNoRow) {
					return string(u.ID), err
				}
				batch++
				if err := tx.PutPassword(Password{Account: AccountID(u.ID), Hash: hash}); err != nil {
					return string(u.ID), err
				}
			}
			return "", nil
		})
		if err != nil {
			return given, err
		}
		given += batch
	}
}
