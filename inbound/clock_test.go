package inbound

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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

// TestAJumpOfTheClockIsTold in the log and at ReadyPath, for an hour, and a drift is not. While the
// clock says a time before any, the program is not ready.
func TestAJumpOfTheClockIsTold(t *testing.T) {
	t.Parallel()
	right := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		name, says string
		step       time.Duration
		unset      bool
	}{
		{"a drift", "", 59 * time.Second, false},
		{"ahead", "ahead, or the machine was asleep, by 5h0m0s", 5 * time.Hour, false},
		{"back", "back, by 5h0m0s", -5 * time.Hour, false},
		{"to before any time", "back, by ", time.Unix(0, 0).Sub(right), true},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			log := slog.New(slog.NewTextHandler(&said, nil))
			h := &Health{Look: func(context.Context) map[string]error { return map[string]error{"database": nil} }}
			c := &Clock{}
			look := func(ran, ahead time.Duration) string {
				c.look(t.Context(), log, right.Add(ran+ahead), ran)
				body := bytes.Buffer{}
				found := h.lookAt(t.Context(), c)
				for _, name := range slices.Sorted(maps.Keys(found)) {
					fmt.Fprintln(&body, name, fine(found[name]), found[name])
				}
				return body.String()
			}
			before := look(0, 0)
			at := look(time.Second, x.step)
			says := x.says
			if x.unset {
				says = "clock false the clock of this machine says 1970-01-01 00:00:01"
			}
			if strings.Contains(before, "went") || !strings.Contains(at, says) || says == "" && at != before {
				t.Errorf("before the jump it says %s, and at it %s", before, at)
			}
			if told := strings.Contains(said.String(), x.says) && said.Len() > 0; told != (x.says != "") {
				t.Errorf("the log has %s", &said)
			}
			if ready := !strings.Contains(at, "false"); ready == x.unset {
				t.Errorf("at the jump: %s", at)
			}
			if strings.Contains(at, "database") == x.unset {
				t.Errorf("by a clock that is not set, the database is looked at: %s", at)
			}
			if later := look(2*time.Hour, x.step); !x.unset && later != before {
				t.Errorf("after two hours: %s", later)
			}
			if back := look(2*time.Hour+time.Second, 0); strings.Contains(back, "false") {
				t.Errorf("the clock is back: %s", back)
			}
		})
	}
}
