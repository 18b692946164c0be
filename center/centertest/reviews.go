package centertest

import (
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// accessReviews checks what is kept of reviews of access, of their lines and of owners.
func accessReviews(t *testing.T, s center.Store) {
	ada, group := center.Principal{Type: center.PrincipalUser, ID: "u1"},
		center.Principal{Type: center.PrincipalGroup, ID: "g1"}
	open := center.AccessReview{
		ID: "v1", Name: "Quarter", State: center.ReviewOpen, CreatedAt: at(1), RemindAt: at(20), Deadline: at(40),
	}
	closed := center.AccessReview{ID: "v2", State: center.ReviewClosed, CreatedAt: at(2), Deadline: at(3)}
	line := func(review, key string, owner center.Principal, state center.LineState) center.ReviewLine {
		return center.ReviewLine{ReviewID: review, Key: key, Owner: owner, State: state, PrincipalName: "ada"}
	}
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutAccessReview(open), tx.PutAccessReview(closed), tx.PutReviewLines([]center.ReviewLine{
				line("v1", "0001", ada, center.LineOpen), line("v1", "0002", group, center.LineOpen),
				line("v1", "0003", center.Principal{}, center.LineOpen), line("v1", "0004", ada, center.LineOpen),
				line("v2", "0001", ada, center.LineKept),
			}), tx.PutReviewLines([]center.ReviewLine{line("v1", "0004", ada, center.LineConfirmed)}),
			tx.PutReviewLines(nil),
			tx.PutAccessOwner(center.AccessOwner{PermissionSetARN: "ps1", Owner: ada}),
			tx.PutAccessOwner(center.AccessOwner{AccountID: one, Owner: group}), tx.DeleteAccessOwner("ps1"),
		)
	})
	view(t, s, func(r center.Reader) error {
		owners, e1 := r.AccessOwners()
		kept, e2 := r.AccessReview("v1")
		_, err := r.AccessReview("v3")
		wantNoRow(t, "another review", err)
		all, e3 := r.AccessReviews(1)
		if len(owners) != 1 || owners[0].Owner != group || kept.Name != "Quarter" || !kept.RemindAt.Equal(at(20)) ||
			len(all) != 1 || all[0].ID != "v2" {
			t.Errorf("owners %+v, review %+v, newest %+v", owners, kept, all)
		}
		mine, e4 := r.ReviewLines(
			center.ReviewLineQuery{Owners: []center.Principal{ada, group}, State: center.LineOpen},
		)
		next, e5 := r.ReviewLines(center.ReviewLineQuery{ReviewID: "v1", After: "0001", Limit: 2})
		n, e6 := r.CountReviewLines(center.ReviewLineQuery{ReviewID: "v1", State: center.LineOpen})
		none, e7 := r.ReviewLines(center.ReviewLineQuery{Owners: []center.Principal{}})
		if len(mine) != 2 || mine[1].Key != "0002" || len(next) != 2 || next[0].Key != "0002" || n != 3 ||
			len(none) != 0 {
			t.Errorf("lines %+v, %+v, %d, %+v", mine, next, n, none)
		}
		owned, e8 := r.OpenLinesOfOwners("v1")
		if len(owned) != 3 || owned[0].Owner.ID != "" || owned[1].Owner != group || owned[2].Lines != 1 {
			t.Errorf("owners of open lines %+v", owned)
		}
		one, e9 := r.ReviewLine("v1", "0004")
		_, err = r.ReviewLine("v2", "0004")
		wantNoRow(t, "another line", err)
		if one.State != center.LineConfirmed || one.PrincipalName != "ada" {
			t.Errorf("a line %+v", one)
		}
		due, e10 := r.DueAccessReviews(at(19), 5)
		later, e11 := r.DueAccessReviews(at(20), 5)
		if !s.Shared() && (len(due) != 0 || len(later) != 1) { // else it goes by the clock of the database
			t.Errorf("due %+v, then %+v", due, later)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11)
	})
	update(t, s, func(tx center.Tx) error { return tx.DeleteAccessReviews(at(60), 10) })
	view(t, s, func(r center.Reader) error {
		all, e1 := r.AccessReviews(0)
		n, e2 := r.CountReviewLines(center.ReviewLineQuery{})
		if len(all) != 1 || all[0].ID != "v1" || n != 4 {
			t.Errorf("after what is closed was deleted: %+v, %d lines", all, n)
		}
		return errors.Join(e1, e2)
	})
}
