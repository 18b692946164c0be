package doctor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

// large is a sound organization: groups of a hundred people, each person in ten of them.
func large(t *testing.T, people, groups int) doctor.Facts {
	t.Helper()
	f := state(t, nil)
	e, a := f.Entra, f.AWS
	issuer := a.Users[0].ExternalIDs[0].Issuer
	e.Users, e.Groups = nil, nil
	e.Assigned, e.Members = nil, &doctor.Roster{}
	a.Users, a.Groups = nil, nil
	a.Memberships, a.Assignments = &doctor.Roster{}, nil
	for i := range people {
		id, name := fmt.Sprintf("u-%d", i), fmt.Sprintf("p%d@harbor.example", i)
		e.Users = append(e.Users, doctor.Pack(graph.User{
			ID: id, UserPrincipalName: name, Mail: name, DisplayName: name, GivenName: "P", Surname: name,
		}))
		u := doctor.User{
			UserID: "a-" + id, UserName: name, DisplayName: name, UserStatus: "ENABLED",
			Emails:      []doctor.Email{{Value: name}},
			ExternalIDs: []doctor.ExternalID{{Issuer: issuer, ID: id}},
		}
		a.Users = append(a.Users, u)
	}
	for i := range groups {
		id, name := fmt.Sprintf("g-%d", i), fmt.Sprintf("Group %d", i)
		e.Groups = append(e.Groups, graph.Group{ID: id, DisplayName: name})
		e.Assigned = append(e.Assigned, graph.AppRoleAssignment{
			AppRoleID: graph.UserRoleID, PrincipalID: id, PrincipalType: "Group", PrincipalDisplayName: name,
			ResourceID: "sp-aws",
		})
		a.Groups = append(a.Groups, doctor.Group{
			GroupID: "b-" + id, DisplayName: name, ExternalIDs: []doctor.ExternalID{{Issuer: issuer, ID: id}},
		})
		a.Assignments = append(a.Assignments, doctor.Assignment{
			AccountID: fmt.Sprint(200000000000 + i%50), PermissionSetArn: a.PermissionSets[i%3].PermissionSetArn,
			PrincipalType: "GROUP", PrincipalID: "b-" + id,
		})
		for n := range people / groups * 10 {
			member := fmt.Sprintf("u-%d", (i*people/groups+n)%people)
			e.Members.Add(id, member)
			a.Memberships.Add("b-"+id, "a-"+member)
		}
	}
	return f
}

// TestALargeOrganizationIsJudgedInSeconds: also one in which something is wrong with everybody.
func TestALargeOrganizationIsJudgedInSeconds(t *testing.T) {
	f := large(t, 10_000, 1000)
	for _, c := range []struct {
		name, first string
		change      func()
	}{
		{"sound", "", func() {}},
		{"nobody is in the directory", "nobody-in-scope", func() {
			f.Entra.Users, f.Entra.Assigned = f.Entra.Users[:1], nil
		}},
	} {
		c.change()
		began := time.Now()
		r := doctor.Diagnose(f, doctor.About{})
		t.Logf("%s: %s", c.name, time.Since(began))
		if !first(r, c.first) {
			t.Errorf("%s:\n%s", c.name, told(r, 4))
		}
	}
}
