package center

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
)

// What the tests outside of the package look at.
var (
	CheckRemedies = checkRemedies
	OwnChecks     = []string{checkFresh, checkAttributes}
)

// RevokeRole has a role refuse somebody, as the end of a window does.
func RevokeRole(c *Center, user UserID, p Provisioned) error {
	return c.Store.Update(context.Background(), func(tx Tx) error { return c.revokeRole(tx, user, p) })
}

// RefuseThenGrant is a change that is refused and keeps that, and whose transaction runs again: the
// second time it is granted.
func RefuseThenGrant(c *Center, by audit.Actor, refused error) error {
	twice := twice{c.Store}
	c.Store = twice
	defer func() { c.Store = twice.Store }()
	runs := 0
	return c.change(context.Background(), by, ActionRevokeUser, func(Tx) (string, error) {
		if runs++; runs == 1 {
			return "it", keeping(refused, nil)
		}
		return "it", nil
	})
}

// twice is a store whose changes run twice, as PostgreSQL may ask for it.
type twice struct{ Store }

func (s twice) Update(ctx context.Context, fn func(Tx) error) error {
	again := errors.New("again")
	err := s.Store.Update(ctx, func(tx Tx) error { return errors.Join(fn(tx), again) })
	if !errors.Is(err, again) {
		return err
	}
	return s.Store.Update(ctx, fn)
}
