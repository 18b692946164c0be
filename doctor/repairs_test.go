package doctor_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// TestAJobThatHoldsDeletionsIsNotRestarted: a restart might delete those whom it holds.
func TestAJobThatHoldsDeletionsIsNotRestarted(t *testing.T) {
	s := read[scenario](t, "testdata/cases/held-by-the-threshold.json")
	r := doctor.Diagnose(state(t, s.Edits), doctor.About{})
	if r.Worst() != doctor.Broken || len(r.OnlyAPerson()) == 0 {
		t.Fatalf("nothing is broken:\n%s", told(r, 4))
	}
	for _, x := range r.Plan() {
		if x.Action == doctor.RestartJob || x.Action == doctor.StartJob {
			t.Errorf("the plan: %s", x.What)
		}
	}
}

// TestARepairNamesWhomItGivesAccess: nobody gets more without being named in the plan.
func TestARepairNamesWhomItGivesAccess(t *testing.T) {
	gives := map[doctor.Action]bool{
		doctor.EnableApplication: true, doctor.AddMember: true, doctor.EnableUser: true, doctor.RenameUser: true,
	}
	for _, name := range []string{"membership-never-sent", "application-switched-off"} {
		s := read[scenario](t, "testdata/cases/"+name+".json")
		plan := doctor.Diagnose(state(t, s.Edits), doctor.About{}).Plan()
		if len(plan) == 0 {
			t.Errorf("%s: there is no plan", name)
		}
		for _, x := range plan {
			if gives[x.Action] && len(x.Gives) == 0 {
				t.Errorf("%s: %s names nobody", name, x.What)
			}
		}
	}
}
