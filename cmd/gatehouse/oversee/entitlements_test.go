package oversee_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestRolesAreGivenAndTaken by command, to users and groups by name.
func TestRolesAreGivenAndTaken(t *testing.T) {
	t.Parallel()
	o, s := newOffice(t)
	ada := s.NewPerson("ada@example.com")
	s.Assigned(ada, "111122223333", "Admin")
	const role = "arn:aws:iam::111122223333:role/ops/Reader"
	if _, err := s.CreateGroup(t.Context(), centertest.Actor, center.Group{DisplayName: "Platform"}); err != nil {
		t.Fatal(err)
	}
	o.refused("account-access enable", "", "account-access", "give", role, "--user", "ada@example.com")
	o.want("application/", "account-access", "enable")
	o.want("aa-", "account-access", "status")
	o.refused("use exactly one of --user and --group", "", "account-access", "give", role)
	o.refused("ARN of a role", "", "account-access", "give", "Reader", "--group", "Platform")
	o.want("user ada@example.com", "account-access", "give", role, "--user", "ada@example.com")
	o.want("group Platform", "account-access", "give", role, "--group", "Platform")
	o.want(role, "access", "of", "ada@example.com")
	list := read[[]adminapi.Entitlement](o, "account-access", "list")
	if len(list) != 2 || list[0].RoleArn != role || list[0].PrincipalName != "ada@example.com" {
		t.Fatalf("entitlements %+v", list)
	}
	o.refused("entitlements", "", "account-access", "disable")
	for _, e := range list {
		o.want("", "account-access", "remove", e.EntitlementID)
	}
	o.want("", "account-access", "disable")
}

// TestAssignmentsMigrate: the plan, Terraform, ACCEPT, again, and back.
func TestAssignmentsMigrate(t *testing.T) {
	t.Parallel()
	o, s := newOffice(t)
	ctx := t.Context()
	ada := s.NewPerson("ada@example.com")
	set := s.Assigned(ada, "111122223333", "Admin")
	set.RelayState = "https://console.aws.amazon.com/s3/"
	set.ManagedPolicies = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
	if err := s.Store.Update(ctx, func(tx center.Tx) error { return tx.PutPermissionSet(set) }); err != nil {
		t.Fatal(err)
	}
	g, err := s.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Platform ${x}"})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := s.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Gone"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []center.GroupID{g.ID, gone.ID} {
		if _, err := s.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: "111122223333", PermissionSetARN: set.ARN, PrincipalType: center.PrincipalGroup,
			PrincipalID: string(id),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteGroup(ctx, centertest.Actor, gone.ID); err != nil {
		t.Fatal(err)
	}
	migrate := func(more ...string) []string {
		return append([]string{"access", "migrate", "--to", "account-access"}, more...)
	}
	o.refused("say where to", "", "access", "migrate")
	o.refused("slash", "", migrate("--path", "ops")...)
	out, said, err := o.call("", migrate()...)
	if err != nil || !strings.Contains(out, "stays: whom it is assigned to is deleted") ||
		!strings.Contains(out, "arn:aws:iam::111122223333:role/Admin") || !strings.Contains(said, "ReadOnlyAccess") ||
		!strings.Contains(said, "no place for the relay state") {
		t.Errorf("the plan: %q, %q, %v", out, said, err)
	}
	out, _, err = o.call("", migrate("--terraform", "--path", "/people/")...)
	if err != nil || !json.Valid([]byte(out)) || strings.Count(out, `"role_arn"`) != 2 ||
		!strings.Contains(out, "Platform $${x}") || !strings.Contains(out, "role/people/Admin") {
		t.Errorf("Terraform: %s, %v", out, err)
	}
	out, _, err = o.call("", migrate("--cloudformation")...)
	var template struct{ Parameters, Resources map[string]any }
	if err != nil || json.Unmarshal([]byte(out), &template) != nil || len(template.Parameters) != 3 ||
		len(template.Resources) != 3 || !strings.Contains(out, "of the group Platform ${x}") {
		t.Errorf("CloudFormation: %s, %v", out, err)
	}
	o.refused("use one of", "", migrate("--cloudformation", "--terraform")...)
	o.want("", "account-access", "enable") // Ada's own is there by hand
	o.want("user ada", "account-access", "give", "arn:aws:iam::111122223333:role/Admin", "--user", "ada@example.com")
	o.refused("not confirmed", "no\n", migrate("--apply")...)
	_, said, err = o.call("ACCEPT\n", migrate("--apply")...)
	if err != nil || !strings.Contains(said, "1 entitlement was made") {
		t.Errorf("apply: %q, %v", said, err)
	}
	if _, said, err = o.call("", migrate("--apply")...); err != nil || !strings.Contains(said, "there already") {
		t.Errorf("again: %q, %v", said, err)
	}
	if list := read[[]adminapi.Entitlement](o, "account-access", "list"); len(list) != 2 {
		t.Errorf("entitlements %+v", list)
	}
	_, said, err = o.call("ACCEPT\n", migrate("--undo")...)
	if err != nil || !strings.Contains(said, "1 entitlement was removed") || !strings.Contains(said, "They stay") {
		t.Errorf("undo: %q, %v", said, err)
	}
	left := read[[]adminapi.Entitlement](o, "account-access", "list")
	if len(left) != 1 || left[0].PrincipalName != "ada@example.com" {
		t.Errorf("what somebody has made by hand: %+v", left)
	}
	if _, said, err = o.call("", migrate("--undo")...); err != nil || !strings.Contains(said, "No migration") {
		t.Errorf("undo again: %q, %v", said, err)
	}
	held, err := s.Assignments(ctx, center.AssignmentQuery{PrincipalID: string(ada.ID)})
	if err != nil || len(held) != 1 {
		t.Errorf("the assignments in the end: %+v, %v", held, err)
	}
}
