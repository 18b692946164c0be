package centertest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// at is a moment of the contract, in milliseconds.
func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// roleJobs checks the queue of work in IAM, who waits for it, and what is remembered of
// comparisons.
func roleJobs(t *testing.T, s center.Store) {
	job := center.RoleJob{RoleName: "R1", AccountID: one, PermissionSetARN: "ps1", Due: at(10)}
	old := center.RoleJob{
		RoleName:         "R0",
		AccountID:        one,
		PermissionSetARN: "ps1",
		Due:              at(5),
		Retire:           true,
		Attempts:         3,
		Reason:           "no",
	}
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutRoleJob(job),
			tx.PutRoleJob(old),
			tx.PutAssignmentRequest(center.AssignmentRequest{
				ID:        "q1",
				Kind:      center.Creation,
				Status:    center.InProgress,
				CreatedAt: at(1),
			}),
			tx.PutRoleWait("R1", "q1"),
			tx.PutAssignmentRequest(center.AssignmentRequest{
				ID:        "q2",
				Kind:      center.Provisions,
				Status:    center.InProgress,
				CreatedAt: at(1),
			}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps2", Name: "Two"}),
			tx.PutProvisioned(center.Provisioned{AccountID: one, PermissionSetARN: "ps2", RoleName: "P1"}),
			tx.PutProvisioned(center.Provisioned{AccountID: two, PermissionSetARN: "ps2", RoleName: "P2"}),
		)
	})
	update(t, s, func(tx center.Tx) error {
		n, err := tx.QueueRoles("ps2", "", "q2", at(20))
		none, e2 := tx.QueueRoles("ps2", "999999999999", "q2", at(20))
		if n != 2 || none != 0 {
			t.Errorf("queued %d and %d", n, none)
		}
		return errors.Join(err, e2, tx.DeleteRequests(at(100))) // those that wait stay
	})
	view(t, s, func(r center.Reader) error {
		got, e1 := r.RoleJob("R0")
		next, e2 := r.NextRoleJob(at(10), at(99))
		waiting, e3 := r.WaitingFor("R1")
		n, e4 := r.CountRoleWaits("q2")
		yes := true
		retiring, e5 := r.RoleJobs(center.RoleJobQuery{AccountID: one, PermissionSetARN: "ps1", Retire: &yes})
		all, e6 := r.RoleJobs(center.RoleJobQuery{})
		if got != old || next.RoleName != "R0" || len(waiting) != 1 || waiting[0].ID != "q1" || n != 2 ||
			len(retiring) != 1 || len(all) != 4 {
			t.Errorf("read back %+v, %+v, %+v, %d, %+v, %+v", got, next, waiting, n, retiring, all)
		}
		_, err := r.NextRoleJob(at(4), at(99))
		wantNoRow(t, "a job that is due", err)
		ahead, e7 := r.NextRoleJob(at(3), at(4))
		if ahead.RoleName != "R0" {
			t.Errorf("of what a clock has noted that was ahead, next is %+v", ahead)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7)
	})
	old.LeasedUntil = at(50)
	update(t, s, func(tx center.Tx) error { return tx.PutRoleJob(old) })
	view(t, s, func(r center.Reader) error {
		next, err := r.NextRoleJob(at(30), at(99)) // only in the account where nobody works
		again, e2 := r.NextRoleJob(at(50), at(99))
		ahead, e4 := r.NextRoleJob(at(30), at(40))
		if next.RoleName != "P2" || again.RoleName != "R0" || ahead.RoleName != "R0" {
			t.Errorf("next is %+v, when the lease has ended %+v, of a clock that was ahead %+v", next, again, ahead)
		}
		least, e3 := r.LeastChecked(at(1), at(99))
		if least.RoleName != "P1" || !least.CheckedAt.IsZero() {
			t.Errorf("the least checked role is %+v", least)
		}
		return errors.Join(err, e2, e3, e4)
	})
	driftIsKept(t, s)
}

func driftIsKept(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.DeleteRoleJob("R0"), tx.DeleteRoleWaits("R1"), tx.PutDrift("P1", at(60), []string{"a", "b"}),
		)
	})
	view(t, s, func(r center.Reader) error {
		drifted, err := r.ProvisionedRoles(center.ProvisionedQuery{Drifted: true})
		if len(drifted) != 1 || drifted[0].RoleName != "P1" || !slices.Equal(drifted[0].Drift, []string{"a", "b"}) ||
			!drifted[0].CheckedAt.Equal(at(60)) {
			t.Errorf("drifted are %+v", drifted)
		}
		least, e2 := r.LeastChecked(at(60), at(99))
		ahead, e4 := r.LeastChecked(at(0), at(59))
		n, e3 := r.CountRoleWaits("q1")
		if least.RoleName != "P2" || ahead.RoleName != "P1" || n != 0 {
			t.Errorf("the least checked is %+v, by a clock that was ahead %+v; %d wait", least, ahead, n)
		}
		return errors.Join(err, e2, e3, e4)
	})
	update(t, s, func(tx center.Tx) error { return tx.ForgetChecks(one) })
	view(t, s, func(r center.Reader) error {
		p, err := r.Provisioned(one, "ps2")
		if !p.CheckedAt.IsZero() {
			t.Errorf("still checked %+v", p)
		}
		return err
	})
}

// assignmentRules checks rules, which rule wants which assignment, and how far the import of an
// organization has come.
func assignmentRules(t *testing.T, s center.Store) {
	mine := center.Assignment{
		AccountID:        "111122223333",
		PermissionSetARN: "ps1",
		PrincipalType:    center.PrincipalUser,
		PrincipalID:      "u1",
	}
	other := mine
	other.AccountID = "222233334444"
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutAssignmentRule(center.AssignmentRule{ID: "r1", Unit: "ou-1"}),
			tx.PutAssignmentRule(center.AssignmentRule{ID: "r2", Tag: &center.Tag{Key: "k", Value: "v"}}),
			tx.PutOrigin("r1", mine),
			tx.PutOrigin("r1", mine),
			tx.PutOrigin("", mine),
			tx.PutOrigin("r1", other),
			tx.PutOrganizationImport(center.OrganizationImport{Read: 5}),
		)
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.DeleteAssignmentRule("r2"), tx.DeleteOrigin("r1", other))
	})
	view(t, s, func(r center.Reader) error {
		rules, e1 := r.AssignmentRules()
		one, e2 := r.AssignmentRule("r1")
		accounts, e3 := r.AccountsOfRule("r1")
		origins, e4 := r.OriginsOf(mine)
		none, e5 := r.OriginsOf(other)
		o, e6 := r.OrganizationImport()
		if len(rules) != 1 || one.Unit != "ou-1" || !slices.Equal(accounts, []string{mine.AccountID}) ||
			!slices.Equal(origins, []string{"", "r1"}) || len(none) != 0 || o.Read != 5 {
			t.Errorf("read back %v, %v, %v, %q, %v, %v", rules, one, accounts, origins, none, o)
		}
		_, err := r.AssignmentRule("r2")
		wantNoRow(t, "a deleted rule", err)
		return errors.Join(e1, e2, e3, e4, e5, e6)
	})
}
