package provisioning_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// guarded is a target with people, and a job that may disable so many of them in one cycle.
type guarded struct {
	*target
	*directory
	*memory
	most  int
	allow bool
	now   time.Time
}

func newGuarded(t *testing.T, most int, people ...string) *guarded {
	t.Helper()
	g := &guarded{target: newTarget(t), directory: newDirectory(), memory: newMemory(), most: most, now: time.Now()}
	for _, id := range people {
		g.add(user(id))
	}
	g.cycle(t, 0)
	return g
}

// cycle runs a cycle an hour after the last one, in a process of its own, which holds so many back.
func (g *guarded) cycle(t *testing.T, held int) provisioning.Result {
	t.Helper()
	g.now = g.now.Add(time.Hour)
	result, err := g.sync(t, g.directory, g.memory, func(e *provisioning.Engine) {
		e.MaxDeletions, e.AllowDeletions = g.most, g.allow
		e.Now = func() time.Time { return g.now }
		e.Hurry()
	})
	tooMany := new(provisioning.TooManyDeletesError)
	switch errors.As(err, &tooMany); {
	case held > 0 && tooMany.Deletions != held:
		t.Errorf("the cycle ends with %v, instead of holding %d back", err, held)
	case held == 0 && tooMany.Deletions > 0:
		t.Errorf("the cycle holds back: %v", err)
	}
	return result
}

func (g *guarded) leave(ids ...string) {
	for _, id := range ids {
		active(provisioning.Ref{Kind: provisioning.User, ID: id}, false)(g.directory)
	}
}

// failing answers what changes something, or everything, with a status.
func failing(status int, reads bool) func(int, *http.Request, http.ResponseWriter) bool {
	return func(_ int, r *http.Request, w http.ResponseWriter) bool {
		if r.Method == http.MethodGet && !reads {
			return false
		}
		w.WriteHeader(status)
		return true
	}
}

// TestALeaverCountsOnce: people leave one after the other while nothing can be written, or nothing
// is answered at all. None of them is held back, then or when the target is back.
func TestALeaverCountsOnce(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(int, *http.Request, http.ResponseWriter) bool{
		"changes fail":       failing(http.StatusInternalServerError, false),
		"changes are barred": failing(http.StatusBadRequest, false),
		"everything fails":   failing(http.StatusInternalServerError, true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, 1, "ada", "bob", "eve", "kim")
			g.misbehave(trouble)
			for _, id := range []string{"ada", "bob", "eve"} {
				g.leave(id)
				g.cycle(t, 0)
			}
			g.misbehave(nil)
			if result := g.cycle(t, 0); result.Disabled != 3 {
				t.Errorf("%+v", result)
			}
			g.want(t, "ada", "bob", "eve", "kim*")
		})
	}
}

// TestWhoWasAllowedToGoIsNotHeldBack: an administrator has let them go, and the target has not.
func TestWhoWasAllowedToGoIsNotHeldBack(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve")
	g.leave("ada", "bob", "eve")
	g.cycle(t, 3)
	g.allow = true
	g.misbehave(failing(http.StatusInternalServerError, false))
	g.cycle(t, 0)
	g.allow = false
	g.misbehave(nil)
	g.cycle(t, 0)
	g.want(t, "ada", "bob", "eve")
}

// TestWhatFailedForAnotherReasonCounts: nobody is let through for a failure that was no removal,
// nor for an earlier one that is over.
func TestWhatFailedForAnotherReasonCounts(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*testing.T, *guarded){
		"a title is refused": func(t *testing.T, g *guarded) {
			g.misbehave(failing(http.StatusBadRequest, false))
			for _, ref := range []provisioning.Ref{ada, bob, eve} {
				having(ref, "jobTitle", "Wizard")(g.directory)
			}
			g.cycle(t, 0)
		},
		"they had left before, and are back": func(t *testing.T, g *guarded) {
			g.misbehave(failing(http.StatusInternalServerError, false))
			for _, ref := range []provisioning.Ref{ada, bob, eve} {
				active(ref, false)(g.directory)
				g.cycle(t, 0)
			}
			for _, ref := range []provisioning.Ref{ada, bob, eve} {
				active(ref, true)(g.directory)
			}
			g.cycle(t, 0)
		},
		"they had left before, were disabled, and are back": func(t *testing.T, g *guarded) {
			for _, ref := range []provisioning.Ref{ada, bob, eve} {
				active(ref, false)(g.directory)
				g.cycle(t, 0)
				active(ref, true)(g.directory)
				g.cycle(t, 0)
			}
		},
		"it was held back before": func(t *testing.T, g *guarded) {
			g.leave("ada", "bob", "eve")
			g.cycle(t, 3)
			g.cycle(t, 3)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, 2, "ada", "bob", "eve")
			before(t, g)
			g.misbehave(nil)
			g.leave("ada", "bob", "eve")
			g.cycle(t, 3)
			g.want(t, "ada*", "bob*", "eve*")
		})
	}
}

// TestOneWhoWasLetThroughIsNotHeldBackWithOthers: while Ada cannot be disabled, far too many are to
// be. They are held back, and she is disabled.
func TestOneWhoWasLetThroughIsNotHeldBackWithOthers(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve")
	g.misbehave(failing(http.StatusInternalServerError, false))
	g.leave("ada")
	g.cycle(t, 0)
	g.misbehave(nil)
	g.leave("bob", "eve")
	if result := g.cycle(t, 2); result.Disabled != 1 {
		t.Errorf("%+v", result)
	}
	g.want(t, "ada", "bob*", "eve*")
}

// TestWhoWasLetThroughHasATime: Ada was let through while nothing was answered, and others are held
// back then. What is not known to have failed, since it could not be tried, is tried again soon all
// the same; and when nobody is left, nothing is.
func TestWhoWasLetThroughHasATime(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve")
	g.misbehave(failing(http.StatusInternalServerError, true))
	g.leave("ada")
	g.cycle(t, 0)
	g.leave("bob", "eve")
	for range 2 {
		result := g.cycle(t, 2)
		if soon := result.RetryAt.Sub(g.now); result.RetryAt.IsZero() || soon > 5*time.Second {
			t.Errorf("she is tried again at %s, after %s", result.RetryAt, soon)
		}
	}
	g.misbehave(nil)
	if result := g.cycle(t, 2); result.Disabled != 1 || !result.RetryAt.IsZero() {
		t.Errorf("%+v", result)
	}
	g.want(t, "ada", "bob*", "eve*")
}

// TestACycleLetsNoMoreThroughMeanwhile: two people leave while a cycle is at work on two others,
// which is as many as it may disable. The next one looks at them. Nor does it make a third one, who
// was to come, and is not any more.
func TestACycleLetsNoMoreThroughMeanwhile(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	d := &changing{directory: newDirectory(user("ada"), user("bob"), user("eve"), user("kim"))}
	engine := func(e *provisioning.Engine) {
		e.MaxDeletions = 2
		e.Look(time.Millisecond)
		e.Hurry()
	}
	if _, err := x.sync(t, d, m, engine); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	active(ada, false)(d.directory)
	active(bob, false)(d.directory)
	d.add(user("zoe"))
	d.mu.Unlock()
	var left atomic.Bool
	var looks atomic.Int64
	d.read = func() { looks.Add(1) }
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		if !left.Swap(true) {
			d.mu.Lock()
			active(eve, false)(d.directory)
			active(zoe, false)(d.directory)
			d.remove(kim)
			d.mu.Unlock()
			for n, deadline := looks.Load(), time.Now().Add(20*time.Second); looks.Load() < n+3; {
				if time.Sleep(time.Millisecond); time.Now().After(deadline) { // a poll
					t.Error("nobody looks who leaves meanwhile")
					break
				}
			}
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	if _, err := x.sync(t, d, m, engine); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []provisioning.Ref{eve, kim} {
		if link := m.link(ref); link.TargetID == "" || link.Failure != "" || link.Counted {
			t.Errorf("the cycle has let %s through too: %+v", ref.ID, link)
		}
	}
	if link := m.link(zoe); link.TargetID != "" {
		t.Errorf("the cycle has made one who has left: %+v", link)
	}
	x.misbehave(nil)
	if _, err := x.sync(t, d, m, engine); err != nil {
		t.Fatal(err)
	}
	for _, has := range x.state(t) {
		if has == "eve*" || has == "kim*" {
			t.Errorf("%s has access still", has)
		}
	}
}
