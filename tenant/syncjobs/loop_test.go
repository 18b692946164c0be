package syncjobs_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestALeaverIsDisabledSoonAfterTheWayIsWhole breaks the way to the center in every way, disables
// somebody meanwhile, and makes the way whole again.
func TestALeaverIsDisabledSoonAfterTheWayIsWhole(t *testing.T) {
	t.Parallel()
	for _, how := range pairtest.Breaks {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			e := pairtest.Start(t)
			way := pairtest.NewWay(t, e.Center.SCIMEndpoint)
			e.PutSecrets(way.URL)
			const mei, elena = "mei.tanaka@northwind.example", "elena.popescu@northwind.example"
			active := func(name string) bool { return e.Find("/Users", "userName", name)["active"] == true }
			e.Change(http.MethodPatch, "/users/"+mei, map[string]any{"jobTitle": "Wizard"}, nil)
			e.Soon("a title by the new way", func() bool {
				return e.Find("/Users", "userName", mei).String("title") == "Wizard"
			})
			says(t, e, "Next cycle: when something changes") // a new tenant URL is compared

			const outage = 10 * time.Second
			before := way.Asked()
			way.Break(how)
			e.Change(http.MethodPatch, "/users/"+mei, map[string]any{"accountEnabled": false}, nil)
			time.Sleep(outage / 3)
			e.Change(http.MethodPatch, "/users/"+elena, map[string]any{"accountEnabled": false}, nil)
			time.Sleep(outage * 2 / 3)
			if how == pairtest.Refuse {
				says(t, e, "as soon as the target answers")
			}
			if asked := way.Asked() - before; asked > 100 {
				t.Errorf("the target was asked %d times while it was out of order", asked)
			}
			way.Break(pairtest.Whole)
			whole := time.Now()
			e.Soon("the leavers are disabled", func() bool { return !active(mei) && !active(elena) })
			took := time.Since(whole)
			t.Logf("disabled after %s", took.Round(time.Millisecond))
			if took > 5*time.Second {
				t.Errorf("the leavers are disabled only after %s", took)
			}
			says(t, e, "Next cycle: when something changes")
		})
	}
}

// says waits until the job's page says something.
func says(t *testing.T, e pairtest.Ends, text string) {
	t.Helper()
	admin := e.TenantAdministrator()
	var page string
	for range 1000 { // a cycle may go on at the pace that the target has asked for
		page = admin.Get(e.Tenant.AdminCenterURL + "apps/" + e.Tenant.ApplicationID + "/provisioning")
		if strings.Contains(page, text) {
			return
		}
		time.Sleep(20 * time.Millisecond) // a poll
	}
	t.Errorf("the page does not say %q: %s", text, page)
}
