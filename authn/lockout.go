package authn

import "time"

// Lockout is the memory of wrong passwords for one name. It is a value: the half that owns the name
// stores it.
type Lockout struct {
	Failures int
	Until    time.Time // no attempt is looked at before
}

// The growing delay: the first freeFailures mistakes cost nothing, then the wait doubles from one
// second to five minutes. It ends without help, so that nobody can lock another person out forever.
const (
	freeFailures = 4 //bound:rate wrong passwords or codes in a row that cost no wait
	//bound:wait after wrong passwords or codes for one name, at the most
	maxDelay = 5 * time.Minute
)

// clocksApart is how far the clocks of nodes may be apart.
const clocksApart = 24 * time.Hour //bound:none of a comparison

// Ahead says whether a moment that should have passed by now was noted by a clock that was ahead,
// further than the clocks of nodes may be apart. Such a clock is put right at some time: what it
// has begun is over then, and what it was the last to do was never done.
func Ahead(noted, now time.Time) bool { return noted.Sub(now) > clocksApart }

// Within says whether less than d has passed since a moment was noted. What a clock has noted that
// was ahead is not waited for.
func Within(d time.Duration, noted, now time.Time) bool {
	return now.Sub(noted) < d && !Ahead(noted, now)
}

// Locked says whether an attempt at now must be refused without looking at the password. A wait
// that is longer than any was noted by a clock that was ahead: it is over.
func (l Lockout) Locked(now time.Time) bool {
	wait := l.Until.Sub(now)
	return wait > 0 && wait <= maxDelay+clocksApart
}

// Failed returns the state after one more wrong password.
func (l Lockout) Failed(now time.Time) Lockout {
	l.Failures++
	if over := l.Failures - freeFailures; over > 0 {
		delay := maxDelay
		if over <= 9 {
			delay = min(maxDelay, time.Second<<(over-1))
		}
		l.Until = now.Add(delay)
	}
	return l
}
