package admincenter_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestDirectoryRolesOpenTheAdminCenter: people sign in with their own names and find what their
// roles open; what they may not do they cannot do by a form either.
func TestDirectoryRolesOpenTheAdminCenter(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	admin := s.AdminCenter()
	people := map[string]tenant.User{}
	wiki, err := s.Instantiate(context.Background(), tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	app := "apps/" + string(wiki.ID)
	for _, name := range []string{"uma", "carl", "rita", "gale", "joe", "pia"} {
		people[name] = s.NewPerson(name + "@northwind.example")
	}
	s.NewPerson("and/or@northwind.example")
	for name, role := range map[string]tenant.RoleTemplateID{
		"uma": tenant.UserAdministrator, "carl": tenant.CloudApplicationAdministrator, "rita": tenant.ReportsReader,
		"gale": tenant.GlobalAdministrator, "pia": tenant.PrivilegedRoleAdministrator,
	} {
		admin.Does(s.URL+"/admin/roles", url.Values{
			"who": {name + "@northwind.example"}, "role": {string(role)},
		}, " now.")
	}
	admin.Does(s.URL+"/admin/roles", url.Values{
		"who": {"uma@northwind.example"}, "role": {string(tenant.UserAdministrator)},
	}, "A role assignment with these values already exists")
	signIn := func(name string) (webtest.Visitor, int) {
		v := s.Visitor()
		status, _ := v.Send(http.MethodPost, s.URL+"/admin/login", url.Values{
			"username": {name + "@northwind.example"}, "password": {tenanttest.Password},
		})
		return v, status
	}
	if _, status := signIn("joe"); status != http.StatusUnauthorized {
		t.Errorf("somebody without a role signs in: %d", status)
	}
	joe, gale := string(people["joe"].ID), string(people["gale"].ID)
	const no, yes = http.StatusForbidden, http.StatusOK
	type ask struct {
		path string
		form url.Values // nil: a page
		want int
	}
	form := url.Values{"x": {"y"}, "sure": {"yes"}}
	for name, asks := range map[string][]ask{
		"uma": {
			{"users", nil, yes}, {"users/" + joe, url.Values{"title": {"Clerk"}}, yes},
			{"apps", nil, yes}, {app, nil, yes}, {app + "/assignments", nil, yes},
			{app + "/assignments", url.Values{"name": {"joe@northwind.example"}}, yes},
			{app + "/saml", nil, no}, {app + "/provisioning", nil, no}, {"apps/gallery", nil, no},
			{app + "/saml", form, no}, {app + "/delete", form, no}, {app + "/deprovisioning", form, no},
			{"apps", url.Values{"template": {tenant.NonGallery.ID}, "name": {"Mine"}}, no},
			{"audit", nil, no}, {"clients", nil, no}, {"roles", nil, yes},
			{"users/" + joe + "/groups", nil, yes}, {"users/" + joe + "/authentication", nil, yes},
			{"users/" + joe + "/applications", nil, yes}, {"users/" + joe + "/audit", nil, no},
			{"users/" + joe + "/sign-ins", nil, no}, {"users/and%2For@northwind.example/audit", nil, no},
			{"users/and%2For@northwind.example", nil, yes},
			{"users/" + gale + "/password", url.Values{"password": {"Another horse 2!"}}, no},
			{"users/" + gale + "/delete", form, no}, {"users/" + gale, url.Values{"enabled": {"false"}}, no},
			{"roles", url.Values{
				"who": {"uma@northwind.example"}, "role": {string(tenant.GlobalAdministrator)},
			}, no},
			{"administrators", url.Values{"name": {"mallory"}}, no}, {"account", nil, no},
		},
		"pia": {
			{"apps", nil, yes}, {app + "/assignments", url.Values{"name": {"carl@northwind.example"}}, yes},
			{app + "/provisioning", nil, no}, {"clients", nil, no}, {app + "/provisioning/start", form, no},
			{app + "/assignments/delete", url.Values{"assignment": {"x"}}, http.StatusNotFound},
		},
		"carl": {
			{"apps", nil, yes}, {"clients", nil, yes}, {"audit", nil, yes}, {"users", nil, yes},
			{"clients", url.Values{"name": {"robot"}, "permission": {"Directory.ReadWrite.All"}}, no},
			{"clients", url.Values{"name": {"harmless"}}, yes}, {"users/" + joe + "/delete", form, no},
		},
		"rita": {
			{"users/" + joe + "/audit", nil, yes}, {"users/" + joe + "/sign-ins", nil, yes},
			{"users/" + joe + "/authentication", nil, no}, {"users/" + joe + "/applications", nil, no},
			{"audit", nil, yes}, {"sign-in-logs", nil, yes}, {"apps", nil, no},
			{app + "/assignments", nil, no}, {app + "/assignments", form, no}, {"users/" + joe, form, no},
		},
		"gale": {
			{"users/" + joe, url.Values{"title": {"Chief"}}, yes}, {"audit", nil, yes}, {"clients", nil, yes},
			{"administrators", url.Values{"name": {"another"}}, yes},
		},
	} {
		v, status := signIn(name)
		if status != http.StatusOK {
			t.Errorf("%s cannot sign in: %d", name, status)
			continue
		}
		for _, x := range asks {
			method := http.MethodGet
			if x.form != nil {
				method = http.MethodPost
			}
			if status, page := v.Send(method, s.URL+"/admin/"+x.path, x.form); status != x.want {
				t.Errorf("%s: %s %s: %d, want %d: %s", name, method, x.path, status, x.want, page)
			}
		}
	}
	uma, _ := signIn("uma")
	asksNot(t, s, uma, joe, gale)
	ctx := context.Background()
	list, err := s.RoleAssignments(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.PrincipalID == people["uma"].ID {
			admin.IsSure(s.URL+"/admin/roles/delete", url.Values{"assignment": {a.ID}}, "The role is taken away.")
		}
	}
	if _, page := uma.Send(http.MethodGet, s.URL+"/admin/users", nil); strings.Contains(page, "joe@northwind.example") {
		t.Error("a session outlives the role")
	}
}

// asksNot looks at what a User Administrator is asked about somebody and a Global Administrator.
func asksNot(t *testing.T, s *tenanttest.Server, uma webtest.Visitor, joe, gale string) {
	t.Helper()
	const gales, joes = "gale@northwind.example", "joe@northwind.example)"
	const stronger = "only somebody with a stronger one may do this"
	status, page := uma.Send(http.MethodPost, s.URL+"/admin/users/"+gale+"/delete", nil)
	if status != http.StatusForbidden || !strings.Contains(page, stronger) {
		t.Errorf("what will be refused is asked: %d %s", status, page)
	}
	logged := func() string {
		events, err := s.Events(context.Background(), 1)
		if err != nil || len(events) == 0 {
			t.Fatal(events, err)
		}
		return events[0].ID
	}
	for _, do := range []string{"Disable", "Delete"} {
		before := logged()
		form := url.Values{"do": {strings.ToLower(do)}, "pick": {gale, joe}}
		page := uma.Does(s.URL+"/admin/users/chosen", form, do+" 1 user?")
		if !strings.Contains(page, "Not done for "+gales) || !strings.Contains(page, stronger) ||
			!strings.Contains(page, joes) {
			t.Errorf("the question before several: %s", page)
		}
		for _, id := range []string{joe, gale} {
			if u, err := s.UserByIDOrName(context.Background(), id); err != nil || !u.Enabled {
				t.Errorf("a question has done it: %+v, %v", u, err)
			}
		}
		if logged() != before {
			t.Error("a question about several stands in the log")
		}
		form.Set("pick", gale)
		if status, _ := uma.Send(http.MethodPost, s.URL+"/admin/users/chosen", form); status != http.StatusForbidden {
			t.Errorf("%s of all who are chosen would be refused: %d", do, status)
		}
		if logged() == before {
			t.Error("what would be refused for all is not in the log")
		}
	}
	form := url.Values{"do": {"disable"}, "pick": {gale, joe}, "sure": {"yes"}}
	uma.Does(s.URL+"/admin/users/chosen", form, "Done: 1 of 2. Not done for "+gales)
	form = url.Values{"do": {"enable"}, "pick": {joe}}
	uma.Does(s.URL+"/admin/users/chosen", form, "1 user enabled.")
}

// TestAPageOffersWhatARoleOpens: no link of a page leads to a refusal, nor does a form of an
// application, such as for those who give applications to people and see no more of them.
func TestAPageOffersWhatARoleOpens(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	admin := s.AdminCenter()
	wiki, err := s.Instantiate(context.Background(), tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateJob(context.Background(), tenanttest.Actor, wiki.ServicePrincipalID, "scim"); err != nil {
		t.Fatal(err)
	}
	joe := s.NewPerson("joe@northwind.example")
	app := "apps/" + string(wiki.ID)
	pages := []string{"", "apps", app, app + "/assignments", "users/" + string(joe.ID)}
	content := func(v webtest.Visitor, path string) string {
		_, page := v.Send(http.MethodGet, s.URL+"/admin/"+path, nil)
		_, main, _ := strings.Cut(page, "<main")
		return main
	}
	whole := ""
	for _, path := range pages {
		whole += content(admin, path)
	}
	for _, link := range []string{
		"apps/gallery", app + "/saml", app + "/provisioning", app + "/delete", "sign-in-logs",
	} {
		if !strings.Contains(whole, `"/admin/`+link) {
			t.Errorf("an administrator is not offered %s", link)
		}
	}
	offered := regexp.MustCompile(`href="(/admin/[^"#]*)`)
	for role, path := range map[tenant.RoleTemplateID]string{
		tenant.UserAdministrator: app, tenant.PrivilegedRoleAdministrator: app, tenant.ReportsReader: "sign-in-logs",
		tenant.CloudApplicationAdministrator: app + "/saml",
	} {
		name := s.NewPerson(string(role[:8]) + "@northwind.example").UserPrincipalName
		admin.Does(s.URL+"/admin/roles", url.Values{"who": {name}, "role": {string(role)}}, " now.")
		v := s.Visitor()
		v.Send(http.MethodPost, s.URL+"/admin/login", url.Values{
			"username": {name}, "password": {tenanttest.Password},
		})
		if status, _ := v.Send(http.MethodGet, s.URL+"/admin/"+path, nil); status != http.StatusOK {
			t.Errorf("%s: %s answers %d", name, path, status)
		}
		for _, path := range pages {
			page := content(v, path)
			for _, link := range offered.FindAllStringSubmatch(page, -1) {
				status, _ := v.Send(http.MethodGet, s.URL+html.UnescapeString(link[1]), nil)
				if status == http.StatusForbidden {
					t.Errorf("%s is offered %s on %q, which is refused", name, link[1], path)
				}
			}
			if role != tenant.CloudApplicationAdministrator && strings.Contains(page, app+"/delete") {
				t.Errorf("%s is offered to delete the application", name)
			}
		}
	}
}

// TestAnApplicationThatTheGalleryDoesNotHave is made, set up and provisioned like any other.
func TestAnApplicationThatTheGalleryDoesNotHave(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	admin := s.AdminCenter()
	if page := admin.Get(s.URL + "/admin/apps/gallery"); !strings.Contains(page, tenant.NonGallery.ID) {
		t.Error("the gallery does not offer it")
	}
	admin.Does(s.URL+"/admin/apps", url.Values{"template": {tenant.NonGallery.ID}, "name": {"Wiki"}},
		"The application is created.")
	apps, err := s.Applications(context.Background())
	if err != nil || len(apps) != 1 || apps[0].TemplateID != tenant.NonGallery.ID {
		t.Fatalf("applications %+v, %v", apps, err)
	}
	job, err := s.CreateJob(context.Background(), tenanttest.Actor, apps[0].ServicePrincipalID, "scim")
	if err != nil || !strings.HasPrefix(string(job.ID), "scim.") {
		t.Errorf("job %s, %v", job.ID, err)
	}
	page := admin.Get(s.URL + "/admin/apps/" + string(apps[0].ID) + "/provisioning")
	if !strings.Contains(page, "Wiki") {
		t.Error("its provisioning has no page")
	}
}
