package provisioning_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// TestALongBatchIsDoubtedFromItsEnd: a process died minutes after it had begun a batch, at a target
// that throttles, and the newcomer whom it had just sent has left meanwhile. The target carries the
// creation out when it was looked for once already: it is looked for once more, and found.
func TestALongBatchIsDoubtedFromItsEnd(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d := newDirectory(user("ada"), user("eve"))
	active(eve, false)(d)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	keys := map[string]string{"externalId": "eve", "userName": "eve@example.com"}
	err := m.Begin(t.Context(), provisioning.Batch{
		ID: "b", Began: now.Add(-10 * time.Minute), Intents: []provisioning.Intent{{Ref: eve, Keys: keys}},
	})
	if err != nil {
		t.Fatal(err)
	}
	x.sound(t, d, m, &now)
	late := centertest.Person("eve@example.com")
	late.ExternalID = "eve"
	if _, err := x.center.CreateUser(t.Context(), centertest.Actor, late); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	x.sound(t, d, m, &now)
	x.want(t, "ada*", "eve")
}

// TestWhatABatchLeftBehindIsUnknownSinceItBegan: the process that begins an hour later does not
// say that both sides may differ since then only.
func TestWhatABatchLeftBehindIsUnknownSinceItBegan(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	began := time.Now().Add(-time.Hour)
	err := m.Begin(t.Context(), provisioning.Batch{ID: "b", Began: began, Intents: []provisioning.Intent{{Ref: eve}}})
	if err != nil {
		t.Fatal(err)
	}
	x.misbehave(func(_ int, _ *http.Request, w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusNotImplemented)
		return true
	})
	if _, err := x.sync(t, newDirectory(user("eve")), m, nil); err == nil {
		t.Error("a target that does not know how lets a cycle be done")
	}
	if link := m.link(eve); !link.Since.Equal(began) || link.Doubt == nil {
		t.Errorf("in doubt since %s: %+v", link.Since, link)
	}
}

// TestWhoCannotBeMatchedFails: somebody without a value to be matched by is not at the target, and
// that is no success.
func TestWhoCannotBeMatchedFails(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	nameless := user("eve")
	nameless.directory["userPrincipalName"] = ""
	d := newDirectory(user("ada"), nameless)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	result, err := x.mortal(t, d, m, &now)
	if err != nil || result.Failed != 1 || result.RetryAt.IsZero() {
		t.Errorf("%+v, %v", result, err)
	}
	editing(eve, func(e *entry) { e.directory["userPrincipalName"] = "eve@example.com" })(d)
	now = now.Add(2 * time.Minute)
	x.sound(t, d, m, &now)
	x.want(t, "ada*", "eve*")
}
