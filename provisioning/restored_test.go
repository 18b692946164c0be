package provisioning_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// restored runs the first cycle after a memory was restored from a backup.
func (x *target) restored(t *testing.T, d *directory, m *mortal, now *time.Time) provisioning.Result {
	t.Helper()
	result, err := x.firstAfter(t, d, m, now)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// firstAfter is restored for a cycle that may fail.
func (x *target) firstAfter(
	t *testing.T, d *directory, m *mortal, now *time.Time,
) (provisioning.Result, error) {
	t.Helper()
	engine := provisioning.Engine{
		Source: d, Memory: m, Mappings: mappings(t), Reread: true, Unasked: true, Restored: true,
		Target: provisioning.SCIM(x.client, provisioning.Entra),
		Now:    func() time.Time { return *now }, Workers: 1,
		NewID: func() string { return fmt.Sprint(m.ids.Add(1)) },
	}
	engine.Hurry()
	return engine.Run(t.Context())
}

// person is somebody at the target.
func (x *target) person(t *testing.T, id string) center.User {
	t.Helper()
	u, err := x.center.UserByName(t.Context(), id+"@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// shut disables somebody at the target.
func (x *target) shut(t *testing.T, id string) {
	t.Helper()
	_, err := x.center.UpdateUser(t.Context(), centertest.Actor, x.person(t, id).ID, func(u *center.User) error {
		u.Active = false
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestADoubtAfterARestoreReleasesNobody: a backup was taken while people were being made and
// enabled, and put into a group, or the first cycle after the restore died while it did that. They
// were disabled and removed at the target since: that stays.
func TestADoubtAfterARestoreReleasesNobody(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			x := newTargetOf(t, profile)
			d := newDirectory(user("ada"), user("bob"), group("Eng", "ada"))
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			x.sound(t, d, m, &now)
			adding(user("eve"))(d)
			members(eng, "ada", "bob")(d)
			late := centertest.Person("eve@example.com")
			late.ExternalID = "eve"
			if _, err := x.center.CreateUser(t.Context(), centertest.Actor, late); err != nil {
				t.Fatal(err)
			}
			intents := []provisioning.Intent{
				{Ref: bob},
				{Ref: eve, Keys: map[string]string{"externalId": "eve", "userName": "eve@example.com"}},
				{Ref: eng, Members: []string{string(x.person(t, "bob").ID)}},
			}
			batch := provisioning.Batch{ID: "b", Began: now, Intents: intents}
			if err := m.Begin(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			x.shut(t, "bob")
			x.shut(t, "eve")
			for range 2 {
				if result := x.restored(t, d, m, &now); result.Failed != 3 {
					t.Errorf("%+v", result)
				}
				x.want(t, "ada*", "bob", "eve", "Eng=ada")
				now = now.Add(2 * time.Minute)
			}
		})
	}
}

// TestWhoIsHeldStaysSoWhateverElseFails: somebody was deleted at the target since the backup, and
// is not made anew, also when something else has failed meanwhile, or an earlier release has
// remembered it; until the source disables and enables them.
func TestWhoIsHeldStaysSoWhateverElseFails(t *testing.T) {
	t.Parallel()
	for what, earlier := range map[string]bool{"another failure": false, "an earlier release": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			d := newDirectory(user("ada"), user("bob"), group("Eng", "ada", "bob"))
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			x.sound(t, d, m, &now)
			if err := x.center.DeleteUser(t.Context(), centertest.Actor, x.person(t, "bob").ID); err != nil {
				t.Fatal(err)
			}
			x.restored(t, d, m, &now)
			link, err := m.Link(t.Context(), bob)
			if err != nil || !link.HeldOff {
				t.Fatalf("%+v, %v", link, err)
			}
			held := link.Failure
			if earlier {
				link.HeldOff = false
				if err := m.Keep(t.Context(), link); err != nil {
					t.Fatal(err)
				}
			} else {
				x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
					fails := strings.Contains(r.URL.Query().Get("filter"), "bob")
					if fails {
						w.WriteHeader(http.StatusInternalServerError)
					}
					return fails
				})
			}
			for i := range 3 {
				now = now.Add(48 * time.Hour)
				if result, err := x.mortal(t, d, m, &now); err != nil || result.Failed != 1 {
					t.Errorf("%+v, %v", result, err)
				}
				x.want(t, "ada*", "Eng=ada")
				link, err := m.Link(t.Context(), bob)
				if err != nil || (link.Failure == held) != (earlier || i > 0) {
					t.Errorf("%+v, %v", link, err)
				}
				x.misbehave(nil)
			}
			active(bob, false)(d)
			x.sound(t, d, m, &now)
			active(bob, true)(d)
			x.sound(t, d, m, &now)
			x.want(t, "ada*", "bob*", "Eng=ada+bob")
		})
	}
}

// TestACrashAfterARestoreGivesNoMembershipBack: somebody was deleted at the target, made anew and
// taken out of a group since the backup, and the first cycle after the restore dies at each of its
// lines.
func TestACrashAfterARestoreGivesNoMembershipBack(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			x := newTargetOf(t, profile)
			for when := 1; ; when += stride() {
				x.empty(t)
				d := newDirectory(user("ada"), user("bob"), group("Eng", "ada", "bob"))
				now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
				x.sound(t, d, m, &now)
				if err := x.center.DeleteUser(t.Context(), centertest.Actor, x.person(t, "bob").ID); err != nil {
					t.Fatal(err)
				}
				again := centertest.Person("bob@example.com")
				again.ExternalID = "bob"
				if _, err := x.center.CreateUser(t.Context(), centertest.Actor, again); err != nil {
					t.Fatal(err)
				}
				m.expect(when, diesBefore)
				x.misbehave(m.trouble)
				_, _ = x.firstAfter(t, d, m, &now)
				lines := m.lines()
				m.revive()
				m.expect(0, "")
				now = now.Add(2 * time.Minute)
				x.restored(t, d, m, &now)
				for range 2 {
					now = now.Add(2 * time.Hour)
					if result, err := x.mortal(t, d, m, &now); err != nil || result.Failed == 0 {
						t.Errorf("at line %d nothing is told: %+v, %v", when, result, err)
					}
					x.want(t, "ada*", "bob*", "Eng=ada")
				}
				x.misbehave(nil)
				if t.Failed() || lines < when {
					return
				}
			}
		})
	}
}

// TestWhatWasMadeSinceABackupIsSaidUntilItIsGone: somebody is at the target whom the source, as it
// was restored, does not have. That is said until they are disabled there, also where the target
// does not search by external ids.
func TestWhatWasMadeSinceABackupIsSaidUntilItIsGone(t *testing.T) {
	t.Parallel()
	for _, unsearched := range []bool{false, true} {
		t.Run(fmt.Sprint(unsearched), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStorm(t, 1)
				s.o, s.d = newOdd(oddities{Page: 10, Unsearched: unsearched}), newDirectory(user("ada"))
				s.careful, s.hot = false, 0
				s.calm = true
				s.rest(false)
				kim := &account{kind: provisioning.User, Resource: scim.Resource{
					"userName": "kim@example.com", "externalId": "kim", "active": true,
				}}
				s.o.add(kim)
				s.compare = comparison{wanted: true, unasked: true, restored: true}
				for range 3 {
					_, _ = s.cycle()
					link, _ := s.Link(t.Context(), provisioning.Ref{Kind: provisioning.User, ID: "kim"})
					if !strings.Contains(link.Failure, "since the backup") {
						t.Errorf("%+v", link)
					}
					time.Sleep(25 * time.Hour)
				}
				kim.Resource["active"] = false
				s.rest(false)
				if left := s.failures(); len(left) > 0 {
					t.Error(left)
				}
			})
		})
	}
}
