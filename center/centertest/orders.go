package centertest

import (
	"errors"
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// orderedAssignments puts four into each order, of which one names nothing that is there.
func orderedAssignments(t *testing.T, s center.Store) {
	user, group := Person("Mia"), center.Group{ID: "g1", DisplayName: "Zulu"}
	user.ID = "u1"
	in := func(account, set string, of center.PrincipalType, id string) center.Assignment {
		return center.Assignment{AccountID: account, PermissionSetARN: set, PrincipalType: of, PrincipalID: id}
	}
	ofUser, ofGroup := in("1", "ps1", center.PrincipalUser, "u1"), in("2", "ps2", center.PrincipalGroup, "g1")
	second, gone := in("2", "ps1", center.PrincipalUser, "u1"), in("3", "ps3", center.PrincipalGroup, "g0")
	update(t, s, func(tx center.Tx) error {
		_, err := tx.AddUser(user)
		return errors.Join(
			err, tx.AddGroup(group),
			tx.PutAccount(center.Account{ID: "1", Name: "beta"}), tx.PutAccount(center.Account{ID: "2", Name: "Alpha"}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps1", Name: "reader"}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps2", Name: "Admin"}),
			tx.PutAssignment(ofUser), tx.PutAssignment(ofGroup), tx.PutAssignment(second), tx.PutAssignment(gone),
		)
	})
	view(t, s, func(r center.Reader) error {
		for by, want := range map[center.AssignmentOrder][]center.Assignment{
			center.ByAccountID: {ofUser, second, ofGroup, gone}, center.ByAccountName: {gone, second, ofGroup, ofUser},
			center.BySetName: {gone, ofGroup, ofUser, second}, center.ByPrincipalName: {gone, ofUser, second, ofGroup},
		} {
			all, e1 := r.Assignments(center.AssignmentQuery{By: by})
			part, e2 := r.Assignments(center.AssignmentQuery{By: by, Offset: 1, Limit: 2})
			back, e3 := r.Assignments(center.AssignmentQuery{By: by, Descending: true, Limit: 1})
			err := errors.Join(e1, e2, e3)
			if err != nil || !slices.Equal(all, want) || !slices.Equal(part, want[1:3]) {
				t.Errorf("in the order %q: %v, a page of it %v, %v", by, all, part, err)
			}
			last := map[center.AssignmentOrder]center.Assignment{center.ByPrincipalName: ofGroup}[by]
			if last == (center.Assignment{}) { // those of equal names, and of ids, are not turned round
				last = ofUser
			}
			if len(back) != 1 || back[0] != last {
				t.Errorf("in the order %q, the other way round, %v is first", by, back)
			}
		}
		return nil
	})
}
