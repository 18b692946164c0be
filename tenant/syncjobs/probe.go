package syncjobs

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// How a target that does not answer is asked whether it does again.
const (
	probeEach     = 2 * time.Second //bound:none how often, not how much
	probePatience = 3 * time.Second //bound:wait the answer to a probe
)

// probe is what the loop knows of a target that did not answer.
//
// An answer is a reason to try at once only when the target was missed before: one that answers
// probes and nothing else would be asked with every probe.
type probe struct {
	end    context.CancelFunc // of the one that is under way; may be nil
	missed atomic.Bool        // the target did not answer, and has not been tried since it does
}

func (p *probe) stop() {
	if p.end != nil {
		p.end()
		p.end = nil
	}
}

// heard notes that the target has answered, and says whether it is tried at once.
func (p *probe) heard() bool {
	p.stop()
	return p.missed.Swap(false)
}

// startProbe asks a job's target until it answers, and not before it takes requests again.
func (l *loop) startProbe(ctx context.Context, j tenant.Job, t *turn, missed bool, leftAlone time.Duration) {
	t.probe.stop()
	if missed {
		t.probe.missed.Store(true)
	}
	target, err := l.Target(j)
	if err != nil { // the next cycle says so
		return
	}
	probing, end := context.WithCancel(ctx)
	t.probe.end = end
	l.running.Go(func() {
		defer end()
		if Probe(probing, target, leftAlone, func() { t.probe.missed.Store(true) }) == nil {
			l.tell(probing, news{job: j, probed: true})
		}
	})
}

// Probe asks a target every two seconds, with the cheapest request that there is, until it answers
// or ctx is done; and not before it takes requests again, where it says so, as it may have said
// before. missed is called whenever it does not answer.
func Probe(ctx context.Context, target *scim.Client, leftAlone time.Duration, missed func()) error {
	for wait := max(jittered(probeEach/2), leftAlone); ; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		asking, end := context.WithTimeout(ctx, probePatience)
		err := target.Do(asking, http.MethodGet, "/ServiceProviderConfig", nil, nil, nil)
		end()
		if err == nil || !provisioning.MayPass(err) {
			return context.Cause(ctx)
		}
		wait = max(jittered(probeEach), provisioning.LeftAlone(err))
		missed()
	}
}

// unreached says whether a target could not be reached at all.
func unreached(err error) bool {
	var silent *scim.Unanswered
	return errors.As(err, &silent) && !silent.Sent
}
