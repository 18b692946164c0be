package center_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestAReviewHasEntitlements to roles that are not the center's: their owner is the account's, and
// what is taken can be given back as it was; credentials are refused, unless the person may open
// the role by another way.
func TestAReviewHasEntitlements(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const role = "arn:aws:iam::111122223333:role/ops/Reader"
	w := &reviewWorld{requestWorld: newRequestWorld(t)}
	a, e1 := w.CreateAccessManager(ctx, centertest.Actor, w.Instance.ARN, nil)
	arn := w.AccessManagerARN(a)
	entitle := func(of center.PrincipalType, id string) center.Entitlement {
		e, err := w.CreateEntitlement(ctx, centertest.Actor, arn, center.Entitlement{
			RoleARN: role, PrincipalType: of, PrincipalID: id,
		})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := entitle(center.PrincipalUser, string(w.Ada.ID))
	e2 := w.PutAccessOwner(ctx, centertest.Actor, center.AccessOwner{
		AccountID: w.Account.ID, Owner: center.Principal{Type: center.PrincipalUser, ID: string(w.Grace.ID)},
	})
	session := center.RoleSession{
		UserID: w.Ada.ID, Name: "ada", AccountID: w.Account.ID, RoleName: role, PermissionSetARN: role,
		Until: w.now.Add(time.Hour), Own: true,
	}
	e3 := w.Store.Update(ctx, func(tx center.Tx) error {
		return errors.Join(tx.ExtendRoleSession(session), tx.NoteRoleUse(center.RoleUse{
			AccountID: w.Account.ID, PermissionSetARN: role, UserID: w.Ada.ID, At: w.now,
		}))
	})
	if err := errors.Join(e1, e2, e3); err != nil {
		t.Fatal(err)
	}
	issued := w.now
	v := w.start(center.AccessReview{Administrative: true, EndUnconfirmed: true})
	l := w.lines(v)[center.ByRole]
	if l.PermissionSetName != role || l.Owner.ID != string(w.Grace.ID) || l.AccountName != "Production" {
		t.Fatalf("the line is %+v", l)
	}
	list, err := w.ReviewLines(ctx, center.ReviewLineQuery{ReviewID: v.ID})
	if err != nil || len(list) != 1 || list[0].LastUsedBy != "ada" {
		t.Errorf("the evidence is %+v, %v", list, err)
	}
	held := func() bool {
		roles, err := w.EntitledRoles(ctx, center.EntitledQuery{User: w.Ada.ID})
		if err != nil {
			t.Fatal(err)
		}
		return len(roles) > 0
	}
	if err := w.decide(w.Ada, v, center.VerdictConfirm, l.Key); refusal.CodeOf(err) != center.NotReviewOwner {
		t.Errorf("ada confirms her own: %v", err)
	}
	if err := w.DeleteEntitlement(ctx, centertest.Actor, arn, e.ID); err != nil {
		t.Fatal(err)
	}
	entitle(center.PrincipalUser, string(w.Ada.ID)) // made again, it is the same access
	w.now = w.now.Add(time.Second)
	if err := w.decide(w.Grace, v, center.VerdictRemove, l.Key); err != nil || held() {
		t.Errorf("removed: %v, ada has it: %v", err, held())
	}
	if err := w.RoleStillOpen(ctx, w.Ada.ID, role, issued, nil); refusal.CodeOf(err) != center.NotAllowed {
		t.Errorf("the credentials: %v", err)
	}
	if err := w.decide(w.Grace, v, center.VerdictRestore, l.Key); err != nil || !held() {
		t.Errorf("given back: %v, ada has it: %v", err, held())
	}
	if back, err := w.Entitlement(ctx, arn, e.ID); err != nil || back.Longest != e.Longest {
		t.Errorf("it came back as %+v, %v", back, err)
	}
	w.now = w.now.Add(11 * 24 * time.Hour)
	for range 3 {
		if _, err := w.WorkOnReviews(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if l := w.lines(v)[center.ByRole]; l.State != center.LineEnded || held() {
		t.Errorf("at the deadline: %+v, ada has it: %v", l, held())
	}
	if only, err := w.StartAccessReview(ctx, centertest.Actor, center.AccessReview{
		Name: "Set", PermissionSetARN: w.Set.ARN, Deadline: w.now.Add(24 * time.Hour),
	}); refusal.CodeOf(err) != center.NothingToReview {
		t.Errorf("of a permission set: %+v, %v", only, err)
	}
	entitle(center.PrincipalUser, string(w.Ada.ID)) // somebody was faster
	if err := w.decide(w.Linus, v, center.VerdictRestore, l.Key); refusal.CodeOf(err) != center.NotReviewOwner {
		t.Errorf("linus gives back: %v", err)
	}
	if _, err := w.DecideReview(
		ctx, centertest.Actor, "", v.ID, center.VerdictRestore, []string{l.Key}, "",
	); err != nil || !held() {
		t.Errorf("given back again: %v", err)
	}
}
