package oversee_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestLeaversAreReportedAndMended: the table, JSON and CSV; what a deleted group had is given to
// the one that came back, and what a disabled person had is removed, each after ACCEPT only.
func TestLeaversAreReportedAndMended(t *testing.T) {
	t.Parallel()
	o, s := newOffice(t)
	ctx := t.Context()
	o.want("Nobody", "leavers")
	ada := s.NewPerson("=ada@example.com")
	set := s.Assigned(ada, "111122223333", "Admin")
	group, err := s.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Platform"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: "111122223333", PermissionSetARN: set.ARN, PrincipalType: center.PrincipalGroup,
		PrincipalID: string(group.ID),
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteGroup(ctx, centertest.Actor, group.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.SetUserActive(ctx, centertest.Actor, ada.ID, false); err != nil {
		t.Fatal(err)
	}
	o.want("disabled", "leavers")
	o.want("deleted group", "leavers")
	if out := o.want("", "leavers", "--csv"); !strings.Contains(out, "\n'=ada@example.com,disabled,1,") ||
		!strings.HasPrefix(out, "who,state,") {
		t.Errorf("the CSV is %s", out)
	}
	report := read[struct {
		Disabled []adminapi.Leaver `json:"disabled"`
		Deleted  []adminapi.Orphan `json:"deleted"`
	}](o, "leavers")
	if len(report.Disabled) != 1 || len(report.Deleted) != 1 || report.Deleted[0].Name != "Platform" {
		t.Fatalf("the report is %+v", report)
	}
	o.refused("nobody is known", "", "leavers", "relink", "platform")
	again, err := s.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Platform"})
	if err != nil {
		t.Fatal(err)
	}
	o.want("came back as Platform", "leavers")
	o.refused("not confirmed", "yes\n", "leavers", "relink", "platform")
	o.refused("disabled, and not deleted", "", "leavers", "relink", string(ada.ID))
	o.refused("not among the leavers", "", "leavers", "relink", "Nobody")
	if out, said, err := o.call("ACCEPT\n", "leavers", "relink", "platform", "--to", "Platform"); err != nil ||
		!strings.Contains(said, "1 assignment to accounts") || !strings.Contains(out, "1") {
		t.Errorf("relink: %q, %q, %v", out, said, err)
	}
	list, err := s.Assignments(ctx, center.AssignmentQuery{PrincipalID: string(again.ID)})
	if err != nil || len(list) != 1 {
		t.Errorf("the group that came back holds %+v, %v", list, err)
	}
	o.want("", "leavers", "remove", string(ada.ID), "--confirm", "ACCEPT")
	o.want("Nobody", "leavers")
}
