package store

import (
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) Revocation(id string) (center.Revocation, error) {
	return one[center.Revocation](t, `SELECT doc FROM revocations WHERE id = $1`, id)
}

func (t tx) Revocations(q center.RevocationQuery) ([]center.Revocation, error) {
	w := &sqldb.Where{}
	w.Equal("user_id", string(q.UserID))
	if q.Before != "" {
		w.And("id < ?", q.Before)
	}
	return list[center.Revocation](
		t, `SELECT doc FROM revocations`+w.Text()+` ORDER BY id DESC`+w.Limit(q.Limit, 0), w.Args...,
	)
}

func (t tx) PutRevocation(r center.Revocation) error {
	return t.Do(
		`INSERT INTO revocations (id, user_id, time, doc) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`,
		r.ID, string(r.UserID), r.At.UnixMilli(), sqldb.Encode(r),
	)
}

// DeleteRevocations counts as no write: nothing that is remembered depends on it.
func (t tx) DeleteRevocations(before time.Time, limit int) error {
	return t.Tx.Do(
		`DELETE FROM revocations WHERE id IN (SELECT id FROM revocations WHERE time < $1 ORDER BY time LIMIT $2)`,
		before.UnixMilli(), limit,
	)
}

func (t tx) Departed(of center.PrincipalType, id string) (center.Departed, error) {
	return one[center.Departed](
		t, `SELECT doc FROM departed WHERE principal_type = $1 AND principal_id = $2`, string(of), id,
	)
}

func (t tx) HoldsAssignments(of center.PrincipalType, id string) (bool, error) {
	n, err := t.Count(
		`SELECT COUNT(*) FROM (SELECT 1 FROM assignments WHERE principal_id = $1 AND principal_type = $2
			UNION ALL SELECT 1 FROM application_assignments WHERE principal_id = $1 AND principal_type = $2
			LIMIT 1) held`,
		id, string(of),
	)
	return n > 0, err
}

func (t tx) PutDeparted(d center.Departed) error {
	return t.Do(
		`INSERT INTO departed (principal_type, principal_id, doc) VALUES ($1, $2, $3)
			ON CONFLICT (principal_type, principal_id) DO UPDATE SET doc = excluded.doc`,
		string(d.PrincipalType), d.PrincipalID, sqldb.Encode(d),
	)
}

func (t tx) DeleteDeparted(of center.PrincipalType, id string) error {
	return t.Do(`DELETE FROM departed WHERE principal_type = $1 AND principal_id = $2`, string(of), id)
}

func (t tx) RoleUses(account string, user center.UserID) ([]center.RoleUse, error) {
	w := &sqldb.Where{}
	w.Equal("account_id", account)
	w.Equal("user_id", string(user))
	type row struct {
		center.RoleUse
		used int64
	}
	found, err := rows(
		t, `SELECT account_id, permission_set, user_id, used FROM role_uses`+w.Text()+
			` ORDER BY account_id, permission_set, user_id`, w.Args,
		func(r *row) []any { return []any{&r.AccountID, &r.PermissionSetARN, &r.UserID, &r.used} },
	)
	uses := make([]center.RoleUse, len(found))
	for i, r := range found {
		r.At = time.UnixMilli(r.used).UTC()
		uses[i] = r.RoleUse
	}
	return uses, err
}

// NoteRoleUse counts as no write: nothing that is remembered depends on it.
func (t tx) NoteRoleUse(u center.RoleUse) error {
	return t.Tx.Do(
		`INSERT INTO role_uses (account_id, permission_set, user_id, used) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account_id, permission_set, user_id) DO UPDATE SET used = excluded.used`,
		u.AccountID, u.PermissionSetARN, string(u.UserID), u.At.UnixMilli(),
	)
}
