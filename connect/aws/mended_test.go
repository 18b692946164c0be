package aws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/graph"
)

// principal is the path of a walk's application.
func (w *walk) principal(ctx context.Context) string {
	w.T.Helper()
	apps, err := graph.All[graph.ServicePrincipal](ctx, w.Client, "/servicePrincipals")
	if err != nil || len(apps) != 1 {
		w.T.Fatal(apps, err)
	}
	return "/servicePrincipals/" + apps[0].ID
}

// TestARepairOfAWSIsProved: who was provisioned is read back from AWS.
func TestARepairOfAWSIsProved(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := t.Context()
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	w.Change(http.MethodPatch, w.principal(ctx), map[string]any{"loginUrl": "https://elsewhere.example"}, nil)
	plan, err := connect.ObserveRepair(ctx, w.undoing(ctx))
	if err != nil || plan.Pending() != 1 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	result, err := plan.Verify(ctx, func(int, int) {})
	if err != nil || result.Users == 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestARepairThatChangesTheSourceIsAsCareful as connect is: people, a snapshot, and nobody locks
// himself out.
func TestARepairThatChangesTheSourceIsAsCareful(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := t.Context()
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	w.folder = t.TempDir() // another machine
	repair := func(allow bool) (*connect.Plan, error) {
		cfg := w.undoing(ctx)
		discover := cfg.Discover
		cfg.Discover = func(ctx context.Context, progress func(done, total int)) (connect.Snapshot, error) {
			s, err := discover(ctx, progress)
			s.Caller = "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me"
			return s, err
		}
		cfg.AllowLockout = allow
		cfg.SnapshotFile = filepath.Join(w.folder, "before.json")
		plan, err := connect.ObserveRepair(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return plan, plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	}
	w.did = nil
	plan, err := repair(false)
	if !errors.Is(err, connect.ErrLockout) || plan.People == nil || len(w.did) > 0 {
		t.Errorf("it goes on: %v, people %v, %q", err, plan.People, w.did)
	}
	if _, err := repair(true); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(w.folder, "before.json")); err != nil {
		t.Errorf("no snapshot: %v", err)
	}
}

// TestOnlyARefusalSaysThatATokenDoesNotWork: what may not be asked is no reason for another token.
func TestOnlyARefusalSaysThatATokenDoesNotWork(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	ctx := t.Context()
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	e.denied = func(_, path string) bool { return strings.HasSuffix(path, "/validateCredentials") }
	h, err := connect.ObserveHealth(ctx, w.undoing(ctx))
	if err != nil || h.Condition == connect.Broken || len(h.Unread) != 1 || h.Unread[0].Part != "Test Connection" {
		t.Errorf("it is %+v, %v", h, err)
	}
	if plan, err := connect.ObserveRepair(ctx, w.undoing(ctx)); err == nil {
		t.Errorf("there is something to repair: %+v", plan.Steps)
	}
	e.denied = nil
	var saved graph.Secrets
	secrets := w.principal(ctx) + "/synchronization/secrets"
	w.Change(http.MethodGet, secrets, nil, &saved)
	address := ""
	for _, kv := range saved.Value {
		if kv.Key == graph.KeyBaseAddress {
			address = kv.Value
		}
	}
	w.Change(http.MethodPut, secrets, graph.Secrets{Value: []graph.KeyValue{
		{Key: graph.KeyBaseAddress, Value: strings.TrimRight(address, "/") + "/"},
	}}, nil)
	h, err = connect.ObserveHealth(ctx, w.undoing(ctx))
	if err != nil || h.Condition == connect.Broken {
		t.Errorf("with a slash it is %+v, %v", h, err)
	}
	at, is := w.undoing(ctx).Center.(*aws.Center)
	if !is {
		t.Fatal("the center is not AWS's")
	}
	if known, err := at.LearnEndpoint(address + "?aadOptscim062020"); err != nil ||
		known.ScimEndpoint != strings.TrimRight(address, "/") {
		t.Errorf("with a feature flag it is %+v, %v", known, err)
	}
	undo, err := connect.ObserveUndo(ctx, w.undoing(ctx), connect.UndoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range undo.Steps {
		if s.Title == "Automatic provisioning in the center" && s.Done {
			t.Errorf("with a slash undo leaves it: %+v", s)
		}
	}
}

// savedLast keeps what was sent last to be saved for a job.
type savedLast struct {
	next http.RoundTripper
	mu   sync.Mutex
	body string
}

func (s *savedLast) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/synchronization/secrets") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.body = string(body)
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.next.RoundTrip(r)
}

// TestWhatAJobHasSavedStays: the protection against accidental deletions, and what else there is
// beside endpoint and token, is sent along, since a PUT replaces the whole list.
func TestWhatAJobHasSavedStays(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := t.Context()
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	sent := &savedLast{next: w.client.Transport}
	w.client = &http.Client{Transport: sent}
	w.Change(http.MethodPut, w.principal(ctx)+"/synchronization/secrets", graph.Secrets{Value: []graph.KeyValue{
		{Key: graph.KeySkipOutOfScope, Value: "True"},
		{Key: graph.KeyNotification, Value: `{"DeleteThresholdEnabled":true,"DeleteThresholdValue":5}`},
	}}, nil)
	want := func(words ...string) {
		t.Helper()
		for _, part := range append(words, `SkipOutOfScopeDeletions`, `\"DeleteThresholdEnabled\":true`,
			`\"DeleteThresholdValue\":5`, `"SyncAll"`) {
			if !strings.Contains(sent.body, part) {
				t.Errorf("%s is not among what is saved: %s", part, sent.body)
			}
		}
		if strings.Contains(sent.body, `"*"`) {
			t.Errorf("a mask is saved: %s", sent.body)
		}
	}
	cfg := w.undoing(ctx)
	cfg.Email = "ops@northwind.example"
	plan, err := connect.Observe(ctx, cfg)
	if err == nil {
		err = plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	want(`ops@northwind.example`)
	r, err := connect.ObserveTokenRotation(ctx, w.undoing(ctx), 0)
	if err == nil {
		err = r.Apply(ctx, func(int, bool) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	want(`ops@northwind.example`)
}
