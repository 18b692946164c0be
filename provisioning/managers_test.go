package provisioning_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// TestARefusedManagerIsTriedLessAndLess: the target refuses to write somebody's manager. It is
// asked again after one minute, two, four …, as for any other refusal; what fails after a success
// has failed once.
func TestARefusedManagerIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d := newDirectory(user("ada"), user("bob"))
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cycle := func() provisioning.Result {
		t.Helper()
		result, err := x.mortal(t, d, m, &now)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	cycle()
	refusing := true
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		sent, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
		if !refusing || r.Method != http.MethodPatch || !bytes.Contains(sent, []byte("manager")) {
			return false
		}
		w.Header().Set("Content-Type", "application/scim+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","detail":"no"}`)
		return true
	})
	d.edit(ada, func(e *entry) { e.Manager = "bob" })
	for i, want := range []time.Duration{1, 2, 4, 8, 16} {
		result := cycle()
		if got := result.RetryAt.Sub(now).Round(time.Minute); result.Failed != 1 || got != want*time.Minute {
			t.Fatalf("failure %d: %d failed, the next try is in %v; want %d min", i+1, result.Failed, got, want)
		}
		now = result.RetryAt
	}
	refusing = false
	if result := cycle(); result.Failed != 0 || !result.RetryAt.IsZero() {
		t.Errorf("after the refusals: %+v", result)
	}
	refusing = true
	d.edit(ada, func(e *entry) { e.Manager = "" })
	if result := cycle(); result.Failed != 1 || result.RetryAt.Sub(now).Round(time.Minute) != time.Minute {
		t.Errorf("the first refusal of another change: %+v", result)
	}
}

// TestManagersCostFewRequests counts the requests of a cycle in which a thousand people get another
// manager: a PATCH for each of them, and a look at each manager, once.
func TestManagersCostFewRequests(t *testing.T) {
	t.Parallel()
	const people, bosses = 1000, 20
	x := newTarget(t)
	var everybody []entry
	for i := range people + bosses {
		everybody = append(everybody, user(fmt.Sprint("u", i)))
	}
	d := newDirectory(everybody...)
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := x.mortal(t, d, m, &now); err != nil {
		t.Fatal(err)
	}
	x.misbehave(nil)
	for i := range people {
		d.edit(provisioning.Ref{Kind: provisioning.User, ID: fmt.Sprint("u", bosses+i)}, func(e *entry) {
			e.Manager = fmt.Sprint("u", i%bosses)
		})
	}
	if result, err := x.mortal(t, d, m, &now); err != nil || result.Failed > 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	count := map[string]int{}
	for _, r := range x.requests {
		method, _, _ := strings.Cut(r, " ")
		count[method]++
	}
	if count["PATCH"] != people || count["GET"] > bosses+people/100+1 {
		t.Errorf("the requests of the cycle are %v", count)
	}
}
