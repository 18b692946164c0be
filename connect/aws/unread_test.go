package aws_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
)

// escrowed is a tenant whose job has an object that AWS refuses.
type escrowed struct{ next http.RoundTripper }

func (e escrowed) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := e.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/synchronization/jobs/") {
		return res, err
	}
	var job map[string]any
	err = errors.Join(json.NewDecoder(res.Body).Decode(&job), res.Body.Close())
	if status, ok := job["status"].(map[string]any); ok {
		if last, ok := status["lastExecution"].(map[string]any); ok {
			last["countEscrowed"] = 1
		}
	}
	body, failed := json.Marshal(job)
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	return res, errors.Join(err, failed)
}

// TestAProofThatMayNotBeReadIsNoFailure: without AuditLog.Read.All or a license nobody names whom
// AWS has refused. The rest is proved all the same.
func TestAProofThatMayNotBeReadIsNoFailure(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	w.settle = 0
	e.next = escrowed{e.next}
	e.denied = func(_, path string) bool { return strings.HasSuffix(path, "/auditLogs/provisioning") }
	for range 2 {
		result, _, err := w.run(t.Context())
		var text strings.Builder
		result.Print(&text, 0)
		if err != nil || len(result.Open) != 1 || !strings.Contains(result.Open[0], "1 object was not provisioned") ||
			!strings.Contains(text.String(), "A real sign-in") {
			t.Fatalf("%q, %v\n%s", result.Open, err, text.String())
		}
	}
}

// TestTheFirstSnapshotIsNamedUntilUndo: a run that completes another does not name what it has
// found half done, and a run that fails has named the file before.
func TestTheFirstSnapshotIsNamedUntilUndo(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	files := t.TempDir()
	run := func(name string) (said string, err error) {
		t.Helper()
		cfg := w.kept(t, 0)
		cfg.SnapshotFile = filepath.Join(files, name)
		plan, err := connect.Observe(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err = plan.Apply(t.Context(), connect.Confirmation, plan.StepPrinter(&out))
		if err == nil {
			var result connect.Result
			if result, err = plan.Verify(t.Context(), func(int, int) {}); result.Snapshot != "" {
				result.PrintUnproved(&out)
			}
		}
		return out.String(), err
	}
	first := "What was there before is in " + filepath.Join(files, "first")
	w.leaves = "Change the identity source"
	if said, err := run("first"); !errors.Is(err, errAway) || !strings.HasPrefix(said, first) {
		t.Errorf("a run that fails said %q, %v", said, err)
	}
	w.leaves = ""
	if said, err := run("second"); err != nil || strings.Count(said, first) != 2 ||
		!strings.Contains(said, "before this run is in "+filepath.Join(files, "second")) {
		t.Errorf("the run that completes it said %q, %v", said, err)
	}
	undo, err := connect.ObserveUndo(t.Context(), w.kept(t, 0), connect.UndoOptions{})
	if err != nil || !strings.Contains(strings.Join(undo.Notes, "\n"), filepath.Join(files, "first")) {
		t.Fatalf("undo says %q, %v", undo.Notes, err)
	}
	if err := undo.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	w.late, w.patience = true, time.Millisecond
	if said, err := run("third"); err != nil || !strings.Contains(said, "before is in "+filepath.Join(files, "third")) {
		t.Errorf("connected again, it said %q, %v", said, err)
	}
}
