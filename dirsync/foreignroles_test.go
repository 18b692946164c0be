package dirsync

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestRolesAtServicesThatOthersWrote: app roles of the source arrive as roles, the default domain
// is the source's, and a value is chosen that nobody has.
func TestRolesAtServicesThatOthersWrote(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) foreign{
		"SCIMMY": node("scimmy.mjs"), "elimity": elimity,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rolesStory(t, start(t))
		})
	}
}

// extended are the default mappings with more of users.
func extended(more ...mapping.Attribute) *mapping.Schema {
	s := tenant.DefaultMappings()
	s.Of("User").Attributes = append(s.Of("User").Attributes, more...)
	return &s
}

const (
	adminRole  tenant.AppRoleID = "11111111-1111-4111-8111-111111111111"
	readerRole tenant.AppRoleID = "22222222-2222-4222-8222-222222222222"
)

func rolesStory(t *testing.T, to foreign) {
	t.Helper()
	from := newSource(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	app, err := from.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "Cloud")
	must(err)
	id := tenant.AnyApplicationID(app.ID)
	_, err = from.UpdateApplication(ctx, tenanttest.Actor, id, func(a *tenant.Application) error {
		a.OwnRoles = append(slices.Clone(tenant.GalleryRoles),
			tenant.Role{ID: adminRole, DisplayName: "Administrators", Value: "admin"},
			tenant.Role{ID: readerRole, DisplayName: "Readers", Value: "reader"})
		return nil
	})
	must(err)
	assign := func(to tenant.PrincipalID, role tenant.AppRoleID) tenant.AssignmentID {
		t.Helper()
		a, err := from.Assign(ctx, tenanttest.Actor, app.ServicePrincipalID, to, role)
		must(err)
		return a.ID
	}
	config := between(from, target{endpoint: to.BaseURL, token: to.Token}, newTenant(t, t.TempDir()))
	config.Application = "Cloud"
	config.Mappings = extended(
		mapping.Attribute{Target: "roles", Expression: "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"},
		mapping.Attribute{Target: "userType", Expression: `Append("at ", DefaultDomain())`},
		mapping.Attribute{
			Target: "nickName", Expression: `SelectUniqueValue("x", "y", "z")`, OnlyOnce: true,
		},
	)
	check := func(what, u1, u2 string) {
		t.Helper()
		for _, repair := range []bool{false, true} {
			r := cycle(t, config, repair)
			if r.Failed > 0 || repair && r.Changes {
				t.Fatalf("%s, repair %v: %+v", what, repair, r.Objects)
			}
		}
		have, nicks := map[string]string{}, []string{}
		for _, u := range to.all("/Users", "userName") {
			var names []string
			for _, r := range u.List("roles") {
				names = append(names, r.(map[string]any)["value"].(string))
			}
			slices.Sort(names)
			have[u.String("userName")] = strings.Join(names, ",")
			nicks = append(nicks, u.String("nickName"))
			if want := "at " + from.Organization.Domain; u.String("userType") != want {
				t.Errorf("%s: userType is %q, want %q", what, u.String("userType"), want)
			}
		}
		slices.Sort(nicks)
		if have["ada@example.com"] != u1 || have["bob@example.com"] != u2 || !slices.Equal(nicks, []string{"x", "y"}) {
			t.Errorf("%s: %v, %v", what, have, nicks)
		}
	}
	first, second := assign("u1", adminRole), assign("u1", readerRole)
	assign("g3", readerRole) // Bob is in it
	check("roles by assignment and by group", "admin,reader", "reader")
	must(from.Unassign(ctx, tenanttest.Actor, app.ServicePrincipalID, second))
	check("one is taken away", "admin", "reader")
	assign("u1", tenant.GalleryRoles[0].ID)
	must(from.Unassign(ctx, tenanttest.Actor, app.ServicePrincipalID, first))
	check("a role without a value goes by its name", "User", "reader")

	everybody := config
	everybody.Application = ""
	if _, err := Open(ctx, everybody); err == nil || !strings.Contains(err.Error(), "--application") {
		t.Errorf("roles of everybody: %v", err)
	}
}
