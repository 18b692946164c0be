package provisioning_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestWhatMayPassIsTriedAgainWithinAMinute: what the target has refused waits longer each time, up
// to a day; everything else comes back within a minute, however often it has failed.
func TestWhatMayPassIsTriedAgainWithinAMinute(t *testing.T) {
	t.Parallel()
	status := func(code int) error { return fmt.Errorf("send: %w", &scim.Problem{Status: code}) }
	for what, x := range map[string]struct {
		err    error
		passes bool
	}{
		"refused":     {ask(t, "http://"+closed(t)), true},
		"cut":         {ask(t, cutting(t)), true},
		"throttled":   {status(429), true},
		"failed":      {status(500), true},
		"gateway":     {status(504), true},
		"bad request": {status(400), false},
		"conflict":    {status(409), false},
		"no idea":     {status(501), false},
		"redirect":    {status(302), false},
	} {
		if provisioning.MayPass(x.err) != x.passes {
			t.Errorf("%s: may pass is not %v: %v", what, x.passes, x.err)
		}
		longest := 24 * time.Hour
		if x.passes {
			longest = time.Minute
		}
		before := time.Duration(0)
		for tries := 1; tries < 100; tries++ {
			pause := provisioning.Pause(tries, x.err)
			if pause <= 0 || pause > longest || (tries < 5 && pause < before) {
				t.Fatalf("%s: after %d failures %s", what, tries, pause)
			}
			before = pause
		}
		if before < longest*3/4 {
			t.Errorf("%s: in the end %s, not about %s", what, before, longest)
		}
	}
	asked := provisioning.Pause(1, &scim.Problem{Status: 503, RetryAfter: 20 * time.Second})
	if greedy := provisioning.Pause(1, &scim.Problem{Status: 503, RetryAfter: time.Hour}); asked != 20*time.Second ||
		greedy != time.Minute {
		t.Errorf("the target asks for 20 s and an hour, and gets %s and %s", asked, greedy)
	}
	for retry, want := range map[time.Duration]time.Duration{
		2 * time.Minute: 2 * time.Minute, 48 * time.Hour: time.Hour,
	} {
		if got := provisioning.Pause(1, &scim.Problem{Status: 429, RetryAfter: retry}); got != want {
			t.Errorf("the target takes no more for %s, and is left alone for %s", retry, got)
		}
	}
}

func ask(t *testing.T, url string) error {
	t.Helper()
	return (&scim.Client{BaseURL: url}).Delete(context.Background(), "/Users/1")
}

// closed is an address that nobody listens at.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // that nobody listens is what it is for
	return l.Addr().String()
}

// cutting is the address of a server that cuts each connection instead of answering.
func cutting(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { cut(w) }))
	t.Cleanup(s.Close)
	return s.URL
}

// cut closes the connection of a request without an answer.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
