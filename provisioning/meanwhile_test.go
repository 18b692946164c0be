package provisioning_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// changing is a directory that changes while a cycle reads it.
type changing struct {
	mu   sync.Mutex
	read func() // is told whenever it is read; nil: nothing is
	*directory
}

func (c *changing) Changes(
	ctx context.Context, watermark string, also []provisioning.Ref,
) (provisioning.Changes, error) {
	if c.read != nil {
		c.read()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.directory.Changes(ctx, watermark, also)
}

func (c *changing) Object(ctx context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.directory.Object(ctx, ref)
}

// TestALeaverDoesNotWaitForTheEndOfACycle: while a cycle makes people, and one request hangs,
// others leave. They lose access before the request is answered, and the cycle gives nobody access
// who has left since it began.
func TestALeaverDoesNotWaitForTheEndOfACycle(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	d := &changing{directory: newDirectory(
		user("ada"), user("bob"), user("eve"), group("Eng", "ada", "bob"), group("Ops", "eve"),
	)}
	look := func(e *provisioning.Engine) { e.Look(time.Millisecond) }
	if _, err := x.sync(t, d, m, look); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		d.add(user(fmt.Sprintf("new%02d", i)))
	}
	d.add(user("zoe"))
	members(eng, "ada", "bob", "new10", "zoe")(d.directory)
	has := func(names ...string) bool {
		state := x.state(t)
		return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(state, name) })
	}
	var hangs atomic.Bool
	x.misbehave(func(_ int, r *http.Request, _ http.ResponseWriter) bool {
		if r.Method != http.MethodPost || hangs.Swap(true) {
			return false
		}
		d.mu.Lock()
		active(ada, false)(d.directory)
		d.remove(eve)
		members(eng, "ada", "new10")(d.directory) // not Bob any more, nor Zoe
		active(zoe, false)(d.directory)
		d.mu.Unlock()
		for deadline := time.Now().Add(20 * time.Second); !has("ada", "Ops="); {
			if time.Sleep(5 * time.Millisecond); time.Now().After(deadline) { // a poll
				t.Error("who leaves waits for the end of the cycle", x.state(t))
				break
			}
		}
		return false
	})
	result, err := x.sync(t, d, m, look)
	if err != nil || result.Failed > 0 || result.Disabled != 1 || result.Deleted != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	state := x.state(t)
	if slices.Contains(state, "zoe*") || slices.ContainsFunc(state, func(s string) bool {
		return strings.HasPrefix(s, "Eng=") && (strings.Contains(s, "bob") || strings.Contains(s, "zoe"))
	}) {
		t.Errorf("the cycle gives access to who has left: %v", state)
	}
	x.misbehave(nil)
	if _, err := x.sync(t, d, m, look); err != nil {
		t.Fatal(err)
	}
	x.equals(t, d.directory, m)
	if n := x.count("PATCH /Users"); n > 0 {
		t.Errorf("%d of them are disabled again", n)
	}
}
