package syncjobs_test

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestATenantThatWasRestoredCompares: a tenant is restored from a backup, and its target is newer.
// The next cycle brings the target into line although nobody asks for it; what others have put into
// a group there stays, unless a repair was due at the time of the backup. Nobody who was disabled
// since is enabled again, or made anew who was deleted, or gets a membership back that was taken
// away; and nobody who was made since is passed over in silence, until somebody says so.
func TestATenantThatWasRestoredCompares(t *testing.T) {
	t.Parallel()
	for what, asked := range map[string]bool{"as it was": false, "with a repair that is due": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, center.ProfileStandard)
			h.hire("lea")
			h.join("Ops", "lea")
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
			h.hire("kim")
			h.join("Eng", "bob", "kim")
			h.must(h.tenant.RemoveMember(t.Context(), tenanttest.Actor, h.groups["Eng"], h.id("eva")))
			h.must(h.tenant.DeleteUser(t.Context(), tenanttest.Actor, h.users["lea"]))
			h.must(h.tenant.HardDelete(t.Context(), tenanttest.Actor, string(h.users["lea"])))
			h.run(j)
			h.want("ada", "bob*", "eva", "kim*", "Eng=ada+bob+kim", "Ops=bob")
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
			inStep := func(want bool) {
				t.Helper()
				if s, err := h.tenant.InStep(t.Context(), j.ID); err != nil || s.Equal != want {
					t.Errorf("in step: %+v, %v", s, err)
				}
			}
			var ahead time.Duration
			h.tenant.Now = func() time.Time { return time.Now().Add(ahead) }
			for range 3 {
				h.must(h.runner.RunJob(t.Context(), j))
				if asked {
					h.want("ada", "bob*", "eva", "kim*", "guest*", "Eng=ada", "Ops=bob")
				} else {
					h.want("ada", "bob*", "eva", "kim*", "guest*", "Eng=ada+guest+kim", "Ops=bob+guest")
				}
				inStep(false)
				ahead += 5 * time.Minute
			}
			told, why := map[string]string{}, map[string]string{}
			log, err := h.tenant.ProvisioningLog(t.Context(), tenant.LogQuery{})
			h.must(err)
			for _, e := range log { // the newest first
				if e.Code != "" && told[string(e.SourceID)] == "" {
					told[string(e.SourceID)] = e.Code
				}
				why[e.Name+" "+e.Code] = e.Reason
			}
			want := map[string]string{
				string(h.users["ada"]): "DisabledAtTarget", string(h.users["eva"]): "DisabledAtTarget",
				string(h.users["lea"]): "DeletedAtTarget", string(h.users["kim"]): "NotAdopted",
				string(h.groups["Eng"]): "RemovedAtTarget",
			}
			if asked { // the guest is not there
				want[string(h.groups["Ops"])] = "AddedSinceBackup"
			}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("the log (-want +have):\n%s", diff)
			}
			for of, who := range map[string]string{"Eng RemovedAtTarget": "eva@", "Eng AddedSinceBackup": "bob@"} {
				if !strings.Contains(why[of], who) {
					t.Errorf("%s: %q", of, why[of])
				}
			}
			h.must(h.tenant.RestartJob(t.Context(), tenanttest.Actor, j.ID, tenant.Reset{Links: true}))
			h.must(h.runner.RunJob(t.Context(), j))
			inStep(false)
			h.want("ada*", "bob*", "eva*", "kim*", "lea*", "guest*", "Eng=ada+eva", "Ops=bob+lea")
			kim, err := h.center.UserByName(t.Context(), "kim@northwind.example")
			h.must(err)
			_, err = h.center.UpdateUser(t.Context(), centertest.Actor, kim.ID, func(u *center.User) error {
				u.Active = false
				return nil
			})
			h.must(err)
			ahead += 25 * time.Hour
			h.run(j)
			inStep(true)
		})
	}
}
