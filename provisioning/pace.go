package provisioning

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// pace keeps the requests of a cycle as fast as the target takes them. It begins with a few under way at once and adds more while the target answers. When
// the target throttles, nobody sends until the time that it asks for is over, and then requests go out evenly, a little slower than what it
// took in the second before. Every now and then a higher rate is tried, and a much higher one when that went well.
type pace struct {
	mu        sync.Mutex
	wake      chan struct{} // closed when somebody may be let in
	limit     float64       // requests under way at once
	most      int           // of them
	underWay  int
	notBefore time.Time     // since the target asked for it
	interval  time.Duration // between two requests; zero: as fast as they are answered
	next      time.Time     // when the interval is over
	answered  []time.Time   // in the last second, the oldest first
	raiseAt   time.Time     // when a higher rate is tried
	raise     float64       // by how much
}

const (
	firstUnderWay = 4
	paceWindow    = time.Second
	shortestLook  = 100 * time.Millisecond // what was answered in less says little of a rate
	raiseEach     = 30 * time.Second
	firstRaise    = 1.05
	maxRaise      = 2
	belowCeiling  = 0.97 // of the rate at which the target throttled
)

func newPace(most int) *pace {
	return &pace{wake: make(chan struct{}), limit: float64(min(firstUnderWay, most)), most: most, raise: firstRaise}
}

// enter waits until a request may be sent.
func (p *pace) enter(ctx context.Context) error {
	for {
		p.mu.Lock()
		now, wake := time.Now(), p.wake
		at := later(p.notBefore, p.next)
		if p.underWay < int(p.limit) && !now.Before(at) {
			p.underWay++
			if p.interval > 0 {
				p.next = later(p.next, now.Add(-p.interval)).Add(p.interval) // one that came late does not make the next one late
			}
			p.mu.Unlock()
			return nil
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
			return context.Cause(ctx)
		}
	}
}

// leave notes how a request that began at a time was answered.
func (p *pace) leave(began time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.underWay--
	close(p.wake)
	p.wake = make(chan struct{})
	if problem := new(scim.Problem); errors.As(err, &problem) && throttles(problem.Status) {
		p.throttle(now, began, problem.RetryAfter)
		return
	}
	for len(p.answered) > 0 && now.Sub(p.answered[0]) >= paceWindow {
		p.answered = p.answered[1:]
	}
	p.answered = append(p.answered, now)
	if p.interval == 0 && p.limit < float64(p.most) {
		p.limit = min(p.limit+1, float64(p.most))
	}
	if p.interval > 0 && now.After(p.raiseAt) {
		p.interval = time.Duration(float64(p.interval) / p.raise)
		p.raise, p.raiseAt = min(1+2*(p.raise-1), maxRaise), now.Add(raiseEach)
	}
}

func throttles(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// throttle slows down, once for all requests that were under way.
func (p *pace) throttle(now, began time.Time, asked time.Duration) {
	if began.Before(p.notBefore) {
		return
	}
	if asked == 0 {
		asked = p.interval + 100*time.Millisecond
	}
	p.notBefore = now.Add(asked)
	took, during := 0, shortestLook
	for _, t := range p.answered {
		if since := now.Sub(t); since < paceWindow {
			took, during = took+1, max(during, since)
		}
	}
	p.interval = time.Duration(float64(during) / (float64(max(took, 1)) * belowCeiling))
	p.next, p.raise, p.raiseAt = p.notBefore, firstRaise, now.Add(raiseEach)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
