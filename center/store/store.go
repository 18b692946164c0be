// Package store keeps a center in SQL: SQLite or PostgreSQL, whichever sqldb opened. It decides
// nothing; each method is one statement. Objects are kept whole as JSON beside the columns that
// they are found by.
//
// It may import audit, audit/chain, audit/chainsql, center, names, plainjson, refusal and
// sqldb.
package store

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/audit/chainsql"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

//go:embed migrations
var migrations embed.FS

// ownTable is one that every center's database has, and no tenant's.
const ownTable = "permission_sets"

// Store is a center.Store on a database.
type Store struct {
	db     *sqldb.DB
	writes atomic.Uint64 // begun by this process, those of events apart

	watchers  watchers
	untracked error // why changes of other processes are not noted
}

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
	s := &Store{db: db}
	err = s.refold(ctx)
	if err == nil {
		s.track(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Before has look read a store of an older release before that is changed; see sqldb.Before.
func Before(look func(center.Reader) error) sqldb.Option {
	return sqldb.Before(func(t sqldb.Tx) error { return look(tx{t, new(atomic.Uint64), false}) })
}

// OpenBeside opens the store to look at it, also while another process serves from it; see
// sqldb.OpenBeside.
func OpenBeside(ctx context.Context, dsn string) (*Store, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.OpenBeside(ctx, dsn, dir, ownTable)
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Pool says how the connections to PostgreSQL stand.
func (s *Store) Pool() (sqldb.Pool, bool) { return s.db.Pool() }

// Shared implements center.Store.
func (s *Store) Shared() bool { return s.db.Shared() }

// View implements center.Store.
func (s *Store) View(ctx context.Context, fn func(center.Reader) error) error {
	return known(s.db.View(ctx, func(t sqldb.Tx) error { return fn(tx{t, &s.writes, s.db.Shared()}) }))
}

// Get implements center.Store.
func (s *Store) Get(ctx context.Context, fn func(center.Reader) error) error {
	return known(s.db.Get(ctx, func(t sqldb.Tx) error { return fn(tx{t, &s.writes, s.db.Shared()}) }))
}

// Ready implements center.Store.
func (s *Store) Ready(ctx context.Context) error {
	return known(s.db.Ready(ctx,
		`INSERT INTO documents (kind, id, doc) VALUES ('readiness', '', $1) ON CONFLICT (kind, id)
		DO UPDATE SET doc = excluded.doc`, sqldb.Encode(time.Now().UTC())))
}

// Update implements center.Store.
func (s *Store) Update(ctx context.Context, fn func(center.Tx) error) error {
	if ends := refusal.EndOf(ctx); ends != nil {
		return known(s.db.View(ctx, func(t sqldb.Tx) error {
			return cmp.Or(fn(tx{t.Ending(ends), &s.writes, s.db.Shared()}), ends)
		}))
	}
	return known(s.db.Update(ctx, func(t sqldb.Tx) error { return fn(tx{t, &s.writes, s.db.Shared()}) }))
}

// The database's own failures, with the codes that doors answer with.
var (
	unavailable = &refusal.Error{Code: center.StoreUnavailable}
	conflict    = &refusal.Error{Code: center.ConcurrentChange}
	unknown     = &refusal.Error{
		Code:   center.StoreUnavailable,
		Detail: "the answer to this change was lost, look whether it was made before you repeat it",
	}
)

func known(err error) error {
	if errors.Is(err, sqldb.ErrUnmet) {
		return center.ErrNoLongerSo
	}
	return sqldb.Known(err, unavailable, unknown, conflict)
}

// tx counts its writes: code that remembers what it has read asks Writes whether it may have
// changed.
type tx struct {
	sqldb.Tx
	writes *atomic.Uint64
	shared bool // several processes share the database
}

func (t tx) Writes() uint64 { return t.writes.Load() }

func (t tx) Do(query string, args ...any) error {
	t.writes.Add(1)
	return t.Tx.Do(query, args...)
}

func (t tx) Exec(query string, args ...any) (int64, error) {
	t.writes.Add(1)
	return t.Tx.Exec(query, args...)
}

func (t tx) Assume(rows int, query string, args ...any) (int64, error) {
	t.writes.Add(1)
	return t.Tx.Assume(rows, query, args...)
}

func (t tx) AssumeRow(query string, args []any, columns []string, scan func(sqldb.Row) error) (bool, error) {
	t.writes.Add(1)
	return t.Tx.AssumeRow(query, args, columns, scan)
}

var _ center.Tx = tx{}

func one[T any](t tx, query string, args ...any) (T, error) {
	v, err := sqldb.One[T](t.Tx, query, args...)
	return v, sqldb.NoRow(err, refusal.ErrNoRow)
}

func list[T any](t tx, query string, args ...any) ([]T, error) {
	return sqldb.List[T](t.Tx, query, args...)
}

// rows reads rows whose columns are fields of T.
func rows[T any](t tx, query string, args []any, fields func(*T) []any) (all []T, err error) {
	err = t.Query(query, args, func(r sqldb.Row) error {
		var v T
		err := r.Scan(fields(&v)...)
		all = append(all, v)
		return err
	})
	return all, err
}

// Small nouns without columns of their own live in the table documents, by kind.
const (
	kindInstance       = "instance"
	kindSource         = "identity-source"
	kindTenant         = "provisioning-tenant"
	kindAccessKey      = "access-key"
	kindAdministrator  = "administrator"
	kindPassword       = "password"
	kindSignIn         = "sign-in-settings"
	kindRequestKey     = "request-key"
	kindFederationKey  = "federation-key"
	kindTokenKey       = "token-key" // #nosec G101 -- a kind of document
	kindInstanceSet    = "instance-settings"
	kindControls       = "instance-controls"
	kindAssignmentRule = "assignment-rule"
	kindOrganization   = "organization-import"
	kindApplication    = "application"
	kindSAML           = "application-saml"
	kindTokenIssuer    = "trusted-token-issuer" // #nosec G101 -- a kind of document
	kindRequestPolicy  = "request-policy"
	kindRequestWebhook = "request-webhook"
	kindAccessOwner    = "access-owner"
	kindAccountAccess  = "account-access"
	kindHistory        = "history"
	kindAccountLabel   = "account-label"
	kindSetup          = "setup"
)

var kinds = []string{
	kindInstance, kindSource, kindTenant, kindAccessKey, kindAdministrator, kindPassword, kindSignIn,
	kindRequestKey, kindFederationKey, kindTokenKey, kindInstanceSet, kindControls, kindAssignmentRule,
	kindOrganization,
	kindApplication, kindSAML, kindTokenIssuer, kindRequestPolicy, kindRequestWebhook,
	kindAccessOwner,
	kindAccountAccess, kindHistory, kindAccountLabel, kindSetup,
}

const theOnly = "" // the id of a noun that exists once

// documentLookups are how documents are found, by their kind.
var documentLookups = map[string]*sqldb.Lookup{}

func init() {
	for _, kind := range kinds {
		documentLookups[kind] = sqldb.NewLookup("documents", "id", "kind = '"+kind+"'")
	}
}

func document[T any](t tx, kind, id string) (T, error) {
	return found[T](t, documentLookups[kind], id)
}

// found reads the document that a lookup finds.
func found[T any](t tx, by *sqldb.Lookup, key string) (v T, err error) {
	v, _, err = stored[T](t, by, key)
	return v, err
}

// stored is found with the text that the document is stored as.
func stored[T any](t tx, by *sqldb.Lookup, key string) (v T, doc string, err error) {
	doc, err = t.Find(by, key)
	if err != nil {
		return v, "", sqldb.NoRow(err, refusal.ErrNoRow)
	}
	v, err = sqldb.Decode[T](doc)
	return v, doc, err
}

func documents[T any](t tx, kind string) ([]T, error) {
	return list[T](t, `SELECT doc FROM documents WHERE kind = $1 ORDER BY id`, kind)
}

func (t tx) putDocument(kind, id string, v any) error {
	return t.Do(
		`INSERT INTO documents (kind, id, doc) VALUES ($1, $2, $3) ON CONFLICT (kind, id)
			DO UPDATE SET doc = excluded.doc`,
		kind, id, sqldb.Encode(v),
	)
}

func (t tx) deleteDocument(kind, id string) error {
	return t.Do(`DELETE FROM documents WHERE kind = $1 AND id = $2`, kind, id)
}

func (t tx) Instance() (center.Instance, error) {
	return document[center.Instance](t, kindInstance, theOnly)
}
func (t tx) PutInstance(v center.Instance) error { return t.putDocument(kindInstance, theOnly, v) }

func (t tx) IdentitySource() (center.IdentitySource, error) {
	return document[center.IdentitySource](t, kindSource, theOnly)
}
func (t tx) PutIdentitySource(v center.IdentitySource) error {
	return t.putDocument(kindSource, theOnly, v)
}

func (t tx) ProvisioningTenant() (center.ProvisioningTenant, error) {
	return document[center.ProvisioningTenant](t, kindTenant, theOnly)
}
func (t tx) PutProvisioningTenant(v center.ProvisioningTenant) error {
	return t.putDocument(kindTenant, theOnly, v)
}
func (t tx) DeleteProvisioningTenant() error { return t.deleteDocument(kindTenant, theOnly) }

func (t tx) PutAccessKey(v center.AccessKey) error { return t.putDocument(kindAccessKey, v.ID, v) }
func (t tx) AccessKey(id string) (center.AccessKey, error) {
	k, doc, err := stored[center.AccessKey](t, documentLookups[kindAccessKey], id)
	k.Stored = doc
	return k, err
}
func (t tx) AccessKeys() ([]center.AccessKey, error) {
	return documents[center.AccessKey](t, kindAccessKey)
}
func (t tx) Administrator(name string) (center.Administrator, error) {
	return document[center.Administrator](t, kindAdministrator, names.Fold(name))
}
func (t tx) Administrators() ([]center.Administrator, error) {
	return documents[center.Administrator](t, kindAdministrator)
}
func (t tx) DeleteAdministrator(name string) error {
	return t.deleteDocument(kindAdministrator, names.Fold(name))
}
func (t tx) DeleteAccessKey(id string) error { return t.deleteDocument(kindAccessKey, id) }

func (t tx) RequireAccessKey(k center.AccessKey) error {
	return t.Require("documents", `id = $1 AND doc = $2 AND kind = $3`, k.ID, k.Stored, kindAccessKey)
}
func (t tx) PutAdministrator(v center.Administrator) error {
	return t.putDocument(kindAdministrator, names.Fold(v.Name), v)
}
func (t tx) Password(principal string) (center.Password, error) {
	return document[center.Password](t, kindPassword, principal)
}
func (t tx) PutPassword(v center.Password) error { return t.putDocument(kindPassword, v.Principal, v) }
func (t tx) DeletePassword(principal string) error {
	return t.deleteDocument(kindPassword, principal)
}

var tokenByDigest = sqldb.NewLookup("bearer_tokens", "digest", "")

func (t tx) BearerToken(id string) (center.BearerToken, error) {
	return one[center.BearerToken](t, `SELECT doc FROM bearer_tokens WHERE id = $1`, id)
}
func (t tx) BearerTokenByDigest(digest string) (center.BearerToken, error) {
	b, doc, err := stored[center.BearerToken](t, tokenByDigest, digest)
	b.Stored = doc
	return b, err
}
func (t tx) BearerTokens() ([]center.BearerToken, error) {
	return list[center.BearerToken](t, `SELECT doc FROM bearer_tokens ORDER BY id`)
}
func (t tx) PutBearerToken(v center.BearerToken) error {
	return t.Do(
		`INSERT INTO bearer_tokens (id, digest, doc) VALUES ($1, $2, $3) ON CONFLICT (id)
			DO UPDATE SET doc = excluded.doc`,
		v.ID, v.Digest, sqldb.Encode(v),
	)
}
func (t tx) DeleteBearerToken(id string) error {
	return t.Do(`DELETE FROM bearer_tokens WHERE id = $1`, id)
}
func (t tx) RequireBearerToken(v center.BearerToken) error {
	return t.Require("bearer_tokens", `digest = $1 AND doc = $2`, v.Digest, v.Stored)
}

var sessionByDigest = sqldb.NewLookup("sessions", "digest", "")

func (t tx) Session(digest string) (center.Session, error) {
	return found[center.Session](t, sessionByDigest, digest)
}
func (t tx) PutSession(v center.Session) error {
	return t.Do(
		`INSERT INTO sessions (digest, user_id, expires, doc) VALUES ($1, $2, $3, $4) ON CONFLICT (digest)
			DO UPDATE SET expires = excluded.expires, doc = excluded.doc`,
		v.Digest, string(v.UserID), v.ExpiresAt.UnixMilli(), sqldb.Encode(v),
	)
}
func (t tx) CountSessions(now time.Time) (n center.SessionCount, err error) {
	err = t.Query(
		`SELECT CASE WHEN user_id LIKE 'administrator/%' THEN 1 ELSE 0 END, count(*) FROM sessions WHERE expires > $1
			GROUP BY 1`,
		[]any{now.UnixMilli()}, func(r sqldb.Row) error {
			administrators, sessions := 0, 0
			err := r.Scan(&administrators, &sessions)
			if administrators == 1 {
				n.Administrators = sessions
			} else {
				n.People = sessions
			}
			return err
		},
	)
	return n, err
}
func (t tx) DeleteSession(digest string) error {
	return t.Do(`DELETE FROM sessions WHERE digest = $1`, digest)
}
func (t tx) DeleteSessionsOf(user center.UserID) error {
	return t.Do(`DELETE FROM sessions WHERE user_id = $1`, string(user))
}

// The kinds of what is kept until a moment.
const (
	expiringAssertion   = "assertion"
	expiringClientToken = "client-token"
)

func (t tx) expiring(kind, id string, expires time.Time, v any) error {
	return t.Do(
		`INSERT INTO expiring (kind, id, expires, doc) VALUES ($1, $2, $3, $4)`, kind, id, expires.UnixMilli(),
		sqldb.Encode(v),
	)
}

func (t tx) UsedAssertion(id string) (center.UsedAssertion, error) {
	return one[center.UsedAssertion](t, `SELECT doc FROM expiring WHERE kind = $1 AND id = $2`, expiringAssertion, id)
}
func (t tx) PutUsedAssertion(v center.UsedAssertion) error {
	return t.expiring(expiringAssertion, v.ID, v.ExpiresAt, v)
}

func (t tx) IdempotencyToken(id string) (center.IdempotencyToken, error) {
	return one[center.IdempotencyToken](
		t, `SELECT doc FROM expiring WHERE kind = $1 AND id = $2`, expiringClientToken, id,
	)
}
func (t tx) PutIdempotencyToken(v center.IdempotencyToken) error {
	return t.expiring(expiringClientToken, v.ID, v.ExpiresAt, v)
}

func (t tx) DeleteExpired(opens, refuses time.Time) (rows int, err error) {
	for _, x := range []struct {
		statement string
		before    time.Time
	}{
		{`DELETE FROM sessions WHERE expires <= $1`, opens}, {`DELETE FROM grants WHERE expires <= $1`, opens},
		{`DELETE FROM tickets WHERE expires <= $1`, opens},
		{`DELETE FROM expiring WHERE expires <= $1 AND kind <> '` + expiringAssertion + `'`, opens},
		{`DELETE FROM expiring WHERE expires <= $1 AND kind = '` + expiringAssertion + `'`, refuses},
		{`DELETE FROM role_sessions WHERE expires <= $1`, refuses},
	} {
		n, err := t.Exec(x.statement, x.before.UnixMilli())
		if err != nil {
			return rows, err
		}
		rows += int(n)
	}
	return rows, nil
}

func (t tx) AppendEvent(e audit.Event) error {
	stranger := 0
	if e.FromStranger() {
		stranger = 1
	}
	e = e.Bounded()
	return t.Tx.Do(
		`INSERT INTO events (time, request_id, stranger, doc) VALUES ($1, $2, $3, $4)`, e.Time.UnixMilli(),
		e.Actor.RequestID, stranger, chainsql.Document(e),
	)
}

// DeleteEvents counts as no write: nothing that is remembered depends on events.
func (t tx) DeleteEvents(before time.Time, strangers bool, limit int) (int, error) {
	condition := `time < $1`
	if strangers {
		condition += ` AND stranger = 1`
	}
	n, err := t.Tx.Exec(
		`DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE `+condition+` ORDER BY time LIMIT $2)`,
		before.UnixMilli(), limit,
	)
	return int(n), err
}

// maxEvents bounds the bytes of events that are read at once. Those that this release keeps are
// small; earlier ones kept whatever strangers sent.
const maxEvents = 8 << 20 //bound:list events of the center that are read at once, in bytes

func (t tx) Events(q center.EventQuery) ([]audit.Event, error) {
	w, order := &sqldb.Where{}, ` ORDER BY seq DESC`
	w.Equal("request_id", q.RequestID)
	if !q.Before.IsZero() {
		w.And("time < ?", q.Before.UnixMilli())
	}
	if !q.Since.IsZero() {
		w.And("time >= ?", q.Since.UnixMilli())
	}
	if !q.Before.IsZero() || !q.Since.IsZero() { // as the index has them
		order = ` ORDER BY time DESC, seq DESC`
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	events, err := sqldb.ListUpTo[audit.Event](
		t.Tx,
		maxEvents,
		`SELECT doc FROM events`+w.Text()+order+w.Limit(q.Limit, 0),
		w.Args...)
	for i := range events {
		events[i] = events[i].Bounded()
	}
	return events, err
}

// chainTable is how the chain of events finds them.
var chainTable = chainsql.Table{Key: "seq", Number: true, Request: "request_id"}

// EventChain writes without counting: nothing that is remembered depends on events.
func (t tx) EventChain() chain.Log { return chainTable.Log(t.Tx) }

// eventTable is how events are kept.
var eventTable = audit.Table{Order: "seq DESC", Reference: "request_id"}

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
