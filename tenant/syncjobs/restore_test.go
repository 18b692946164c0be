package syncjobs_test

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestATenantThatWasRestoredCompares: a tenant is restored from a backup, and its target is newer.
// The next cycle brings the target into line although nobody asks for it, and says so; what somebody
// else has put into a group there stays. A repair that was asked for before the backup is one still.
func TestATenantThatWasRestoredCompares(t *testing.T) {
	t.Parallel()
	for what, asked := range map[string]bool{"as it was": false, "with a repair that is due": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, center.ProfileStandard)
			j := h.job(h.application("Eng", "Ops"))
			if asked {
				h.must(h.tenant.RestartJob(t.Context(), tenanttest.Actor, j.ID, tenant.Reset{Links: true}))
			}
			s, ok := h.tenant.Store.(*store.Store)
			if !ok {
				t.Fatalf("the store is a %T", h.tenant.Store)
			}
			backup, restored := filepath.Join(t.TempDir(), "backup.db"), filepath.Join(t.TempDir(), "tenant.db")
			h.must(s.Backup(t.Context(), backup, false, nil))

			h.enable("ada", false)
			h.join("Eng", "bob")
			h.must(h.tenant.RemoveMember(t.Context(), tenanttest.Actor, h.groups["Eng"], h.id("eva")))
			h.run(j)
			h.want("ada", "bob*", "eva", "Eng=ada+bob", "Ops=bob")
			guest := centertest.Person("guest@northwind.example")
			made, err := h.center.CreateUser(t.Context(), centertest.Actor, guest)
			h.must(err)
			groups, err := h.center.Groups(t.Context(), center.GroupQuery{})
			h.must(err)
			for _, g := range groups {
				_, err := h.center.CreateMembership(t.Context(), centertest.Actor, g.ID, made.ID)
				h.must(err)
			}

			_, err = store.Restore(t.Context(), store.Restoration{Backup: backup, Database: restored})
			h.must(err)
			again, err := store.Open(t.Context(), restored)
			h.must(err)
			defer again.Close() //nolint:errcheck // the test is over
			h.tenant = tenanttest.On(t, again)
			h.runner = syncjobs.New(h.tenant, slog.New(slog.DiscardHandler), http.DefaultClient)
			if s, err := h.tenant.InStep(t.Context(), j.ID); err != nil || s.Equal {
				t.Errorf("it is in step without having looked: %+v, %v", s, err)
			}
			h.run(j)
			if asked {
				h.want("ada*", "bob*", "eva*", "guest*", "Eng=ada+eva", "Ops=bob")
			} else {
				h.want("ada*", "bob*", "eva*", "guest*", "Eng=ada+eva+guest", "Ops=bob+guest")
			}
			if s, err := h.tenant.InStep(t.Context(), j.ID); err != nil || !s.Equal {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}
