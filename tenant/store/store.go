// Package store keeps a tenant in SQL: SQLite or PostgreSQL, whichever sqldb opened. It decides
// nothing; each method is one statement. Objects are kept whole as JSON beside the columns that
// they are found by.
//
// It may import audit, audit/chain, audit/chainsql, names, refusal, sqldb and tenant.
package store

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/audit/chainsql"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

//go:embed migrations
var migrations embed.FS

// ownTable is one that every tenant's database has, and no center's.
const ownTable = "provisioning_log"

// Store is a tenant.Store on a database.
type Store struct{ db *sqldb.DB }

// Open opens the store at dsn: a postgres:// URL or the path of an SQLite file.
func Open(ctx context.Context, dsn string, choices ...sqldb.Option) (*Store, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Open(ctx, dsn, dir, append(slices.Clone(choices), sqldb.Holding(ownTable))...)
	if err != nil {
		return nil, err
	}
	s := &Store{db}
	if err := s.refold(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Before has look read a store of an older release before that is changed; see sqldb.Before.
func Before(look func(tenant.Reader) error) sqldb.Option {
	return sqldb.Before(func(t sqldb.Tx) error { return look(tx{t, false}) })
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Pool says how the connections to PostgreSQL stand.
func (s *Store) Pool() (sqldb.Pool, bool) { return s.db.Pool() }

// Shared implements tenant.Store.
func (s *Store) Shared() bool { return s.db.Shared() }

// View implements tenant.Store.
func (s *Store) View(ctx context.Context, fn func(tenant.Reader) error) error {
	return known(s.db.View(ctx, func(t sqldb.Tx) error { return fn(tx{t, s.db.Shared()}) }))
}

// Ready implements tenant.Store.
func (s *Store) Ready(ctx context.Context) error {
	return known(s.db.Ready(ctx,
		`INSERT INTO documents (kind, id, doc) VALUES ('readiness', '', $1) ON CONFLICT (kind, id)
		DO UPDATE SET doc = excluded.doc`, sqldb.Encode(time.Now().UTC())))
}

// Update implements tenant.Store.
func (s *Store) Update(ctx context.Context, fn func(tenant.Tx) error) error {
	if ends := refusal.EndOf(ctx); ends != nil {
		return known(s.db.View(ctx, func(t sqldb.Tx) error {
			return cmp.Or(fn(tx{t.Ending(ends), s.db.Shared()}), ends)
		}))
	}
	return known(s.db.Update(ctx, func(t sqldb.Tx) error { return fn(tx{t, s.db.Shared()}) }))
}

// The database's own failures, with the codes that doors answer with.
var (
	unavailable = &refusal.Error{Code: tenant.StoreUnavailable}
	conflict    = &refusal.Error{Code: tenant.ConcurrentChange}
	unknown     = &refusal.Error{
		Code:   tenant.StoreUnavailable,
		Detail: "the answer to this change was lost, look whether it was made before you repeat it",
	}
)

func known(err error) error { return sqldb.Known(err, unavailable, unknown, conflict) }

type tx struct {
	sqldb.Tx
	shared bool // several processes share the database
}

var _ tenant.Tx = tx{}

func one[T any](t tx, query string, args ...any) (T, error) {
	v, err := sqldb.One[T](t.Tx, query, args...)
	return v, sqldb.NoRow(err, refusal.ErrNoRow)
}

func list[T any](t tx, query string, args ...any) ([]T, error) {
	return sqldb.List[T](t.Tx, query, args...)
}

// Small nouns without columns of their own live in the table documents, by kind.
const (
	kindOrganization  = "organization"
	kindClient        = "client"
	kindAdministrator = "administrator"
	kindPassword      = "password"
	kindFactors       = "factors"
	kindNote          = "note"
	kindPolicy        = "policy"
	kindPermission    = "permissionGrant"
)

func document[T any](t tx, kind, id string) (T, error) {
	return one[T](t, `SELECT doc FROM documents WHERE kind = $1 AND id = $2`, kind, id)
}

func (t tx) putDocument(kind, id string, v any) error {
	return t.Do(
		`INSERT INTO documents (kind, id, doc) VALUES ($1, $2, $3) ON CONFLICT (kind, id)
			DO UPDATE SET doc = excluded.doc`,
		kind, id, sqldb.Encode(v),
	)
}

func (t tx) Organization() (tenant.Organization, error) {
	return document[tenant.Organization](t, kindOrganization, "")
}
func (t tx) PutOrganization(v tenant.Organization) error {
	return t.putDocument(kindOrganization, "", v)
}
func (t tx) Client(id tenant.ClientID) (tenant.Client, error) {
	return document[tenant.Client](t, kindClient, string(id))
}
func (t tx) PutClient(v tenant.Client) error { return t.putDocument(kindClient, string(v.ID), v) }
func (t tx) deleteDocument(kind, id string) error {
	return t.Do(`DELETE FROM documents WHERE kind = $1 AND id = $2`, kind, id)
}

func documents[T any](t tx, kind string) ([]T, error) {
	return list[T](t, `SELECT doc FROM documents WHERE kind = $1 ORDER BY id`, kind)
}

func (t tx) DeleteClient(id tenant.ClientID) error { return t.deleteDocument(kindClient, string(id)) }
func (t tx) Clients() ([]tenant.Client, error)     { return documents[tenant.Client](t, kindClient) }
func (t tx) Policy(id tenant.PolicyID) (tenant.Policy, error) {
	return document[tenant.Policy](t, kindPolicy, string(id))
}
func (t tx) Policies() ([]tenant.Policy, error)    { return documents[tenant.Policy](t, kindPolicy) }
func (t tx) PutPolicy(p tenant.Policy) error       { return t.putDocument(kindPolicy, string(p.ID), p) }
func (t tx) DeletePolicy(id tenant.PolicyID) error { return t.deleteDocument(kindPolicy, string(id)) }

func (t tx) PermissionGrants() ([]tenant.PermissionGrant, error) {
	return documents[tenant.PermissionGrant](t, kindPermission)
}
func (t tx) PutPermissionGrant(g tenant.PermissionGrant) error {
	return t.putDocument(kindPermission, string(g.ID), g)
}
func (t tx) DeletePermissionGrant(id tenant.PermissionGrantID) error {
	return t.deleteDocument(kindPermission, string(id))
}

func (t tx) Grant(digest string) (tenant.Grant, error) {
	return one[tenant.Grant](t, `SELECT doc FROM grants WHERE digest = $1`, digest)
}
func (t tx) GrantByUserCode(code string) (tenant.Grant, error) {
	return one[tenant.Grant](t, `SELECT doc FROM grants WHERE user_code = $1 AND user_code <> ''`, code)
}
func (t tx) GrantsOf(id tenant.AccountID) ([]tenant.Grant, error) {
	return list[tenant.Grant](t,
		`SELECT doc FROM grants WHERE account = $1 AND account <> '' ORDER BY digest`, string(id))
}
func (t tx) PutGrant(g tenant.Grant) error {
	waiting := 0
	if g.Waits() {
		waiting = 1
	}
	return t.Do(
		`INSERT INTO grants (digest, user_code, expires, holder, account, waiting, doc)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (digest)
		DO UPDATE SET expires = excluded.expires, holder = excluded.holder, account = excluded.account,
		waiting = excluded.waiting, doc = excluded.doc`,
		g.Digest,
		g.UserCode,
		g.ExpiresAt.UnixMilli(),
		g.Holder(),
		string(g.Account.ID),
		waiting,
		sqldb.Encode(g),
	)
}
func (t tx) KeepGrantsOf(holder string, newest int) error {
	return t.Do(`DELETE FROM grants WHERE digest IN
		(SELECT digest FROM grants WHERE holder = $1 ORDER BY expires DESC LIMIT 1000000 OFFSET $2)`, holder, newest)
}
func (t tx) KeepWaitingGrants(most, left int, now time.Time) error {
	return t.Do(`DELETE FROM grants WHERE digest IN (SELECT digest FROM
		(SELECT digest, expires, ROW_NUMBER() OVER (PARTITION BY holder ORDER BY expires DESC) AS place FROM grants
			WHERE waiting = 1 AND (SELECT COUNT(*) FROM grants WHERE waiting = 1) > $1) ranked
		ORDER BY expires <= $3, place, expires DESC LIMIT 1000000 OFFSET $2)`, most, left, now.UnixMilli())
}
func (t tx) DeleteGrantsOf(id tenant.AccountID) error {
	return t.Do(`DELETE FROM grants WHERE account = $1 AND account <> ''`, string(id))
}
func (t tx) DeleteGrant(digest string) error {
	return t.Do(`DELETE FROM grants WHERE digest = $1`, digest)
}
func (t tx) DeleteGrants(expired time.Time) error {
	return t.Do(`DELETE FROM grants WHERE expires < $1`, expired.UnixMilli())
}

func (t tx) Administrator(name string) (tenant.Administrator, error) {
	return document[tenant.Administrator](t, kindAdministrator, names.Fold(name))
}
func (t tx) PutAdministrator(v tenant.Administrator) error {
	return t.putDocument(kindAdministrator, names.Fold(v.Name), v)
}
func (t tx) Administrators() ([]tenant.Administrator, error) {
	return documents[tenant.Administrator](t, kindAdministrator)
}
func (t tx) DeleteAdministrator(name string, id tenant.AccountID) error {
	return errors.Join(t.deleteDocument(
		kindAdministrator, names.Fold(name),
	), t.deleteDocument(kindPassword, string(id)),
		t.deleteDocument(kindFactors, string(id)))
}
func (t tx) Password(id tenant.AccountID) (tenant.Password, error) {
	return document[tenant.Password](t, kindPassword, string(id))
}
func (t tx) Factors(id tenant.AccountID) (tenant.Factors, error) {
	return document[tenant.Factors](t, kindFactors, string(id))
}
func (t tx) PutFactors(f tenant.Factors) error {
	return t.putDocument(kindFactors, string(f.Account), f)
}
func (t tx) Note(name string) (string, error) { return document[string](t, kindNote, name) }
func (t tx) PutNote(name, text string) error  { return t.putDocument(kindNote, name, text) }
func (t tx) DeleteNote(name string) error     { return t.deleteDocument(kindNote, name) }
func (t tx) Notes(prefix string) (all []tenant.Note, err error) {
	err = t.Query(
		`SELECT id, doc FROM documents WHERE kind = $1 AND substr(id, 1, $2) = $3 ORDER BY id`,
		[]any{kindNote, len(prefix), prefix},
		func(rows sqldb.Row) error {
			var n tenant.Note
			var doc string
			if err := rows.Scan(&n.Name, &doc); err != nil {
				return err
			}
			n.Text, err = sqldb.Decode[string](doc)
			all = append(all, n)
			return err
		},
	)
	return all, err
}
func (t tx) PutPassword(v tenant.Password) error {
	return t.putDocument(kindPassword, string(v.Account), v)
}

func (t tx) Session(digest string) (tenant.Session, error) {
	return one[tenant.Session](t, `SELECT doc FROM sessions WHERE digest = $1`, digest)
}
func (t tx) SessionsOf(id tenant.AccountID) ([]tenant.Session, error) {
	return list[tenant.Session](t, `SELECT doc FROM sessions WHERE user_id = $1 ORDER BY digest`, string(id))
}
func (t tx) PutSession(v tenant.Session) error {
	return t.Do(
		`INSERT INTO sessions (digest, user_id, expires, doc) VALUES ($1, $2, $3, $4)`, v.Digest, string(v.Account),
		v.ExpiresAt.UnixMilli(), sqldb.Encode(v),
	)
}
func (t tx) CountSessions(now time.Time) (int, error) {
	return t.Count(`SELECT count(*) FROM sessions WHERE expires > $1`, now.UnixMilli())
}
func (t tx) DeleteSessions(expired time.Time) (int, error) {
	n, err := t.Exec(`DELETE FROM sessions WHERE expires <= $1`, expired.UnixMilli())
	return int(n), err
}
func (t tx) DeleteSession(digest string) error {
	return t.Do(`DELETE FROM sessions WHERE digest = $1`, digest)
}
func (t tx) DeleteSessionsOf(id tenant.AccountID) error {
	return t.Do(`DELETE FROM sessions WHERE user_id = $1`, string(id))
}

func (t tx) User(id tenant.UserID) (tenant.User, error) {
	return one[tenant.User](t, `SELECT doc FROM users WHERE id = $1`, string(id))
}
func (t tx) UserByPrincipalName(name string) (tenant.User, error) {
	return one[tenant.User](t, `SELECT doc FROM users WHERE user_principal_name = $1`, names.Fold(name))
}
func (t tx) Users(q tenant.Query) ([]tenant.User, error) {
	w := userWhere(q)
	order := orderOf(q, "id", "search", "user_principal_name")
	return list[tenant.User](t, `SELECT doc FROM users`+w.Text()+order+w.Limit(q.Limit, q.Offset), w.Args...)
}
func (t tx) CountUsers(q tenant.Query) (int, error) {
	w := userWhere(q)
	return t.Count(`SELECT COUNT(*) FROM users`+w.Text(), w.Args...)
}

// UsersManagedBy looks through all documents: managers are no column.
func (t tx) UsersManagedBy(manager tenant.UserID) ([]tenant.User, error) {
	found, err := list[tenant.User](
		t, `SELECT doc FROM users WHERE doc LIKE $1 ORDER BY id`, `%"ManagerID":`+sqldb.Encode(manager)+`%`,
	)
	return slices.DeleteFunc(found, func(u tenant.User) bool { return u.ManagerID != manager }), err
}
func (t tx) PutUser(u tenant.User) error {
	return t.Do(`INSERT INTO users (id, user_principal_name, search, doc) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id)
		DO UPDATE SET user_principal_name = excluded.user_principal_name, search = excluded.search, doc = excluded.doc`,
		string(u.ID), names.Fold(u.UserPrincipalName), strings.ToLower(u.DisplayName+" "+u.UserPrincipalName),
		sqldb.Encode(u))
}
func (t tx) DeleteUser(id tenant.UserID) error {
	return errors.Join(
		t.Do(`DELETE FROM users WHERE id = $1`, string(id)), t.deleteDocument(kindPassword, string(id)),
		t.deleteDocument(kindFactors, string(id)),
	)
}

func (t tx) Group(id tenant.GroupID) (tenant.Group, error) {
	return one[tenant.Group](t, `SELECT doc FROM user_groups WHERE id = $1`, string(id))
}

// groupKey is what groups are searched and found by. It is the same for names that are the same,
// and for some others: it ignores the letter case of all letters, as searching does.
func groupKey(name string) string { return strings.ToLower(names.Fold(name)) }

func (t tx) GroupsByName(name string) ([]tenant.Group, error) {
	query := `SELECT doc FROM user_groups WHERE display_name = $1 ORDER BY id`
	found, err := list[tenant.Group](t, query, groupKey(name))
	return slices.DeleteFunc(found, func(g tenant.Group) bool { return !names.Equal(g.DisplayName, name) }), err
}
func (t tx) Groups(q tenant.Query) ([]tenant.Group, error) {
	w := groupWhere(q)
	order := orderOf(q, "id", "display_name", "")
	return list[tenant.Group](t, `SELECT doc FROM user_groups`+w.Text()+order+w.Limit(q.Limit, q.Offset), w.Args...)
}
func (t tx) CountGroups(q tenant.Query) (int, error) {
	w := groupWhere(q)
	return t.Count(`SELECT COUNT(*) FROM user_groups`+w.Text(), w.Args...)
}
func (t tx) PutGroup(g tenant.Group) error {
	return t.Do(
		`INSERT INTO user_groups (id, display_name, doc) VALUES ($1, $2, $3) ON CONFLICT (id)
			DO UPDATE SET display_name = excluded.display_name, doc = excluded.doc`,
		string(g.ID), groupKey(g.DisplayName), sqldb.Encode(g),
	)
}
func (t tx) DeleteGroup(id tenant.GroupID) error {
	return t.Do(`DELETE FROM user_groups WHERE id = $1`, string(id))
}

func (t tx) members(query string, args ...any) (all []tenant.Member, err error) {
	err = t.Query(query, args, func(rows sqldb.Row) error {
		var m tenant.Member
		err := rows.Scan((*string)(&m.GroupID), (*string)(&m.MemberID), (*string)(&m.Kind)) // *string is read fastest
		all = append(all, m)
		return err
	})
	return all, err
}
func (t tx) Members(groupID tenant.GroupID) ([]tenant.Member, error) {
	return t.members(
		`SELECT group_id, member_id, kind FROM members WHERE group_id = $1 ORDER BY member_id`, string(groupID),
	)
}
func (t tx) MembersAfter(groupID tenant.GroupID, after tenant.PrincipalID, limit int) ([]tenant.Member, error) {
	return t.members(
		`SELECT group_id, member_id, kind FROM members WHERE group_id = $1 AND member_id > $2
			ORDER BY member_id LIMIT $3`,
		string(groupID), string(after), limit,
	)
}
func (t tx) MemberOf(memberID tenant.PrincipalID) ([]tenant.Member, error) {
	return t.members(
		`SELECT group_id, member_id, kind FROM members WHERE member_id = $1 ORDER BY group_id`, string(memberID),
	)
}
func (t tx) Member(groupID tenant.GroupID, memberID tenant.PrincipalID) (m tenant.Member, err error) {
	err = t.Row(
		`SELECT group_id, member_id, kind FROM members WHERE group_id = $1 AND member_id = $2`,
		[]any{string(groupID), string(memberID)}, (*string)(&m.GroupID), (*string)(&m.MemberID), (*string)(&m.Kind),
	)
	return m, sqldb.NoRow(err, refusal.ErrNoRow)
}
func (t tx) PutMember(m tenant.Member) error {
	return t.Do(
		`INSERT INTO members (group_id, member_id, kind) VALUES ($1, $2, $3)`, string(m.GroupID), string(m.MemberID),
		string(m.Kind),
	)
}
func (t tx) DeleteMember(groupID tenant.GroupID, memberID tenant.PrincipalID) error {
	return t.Do(`DELETE FROM members WHERE group_id = $1 AND member_id = $2`, string(groupID), string(memberID))
}
func (t tx) DeleteMembersOf(id tenant.PrincipalID) error {
	return t.Do(`DELETE FROM members WHERE group_id = $1 OR member_id = $2`, string(id), string(id))
}

func (t tx) Application(id tenant.AnyApplicationID) (tenant.Application, error) {
	return one[tenant.Application](
		t, `SELECT doc FROM applications WHERE id = $1 OR app_id = $2 OR service_principal_id = $3`,
		string(id), string(id), string(id),
	)
}
func (t tx) Applications() ([]tenant.Application, error) {
	return list[tenant.Application](t, `SELECT doc FROM applications ORDER BY id`)
}
func (t tx) PutApplication(a tenant.Application) error {
	return t.Do(
		`INSERT INTO applications (id, app_id, service_principal_id, doc) VALUES ($1, $2, $3, $4) ON CONFLICT (id)
			DO UPDATE SET doc = excluded.doc`,
		string(a.ID), string(a.AppID), string(a.ServicePrincipalID), sqldb.Encode(a),
	)
}

func (t tx) Assignments(q tenant.AssignmentQuery) ([]tenant.Assignment, error) {
	w := &sqldb.Where{}
	w.Equal("service_principal_id", string(q.ServicePrincipalID))
	w.Equal("principal_id", string(q.PrincipalID))
	return list[tenant.Assignment](t, `SELECT doc FROM assignments`+w.Text()+` ORDER BY id`, w.Args...)
}
func (t tx) Assignment(id tenant.AssignmentID) (tenant.Assignment, error) {
	return one[tenant.Assignment](t, `SELECT doc FROM assignments WHERE id = $1`, string(id))
}
func (t tx) PutAssignment(a tenant.Assignment) error {
	return t.Do(
		`INSERT INTO assignments (id, service_principal_id, principal_id, doc) VALUES ($1, $2, $3, $4)`, string(a.ID),
		string(a.ServicePrincipalID), string(a.PrincipalID), sqldb.Encode(a),
	)
}
func (t tx) DeleteAssignment(id tenant.AssignmentID) error {
	return t.Do(`DELETE FROM assignments WHERE id = $1`, string(id))
}

func (t tx) AppendEvent(e audit.Event) error {
	stranger := 0
	if e.FromStranger() {
		stranger = 1
	}
	e = e.Bounded()
	return t.Do(
		`INSERT INTO events (id, time, stranger, doc) VALUES ($1, $2, $3, $4)`, e.ID, e.Time.UnixMilli(), stranger,
		chainsql.Document(e),
	)
}
func (t tx) DeleteEvents(before time.Time, strangers bool, limit int) (int, error) {
	condition := `time < $1`
	if strangers {
		condition += ` AND stranger = 1`
	}
	n, err := t.Exec(
		`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE `+condition+` ORDER BY time LIMIT $2)`,
		before.UnixMilli(), limit,
	)
	return int(n), err
}

// maxEvents bounds the bytes of events that are read at once. Those that this release keeps are
// small; earlier ones kept whatever strangers sent.
const maxEvents = 8 << 20 //bound:list events of the tenant that are read at once, in bytes

// chainTable is how the chain of events finds them.
var chainTable = chainsql.Table{Key: "id"}

func (t tx) EventChain() chain.Log { return chainTable.Log(t.Tx) }

// eventTable is how events are kept.
var eventTable = audit.Table{Order: "id", ID: "id"}

func (t tx) FindEvents(q audit.Query) (audit.Found, error) {
	selection := q.Select()
	query, args := eventTable.Statement(q)
	cut, err := sqldb.Take(t.Tx, maxEvents, selection.Take, query, args...)
	return selection.Found(cut), err
}
func (t tx) EventBeyond(at time.Time, events int, oldestFirst bool) (time.Time, error) {
	query, args := audit.Beyond(at, events, oldestFirst)
	var ms int64
	err := sqldb.NoRow(t.Row(query, args, &ms), refusal.ErrNoRow)
	if errors.Is(err, refusal.ErrNoRow) {
		return time.Time{}, nil
	}
	return time.UnixMilli(ms), err
}
