package center

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// earlierPurpose is of the seal of a session's mark.
const earlierPurpose = "earlier-session"

// SessionMark is what a browser keeps beside a session's secret and may bring along from another
// site: EndEarlierSession takes it, and it opens nothing.
func (c *Center) SessionMark(secret authn.Secret) string {
	return c.Sealer.Seal(earlierPurpose, []byte(authn.Digest(secret.Reveal())))
}

// EndEarlierSession ends the session that a browser had before somebody signed in with it again:
// its secret is gone, so nobody could sign it out. It is named by its secret or by its mark.
// Without one, or after its end, it does nothing. What programs were allowed with it stays as long
// as they were to: the person has not signed out. They end with the session now, which is named by
// its secret and follows the earlier one, if it is the same person's.
func (c *Center) EndEarlierSession(ctx context.Context, by audit.Actor, secret, mark, now string) error {
	digest := authn.Digest(secret)
	if secret == "" {
		plain, err := c.Sealer.Open(earlierPurpose, mark)
		if err != nil {
			return nil //nolint:nilerr // there is none, or it is of another master key
		}
		digest = string(plain)
	}
	by.Kind, by.Name = audit.User, ""
	err := c.Store.View(ctx, func(r Reader) error {
		earlier, err := r.Session(digest)
		if err == nil && (earlier.Kind == ClientSession || earlier.Kind == ApplicationSession) {
			err = refusal.ErrNoRow
		}
		if err != nil {
			return err
		}
		if by.Name = earlier.Administrator; earlier.Kind == PortalSession {
			u, err := r.User(earlier.UserID)
			by.Name = u.UserName
			return err
		}
		return nil
	})
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.change(ctx, by, ActionSignOut, func(tx Tx) (string, error) {
		return by.Name, errors.Join(tx.DeleteSession(digest), moveSessionsWithin(tx, digest, authn.Digest(now)))
	})
}

// moveSessionsWithin has the sessions within one that ends go on within the one that follows it.
func moveSessionsWithin(tx Tx, earlier, now string) error {
	next, err := tx.Session(now)
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := tx.SessionsOf(next.UserID)
	for _, s := range all {
		if s.Within == earlier {
			s.Within = now
			err = errors.Join(err, tx.PutSession(s))
		}
	}
	return err
}
