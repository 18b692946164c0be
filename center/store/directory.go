package store

import (
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func texts[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// How a user is found.
var (
	userByID         = sqldb.NewLookup("users", "id", "")
	userByName       = sqldb.NewLookup("users", "user_name", "")
	userByExternalID = sqldb.NewLookup("users", "external_id", "")
)

func (t tx) user(by *sqldb.Lookup, key string) (center.User, error) {
	doc, err := t.Find(by, key)
	if err != nil {
		return center.User{}, sqldb.NoRow(err, refusal.ErrNoRow)
	}
	return readUser(doc)
}

func (t tx) users(expected int, query string, args ...any) (all []center.User, err error) {
	all = make([]center.User, 0, min(expected, 1000))
	err = t.Query(query, args, func(r sqldb.Row) error {
		var doc string
		if err := r.Scan(&doc); err != nil {
			return err
		}
		u, err := readUser(doc)
		all = append(all, u)
		return err
	})
	return all, err
}

func (t tx) User(id center.UserID) (center.User, error) {
	return t.user(userByID, string(id))
}
func (t tx) UserByName(name string) (center.User, error) {
	return t.user(userByName, names.Fold(name))
}
func (t tx) UserByEmail(email string) (center.User, error) {
	var doc string
	err := t.Row(
		`SELECT doc FROM users WHERE email = $1 OR (user_name = $1 AND name_is_email = 1)`,
		[]any{names.Fold(email)}, &doc,
	)
	if err != nil {
		return center.User{}, sqldb.NoRow(err, refusal.ErrNoRow)
	}
	return readUser(doc)
}
func (t tx) UserByExternalID(id string) (center.User, error) {
	return t.user(userByExternalID, id)
}

// UsersHolding looks all three keys up at once.
func (t tx) UsersHolding(name, email, externalID string) ([]center.UserKeys, error) {
	return rows(
		t,
		`SELECT id, user_name, CASE WHEN name_is_email = 1 THEN user_name ELSE COALESCE(email, '') END,
			COALESCE(external_id, '') FROM users
		WHERE user_name = $1 OR email = $2 OR external_id = $3 OR (user_name = $2 AND name_is_email = 1)`,
		[]any{
			names.Fold(name), sqldb.OrNull(names.Fold(email)), sqldb.OrNull(externalID),
		},
		func(k *center.UserKeys) []any { return []any{&k.ID, &k.UserName, &k.Email, &k.ExternalID} },
	)
}

// userColumns are the values of a user's columns. An e-mail address that is the user name, as most
// are, is found by that: one index less to write.
func userColumns(u center.User) []any {
	name, email := names.Fold(u.UserName), names.Fold(u.PrimaryEmail())
	same := 0
	if email == name {
		email, same = "", 1
	}
	return []any{
		string(u.ID), name, sqldb.OrNull(email), same, sqldb.OrNull(u.ExternalID),
		strings.ToLower(u.UserName + " " + u.DisplayName), writeUser(u),
	}
}

// AddUser leaves the keys to the unique indexes, but for an address that is somebody's user name:
// then the new row has that one's id, so that it conflicts too. A SELECT in place of the VALUES
// would make SQLite keep the row in a temporary table, since it reads the table that it writes.
func (t tx) AddUser(u center.User) (bool, error) {
	n, err := t.Assume(1, `INSERT INTO users (id, user_name, email, name_is_email, external_id, search, doc)
		VALUES (COALESCE((SELECT id FROM users WHERE user_name = CAST($3 AS TEXT) AND name_is_email = 1),
			(SELECT id FROM users WHERE email = CAST($2 AS TEXT) AND CAST($4 AS INTEGER) = 1), CAST($1 AS TEXT)),
			CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS INTEGER), CAST($5 AS TEXT), CAST($6 AS TEXT),
			CAST($7 AS TEXT))
		ON CONFLICT DO NOTHING`, userColumns(u)...)
	return n > 0, err
}

func (t tx) PutUser(u center.User) error {
	return t.Do(
		`UPDATE users SET user_name = $2, email = $3, name_is_email = $4, external_id = $5, search = $6, doc = $7
			WHERE id = $1`,
		userColumns(u)...)
}

func (t tx) PutUserKeepingKeys(u center.User) error {
	return t.Do(`UPDATE users SET doc = $2 WHERE id = $1`, string(u.ID), writeUser(u))
}

func (t tx) DeleteUser(id center.UserID) error {
	return t.Do(`DELETE FROM users WHERE id = $1`, string(id))
}

func userWhere(q center.UserQuery) *sqldb.Where {
	w := &sqldb.Where{}
	if q.IDs != nil {
		w.In("id", texts(q.IDs))
	}
	for _, word := range strings.Fields(q.Search) {
		w.Contains("search", word)
	}
	if q.Active != nil { // documents leave out what is false; quotes in values are escaped
		w.And(not(!*q.Active) + `doc LIKE '%"Active":true%'`)
	}
	if q.HasAccess != nil {
		w.And(not(!*q.HasAccess) + `(id IN (SELECT principal_id FROM assignments WHERE principal_type = 'USER')
			OR seq IN (SELECT m.user_seq FROM memberships m JOIN user_groups g ON g.seq = m.group_seq
			WHERE g.id IN (SELECT principal_id FROM assignments WHERE principal_type = 'GROUP')))`)
	}
	return w
}

func not(negated bool) string {
	if negated {
		return "NOT "
	}
	return ""
}

// orderOf is the order of a list, by the columns of the orders. Equal ones are in the order of
// their ids.
func orderOf(by center.Order, descending bool, columns ...string) string {
	direction := ""
	if descending {
		direction = " DESC"
	}
	text := " ORDER BY id" + direction
	if by != 0 {
		text = " ORDER BY " + columns[by] + direction + ", id" + direction
	}
	return text
}

func (t tx) Users(q center.UserQuery) ([]center.User, error) {
	w := userWhere(q)
	if q.After != "" {
		w.And("id > ?", string(q.After))
	}
	// after the user name and a blank, the text that is searched has the display name
	order := orderOf(q.By, q.Descending, "id", "user_name", "substr(search, length(user_name) + 2)")
	if q.Offset > 0 && w.Text() == "" && q.By == 0 && !q.Descending { // what is passed over is not read
		w.And("id >= (SELECT id FROM users ORDER BY id LIMIT 1 OFFSET ?)", q.Offset)
		q.Offset = 0
	}
	query := `SELECT doc FROM users` + w.Text() + order + w.Limit(q.Limit, q.Offset)
	return t.users(q.Limit, query, w.Args...)
}

func (t tx) CountUsers(q center.UserQuery) (int, error) {
	w := userWhere(q)
	return t.Count(`SELECT COUNT(*) FROM users`+w.Text(), w.Args...)
}

const selectGroup = `SELECT doc, version, updated, updated_by FROM user_groups`

// groups reads groups. When one was changed last stands in columns, since a change of members does
// not write the document.
func (t tx) groups(query string, args ...any) (all []center.Group, err error) {
	err = t.Query(query, args, func(r sqldb.Row) error {
		var doc, by string
		var version, updated int64
		if err := r.Scan(&doc, &version, &updated, &by); err != nil {
			return err
		}
		g, err := sqldb.Decode[center.Group](doc)
		if updated != 0 {
			g.Version = version
			g.UpdatedAt = time.UnixMicro(updated).UTC()
			g.UpdatedBy = by
		}
		all = append(all, g)
		return err
	})
	return all, err
}

func (t tx) oneGroup(where, key string) (center.Group, error) {
	all, err := t.groups(selectGroup+where, key)
	if err != nil {
		return center.Group{}, err
	}
	if len(all) == 0 {
		return center.Group{}, refusal.ErrNoRow
	}
	return all[0], nil
}

func (t tx) Group(id center.GroupID) (center.Group, error) {
	return t.oneGroup(` WHERE id = $1`, string(id))
}
func (t tx) GroupByName(name string) (center.Group, error) {
	return t.oneGroup(` WHERE display_name = $1`, names.Fold(name))
}
func (t tx) GroupByExternalID(id string) (center.Group, error) {
	return t.oneGroup(` WHERE external_id = $1`, id)
}

func (t tx) AddGroup(g center.Group) error {
	return t.Do(`INSERT INTO user_groups (id, display_name, external_id, doc) VALUES ($1, $2, $3, $4)`,
		string(g.ID), names.Fold(g.DisplayName), sqldb.OrNull(g.ExternalID), sqldb.Encode(g))
}

func (t tx) PutGroup(g center.Group) error {
	return t.Do(
		`UPDATE user_groups
			SET display_name = $2, external_id = $3, doc = $4, version = $5, updated = $6, updated_by = $7
			WHERE id = $1`,
		string(g.ID),
		names.Fold(g.DisplayName),
		sqldb.OrNull(g.ExternalID),
		sqldb.Encode(g),
		g.Version,
		g.UpdatedAt.UnixMicro(),
		g.UpdatedBy,
	)
}

func (t tx) TouchGroup(id center.GroupID, at time.Time, by string) error {
	return t.Do(
		`UPDATE user_groups SET version = version + 1, updated = $2, updated_by = $3 WHERE id = $1`, string(id),
		at.UnixMicro(), by,
	)
}

func (t tx) TouchGroupsOf(user center.UserID, at time.Time, by string) error {
	return t.Do(
		`UPDATE user_groups SET version = version + 1, updated = $2, updated_by = $3 WHERE seq IN (SELECT group_seq
			FROM memberships WHERE user_seq = (SELECT seq FROM users WHERE id = $1))`,
		string(user), at.UnixMicro(), by,
	)
}

func (t tx) DeleteGroup(id center.GroupID) error {
	return t.Do(`DELETE FROM user_groups WHERE id = $1`, string(id))
}

func groupWhere(q center.GroupQuery) *sqldb.Where {
	w := &sqldb.Where{}
	if q.IDs != nil {
		w.In("id", texts(q.IDs))
	}
	for _, word := range strings.Fields(q.Search) {
		w.And("display_name LIKE ? ESCAPE '!'", sqldb.Pattern(names.Fold(word)))
	}
	if q.HasAccess != nil {
		w.And(not(!*q.HasAccess) + "id IN (SELECT principal_id FROM assignments WHERE principal_type = 'GROUP')")
	}
	return w
}

func (t tx) Groups(q center.GroupQuery) ([]center.Group, error) {
	w := groupWhere(q)
	if q.After != "" {
		w.And("id > ?", string(q.After))
	}
	order := orderOf(q.By, q.Descending, "id", "display_name")
	return t.groups(selectGroup+w.Text()+order+w.Limit(q.Limit, q.Offset), w.Args...)
}

func (t tx) CountGroups(q center.GroupQuery) (int, error) {
	w := groupWhere(q)
	return t.Count(`SELECT COUNT(*) FROM user_groups`+w.Text(), w.Args...)
}
