package provisioning_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestOneWhoIsRefusedIsNoScout: no cycle comes to its end, and of those who have left one is
// refused for good. That does not say whether the target takes changes: the next scout is another.
func TestOneWhoIsRefusedIsNoScout(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden} {
		synctest.Test(t, func(t *testing.T) {
			of, asked := "nobody", 0
			client := behind(t, changesOf(&of, func(w http.ResponseWriter) {
				asked++
				w.WriteHeader(status)
			}))
			d, m := newDirectory(user("ada"), user("bob")), newMemory()
			if _, err := cycleOf(t, client, d, m, false); err != nil {
				t.Fatal(err)
			}
			of = "/Users/" + m.link(ada).TargetID
			active(ada, false)(d)
			active(bob, false)(d)
			engine := provisioning.Engine{
				Source: d, Memory: m, Target: provisioning.SCIM(client, provisioning.Entra),
				Mappings: mappings(t), Now: time.Now, NewID: func() string { return "made-up" },
			}
			var taken []bool
			for range 20 {
				is, err := engine.Scout(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				taken = append(taken, is)
				time.Sleep(provisioning.ScoutEach)
			}
			if taken[0] || !taken[1] || asked != 1 {
				t.Errorf("%d: the scouts have changed something: %v; one who is refused is asked %d times",
					status, taken, asked)
			}
			if wait := time.Until(m.link(ada).RetryAt); wait > time.Minute || m.link(ada).Failure == "" {
				t.Errorf("who is refused is tried again after %s: %+v", wait, m.link(ada))
			}
		})
	}
}

// TestARefusalDoesNotFillTheLog: who is to lose access, or a membership, is tried each minute, and
// refused in other words each time. The log has it now and then.
func TestARefusalDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuses, asked := false, 0
		client := behind(t, func(w http.ResponseWriter, r *http.Request, door http.Handler) {
			if r.Method != http.MethodPatch || !refuses {
				door.ServeHTTP(w, r)
				return
			}
			asked++
			w.Header().Set("Content-Type", scim.ContentType)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"schemas":[%q],"detail":"no, for the time %d"}`, scim.ErrorURN, asked)
		})
		d, m := newDirectory(user("ada"), user("bob"), group("Eng", "bob")), newMemory()
		if _, err := cycleOf(t, client, d, m, false); err != nil {
			t.Fatal(err)
		}
		refuses = true
		active(ada, false)(d)
		members(eng)(d)
		const day = 24 * time.Hour
		for end := time.Now().Add(2 * day); time.Now().Before(end); {
			r, err := cycleOf(t, client, d, m, false)
			if err != nil || r.RetryAt.IsZero() {
				t.Fatal(r, err)
			}
			time.Sleep(max(time.Until(r.RetryAt), time.Second))
		}
		told := map[provisioning.Ref]int{}
		for _, e := range m.log {
			if e.Outcome == provisioning.Failure {
				told[e.Ref]++
			}
		}
		for _, ref := range []provisioning.Ref{ada, eng} {
			if n := told[ref]; n < 5 || n > 30 {
				t.Errorf("%s is in the log %d times", ref.ID, n)
			}
		}
		if asked < 4000 {
			t.Errorf("both are tried %d times in two days", asked)
		}
	})
}
