package admincenter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestAllApplicationsOfAGroupCanBeReached: its page shows some, and leads to a list of all.
func TestAllApplicationsOfAGroupCanBeReached(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	const count = 70
	if err := s.Store.Update(context.Background(), func(tx tenant.Tx) error {
		all := []error{tx.PutGroup(tenant.Group{ID: "team", DisplayName: "Team"})}
		for i := range count {
			id := fmt.Sprintf("app-%02d", i)
			all = append(all, tx.PutApplication(tenant.Application{
				ID: tenant.ApplicationID(id), AppID: tenant.ClientID(id),
				ServicePrincipalID: tenant.ServicePrincipalID(id), DisplayName: "Tool " + id,
			}), tx.PutAssignment(tenant.Assignment{
				ID: tenant.AssignmentID(id), ServicePrincipalID: tenant.ServicePrincipalID(id), PrincipalID: "team",
			}))
		}
		return errors.Join(all...)
	}); err != nil {
		t.Fatal(err)
	}
	v := s.AdminCenter()
	group := s.URL + "/admin/groups/team"
	rows := func(page string) int { return strings.Count(page, `>Tool app-`) }
	page := v.Get(group)
	const all = "/admin/groups/team?show=applications"
	if rows(page) != 50 || !strings.Contains(page, `href="`+all+`"`) || !strings.Contains(page, "Direct members") {
		t.Errorf("the page has %d applications: %s", rows(page), page)
	}
	seen := 0
	for offset := 0; offset < count; offset += 50 {
		page := v.Get(fmt.Sprintf("%s&offset=%d", s.URL+all, offset))
		if seen += rows(page); strings.Contains(page, "Direct members") ||
			strings.Contains(page, `rel="next"`) != (offset+50 < count) {
			t.Errorf("from %d on: %s", offset, page)
		}
	}
	if seen != count {
		t.Errorf("%d of %d can be reached", seen, count)
	}
}
