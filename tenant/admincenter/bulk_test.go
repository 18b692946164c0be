package admincenter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// pick is the box of a row.
var pick = regexp.MustCompile(`name="pick" value="([^"]+)"`)

// TestSeveralUsersAreChangedAtOnce: what cannot be undone by the same button is asked before, and
// whoever filtered the list comes back to it as it was.
func TestSeveralUsersAreChangedAtOnce(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	v := s.AdminCenter()
	fill(t, s)
	users, chosen := s.URL+"/admin/users", s.URL+"/admin/users/chosen"
	form := func(do string, picks ...string) url.Values {
		return url.Values{"do": {do}, "pick": picks, "back": {"/admin/users?q=number&sort=-upn"}}
	}
	status := func(id string, want tenant.User) {
		t.Helper()
		u, err := s.UserByIDOrName(context.Background(), id)
		if err != nil || u.Enabled != want.Enabled {
			t.Errorf("%s is %+v, %v", id, u, err)
		}
	}
	asked := v.Does(chosen, form("disable", "user-001", "user-002"), "Disable 2 users?")
	if !strings.Contains(asked, "=Number 001 (user-001@x.example)") || !strings.Contains(asked, "=Number 002") {
		t.Errorf("whom it asks about: %s", asked)
	}
	status("user-001", tenant.User{Enabled: true})
	list := v.IsSure(chosen, form("disable", "user-001", "user-002"), "2 users disabled")
	if !strings.Contains(list, `aria-sort="descending"`) || !strings.Contains(list, `value="number"`) {
		t.Errorf("it comes back to another list: %s", list)
	}
	status("user-001", tenant.User{})
	v.Does(chosen, form("enable", "user-001", "user-002"), "2 users enabled.")
	status("user-002", tenant.User{Enabled: true})
	v.IsSure(chosen, form("delete", "user-003", "user-004"), "2 users deleted.")
	if page := v.Get(users); !strings.Contains(page, "of 118") {
		t.Errorf("after two were deleted: %s", page)
	}
	for _, wrong := range []url.Values{
		{"do": {"disable"}}, {"do": {"explode"}, "pick": {"user-001"}}, {"pick": {"user-001"}},
		form("delete", "nobody"), form("enable", make([]string, 201)...),
	} {
		if status, _ := v.Send(http.MethodPost, chosen, wrong); status < 400 {
			t.Errorf("%v: %d", wrong, status)
		}
	}
	gone := form("disable", "user-005", "user-003")
	gone.Set("sure", "yes")
	if code, _ := v.Send(http.MethodPost, chosen, gone); code != http.StatusNotFound {
		t.Errorf("one of two is not there: %d", code)
	}
	status("user-005", tenant.User{Enabled: true})
	v.Does(chosen, form("enable", "user-010", "user-003"),
		"Done: 1 of 2. Not done for user-003: the user does not exist. What to do: ")
	status("user-010", tenant.User{Enabled: true})
	other, err := s.Instantiate(context.Background(), tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	give := form("assign", "user-006", "user-007")
	give.Set("application", string(other.ID))
	v.Does(chosen, give, "2 assignments are created.")
	give["pick"] = append(give["pick"], "user-008")
	v.Does(chosen, give, "Assigned: 1 of 3. The others (2) had it already.")
	give["pick"] = []string{"user-006"}
	if status, _ := v.Send(http.MethodPost, chosen, give); status != http.StatusConflict {
		t.Errorf("assigned again: %d", status)
	}
}

// TestSeveralAreAssignedAndRemovedAtOnce: of names that one form sends, all or none are known; the
// chosen rows of a list go together.
func TestSeveralAreAssignedAndRemovedAtOnce(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	v := s.AdminCenter()
	fill(t, s)
	wiki, err := s.Instantiate(context.Background(), tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	for at, ends := range map[string]struct{ add, added, remove, removed, ids string }{
		"/admin/apps/" + string(wiki.ID): {
			"/assignments", "3 assignments are created.", "/assignments/delete", "2 assignments removed.",
			"assignments",
		},
		"/admin/groups/group-001": {"/members", "3 members are added.", "/members/remove", "2 members removed.", ""},
	} {
		address := s.URL + at
		list := strings.TrimSuffix(address+"/"+ends.ids, "/")
		wrong := url.Values{"name": {"user-001@x.example\nnobody@x.example\n=Number 007"}}
		if status, page := v.Send(http.MethodPost, address+ends.add, wrong); status < 400 ||
			!strings.Contains(page, "nobody@x.example") {
			t.Errorf("%s: one is not there: %d %s", at, status, page)
		}
		if page := v.Get(list); strings.Contains(page, `name="pick"`) {
			t.Errorf("%s: half of it is done: %s", at, page)
		}
		page := v.Does(address+ends.add, url.Values{
			"name": {"user-001@x.example\r\n\r\n =Number 007 \r\nuser-002@x.example\r\nUSER-001@x.example"},
		}, ends.added)
		picks := pick.FindAllStringSubmatch(page, 2)
		if len(picks) != 2 {
			t.Fatalf("%s: %s", at, page)
		}
		form := url.Values{"pick": {picks[0][1], picks[1][1]}}
		v.Does(address+ends.remove, form, "Remove 2 ")
		page = v.IsSure(address+ends.remove, form, ends.removed)
		if n := len(pick.FindAllString(page, 3)); n != 1 {
			t.Errorf("%s: %d are left: %s", at, n, page)
		}
		names := strings.Builder{}
		for i := range 201 {
			_, _ = fmt.Fprintf(&names, "user-%03d@x.example\n", i)
		}
		many := url.Values{"name": {names.String()}}
		if status, page := v.Send(http.MethodPost, address+ends.add, many); status < 400 ||
			!strings.Contains(page, "at most 200") {
			t.Errorf("%s: too many: %d", at, status)
		}
	}
}

// TestNamesArePickedFromASearch: who is chosen stays so while the search goes on, and is added.
func TestNamesArePickedFromASearch(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	v := s.AdminCenter()
	fill(t, s)
	wiki, err := s.Instantiate(context.Background(), tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	who := regexp.MustCompile(`name="who" value="([^"]+)"( checked)?`)
	for list, add := range map[string]string{
		"/admin/apps/" + string(wiki.ID) + "/assignments": "",
		"/admin/groups/group-001":                         "/members",
	} {
		page := v.Get(s.URL + list + "?find=user-001")
		found := who.FindAllStringSubmatch(page, -1)
		if len(found) != 1 || found[0][2] != "" {
			t.Fatalf("%s: %v on %s", list, found, page)
		}
		page = v.Get(s.URL + list + "?find=user-002&who=gone&who=" + found[0][1])
		found = who.FindAllStringSubmatch(page, -1)
		if len(found) != 2 || found[0][2] == "" || found[1][2] != "" {
			t.Fatalf("%s, with one chosen: %v on %s", list, found, page)
		}
		both := who.FindAllStringSubmatch(v.Get(s.URL+list+"?find=number+007"), -1)
		if len(both) != 2 {
			t.Fatalf("%s: a user and a group are like that: %v", list, both)
		}
		form := url.Values{"who": {found[0][1], found[1][1], both[1][1]}, "add": {"chosen"}}
		if page = v.Does(s.URL+list+add, form, "3 "); len(pick.FindAllString(page, -1)) != 3 {
			t.Errorf("%s: %s", list, page)
		}
		page = v.Get(s.URL + list + "?find=number+007&who=" + found[0][1])
		if marks := strings.Count(page, " already</span>"); marks != 2 ||
			strings.Contains(page, `name="who" value="`+found[0][1]) || !who.MatchString(page) {
			t.Errorf("%s: %d are marked as there already: %s", list, marks, page)
		}
		form["who"] = append(form["who"], both[0][1])
		page = v.Does(s.URL+list+add, form, "ed: 1 of 4. The others (3) ")
		if len(pick.FindAllString(page, -1)) != 4 {
			t.Errorf("%s: one of four is new: %s", list, page)
		}
		form["who"] = form["who"][:1]
		if status, page := v.Send(http.MethodPost, s.URL+list+add, form); status != http.StatusConflict {
			t.Errorf("%s: the only one is there already: %d %s", list, status, page)
		}
	}
}

// TestWhoWasPickedIsNotTakenForAName: when one who was chosen is deleted before the form is sent,
// nobody else comes in by a name that is the id.
func TestWhoWasPickedIsNotTakenForAName(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	ctx, v := context.Background(), s.AdminCenter()
	wiki, err := s.Instantiate(ctx, tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	job, err := s.CreateJob(ctx, tenanttest.Actor, wiki.ServicePrincipalID, "scim")
	if err != nil {
		t.Fatal(err)
	}
	target, token := "https://scim.example/", "secret"
	settings := tenant.JobSettings{BaseAddress: &target, SecretToken: &token}
	if err := s.ConfigureJob(ctx, tenanttest.Actor, job.ID, settings); err != nil {
		t.Fatal(err)
	}
	ann := s.NewPerson("ann@northwind.example")
	group := func(name string) string {
		t.Helper()
		g, err := s.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: name, SecurityEnabled: true})
		if err != nil {
			t.Fatal(err)
		}
		return string(g.ID)
	}
	team := group("Team")
	group(string(ann.ID))
	if err := s.DeleteUser(ctx, tenanttest.Actor, ann.ID); err != nil {
		t.Fatal(err)
	}
	app := s.URL + "/admin/apps/" + string(wiki.ID)
	for _, at := range []string{
		app + "/assignments", s.URL + "/admin/groups/" + team + "/members", app + "/provisioning/ondemand",
	} {
		form := url.Values{"who": {string(ann.ID)}, "do": {"preview"}}
		status, page := v.Send(http.MethodPost, at, form)
		if status != http.StatusNotFound || !strings.Contains(page, "search again") {
			t.Errorf("%s: %d %s", at, status, page)
		}
	}
}

// TestWhoHasOneRoleCanBePickedForAnother: of an application with several roles, the search marks
// who has the role that the form would give.
func TestWhoHasOneRoleCanBePickedForAnother(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	ctx, v := context.Background(), s.AdminCenter()
	fill(t, s)
	wiki, err := s.Instantiate(ctx, tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	roles := wiki.AppRoles()
	if len(roles) < 2 {
		t.Fatalf("the roles are %+v", roles)
	}
	if _, err := s.Assign(ctx, tenanttest.Actor, wiki.ServicePrincipalID, "user-001", roles[1].ID); err != nil {
		t.Fatal(err)
	}
	for i, marked := range []bool{false, true} {
		q := url.Values{"find": {"user-001"}, "give": {string(roles[i].ID)}}
		page := v.Get(s.URL + "/admin/apps/" + string(wiki.ID) + "/assignments?" + q.Encode())
		if strings.Contains(page, "assigned already") != marked ||
			!strings.Contains(page, `value="`+string(roles[i].ID)+`" selected`) {
			t.Errorf("role %d: marked %t: %s", i, !marked, page)
		}
	}
}

// TestWhoIsProvisionedOrGivenARoleIsSearchedFor: nothing is typed from memory, and who has been
// chosen is chosen still when the answer is there.
func TestWhoIsProvisionedOrGivenARoleIsSearchedFor(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v := e.TenantAdministrator()
	admin := e.Tenant.URL + "/admin"
	app := admin + "/apps/" + e.Tenant.ApplicationID + "/provisioning"
	who := regexp.MustCompile(`name="who" value="([^"]+)"( checked)?`)
	found := func(page string) []string {
		t.Helper()
		m := who.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("nobody is found: %s", page)
		}
		return m[1:]
	}
	mei := found(v.Get(app + "/ondemand?find=mei"))[0]
	page := v.Does(app+"/ondemand", url.Values{"who": {mei}, "do": {"preview"}}, "Nothing was changed")
	if again := found(page); again[0] != mei || again[1] == "" {
		t.Errorf("who was chosen: %v on %s", again, page)
	}
	group := found(v.Get(app + "/ondemand?find=finance"))[0]
	for _, wrong := range []url.Values{
		{}, {"who": {mei, mei}}, {"who": {group, group}}, {"who": {group, mei, mei, mei, mei, mei, mei}},
	} {
		if status, page := v.Send(http.MethodPost, app+"/ondemand", wrong); status != http.StatusBadRequest {
			t.Errorf("%v: %d %s", wrong, status, page)
		}
	}
	tried := app + "/mappings?expression=" + url.QueryEscape(`Join(".", [givenName], [surname])`)
	for _, by := range []string{"&try=yes&who=" + mei, "&user=" + "mei.tanaka@northwind.example"} {
		if page := v.Get(tried + by); !strings.Contains(page, "Result: <code>Mei.Tanaka</code>") {
			t.Errorf("%s: %s", by, page)
		}
	}
	builder := v.Get(tried + "&find=mei&try=yes&who=" + mei)
	for _, want := range []string{
		"</code> for Mei Tanaka (mei.tanaka@northwind.example)", `type="radio" name="who" value="` + mei + `" checked`,
		`formnovalidate>Find</button>`,
	} {
		if !strings.Contains(builder, want) {
			t.Errorf("the expression builder has no %q: %s", want, builder)
		}
	}
	if _, form, _ := strings.Cut(builder, `name="expression"`); strings.Index(form, "<button") !=
		strings.Index(form, `<button name="try"`) {
		t.Errorf("Enter does not test the expression: %s", builder)
	}
	role := string(tenant.GlobalReader)
	page = v.Get(admin + "/roles?find=tanaka&role=" + role)
	if again := found(page); again[0] != mei {
		t.Errorf("for a role %v are found", again)
	}
	v.Does(admin+"/roles", url.Values{"who": {mei}, "role": {role}}, "is a Global Reader now.")
	if page := v.Get(admin + "/roles?find=tanaka&role=" + role); !strings.Contains(page, "has the role already") {
		t.Errorf("who has it: %s", page)
	}
	v.Does(admin+"/roles", url.Values{"role": {role}}, "Choose a user")
}

// TestWhatThereIsNoTimeForIsLeftAndSaid: a deed to several ends before its request must, and what
// it has not begun stays as it was.
func TestWhatThereIsNoTimeForIsLeftAndSaid(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	v := s.AdminCenter()
	fill(t, s)
	wiki, err := s.Instantiate(context.Background(), tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	site, err := url.Parse(s.URL + "/admin/users")
	if err != nil {
		t.Fatal(err)
	}
	late := func(form url.Values) string { // by a request that must end soon
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/admin/users/chosen",
			strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range v.Client.Jar.Cookies(site) {
			r.AddCookie(c)
		}
		answer := httptest.NewRecorder()
		s.HTTP.Config.Handler.ServeHTTP(answer, r)
		if answer.Code != http.StatusSeeOther {
			return answer.Body.String()
		}
		v.Client.Jar.SetCookies(site, answer.Result().Cookies())
		return v.Get(site.String())
	}
	form := url.Values{"pick": {"user-001", "user-002", "user-003"}, "application": {string(wiki.ID)}}
	for _, x := range []struct{ do, sure, want string }{
		{"delete", "", "There is no time for 2 of them at once: do them afterwards."},
		{"disable", "yes", "Done: 1 of 3. There was no time for 2 more, which are as they were: do it again."},
		{"assign", "", "Assigned: 1 of 3. There was no time for 2 more, which are as they were: do it again."},
	} {
		form.Set("do", x.do)
		form.Set("sure", x.sure)
		page := late(form)
		if !strings.Contains(page, x.want) {
			t.Errorf("%s: want %q on %s", x.do, x.want, page)
		}
		if x.do == "delete" {
			if left := v.Answer(page)["leave"]; len(left) != 2 {
				t.Errorf("the question leaves %v", left)
			}
		}
	}
	for id, want := range map[string]bool{"user-001": false, "user-002": true, "user-003": true} {
		if u, err := s.UserByIDOrName(context.Background(), id); err != nil || u.Enabled != want {
			t.Errorf("%s: %+v, %v", id, u, err)
		}
	}
}

// TestWhoeverAsksIsNoneOfSeveral: who deletes or disables all of a list, and is in it, keeps what
// they do it by, and is told so. Who chooses only themselves is asked, and it is done.
func TestWhoeverAsksIsNoneOfSeveral(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	fill(t, s)
	person := s.NewPerson("gale@northwind.example")
	name := person.UserPrincipalName
	role := url.Values{"who": {name}, "role": {string(tenant.GlobalAdministrator)}}
	s.AdminCenter().Does(s.URL+"/admin/roles", role, " now.")
	gale := s.Visitor()
	form := url.Values{"username": {name}, "password": {tenanttest.Password}}
	gale.Send(http.MethodPost, s.URL+"/admin/login", form)
	chosen := s.URL + "/admin/users/chosen"
	for _, x := range []struct{ do, title, done string }{
		{"disable", "Disable 120 users?", "120 users disabled"}, {"delete", "Delete 120 users?", "120 users deleted."},
	} {
		all := url.Values{"do": {x.do}, "every": {"121"}, "matching": {"q="}}
		asked := gale.Does(chosen, all, x.title)
		if !strings.Contains(asked, "Not done for gale") || !strings.Contains(asked, "this is your own account") {
			t.Errorf("it asks: %s", asked)
		}
		gale.Does(chosen, gale.Answer(asked), x.done)
	}
	alone := url.Values{"do": {"delete"}, "pick": {string(person.ID)}}
	gale.Send(http.MethodPost, chosen, gale.Answer(gale.Does(chosen, alone, "Delete 1 user?")))
	if page := s.AdminCenter().Get(s.URL + "/admin/deleted?q=gale"); !strings.Contains(page, name) {
		t.Errorf("who deletes only themselves is not deleted: %s", page)
	}
}
