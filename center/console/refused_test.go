package console_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

const question = `name="sure" value="yes"`

// TestNobodyIsAskedForNothing: what would be refused is refused instead of the question, with the
// way out; and a question that nobody answers leaves nothing behind.
func TestNobodyIsAskedForNothing(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	console := a.URL + "/console/"
	bob := a.NewPerson("bob")
	a.Entitled(bob, "arn:aws:iam::333344445555:role/Reader")
	ruled := center.AssignmentRule{
		PermissionSetARN: a.set.ARN, PrincipalType: "USER", PrincipalID: string(bob.ID),
		Tag: &center.Tag{Key: "env", Value: "prod"},
	}
	if _, err := a.CreateAssignmentRule(ctx, centertest.Actor, ruled); err != nil {
		t.Fatal(err)
	}
	if err := a.ApplyAssignmentRules(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	byHand := center.Assignment{
		AccountID: "222233334444", PermissionSetARN: a.set.ARN, PrincipalType: "USER", PrincipalID: string(bob.ID),
	}
	if _, err := a.CreateAssignment(ctx, centertest.Actor, byHand); err != nil {
		t.Fatal(err)
	}
	key := func(account string) string {
		return strings.Join([]string{account, a.set.ARN, "USER", string(bob.ID)}, " ")
	}
	for at, want := range map[string]struct {
		form   url.Values
		status int
		words  string
	}{
		"permission-sets/delete": {url.Values{"arn": {a.set.ARN}}, http.StatusConflict, "is assigned"},
		"assignments/delete": {
			url.Values{"pick": {key("111122223333")}}, http.StatusConflict, "delete the rule, or move the account",
		},
		"account-access/disable": {nil, http.StatusConflict, "What to do: "},
		"account-access/delete":  {url.Values{"id": {"gone"}}, http.StatusNotFound, ""},
		"rules/delete":           {url.Values{"id": {"gone"}}, http.StatusNotFound, ""},
		"leavers/remove": {
			url.Values{"type": {"USER"}, "id": {string(bob.ID)}}, http.StatusConflict, "bob is not deleted",
		},
		"leavers/relink": {
			url.Values{"type": {"USER"}, "id": {string(bob.ID)}, "to": {string(bob.ID)}}, http.StatusConflict,
			"bob is not deleted",
		},
		"request-policies/delete": {url.Values{"id": {"gone"}}, http.StatusNotFound, ""},
	} {
		status, page := a.v.Send(http.MethodPost, console+at, want.form)
		if status != want.status || !strings.Contains(page, want.words) || strings.Contains(page, question) {
			t.Errorf("%s: %d, want %d and %q, and no question, on %s", at, status, want.status, want.words, page)
		}
	}
	if e := a.LastEvent(); e.Result != "Refused" {
		t.Errorf("the last refusal is not in the log: %+v", e)
	}

	before := a.LastEvent()
	both := url.Values{"pick": {key("111122223333"), key("222233334444")}}
	page := a.v.Does(console+"assignments/delete", both, "Delete 1 assignment?")
	for _, want := range []string{"Not done for bob (Builder in Production (111122223333)): ", "assignment rule",
		"bob loses Builder in Staging"} {
		if !strings.Contains(page, want) {
			t.Errorf("the question does not say %q: %s", want, page)
		}
	}
	a.v.Does(console+"users/"+string(bob.ID)+"/delete", nil, question)
	if _, err := a.User(ctx, bob.ID); err != nil || len(a.all(t)) != 2 {
		t.Errorf("a question has done it: %v, %+v", err, a.all(t))
	}
	if e := a.LastEvent(); e.Result == "Granted" {
		t.Errorf("a question stands in the log: %+v, before it %+v", e, before)
	}
	both.Set("sure", "yes")
	a.v.Does(console+"assignments/delete", both, "Done: 1 of 2. Not done for bob (Builder in Production")
	if left := a.all(t); len(left) != 1 || left[0].AccountID != "111122223333" {
		t.Errorf("there are still %+v", left)
	}
}

// TestWhoHasComeBackIsLeftAlone: of several leavers, the question names who is enabled.
func TestWhoHasComeBackIsLeftAlone(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	bob, eve := a.NewPerson("bob"), a.NewPerson("eve")
	for _, u := range []center.User{bob, eve} {
		if _, err := a.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: "USER", PrincipalID: string(u.ID),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.SetUserActive(ctx, centertest.Actor, bob.ID, false); err != nil {
		t.Fatal(err)
	}
	list := a.URL + "/console/leavers/remove"
	form := url.Values{"pick": {string(bob.ID), string(eve.ID)}}
	page := a.v.Does(list, form, "to 1 user or group?")
	if !strings.Contains(page, "Not done for eve: ") || !strings.Contains(page, "bob (") {
		t.Errorf("the question: %s", page)
	}
	a.v.IsSure(list, form, "1 assignment")
	if left := a.all(t); len(left) != 1 || left[0].PrincipalID != string(eve.ID) {
		t.Errorf("there are still %+v", left)
	}
}

// TestProvisioningIsNoQuestion: what the identity provider manages is not asked about.
func TestProvisioningIsNoQuestion(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	bob := a.NewPerson("bob")
	m, err := a.CreateMembership(ctx, centertest.Actor, a.group.ID, bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	centertest.Federate(t, a.Center, "https://idp.example/")
	if _, err := a.CreateProvisioningTenant(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	group := "groups/" + string(a.group.ID)
	for at, form := range map[string]url.Values{
		group + "/delete": nil,
		group + "/members/" + string(m.ID) + "/delete": nil,
		group + "/members/remove":                      {"pick": {string(m.ID)}},
	} {
		status, page := a.v.Send(http.MethodPost, a.URL+"/console/"+at, form)
		if status != http.StatusForbidden || strings.Contains(page, question) ||
			!strings.Contains(page, "make the change in the identity provider") {
			t.Errorf("%s: %d %s", at, status, page)
		}
	}
}
