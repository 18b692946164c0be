package provisioning_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// TestADryRunSeesWhomOthersPutIntoGroups: somebody was put into a group of ours, at a target that
// does not list members, somebody else was taken out, a third one is not to be in it any more, and
// the group was renamed. A dry run says just that; the repair does it, and then nothing is left. It
// asks once for the groups of each person, and once for those of nobody.
func TestADryRunSeesWhomOthersPutIntoGroups(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			x := newTargetOf(t, profile)
			m := newMemory()
			d := newDirectory(
				user("ada"), user("bob"), user("eve"), user("kim"), group("Eng", "ada", "bob", "kim"),
			)
			if _, err := run(t, d, m, x); err != nil {
				t.Fatal(err)
			}
			x.put(t, "eve", true)
			x.put(t, "bob", false)
			x.rename(t, "Intruders")
			members(eng, "ada", "bob")(d)
			for _, how := range []string{"a dry run", "a repair", "nothing is left"} {
				var added, removed []string
				var asked atomic.Int32
				x.misbehave(func(_ int, r *http.Request, _ http.ResponseWriter) bool {
					if asksForGroups(r) != "" {
						asked.Add(1)
					}
					return false
				})
				engine := provisioning.Engine{
					Source: d, Memory: m, Mappings: mappings(t), Reread: true, DryRun: how == "a dry run", Workers: 1,
					Target: provisioning.SCIM(x.client, provisioning.Entra), Now: time.Now,
					NewID: func() string { return "id" },
					OnEntry: func(e provisioning.Entry) {
						added, removed = append(added, e.Added...), append(removed, e.Removed...)
					},
				}
				if result, err := engine.Run(t.Context()); err != nil || result.Failed > 0 {
					t.Fatalf("%s: %+v, %v", how, result, err)
				}
				slices.Sort(removed)
				wanted, unwanted := []string{"bob"}, []string{m.link(kim).TargetID, "eve"}
				if how == "nothing is left" {
					wanted, unwanted = nil, nil
				}
				if !slices.Equal(added, wanted) || !slices.Equal(removed, unwanted) {
					t.Errorf("%s: added %v, removed %v", how, added, removed)
				}
				if want := int32(5); asked.Load() != want && profile == center.ProfileAWS {
					t.Errorf("%s: groups were asked for %d times, want %d", how, asked.Load(), want)
				}
			}
			x.want(t, "ada*", "bob*", "eve*", "kim*", "Eng=ada+bob")
		})
	}
}

// TestWhoseGroupsAreNotToldIsAskedForAlone: the target fails whenever it is asked for the groups of
// one person. Whether that one is in the groups is asked for each; all else is compared, and the
// log says so.
func TestWhoseGroupsAreNotToldIsAskedForAlone(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d, m := newDirectory(user("ada"), user("bob"), user("eve"), group("Eng", "ada", "bob")), newMemory()
	if _, err := run(t, d, m, x); err != nil {
		t.Fatal(err)
	}
	x.put(t, "eve", true)
	x.put(t, "bob", false)
	bob := m.link(bob).TargetID
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		if asksForGroups(r) != bob {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	engine := provisioning.Engine{
		Source: d, Memory: m, Mappings: mappings(t), Reread: true,
		Target: provisioning.SCIM(x.client, provisioning.Entra), Now: time.Now, NewID: func() string { return "id" },
	}
	engine.Hurry()
	if result, err := engine.Run(t.Context()); err != nil || result.Failed > 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	x.misbehave(nil)
	x.want(t, "ada*", "bob*", "eve*", "Eng=ada+bob")
	if told := logged(m, "GroupsUnread"); !slices.Equal(told, []string{"bob"}) {
		t.Errorf("told of %v", told)
	}
}

// asksForGroups is whose groups a request asks for; "" if it does not.
func asksForGroups(r *http.Request) string {
	filter, err := url.QueryUnescape(r.URL.Query().Get("filter"))
	id, asks := strings.CutPrefix(filter, `members.value eq "`)
	if err != nil || !asks {
		return ""
	}
	return strings.TrimSuffix(id, `"`)
}

// only is the group that the target has.
func (x *target) only(t *testing.T) center.Group {
	t.Helper()
	groups, err := x.center.Groups(t.Context(), center.GroupQuery{})
	if err != nil || len(groups) != 1 {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	return groups[0]
}

// put has somebody else put a person into the only group of the target, or take one out of it.
func (x *target) put(t *testing.T, name string, in bool) {
	t.Helper()
	g := x.only(t)
	u, err := x.center.UserByName(t.Context(), name+"@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if in {
		if _, err := x.center.CreateMembership(t.Context(), centertest.Actor, g.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		return
	}
	ms, err := x.center.Memberships(t.Context(), center.MembershipQuery{GroupID: g.ID, UserID: u.ID})
	if err != nil || len(ms) != 1 {
		t.Fatalf("%v, %v", ms, err)
	}
	if err := x.center.DeleteMembership(t.Context(), centertest.Actor, ms[0].ID); err != nil {
		t.Fatal(err)
	}
}

// rename has somebody else rename the only group of the target.
func (x *target) rename(t *testing.T, name string) {
	t.Helper()
	named := func(g *center.Group) error {
		g.DisplayName = name
		return nil
	}
	if _, err := x.center.UpdateGroup(
		t.Context(), centertest.Actor, x.only(t).ID, center.MembershipChange{}, named,
	); err != nil {
		t.Fatal(err)
	}
}
