package provisioning

import (
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// What may pass is tried again after a second, and then after longer pauses, a minute at most, for
// as long as it fails. A pause is a quarter of the time for which it has failed: what takes access
// away follows soon, although the target answers everything else and nobody can see that it is
// well.
const (
	growth     = 1.25
	firstPause = time.Second //bound:none the shortest pause
	MaxPause   = time.Minute //bound:wait what may pass, until it is tried again
)

// For a few minutes what takes access away does not wait for so long as that.
const (
	hurriedPause = 4 * time.Second //bound:wait what takes access away and may pass, until it is tried again
	hurriedTries = 75              //bound:depth so often, which is five minutes
)

// What will not pass by itself, such as a value that the target refuses, is tried again after one
// minute, two, four … a day.
const (
	firstEscrow = time.Minute    //bound:none the shortest pause
	maxEscrow   = 24 * time.Hour //bound:wait an object that failed, until it is retried
)

// MayPass says whether a failure may be over soon, although nobody does anything about it: the
// target was not reached, did not answer or answered half, is throttled, has failed itself, or
// somebody else has answered.
func MayPass(err error) bool {
	var silent *scim.Unanswered
	var there *contradiction
	return errors.As(err, &silent) || errors.As(err, &there) || throttled(err) || uncertain(err) || misdirected(err)
}

// misdirected says that something is not found, in words that are not those of a SCIM service: a
// proxy in between knows nobody who answers, or the service is sparing of words.
func misdirected(err error) bool {
	var p *scim.Problem
	return isNotFound(err) && errors.As(err, &p) && p.Foreign
}

// uncertain says that nobody knows whether a request that changes something was carried out: its
// answer did not arrive, or says only that something has failed, or cannot be read. A refusal is an
// answer, and so is a 501: the target does not know how.
func uncertain(err error) bool {
	var silent *scim.Unanswered
	var p *scim.Problem
	switch {
	case errors.As(err, &silent):
		return silent.Sent
	case errors.As(err, &p):
		return p.Status == http.StatusRequestTimeout || p.Status/100 == 2 ||
			(p.Status >= http.StatusInternalServerError && p.Status != http.StatusNotImplemented)
	}
	return false
}

// isRefusal says that the target does not want what was sent, for a reason that is in it.
func isRefusal(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && p.Status/100 == 4 && (!MayPass(err) || misdirected(err)) && stops(err) == nil
}

// refuses is isRefusal for what has not been through the engine yet: credentials that are refused
// are no refusal of what was asked.
func refuses(err error) bool {
	p := new(CredentialsError)
	return isRefusal(err) && !errors.As(credentials(err), &p)
}

// Pause is how long to wait after something has failed that many times in a row, with some chance
// in it, so that not all who wait come at once. What may pass is tried again within a minute, and
// not before the target wants it.
func Pause(tries int, err error) time.Duration {
	doublings := min(max(tries, 1)-1, 20) // a bound, or the shift would become negative
	if !MayPass(err) {
		return min(firstEscrow<<doublings, maxEscrow)
	}
	pause := MaxPause
	if longer := math.Pow(growth, float64(max(tries, 1)-1)); longer < float64(MaxPause/firstPause) {
		pause = time.Duration(longer * float64(firstPause))
	}
	pause = pause*17/20 + rand.N(pause*3/20+1) //nolint:gosec // nothing is to be kept secret
	return max(pause, Asked(err))
}

// LongestPause is the longest that Pause may say where the target has asked for a time, or none, or
// that a doubt may last.
func LongestPause(tries int, asked time.Duration) time.Duration {
	return max(min(firstEscrow<<min(max(tries, 1)-1, 20), maxEscrow), MaxPause, lateness, asked)
}

// together is how much before its time something is tried once more in a cycle that begins anyway.
// Objects that failed at different moments would have a cycle each, as often as the shortest pause
// lets them, and a person who is tried brings the groups along.
const together = time.Second //bound:none of a comparison

// MayBeEarly says whether an object that is tried once more may be tried a moment before its time:
// not where somebody has asked for that time, nor where it is that of something else.
func (l Link) MayBeEarly() bool { return l.Failure != "" && l.Asked == 0 }

// failed says that the last attempt failed, or that what has failed is known to be in line only in
// part: a user without the manager, or a group without its members.
func (l Link) failed() bool { return l.Failure != "" || l.Tries > 0 }

// isBrief says that a target takes no more requests about something, and wants to be asked again in
// a moment: that is no limit which whoever asks before makes longer.
func isBrief(err error) bool {
	asked := LeftAlone(err)
	return asked > 0 && asked <= hurriedPause
}

// longestAsked bounds for how long a target is left alone.
const longestAsked = time.Hour //bound:wait a target that takes no more requests, and says until when

// LeftAlone is for how long a target takes no more requests, where it says so (429): that is a
// limit of its own, which whoever asks before may only make longer. Zero: it does not say, or means
// lists only.
func LeftAlone(err error) time.Duration {
	p := new(scim.Problem)
	if errors.As(err, new(*UnlistedError)) || !errors.As(err, &p) || p.Status != http.StatusTooManyRequests {
		return 0
	}
	return min(p.RetryAfter, longestAsked)
}

// Asked is for how long a target that has failed wants to be left alone: as long as it takes no
// more requests. When it is well again is only a guess (503), which counts for a minute at most:
// whoever says longer is often well much sooner, such as a proxy with the page of a maintenance.
func Asked(err error) time.Duration {
	if p := new(scim.Problem); errors.As(err, &p) {
		return max(LeftAlone(err), min(p.RetryAfter, MaxPause))
	}
	return 0
}

// silence ends a cycle: the target answers nothing any more.
type silence struct{ error }

// Unwrap returns the last of what it did not answer.
func (s *silence) Unwrap() error { return s.error }
