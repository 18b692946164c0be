package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestSeveralRowsAreChangedAtOnce: the question says how many, and nothing is done before it is
// answered.
func TestSeveralRowsAreChangedAtOnce(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	console := a.URL + "/console"
	keys := url.Values{"back": {"/console/assignments"}}
	for _, account := range []string{"111122223333", "222233334444"} {
		x := center.Assignment{
			AccountID: account, PermissionSetARN: a.set.ARN, PrincipalType: "GROUP", PrincipalID: string(a.group.ID),
		}
		if _, err := a.CreateAssignment(ctx, centertest.Actor, x); err != nil {
			t.Fatal(err)
		}
		keys.Add("pick", strings.Join([]string{account, a.set.ARN, "GROUP", string(a.group.ID)}, " "))
	}
	var rows []map[string]string
	one := url.Values{"chosen": {"json"}, "pick": keys["pick"][1:]}
	file := a.v.Get(console + "/assignments?" + one.Encode())
	if err := json.Unmarshal([]byte(file), &rows); err != nil || len(rows) != 1 ||
		rows[0]["accountId"] != "222233334444" {
		t.Errorf("of the second assignment the file has %s, %v", file, err)
	}
	page := a.v.Does(console+"/assignments/delete", keys, "Delete 2 assignments?")
	if !strings.Contains(page, "Platform") || len(a.all(t)) != 2 {
		t.Errorf("the question: %s", page)
	}
	a.v.IsSure(console+"/assignments/delete", keys, "2 assignments deleted.")
	if list := a.all(t); len(list) != 0 {
		t.Errorf("there are still %+v", list)
	}
	refused(a.v, console+"/assignments/delete", keys, http.StatusNotFound, "There is no such assignment")
	refused(a.v, console+"/assignments/delete", url.Values{"pick": {"x"}}, http.StatusBadRequest, "")

	bob, eve := a.NewPerson("bob"), a.NewPerson("eve")
	both := url.Values{"pick": {string(bob.ID), string(eve.ID)}, "active": {"false"}}
	a.v.IsSure(console+"/users/active", both, "2 users disabled")
	for _, id := range []center.UserID{bob.ID, eve.ID} {
		if u, err := a.User(ctx, id); err != nil || u.Active {
			t.Errorf("%+v, %v", u, err)
		}
	}
	both.Set("active", "true")
	a.v.Does(console+"/users/active", both, "2 users enabled.")
	refused(a.v, console+"/users/active", nil, http.StatusBadRequest, "Choose at least one")
}

// TestAllThatAListHasIsChangedAtOnce: on every page, as the list is filtered, and only what the
// question was about.
func TestAllThatAListHasIsChangedAtOnce(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	console := a.URL + "/console"
	people := map[string]center.User{}
	for i := range 60 {
		name := fmt.Sprintf("crowd-%02d", i)
		u, err := a.CreateUser(ctx, centertest.Actor, centertest.Person(name))
		if err != nil {
			t.Fatal(err)
		}
		people[name] = u
		if _, err := a.CreateMembership(ctx, centertest.Actor, a.group.ID, people[name].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := a.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(people[name].ID),
		}); err != nil {
			t.Fatal(err)
		}
	}
	all := func(list string) url.Values {
		t.Helper()
		_, form := a.v.Form(a.v.Get(console+list), "matching")
		form.Set("every", "60")
		return form
	}
	form := all("/users?q=crowd&status=enabled&access=with")
	form.Set("active", "false")
	asked := a.v.Does(console+"/users/active", form, "Disable 60 users?")
	if err := a.SetUserActive(ctx, centertest.Actor, people["crowd-07"].ID, false); err != nil {
		t.Fatal(err)
	}
	asked = a.v.Does(console+"/users/active", webtest.Hidden(asked), "it had 60, and has 59 now.")
	a.v.Does(console+"/users/active", webtest.Hidden(asked), "59 users disabled")
	for name, u := range people {
		if u, err := a.User(ctx, u.ID); err != nil || u.Active {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
	form = all("/users?q=crowd&status=disabled")
	form.Set("active", "true")
	asked = a.v.Does(console+"/users/active", form, "Enable 60 users?")
	a.v.Does(console+"/users/active", webtest.Hidden(asked), "60 users enabled.")

	path := url.Values{"of": {"USER"}, "every": {"10"}, "matching": {"q=crowd-0"}}
	if page := a.v.Get(console + "/assign?" + path.Encode()); !strings.Contains(page, "and 9 more") {
		t.Errorf("the path of ten: %s", page)
	}
	members := "/groups/" + string(a.group.ID)
	file := all(members + "?q=crowd")
	file.Set("chosen", "csv")
	if rows := a.v.Get(console + members + "?" + file.Encode()); strings.Count(rows, "\n") != 61 {
		t.Errorf("the file of all: %s", rows)
	}
	asked = a.v.Does(console+members+"/members/remove", all(members+"?q=crowd"), "Remove 60 members")
	a.v.Does(console+members+"/members/remove", webtest.Hidden(asked), "60 members removed.")
	asked = a.v.Does(console+"/assignments/delete", all("/assignments?q=crowd"), "Delete 60 assignments?")
	a.v.Does(console+"/assignments/delete", webtest.Hidden(asked), "60 assignments deleted.")
	if list := a.all(t); len(list) != 0 {
		t.Errorf("there are still %+v", list)
	}
}

// TestWhatIsChosenInAListIsAssigned: the path begins with the rows that were chosen.
func TestWhatIsChosenInAListIsAssigned(t *testing.T) {
	t.Parallel()
	a := newAssigning(t)
	bob, eve := a.NewPerson("bob"), a.NewPerson("eve")
	for query, want := range map[string]string{
		url.Values{"of": {"USER"}, "pick": {string(bob.ID), string(eve.ID)}}.Encode():  "and 1 more",
		url.Values{"of": {"GROUP"}, "pick": {string(a.group.ID)}}.Encode():             "In which accounts?",
		url.Values{"of": {"where"}, "pick": {"111122223333", "222233334444"}}.Encode(): "Who gets it?",
		url.Values{"of": {"set"}, "pick": {path.Base(a.set.ARN)}}.Encode():             "Who gets it?",
	} {
		if page := a.v.Get(a.URL + "/console/assign?" + query); !strings.Contains(page, want) {
			t.Errorf("%s: want %q on %s", query, want, page)
		}
	}
	refused := a.v.Do(http.MethodGet, a.URL+"/console/assign?of=nothing&pick=x", nil)
	if refused.Status != http.StatusNotFound && refused.Status != http.StatusBadRequest {
		t.Errorf("what is no list: %d", refused.Status)
	}
	for list, form := range map[string]string{
		"users": "USER", "groups": "GROUP", "accounts": "where", "permission-sets": "set",
	} {
		page := a.v.Get(a.URL + "/console/" + list)
		if !strings.Contains(page, `name="of" value="`+form+`"`) || !strings.Contains(page, `form="bulk" name="pick"`) {
			t.Errorf("nothing of %s can be chosen: %s", list, page)
		}
	}
}

// TestMembersAreRemovedTogether: after a question that says how many.
func TestMembersAreRemovedTogether(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	group := a.URL + "/console/groups/" + string(a.group.ID)
	picks := url.Values{}
	for _, name := range []string{"bob", "eve", "joe"} {
		m, err := a.CreateMembership(ctx, centertest.Actor, a.group.ID, a.NewPerson(name).ID)
		if err != nil {
			t.Fatal(err)
		}
		if name != "joe" {
			picks.Add("pick", string(m.ID))
		}
	}
	other, err := a.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := a.URL + "/console/groups/" + string(other.ID)
	for _, wrong := range []string{
		elsewhere + "/members/remove", elsewhere + "/members/" + picks.Get("pick") + "/delete",
		a.URL + "/console/groups/nobody/members/remove",
	} {
		if got := a.v.Do(http.MethodPost, wrong, picks); got.Status != http.StatusNotFound {
			t.Errorf("%s answers %d", wrong, got.Status)
		}
	}
	a.v.IsSure(group+"/members/remove", picks, "2 members removed.")
	if page := a.v.Get(group); strings.Contains(page, ">bob<") || !strings.Contains(page, ">joe<") {
		t.Errorf("who is left: %s", page)
	}
	left, err := a.Memberships(ctx, center.MembershipQuery{GroupID: a.group.ID})
	if err != nil || len(left) == 0 {
		t.Fatal(left, err)
	}
	centertest.Federate(t, a.Center, "https://idp.example/")
	if _, err := a.CreateProvisioningTenant(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	got := a.v.Do(http.MethodPost, group+"/members/remove", url.Values{"pick": {string(left[0].ID)}})
	if got.Status < 400 || !strings.Contains(got.Text, "provisioning") {
		t.Errorf("members of a group that is provisioned: %d %s", got.Status, got.Text)
	}
}

// TestWhoHasAccessGoesIntoAFile: of an account, of a person, and only what administers; the
// administrators of the console do too.
func TestWhoHasAccessGoesIntoAFile(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	bob := a.NewPerson("bob")
	if _, err := a.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: "USER", PrincipalID: string(bob.ID),
	}); err != nil {
		t.Fatal(err)
	}
	console := a.URL + "/console/"
	for _, address := range []string{
		"accounts/111122223333?format=", "users/" + string(bob.ID) + "?format=",
		"access?all=yes&account=111122223333&format=",
	} {
		if file := a.v.Get(console + address + "csv"); !strings.Contains(file, ",bob,ENABLED,") ||
			!strings.Contains(file, ",DIRECT,") || strings.Count(file, "\n") != 2 {
			t.Errorf("%s: %s", address, file)
		}
		var all []map[string]string
		if err := json.Unmarshal([]byte(a.v.Get(console+address+"json")), &all); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v", address, all, err)
		}
	}
	if file := a.v.Get(console + "settings/administrators?format=csv"); !strings.HasPrefix(file, "name,createdAt,") ||
		strings.Count(file, "\n") != 2 {
		t.Errorf("the administrators: %s", file)
	}
}

// TestTheDashboardSaysHowThingsStand: sign-in, provisioning, sign-ins by day, and ids to copy.
func TestTheDashboardSaysHowThingsStand(t *testing.T) {
	t.Parallel()
	a := newAssigning(t)
	page := a.v.Get(a.URL + "/console/")
	for _, want := range []string{
		"How things stand", "Ready", "Users and groups are kept here.", "Sign-ins", "As a table",
		a.Instance.ARN, a.Instance.IdentityStoreID,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the dashboard does not show %q: %s", want, page)
		}
	}
}
