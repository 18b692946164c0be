package center

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
)

// Whoever may change users, such as a key of a user administrator, may change where their mail
// goes. An address proves somebody only when it has been theirs for a while, and who had it before
// is told.

// addressProves is how old an address must be for what is sent there to sign somebody in.
const addressProves = 24 * time.Hour //bound:life an email address that is too new to prove somebody

// AddressIsNew says whether the user's email address was changed so recently that it proves nobody.
func (u User) AddressIsNew(now time.Time) bool {
	return !u.AddressChangedAt.IsZero() && now.Before(u.AddressChangedAt.Add(addressProves))
}

// dateAddress has an address count as new for a day from now, where a clock has noted its change
// that was ahead: it would count as new until then.
func (c *Center) dateAddress(tx Tx, u User) error {
	now := c.now()
	if !authn.Ahead(u.AddressChangedAt, now) {
		return nil
	}
	u.AddressChangedAt = now
	return tx.PutUserKeepingKeys(u)
}

// firstAddressSince is how new the address is that somebody makes a user with: zero for who may
// send links there anyway. Whoever else may only keep users must not get at a name by deleting its
// user and making another one of the same name, with an address of their own.
func (c *Center) firstAddressSince(by audit.Actor) time.Time {
	if by.Kind == audit.System || ActionSendPasswordLink.may&actorsOf(by) != 0 {
		return time.Time{}
	}
	return c.now()
}

// noteAddress notes when the address was changed last, which no edit may, and returns the address
// that must be told: "" where there is none, or nothing has changed. What was sent to it ends.
func (c *Center) noteAddress(tx Tx, old User, u *User) (tell string, err error) {
	u.AddressChangedAt = old.AddressChangedAt
	if names.Fold(u.PrimaryEmail()) == names.Fold(old.PrimaryEmail()) {
		return "", nil
	}
	u.AddressChangedAt = c.now()
	return old.PrimaryEmail(), tx.DeleteTicketsOf(SetsPassword, string(u.ID))
}

// tellOldAddress tells an address that it is no longer the user's.
func (c *Center) tellOldAddress(ctx context.Context, old string, u User) {
	if old != "" && c.Mailer != nil {
		c.Mailer.Send(ctx, addressMail(old, u))
	}
}

func addressMail(old string, u User) Mail {
	now := "The user has no email address now."
	if u.PrimaryEmail() != "" {
		now = "Email now goes to another address."
	}
	return Mail{
		To:      old,
		Subject: "Your email address at the AWS access portal was changed",
		Text: fmt.Sprintf(`Hello,

This address belonged to the user %s at the AWS access portal. %s

It was changed on %s. If you did not expect this, tell your administrator today: for one day,
Gatehouse sends no link to set a password to the new address unless an administrator confirms it.
`, u.UserName, now, u.AddressChangedAt.UTC().Format("January 2, 2006, 15:04 UTC")),
	}
}
