package authn_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
)

// TestALockoutOfAClockThatWasAheadIsOver: somebody has tried wrong passwords while a clock was a
// year ahead, and nobody is kept out until then. The clocks of nodes may be apart.
func TestALockoutOfAClockThatWasAheadIsOver(t *testing.T) {
	now := time.Now()
	for _, x := range []struct {
		ahead  time.Duration
		locked bool
	}{{0, true}, {time.Hour, true}, {23 * time.Hour, true}, {365 * 24 * time.Hour, false}, {-time.Hour, false}} {
		var l authn.Lockout
		for range 20 {
			l = l.Failed(now.Add(x.ahead))
		}
		if l.Locked(now) != x.locked {
			t.Errorf("by a clock that was %s ahead: locked %t", x.ahead, !x.locked)
		}
	}
}
