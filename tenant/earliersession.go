package tenant

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// EndEarlierSession ends the session that a browser had before somebody signed in with it anew: nobody has its secret any more, so that nobody could sign it out.
// Without one it does nothing.
func (t *Tenant) EndEarlierSession(ctx context.Context, by audit.Actor, secret string) error {
	if secret == "" {
		return nil
	}
	digest := authn.Digest(secret)
	var earlier Session
	err := t.Store.View(ctx, func(r Reader) (err error) {
		earlier, err = r.Session(digest)
		return err
	})
	if errors.Is(err, ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	by.Kind, by.Name = audit.User, earlier.Administrator
	if earlier.Administrator != "" {
		by.Kind = audit.Administrator
	}
	return t.change(ctx, by, ActionSignOut, func(tx Tx, _ *Touched) (string, error) {
		return by.Name, tx.DeleteSession(digest)
	})
}
