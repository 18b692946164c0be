package store

import (
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) SignInSettings() (center.SignInSettings, error) {
	return document[center.SignInSettings](t, kindSignIn, theOnly)
}
func (t tx) PutSignInSettings(v center.SignInSettings) error {
	return t.putDocument(kindSignIn, theOnly, v)
}

func (t tx) RequestKey() (center.RequestKey, error) {
	return document[center.RequestKey](t, kindRequestKey, theOnly)
}
func (t tx) PutRequestKey(v center.RequestKey) error {
	return t.putDocument(kindRequestKey, theOnly, v)
}

func (t tx) FederationKey() (center.RequestKey, error) {
	return document[center.RequestKey](t, kindFederationKey, theOnly)
}
func (t tx) PutFederationKey(v center.RequestKey) error {
	return t.putDocument(kindFederationKey, theOnly, v)
}

func (t tx) TokenKey() (center.RequestKey, error) {
	return document[center.RequestKey](t, kindTokenKey, theOnly)
}
func (t tx) PutTokenKey(v center.RequestKey) error {
	return t.putDocument(kindTokenKey, theOnly, v)
}

// What somebody has, by the person.
const (
	selectSessions = `SELECT doc FROM sessions WHERE user_id = $1 ORDER BY digest`
	selectTickets  = `SELECT doc FROM tickets WHERE principal = $1 ORDER BY expires, digest`
)

func (t tx) SessionsOf(user center.UserID) ([]center.Session, error) {
	return list[center.Session](t, selectSessions, string(user))
}

// OpenedBy asks for the time last: nothing that it has read is younger.
func (t tx) OpenedBy(principal string, now time.Time) (o center.Opened, err error) {
	o.At = now
	questions := []sqldb.Question{
		sqldb.Listing(&o.Sessions, selectSessions, principal),
		sqldb.Listing(&o.Tickets, selectTickets, principal),
		sqldb.Listing(&o.Roles, selectRoleSessions, principal),
		sqldb.Listing(
			&o.Requests, `SELECT doc FROM access_requests WHERE user_id = $1 AND live = 1 ORDER BY id DESC`, principal,
		),
	}
	if t.shared {
		questions = append(questions, askClock(&o.At))
	}
	err = t.Ask(questions...)
	return o, err
}

func (t tx) Ticket(purpose center.Purpose, digest string) (center.Ticket, error) {
	return one[center.Ticket](t, `SELECT doc FROM tickets WHERE purpose = $1 AND digest = $2`, string(purpose), digest)
}
func (t tx) TicketsOf(purpose center.Purpose, principal string) ([]center.Ticket, error) {
	if purpose == "" {
		return list[center.Ticket](t, selectTickets, principal)
	}
	return list[center.Ticket](
		t, `SELECT doc FROM tickets WHERE principal = $1 AND purpose = $2 ORDER BY expires, digest`, principal,
		string(purpose),
	)
}
func (t tx) PutTicket(v center.Ticket) error {
	return t.Do(
		`INSERT INTO tickets (purpose, digest, principal, expires, doc) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (purpose, digest) DO UPDATE SET expires = excluded.expires, doc = excluded.doc`,
		string(v.Purpose), v.Digest, v.Principal, v.ExpiresAt.UnixMilli(), sqldb.Encode(v),
	)
}
func (t tx) DeleteTicket(purpose center.Purpose, digest string) error {
	return t.Do(`DELETE FROM tickets WHERE purpose = $1 AND digest = $2`, string(purpose), digest)
}
func (t tx) DeleteTicketsOf(purpose center.Purpose, principal string) error {
	return t.Do(`DELETE FROM tickets WHERE principal = $1 AND purpose = $2`, principal, string(purpose))
}

func (t tx) MFADevice(id string) (center.MFADevice, error) {
	return one[center.MFADevice](t, `SELECT doc FROM mfa_devices WHERE id = $1`, id)
}
func (t tx) MFADevicesOf(principal string) ([]center.MFADevice, error) {
	return list[center.MFADevice](t, `SELECT doc FROM mfa_devices WHERE principal = $1 ORDER BY id`, principal)
}
func (t tx) PutMFADevice(v center.MFADevice) error {
	return t.Do(
		`INSERT INTO mfa_devices (id, principal, doc) VALUES ($1, $2, $3) ON CONFLICT (id)
			DO UPDATE SET doc = excluded.doc`,
		v.ID, v.Principal, sqldb.Encode(v),
	)
}
func (t tx) DeleteMFADevice(id string) error {
	return t.Do(`DELETE FROM mfa_devices WHERE id = $1`, id)
}
func (t tx) DeleteMFADevicesOf(principal string) error {
	return t.Do(`DELETE FROM mfa_devices WHERE principal = $1`, principal)
}
