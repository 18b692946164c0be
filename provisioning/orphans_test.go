package provisioning_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// historian is a memory that knows what it once wrote.
type historian struct {
	*mortal
	past map[provisioning.Ref]provisioning.Past
}

func (h historian) Remembers(
	context.Context, []provisioning.Claim,
) (map[provisioning.Ref]provisioning.Past, error) {
	return h.past, nil
}

// written is a past in which some objects were written.
func written(refs ...provisioning.Ref) map[provisioning.Ref]provisioning.Past {
	past := map[provisioning.Ref]provisioning.Past{}
	for _, ref := range refs {
		past[ref] = provisioning.Written
	}
	return past
}

// compare runs cycles that compare everything, until nothing is left to do.
func (x *target) compare(t *testing.T, d *directory, m provisioning.Memory, set func(*provisioning.Engine)) {
	t.Helper()
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for range 5 {
		engine := provisioning.Engine{
			Source: d, Memory: m, Mappings: mappings(t), Reread: true,
			Target: provisioning.SCIM(x.client, provisioning.Entra),
			Now:    func() time.Time { return now },
			NewID:  func() string { return now.String()[11:] },
		}
		engine.Hurry()
		if set != nil {
			set(&engine)
		}
		result, err := engine.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if result.RetryAt.IsZero() && result.Failed == 0 {
			return
		}
		now = now.Add(2 * time.Minute)
	}
	t.Error("it does not come to rest")
}

// TestAComparisonPutsRightBothWays: whatever differs at the target, one look at everything mends:
// what was changed there, what was removed there, and accounts of ours that nobody remembers. What
// is not ours stays.
func TestAComparisonPutsRightBothWays(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for what, setting := range map[string]struct {
		trouble func(int, *http.Request, http.ResponseWriter) bool
		forget  bool // the links
		tells   bool // who the members of a group are
	}{
		"a target that lists":                                    {},
		"a target that tells members":                            {tells: true},
		"a target that tells members, and nothing is remembered": {forget: true, tells: true},
		"a target that lists, and nothing is remembered":         {forget: true},
		"a target that does not list": {trouble: func(_ int, r *http.Request, w http.ResponseWriter) bool {
			if r.Method != http.MethodGet || r.URL.Query().Get("startIndex") == "" {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			return true
		}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			if setting.tells {
				x = newTargetOf(t, center.ProfileStandard)
			}
			d := newDirectory(
				user("ada"), user("bob"), user("eve"), user("kim"), user("zoe"),
				group("Eng", "ada", "bob"), group("Ops", "eve"),
			)
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			if _, err := x.mortal(t, d, m, &now); err != nil {
				t.Fatal(err)
			}
			id := func(name string) center.UserID {
				u, err := x.center.UserByName(ctx, name+"@example.com")
				if err != nil {
					t.Fatal(err)
				}
				return u.ID
			}
			set := func(name string, change func(*center.User)) {
				if _, err := x.center.UpdateUser(
					ctx, centertest.Actor, id(name), func(u *center.User) error { change(u); return nil },
				); err != nil {
					t.Fatal(err)
				}
			}
			set("ada", func(u *center.User) { u.Active = false })
			set("bob", func(u *center.User) { u.DisplayName = "Nobody" })
			groups, err := x.center.Groups(ctx, center.GroupQuery{})
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range groups {
				if g.DisplayName == "Eng" {
					if _, err := x.center.CreateMembership(ctx, centertest.Actor, g.ID, id("eve")); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := x.center.DeleteUser(ctx, centertest.Actor, id("zoe")); err != nil {
				t.Fatal(err)
			}
			stranger := centertest.Person("stranger@example.com")
			stranger.ExternalID = "not-ours"
			local := centertest.Person("local@example.com")
			for _, u := range []center.User{stranger, local} {
				if _, err := x.center.CreateUser(ctx, centertest.Actor, u); err != nil {
					t.Fatal(err)
				}
			}
			// Kim is gone from the source and from the memory, Eve is out of scope; both are
			// active.
			d.remove(kim)
			d.edit(eve, func(e *entry) { e.Assigned = false })
			d.remove(ops)
			if setting.forget {
				m.Volatile = provisioning.NewVolatile()
			}
			x.misbehave(setting.trouble)
			x.compare(t, d, historian{m, written(kim, eve, ops)}, nil)
			x.misbehave(nil)
			x.want(t, "ada*", "bob*", "eve", "zoe*", "Eng=ada+bob", "stranger*", "local*")
			if u, err := x.center.User(ctx, id("bob")); err != nil || u.DisplayName != "bob" {
				t.Errorf("bob %+v, %v", u, err)
			}
		})
	}
}

var kim = provisioning.Ref{Kind: provisioning.User, ID: "kim"}

// TestOrphansAreHeldBackLikeOthers: a comparison disables no more than a cycle may.
func TestOrphansAreHeldBackLikeOthers(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d := newDirectory(user("ada"), user("bob"), user("eve"))
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := x.mortal(t, d, m, &now); err != nil {
		t.Fatal(err)
	}
	d.remove(ada, bob)
	m.Volatile = provisioning.NewVolatile()
	memory := historian{m, written(ada, bob)}
	engine := provisioning.Engine{
		Source: d, Memory: memory, Mappings: mappings(t), Reread: true, MaxDeletions: 1,
		Target: provisioning.SCIM(x.client, provisioning.Entra),
		Now:    time.Now, NewID: func() string { return "id" },
	}
	if _, err := engine.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "2 objects") {
		t.Errorf("not held back: %v", err)
	}
	x.want(t, "ada*", "bob*", "eve*")
	engine.MaxDeletions = 0
	if _, err := engine.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	x.want(t, "eve*")
}

// TestAComparisonLeavesOthersAlone: another job has provisioned its part of the same source to the
// same target. A comparison takes nothing of that away, and says what it has found.
func TestAComparisonLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		past    provisioning.Past
		set     func(*provisioning.Engine)
		want    []string
		reports int
	}{
		"nothing is remembered": {provisioning.Unknown, nil, []string{"bob*", "Ops=bob", "kim*"}, 2},
		"the source had them":   {provisioning.Seen, nil, []string{"bob*", "Ops=bob", "kim*"}, 3},
		"another job has them":  {provisioning.Others, nil, []string{"bob*", "Ops=bob", "kim*"}, 0},
		"they were its own":     {provisioning.Written, nil, []string{"bob"}, 0},
		"a careful one": {provisioning.Unknown, func(e *provisioning.Engine) {
			e.Careful = true
		}, []string{"bob*", "Ops=bob", "kim*"}, 2},
		"a careful one that is told to take over": {provisioning.Unknown, func(e *provisioning.Engine) {
			e.Careful, e.Adopt = true, true
		}, []string{"bob", "Ops=bob", "kim*"}, 0},
		"a careful one that is told to take over, in its first cycle": {
			provisioning.Unknown, func(e *provisioning.Engine) {
				e.Careful, e.Adopt = true, true
				e.Unasked = true
			}, []string{"bob*", "Ops=bob", "kim*"}, 2,
		},
		"a dry run": {provisioning.Unknown, func(e *provisioning.Engine) {
			e.DryRun = true
		}, []string{"bob*", "Ops=bob", "kim*"}, 2},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			d := newDirectory(user("ada"), user("bob"), user("kim"), group("Eng", "ada"), group("Ops", "bob"))
			scope := func(yes bool, refs ...provisioning.Ref) {
				for _, ref := range refs {
					assigned(ref, yes)(d)
				}
			}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			scope(false, ada, eng)
			x.sound(t, d, &mortal{Volatile: provisioning.NewVolatile(), at: x}, &now) // the other one
			d.remove(kim)
			scope(true, ada, eng)
			scope(false, bob, ops)
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			x.sound(t, d, m, &now)
			past := map[provisioning.Ref]provisioning.Past{bob: c.past, ops: c.past, kim: c.past}
			var mu sync.Mutex
			reported := map[provisioning.Ref]bool{}
			x.compare(t, d, historian{m, past}, func(e *provisioning.Engine) {
				e.OnEntry = func(e provisioning.Entry) {
					mu.Lock()
					defer mu.Unlock()
					if e.Code == "NotAdopted" && e.Outcome == provisioning.Skipped {
						reported[e.Ref] = true
					}
				}
				if c.set != nil {
					c.set(e)
				}
			})
			x.want(t, append(c.want, "ada*", "Eng=ada")...)
			if len(reported) != c.reports {
				t.Errorf("it reports %v", reported)
			}
		})
	}
}

// listener is a historian that is told when everything was compared.
type listener struct {
	historian
	compared bool
}

func (l *listener) SetWatermark(ctx context.Context, watermark string, compared bool) error {
	l.compared = l.compared || compared
	return l.historian.SetWatermark(ctx, watermark, compared)
}

// TestAListingThatFailsIsNoComparison: a page of the listing fails while everything else is well.
// The cycle does what it can do without, keeps that, and is tried again until it has compared.
func TestAListingThatFailsIsNoComparison(t *testing.T) {
	t.Parallel()
	for what, answer := range map[string]func(http.ResponseWriter){
		"an error":           func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"a page of a proxy":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") },
		"a gateway's object": func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{}`) },
		"nobody to route to": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
	} {
		for _, of := range []string{"/Users", "/Groups"} {
			t.Run(what+" for "+of, func(t *testing.T) {
				t.Parallel()
				x := newTarget(t)
				d := newDirectory(user("ada"), user("bob"), user("kim"), group("Eng", "ada"), group("Ops", "kim"))
				m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
				now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				x.sound(t, d, m, &now)
				before, _ := m.Watermark(t.Context())
				for _, ref := range []provisioning.Ref{kim, ops} {
					d.remove(ref)
					if err := m.Volatile.Forget(t.Context(), ref); err != nil {
						t.Fatal(err)
					}
				}
				active(ada, false)(d)
				adding(user("eve"))(d)
				x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
					lists := strings.HasSuffix(r.URL.Path, of) && r.URL.Query().Get("startIndex") != ""
					if lists {
						answer(w)
					}
					return lists
				})
				told := &listener{historian: historian{m, written(kim, ops)}}
				engine := provisioning.Engine{
					Source: d, Memory: told, Mappings: mappings(t), Reread: true,
					Target: provisioning.SCIM(x.client, provisioning.Entra),
					Now:    func() time.Time { return now }, NewID: func() string { return "id" },
				}
				engine.Hurry()
				_, err := engine.Run(t.Context())
				if now, _ := m.Watermark(t.Context()); !provisioning.MayPass(err) || now == before || told.compared {
					t.Errorf("it ends with %v, and is at %q after %q (compared: %v)", err, now, before, told.compared)
				}
				if has := x.state(t); !slices.Contains(has, "ada") || !slices.Contains(has, "eve*") {
					t.Errorf("the rest is not done: %v", has)
				}
				x.misbehave(nil)
				if _, err := engine.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				x.want(t, "ada", "bob*", "eve*", "Eng=ada")
			})
		}
	}
}

// TestATargetThatPagesByCursorIsCompared: AWS gives the first page to whoever asks for another one
// by its number. All is listed all the same.
func TestATargetThatPagesByCursorIsCompared(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d := newDirectory()
	var last provisioning.Ref
	for i := range 2*100 + 10 {
		u := user(fmt.Sprintf("u%03d", i))
		last = u.Ref
		d.add(u)
	}
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	x.sound(t, d, m, &now)
	d.remove(last)
	if err := m.Volatile.Forget(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	x.misbehave(func(_ int, r *http.Request, _ http.ResponseWriter) bool {
		query := r.URL.Query()
		query.Del("startIndex")
		r.URL.RawQuery = query.Encode()
		return false
	})
	x.compare(t, d, historian{m, written(last)}, nil)
	if n := len(x.requests); n > 10 {
		t.Errorf("%d requests: %v", n, x.requests)
	}
	if has := x.state(t); len(has) != 2*100+9 {
		t.Errorf("%d users are left", len(has))
	}
}
