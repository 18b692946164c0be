package console_test

import (
	"context"
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

// assigning is a center with a group, two accounts in a unit, a permission set, and an
// administrator.
type assigning struct {
	*centertest.Server
	v       webtest.Visitor
	group   center.Group
	set     center.PermissionSet
	address string
}

func newAssigning(t *testing.T) assigning {
	t.Helper()
	ctx, s := context.Background(), centertest.Serve(t)
	ada := s.NewPerson("ada")
	a := assigning{Server: s, v: s.Console(), address: s.URL + "/console/assign"}
	var err error
	if a.group, err = s.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Platform"}); err != nil {
		t.Fatal(err)
	}
	if _, err = s.CreateMembership(ctx, centertest.Actor, a.group.ID, ada.ID); err != nil {
		t.Fatal(err)
	}
	if a.set, err = s.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Builder"}); err != nil {
		t.Fatal(err)
	}
	unit := []center.Unit{{ID: "r-1", Name: "Root"}, {ID: "ou-1", Name: "Workloads"}}
	if err := s.PutAccounts(ctx, centertest.Actor, []center.Account{
		{ID: "111122223333", Name: "Production", Units: unit, Tags: []center.Tag{{Key: "env", Value: "prod"}}},
		{ID: "222233334444", Name: "Staging", Units: unit},
	}); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a assigning) all(t *testing.T) []center.Assignment {
	t.Helper()
	list, err := a.Assignments(context.Background(), center.AssignmentQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestAssignIsAPath: each step offers what is there, keeps what was chosen, and the review counts.
func TestAssignIsAPath(t *testing.T) {
	t.Parallel()
	a := newAssigning(t)
	who, set := "GROUP:"+string(a.group.ID), path.Base(a.set.ARN)
	for _, step := range []struct {
		query string
		want  []string
	}{
		{"", []string{"Who gets it?", "Platform", "ada"}},
		{"?q=platf", []string{"Who gets it?", "Platform"}},
		{"?where=111122223333", []string{"Who gets it?", "Production"}},
		{"?who=" + who, []string{"In which accounts?", "Production", "Workloads", "env = prod", "now 2"}},
		{"?who=" + who + "&where=111122223333", []string{"Which permission sets?", "Builder", "ReadOnlyAccess"}},
		{"?who=" + who + "&where=111122223333&step=set&q=billing", []string{"job-function", "costs"}},
		{"?who=" + who + "&where=111122223333&step=who", []string{"Who gets it?", "checked"}},
		{"?who=" + who + "&where=111122223333&where=unit:ou-1&set=" + set, []string{
			"Is this right?", "1 member", "<strong>1</strong> assignment", "<strong>1</strong> rule",
		}},
		{"?who=" + who + "&where=111122223333&new=AdministratorAccess", []string{"Is this right?", "administers"}},
	} {
		page := a.v.Get(a.address + step.query)
		for _, want := range step.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not show %q: %s", step.query, want, page)
			}
		}
	}
	refused := func(query string, status int, word string) {
		t.Helper()
		if got, page := a.v.Send(http.MethodGet, a.address+query, nil); got != status || !strings.Contains(page, word) {
			t.Errorf("%s: %d, want %d and %q on %s", query, got, status, word, page)
		}
	}
	refused("?who=GROUP:nobody", http.StatusNotFound, "no such group")
	refused("?where=unit:ou-9", http.StatusBadRequest, "no account is in")
	refused("?where=000000000000", http.StatusNotFound, "")
	refused("?new=NoSuchPolicy", http.StatusBadRequest, "no such policy")
	many := url.Values{}
	for i := range 101 {
		many.Add("where", fmt.Sprintf("%012d", i))
	}
	refused("?"+many.Encode(), http.StatusBadRequest, "at most 100")
}

// TestWhatWasChosenIsAssigned: several of everything, a new permission set, what is there already,
// and nothing.
func TestWhatWasChosenIsAssigned(t *testing.T) {
	t.Parallel()
	a := newAssigning(t)
	who, set := "GROUP:"+string(a.group.ID), path.Base(a.set.ARN)
	assignments := a.URL + "/console/assignments"
	plan := url.Values{"who": {who}, "where": {"111122223333", "222233334444"}, "set": {set}}
	page := a.v.Does(assignments, plan, "2 assignments are created.")
	if !strings.Contains(page, "Platform") || !strings.Contains(page, "Access that it gives (2)") {
		t.Errorf("the group's page does not show them: %s", page)
	}
	if review := a.v.Get(a.address + "?" + plan.Encode()); !strings.Contains(review, "of which 2 are there already") {
		t.Errorf("what is there already: %s", review)
	}
	a.v.Does(assignments, plan, "2 assignments were there already.")
	for query, marked := range map[string]string{
		"step=set&who=" + who + "&where=111122223333":                    "Builder",
		"step=where&who=" + who + "&set=" + set:                          "Production",
		"step=who&where=111122223333&where=222233334444&set=" + set:      "Platform",
		"step=who&where=111122223333&where=unit:ou-1&set=" + set:         "", // a rule is new
		"step=who&where=111122223333&set=" + set + "&new=ReadOnlyAccess": "", // its set is new
	} {
		page := a.v.Get(a.address + "?" + query)
		n := strings.Count(page, "assigned already")
		if marked == "" && n != 0 || marked != "" && (n == 0 || strings.Contains(page, ">"+marked+"</a>")) {
			t.Errorf("%s: %d are marked: %s", query, n, page)
		}
	}
	if got := a.all(t); len(got) != 2 {
		t.Errorf("the assignments are %+v", got)
	}

	plan = url.Values{"who": {who}, "where": {"222233334444"}, "new": {"job-function/Billing"}, "name": {"Money"}}
	page = a.v.Does(assignments, plan, "The assignment is created.")
	if !strings.Contains(page, "Money") || !strings.Contains(page, "job-function/Billing") ||
		!strings.Contains(page, "Who has it (1)") {
		t.Errorf("the new permission set: %s", page)
	}
	refused(a.v, assignments, plan, http.StatusConflict, "permission set")
	refused(a.v, assignments, url.Values{"who": {who}}, http.StatusBadRequest, "choose who, where and what")
	if got := a.all(t); len(got) != 3 {
		t.Errorf("the assignments are %+v", got)
	}
}

// TestAnAccountSaysWhoMayDoWhat: those who administer it come first, each with the way.
func TestAnAccountSaysWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	bob := a.NewPerson("bob")
	all, err := a.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{
		Name: "Zeus", ManagedPolicies: []string{"arn:aws:iam::aws:policy/AdministratorAccess"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []center.Assignment{
		{AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: "USER", PrincipalID: string(bob.ID)},
		{AccountID: "111122223333", PermissionSetARN: all.ARN, PrincipalType: "GROUP", PrincipalID: string(a.group.ID)},
	} {
		if _, err := a.CreateAssignment(ctx, centertest.Actor, x); err != nil {
			t.Fatal(err)
		}
	}
	console := a.URL + "/console"
	if page := a.v.Get(console + "/accounts"); !strings.Contains(page, `href="/console/accounts/111122223333"`) {
		t.Errorf("the accounts do not lead to their pages: %s", page)
	}
	page := a.v.Get(console + "/accounts/111122223333")
	if ada, bob := strings.Index(page, ">ada<"), strings.Index(page, ">bob<"); ada < 0 || bob < ada ||
		!strings.Contains(page, "Administers") || !strings.Contains(page, "2 assignments in this account") {
		t.Errorf("the account's page: %s", page)
	}
	if page = a.v.Get(console + "/accounts/111122223333?only=administrators"); strings.Contains(page, ">bob<") {
		t.Errorf("only administrators: %s", page)
	}
	if page = a.v.Get(console + "/assignments?set=" + path.Base(all.ARN)); !strings.Contains(page, "1–1 of 1<") ||
		!strings.Contains(page, "only Zeus") {
		t.Errorf("only one permission set: %s", page)
	}
	file := a.v.Get(console + "/assignments?format=csv&who=USER:" + string(bob.ID))
	if lines := strings.Split(strings.TrimSpace(file), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "bob") {
		t.Errorf("the file: %s", file)
	}
	if page = a.v.Get(console + "/users/" + string(bob.ID)); !strings.Contains(page, "Builder") ||
		!strings.Contains(page, "Direct") || !strings.Contains(page, "Sign-ins and changes") {
		t.Errorf("the user's page: %s", page)
	}
	v := url.Values{"id": {"111122223333"}, "name": {"Live"}, "back": {"/console/accounts/111122223333"}}
	a.v.Does(console+"/accounts", v, "Live")
	if status, _ := a.v.Send(http.MethodGet, console+"/accounts/999999999999", nil); status != http.StatusNotFound {
		t.Errorf("an account that is not there: %d", status)
	}
}
