package dirsync

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// partly is a sync to a target that never lists what it has, so that access is only taken from it
// while the source is away, as it is. What has changed was read, while the target did not do it.
type partly struct {
	*Synchronizer

	to      target
	scim    *way
	ahead   time.Duration // of the clock of the state
	patches int           // of groups, that were sent
}

func newPartly(t *testing.T, change func(source), meanwhile func(*http.Request) *http.Response) *partly {
	t.Helper()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, scim := byWays(t, from, to)
	p := &partly{to: to, scim: scim}
	config.State.Now = func() time.Time { return time.Now().Add(p.ahead) }
	scim.set(unlisting)
	if _, err := p.open(t, config).Cycle(ctx, false); err == nil {
		t.Fatal("the target lists")
	}
	change(from)
	p.answer(meanwhile)
	if _, err := p.Cycle(ctx, false); err == nil {
		t.Fatal("the target does everything")
	}
	graph.set(away)
	p.answer(wholly)
	p.open(t, config)
	return p
}

func (p *partly) open(t *testing.T, config Config) *Synchronizer {
	t.Helper()
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	p.Synchronizer = s
	return s
}

// answer has the target answer so what is no list; nil is what it answers otherwise.
func (p *partly) answer(answer func(*http.Request) *http.Response) {
	p.patches = 0
	p.scim.set(func(r *http.Request) (*http.Response, error) {
		if res, err := unlisting(r); res != nil || err != nil {
			return res, err
		}
		if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") {
			p.patches++
		}
		return answer(r), nil
	})
}

// goOn runs a cycle as a sync that goes on does.
func (p *partly) goOn(t *testing.T) outcome {
	t.Helper()
	x, err := p.cycle(ctx, look{retry: syncjobs.RetryDue})
	if err != nil || !errors.Is(x.unread, errGone) {
		t.Fatalf("%v; the source: %v", err, x.unread)
	}
	return x
}

func wholly(*http.Request) *http.Response { return nil }

// unavailable is an answer to everything, unchanged only to what changes something.
func unavailable(*http.Request) *http.Response { return answered(http.StatusServiceUnavailable, "") }

func unchanged(r *http.Request) *http.Response {
	answer, _ := failing(r)
	return answer
}

func leavesPlatform(t *testing.T) func(source) {
	t.Helper()
	return func(from source) {
		if err := from.RemoveMember(ctx, tenanttest.Actor, "g2", "u3"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARemovalThatIsRefusedIsNotForgotten: the source is away, and the target refuses to remove a
// member. That is told, and tried again when its time comes, and not before.
func TestARemovalThatIsRefusedIsNotForgotten(t *testing.T) {
	t.Parallel()
	p := newPartly(t, leavesPlatform(t), unavailable)
	p.answer(func(r *http.Request) *http.Response {
		if r.Method == http.MethodPatch {
			return answered(http.StatusBadRequest, "")
		}
		return nil
	})
	if x := p.goOn(t); x.report.Failed != 1 || x.done.RetryAt.IsZero() || p.patches != 1 {
		t.Errorf("it is refused: %+v, tried again at %s; %d requests", x.report, x.done.RetryAt, p.patches)
	}
	p.answer(wholly)
	if x := p.goOn(t); x.done.RetryAt.IsZero() || p.patches != 0 {
		t.Errorf("before its time: tried again at %s; %d requests", x.done.RetryAt, p.patches)
	}
	p.ahead = 5 * time.Minute
	x := p.goOn(t)
	if _, _, members := p.to.counts(t, "Platform"); members != 0 || x.report.Updated != 1 || !x.done.RetryAt.IsZero() {
		t.Errorf("%d members, %+v, tried again at %s", members, x.report, x.done.RetryAt)
	}
	p.answer(wholly)
	if p.goOn(t); p.patches > 0 {
		t.Errorf("what is done is sent again %d times", p.patches)
	}
}

// TestARemovalInDoubtIsSentOnceMore: nothing was said of the first try. It is sent once more, and
// again when nothing can be under way any longer.
func TestARemovalInDoubtIsSentOnceMore(t *testing.T) {
	t.Parallel()
	p := newPartly(t, leavesPlatform(t), unavailable)
	p.answer(unchanged)
	p.goOn(t)
	p.answer(wholly)
	for _, step := range []struct {
		later time.Duration
		sent  int
	}{{10 * time.Second, 1}, {20 * time.Second, 1}, {5 * time.Minute, 2}, {10 * time.Minute, 2}} {
		p.ahead = step.later
		x := p.goOn(t)
		if p.patches != step.sent {
			t.Errorf("after %s it was sent %d times", step.later, p.patches)
		}
		if p.due(x.done.RetryAt) {
			t.Errorf("after %s there is a cycle each second", step.later)
		}
	}
	if _, _, members := p.to.counts(t, "Platform"); members != 0 {
		t.Errorf("%d members", members)
	}
}

// TestWhoIsToGetSomethingKeepsNobodyAwake: an attribute has failed, and its time comes while the
// source is away and only access is taken from the target. Nothing can be done about it.
func TestWhoIsToGetSomethingKeepsNobodyAwake(t *testing.T) {
	t.Parallel()
	p := newPartly(t, func(from source) { setTitle(t, from, "u1", "Wizard") }, unchanged)
	p.answer(wholly)
	for range 2 {
		p.ahead += time.Hour
		if x := p.goOn(t); !x.done.RetryAt.IsZero() || x.report.Changes {
			t.Errorf("tried again at %s: %+v", x.done.RetryAt, x.report)
		}
	}
	asked := 0
	p.answer(func(*http.Request) *http.Response { asked++; return nil })
	if p.goOn(t); asked > 0 {
		t.Errorf("the target is asked %d times", asked)
	}
}
