package provisioning_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
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
