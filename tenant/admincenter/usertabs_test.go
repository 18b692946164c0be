package admincenter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAPersonHasATabForEachThing: each tab has an address and is marked, and says by which way
// somebody has what they have; what is changed there comes back to it.
func TestAPersonHasATabForEachThing(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), tenanttest.Serve(t)
	v := s.AdminCenter()
	mei, err := s.CreateUser(ctx, tenanttest.Actor, tenant.User{
		UserPrincipalName: "mei@x.example", DisplayName: "Mei Tanaka", Enabled: true,
	}, "a long password")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]tenant.GroupID{}
	for _, name := range []string{"Team", "Division", "Other"} {
		g, err := s.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: name, SecurityEnabled: true})
		if err != nil {
			t.Fatal(err)
		}
		groups[name] = g.ID
	}
	app, err := s.Instantiate(ctx, audit.SystemActor, tenant.Gallery[0], "AWS")
	if err != nil {
		t.Fatal(err)
	}
	err = s.AddMember(ctx, tenanttest.Actor, groups["Division"], tenant.PrincipalID(groups["Team"]))
	if err != nil {
		t.Fatal(err)
	}
	role := app.AppRoles()[0].ID
	team := tenant.PrincipalID(groups["Team"])
	if _, err := s.Assign(ctx, tenanttest.Actor, app.ServicePrincipalID, team, role); err != nil {
		t.Fatal(err)
	}
	page := s.URL + "/admin/users/" + string(mei.ID)
	has := func(at string, wanted ...string) string {
		t.Helper()
		text := v.Get(at)
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("want %q on %s: %s", want, at, text)
			}
		}
		return text
	}
	has(page, `aria-current="page">Overview<`, `name="department"`, "Delete Mei Tanaka")
	has(s.URL+"/admin/users/mei@x.example/groups", "Not a member of any group.", `aria-current="page">Groups<`)

	has(page+"/groups?find=tea", `name="who" value="`+string(groups["Team"])+`"`)
	v.Does(page+"/groups", url.Values{"who": {string(groups["Team"])}}, "The user is in every group that you chose.")
	both := url.Values{"who": {string(groups["Team"]), string(groups["Other"])}}
	list := v.Does(page+"/groups", both, "The user is in every group that you chose.")
	if strings.Count(list, `name="pick"`) != 2 || !strings.Contains(list, ">Team</a>\n") {
		t.Errorf("the groups: %s", list)
	}
	has(page+"/groups?find=team", "a member already")
	file := has(page+"/groups?format=csv&sort=-way", "Division,,Group Team", "Other,,Direct")
	if strings.Count(file, "\n") != 4 {
		t.Errorf("the file: %s", file)
	}
	if direct := has(page+"/groups?way=direct", ">Other</a>"); strings.Contains(direct, ">Division</a>") {
		t.Errorf("the direct ones: %s", direct)
	}
	has(page+"/applications", ">AWS</a>", `>Team</a>`, app.AppRoles()[0].DisplayName)
	has(s.URL+"/admin/groups/"+string(team), ">AWS</a>", `aria-label="Remove AWS"`)
	has(s.URL+"/admin/groups/"+string(groups["Division"]), "No application is assigned to the group.")
	give := url.Values{
		"pick": {string(mei.ID)}, "do": {"assign"}, "application": {string(app.ID)},
		"back": {"/admin/users/" + string(mei.ID) + "/applications"},
	}
	given := v.Does(s.URL+"/admin/users/chosen", give, "The assignment is created.")
	action, remove := v.Form(given, "assignment")
	v.IsSure(s.URL+action, remove, `aria-current="page">Applications<`)

	gone := url.Values{"pick": both["who"]}
	asked := v.Does(page+"/groups/remove", gone, "from 2 groups?")
	if !strings.Contains(asked, "Team, which gives AWS") {
		t.Errorf("what is lost: %s", asked)
	}
	v.IsSure(page+"/groups/remove", gone, "Removed from 2 groups.")
	has(page+"/applications", "No application is assigned")

	roles := has(page+"/roles", "No directory role.")
	_, assign := v.Form(roles, "who")
	assign.Set("role", string(tenant.GlobalReader))
	roles = v.Does(s.URL+"/admin/roles", assign, "Mei Tanaka is a Global Reader now.")
	_, remove = v.Form(roles, "assignment")
	v.IsSure(s.URL+"/admin/roles/delete", remove, "No directory role.")

	has(page+"/authentication", "Only a password.", "No session is open.")
	v.Does(page+"/password", url.Values{"password": {"another long password"}}, `aria-current="page">Authentication<`)
	v.Does(page+"/revoke", nil, `aria-current="page">Authentication<`)
	has(page+"/provisioning", "No application has provisioning set up.")
	has(page+"/audit", "Add user", "/admin/audit?person=mei")
	has(page+"/sign-ins", "Nothing among the latest events.", "/admin/sign-in-logs?person=mei")
	for _, wrong := range []string{"/nothing", "/groups/remove"} {
		if status, _ := v.Send(http.MethodGet, page+wrong, nil); status < 400 {
			t.Errorf("%s: %d", wrong, status)
		}
	}
	if status, _ := v.Send(http.MethodGet, s.URL+"/admin/users/nobody/groups", nil); status != http.StatusNotFound {
		t.Errorf("nobody has groups: %d", status)
	}
}

// TestAnAdministratorRemovesLostFactors: of somebody whose phone is lost. The next sign-in takes
// the password alone, and whoever found the phone has nothing that is open.
func TestAnAdministratorRemovesLostFactors(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), tenanttest.Serve(t)
	joe, boss := s.NewPerson("joe@x.example"), s.NewPerson("boss@x.example")
	app := s.Visitor()
	signIn := url.Values{"username": {joe.UserPrincipalName}, "password": {tenanttest.Password}}
	admin := s.AdminCenter()
	for who, role := range map[string]tenant.RoleTemplateID{
		"joe@x.example": tenant.GroupsAdministrator, "boss@x.example": tenant.GlobalAdministrator,
		"auth@x.example": tenant.AuthenticationAdministrator, "help@x.example": tenant.HelpdeskAdministrator,
	} {
		if who[0] == 'a' || who[0] == 'h' {
			s.NewPerson(who)
		}
		admin.Does(s.URL+"/admin/roles", url.Values{"who": {who}, "role": {string(role)}}, " now.")
	}
	mei := s.NewPerson("mei@x.example")
	isOpen := func() bool {
		_, page := app.Send(http.MethodGet, s.URL+"/admin/users", nil)
		return strings.Contains(page, boss.UserPrincipalName)
	}
	if app.Send(http.MethodPost, s.URL+"/admin/login", signIn); !isOpen() {
		t.Fatal("joe is not signed in")
	}
	if err := s.Store.Update(ctx, func(tx tenant.Tx) (err error) {
		for _, id := range []tenant.UserID{joe.ID, boss.ID, mei.ID} {
			err = errors.Join(err, tx.PutFactors(tenant.Factors{
				Account: tenant.AccountID(id), SealedSecret: "sealed", Keys: []tenant.Key{{ID: "1", Name: "Blue key"}},
			}))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	factors := func(id tenant.UserID) string { return s.URL + "/admin/users/" + string(id) + "/factors" }
	for _, c := range []struct {
		name, by string
		of       tenant.UserID
	}{
		{"a helper", "help@x.example", mei.ID},
		{"whoever manages sign-in methods, of a stronger role", "auth@x.example", boss.ID},
		{"whoever manages sign-in methods, of another role", "auth@x.example", joe.ID},
	} {
		v := s.Visitor()
		v.Send(http.MethodPost, s.URL+"/admin/login", url.Values{"username": {c.by}, "password": {tenanttest.Password}})
		if status, _ := v.Send(http.MethodPost, factors(c.of), nil); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", c.name, status)
		}
		if f, err := s.Factors(ctx, tenant.AccountID(c.of)); err != nil || !f.Any() {
			t.Errorf("%s has removed them: %v", c.name, err)
		}
	}
	auth := s.Visitor()
	auth.Send(http.MethodPost, s.URL+"/admin/login",
		url.Values{"username": {"auth@x.example"}, "password": {tenanttest.Password}})
	for v, id := range map[*webtest.Visitor]tenant.UserID{&auth: mei.ID, &admin: joe.ID} {
		page := v.Get(s.URL + "/admin/users/" + string(id) + "/authentication")
		if !strings.Contains(page, "Authenticator app") || !strings.Contains(page, "Blue key") {
			t.Errorf("what is registered is not shown")
		}
		v.Does(factors(id), nil, "Remove all second factors of ")
		v.IsSure(factors(id), nil, "Only a password.")
	}
	if isOpen() {
		t.Error("a session that was opened with what is removed is still open")
	}
	if app.Send(http.MethodPost, s.URL+"/admin/login", signIn); !isOpen() {
		t.Error("the password alone does not sign joe in")
	}
}

// TestWhatWasNotDoneIsSaidByName: of several that were chosen, one that is refused has its name in
// the answer, also when it is gone by now.
func TestWhatWasNotDoneIsSaidByName(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	ctx, v := context.Background(), s.AdminCenter()
	joe := s.NewPerson("joe@x.example")
	var who []string
	for _, name := range []string{"Team", "Other"} {
		g, err := s.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: name, SecurityEnabled: true})
		if err != nil {
			t.Fatal(err)
		}
		who = append(who, string(g.ID))
	}
	if err := s.DeleteGroup(ctx, tenanttest.Actor, tenant.GroupID(who[1])); err != nil {
		t.Fatal(err)
	}
	v.Does(s.URL+"/admin/users/"+string(joe.ID)+"/groups", url.Values{"who": who},
		"Done: 1 of 2. Not done for the group Other: ")
}

// TestTheApplicationsOfSomebodyHavePages: each row once, in the order of the names, however many.
func TestTheApplicationsOfSomebodyHavePages(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	ctx, v := context.Background(), s.AdminCenter()
	joe := s.NewPerson("joe@x.example")
	for i := range 60 {
		app, err := s.Instantiate(ctx, tenanttest.Actor, tenant.NonGallery, fmt.Sprintf("App %02d", i))
		if err != nil {
			t.Fatal(err)
		}
		role := app.AppRoles()[0].ID
		who := tenant.PrincipalID(joe.ID)
		if _, err := s.Assign(ctx, tenanttest.Actor, app.ServicePrincipalID, who, role); err != nil {
			t.Fatal(err)
		}
	}
	list := s.URL + "/admin/users/" + string(joe.ID) + "/applications"
	for at, want := range map[string]struct {
		first, last, text string
		rows              int
	}{
		list: {"App 00", "App 49", "1–50 of 60", 50}, list + "?offset=50": {"App 50", "App 59", "51–60 of 60", 10},
	} {
		page := v.Get(at)
		rows := regexp.MustCompile(`aria-label="Remove (App \d\d)"`).FindAllStringSubmatch(page, -1)
		if len(rows) != want.rows || rows[0][1] != want.first || rows[len(rows)-1][1] != want.last ||
			!strings.Contains(page, want.text) || strings.Contains(page, "format=csv") {
			t.Errorf("%s: %d rows: %v on %s", at, len(rows), rows, page)
		}
	}
}
