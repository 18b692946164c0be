package centertest

import (
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// leavers checks what is kept of people who left.
func leavers(t *testing.T, s center.Store) {
	first := center.Revocation{ID: "r1", UserID: "u1", UserName: "ada", Action: "RevokeUser", At: at(10)}
	second := center.Revocation{ID: "r2", UserID: "u2", UserName: "bob", At: at(20), Roles: []center.EndedRole{
		{AccountID: one, RoleName: "R1", Name: "bob", Until: at(90)},
	}}
	third := center.Revocation{ID: "r3", UserID: "u1", UserName: "ada", At: at(30)}
	held := center.Assignment{
		AccountID: one, PermissionSetARN: "ps1", PrincipalType: center.PrincipalGroup, PrincipalID: "g1",
	}
	gone := center.Departed{PrincipalType: center.PrincipalGroup, PrincipalID: "g1", Name: "Platform", At: at(9)}
	use := center.RoleUse{AccountID: one, PermissionSetARN: "ps1", UserID: "u1", At: at(5)}
	update(t, s, func(tx center.Tx) error {
		before := tx.Writes()
		err := errors.Join(tx.NoteRoleUse(use), tx.NoteRoleUse(center.RoleUse{
			AccountID: two, PermissionSetARN: "ps1", UserID: "u1", At: at(6),
		}))
		if tx.Writes() != before {
			t.Error("the use of a role counts as a write")
		}
		return errors.Join(
			err, tx.PutRevocation(first), tx.PutRevocation(second), tx.PutRevocation(third), tx.PutAssignment(held),
			tx.PutDeparted(gone),
		)
	})
	second.Roles[0].RefusedAt = at(21)
	use.At = at(7)
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.PutRevocation(second), tx.NoteRoleUse(use))
	})
	view(t, s, func(r center.Reader) error {
		all, e1 := r.Revocations(center.RevocationQuery{})
		ofAda, e2 := r.Revocations(center.RevocationQuery{UserID: "u1", Before: "r3", Limit: 5})
		kept, e3 := r.Revocation("r2")
		_, none := r.Revocation("r9")
		if len(all) != 3 || all[0].ID != "r3" || all[2].ID != "r1" || len(ofAda) != 1 || ofAda[0].ID != "r1" ||
			len(kept.Roles) != 1 || !kept.Roles[0].RefusedAt.Equal(at(21)) || !errors.Is(none, refusal.ErrNoRow) {
			t.Errorf("revocations %+v, %+v, %+v, %v", all, ofAda, kept, none)
		}
		who, e4 := r.Departed(center.PrincipalGroup, "g1")
		_, none = r.Departed(center.PrincipalUser, "g1")
		if who != gone || !errors.Is(none, refusal.ErrNoRow) {
			t.Errorf("departed %+v, %v", who, none)
		}
		yes, e5 := r.HoldsAssignments(center.PrincipalGroup, "g1")
		no, e6 := r.HoldsAssignments(center.PrincipalUser, "g1")
		if !yes || no {
			t.Errorf("holds assignments: %v, %v", yes, no)
		}
		inOne, e7 := r.RoleUses(one, "")
		ofUser, e8 := r.RoleUses("", "u1")
		if len(inOne) != 1 || inOne[0] != use || len(ofUser) != 2 {
			t.Errorf("uses %+v, %+v", inOne, ofUser)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, e8)
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.DeleteRevocations(at(21), 1), tx.DeleteDeparted(center.PrincipalGroup, "g1"))
	})
	view(t, s, func(r center.Reader) error {
		left, e1 := r.Revocations(center.RevocationQuery{})
		_, none := r.Departed(center.PrincipalGroup, "g1")
		if len(left) != 2 || left[1].ID != "r2" || !errors.Is(none, refusal.ErrNoRow) {
			t.Errorf("after deleting the oldest: %+v, %v", left, none)
		}
		return e1
	})
}
