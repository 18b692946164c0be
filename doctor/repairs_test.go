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

// TestAnAgreementOutlivesTheDay: until when a new certificate is good is counted from the day of
// the plan. Another sign of a change is one.
func TestAnAgreementOutlivesTheDay(t *testing.T) {
	t.Parallel()
	plan := func(until, was string) []doctor.Repair {
		return []doctor.Repair{{
			Action: doctor.NewCertificate,
			With:   map[string]string{"servicePrincipalId": "sp", "until": until, "was": was},
		}}
	}
	for _, test := range []struct {
		until, was string
		still      int
	}{{"2029-11-30", "A1", 1}, {"2029-12-01", "A1", 1}, {"2029-12-01", "B2", 0}} {
		still, gone := doctor.StillPlanned(plan("2029-11-30", "A1"), plan(test.until, test.was))
		if len(still) != test.still || len(still)+len(gone) != 1 {
			t.Errorf("%+v: still %+v, gone %+v", test, still, gone)
		}
	}
}
