package dirsync

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestAStateThatWasRestoredGivesNoMembershipBack: a membership was taken away at the target since
// the state was backed up, which is said, until a repair gives it back. Where the source has taken
// it away meanwhile and gives it again, it is there.
func TestAStateThatWasRestoredGivesNoMembershipBack(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]center.Profile{
		"a target that lists no members": center.ProfileAWS,
		"one that does":                  center.ProfileStandard,
	} {
		for what, again := range map[string]bool{"by a repair": false, "by the source": true} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				from, to := newSource(t), newTarget(t, profile)
				folder := t.TempDir()
				config := between(from, to, newTenant(t, folder))
				config.Groups = []string{"Engineering"}
				cycle(t, config, false)
				backup, restored := filepath.Join(t.TempDir(), "backup.db"), t.TempDir()
				s, ok := config.State.Store.(*store.Store)
				if !ok {
					t.Fatalf("the store is a %T", config.State.Store)
				}
				if err := s.Backup(ctx, backup, false, nil); err != nil {
					t.Fatal(err)
				}
				to.empty(t)
				_, err := store.Restore(
					ctx, store.Restoration{Backup: backup, Database: filepath.Join(restored, "tenant.db")},
				)
				if err != nil {
					t.Fatal(err)
				}
				config.State = newTenant(t, restored)
				for range 3 {
					r := cycle(t, config, false)
					e := changes(t, r, "Engineering")
					if r.Failed != 1 || e.Code != "RemovedAtTarget" || !strings.Contains(e.Reason, "ada@") ||
						r.InStep.Equal {
						t.Errorf("%+v", r)
					}
					if _, _, members := to.counts(t, "Engineering"); members != 0 {
						t.Fatalf("%d members", members)
					}
				}
				if again {
					if err := from.RemoveMember(ctx, tenanttest.Actor, "g1", "u1"); err != nil {
						t.Fatal(err)
					}
					cycle(t, config, false)
					if err := from.AddMember(ctx, tenanttest.Actor, "g1", "u1"); err != nil {
						t.Fatal(err)
					}
				}
				r := cycle(t, config, !again)
				if _, _, members := to.counts(t, "Engineering"); r.Failed > 0 || members != 1 {
					t.Errorf("%d members; %+v", members, r)
				}
			})
		}
	}
}

// empty takes everybody out of all groups of the target.
func (x target) empty(t *testing.T) {
	t.Helper()
	in, err := x.center.Memberships(ctx, center.MembershipQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range in {
		if err := x.center.DeleteMembership(ctx, centertest.Actor, m.ID); err != nil {
			t.Fatal(err)
		}
	}
}
