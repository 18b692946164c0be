package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
)

// kept has the settings of a walk with somebody who does what comes later, at a time from now.
func (w *walk) kept(t *testing.T, ahead time.Duration) connect.Config {
	t.Helper()
	at := atAWS(w.Pair, w.limits)
	at.Guide, at.Folder = keeper{w.operator}, w.folder
	at.HTTP = w.client
	c, err := aws.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := w.config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Center, cfg.Discover = c, c.Discover
	cfg.Now = func() time.Time { return time.Now().Add(ahead) }
	return cfg
}

// rotates observes a rotation and applies it.
func (w *walk) rotates(
	t *testing.T, observe func(context.Context, connect.Config, time.Duration) (*connect.Rotation, error),
	ahead, when time.Duration,
) (*connect.Rotation, error) {
	t.Helper()
	r, err := observe(t.Context(), w.kept(t, ahead), when)
	if err != nil {
		t.Fatal(err)
	}
	return r, r.Apply(t.Context(), func(int, bool) {})
}

// unsaved lets no token be saved at the tenant while it is on, or loses the answer.
type unsaved struct {
	next http.RoundTripper
	on   atomic.Bool
	lost atomic.Bool // the tenant has saved it all the same
}

var errNoAnswer = errors.New("no answer")

func (u *unsaved) RoundTrip(r *http.Request) (*http.Response, error) {
	put := r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/synchronization/secrets")
	switch {
	case put && u.lost.Load():
		res, err := u.next.RoundTrip(r)
		if err == nil {
			err = res.Body.Close()
		}
		return nil, errors.Join(errNoAnswer, err)
	case put && u.on.Load():
		return nil, errNoAnswer
	}
	return u.next.RoundTrip(r)
}

func newUnsaved(t *testing.T) (*walk, *unsaved) {
	t.Helper()
	w := newWalk(t)
	u := &unsaved{next: w.client.Transport}
	w.client = &http.Client{Transport: u}
	if _, _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, u
}

// TestATokenThatWasPastedAndNotSavedIsNotTheJobs: what the tenant has not saved has no part in when
// its token ends. The person deletes it before another is made, and never the one in use.
func TestATokenThatWasPastedAndNotSavedIsNotTheJobs(t *testing.T) {
	t.Parallel()
	w, u := newUnsaved(t)
	const due = 30 * 24 * time.Hour
	ahead := 340 * 24 * time.Hour
	before, err := connect.ObserveTokenRotation(t.Context(), w.kept(t, ahead), due)
	if err != nil || before.Pending() != 3 {
		t.Fatal(before, err)
	}
	u.on.Store(true)
	if _, err := w.rotates(t, connect.ObserveTokenRotation, ahead, due); !errors.Is(err, errNoAnswer) {
		t.Fatalf("it is saved: %v", err)
	}
	u.on.Store(false)
	after, err := connect.ObserveTokenRotation(t.Context(), w.kept(t, ahead), due)
	if err != nil || after.Ends != before.Ends || after.Pending() != 4 {
		t.Fatalf("the job's token ends %v, with %d steps; want %v, %v", after.Ends, after.Pending(), before.Ends, err)
	}
	h, err := connect.ObserveHealth(t.Context(), w.kept(t, 0))
	if err != nil || !slices.Contains(h.Expires, before.Ends) {
		t.Errorf("status says that %+v end, %v", h.Expires, err)
	}
	w.did = nil
	if err := after.Apply(t.Context(), func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Delete the newer access token", "Generate an access token", "Delete the older access token",
	}
	if !slices.Equal(w.did, want) {
		t.Errorf("the person did %q", w.did)
	}
	w.hasOneToken(t)
	if r, err := w.rotates(t, connect.ObserveTokenRotation, 0, due); err != nil || r.Ends == before.Ends {
		t.Errorf("the new token ends %v, %v", r.Ends, err)
	}
}

// hasOneToken fails unless AWS has one access token, which is the job's.
func (w *walk) hasOneToken(t *testing.T) {
	t.Helper()
	tenants, err := w.Admin.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := w.Admin.BearerTokens(t.Context(), tenants[0].TenantID)
	h, failed := connect.ObserveHealth(t.Context(), w.kept(t, 0))
	if err != nil || failed != nil || len(tokens) != 1 || h.Condition == connect.Broken {
		t.Errorf("AWS has %d tokens, and the connection is %+v, %v %v", len(tokens), h, err, failed)
	}
}

// TestTheTenantHasSavedATokenAfterAll: the answer was lost, so the newer token is the job's. Once
// that is seen, another is made at once.
func TestTheTenantHasSavedATokenAfterAll(t *testing.T) {
	t.Parallel()
	w, u := newUnsaved(t)
	u.lost.Store(true)
	if _, err := w.rotates(t, connect.ObserveTokenRotation, 0, 0); !errors.Is(err, errNoAnswer) {
		t.Fatalf("there was an answer: %v", err)
	}
	u.lost.Store(false)
	w.did = nil
	if _, err := w.rotates(t, connect.ObserveTokenRotation, 0, 30*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Delete the newer access token", "Generate an access token", "Delete the older access token",
	}
	if !slices.Equal(w.did, want) {
		t.Errorf("the person did %q", w.did)
	}
	w.hasOneToken(t)
}

// TestTheReplacedTokenIsNotForgotten: a run that ends before the old token is deleted leaves that
// to the next.
func TestTheReplacedTokenIsNotForgotten(t *testing.T) {
	t.Parallel()
	w, _ := newUnsaved(t)
	w.leaves = "Delete the older access token"
	if _, err := w.rotates(t, connect.ObserveTokenRotation, 0, 0); !errors.Is(err, errAway) {
		t.Fatalf("nobody went away: %v", err)
	}
	w.leaves, w.did = "", nil
	r, err := w.rotates(t, connect.ObserveTokenRotation, 0, 30*24*time.Hour)
	if err != nil || !slices.Equal(w.did, []string{"Delete the older access token"}) {
		t.Errorf("%d steps, the person did %q, %v", len(r.Steps), w.did, err)
	}
	w.hasOneToken(t)
}

// TestSettingsChangeAfterATokenWasNotSaved: the next connect has the person delete the newer one.
func TestSettingsChangeAfterATokenWasNotSaved(t *testing.T) {
	t.Parallel()
	w, u := newUnsaved(t)
	all := func() error {
		cfg := w.kept(t, 0)
		cfg.SyncAll = true
		plan, err := connect.Observe(t.Context(), cfg)
		if err == nil {
			err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
		}
		return err
	}
	u.on.Store(true)
	if err := all(); !errors.Is(err, errNoAnswer) {
		t.Fatalf("it is saved: %v", err)
	}
	u.on.Store(false)
	w.did = nil
	if err := all(); err != nil {
		t.Fatal(err)
	}
	want := []string{"Generate an access token", "Delete the older access token"}
	if !slices.Equal(w.did, want) || !strings.Contains(strings.Join(w.clicks, "\n"), "delete the newer one") {
		t.Errorf("the person did %q, told %q", w.did, w.clicks)
	}
	w.hasOneToken(t)
}

// TestNoTokenOfAFirstConnectStays: two runs end before the tenant has saved what the person
// brought. The third has the person delete the one that there was room beside.
func TestNoTokenOfAFirstConnectStays(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	u := &unsaved{next: w.client.Transport}
	w.client = &http.Client{Transport: u}
	connects := func() error {
		plan, err := connect.Observe(t.Context(), w.kept(t, 0))
		if err == nil {
			err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
		}
		return err
	}
	u.on.Store(true)
	for range 2 {
		if err := connects(); !errors.Is(err, errNoAnswer) {
			t.Fatalf("it is saved: %v", err)
		}
	}
	u.on.Store(false)
	if err := connects(); err != nil {
		t.Fatal(err)
	}
	if last := w.did[len(w.did)-1]; last != "Delete the older access token" {
		t.Errorf("the person did %q", w.did)
	}
	w.hasOneToken(t)
	if h, err := connect.ObserveHealth(t.Context(), w.kept(t, 0)); err != nil || len(h.Expires) != 2 {
		t.Errorf("a token and a certificate end, and status says %+v, %v", h.Expires, err)
	}
}

// TestStatusNamesATokenThatIsLeft: a run ended before the person had deleted the one that was
// replaced. repair has it deleted.
func TestStatusNamesATokenThatIsLeft(t *testing.T) {
	t.Parallel()
	w, _ := newUnsaved(t)
	w.leaves = "Delete the older access token"
	if _, err := w.rotates(t, connect.ObserveTokenRotation, 0, 0); !errors.Is(err, errAway) {
		t.Fatalf("nobody went away: %v", err)
	}
	w.leaves, w.did = "", nil
	left := func(f connect.Finding) bool { return f.Part == "Left access token" && f.Condition == connect.Drifted }
	h, err := connect.ObserveHealth(t.Context(), w.kept(t, 0))
	if err != nil || !slices.ContainsFunc(h.Findings, left) {
		t.Errorf("status says %+v, %v", h, err)
	}
	plan, err := connect.ObserveRepair(t.Context(), w.kept(t, 0))
	if err == nil {
		err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if err != nil || !slices.Equal(w.did, []string{"Delete the older access token"}) {
		t.Errorf("the person did %q, %v", w.did, err)
	}
	w.hasOneToken(t)
}

// TestATokenThatTheTenantHasAgainIsReplaced: a run ended before the person had deleted the one that
// it had replaced, and the tenant's backup, or somebody, brought that back. Its deletion shows it.
func TestATokenThatTheTenantHasAgainIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	sent := &savedLast{next: w.client.Transport}
	w.client = &http.Client{Transport: sent}
	if _, _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := sent.body
	w.leaves = "Delete the older access token"
	if _, err := w.rotates(t, connect.ObserveTokenRotation, 0, 0); !errors.Is(err, errAway) {
		t.Fatalf("nobody went away: %v", err)
	}
	w.Change(http.MethodPut, w.principal(t.Context())+"/synchronization/secrets", json.RawMessage(first), nil)
	w.leaves, w.did = "", nil
	plan, err := connect.ObserveRepair(t.Context(), w.kept(t, 0))
	if err == nil {
		err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	want := []string{
		"Delete the older access token", "Generate an access token", "Delete the older access token",
	}
	if err != nil || !slices.Equal(w.did, want) {
		t.Errorf("the person did %q, %v", w.did, err)
	}
	w.hasOneToken(t)
}

// TestThePersonIsToldWhichTokenGoes by the dates that the console shows, in the plan and at the
// click.
func TestThePersonIsToldWhichTokenGoes(t *testing.T) {
	t.Parallel()
	w, _ := newUnsaved(t)
	files, err := filepath.Glob(filepath.Join(w.folder, "d-*[0-9a-f].json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	var journal map[string]any
	if err := connect.ReadFile(files[0], &journal); err != nil {
		t.Fatal(err)
	}
	made := time.Now().UTC().Add(-20 * 24 * time.Hour)
	journal["token_made_at"] = made
	if err := connect.WriteFile(files[0], journal); err != nil {
		t.Fatal(err)
	}
	day := made.Format("2006-01-02 15:04 UTC")
	w.leaves, w.clicks = "Delete the older access token", nil
	r, err := w.rotates(t, connect.ObserveTokenRotation, 0, 0)
	if !errors.Is(err, errAway) || !strings.Contains(r.Steps[2].Detail, day) {
		t.Errorf("the plan says %+v, %v; want %s", r.Steps, err, day)
	}
	w.leaves, w.clicks = "", nil
	r, err = w.rotates(t, connect.ObserveTokenRotation, 0, 30*24*time.Hour)
	if err != nil || len(r.Steps) != 1 || !strings.Contains(r.Steps[0].Detail, day) {
		t.Errorf("the plan says %+v, %v; want %s", r.Steps, err, day)
	}
	told := strings.Join(w.clicks, "\n")
	if !strings.Contains(told, "select the older one, which was generated shortly before "+day) {
		t.Errorf("the person is told %s; want %s", told, day)
	}
}

// TestOfTwoTokensTheTenantsIsNamed: nobody knows whether another one that there may be is older.
func TestOfTwoTokensTheTenantsIsNamed(t *testing.T) {
	t.Parallel()
	w, _ := newUnsaved(t)
	w.clicks = nil
	if _, err := w.rotates(t, connect.ObserveTokenRotation, 0, 0); err != nil {
		t.Fatal(err)
	}
	told := strings.Join(w.clicks, "\n")
	if !strings.Contains(told, "delete the one first that is not of 20") || strings.Contains(told, "older one first") {
		t.Errorf("the person is told %s", told)
	}
}
