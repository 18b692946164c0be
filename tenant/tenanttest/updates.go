package tenanttest

import (
	"cmp"
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

func triedUpdate(t *testing.T, s tenant.Store) {
	boom := errors.New("boom")
	for _, refuses := range []error{nil, boom} {
		if err := refusal.Try(background, func(ctx context.Context) error {
			return s.Update(ctx, func(tx tenant.Tx) error {
				return cmp.Or(refuses, tx.PutUser(tenant.User{ID: "u", UserPrincipalName: "a@b"}))
			})
		}); !errors.Is(err, refuses) {
			t.Errorf("a trial says %v, want %v", err, refuses)
		}
		view(t, s, func(r tenant.Reader) error {
			_, err := r.User("u")
			wantNoRow(t, "user of the trial", err)
			return nil
		})
	}
}
