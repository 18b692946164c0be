package scim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// service answers requests after a while, or never (forever). The cheapest request has a time of
// its own.
type service struct {
	changes, question func(n int) time.Duration
	changed, asked    atomic.Int64
	body              io.Reader // of the answer to a change; nil: none
}

const forever = -1 * time.Second

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	takes, n := s.changes, s.changed.Add
	if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
		takes, n = s.question, s.asked.Add
	}
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	var done <-chan time.Time
	if wait := takes(int(n(1))); wait != forever {
		done = time.After(wait)
	}
	select {
	case <-done:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	body := io.Reader(strings.NewReader(""))
	if s.body != nil {
		body = s.body
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: io.NopCloser(body)}, nil
}

func always(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

// TestARequestThatIsLostIsGivenUp: it waits on a dead connection, or at a dead node, while the
// service answers others. It is not given up where nobody is answered.
func TestARequestThatIsLostIsGivenUp(t *testing.T) {
	t.Parallel()
	backAfterThree := func(n int) time.Duration {
		if n < 3 {
			return forever
		}
		return 0
	}
	for name, x := range map[string]struct {
		changes, question func(n int) time.Duration
		lost              bool
		takes             time.Duration
	}{
		"the service is well":               {always(time.Second), always(0), false, time.Second},
		"the connection is dead":            {always(forever), always(0), true, 5 * time.Second},
		"the service is away for a while":   {always(forever), backAfterThree, true, 15 * time.Second},
		"nobody is answered":                {always(forever), always(forever), false, time.Minute},
		"everybody waits for half a minute": {always(30 * time.Second), always(forever), false, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				there := &service{changes: x.changes, question: x.question}
				client := &scim.Client{
					BaseURL: "http://scim.example/v2", HTTP: &http.Client{Transport: there, Timeout: time.Minute},
					Patience: &scim.Patience{},
				}
				began := time.Now()
				err := client.Delete(t.Context(), "/Users/1")
				if took := time.Since(began); took != x.takes {
					t.Errorf("it took %s", took)
				}
				none := new(scim.Unanswered)
				var network net.Error
				switch {
				case x.lost && (!errors.As(err, &none) || !none.Sent || errors.Is(err, context.Canceled)):
					t.Errorf("it ends with %v", err) // the outcome is not known, and nobody has ended it
				case x.lost && errors.As(err, &network) && network.Timeout():
					t.Errorf("it ends with a timeout, which nobody tries again soon: %v", err)
				case !x.lost && x.takes < time.Minute && err != nil:
					t.Error(err)
				}
				if n := there.asked.Load(); n > 30 {
					t.Errorf("the service was asked %d times whether it answers", n)
				}
			})
		})
	}
}

// TestASlowServiceIsWaitedFor: it answers the question at once, and needs long for a change. After
// some that are given up, it is waited for, by all clients and for as long as it is slow.
func TestASlowServiceIsWaitedFor(t *testing.T) {
	t.Parallel()
	for takes, want := range map[time.Duration]int{
		4 * time.Second: 0, 8 * time.Second: 1, 12 * time.Second: 2, 50 * time.Second: 4,
	} {
		synctest.Test(t, func(t *testing.T) {
			slow, shared := &service{changes: always(takes), question: always(0)}, &scim.Patience{}
			lost := 0
			for range 100 {
				client := &scim.Client{
					BaseURL: "http://scim.example/v2", HTTP: &http.Client{Transport: slow}, Patience: shared,
				}
				if err := client.Delete(t.Context(), "/Users/1"); errors.Is(err, scim.ErrLost) {
					lost++
				} else if err != nil {
					t.Error(err)
				}
			}
			if lost != want {
				t.Errorf("%d of 100 requests that take %s were given up", lost, takes)
			}
		})
	}
}

// drips is an answer that comes in pieces, each after a while.
type drips struct {
	each time.Duration
	left int
}

func (d *drips) Read(data []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	d.left--
	time.Sleep(d.each)
	return copy(data, " "), nil
}

// TestAnAnswerThatIsArrivingIsWaitedFor: it is long, and the way is slow.
func TestAnAnswerThatIsArrivingIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there := &service{changes: always(0), question: always(0), body: &drips{each: 2 * time.Second, left: 20}}
		client := &scim.Client{
			BaseURL: "http://scim.example/v2", HTTP: &http.Client{Transport: there}, Patience: &scim.Patience{},
		}
		if err := client.Delete(t.Context(), "/Users/1"); err != nil {
			t.Error(err)
		}
	})
}

// TestASlowCreationMakesNobodyWait: it is waited for, and says nothing of how long a change takes.
func TestASlowCreationMakesNobodyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there := &service{changes: always(40 * time.Second), question: always(0)}
		client := &scim.Client{
			BaseURL: "http://scim.example/v2", HTTP: &http.Client{Transport: there}, Patience: &scim.Patience{},
		}
		if _, err := client.Create(t.Context(), "/Users", scim.Resource{}); err != nil {
			t.Error(err)
		}
		there.changes = always(forever)
		began := time.Now()
		err := client.Delete(t.Context(), "/Users/1")
		if took := time.Since(began); !errors.Is(err, scim.ErrLost) || took != 5*time.Second {
			t.Errorf("a change on a dead connection: %v after %s", err, took)
		}
	})
}
