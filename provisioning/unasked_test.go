package provisioning_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// comparer is a memory that is told when everything was compared.
type comparer struct {
	*mortal
	compared bool
}

func (c *comparer) SetWatermark(ctx context.Context, watermark string, compared bool) error {
	err := c.mortal.SetWatermark(ctx, watermark, compared)
	c.compared = c.compared || (compared && err == nil)
	return err
}

// TestAFirstComparisonSurvivesWhateverDies: nothing is remembered of a target that has people and
// groups of the source, one member too many among them. The first comparison dies at each of its
// lines, or loses an answer there; whatever is repeated, it is the same in the end.
func TestAFirstComparisonSurvivesWhateverDies(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		for i, what := range faults {
			t.Run(string(what)+"/"+string(profile), func(t *testing.T) {
				t.Parallel()
				x := newTargetOf(t, profile)
				for when := 1 + i%stride(); ; when += stride() {
					x.empty(t)
					x.misbehave(nil)
					d := newDirectory(user("ada"), user("bob"), group("Eng", "ada", "bob"), group("Ops", "bob"))
					now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
					x.sound(t, d, &mortal{Volatile: provisioning.NewVolatile(), at: x}, &now)
					members(eng, "ada")(d)
					adding(user("eve"))(d)
					m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
					m.expect(when, what)
					x.misbehave(m.trouble)
					told := &comparer{mortal: m}
					for range 12 {
						engine := provisioning.Engine{
							Source: d, Memory: told, Mappings: mappings(t), Workers: 1,
							Reread: !told.compared, Unasked: !told.compared,
							Target: provisioning.SCIM(x.client, provisioning.Entra),
							Now:    func() time.Time { return now },
							NewID:  func() string { return now.String()[11:] },
						}
						engine.Hurry()
						result, err := engine.Run(t.Context())
						if waits := m.late(); waits != nil {
							waits()
						}
						if err == nil && told.compared && result.RetryAt.IsZero() {
							break
						}
						m.revive()
						now = now.Add(2 * time.Minute)
					}
					x.misbehave(nil)
					x.equals(t, d, m)
					if t.Failed() {
						t.Fatalf("at line %d", when)
					}
					if m.lines() < when {
						return
					}
				}
			})
		}
	}
}

// TestADryRunOfAFirstComparisonIsExact: at a target that does not list members, a dry run with
// nothing remembered says who would be added to a group, and who removed, and no more.
func TestADryRunOfAFirstComparisonIsExact(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d := newDirectory(user("ada"), user("bob"), user("eve"), group("Eng", "ada", "bob"))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	x.sound(t, d, &mortal{Volatile: provisioning.NewVolatile(), at: x}, &now)
	members(eng, "ada", "eve")(d)
	for _, refused := range []bool{false, true} {
		x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
			refuses := refused && strings.Contains(r.URL.Query().Get("filter"), "members.value")
			if refuses {
				w.WriteHeader(http.StatusBadRequest)
			}
			return refuses
		})
		var added, removed []string
		engine := provisioning.Engine{
			Source: d, Memory: provisioning.NewVolatile(), Mappings: mappings(t), Reread: true, Unasked: true,
			Target: provisioning.SCIM(x.client, provisioning.Entra), DryRun: true,
			Now: time.Now, NewID: func() string { return "id" },
			OnEntry: func(e provisioning.Entry) {
				added, removed = append(added, e.Added...), append(removed, e.Removed...)
			},
		}
		if result, err := engine.Run(t.Context()); err != nil || result.Failed > 0 {
			t.Fatalf("%+v, %v", result, err)
		}
		if !slices.Equal(added, []string{"eve"}) || slices.Equal(removed, []string{"bob"}) == refused {
			t.Errorf("added %v, removed %v (refused: %v)", added, removed, refused)
		}
	}
}

// TestAnIgnoredFilterPutsNobodyIntoGroups: a target that does not list members answers the question
// for the groups of a person with all of them. Whoever is to be a member is added all the same.
func TestAnIgnoredFilterPutsNobodyIntoGroups(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d := newDirectory(user("ada"), user("bob"), group("Eng", "ada"))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	x.sound(t, d, &mortal{Volatile: provisioning.NewVolatile(), at: x}, &now)
	members(eng, "ada", "bob")(d)
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		ignores := strings.Contains(r.URL.Query().Get("filter"), "members.value") &&
			!strings.Contains(r.URL.Query().Get("filter"), " and ")
		if ignores {
			groups, _ := x.center.Groups(t.Context(), center.GroupQuery{})
			_, _ = fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,
				"Resources":[{"id":%q,"displayName":"Eng"}]}`, groups[0].ID)
		}
		return ignores
	})
	engine := provisioning.Engine{
		Source: d, Memory: provisioning.NewVolatile(), Mappings: mappings(t), Reread: true, Unasked: true,
		Target: provisioning.SCIM(x.client, provisioning.Entra), Now: time.Now, NewID: func() string { return "id" },
	}
	if result, err := engine.Run(t.Context()); err != nil || result.Failed > 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	x.misbehave(nil)
	x.want(t, "ada*", "bob*", "Eng=ada+bob")
}

// TestAPersonInMoreGroupsThanAPageHas: at a target that does not list members, the groups of a
// person come in pages: by number, or by cursor only. Whoever is to be in none of them loses all of
// them in a first comparison.
func TestAPersonInMoreGroupsThanAPageHas(t *testing.T) {
	t.Parallel()
	const many = 7
	for how, numbered := range map[string]bool{"by number": true, "by cursor": false} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			all := []entry{user("ada"), user("bob")}
			var want, left []string
			for i := range many {
				name := fmt.Sprintf("Team %d", i)
				all = append(all, group(name, "ada", "bob"))
				want, left = append(want, name+"=ada+bob"), append(left, name+"=bob")
			}
			d := newDirectory(all...)
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, &mortal{Volatile: provisioning.NewVolatile(), at: x}, &now)
			x.want(t, append(want, "ada*", "bob*")...)
			for _, o := range all[2:] {
				members(o.Ref, "bob")(d)
			}
			x.misbehave(func(_ int, r *http.Request, _ http.ResponseWriter) bool {
				q := r.URL.Query()
				if filter := q.Get("filter"); strings.HasPrefix(filter, "members.value") {
					q.Set("count", "2")
					if !numbered {
						q.Del("startIndex")
					}
					r.URL.RawQuery = q.Encode()
				}
				return false
			})
			engine := provisioning.Engine{
				Source: d, Memory: provisioning.NewVolatile(), Mappings: mappings(t), Reread: true, Unasked: true,
				Target: provisioning.SCIM(x.client, provisioning.Entra), Now: time.Now,
				NewID: func() string { return "id" },
			}
			if result, err := engine.Run(t.Context()); err != nil || result.Failed > 0 {
				t.Fatalf("%+v, %v", result, err)
			}
			x.misbehave(nil)
			x.want(t, append(left, "ada*", "bob*")...)
		})
	}
}

// TestGroupsOfAPersonThatAreNotGiven: a target refuses to go on by number, or at all, or gives the
// first page to whoever asks for another one. It is asked by cursor then; and where it does not say
// all, the log does.
func TestGroupsOfAPersonThatAreNotGiven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cursors, ignores, ends bool
		stay                   int // of the groups that the person should not be in
	}{
		"no numbers":                {true, false, false, 0},
		"no numbers nor cursor":     {false, false, false, 2},
		"numbers count for nothing": {true, true, false, 0},
		"nor does the cursor":       {false, true, false, 2},
		"it ends before its total":  {false, true, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			all := []entry{user("ada"), user("bob")}
			for _, team := range []string{"A", "B", "C", "D"} {
				all = append(all, group(team, "ada", "bob"))
			}
			d := newDirectory(all...)
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, &mortal{Volatile: provisioning.NewVolatile(), at: x}, &now)
			for _, o := range all[2:] {
				members(o.Ref, "bob")(d)
			}
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
				q := r.URL.Query()
				if !strings.HasPrefix(q.Get("filter"), "members.value") {
					return false
				}
				if !c.ignores && (q.Has("startIndex") || (q.Has("cursor") && !c.cursors)) {
					w.WriteHeader(http.StatusBadRequest)
					return true
				}
				if c.ends && q.Has("startIndex") {
					_, _ = w.Write([]byte(`{"totalResults":4,"startIndex":3,"Resources":[]}`))
					return true
				}
				if q.Del("startIndex"); !c.cursors {
					q.Del("cursor")
				}
				q.Set("count", "2")
				r.URL.RawQuery = q.Encode()
				return false
			})
			m := newMemory()
			engine := provisioning.Engine{
				Source: d, Memory: m, Mappings: mappings(t), Reread: true, Unasked: true,
				Target: provisioning.SCIM(x.client, provisioning.Entra), Now: time.Now,
				NewID: func() string { return "id" },
			}
			if result, err := engine.Run(t.Context()); err != nil || result.Failed > 0 {
				t.Fatalf("%+v, %v", result, err)
			}
			x.misbehave(nil)
			if told := logged(m, "GroupsUnread"); slices.Contains(told, "ada") == c.cursors {
				t.Errorf("told of %v", told)
			}
			stay := 0
			for _, line := range x.state(t) {
				if strings.HasSuffix(line, "=ada+bob") {
					stay++
				}
			}
			if stay != c.stay {
				t.Errorf("ada stays in %d groups", stay)
			}
		})
	}
}

// TestWhoIsTakenOverLaterLosesOldMemberships: somebody cannot be taken over while everything is
// compared the first time, and can later. Then the memberships end that should not be, of groups of
// this source.
func TestWhoIsTakenOverLaterLosesOldMemberships(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			x := newTargetOf(t, profile)
			d := newDirectory(user("ada"), user("bob"), group("Eng", "ada", "bob"), group("Ops", "bob"))
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, &mortal{Volatile: provisioning.NewVolatile(), at: x}, &now)
			members(eng, "ada")(d)
			having(bob, "surname", "")(d)
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			engine := provisioning.Engine{
				Source: d, Memory: m, Mappings: mappings(t), Reread: true, Unasked: true,
				Target: provisioning.SCIM(x.client, provisioning.Entra), Now: func() time.Time { return now },
				NewID: func() string { return fmt.Sprint(m.ids.Add(1)) },
			}
			if result, err := engine.Run(t.Context()); err != nil || result.Failed != 1 {
				t.Fatalf("%+v, %v", result, err)
			}
			having(bob, "surname", "F")(d)
			x.sound(t, d, m, &now)
			x.want(t, "ada*", "bob*", "Eng=ada", "Ops=bob")
		})
	}
}
