package tenant

import (
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// What ends all that somebody has open gives them another SessionsValidFrom. Sessions, grants and
// tokens carry the one that they were made under, and are good for nothing under another: no two
// clocks are compared. One that carries none is of an earlier release, and goes by the time of its
// sign-in.

// clockReader tells the time.
type clockReader interface {
	// Clock is the time that all nodes share: the database's where they share one, else now.
	Clock(now time.Time) (time.Time, error)
}

// clock is the time by which all nodes agree on what has ended, ahead as the tenant's own.
func (t *Tenant) clock(r clockReader) (time.Time, error) {
	now, err := r.Clock(t.realNow())
	return now.Add(t.ahead()), err
}

// ahead is how far the tenant's clock was moved.
func (t *Tenant) ahead() time.Duration {
	if t.Clock == nil {
		return 0
	}
	return t.Clock.Ahead()
}

// realNow is the time of a clock that nobody has moved.
func (t *Tenant) realNow() time.Time { return t.now().Add(-t.ahead()) }

// endOpened ends all that an account has open. validFrom is the account's, and becomes another one:
// the caller puts it.
func (t *Tenant) endOpened(tx Tx, id AccountID, validFrom *time.Time) error {
	now, e1 := t.clock(tx)
	grants, e2 := tx.GrantsOf(id)
	if err := errors.Join(e1, e2); err != nil {
		return err
	}
	before := *validFrom
	if *validFrom = now; !now.After(before) { // the clock was ahead then, or this is the same millisecond
		*validFrom = before.Add(time.Millisecond)
	}
	err := tx.DeleteSessionsOf(id)
	for _, g := range grants {
		if g.Under == nil && g.ends() { // whose time the clock of any node may have told
			g.Under = under(before)
			err = errors.Join(err, tx.PutGrant(g))
		}
	}
	return err
}

// ends says whether a grant ends with what its person has open.
func (g Grant) ends() bool { return g.Kind != grantEnded && !g.Waits() }

// under is a SessionsValidFrom as what is made under it carries it: a number that is compared with
// nothing but itself.
func under(validFrom time.Time) *int64 {
	n := int64(0)
	if !validFrom.IsZero() {
		n = validFrom.UnixMilli()
	}
	return &n
}

// isUnder says whether what was made under one SessionsValidFrom is good under the present one. Of
// what carries none, the time of its sign-in decides.
func isUnder(made *int64, signedIn, present time.Time) bool {
	if made != nil {
		return *made == *under(present)
	}
	return !signedIn.Before(present)
}

// IsOf says whether a session of a user was opened since all of theirs were ended last.
func (s Session) IsOf(u User) bool { return isUnder(s.Under, s.CreatedAt, u.SessionsValidFrom) }

// hasEnded refuses a session that was opened before all of the account's were ended, whose row is
// there all the same. The row of one that carries no mark is its only proof.
func (s Session) hasEnded(validFrom time.Time) error {
	if s.Under != nil && *s.Under != *under(validFrom) {
		return &refusal.Error{Code: SessionInvalid, Detail: "the sessions were ended since"}
	}
	return nil
}
