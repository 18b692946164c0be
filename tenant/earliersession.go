package tenant

import (
	"context"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// EndEarlierSession ends the session that a browser had before somebody signed in with it again:
// its secret is gone, so nobody could sign it out. Without one it does nothing.
func (t *Tenant) EndEarlierSession(ctx context.Context, by audit.Actor, secret string) error {
	a, err := t.SessionAccount(ctx, secret)
	if refusal.CodeOf(err) == SessionInvalid {
		return nil
	}
	if err != nil {
		return err
	}
	by.Kind, by.Name = audit.User, a.Name
	return t.SignOut(ctx, by, secret)
}
