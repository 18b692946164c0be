package syncjobs_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
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

// TestATargetIsLeftAloneForAsLongAsItTakesNothing: that is its own limit. When a target is well
// again that is not there is a guess, and a list that it does not give concerns nobody else.
func TestATargetIsLeftAloneForAsLongAsItTakesNothing(t *testing.T) {
	t.Parallel()
	limited := &scim.Problem{Status: http.StatusTooManyRequests, RetryAfter: 10 * time.Minute}
	away := &scim.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 10 * time.Minute}
	for name, c := range map[string]struct {
		err     error
		atLeast time.Duration
		atMost  time.Duration
	}{
		"it takes no more":          {limited, 10 * time.Minute, 10 * time.Minute},
		"the same, with others":     {errors.Join(errors.New("x"), limited), 10 * time.Minute, 10 * time.Minute},
		"it is away":                {away, time.Minute, time.Minute},
		"it takes no more of lists": {&provisioning.UnlistedError{Err: limited}, time.Minute, time.Minute},
	} {
		var failing syncjobs.Streak
		if pause, _ := failing.After(c.err); pause < c.atLeast || pause > c.atMost {
			t.Errorf("%s: the next try comes after %s", name, pause)
		}
	}
}

// transport answers requests within the process.
type transport func(*http.Request) *http.Response

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r), nil }

// TestAProbeHonorsWhatATargetAsks: one that takes no more requests for ten minutes is not probed
// meanwhile; one that is away is.
func TestAProbeHonorsWhatATargetAsks(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct{ least, most int }{
		http.StatusTooManyRequests:    {2, 5},
		http.StatusServiceUnavailable: {700, 1200},
	} {
		synctest.Test(t, func(t *testing.T) {
			whole, asked := time.Now().Add(30*time.Minute), 0
			client := &scim.Client{BaseURL: "http://127.0.0.1", HTTP: &http.Client{
				Transport: transport(func(*http.Request) *http.Response {
					asked++
					out := &http.Response{
						StatusCode: status, Header: http.Header{"Retry-After": {"600"}},
						Body: io.NopCloser(strings.NewReader("{}")),
					}
					if !time.Now().Before(whole) {
						out.StatusCode = http.StatusOK
					}
					return out
				}),
			}}
			if err := syncjobs.Probe(t.Context(), client, func() {}); err != nil {
				t.Fatal(err)
			}
			if asked < c.least || asked > c.most {
				t.Errorf("%d: it was probed %d times in half an hour", status, asked)
			}
		})
	}
}
