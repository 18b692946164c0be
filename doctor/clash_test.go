package doctor_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// TestWhoHasASharedExternalIDIsNobodyElse: the job has sent a department as the external id of one
// person already. The others of the department are not taken for that one, and nobody is told that
// names, addresses or memberships are wrong.
func TestWhoHasASharedExternalIDIsNobodyElse(t *testing.T) {
	shared := read[scenario](t, "testdata/cases/external-id-from-department.json")
	facts := state(t, shared.Edits)
	found := false
	for i := range facts.AWS.Users {
		u := &facts.AWS.Users[i]
		if u.UserName == "ines.moreau@harbor.example" {
			u.ExternalIDs[0].ID, found = "Cloud", true
		}
	}
	if !found {
		t.Fatal("nobody got the department")
	}
	facts.Entra.Connections = nil // a job with another mapping begins anew
	for _, f := range doctor.Diagnose(facts, doctor.About{}).Findings {
		if f.State == doctor.Broken && f.Behind == "" && f.Check != shared.Cause {
			t.Errorf("%s is told beside: %s", f.Check, f.Fact)
		}
	}
}
