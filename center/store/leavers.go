package store

import (
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
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

func (t tx) HoldsAssignments(of center.PrincipalType, id string) (bool, error) {
	n, err := t.Count(
		`SELECT COUNT(*) FROM (SELECT 1 FROM assignments WHERE principal_id = $1 AND principal_type = $2
			UNION ALL SELECT 1 FROM application_assignments WHERE principal_id = $1 AND principal_type = $2
			UNION ALL SELECT 1 FROM entitlements WHERE principal_id = $1 AND principal_type = $2
			LIMIT 1) held`,
		id, string(of),
	)
	return n > 0, err
}

func (t tx) Departed(of center.PrincipalType, id string) (center.Departed, error) {
	return one[center.Departed](
		t, `SELECT doc FROM departed WHERE principal_id = $1 AND principal_type = $2`, id, string(of),
	)
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

func (t tx) RoleUses(q center.RoleUsesQuery) ([]center.RoleUse, error) {
	w := &sqldb.Where{}
	w.Equal("account_id", q.AccountID)
	w.Equal("permission_set", q.PermissionSetARN)
	if len(q.Users) > 0 {
		w.In("user_id", texts(q.Users))
	}
	if !q.Since.IsZero() {
		w.And("used >= ?", q.Since.UnixMilli())
	}
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

func (t tx) LastRoleUse(q center.RoleUseQuery) (u center.RoleUse, err error) {
	w := &sqldb.Where{}
	w.Equal("r.account_id", q.AccountID)
	w.Equal("r.permission_set", q.PermissionSetARN)
	w.Equal("r.user_id", string(q.User))
	from := `role_uses r`
	if q.Group != "" {
		from = `user_groups g JOIN memberships m ON m.group_seq = g.seq JOIN users x ON x.seq = m.user_seq
			JOIN role_uses r ON r.user_id = x.id`
		w.And("g.id = ?", string(q.Group))
	}
	var used int64
	err = t.Row(
		`SELECT r.account_id, r.permission_set, r.user_id, r.used FROM `+from+w.Text()+
			` ORDER BY r.used DESC, r.user_id LIMIT 1`, w.Args, &u.AccountID, &u.PermissionSetARN, &u.UserID, &used,
	)
	u.At = time.UnixMilli(used).UTC()
	return u, sqldb.NoRow(err, refusal.ErrNoRow)
}

// NoteRoleUse counts as no write: nothing that is remembered depends on it.
func (t tx) NoteRoleUse(u center.RoleUse) error {
	return t.Tx.Do(
		`INSERT INTO role_uses (account_id, permission_set, user_id, used) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account_id, permission_set, user_id) DO UPDATE SET used = excluded.used`,
		u.AccountID, u.PermissionSetARN, string(u.UserID), u.At.UnixMilli(),
	)
}

// disabled says of a user u by the document, which leaves out what is false. No text in it can look
// like that: a quotation mark within a text is escaped.
const disabled = `u.doc NOT LIKE '%"Active":true%'`

func (t tx) DisabledWithAccess(now int64, ids []center.UserID, q center.LeaverQuery) ([]center.User, error) {
	w := &sqldb.Where{}
	w.And(disabled)
	if q.After != "" {
		w.And("u.id > ?", string(q.After))
	}
	for _, word := range strings.Fields(q.Search) {
		w.Contains("u.search || ' ' || u.id", word)
	}
	has := `(EXISTS (SELECT 1 FROM assignments x WHERE x.principal_id = u.id AND x.principal_type = ?)
		OR EXISTS (SELECT 1 FROM application_assignments x WHERE x.principal_id = u.id AND x.principal_type = ?)
		OR EXISTS (SELECT 1 FROM entitlements x WHERE x.principal_id = u.id AND x.principal_type = ?)
		OR EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id AND s.expires > ?)
		OR EXISTS (SELECT 1 FROM role_sessions r WHERE r.user_id = u.id AND r.expires > ?)
		OR EXISTS (SELECT 1 FROM memberships m JOIN user_groups g ON g.seq = m.group_seq
			WHERE m.user_seq = u.seq AND g.external_id IS NULL)`
	user := string(center.PrincipalUser)
	args := []any{user, user, user, now, now}
	for _, id := range ids {
		has += ` OR u.id = ?`
		args = append(args, string(id))
	}
	w.And(has+`)`, args...)
	order, after := `u.id`, `u.user_name > ?`
	switch {
	case q.ByName && q.Descending:
		order, after = `u.user_name DESC`, `u.user_name < ?`
	case q.ByName:
		order = `u.user_name`
	}
	if q.ByName && q.AfterName != "" {
		w.And(after, names.Fold(q.AfterName))
	}
	return list[center.User](
		t, `SELECT u.doc FROM users u`+w.Text()+` ORDER BY `+order+w.Limit(q.Limit, 0), w.Args...,
	)
}

func (t tx) OrphansOfAssignments(after center.Principal, limit int) ([]center.Departed, error) {
	w := &sqldb.Where{}
	w.And(`NOT EXISTS (SELECT 1 FROM users u WHERE u.id = p.principal_id AND p.principal_type = ?)`,
		string(center.PrincipalUser))
	w.And(`NOT EXISTS (SELECT 1 FROM user_groups g WHERE g.id = p.principal_id AND p.principal_type = ?)`,
		string(center.PrincipalGroup))
	if after.ID != "" {
		w.And(`(p.principal_type > ? OR (p.principal_type = ? AND p.principal_id > ?))`,
			string(after.Type), string(after.Type), after.ID)
	}
	type row struct {
		is  center.Departed
		doc string
	}
	found, err := rows(
		t, `SELECT p.principal_type, p.principal_id, COALESCE(d.doc, '') FROM (
			SELECT principal_type, principal_id FROM assignments GROUP BY principal_id, principal_type
			UNION SELECT principal_type, principal_id FROM application_assignments
			UNION SELECT principal_type, principal_id FROM entitlements) p
			LEFT JOIN departed d ON d.principal_type = p.principal_type AND d.principal_id = p.principal_id`+w.Text()+
			` ORDER BY p.principal_type, p.principal_id`+w.Limit(limit, 0), w.Args,
		func(r *row) []any { return []any{&r.is.PrincipalType, &r.is.PrincipalID, &r.doc} },
	)
	all := make([]center.Departed, len(found))
	for i, r := range found {
		if all[i] = r.is; r.doc == "" { // deleted by a release that kept no names
			continue
		}
		var damaged error
		all[i], damaged = sqldb.Decode[center.Departed](r.doc)
		err = errors.Join(err, damaged)
	}
	return all, err
}

func (t tx) CountHolders(permissionSets []string) (int, error) {
	w := &sqldb.Where{}
	w.In("permission_set", permissionSets)
	return t.Count(
		`WITH held AS (SELECT principal_id, principal_type FROM assignments`+w.Text()+
			` GROUP BY principal_id, principal_type)
		SELECT COUNT(*) FROM users u WHERE u.doc LIKE '%"Active":true%' AND u.seq IN (
			SELECT x.seq FROM users x JOIN held h ON h.principal_id = x.id AND h.principal_type = 'USER'
			UNION SELECT m.user_seq FROM held h JOIN user_groups g ON g.id = h.principal_id
				JOIN memberships m ON m.group_seq = g.seq WHERE h.principal_type = 'GROUP')`,
		w.Args...,
	)
}
