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
	page := a.v.Does(console+"/assignments/delete", keys, "Delete 2 assignments?")
	if !strings.Contains(page, "Platform") || len(a.all(t)) != 2 {
		t.Errorf("the question: %s", page)
	}
	a.v.IsSure(console+"/assignments/delete", keys, "2 assignments deleted.")
	if list := a.all(t); len(list) != 0 {
		t.Errorf("there are still %+v", list)
	}
	a.v.IsSure(console+"/assignments/delete", keys, "2 of 2 assignments stay.")
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
	refused(a.v, console+"/users/active", nil, http.StatusBadRequest, "choose at least one")
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
