package syncjobs_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
)

// TestACycleThatFailsIsTriedAgainSoon: an outage of some minutes, in which nothing tells when it is
// over, keeps a leaver for seconds only after its end. A longer one is tried ever less often.
func TestACycleThatFailsIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	var failing syncjobs.Streak
	tries := 0
	for since := time.Duration(0); since < time.Hour; tries++ {
		pause := failing.Next()
		if since < 4*time.Minute && pause > 4400*time.Millisecond {
			t.Errorf("after %s the next try comes after %s", since, pause)
		}
		if since > 20*time.Minute && pause < 50*time.Second {
			t.Errorf("after %s the next try comes after %s already", since, pause)
		}
		since += pause
	}
	if tries > 160 {
		t.Errorf("an hour has %d tries", tries)
	}
}
