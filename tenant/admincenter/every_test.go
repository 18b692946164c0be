package admincenter_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAllThatAListHasIsChangedAtOnce: all that matches, on every page and no more. The question
// says how many, and a yes is one to these: if others match by then, it is asked again.
func TestAllThatAListHasIsChangedAtOnce(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), tenanttest.Serve(t)
	v := s.AdminCenter()
	fill(t, s)
	users, chosen := s.URL+"/admin/users", s.URL+"/admin/users/chosen"
	switched := func(id tenant.UserID, on bool) {
		t.Helper()
		if _, err := s.UpdateUser(ctx, tenanttest.Actor, id, func(u *tenant.User) { u.Enabled = on }); err != nil {
			t.Fatal(err)
		}
	}
	enabled := func(want int) {
		t.Helper()
		yes := true
		list, err := s.FindUsers(ctx, tenant.Query{Enabled: &yes, Search: "number"})
		if err != nil || list.Total != want {
			t.Errorf("%d are enabled, want %d: %v", list.Total, want, err)
		}
	}
	list := v.Get(users + "?q=number&status=enabled&sort=-name")
	_, form := v.Form(list, "matching")
	if form.Get("matching") != "q=number&sort=-name&status=enabled" || !strings.Contains(list, "All 108 of the list") {
		t.Fatalf("the box for all: %v on %s", form, list)
	}
	if one := v.Get(users + "?q=117"); strings.Contains(one, `name="every"`) {
		t.Errorf("all are on the page: %s", one)
	}
	form.Set("every", "108")
	form.Set("do", "disable")
	asked := v.Does(chosen, form, "Disable 108 users?")
	for _, want := range []string{"=Number 119 (user-119@x.example)", "and 98 more"} {
		if !strings.Contains(asked, want) || strings.Contains(asked, "has changed") {
			t.Errorf("want %q in %s", want, asked)
		}
	}
	enabled(108)
	switched("user-119", false)
	asked = v.Does(chosen, webtest.Hidden(asked), "it had 108, and has 107 now.")
	if !strings.Contains(asked, "Disable 107 users?") || strings.Contains(asked, "=Number 119") {
		t.Errorf("asked again: %s", asked)
	}
	enabled(107)
	switched("user-119", true) // as many, but others
	switched("user-118", false)
	asked = v.Does(chosen, webtest.Hidden(asked), "they are not the same")
	enabled(107)
	after := v.Does(chosen, webtest.Hidden(asked), "107 users disabled")
	if !strings.Contains(after, "No users are like that") || !strings.Contains(after, `aria-sort="descending"`) {
		t.Errorf("it comes back to another list: %s", after)
	}
	enabled(0)
	form.Set("do", "enable")
	v.Does(chosen, form, "The list is empty now")
	form.Set("matching", "q=Number")
	form.Set("sure", "yes") // nobody was asked about these
	asked = v.Does(chosen, form, "Enable 120 users?")
	enabled(0)
	v.Does(chosen, webtest.Hidden(asked), "120 users enabled.")
	enabled(120)
	form.Set("matching", "q=number&status=%zz") // to leave a filter out would mean more
	v.Does(chosen, form, "The list is empty now")
}

// TestAllThatAListHasIsTakenOut: members and assignments, and groups are deleted; all of a list
// goes into a file too; and so many at once are too many.
func TestAllThatAListHasIsTakenOut(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), tenanttest.Serve(t)
	v := s.AdminCenter()
	app := fill(t, s)
	assignments := "/admin/apps/" + string(app) + "/assignments"
	for list, x := range map[string]struct{ post, title, done string }{
		assignments: {assignments + "/delete", "Remove 111 assignments", "111 assignments removed"},
		"/admin/groups/group-000": {
			"/admin/groups/group-000/members/remove", "Remove 111 members", "111 members removed",
		},
	} {
		page := v.Get(s.URL + list + "?kind=User&q=number+0")
		_, form := v.Form(page, "matching")
		form.Set("every", "111")
		file := url.Values{"chosen": {"json"}, "every": {"111"}, "matching": form["matching"], "pick": {"user-001"}}
		var rows []map[string]string
		err := json.Unmarshal([]byte(v.Get(s.URL+list+"?"+file.Encode())), &rows)
		if err != nil || len(rows) != 111 {
			t.Errorf("%s: %d in the file of all, %v", list, len(rows), err)
		}
		asked := v.Does(s.URL+x.post, form, x.title)
		v.Does(s.URL+x.post, webtest.Hidden(asked), x.done)
		if page := v.Get(s.URL + list); !strings.Contains(page, "of 9<") {
			t.Errorf("%s: what is left: %s", list, page)
		}
	}
	_, form := v.Form(v.Get(s.URL+"/admin/groups?q=number"), "matching")
	form.Set("every", "120")
	form.Set("do", "delete")
	asked := v.Does(s.URL+"/admin/groups/chosen", form, "Delete 120 groups?")
	v.Does(s.URL+"/admin/groups/chosen", webtest.Hidden(asked), "120 groups deleted.")
	wiki, err := s.Instantiate(ctx, tenanttest.Actor, tenant.NonGallery, "Wiki")
	if err != nil {
		t.Fatal(err)
	}
	give := url.Values{
		"every": {"120"}, "matching": {"q=number"}, "do": {"assign"}, "application": {string(wiki.ID)},
	}
	asked = v.Does(s.URL+"/admin/users/chosen", give, "Assign Wiki to 120 users?")
	v.Does(s.URL+"/admin/users/chosen", webtest.Hidden(asked), "120 assignments are created.")
	if err := s.Store.Update(ctx, func(tx tenant.Tx) error {
		for i := range 1000 {
			id := s.NewID()
			if err := tx.PutUser(tenant.User{
				ID: tenant.UserID(id), UserPrincipalName: id + "@x.example", DisplayName: "More", Enabled: i > 0,
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if page := v.Get(s.URL + "/admin/users"); !strings.Contains(page, "at most 1000 can be changed at once") {
		t.Errorf("the bound is not said: %s", page)
	}
	give.Set("matching", "")
	if status, page := v.Send(http.MethodPost, s.URL+"/admin/users/chosen", give); status != http.StatusBadRequest ||
		!strings.Contains(page, "Take at most 1000 at once") {
		t.Errorf("too many: %d %s", status, page)
	}
}
