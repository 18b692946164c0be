package admincenter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestNoListIsCutOff: of a directory that is larger than a page, every list shows how much there
// is, leads to all of it, finds what is not on the page, and goes into a file as it is filtered.
func TestNoListIsCutOff(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	v := s.AdminCenter()
	app := fill(t, s)
	admin := s.URL + "/admin"
	for list, want := range map[string]struct{ total, found int }{
		admin + "/users":                                {120, 1},
		admin + "/groups":                               {120, 1},
		admin + "/groups/group-000":                     {120, 1},
		admin + "/apps/" + string(app) + "/assignments": {120, 1},
		admin + "/deleted?of=users":                     {120, 1},
	} {
		t.Run(strings.TrimPrefix(list, admin), func(t *testing.T) {
			sep := "?"
			if strings.Contains(list, "?") {
				sep = "&"
			}
			page := v.Get(list)
			if total := fmt.Sprintf("1–50 of %d", want.total); !strings.Contains(page, total) || len(page) > 100_000 {
				t.Errorf("%d bytes without %q: %s", len(page), total, page)
			}
			if page = v.Get(list + sep + "offset=100"); !strings.Contains(page, "101–120 of 120") {
				t.Errorf("the last page: %s", page)
			}
			page = v.Get(list + sep + "q=" + url.QueryEscape("117 NUMBER"))
			if !strings.Contains(page, "Number 117") || strings.Contains(page, "Number 116") {
				t.Errorf("searched: %s", page)
			}
			if page = v.Get(list + sep + "sort=-name"); !strings.Contains(page, "Number 119") ||
				!strings.Contains(page, `aria-sort="descending"`) {
				t.Errorf("in the other order: %s", page)
			}
			var all []map[string]string
			file := v.Get(list + sep + "format=json&q=number&offset=5")
			if err := json.Unmarshal([]byte(file), &all); err != nil || len(all) != want.total {
				t.Errorf("%d of %d in the file, %v", len(all), want.total, err)
			}
			file = v.Get(list + sep + "format=csv&q=117")
			if strings.Count(file, "\n") != 1+want.found || !strings.Contains(file, "'=Number 117") {
				t.Errorf("the file of what was found: %s", file)
			}
			if none := v.Get(list + sep + "chosen=csv"); !strings.Contains(none, "Choose at least one row to export") {
				t.Errorf("nothing was chosen: %s", none)
			}
			picks := regexp.MustCompile(`name="pick" value="([^"]+)"`).FindAllStringSubmatch(v.Get(list), 3)
			q := url.Values{"chosen": {"csv"}, "pick": {picks[0][1], picks[2][1]}}
			if file = v.Get(list + sep + q.Encode()); strings.Count(file, "\n") != 3 {
				t.Errorf("the file of two rows that were chosen: %s", file)
			}
		})
	}
	for list, want := range map[string]string{ // no column of a file is another list's
		"/groups/group-000":                     "id,type,displayName,userPrincipalName\n",
		"/apps/" + string(app) + "/assignments": "id,type,displayName,userPrincipalName,role,assignmentId\n",
	} {
		if file := v.Get(admin + list + "?format=csv"); !strings.HasPrefix(strings.ReplaceAll(file, "\r", ""), want) {
			t.Errorf("the file of %s begins with %.80q", list, file)
		}
	}
	disabled := v.Get(admin + "/users?status=disabled")
	if !strings.Contains(disabled, "1–12 of 12<") || strings.Contains(disabled, ">Enabled</span>") {
		t.Errorf("who is disabled: %s", disabled)
	}
	for query, total := range map[string]string{
		"/users?applications=with": "of 120<", "/users?applications=without": "No users are like that",
		"/users?type=Guest": "No users are like that", "/users?type=Member&status=disabled": "of 12<",
		"/groups?applications=without&q=number": "of 120<", "/groups?applications=with": "No groups are like that",
	} {
		if page := v.Get(admin + query); !strings.Contains(page, total) || !strings.Contains(page, " selected>") {
			t.Errorf("%s: want %s on %s", query, total, page)
		}
	}
}

// TestWhichColumnsTheListOfUsersShowsIsInItsAddress: and it stays when the list is searched, put in
// order, turned to another page, and for a file.
func TestWhichColumnsTheListOfUsersShowsIsInItsAddress(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	v := s.AdminCenter()
	fill(t, s)
	list := s.URL + "/admin/users"
	if _, err := s.UpdateUser(context.Background(), tenanttest.Actor, "user-007", func(u *tenant.User) {
		u.City, u.Mail = "Osaka", "seven@x.example"
	}); err != nil {
		t.Fatal(err)
	}
	head := func(page string) string {
		t.Helper()
		var names []string
		table, _, _ := strings.Cut(page, "</thead>")
		for _, m := range regexp.MustCompile(`(?s)<th scope="col"[^>]*>(.*?)</th>`).FindAllStringSubmatch(table, -1) {
			names = append(names, strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[1], "")))
		}
		return strings.Join(names[1:], ", ")
	}
	plain := v.Get(list)
	if got := head(plain); got != "Display name, User principal name, Job title, Department, Account" {
		t.Errorf("at the beginning: %s", got)
	}
	if strings.Contains(plain, `type="hidden" name="column" value="city"`) {
		t.Errorf("a choice that nobody has made: %s", plain)
	}
	chosen := "column=displayName&column=city&column=mail&column=id&column=nonsense"
	page := v.Get(list + "?q=number&status=enabled&sort=-upn&" + chosen)
	if got := head(page); got != "Display name, Email, City, Object ID" {
		t.Errorf("chosen: %s", got)
	}
	for _, want := range []string{
		`name="column" value="city" checked`, `type="hidden" name="column" value="city"`,
		`type="hidden" name="sort" value="-upn"`, `href="?q=number&amp;sort=-upn&amp;status=enabled"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("want %s on %s", want, page)
		}
	}
	for what, link := range map[string]*regexp.Regexp{
		"the next page": regexp.MustCompile(`href="([^"]+)" rel="next"`),
		"another order": regexp.MustCompile(`href="(\?[^"]*sort=name[^"]*)"`),
	} {
		if got := head(v.Get(list + webtest.Match(t, page, link))); got != "Display name, Email, City, Object ID" {
			t.Errorf("%s has %s", what, got)
		}
	}
	file := v.Get(list + webtest.Match(t, page, regexp.MustCompile(`href="([^"]+)" download>CSV`)))
	lines := strings.Split(strings.ReplaceAll(file, "\r", ""), "\n")
	if lines[0] != "id,displayName,mail,city" ||
		!strings.Contains(file, "user-007,'=Number 007,seven@x.example,Osaka") {
		t.Errorf("the file: %s", file)
	}
	one := v.Get(list + "?chosen=csv&pick=user-007&" + chosen)
	if strings.Count(one, "\n") != 2 || !strings.Contains(one, "Osaka") {
		t.Errorf("the file of one row: %s", one)
	}
	if none := head(v.Get(list + "?column=displayName")); none != "Display name" {
		t.Errorf("no other column: %s", none)
	}
}

// fill makes 120 users, all of them members and assigned, 120 groups, and 120 deleted users.
func fill(t *testing.T, s *tenanttest.Server) tenant.ApplicationID {
	t.Helper()
	app, err := s.Instantiate(context.Background(), audit.SystemActor, tenant.Gallery[0], "AWS")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store.Update(context.Background(), func(tx tenant.Tx) error {
		for i := range 120 {
			id, name := fmt.Sprintf("user-%03d", i), fmt.Sprintf("=Number %03d", i)
			u := tenant.User{
				ID: tenant.UserID(id), UserPrincipalName: id + "@x.example", DisplayName: name, Enabled: i%10 != 0,
			}
			gone := u
			gone.ID, gone.UserPrincipalName = tenant.UserID("gone-"+id), "gone-"+u.UserPrincipalName
			for _, err := range []error{
				tx.PutUser(u),
				tx.PutGroup(tenant.Group{ID: tenant.GroupID(fmt.Sprintf("group-%03d", i)), DisplayName: name}),
				tx.PutMember(tenant.Member{
					GroupID: "group-000", MemberID: tenant.PrincipalID(id), Kind: tenant.KindUser,
				}),
				tx.PutAssignment(tenant.Assignment{
					ID: tenant.AssignmentID("a" + id), ServicePrincipalID: app.ServicePrincipalID,
					PrincipalID: tenant.PrincipalID(id), PrincipalKind: tenant.KindUser,
				}),
				tx.PutDeletedItem(tenant.DeletedItem{
					ID: string(gone.ID), Kind: tenant.KindUser, DeletedAt: time.Now(), User: &gone,
				}),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return app.ID
}

// TestAPersonsPageSaysWhatApplicationsWereTold: where somebody is provisioned, by which id, what
// was sent of them, and why it failed.
func TestAPersonsPageSaysWhatApplicationsWereTold(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v := e.TenantAdministrator()
	link := regexp.MustCompile(`href="(/admin/users/[0-9a-f-]{36})"`)
	page := func(q string) string {
		of := link.FindStringSubmatch(v.Get(e.Tenant.URL + "/admin/users?q=" + q))[1]
		return v.Get(e.Tenant.URL + of + "/provisioning")
	}
	amara := page("amara")
	for _, want := range []string{">Provisioned<", "What it was sent", "<code>userName</code>", pairtest.Amara} {
		if !strings.Contains(amara, want) {
			t.Errorf("want %q on %s", want, amara)
		}
	}
	if teller := page("teller"); !strings.Contains(teller, ">Fails<") || !strings.Contains(teller, "familyName") {
		t.Errorf("who fails: %s", teller)
	}
	overview := v.Get(e.Tenant.URL + "/admin/")
	for _, want := range []string{"Provisioning cycles", "with failures", "Sign-ins"} {
		if !strings.Contains(overview, want) {
			t.Errorf("the overview has no %q: %s", want, overview)
		}
	}
	about := v.Get(e.Tenant.URL + "/admin/settings/about")
	if !strings.Contains(about, e.Tenant.TenantID) || !strings.Contains(about, `aria-current="page">About<`) {
		t.Errorf("about: %s", about)
	}
	v.Does(e.Tenant.URL+"/admin/roles/demand", url.Values{"demand": {""}}, "The requirement is saved.")
}

// TestTheProvisioningLogIsSearched: by status, action and name, page by page, and as a file.
func TestTheProvisioningLogIsSearched(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v := e.TenantAdministrator()
	page := e.Tenant.URL + "/admin/apps/" + e.Tenant.ApplicationID + "/provisioning"
	if err := json.Unmarshal([]byte(v.Get(page+"?format=json")), &[]map[string]string{}); err != nil {
		t.Error(err)
	}
	if found := v.Get(page + "?q=TELLER&status=failure"); !strings.Contains(found, "teller@northwind.example") ||
		strings.Contains(found, "<span>mei.tanaka") {
		t.Errorf("who failed: %s", found)
	}
	if none := v.Get(page + "?q=nobody"); !strings.Contains(none, "Nothing in the whole log is like that") {
		t.Errorf("nobody: %s", none)
	}
	file := v.Get(page + "?q=mei.tanaka&action=create&format=csv")
	if !regexp.MustCompile(`(?m)^[^\n]*,User,mei\.tanaka@northwind\.example,create,success,`).MatchString(file) {
		t.Errorf("the file: %s", file)
	}
	if status, _ := v.Send(http.MethodGet, page+"?after=x%20y", nil); status != http.StatusOK {
		t.Errorf("a place that is none: %d", status)
	}
}

// TestAnEntryAboutAllLeadsToNobody: the log says of a kind, and of no object, that a target does
// not list it.
func TestAnEntryAboutAllLeadsToNobody(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	app, err := s.Instantiate(t.Context(), audit.SystemActor, tenant.Gallery[0], "AWS")
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.CreateJob(t.Context(), audit.SystemActor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store.Update(t.Context(), func(tx tenant.Tx) error {
		return tx.AppendLog([]tenant.LogEntry{{
			ID: "1", JobID: j.ID, Time: time.Now(), Kind: tenant.KindUser, Name: "all users", Action: "other",
			Status: "skipped", Code: "ListUnread", Reason: "the target does not list its users",
		}})
	}); err != nil {
		t.Fatal(err)
	}
	page := s.AdminCenter().Get(s.URL + "/admin/apps/" + string(app.ID) + "/provisioning")
	if !strings.Contains(page, "does not list its users") || strings.Contains(page, `href="/admin/users/"`) {
		t.Errorf("the log: %s", page)
	}
}
