package store

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// A membership is kept as the numbers of its group and its user and the moment it was made. Its id
// is a UUID of version 8 (RFC 9562 §5.8) that is computed from the three, so that it needs neither
// a column nor an index: 48 bits of milliseconds, 32 of the group, 32 of the user.

const maxSeq = 1<<32 - 1 //bound:none a format, not a bound

func membershipID(group, user, created int64) center.MembershipID {
	var id uuid.UUID
	// #nosec G115 -- never negative
	binary.BigEndian.PutUint64(id[:8], uint64(created)<<16|8<<12|uint64(group)>>20)
	// #nosec G115 -- never negative
	binary.BigEndian.PutUint64(id[8:], 2<<62|uint64(group)&0xfffff<<42|uint64(user)<<10)
	return center.MembershipID(id.String())
}

func readMembershipID(text center.MembershipID) (group, user, created int64, ok bool) {
	id, err := uuid.Parse(string(text))
	if err != nil {
		return 0, 0, 0, false
	}
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	group = int64(high&0xfff<<20 | low>>42&0xfffff) // #nosec G115 -- 32 bits at most
	user = int64(low >> 10 & maxSeq)
	created = int64(high >> 16) // #nosec G115 -- 48 bits at most
	return group, user, created, membershipID(group, user, created) == text
}

const selectMemberships = `SELECT m.group_seq, m.user_seq, m.created, m.created_by, COALESCE(m.old_id, ''), g.id, u.id
	FROM memberships m JOIN user_groups g ON g.seq = m.group_seq JOIN users u ON u.seq = m.user_seq`

func (t tx) memberships(query string, args []any) (all []center.Membership, err error) {
	err = t.Query(query, args, func(r sqldb.Row) error {
		var m center.Membership
		var created int64
		err := r.Scan(&m.GroupPosition, &m.UserPosition, &created, &m.CreatedBy, &m.ID, &m.GroupID, &m.UserID)
		if m.ID == "" {
			m.ID = membershipID(m.GroupPosition, m.UserPosition, created)
		}
		m.CreatedAt = time.UnixMilli(created).UTC()
		all = append(all, m)
		return err
	})
	return all, err
}

func (t tx) oneMembership(query string, args ...any) (center.Membership, error) {
	all, err := t.memberships(query, args)
	if err != nil {
		return center.Membership{}, err
	}
	if len(all) == 0 {
		return center.Membership{}, refusal.ErrNoRow
	}
	return all[0], nil
}

func (t tx) Membership(id center.MembershipID) (center.Membership, error) {
	if group, user, created, ok := readMembershipID(id); ok {
		return t.oneMembership(
			selectMemberships+` WHERE m.group_seq = $1 AND m.user_seq = $2 AND m.created = $3 AND m.old_id IS NULL`,
			group, user, created,
		)
	}
	return t.oneMembership(selectMemberships+` WHERE m.old_id = $1`, string(id))
}

func (t tx) MembershipOf(g center.GroupID, u center.UserID) (center.Membership, error) {
	return t.oneMembership(
		selectMemberships+` WHERE m.group_seq = (SELECT seq FROM user_groups WHERE id = $1)
			AND m.user_seq = (SELECT seq FROM users WHERE id = $2)`,
		string(g), string(u),
	)
}

// membershipWhere narrows to a group, to a user, or both.
func membershipWhere(q center.MembershipQuery) *sqldb.Where {
	w := &sqldb.Where{}
	if q.GroupID != "" {
		w.And("m.group_seq = (SELECT seq FROM user_groups WHERE id = ?)", string(q.GroupID))
	}
	if q.UserID != "" {
		w.And("m.user_seq = (SELECT seq FROM users WHERE id = ?)", string(q.UserID))
	}
	for _, word := range strings.Fields(q.Search) {
		w.Contains("u.search", word)
	}
	return w
}

func (t tx) Memberships(q center.MembershipQuery) ([]center.Membership, error) {
	w, order := membershipWhere(q), "m.user_seq"
	if q.GroupID == "" {
		order = "m.group_seq"
	}
	if q.After != 0 {
		w.And(order+" > ?", q.After)
	}
	plain := q == center.MembershipQuery{GroupID: q.GroupID, Offset: q.Offset, Limit: q.Limit}
	if plain && q.Offset > 0 { // what is passed over is counted in the index, and not joined to users
		w.And(`m.user_seq >= (SELECT x.user_seq FROM memberships x WHERE x.group_seq = (SELECT seq FROM user_groups
			WHERE id = ?) ORDER BY x.user_seq LIMIT 1 OFFSET ?)`, string(q.GroupID), q.Offset)
		q.Offset = 0
	}
	if q.ByName {
		order = "u.user_name"
	}
	if q.Descending {
		order += " DESC"
	}
	return t.memberships(selectMemberships+w.Text()+` ORDER BY `+order+w.Limit(q.Limit, q.Offset), w.Args)
}

func (t tx) CountMemberships(q center.MembershipQuery) (int, error) {
	w := membershipWhere(q)
	from := ` FROM memberships m`
	if q.Search != "" {
		from += ` JOIN users u ON u.seq = m.user_seq`
	}
	return t.Count(`SELECT COUNT(*)`+from+w.Text(), w.Args...)
}

func (t tx) Members(g center.GroupID) ([]center.Member, error) {
	return list[center.Member](
		t,
		`SELECT u.doc FROM memberships m JOIN users u ON u.seq = m.user_seq WHERE m.group_seq = (SELECT seq
			FROM user_groups WHERE id = $1) ORDER BY m.user_seq`,
		string(g),
	)
}

func (t tx) GroupsOf(u center.UserID) ([]center.Group, error) {
	return t.groups(
		`SELECT g.doc, g.version, g.updated, g.updated_by FROM memberships m JOIN user_groups g ON g.seq = m.group_seq
			WHERE m.user_seq = (SELECT seq FROM users WHERE id = $1) ORDER BY m.group_seq`,
		string(u),
	)
}

func (t tx) AddMember(g center.GroupID, u center.UserID, at time.Time, by string, m *center.Membership) (bool, error) {
	at = at.Truncate(time.Millisecond)
	*m = center.Membership{GroupID: g, UserID: u, CreatedAt: at, CreatedBy: by}
	return t.AssumeRow(
		`INSERT INTO memberships (group_seq, user_seq, created, created_by)
			SELECT g.seq, u.seq, CAST($3 AS BIGINT), CAST($4 AS TEXT) FROM user_groups g, users u
		WHERE g.id = $1 AND u.id = $2 ON CONFLICT DO NOTHING`,
		[]any{string(g), string(u), at.UnixMilli(), by},
		[]string{"group_seq", "user_seq"},
		func(r sqldb.Row) error {
			err := r.Scan(&m.GroupPosition, &m.UserPosition)
			m.ID = membershipID(m.GroupPosition, m.UserPosition, at.UnixMilli())
			return err
		},
	)
}

// AddMembers takes the numbers from the group and the users, so that those that are not there add
// nothing.
func (t tx) AddMembers(g center.GroupID, users []center.UserID, at time.Time, by string) (added int, err error) {
	for some := range slices.Chunk(users, listed) {
		n, err := t.Assume(len(some), `INSERT INTO memberships (group_seq, user_seq, created, created_by)
			SELECT g.seq, u.seq, CAST($2 AS BIGINT), CAST($3 AS TEXT) FROM user_groups g, users u WHERE g.id = $1
			AND u.id IN `+placeholders(4, len(some))+` ON CONFLICT DO NOTHING`,
			append([]any{string(g), at.UnixMilli(), by}, anys(some)...)...)
		if err != nil {
			return added, err
		}
		added += int(n)
	}
	return added, nil
}

func (t tx) RemoveMembers(g center.GroupID, users []center.UserID) (removed int, err error) {
	for some := range slices.Chunk(users, listed) {
		n, err := t.Assume(
			len(some),
			`DELETE FROM memberships WHERE group_seq = (SELECT seq FROM user_groups WHERE id = $1)
				AND user_seq IN (SELECT seq FROM users WHERE id IN `+
				placeholders(2, len(some))+`)`,
			append([]any{string(g)}, anys(some)...)...)
		if err != nil {
			return removed, err
		}
		removed += int(n)
	}
	return removed, nil
}

// listed bounds how many ids one statement lists: as many as one request of AWS's profile names.
const listed = 100

// lists are the texts of lists of placeholders, by their first number and length: statements are
// prepared by their text.
var lists sync.Map

func placeholders(first, n int) string {
	key := [2]int{first, n}
	if text, ok := lists.Load(key); ok {
		return text.(string) // nothing else is stored
	}
	b := []byte{'('}
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(append(b, '$'), int64(first+i), 10)
	}
	text := string(append(b, ')'))
	lists.Store(key, text)
	return text
}

func anys[T ~string](ids []T) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func (t tx) DeleteMembershipsOf(u center.UserID) error {
	return t.Do(`DELETE FROM memberships WHERE user_seq = (SELECT seq FROM users WHERE id = $1)`, string(u))
}

func (t tx) DeleteMembershipsIn(g center.GroupID) error {
	return t.Do(`DELETE FROM memberships WHERE group_seq = (SELECT seq FROM user_groups WHERE id = $1)`, string(g))
}
