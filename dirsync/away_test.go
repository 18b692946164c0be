package dirsync

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// way is a way to a service that fails as a test wants it to.
type way struct {
	mu   sync.Mutex
	fail func(*http.Request) (*http.Response, error) // nil, or no answer and no error: it does not
}

func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	return through(http.DefaultTransport, w).RoundTrip(r)
}

func (w *way) set(fail func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = fail
}

func answered(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

var errGone = errors.New("no route to host")

func away(*http.Request) (*http.Response, error) { return nil, errGone }

// failing fails what changes something.
func failing(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return nil, nil //nolint:nilnil // it does not fail
	}
	return answered(http.StatusInternalServerError, ""), nil
}

// active says whether somebody may sign in at the target.
func (x target) active(t *testing.T, name string) bool {
	t.Helper()
	u, err := x.center.UserByName(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return u.Active
}

func (from source) disable(t *testing.T, id tenant.UserID) {
	t.Helper()
	if _, err := from.UpdateUser(ctx, tenanttest.Actor, id, func(u *tenant.User) { u.Enabled = false }); err != nil {
		t.Fatal(err)
	}
}

// TestALeaverDoesNotWaitForTheSource: who left was read, and the target could not be told so. When
// it is well again the source is away, also while the sync is started anew: the leaver loses access
// all the same, and the cycle fails. It compares nothing, since nobody knows what has changed.
func TestALeaverDoesNotWaitForTheSource(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, scim := byWays(t, from, to)
	config.Groups, config.Nested = []string{"Engineering", "Art"}, true
	cycle(t, config, false)
	from.disable(t, "u2")
	scim.set(failing)
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Cycle(ctx, false); err != nil || r.Failed != 1 || !to.active(t, "bob@example.com") {
		t.Fatalf("%+v, %v", r, err)
	}
	scim.set(nil)
	graph.set(away)
	to.spoil(t, "ada@example.com")
	if s, err = Open(ctx, config); err != nil {
		t.Fatal(err)
	}
	r, err := s.Cycle(ctx, true)
	if !errors.Is(err, errGone) || r.Disabled != 1 || r.Compared || to.active(t, "bob@example.com") {
		t.Errorf("%+v, %v", r, err)
	}
	if got := to.title(t, "ada@example.com"); got != "Intruder" {
		t.Errorf("the title is %q: something was compared", got)
	}
	if _, err := s.Preview(ctx, false); !errors.Is(err, errGone) {
		t.Errorf("a dry run says nothing of the source: %v", err)
	}
	other := config
	other.Groups = []string{"Platform"}
	if _, err := Open(ctx, other); !errors.Is(err, errGone) {
		t.Errorf("a group that was never followed is not looked for: %v", err)
	}
	graph.set(nil)
	if r := cycle(t, config, true); r.Updated != 1 {
		t.Errorf("the repair reports %+v", r)
	}
}

// TestALeaverDoesNotWaitForATargetThatOnlyAnswers: it answers whatever it is asked, and takes no
// changes. While the next cycle is far away, one removal is sent every few seconds, once; when it
// is taken, the rest follows.
func TestALeaverDoesNotWaitForATargetThatOnlyAnswers(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, _, scim := byWays(t, from, to)
	cycle(t, config, false)
	sent := 0
	scim.set(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			sent++
		}
		return failing(r)
	})
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if s.scout(ctx) || sent > 0 {
		t.Errorf("nobody has left, and %d changes were sent", sent)
	}
	from.disable(t, "u2")
	setTitle(t, from, "u1", "Wizard")
	if r, _ := s.Cycle(ctx, false); r.Failed == 0 { // or the target has failed as a whole
		t.Fatalf("%+v", r)
	}
	if sent = 0; s.scout(ctx) || sent != 1 || !to.active(t, "bob@example.com") {
		t.Errorf("%d changes were sent, or one was taken", sent)
	}
	scim.set(nil)
	if !s.scout(ctx) || to.active(t, "bob@example.com") || to.title(t, "ada@example.com") == "Wizard" {
		t.Error("the leaver is not disabled, or more was sent")
	}
	synctest.Test(t, func(t *testing.T) {
		w, scouts := &waiting{silentAt: time.Now()}, 0
		began := time.Now()
		w.wait(t.Context(), time.Minute, nil, 0, func(context.Context) bool {
			scouts++
			return scouts == 3
		})
		if took := time.Since(began); took > 10*time.Second || w.retry != syncjobs.RetryPassing {
			t.Errorf("the next cycle comes after %s, and tries %v", took, w.retry)
		}
	})
}

// byWays is a sync between a source and a target, on ways to each that a test can break.
func byWays(t *testing.T, from source, to target) (config Config, graph, scim *way) {
	graph, scim = &way{}, &way{}
	config = between(from, to, newTenant(t, t.TempDir()))
	config.Source.HTTP.Transport = through(config.Source.HTTP.Transport, graph)
	config.HTTP = &http.Client{Transport: scim}
	return config, graph, scim
}

// through is a transport that adds a token, on another way.
func through(tokens http.RoundTripper, w *way) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		w.mu.Lock()
		fail := w.fail
		w.mu.Unlock()
		if fail != nil {
			if answer, err := fail(r); answer != nil || err != nil {
				return answer, err
			}
		}
		return tokens.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestASourceThatAsksToWaitKeepsNobodyWaiting: the source asks to be left alone for minutes. A
// leaver whom the target could not be told of meanwhile loses access, and the source is left alone.
func TestASourceThatAsksToWaitKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, scim := byWays(t, from, to)
	cycle(t, config, false)
	from.disable(t, "u2")
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	s.patience = time.Millisecond
	running, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	scim.set(failing)
	var asked int
	s.Run(running, Pace{Every: time.Millisecond}, func(r Report, err error) {
		switch {
		case r.Failed > 0 && err == nil: // he was read
			graph.set(func(*http.Request) (*http.Response, error) {
				asked++
				return answered(http.StatusTooManyRequests, "", "Retry-After", "200"), nil
			})
			scim.set(nil)
		case r.Disabled > 0:
			if stop(); err == nil {
				t.Error("the cycle says that the source was read")
			}
		}
	})
	if to.active(t, "bob@example.com") || asked != 1 {
		t.Errorf("bob is active: %v; the source was asked %d times", to.active(t, "bob@example.com"), asked)
	}
}

// TestAFollowedGroupThatIsGone: one of the groups that are followed was deleted at the source. Its
// members lose what they had by it, all else goes on, and it is said once. While the source does
// not say so itself, it is not gone.
func TestAFollowedGroupThatIsGone(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	graph := &way{}
	config := between(from, to, newTenant(t, t.TempDir()))
	config.Source.HTTP.Transport = through(config.Source.HTTP.Transport, graph)
	config.Groups = []string{"Engineering", "Art"}
	cycle(t, config, false)
	if err := from.DeleteGroup(ctx, audit.SystemActor, "g3"); err != nil {
		t.Fatal(err)
	}
	setTitle(t, from, "u1", "Wizard")
	graph.set(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/groups/g3") {
			return answered(http.StatusForbidden, `{"error":{"code":"Authorization_RequestDenied"}}`), nil
		}
		return nil, nil //nolint:nilnil // it does not fail
	})
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cycle(ctx, false); err == nil || !strings.Contains(err.Error(), `look for the group "Art"`) ||
		!to.active(t, "bob@example.com") {
		t.Errorf("what cannot be read: %v", err)
	}
	graph.set(nil)
	r, err := s.Cycle(ctx, false)
	if e := changes(t, r, "Art"); err != nil || e.Code != "FollowedGroupGone" || r.Disabled != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if to.active(t, "bob@example.com") || to.title(t, "ada@example.com") != "Wizard" {
		t.Error("the rest does not go on")
	}
	if r, err := s.Cycle(ctx, false); err != nil || len(r.Objects) > 0 {
		t.Errorf("it is said again: %+v, %v", r, err)
	}
	if r := cycle(t, config, false); len(r.Objects) != 1 {
		t.Errorf("the next process does not say it: %+v", r)
	}
}
