package store

import (
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

func (t tx) DeletedItem(id string) (tenant.DeletedItem, error) {
	return one[tenant.DeletedItem](t,
		`SELECT doc FROM deleted_items WHERE id = $1 OR (other_id = $2 AND other_id <> '')`, id, id)
}

func (t tx) DeletedItems(q tenant.DeletedQuery) ([]tenant.DeletedItem, error) {
	w := &sqldb.Where{}
	w.Equal("kind", string(q.Kind))
	w.And("deleted > ?", q.Since.UnixMilli())
	if q.After != "" {
		w.And("id > ?", q.After)
	}
	query := `SELECT doc FROM deleted_items` + w.Text() + ` ORDER BY id` + w.Limit(q.Limit, 0)
	return list[tenant.DeletedItem](t, query, w.Args...)
}

func (t tx) CountDeletedItems(kind tenant.ObjectKind, since time.Time) (int, error) {
	return t.Count(`SELECT COUNT(*) FROM deleted_items WHERE kind = $1 AND deleted > $2`, string(kind),
		since.UnixMilli())
}

func (t tx) OverdueItems(until time.Time, limit int) ([]tenant.DeletedItem, error) {
	return list[tenant.DeletedItem](t,
		`SELECT doc FROM deleted_items WHERE deleted <= $1 ORDER BY deleted, id LIMIT $2`, until.UnixMilli(), limit)
}

// DeletedUsersNamed finds deleted users by what they signed in with.
func (t tx) DeletedUsersNamed(name string) ([]tenant.DeletedItem, error) {
	return list[tenant.DeletedItem](t,
		`SELECT doc FROM deleted_items WHERE name = $1 AND name <> '' ORDER BY id`, names.Fold(name))
}

func (t tx) PutDeletedItem(i tenant.DeletedItem) error {
	name := ""
	if i.User != nil {
		name = names.Fold(i.User.UserPrincipalName)
	}
	return t.Do(
		`INSERT INTO deleted_items (id, other_id, kind, name, deleted, doc) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET other_id = excluded.other_id, kind = excluded.kind, name = excluded.name,
			deleted = excluded.deleted, doc = excluded.doc`,
		i.ID, i.OtherID(), string(i.Kind), name, i.DeletedAt.UnixMilli(), sqldb.Encode(i),
	)
}

func (t tx) DeleteDeletedItem(id string) error {
	return errors.Join(
		t.Do(`DELETE FROM deleted_items WHERE id = $1`, id),
		t.Do(`DELETE FROM deleted_members WHERE item_id = $1`, id),
		t.Do(`DELETE FROM deleted_assignments WHERE item_id = $1`, id),
	)
}

func (t tx) MembersAside(itemID string) ([]tenant.Member, error) {
	return t.members(
		`SELECT group_id, member_id, kind FROM deleted_members WHERE item_id = $1 ORDER BY group_id, member_id`, itemID,
	)
}

func (t tx) PutMemberAside(itemID string, m tenant.Member) error {
	return t.Do(
		`INSERT INTO deleted_members (item_id, group_id, member_id, kind) VALUES ($1, $2, $3, $4)
			ON CONFLICT (item_id, group_id, member_id) DO NOTHING`,
		itemID, string(m.GroupID), string(m.MemberID), string(m.Kind),
	)
}

func (t tx) PutMembersAside(id tenant.PrincipalID) error {
	return errors.Join(
		t.Do(
			`INSERT INTO deleted_members (item_id, group_id, member_id, kind)
				SELECT CAST($1 AS TEXT), group_id, member_id, kind FROM members WHERE group_id = $2 OR member_id = $3`,
			string(id), string(id), string(id),
		),
		t.DeleteMembersOf(id),
	)
}

func (t tx) AssignmentsAside(itemID string) ([]tenant.Assignment, error) {
	return list[tenant.Assignment](t, `SELECT doc FROM deleted_assignments WHERE item_id = $1 ORDER BY id`, itemID)
}

func (t tx) PutAssignmentAside(itemID string, a tenant.Assignment) error {
	return t.Do(
		`INSERT INTO deleted_assignments (item_id, id, doc) VALUES ($1, $2, $3) ON CONFLICT (item_id, id) DO NOTHING`,
		itemID, string(a.ID), sqldb.Encode(a),
	)
}

func (t tx) PutAssignmentsAside(itemID string, q tenant.AssignmentQuery) error {
	return errors.Join(
		t.Do(
			`INSERT INTO deleted_assignments (item_id, id, doc)
				SELECT CAST($1 AS TEXT), id, doc FROM assignments WHERE service_principal_id = $2 OR principal_id = $3`,
			itemID, string(q.ServicePrincipalID), string(q.PrincipalID),
		),
		t.Do(
			`DELETE FROM assignments WHERE service_principal_id = $1 OR principal_id = $2`,
			string(q.ServicePrincipalID), string(q.PrincipalID),
		),
	)
}

func (t tx) DeleteApplication(id tenant.ApplicationID) error {
	return t.Do(`DELETE FROM applications WHERE id = $1`, string(id))
}
