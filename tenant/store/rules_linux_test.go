package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// brittle is a store on SQLite whose disk gives nothing while an update runs.
type brittle struct {
	tenant.Store

	t    *testing.T
	path string
}

func (b brittle) Update(ctx context.Context, fn func(tenant.Tx) error) error {
	return b.Store.Update(ctx, func(tx tenant.Tx) error {
		if err := store.ForgetPages(tx); err != nil {
			b.t.Fatal(err)
		}
		defer sqldbtest.BreakDisk(b.t, b.path)()
		return fn(tx)
	})
}

// TestRulesTakeNoFailureForAMissingThing changes what is there while the disk gives nothing.
func TestRulesTakeNoFailureForAMissingThing(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "tenant.db")
	s := open(t, path)
	tn := tenanttest.On(t, s)
	app, err := tn.Instantiate(ctx, audit.SystemActor, tenant.NonGallery, "A")
	if err != nil {
		t.Fatal(err)
	}
	tn.Store = brittle{s, t, path}
	for name, change := range map[string]func() error{
		"a role is given": func() error {
			_, err := tn.Assign(ctx, audit.SystemActor, app.ServicePrincipalID, "p", "r")
			return err
		},
		"a policy is given": func() error {
			id := tenant.AnyApplicationID(app.ServicePrincipalID)
			return tn.AttachPolicy(ctx, audit.SystemActor, id, tenant.ClaimsMapping, "p")
		},
	} {
		if err := change(); refusal.CodeOf(err) != tenant.StoreUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
