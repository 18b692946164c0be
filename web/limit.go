package web

import (
	"sync"

	"golang.org/x/time/rate"
)

// Limiter bounds how often something is done, for each of many names, such as the addresses of
// clients. Names that have not been seen for a while are forgotten, so that strangers cannot fill
// the memory. It counts on this node only.
type Limiter struct {
	PerSecond float64
	Burst     int

	mu       sync.Mutex
	now, old map[string]*rate.Limiter // those of this generation, and of the one before
}

// maxNames is how many names a generation holds.
const maxNames = 10_000 //bound:memory names of each generation of a limiter

// Allow says whether it may be done once more for a name now.
func (l *Limiter) Allow(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	of, ok := l.now[name]
	if !ok {
		if of, ok = l.old[name]; !ok {
			of = rate.NewLimiter(rate.Limit(l.PerSecond), l.Burst)
		}
		if l.now == nil || len(l.now) >= maxNames {
			l.now, l.old = map[string]*rate.Limiter{}, l.now
		}
		l.now[name] = of
	}
	return of.Allow()
}
