package tenant

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
)

// RefuseThenGrant is a change that is refused and keeps that, and whose transaction runs again: the
// second time it is granted.
func RefuseThenGrant(t *Tenant, by audit.Actor, refused error) error {
	twice := twice{t.Store}
	t.Store = twice
	defer func() { t.Store = twice.Store }()
	runs := 0
	return t.change(context.Background(), by, ActionDeleteUser, func(Tx, *Touched) (string, error) {
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
