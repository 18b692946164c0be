package authn

import "time"

// Lockout is the memory of wrong passwords for one name. It is a value: the half that owns the name stores it.
type Lockout struct {
	Failures int
	Until    time.Time // no attempt is looked at before
}

// The growing delay: the first freeFailures mistakes cost nothing, then the wait doubles from one second to five minutes.
// It ends by itself, so that nobody can lock another person out for ever.
const (
	freeFailures = 4 //bound:rate wrong passwords or codes in a row that cost no wait
	//bound:wait after wrong passwords or codes for one name, at the most
	maxDelay = 5 * time.Minute
)

// Locked says whether an attempt at now must be refused without looking at the password.
func (l Lockout) Locked(now time.Time) bool { return now.Before(l.Until) }

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

// Verdict is what an attempt to sign in with a password came to.
type Verdict uint8

// The verdicts. Only Right opens anything; to the person who tries, the others must look the same.
const (
	Unknown Verdict = iota // no such principal, or one without a password
	Locked                 // too many mistakes; the password was not considered
	Wrong
	Right
	Busy // too many passwords are being checked; this one was not
)

// Judge looks at a password for a stored hash, "" when there is none, with the memory of earlier attempts. It takes as long for a principal that
// does not exist as for one that does.
func Judge(hash string, l Lockout, password string, now time.Time) Verdict {
	select {
	case waiting <- struct{}{}:
		defer func() { <-waiting }()
	default:
		return Busy
	}
	right := CheckPassword(hash, password)
	switch {
	case hash == "":
		return Unknown
	case l.Locked(now):
		return Locked
	case !right:
		return Wrong
	}
	return Right
}
