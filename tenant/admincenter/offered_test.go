package admincenter_test

import (
	"cmp"
	"context"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

var (
	links = regexp.MustCompile(`href="(/admin[^"#]*)`)
	forms = regexp.MustCompile(`(?is)<form\b[^>]*>.*?</form>`)
	heads = regexp.MustCompile(`(?is)^<form\b[^>]*>|<button\b[^>]*>`)
	tells = regexp.MustCompile(`(?is)\s(form)?(method|action|name|value)="([^"]*)"`)
	ids   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[0-9A-F]{40}`)
)

// TestWhatIsOfferedIsAllowed walks, with each directory role, all pages that it is led to: no link
// and no form there is refused for want of a role, and whoever administers all is offered all.
func TestWhatIsOfferedIsAllowed(t *testing.T) {
	t.Parallel()
	offered := map[tenant.RoleTemplateID]int{}
	for _, role := range tenant.DirectoryRoles {
		s := tenanttest.Serve(t)
		v := offering(t, s, role.ID)
		pages, actions := walk(t, v, s.URL)
		if pages < 4 {
			t.Errorf("%s is led to %d pages", role.DisplayName, pages)
		}
		offered[role.ID] = len(actions)
		order := slices.SortedFunc(maps.Keys(actions), func(a, b string) int {
			return cmp.Or(strings.Count(a, "delete")-strings.Count(b, "delete"), strings.Compare(a, b))
		})
		for _, action := range order { // what deletes comes last
			form := actions[action]
			form.Set("x", "y")
			if status, page := v.Send(http.MethodPost, s.URL+action, form); status == http.StatusForbidden {
				t.Errorf("%s is offered %s %v, which is refused: %s", role.DisplayName, action, form,
					regexp.MustCompile(`(?s)<main.*?</main>`).FindString(page))
			}
		}
	}
	for role, least := range map[tenant.RoleTemplateID]int{
		tenant.GlobalAdministrator: 25, tenant.UserAdministrator: 8, tenant.ApplicationAdministrator: 15,
		tenant.HelpdeskAdministrator: 2, tenant.AuthenticationAdministrator: 3, tenant.GroupsAdministrator: 3,
	} {
		if offered[role] < least {
			t.Errorf("%s is offered %d forms, want %d: %v", role, offered[role], least, offered)
		}
	}
	if offered[tenant.GlobalReader] > 0 || offered[tenant.ReportsReader] > 0 { // but to sign out
		t.Errorf("who only reads is offered forms: %v", offered)
	}
}

// TestAPageWithoutItsFormsKeepsItsHeadings: who only reads sees no search for whom to add, and what
// is left of the page still says what it is.
func TestAPageWithoutItsFormsKeepsItsHeadings(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	v := offering(t, s, tenant.GlobalReader)
	ann := s.NewPerson("ann@northwind.example")
	all, err := s.Groups(context.Background(), tenant.Query{})
	if err != nil {
		t.Fatal(err)
	}
	apps, err := s.Applications(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	wiki := "/admin/apps/" + string(apps[slices.IndexFunc(apps, func(a tenant.Application) bool {
		return a.DisplayName == "Wiki"
	})].ID)
	for at, x := range map[string]struct{ gone, stays string }{
		"/admin/roles": {"Assign a role", "<h1>Roles</h1>"},
		"/admin/users/" + string(ann.ID) + "/groups": {"Add to groups", "<h2>Groups</h2>"},
		"/admin/groups/" + string(all[0].ID):         {"Add member", "<h2>Direct members (1)</h2>"},
		wiki + "/assignments":                        {"Add user or group", "<h2>Users and groups</h2>"},
		wiki + "/provisioning":                       {"Provision on demand", "<h2>Current cycle status</h2>"},
	} {
		page := v.Get(s.URL + at)
		offers := strings.Contains(page, x.gone) || strings.Contains(page, `formmethod="post"`)
		if offers || !strings.Contains(page, x.stays) {
			t.Errorf("%s offers %q or does not have %s: %s", at, x.gone, x.stays, page)
		}
	}
}

// offering is somebody with a directory role, in a tenant that has something of everything.
func offering(t *testing.T, s *tenanttest.Server, role tenant.RoleTemplateID) webtest.Visitor {
	t.Helper()
	ctx := context.Background()
	admin := s.AdminCenter()
	wiki, err := s.Instantiate(ctx, tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateJob(ctx, tenanttest.Actor, wiki.ServicePrincipalID, "scim"); err != nil {
		t.Fatal(err)
	}
	joe, gone := s.NewPerson("joe@northwind.example"), s.NewPerson("gone@northwind.example")
	group, err := s.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: "All", SecurityEnabled: true})
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.CreateGroup(ctx, tenanttest.Actor, tenant.Group{DisplayName: "Old", SecurityEnabled: true})
	if err != nil {
		t.Fatal(err)
	}
	past, err := s.Instantiate(ctx, tenanttest.Actor, tenant.NonGallery, "Past")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		s.AddMember(ctx, tenanttest.Actor, group.ID, tenant.PrincipalID(joe.ID)),
		s.DeleteUser(ctx, tenanttest.Actor, gone.ID), s.DeleteGroup(ctx, tenanttest.Actor, old.ID),
		s.DeleteApplication(ctx, tenanttest.Actor, tenant.AnyApplicationID(past.ID)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Store.Update(ctx, func(tx tenant.Tx) error {
		return tx.PutFactors(tenant.Factors{Account: tenant.AccountID(joe.ID), SealedSecret: "sealed"})
	}); err != nil {
		t.Fatal(err)
	}
	app := s.URL + "/admin/apps/" + string(wiki.ID)
	admin.Does(app+"/assignments", url.Values{"name": {"joe@northwind.example"}}, "is created.")
	admin.Does(app+"/saml/certificates", url.Values{"do": {"new"}}, "certificate")
	admin.Does(s.URL+"/admin/clients", url.Values{"name": {"robot"}}, "Client secret")
	name := s.NewPerson("role@northwind.example").UserPrincipalName
	admin.Does(s.URL+"/admin/roles", url.Values{"who": {name}, "role": {string(role)}}, " now.")
	v := s.Visitor()
	v.Send(http.MethodPost, s.URL+"/admin/login", url.Values{"username": {name}, "password": {tenanttest.Password}})
	return v
}

// walk follows links from the first page. It returns how many kinds of pages there are, and one
// form for each kind of address that forms on them are sent to.
func walk(t *testing.T, v webtest.Visitor, site string) (pages int, actions map[string]url.Values) {
	t.Helper()
	actions = map[string]url.Values{}
	seen, kinds := map[string]bool{}, map[string]bool{}
	waiting := []string{"/admin/"}
	for len(waiting) > 0 {
		at := waiting[0]
		waiting = waiting[1:]
		path, _, _ := strings.Cut(at, "?")
		kind := ids.ReplaceAllString(path, "{id}")
		if strings.Contains(at, "?of=") { // each tab is a page
			kind = ids.ReplaceAllString(at, "{id}")
		}
		if seen[kind] || strings.Contains(at, "format=") {
			continue
		}
		seen[kind] = true
		status, page := v.Send(http.MethodGet, site+at, nil)
		if status == http.StatusForbidden {
			t.Errorf("%s is offered and refused", at)
		}
		for _, link := range links.FindAllStringSubmatch(page, -1) {
			waiting = append(waiting, html.UnescapeString(link[1]))
		}
		for _, form := range forms.FindAllString(page, -1) {
			for action, fields := range posts(form, path) {
				kind := ids.ReplaceAllString(action, "{id}") + strings.TrimPrefix(at, path)
				if !strings.HasSuffix(action, "/logout") && !kinds[kind] {
					kinds[kind] = true
					actions[action] = fields
				}
			}
		}
	}
	return len(seen), actions
}

// posts are the addresses that a form of a page posts to, by itself or by a button that says so,
// each with what it sends.
func posts(form, page string) map[string]url.Values {
	all := map[string]url.Values{}
	of := map[string]string{"action": page}
	for n, tag := range heads.FindAllString(form, -1) {
		button := maps.Clone(of)
		delete(button, "name")
		for _, m := range tells.FindAllStringSubmatch(tag, -1) {
			button[m[2]] = html.UnescapeString(m[3])
		}
		if n == 0 {
			of = button
		}
		action, _, _ := strings.Cut(button["action"], "?")
		if all[action] != nil || !strings.EqualFold(button["method"], http.MethodPost) {
			continue
		}
		all[action] = webtest.Hidden(form)
		if n > 0 && button["name"] != "" {
			all[action].Set(button["name"], button["value"])
		}
	}
	return all
}
