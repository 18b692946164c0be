package store

import (
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

const selectRoleSessions = `SELECT doc FROM role_sessions WHERE user_id = $1 ORDER BY account_id, role_name, name`

func (t tx) RoleSessionsOf(user center.UserID) ([]center.RoleSession, error) {
	return list[center.RoleSession](t, selectRoleSessions, string(user))
}

// ExtendRoleSession counts as no write: nothing that is remembered depends on it.
func (t tx) ExtendRoleSession(s center.RoleSession) error {
	return t.Tx.Do(
		`INSERT INTO role_sessions (user_id, account_id, role_name, name, expires, doc) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (user_id, account_id, role_name, name)
			DO UPDATE SET expires = excluded.expires, doc = excluded.doc
			WHERE role_sessions.expires < excluded.expires`,
		string(s.UserID), s.AccountID, s.RoleName, sessionKey(s), s.Until.UnixMilli(), sqldb.Encode(s),
	)
}

// sessionKey tells sessions of a role apart: what the center's own STS has issued is refused by
// that, and one of AWS beside it, which a node with other settings has opened, is not.
func sessionKey(s center.RoleSession) string {
	if s.Own {
		return s.Name + " (own)" // AWS takes no space in a name
	}
	return s.Name
}

func (t tx) DeleteRoleSessionsOf(user center.UserID) error {
	return t.Do(`DELETE FROM role_sessions WHERE user_id = $1`, string(user))
}

func (t tx) DeleteRoleSession(s center.RoleSession) error {
	return t.Do(
		`DELETE FROM role_sessions WHERE user_id = $1 AND account_id = $2 AND role_name = $3 AND name = $4`,
		string(s.UserID), s.AccountID, s.RoleName, sessionKey(s),
	)
}

func (t tx) RoleRevocations(roleName string) ([]center.RoleRevocation, error) {
	return list[center.RoleRevocation](
		t, `SELECT doc FROM role_revocations WHERE role_name = $1 ORDER BY user_id, name`, roleName,
	)
}

func (t tx) RoleRevocationsOf(user center.UserID) ([]center.RoleRevocation, error) {
	return list[center.RoleRevocation](
		t, `SELECT doc FROM role_revocations WHERE user_id = $1 ORDER BY role_name, name`, string(user),
	)
}

func (t tx) EndedRoleRevocations(now time.Time, limit int) ([]center.RoleRevocation, error) {
	w := &sqldb.Where{}
	w.And("expires <= ?", now.UnixMilli())
	return list[center.RoleRevocation](
		t, `SELECT doc FROM role_revocations`+w.Text()+` ORDER BY expires, role_name, user_id, name`+w.Limit(limit, 0),
		w.Args...,
	)
}

func (t tx) PutRoleRevocation(r center.RoleRevocation) error {
	return t.Do(
		`INSERT INTO role_revocations (role_name, user_id, name, expires, doc) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (role_name, user_id, name) DO UPDATE SET expires = excluded.expires, doc = excluded.doc`,
		r.RoleName, string(r.UserID), r.Name, r.Until.UnixMilli(), sqldb.Encode(r),
	)
}

func (t tx) DeleteRoleRevocation(r center.RoleRevocation) error {
	return t.Do(
		`DELETE FROM role_revocations WHERE role_name = $1 AND user_id = $2 AND name = $3`, r.RoleName,
		string(r.UserID), r.Name,
	)
}
