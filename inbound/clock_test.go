package inbound

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestAStartWaitsForTheClock of a machine that begins in 1970, for a minute, and refuses then.
func TestAStartWaitsForTheClock(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name  string
		sets  time.Duration // after how long the clock is set; negative: never
		waits time.Duration
		fails bool
	}{
		{"set", 0, 0, false}, {"set late", 20 * time.Second, 20 * time.Second, false},
		{"never set", -1, time.Minute, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			var waited time.Duration
			now := func() time.Time {
				if x.sets >= 0 && waited >= x.sets {
					return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
				}
				return time.Unix(0, 0).Add(waited)
			}
			log := slog.New(slog.NewTextHandler(&said, nil))
			err := awaitClock(log, now, func(d time.Duration) { waited += d })
			if (err != nil) != x.fails || waited != x.waits || (said.Len() > 0) != (x.waits > 0) {
				t.Errorf("%v, after %s; the log has %s", err, waited, &said)
			}
			if err != nil && !strings.Contains(err.Error(), "1970-01-01 00:01:00") {
				t.Errorf("it says %v", err)
			}
		})
	}
}
