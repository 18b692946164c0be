package repair_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestWhatCameOfAProvisioningOnDemandIsRead: Graph answers 200 to a failure, and to somebody who is
// left out. Who is in step already needs nothing.
func TestWhatCameOfAProvisioningOnDemandIsRead(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	sides := repair.Sides{Graph: e.Client, Admin: e.Admin}.Of(doctor.Facts{})
	provision := func(userName string) string {
		t.Helper()
		var u graph.User
		if err := e.Client.Do(t.Context(), http.MethodGet, "/users/"+userName, nil, &u); err != nil {
			t.Fatal(err)
		}
		r := save(e)
		r.Action = doctor.ProvisionPerson
		r.With["objectId"] = u.ID
		r.With["jobId"] = e.Tenant.JobID
		return apply(t, sides, r)
	}
	if why := provision(pairtest.Amara); why != "" {
		t.Errorf("somebody who is in step: %s", why)
	}
	outsider := ""
	people, err := graph.All[graph.User](t.Context(), e.Client, "/users?$top=999")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range people {
		found, err := e.SCIM.Find(t.Context(), "/Users", "userName", u.UserPrincipalName)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 && u.Surname != "" { // without one they could not be provisioned at all
			outsider = u.UserPrincipalName
		}
	}
	if outsider == "" {
		t.Fatal("everybody is in scope")
	}
	if why := provision(outsider); !strings.Contains(why, "Skipped") {
		t.Errorf("somebody out of scope is provisioned: %q", why)
	}
}
