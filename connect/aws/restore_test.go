package aws_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
)

// stranger makes a user by AWS's API, as somebody does by hand.
func (u *undoing) stranger(name string) {
	u.t.Helper()
	u.CLI().Run(nil, "identitystore", "create-user", "--identity-store-id", u.Center.IdentityStoreID, "--user-name",
		name, "--display-name", "S", "--name", "GivenName=S,FamilyName=T")
}

// TestWhatCannotComeBackStopsNothingElse: an assignment that AWS refuses, and those whose
// permission set or account is gone, are named. Everything else is taken back.
func TestWhatCannotComeBackStopsNothingElse(t *testing.T) {
	t.Parallel()
	u := newUndoing(t)
	u.stranger("before@northwind.example")
	l := &limits{}
	at, err := aws.Open(u.ctx, atAWS(u.Pair, l))
	if err != nil {
		t.Fatal(err)
	}
	before, err := at.Discover(u.ctx, nil)
	accounts, failed := at.Accounts(u.ctx)
	if err != nil || failed != nil || len(before.Users) != 1 || len(before.PermissionSets) < 2 || len(accounts) == 0 {
		t.Fatal(before, accounts, err, failed)
	}
	give := func(set, account string) {
		before.Assignments = append(before.Assignments, connect.Assignment{
			AccountID: account, PermissionSetARN: set, PrincipalType: "USER", PrincipalID: before.Users[0].ID,
		})
	}
	give(before.PermissionSets[0].ARN, accounts[0])
	give(before.PermissionSets[1].ARN, accounts[0])
	give(before.PermissionSets[0].ARN+"0", accounts[0])
	give(before.PermissionSets[0].ARN, "123456789098")
	u.connect(true)
	asked := 0
	l.answer = func(operation string) (int, string) {
		if operation != "CreateAccountAssignment" {
			return 0, ""
		}
		if asked++; asked > 1 {
			return 0, ""
		}
		return http.StatusBadRequest, `{"__type":"AccessDeniedException","Message":"User: x is not authorized to ` +
			`perform: sso:CreateAccountAssignment because no identity-based policy allows it"}`
	}
	options := connect.UndoOptions{DeleteApplication: true, Before: &before, Restore: at}
	undo, err := connect.ObserveUndo(u.ctx, u.config(http.DefaultClient), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"its permission set is gone", "account is closed"} {
		if !strings.Contains(strings.Join(undo.Notes, "\n"), want) {
			t.Errorf("the notes are %q, without %q", undo.Notes, want)
		}
	}
	err = undo.Apply(u.ctx, connect.Confirmation, func(int, bool) {})
	for _, want := range []string{
		"Assignments: 1 of 2 assignments could not be given back", before.PermissionSets[0].Name + " in account " +
			accounts[0] + " to before@northwind.example", "no permission for sso:CreateAccountAssignment",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if undo.Pending() != 1 {
		t.Errorf("%d steps are left", undo.Pending())
	}
	if n, err := u.undo(http.DefaultClient, options); n != 1 || err != nil {
		t.Errorf("when it is allowed: %d steps, %v", n, err)
	}
	if n, err := u.undo(http.DefaultClient, options); n != 0 || err != nil {
		t.Errorf("undone twice: %d steps, %v", n, err)
	}
}

// TestOnlyWhatProvisioningMadeIsDeleted: who was added by hand since stays, and everybody is named.
func TestOnlyWhatProvisioningMadeIsDeleted(t *testing.T) {
	t.Parallel()
	u := newUndoing(t)
	before, err := u.at.Discover(u.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	u.connect(true)
	const stranger = "break-glass@northwind.example"
	u.stranger(stranger)
	u.CLI().Run(nil, "identitystore", "create-group", "--identity-store-id", u.Center.IdentityStoreID,
		"--display-name", "Pipeline")
	options := connect.UndoOptions{Before: &before, DeleteProvisioned: true, Restore: u.at}
	undo, err := connect.ObserveUndo(u.ctx, u.config(http.DefaultClient), options)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	undo.Print(&text)
	out := undo.Describe()
	if !strings.Contains(text.String(), "that provisioning made: Engineering, ") || len(out.DeleteUsers) == 0 ||
		!slices.Equal(out.DeleteGroups, []string{"Engineering"}) || slices.Contains(out.DeleteUsers, stranger) ||
		!slices.Equal(out.Staying, []string{stranger, "Pipeline"}) || !strings.Contains(text.String(), stranger) {
		t.Errorf("it says %+v\n%s", out, text.String())
	}
	if err := undo.Apply(u.ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	now, err := u.at.Discover(u.ctx, nil)
	if err != nil || len(now.Users) != 1 || now.Users[0].UserName != stranger || len(now.Groups) != 1 {
		t.Errorf("there are %+v and %+v, %v", now.Users, now.Groups, err)
	}
	if n, err := u.undo(http.DefaultClient, options); n != 0 || err != nil {
		t.Errorf("undone twice: %d steps, %v", n, err)
	}
}
