package dirsync

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestAStateThatWasRestoredGivesNoMembershipBack: a membership was taken away at the target since
// the state was backed up, which is said, by repairs too, until somebody wants it back. Where the
// source has taken it away meanwhile and gives it again, it is there.
func TestAStateThatWasRestoredGivesNoMembershipBack(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]center.Profile{
		"a target that lists no members": center.ProfileAWS,
		"one that does":                  center.ProfileStandard,
	} {
		for what, how := range map[string]struct{ again, anew bool }{
			"by somebody": {}, "by the source": {again: true}, "of a group that was made anew": {anew: true},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				from, to := newSource(t), newTarget(t, profile)
				config := between(from, to, newTenant(t, t.TempDir()))
				config.Groups = []string{"Engineering"}
				cycle(t, config, false)
				backup := backUp(t, config.State)
				if how.anew {
					to.removeGroup(t, "Engineering")
					cycle(t, config, true)
				}
				to.empty(t)
				config.State = restore(t, backup)
				for i := range 4 {
					r := cycle(t, config, i > 1)
					e := changes(t, r, "Engineering")
					if r.Failed != 1 || e.Code != "RemovedAtTarget" || !strings.Contains(e.Reason, "ada@") ||
						r.InStep.Equal {
						t.Errorf("%+v", r)
					}
					if _, _, members := to.counts(t, "Engineering"); members != 0 {
						t.Fatalf("%d members", members)
					}
				}
				if how.again {
					if err := from.RemoveMember(ctx, tenanttest.Actor, "g1", "u1"); err != nil {
						t.Fatal(err)
					}
					cycle(t, config, false)
					if err := from.AddMember(ctx, tenanttest.Actor, "g1", "u1"); err != nil {
						t.Fatal(err)
					}
				}
				config.GiveBack = !how.again
				r := cycle(t, config, config.GiveBack)
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

// restore brings the state of a synchronization back to what it was when it was backed up.
func restore(t *testing.T, backup string) *tenant.Tenant {
	t.Helper()
	folder := t.TempDir()
	at := store.Restoration{Backup: backup, Database: filepath.Join(folder, "tenant.db")}
	if _, err := store.Restore(ctx, at); err != nil {
		t.Fatal(err)
	}
	return newTenant(t, folder)
}

// backUp backs the state of a synchronization up.
func backUp(t *testing.T, state *tenant.Tenant) (backup string) {
	t.Helper()
	backup = filepath.Join(t.TempDir(), "backup.db")
	s, ok := state.Store.(*store.Store)
	if !ok {
		t.Fatalf("the store is a %T", state.Store)
	}
	if err := s.Backup(ctx, backup, false, nil); err != nil {
		t.Fatal(err)
	}
	return backup
}

// remove deletes a person at the target.
func (x target) remove(t *testing.T, name string) {
	t.Helper()
	u, err := x.center.UserByName(ctx, name)
	if err == nil {
		err = x.center.DeleteUser(ctx, centertest.Actor, u.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhoeverWasMadeAnewSinceTheBackupCanLeave: a person was deleted at the target since the state
// was backed up, and made anew there. Whoever is there is linked, not enabled if they are disabled,
// and loses the access with the source.
func TestWhoeverWasMadeAnewSinceTheBackupCanLeave(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]center.Profile{
		"AWS": center.ProfileAWS, "one that lists members": center.ProfileStandard,
	} {
		for what, disabled := range map[string]bool{"active": false, "disabled": true} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				from, to := newSource(t), newTarget(t, profile)
				config := between(from, to, newTenant(t, t.TempDir()))
				config.Groups = []string{"Engineering"}
				cycle(t, config, false)
				backup := backUp(t, config.State)
				const ada = "ada@example.com"
				to.remove(t, ada)
				cycle(t, config, true)
				if !to.active(t, ada) {
					t.Fatal("not made anew")
				}
				to.empty(t)
				if disabled {
					to.disable(t, ada)
				}
				config.State = restore(t, backup)
				for i := range 3 {
					r := cycle(t, config, i > 1)
					if e := changes(t, r, "Engineering"); e.Code != "RemovedAtTarget" || r.Failed == 0 ||
						to.active(t, ada) == disabled {
						t.Errorf("%+v", r)
					}
					if _, _, members := to.counts(t, "Engineering"); members != 0 {
						t.Errorf("%d members", members)
					}
				}
				config.GiveBack = true
				cycle(t, config, true)
				if _, _, members := to.counts(t, "Engineering"); members != 1 {
					t.Errorf("%d members when they are given back", members)
				}
				from.disable(t, "u1")
				if r := cycle(t, config, false); r.Failed > 0 || !r.InStep.Equal || to.active(t, ada) {
					t.Errorf("who has left is active: %v; %+v", to.active(t, ada), r)
				}
			})
		}
	}
}

// disable disables a person at the target.
func (x target) disable(t *testing.T, name string) {
	t.Helper()
	u, err := x.center.UserByName(ctx, name)
	if err == nil {
		_, err = x.center.UpdateUser(ctx, centertest.Actor, u.ID, func(u *center.User) error {
			u.Active = false
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// removeGroup deletes a group at the target.
func (x target) removeGroup(t *testing.T, name string) {
	t.Helper()
	groups, err := x.center.Groups(ctx, center.GroupQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.DisplayName != name {
			continue
		}
		if err := x.center.DeleteGroup(ctx, centertest.Actor, g.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatIsHeldIsSaidBeforeItIsGivenBack: the first run after a restore is told to give back what
// is held, of which nobody has seen a list. It says that this takes another run, which does it.
func TestWhatIsHeldIsSaidBeforeItIsGivenBack(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config := between(from, to, newTenant(t, t.TempDir()))
	cycle(t, config, false)
	backup := backUp(t, config.State)
	to.empty(t)
	to.disable(t, "bob@example.com")
	config.State, config.GiveBack = restore(t, backup), true
	r := cycle(t, config, true)
	for _, name := range []string{"bob@example.com", "Engineering"} {
		e := changes(t, r, name)
		if e.Outcome != provisioning.Failure || !strings.Contains(e.Reason, "--repair --give-back again to") {
			t.Errorf("%+v", e)
		}
	}
	if r := cycle(t, config, true); r.Failed > 0 || !r.InStep.Equal || !to.active(t, "bob@example.com") {
		t.Errorf("the second run: %+v", r)
	}
}
