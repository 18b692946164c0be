package admincenter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestWhoIsAssignedIsNarrowedAndPutInOrder: by type, role and how they stand at the target, each at
// an address of its own, on the page and in the file alike; and what is removed there comes back to
// the list as it was.
func TestWhoIsAssignedIsNarrowedAndPutInOrder(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), tenanttest.Serve(t)
	v := s.AdminCenter()
	a, err := s.Instantiate(ctx, audit.SystemActor, tenant.Gallery[0], "AWS")
	if err != nil {
		t.Fatal(err)
	}
	list := s.URL + "/admin/apps/" + string(a.ID) + "/assignments"
	if page := v.Get(list); strings.Contains(page, `name="provisioning"`) {
		t.Errorf("nobody is provisioned: %s", page)
	}
	j, err := s.CreateJob(ctx, audit.SystemActor, a.ServicePrincipalID, tenant.Gallery[0].SyncTemplate)
	if err != nil {
		t.Fatal(err)
	}
	roles := a.AppRoles()
	if err := s.Store.Update(ctx, func(tx tenant.Tx) error {
		for i := range 60 {
			id, kind := tenant.PrincipalID(fmt.Sprintf("p%02d", i)), tenant.KindUser
			var err error
			if i < 3 {
				kind = tenant.KindGroup
				err = tx.PutGroup(tenant.Group{ID: tenant.GroupID(id), DisplayName: fmt.Sprintf("Team %02d", i)})
			} else {
				upn, name := string(id)+"@x.example", fmt.Sprintf("Number %02d", i)
				err = tx.PutUser(tenant.User{
					ID: tenant.UserID(id), UserPrincipalName: upn, DisplayName: name, Enabled: true,
				})
			}
			if err == nil {
				err = tx.PutAssignment(tenant.Assignment{
					ID: "a" + tenant.AssignmentID(id), ServicePrincipalID: a.ServicePrincipalID, PrincipalID: id,
					PrincipalKind: kind, RoleID: roles[i%2].ID,
				})
			}
			if err == nil && i < 5 {
				l := tenant.Link{JobID: j.ID, Kind: kind, SourceID: id, TargetID: "t" + string(id)}
				if i == 4 {
					l.Failure = "refused"
				}
				err = tx.PutLink(l)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile(`aria-label="((?:Team|Number) \d\d)"`)
	for query, want := range map[string]struct {
		total int
		first string
	}{
		"kind=Group":                           {3, "Team 00"},
		"sort=-type":                           {60, "Team 00"},
		"role=" + string(roles[0].ID):          {30, "Number 04"},
		"sort=role":                            {60, "Number 03"}, // msiam_access before User
		"sort=-role&q=number":                  {57, "Number 04"},
		"provisioning=fails":                   {1, "Number 04"},
		"provisioning=provisioned":             {4, "Number 03"},
		"provisioning=none&sort=-name":         {55, "Number 59"},
		"sort=provisioning":                    {60, "Number 04"},
		"provisioning=nonsense&role=other":     {60, "Number 03"},
		"role=" + string(tenant.DefaultAccess): {0, ""},
	} {
		page := v.Get(list + "?" + query)
		total := strings.Contains(page, fmt.Sprintf(" of %d<", want.total)) || want.total == 0
		if got := append(first.FindStringSubmatch(page), "", "")[1]; got != want.first || !total {
			t.Errorf("%s begins with %q and not with %q of %d: %s", query, got, want.first, want.total, page)
		}
		var rows []map[string]string
		if err := json.Unmarshal([]byte(v.Get(list+"?format=json&"+query)), &rows); err != nil ||
			len(rows) != want.total || want.total > 0 && rows[0]["displayName"] != want.first {
			t.Errorf("%s: %d in the file, %v", query, len(rows), err)
		}
	}
	page := v.Get(list + "?provisioning=fails&sort=role")
	for _, want := range []string{
		">Fails<", `<option value="fails" selected>`, `name="sort" value="role"`,
		"format=csv&amp;provisioning=fails&amp;sort=role",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("want %q on %s", want, page)
		}
	}
	_, form := v.Form(page, "assignment")
	after := v.IsSure(list+"/delete", form, "The assignment is removed.")
	if !strings.Contains(after, "Nobody is like that") {
		t.Errorf("it comes back to another list: %s", after)
	}
}
