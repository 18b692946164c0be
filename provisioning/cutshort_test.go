package provisioning_test

import (
	"fmt"
	"net/http"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// TestWhatFailedIsTriedAgainThoughACycleWasCutShort: members, or a manager, are refused. The cycle
// that tries them once more ends before it is their turn, when the object itself was looked at
// already. The source names none of them again.
func TestWhatFailedIsTriedAgainThoughACycleWasCutShort(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after func(*directory)
		refused       int64 // of the second cycle, before the target takes nothing
	}{
		"joins":     {members(eng, "ada"), members(eng, "ada", "bob"), 0},
		"leaves":    {members(eng, "ada", "bob"), members(eng, "ada"), 1},
		"a manager": {managedBy(ada, ""), managedBy(ada, "bob"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, m := newTarget(t), newMemory()
			d := newDirectory(user("ada"), user("bob"), group("Eng"))
			c.before(d)
			now := time.Now()
			cycle := func() (provisioning.Result, error) {
				return x.sync(t, d, m, func(e *provisioning.Engine) {
					e.Now, e.Workers = func() time.Time { return now }, 1
				})
			}
			if _, err := cycle(); err != nil {
				t.Fatal(err)
			}
			c.after(d)
			var changes atomic.Int64
			trouble := func(refused int64) {
				changes.Store(0)
				x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
					switch n := changes.Load(); {
					case r.Method == http.MethodPatch && changes.Add(1) <= refused:
						w.WriteHeader(http.StatusBadRequest)
					case r.Method == http.MethodPatch || n > refused:
						w.Header().Set("Retry-After", "600")
						w.WriteHeader(http.StatusTooManyRequests)
					default:
						return false
					}
					return true
				})
			}
			trouble(2)
			result, err := cycle()
			if err != nil || result.Failed != 1 {
				t.Fatalf("what is refused: %+v, %v", result, err)
			}
			now = result.RetryAt
			trouble(c.refused)
			if _, err := cycle(); err == nil {
				t.Fatal("the cycle came to its end")
			}
			x.misbehave(nil)
			now = now.Add(10 * time.Minute)
			if result, err = cycle(); err != nil || !result.RetryAt.IsZero() {
				t.Errorf("when the target takes everything: %+v, %v", result, err)
			}
			x.equals(t, d, m)
		})
	}
}

// TestGroupsThatAreRefusedKeepNobodyWaitingForEver: the target refuses to change a number of
// groups, one after the other, in a way that may be meant for everybody. After a few cycles that
// end for that, they count for what they are, and everything else is done.
func TestGroupsThatAreRefusedKeepNobodyWaitingForEver(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{
		"put off": http.StatusTooManyRequests, "forbidden": http.StatusForbidden,
	} {
		for what, c := range map[string]struct{ before, after []string }{
			"joins":  {[]string{"ada"}, []string{"ada", "bob"}},
			"leaves": {[]string{"ada", "bob"}, []string{"ada"}},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				x, m := newTarget(t), newMemory()
				d := newDirectory(user("ada"), user("bob"))
				now := time.Now()
				cycle := func() (provisioning.Result, error) {
					now = now.Add(25 * time.Hour)
					return x.sync(t, d, m, func(e *provisioning.Engine) {
						e.Now, e.Workers = func() time.Time { return now }, 1
					})
				}
				const refused = 12
				for i := range refused + 1 {
					d.add(group(fmt.Sprintf("G%02d", i), c.before...))
				}
				if _, err := cycle(); err != nil {
					t.Fatal(err)
				}
				bad := map[string]bool{}
				for i := range refused + 1 {
					g := group(fmt.Sprintf("G%02d", i), c.after...)
					bad[m.link(g.Ref).TargetID] = i < refused
					d.add(g)
				}
				x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
					if r.Method != http.MethodPatch || !bad[path.Base(r.URL.Path)] {
						return false
					}
					w.Header().Set("Retry-After", "3600")
					w.WriteHeader(status)
					return true
				})
				for n := 0; ; n++ {
					result, err := cycle()
					if err == nil && result.Failed == refused {
						break
					}
					if n == 6 {
						t.Fatalf("they keep the others waiting: %+v, %v", result, err)
					}
				}
				if result, err := cycle(); err != nil || result.Failed != refused {
					t.Errorf("once more: %+v, %v", result, err)
				}
				x.misbehave(nil)
				if result, err := cycle(); err != nil || !result.RetryAt.IsZero() {
					t.Errorf("when the target takes everything: %+v, %v", result, err)
				}
				x.equals(t, d, m)
			})
		}
	}
}

// TestWhatIsNotMappedKeepsNobodyAwake: a group fails, and groups are turned off in the mappings. No
// cycle does anything about it, and none is to come for it.
func TestWhatIsNotMappedKeepsNobodyAwake(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	d := newDirectory(user("ada"), group("Eng", "ada"))
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		refused := r.Method == http.MethodPost && path.Base(r.URL.Path) == "Groups"
		if refused {
			w.WriteHeader(http.StatusBadRequest)
		}
		return refused
	})
	if result, err := x.sync(t, d, m, nil); err != nil || result.Failed != 1 || result.RetryAt.IsZero() {
		t.Fatalf("%+v, %v", result, err)
	}
	result, err := x.sync(t, d, m, func(e *provisioning.Engine) {
		e.Mappings.Groups = nil
		e.Now = func() time.Time { return time.Now().Add(time.Hour) }
	})
	if err != nil || !result.RetryAt.IsZero() {
		t.Errorf("a cycle is to come at %s: %v", result.RetryAt, err)
	}
}
