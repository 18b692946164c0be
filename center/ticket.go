package center

import (
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Purpose is what a ticket is good for.
type Purpose string

// The purposes.
const (
	SigningIn    Purpose = "sign-in"       // a sign-in between two of its pages
	Enrolling    Purpose = "enrol"         // a device that is being registered
	SetsPassword Purpose = "password"      // an invitation or a reset that was sent by email
	Rehearses    Purpose = "rehearsal"     // a link to sign in at the pending identity provider
	KnownBrowser Purpose = "known-browser" // a browser that somebody has signed in with
	// a user's memory of wrong device codes: no secret, its digest is the user's id
	GuessesCodes Purpose = "user-codes"
)

// Ticket lets the holder of its secret continue something, until it expires. Only the digest of the
// secret is kept.
type Ticket struct {
	Digest    string
	Purpose   Purpose
	Principal string    // a user's id, or an administrator's principal
	CreatedAt time.Time // of a link in an email
	ExpiresAt time.Time

	// Of a sign-in.
	ReturnTo   string
	Step       Step
	Shown      bool   // a second factor was
	CodeDigest string // of the code that was sent by email
	Failures   int
	Challenge  []byte // what the relying party must remember; also of a device that is being registered

	// Of a device that is being registered.
	SealedTOTP string

	// Of a known browser, and the lock-out of wrong device codes too.
	Trusted bool   // needs no second factor as long as its address stays the same
	Address string // when it was trusted
	Lockout authn.Lockout
}

// ticketReader reads tickets.
type ticketReader interface {
	Ticket(purpose Purpose, digest string) (Ticket, error)
	// TicketsOf lists a principal's, in the order of their expiry; purpose "": all.
	TicketsOf(purpose Purpose, principal string) ([]Ticket, error)
}

// ticketWriter writes tickets.
type ticketWriter interface {
	PutTicket(Ticket) error
	DeleteTicket(purpose Purpose, digest string) error
	DeleteTicketsOf(purpose Purpose, principal string) error
}

// Lifetimes of tickets. Source for invitations and resets: our own choice; the guide gives none.
const (
	signInLifetime     = 10 * time.Minute   //bound:life a sign-in to the built-in directory under way
	invitationLifetime = 7 * 24 * time.Hour //bound:life an invitation by email
	resetLifetime      = time.Hour          //bound:life a link to set a new password
)

// knownLifetime is how long a browser is known after it was last signed in with.
//
//bound:life the mark of a browser that is known
const knownLifetime = 90 * 24 * time.Hour

const (
	//bound:rate wrong codes that end a sign-in
	maxFailures = 5 // how many wrong codes end a sign-in
	//bound:rows browsers that a user is known with
	maxKnown = 20 // how many browsers a user is known with; the one that was used the longest ago is forgotten
	//bound:rate time between two links to set a new password
	// how often a link goes to a user who has forgotten a password: somebody else may be asking
	linkEach = 2 * time.Minute
)

// ticketLife is the longest life of a ticket.
var ticketLife = map[Purpose]time.Duration{
	SigningIn: signInLifetime, Enrolling: signInLifetime, SetsPassword: invitationLifetime, Rehearses: resetLifetime,
	KnownBrowser: knownLifetime,
}

// over says whether a ticket has expired. One that is good for longer than any was made by a clock
// that was ahead.
func (t Ticket) over(now time.Time) bool {
	return !now.Before(t.ExpiresAt) || authn.Ahead(t.ExpiresAt, now.Add(ticketLife[t.Purpose]))
}

// ticket finds a ticket by its secret, or fails with TicketInvalid. Only digests are stored,
// so that a copy of the store continues no sign-in. The secrets are random: a plain digest does.
func (c *Center) ticket(r ticketReader, purpose Purpose, secret string) (Ticket, error) {
	if secret == "" {
		return Ticket{}, &refusal.Error{Code: TicketInvalid}
	}
	t, err := r.Ticket(purpose, authn.Digest(secret))
	if err == nil && t.over(c.now()) {
		err = refusal.ErrNoRow
	}
	return t, refusal.IfNoRow(err, TicketInvalid, string(purpose))
}

// knownBrowser returns the ticket of a browser that principal has signed in with, or nil for a
// stranger. A secret that has ended, or is another person's, is no failure.
func (c *Center) knownBrowser(r ticketReader, secret, principal string) (*Ticket, error) {
	t, err := c.ticket(r, KnownBrowser, secret)
	if refusal.CodeOf(err) == TicketInvalid || (err == nil && t.Principal != principal) {
		return nil, nil
	}
	return &t, err
}

// forgetBrowsers makes room for one more known browser.
func forgetBrowsers(tx Tx, principal string) error {
	known, err := tx.TicketsOf(KnownBrowser, principal)
	for _, t := range known[:max(0, len(known)-maxKnown+1)] {
		err = errors.Join(err, tx.DeleteTicket(KnownBrowser, t.Digest))
	}
	return err
}

// dropTickets ends what somebody could still sign in with, or set a password with, by an earlier
// secret.
func dropTickets(tx Tx, principal string) error {
	return errors.Join(tx.DeleteTicketsOf(SigningIn, principal), tx.DeleteTicketsOf(SetsPassword, principal))
}
