package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestAYesIsNoneToThoseLeftOut: a question says who is left out, and they are left out of the
// answer too, whatever they have become in between.
func TestAYesIsNoneToThoseLeftOut(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	console := a.URL + "/console/"
	bob, eve := a.NewPerson("bob"), a.NewPerson("eve")
	given := func(of center.PrincipalType, id string) string {
		t.Helper()
		x := center.Assignment{
			AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: of, PrincipalID: id,
		}
		if _, err := a.CreateAssignment(ctx, centertest.Actor, x); err != nil {
			t.Fatal(err)
		}
		return strings.Join([]string{x.AccountID, a.set.ARN, string(of), id}, " ")
	}
	disable := func(u center.User) {
		t.Helper()
		if err := a.SetUserActive(ctx, centertest.Actor, u.ID, false); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want ...string) {
		t.Helper()
		var got []string
		for _, x := range a.all(t) {
			got = append(got, strings.Join([]string{
				x.AccountID, x.PermissionSetARN, string(x.PrincipalType), x.PrincipalID,
			}, " "))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("there are %q, want %q", got, want)
		}
	}
	given(center.PrincipalUser, string(bob.ID))
	eves := given(center.PrincipalUser, string(eve.ID))
	disable(bob)
	form := url.Values{"pick": {string(bob.ID), string(eve.ID)}}
	asked := a.v.Does(console+"leavers/remove", form, "Not done for eve: ")
	disable(eve)
	a.v.Does(console+"leavers/remove", a.v.Answer(asked), "1 assignment")
	left(eves)

	rule, err := a.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
		PermissionSetARN: a.set.ARN, PrincipalType: "GROUP", PrincipalID: string(a.group.ID),
		Tag: &center.Tag{Key: "env", Value: "prod"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.ApplyAssignmentRules(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	ruled := strings.Join([]string{"111122223333", a.set.ARN, "GROUP", string(a.group.ID)}, " ")
	form = url.Values{"pick": {eves, ruled}}
	asked = a.v.Does(console+"assignments/delete", form, "Not done for Platform ")
	if err := a.DeleteAssignmentRule(ctx, centertest.Actor, rule.ID); err != nil {
		t.Fatal(err)
	}
	given(center.PrincipalGroup, string(a.group.ID)) // by hand, and not refused any more
	a.v.Does(console+"assignments/delete", a.v.Answer(asked), "1 assignment deleted.")
	left(ruled)

	all := a.v.Answer(asked) // no question leaves out everybody
	all["leave"] = all["pick"]
	page := a.v.Does(console+"assignments/delete", all, "Delete 1 assignment?")
	if !strings.Contains(page, "Not done for") {
		t.Errorf("it asks about %s", page)
	}
	left(ruled)
}

// TestWhatBecameOfManyIsSaid: browsers keep no cookie of more than 4,096 bytes. What is refused for
// many reasons is said for some.
func TestWhatBecameOfManyIsSaid(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	remove := a.URL + "/console/assignments/delete"
	form := url.Values{}
	for i := range 20 {
		who := a.NewPerson(fmt.Sprintf("somebody-with-a-long-name-that-is-shown-%02d", i))
		if _, err := a.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
			PermissionSetARN: a.set.ARN, PrincipalType: "USER", PrincipalID: string(who.ID),
			Tag: &center.Tag{Key: "env", Value: "prod"},
		}); err != nil {
			t.Fatal(err)
		}
		form.Add("pick", strings.Join([]string{"111122223333", a.set.ARN, "USER", string(who.ID)}, " "))
	}
	if err := a.ApplyAssignmentRules(ctx, centertest.Actor); err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: "222233334444", PermissionSetARN: a.set.ARN, PrincipalType: "GROUP", PrincipalID: string(a.group.ID),
	}); err != nil {
		t.Fatal(err)
	}
	form.Add("pick", strings.Join([]string{"222233334444", a.set.ARN, "GROUP", string(a.group.ID)}, " "))
	a.v.Does(remove, form, "Not done for 14 more, for 14 other reasons.")
	form.Set("sure", "yes")
	answer := a.v.Stays().Do(http.MethodPost, remove, form)
	for _, cookie := range answer.Header["Set-Cookie"] {
		if pair, _, _ := strings.Cut(cookie, ";"); len(pair) > 4096 {
			t.Errorf("a cookie has %d bytes", len(pair))
		}
	}
	page := a.v.Get(a.URL + "/console/assignments")
	for _, want := range []string{
		"Done: 1 of 21. Not done for somebody", "Not done for 14 more, for 14 other reasons.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q: %s", want, page)
		}
	}
}

// TestWhatAPathTakesIsSaidBeside: all that a list has can be more than the path of an assignment
// takes.
func TestWhatAPathTakesIsSaidBeside(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	const bound = "Assign takes at most 100 at once."
	for i := range 101 {
		name := fmt.Sprintf("Crowd %03d", i)
		if _, err := a.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: name}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.CreateUser(ctx, centertest.Actor, centertest.Person(fmt.Sprintf("crowd-%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, list := range []string{"users", "groups"} {
		if page := a.v.Get(a.URL + "/console/" + list + "?q=crowd"); !strings.Contains(page, bound) {
			t.Errorf("%s do not say it: %s", list, page)
		}
		if few := a.v.Get(a.URL + "/console/" + list + "?q=00"); strings.Contains(few, bound) {
			t.Errorf("a few %s: %s", list, few)
		}
	}
}
