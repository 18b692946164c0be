package console_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// refused posts a form that must be turned away with a status and a word.
func refused(v webtest.Visitor, address string, form url.Values, status int, word string) {
	v.T.Helper()
	if got, page := v.Send(http.MethodPost, address, form); got != status || !strings.Contains(page, word) {
		v.T.Errorf("POST %s %v: %d, want %d and %q on %s", address, form, got, status, word, page)
	}
}

func TestAPermissionSetIsEditedInTheConsole(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v, sets := s.Console(), s.URL+"/console/permission-sets"
	form := url.Values{"name": {"Builder"}, "hours": {"2"}, "policy": {"arn:aws:iam::aws:policy/ReadOnlyAccess"}}
	page := v.Does(sets, form, "The permission set is created.")
	set := s.URL + webtest.Match(t, page, regexp.MustCompile(`action="(/console/permission-sets/ps-[0-9a-f]+)"`))
	refused(v, sets, form, http.StatusConflict, "permission set")

	v.Does(set, url.Values{"description": {"Builds"}, "hours": {"4"}}, "The permission set is changed.")
	refused(v, set, url.Values{"hours": {"many"}}, http.StatusBadRequest, "1 to 12 hours")
	for _, c := range []struct{ change, field, value string }{
		{"attach", "managed", "arn:aws:iam::aws:policy/job-function/Billing"},
		{"detach", "managed", "arn:aws:iam::aws:policy/ReadOnlyAccess"},
		{"attach-own", "name", "Mine"},
		{"detach-own", "name", "Mine"},
	} {
		v.Does(set+"/policies", url.Values{"change": {c.change}, c.field: {c.value}, "path": {"/"}},
			"The policies are changed.")
	}
	refused(v, set+"/policies", url.Values{"change": {"forget"}}, http.StatusBadRequest, "")
	policy := url.Values{"policy": {`{"Version":"2012-10-17","Statement":[]}`}}
	v.Does(set+"/inline", policy, "The inline policy is saved.")
	refused(v, set+"/inline", url.Values{"policy": {"{"}}, http.StatusBadRequest, "JSON")
	wrong := url.Values{"policy": {"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [x]\n}"}}
	refused(v, set+"/inline", wrong, http.StatusBadRequest, "line 3, column 17")
	v.Does(set+"/inline", url.Values{}, "The inline policy is removed.")
	managed := "arn:aws:iam::aws:policy/PowerUserAccess"
	v.Does(set+"/boundary", url.Values{"managed": {managed}}, "The permissions boundary is set.")
	v.Does(set+"/boundary", url.Values{"name": {"Edge"}, "path": {"/"}}, "The permissions boundary is set.")
	refused(v, set+"/boundary", url.Values{"managed": {managed}, "name": {"Edge"}}, http.StatusBadRequest, "not both")
	v.Does(set+"/boundary", url.Values{}, "The permissions boundary is removed.")
	v.Does(set+"/provision", nil, "The permission set is provisioned in all its accounts.")

	got, err := s.PermissionSets(context.Background(), center.PermissionSetQuery{})
	if err != nil || len(got) != 1 || got[0].Description != "Builds" || got[0].SessionDuration.Hours() != 4 ||
		strings.Join(got[0].ManagedPolicies, " ") != "arn:aws:iam::aws:policy/job-function/Billing" ||
		len(got[0].CustomerPolicies) != 0 || got[0].InlinePolicy != "" || got[0].Boundary != nil {
		t.Errorf("the permission set is %+v, %v", got, err)
	}
	if page := v.Get(sets); !strings.Contains(page, "Builder") {
		t.Errorf("the list does not show it: %s", page)
	}
	v.IsSure(sets+"/delete", url.Values{"arn": {got[0].ARN}}, "The permission set is deleted.")
	if status, _ := v.Send(http.MethodGet, set, nil); status != http.StatusNotFound {
		t.Errorf("the page of a deleted one: %d", status)
	}
}

func TestAnApplicationIsEditedInTheConsole(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	ada := s.NewPerson("ada")
	v, applications := s.Console(), s.URL+"/console/applications"
	form := url.Values{
		"provider": {center.ApplicationProviders[0].ARN},
		"name":     {"Wiki"},
		"url":      {"https://wiki.example.com/"},
	}
	page := v.Does(applications, form, "The application is created.")
	app := s.URL + webtest.Match(t, page, regexp.MustCompile(`action="(/console/applications/apl-[0-9a-f]+)"`))
	refused(v, applications, url.Values{"provider": {"x"}, "name": {"Wiki"}}, http.StatusNotFound, "")

	v.Does(app+"/assign", url.Values{"type": {"USER"}, "principal": {"ada"}}, "The application is assigned.")
	nobody := url.Values{"type": {"USER"}, "principal": {"nobody"}}
	refused(v, app+"/assign", nobody, http.StatusNotFound, "no such user")
	assigned := url.Values{"type": {"USER"}, "principal": {string(ada.ID)}}
	page = v.Get(app)
	if !strings.Contains(page, `value="`+string(ada.ID)+`"`) {
		t.Errorf("the page does not show who has it: %s", page)
	}
	v.IsSure(app+"/unassign", assigned, "The assignment is removed.")
	refused(v, app+"/unassign", assigned, http.StatusNotFound, "")
	bob := s.NewPerson("bob")
	both := url.Values{"pick": {"USER " + string(ada.ID), "USER " + string(bob.ID)}}
	for _, name := range []string{"ada", "bob"} {
		page = v.Does(app+"/assign", url.Values{"type": {"USER"}, "principal": {name}}, "The application is assigned.")
	}
	if strings.Count(page, `form="assigned" name="pick"`) != 2 {
		t.Errorf("the rows cannot be chosen: %s", page)
	}
	if page = v.Does(app+"/unassign", both, "Remove 2 assignments of Wiki?"); !strings.Contains(page, "<p>bob</p>") {
		t.Errorf("the question does not name them: %s", page)
	}
	v.IsSure(app+"/unassign", both, "Not assigned to anyone.")

	v.Does(app, url.Values{"name": {"Handbook"}, "everyone": {"yes"}, "hidden": {"yes"}}, "The application is changed.")
	list, err := s.Applications(context.Background(), "", 10)
	if err != nil || len(list) != 1 || list[0].Name != "Handbook" || list[0].Enabled || !list[0].ForEveryone ||
		!list[0].Hidden || list[0].OpensItself {
		t.Errorf("the application is %+v, %v", list, err)
	}
	if page := v.Get(applications); !strings.Contains(page, "Handbook") {
		t.Errorf("the list does not show it: %s", page)
	}
	v.IsSure(app+"/delete", nil, "The application is deleted.")
}

// TestWhoHasAccessIsNeverAnsweredByAPart: more assignments than a page has, all of them found.
func TestWhoHasAccessIsNeverAnsweredByAPart(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), centertest.Serve(t)
	ada, bob := s.NewPerson("ada"), s.NewPerson("bob")
	s.Assigned(bob, "111122223333", "Operator")
	builder, err := s.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Builder"})
	if err != nil {
		t.Fatal(err)
	}
	const more = 120
	for i := range more {
		account := center.Account{ID: fmt.Sprintf("3000000%05d", i), Name: fmt.Sprintf("workload-%03d", i)}
		if err := s.PutAccount(ctx, centertest.Actor, account); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: account.ID, PermissionSetARN: builder.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(ada.ID),
		}); err != nil {
			t.Fatal(err)
		}
	}
	v, assignments := s.Console(), s.URL+"/console/assignments"
	rows := regexp.MustCompile(`name="pick"`)
	next := regexp.MustCompile(`href="(\?[^"]+)" rel="next"`)
	found := 0
	for query := ""; ; {
		page := v.Get(assignments + query)
		found += len(rows.FindAllString(page, -1))
		at := next.FindStringSubmatch(page)
		if at == nil {
			break
		}
		query = html.UnescapeString(at[1])
	}
	if found != more+1 {
		t.Errorf("%d assignments on all pages", found)
	}
	for query, want := range map[string]int{
		"workload-119": 1, "WORKLOAD-11 ada": 10, "bob": 1, "oper": 1, "builder bob": 0, "300000000007": 1, "nobody": 0,
	} {
		page := v.Get(assignments + "?q=" + url.QueryEscape(query))
		if got := len(rows.FindAllString(page, -1)); got != want {
			t.Errorf("%s: %d found, want %d", query, got, want)
		}
	}
	if status, page := v.Send(http.MethodGet, assignments+"?q=a+b+c+d+e+f", nil); status != http.StatusBadRequest ||
		!strings.Contains(page, "use at most 5 words") {
		t.Errorf("many words: %d %s", status, page)
	}
	page := v.Get(s.URL + "/console/users/" + string(ada.ID) + "?offset=100")
	if !strings.Contains(page, "101–120 of 120") || !strings.Contains(page, "workload-119") {
		t.Errorf("the last accounts of a user: %s", page)
	}
}

func TestAssignmentsAndRulesInTheConsole(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), centertest.Serve(t)
	ada := s.NewPerson("ada")
	set := s.Assigned(ada, "111122223333", "Builder")
	account := center.Account{
		ID:   "222233334444",
		Name: "Production",
		Tags: []center.Tag{{Key: "env", Value: "prod"}},
	}
	if err := s.PutAccount(ctx, centertest.Actor, account); err != nil {
		t.Fatal(err)
	}
	v, assignments := s.Console(), s.URL+"/console/assignments"
	rule := url.Values{"where": {"tag:env=prod"}, "set": {path.Base(set.ARN)}, "who": {"USER:" + string(ada.ID)}}
	v.Does(assignments, rule, "The rule is created")
	if err := s.ApplyAssignmentRules(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	if page := v.Get(assignments); !strings.Contains(page, "Production") || !strings.Contains(page, "ada") {
		t.Errorf("the page shows no assignment of the rule: %s", page)
	}
	rules, err := s.AssignmentRules(ctx)
	if err != nil || len(rules) != 1 {
		t.Fatalf("rules %+v, %v", rules, err)
	}
	v.IsSure(s.URL+"/console/rules/delete", url.Values{"id": {rules[0].ID}}, "The rule is deleted")
	refused(v, s.URL+"/console/rules/delete", url.Values{"id": {rules[0].ID}, "sure": {"yes"}}, http.StatusNotFound, "")

	own := url.Values{"account": {"111122223333"}, "set": {set.ARN}, "type": {"USER"}, "principal": {string(ada.ID)}}
	v.IsSure(assignments+"/delete", own, "The assignment is deleted.")
	refused(v, assignments+"/delete", own, http.StatusNotFound, "There is no such assignment")
	own.Set("sure", "yes")
	refused(v, assignments+"/delete", own, http.StatusNotFound, "There is no such assignment")
	refused(v, s.URL+"/console/accounts/organization", nil, http.StatusConflict, "")

	last := s.LastEvent()
	if page := v.Get(s.URL + "/console/audit"); !strings.Contains(
		page, "<span>DeleteAccountAssignment</span>",
	) {
		t.Errorf("the audit log does not tell of it: %s", page)
	}
	page := v.Get(s.URL + "/console/audit?reference=" + last.Actor.RequestID)
	if !strings.Contains(page, last.Action) || strings.Contains(page, "<span>DeleteAccountAssignment</span>") {
		t.Errorf("the page of the reference of %s: %s", last.Action, page)
	}
}
