package provisioning

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// pace keeps the requests of a cycle as fast as the target takes them. It begins with a few under
// way at once and adds more while the target answers. When the target throttles, nobody sends until
// the time that it asks for is over, and then requests go out evenly, a little slower than what it
// took before. Where that was too short a time to tell, the rate rises each second until the target
// throttles again, which then tells; afterwards a higher rate is tried every now and then, each
// time after a longer while as long as that goes wrong, and a much higher one when it goes well. A
// target that takes nothing at all is asked ever less often, which says nothing of the rate that it
// takes when it is back.
type pace struct {
	mu        sync.Mutex
	wake      chan struct{} // closed when somebody may be let in
	limit     float64       // requests under way at once
	most      int           // of them
	underWay  int
	first     int           // who wait and go before all others: they take access away
	notBefore time.Time     // since the target asked for it
	interval  time.Duration // between two requests; zero: as fast as they are answered
	next      time.Time     // when the interval is over
	answered  []time.Time   // since the last pause and in the window, the oldest first
	since     time.Time     // when the last pause ended
	sure      bool          // the rate was measured for long enough
	raiseAt   time.Time     // when a higher rate is tried
	raise     float64       // by how much
	hold      time.Duration // until the next try
	heard     time.Time     // when the target last answered, other than that it cannot
	missed    int           // requests since then
	waited    bool          // for as long as the target asks, since then
	pause     time.Duration // the last one, where the target does not say how long
}

const (
	firstUnderWay = 4
	shortPause    = 100 * time.Millisecond //bound:none the shortest pause
	//bound:wait a target that throttles and does not say for how long, before it is asked again
	longPause = time.Second
	//bound:depth requests that a target does not answer, before a cycle ends
	maxMissed = 2 * DefaultWorkers
	fewMissed = 8 //bound:none below it, no silence is judged
	//bound:wait a target that does nothing but fail, before a cycle ends
	maxSilence = 3 * time.Second
	//bound:wait a target that does nothing but throttle, before a cycle ends
	maxThrottle = 20 * time.Second
	paceWindow  = 5 * time.Second //bound:none of a measurement
	//bound:none of a measurement
	shortestLook = 100 * time.Millisecond // what was answered in less says nothing
	//bound:none of a measurement
	longEnough   = time.Second // what was answered in less says little of a rate
	searchEach   = time.Second //bound:none how often, not how much
	searchRaise  = 1.25
	firstHold    = 20 * time.Second //bound:none the shortest pause
	maxHold      = 10 * time.Minute //bound:wait a higher rate, at a target that throttles
	firstRaise   = 1.03
	maxRaise     = 2    //bound:none a factor
	belowCeiling = 0.98 // of the rate at which the target throttled
)

func newPace(most int) *pace {
	return &pace{
		wake:  make(chan struct{}),
		limit: float64(min(firstUnderWay, most)),
		most:  most,
		since: time.Now(),
		hold:  firstHold,
		heard: time.Now(),
	}
}

// enter waits until a request may be sent: first those that go before all others.
func (p *pace) enter(ctx context.Context, first bool) error {
	for waits := false; ; {
		p.mu.Lock()
		now, wake := time.Now(), p.wake
		at := later(p.notBefore, p.next)
		if p.underWay < int(p.limit) && !now.Before(at) && (first || p.first == 0) {
			p.underWay++
			if waits {
				p.first--
			}
			if p.interval > 0 {
				// one that came late does not make the next one late
				p.next = later(p.next, now.Add(-p.interval)).Add(p.interval)
			}
			p.mu.Unlock()
			return nil
		}
		if first && !waits {
			p.first, waits = p.first+1, true
		}
		p.mu.Unlock()
		var due <-chan time.Time
		if wait := at.Sub(now); wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-wake:
		case <-due:
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			if waits {
				p.first--
				p.call()
			}
			return context.Cause(ctx)
		}
	}
}

// pass lets somebody else in instead.
func (p *pace) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step()
}

// step counts one request less that is under way.
func (p *pace) step() {
	p.underWay--
	p.call()
}

// call has all who wait look whether they may be let in.
func (p *pace) call() {
	close(p.wake)
	p.wake = make(chan struct{})
}

// leave notes how a request that began at a time was answered.
func (p *pace) leave(began time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.step()
	if MayPass(err) {
		p.missed++
	} else {
		p.heard, p.missed = now, 0
		p.waited = false
	}
	if away(err) { // whether all others are to wait is not known yet
		return
	}
	if problem := new(scim.Problem); errors.As(err, &problem) && throttles(problem) {
		p.throttle(now, began, problem.RetryAfter)
		return
	}
	p.answered = append(p.answered, now)
	for now.Sub(p.answered[0]) >= paceWindow {
		p.answered = p.answered[1:]
	}
	if p.interval == 0 && p.limit < float64(p.most) {
		p.limit = min(p.limit+1, float64(p.most))
	}
	if p.interval > 0 && now.After(p.raiseAt) {
		p.interval = time.Duration(float64(p.interval) / p.raise)
		if p.raiseAt = now.Add(searchEach); p.sure {
			p.raise, p.raiseAt = min(1+2*(p.raise-1), maxRaise), now.Add(p.hold)
		}
	}
}

// throttles says whether a target wants fewer requests. One that is not available and does not say
// for how long is out of order.
func throttles(p *scim.Problem) bool {
	return p.Status == http.StatusTooManyRequests ||
		(p.Status == http.StatusServiceUnavailable && p.RetryAfter > 0)
}

// away says that a target wants a request only so much later that others do not stand still until
// then, unless it says that to them, too.
func away(err error) bool { return putsOff(err) > hurriedPause }

// waitsFor says that a cycle stands still for as long as a target wants, if it wants that of all.
// One that limits by the minute says up to a minute as a matter of course; a cycle that ended for
// that would begin anew each time, and never be done.
func waitsFor(err error) bool { return away(err) && putsOff(err) <= MaxPause }

// putsOff is how much later a target wants a request; zero: it does not say.
func putsOff(err error) time.Duration {
	p := new(scim.Problem)
	if !errors.As(err, &p) || !throttles(p) {
		return 0
	}
	return p.RetryAfter
}

// rests says whether all requests were put off since one began.
func (p *pace) rests(began time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return began.Before(p.notBefore)
}

// rest puts all requests off, since the answer to one that began at a time is meant for all.
func (p *pace) rest(began time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttle(time.Now(), began, putsOff(err))
}

// silent says whether a target, which has just failed to answer, has done nothing else for so long
// that a cycle should not go on asking it for every single object.
func (p *pace) silent(err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	patience := maxSilence
	if problem := new(scim.Problem); errors.As(err, &problem) {
		if problem.Status == http.StatusTooManyRequests {
			patience = maxThrottle
		}
	} else if p.missed >= maxMissed {
		return true
	}
	return p.missed >= fewMissed && time.Since(p.heard) > patience
}

// throttle slows down, once for all requests that were under way.
func (p *pace) throttle(now, began time.Time, asked time.Duration) {
	if began.Before(p.notBefore) {
		return
	}
	nothing := len(p.answered) == 0 && p.interval > 0
	if p.pause = min(2*p.pause, longPause); !nothing {
		p.pause = shortPause
	}
	if asked == 0 {
		asked = p.interval + p.pause
	}
	p.notBefore = now.Add(asked)
	if !p.waited { // it is not silent while it is left alone, once
		p.heard, p.waited = p.notBefore, true
	}
	if p.next = p.notBefore; nothing {
		p.since = p.notBefore
		return
	}
	window := paceWindow
	if !p.sure { // the rate has risen until now
		window = longEnough
	}
	during, took := max(min(now.Sub(p.since), window), shortestLook), 0
	for _, t := range p.answered {
		if now.Sub(t) < during {
			took++
		}
	}
	rate := float64(max(took, 1)) / during.Seconds()
	tried := p.sure && p.raise > firstRaise // a higher rate
	if p.sure = during >= longEnough; !p.sure && p.interval > 0 {
		rate = min(rate, 1/p.interval.Seconds()) / searchRaise
	}
	p.interval = time.Duration(float64(time.Second) / (rate * belowCeiling))
	p.since = p.notBefore
	p.answered = p.answered[:0]
	if !p.sure {
		p.raise, p.raiseAt = searchRaise, p.notBefore.Add(searchEach)
		return
	}
	if p.hold = min(2*p.hold, maxHold); !tried {
		p.hold = firstHold
	}
	p.raise, p.raiseAt = firstRaise, p.notBefore.Add(p.hold)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
