package provisioning_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// asker is a directory that says who it was asked for.
type asker struct {
	*directory
	also []provisioning.Ref
}

func (d *asker) Changes(
	ctx context.Context, watermark string, also []provisioning.Ref,
) (provisioning.Changes, error) {
	if watermark != "" {
		d.also = slices.Concat(d.also, also)
	}
	return d.directory.Changes(ctx, watermark, also)
}

// TestThoseWhoHaveFailedAreTriedTogether: they failed at different moments, and one cycle tries
// them all, but for those whose time somebody has asked for, or comes later.
func TestThoseWhoHaveFailedAreTriedTogether(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	d := &asker{directory: newDirectory(user("ada"), user("bob"), user("eve"), user("kim"), user("zoe"))}
	if _, err := x.sync(t, d, m, nil); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for ref, l := range map[provisioning.Ref]provisioning.Link{
		ada: {Failure: "500", RetryAt: now},
		bob: {Failure: "500", RetryAt: now.Add(900 * time.Millisecond)},
		eve: {Failure: "429", RetryAt: now.Add(900 * time.Millisecond), Asked: time.Minute},
		kim: {Failure: "500", RetryAt: now.Add(2 * time.Second)},
		zoe: {Doubt: &provisioning.Doubt{Since: now, Looked: true}, RetryAt: now.Add(900 * time.Millisecond)},
	} {
		link := m.link(ref)
		link.Failure, link.RetryAt = l.Failure, l.RetryAt
		link.Asked, link.Doubt = l.Asked, l.Doubt
		if err := m.Volatile.Keep(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}
	x.misbehave(failing(http.StatusInternalServerError, false))
	engine := func(e *provisioning.Engine) { e.Now = func() time.Time { return now } }
	if _, err := x.sync(t, d, m, engine); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(d.also, func(a, b provisioning.Ref) int { return strings.Compare(a.ID, b.ID) })
	if want := []provisioning.Ref{ada, bob}; !slices.Equal(d.also, want) {
		t.Errorf("tried are %v, not %v", d.also, want)
	}
}
