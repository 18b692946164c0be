package center_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestWhoCanAdministerAndByWhichWay: direct, by a group and by a rule, with the last use, in pages
// that together are the whole; and the same seen from the user.
func TestWhoCanAdministerAndByWhichWay(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := newOffice(t)
	o.ok(o.AttachManagedPolicy(ctx, centertest.Actor, o.set.ARN, "arn:aws:iam::aws:policy/AdministratorAccess"))
	reader, err := o.CreatePermissionSet(
		ctx, centertest.Actor, center.PermissionSet{Name: "Reader", SessionDuration: time.Hour},
	)
	o.ok(err)
	people := []center.User{o.ada}
	for _, name := range []string{"bob@example.com", "cy@example.com", "di@example.com"} {
		people = append(people, o.person(name, "entra-"+name))
	}
	for _, u := range people {
		_, err := o.CreateMembership(ctx, centertest.Actor, o.platform.ID, u.ID)
		o.ok(err)
	}
	_, err = o.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
		Tag: &center.Tag{Key: "env", Value: "prod"}, PermissionSetARN: o.set.ARN,
		PrincipalType: center.PrincipalGroup, PrincipalID: string(o.platform.ID),
	})
	o.ok(err)
	o.assign(production, center.PrincipalUser, string(o.ada.ID))
	_, err = o.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: production, PermissionSetARN: reader.ARN, PrincipalType: center.PrincipalUser,
		PrincipalID: string(people[1].ID),
	})
	o.ok(err)
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	o.ok(o.Store.Update(ctx, func(tx center.Tx) error {
		return tx.NoteRoleUse(center.RoleUse{
			AccountID: production, PermissionSetARN: o.set.ARN, UserID: o.ada.ID, At: at,
		})
	}))
	all, total, err := o.HeldAccess(ctx, center.HeldAccessQuery{Account: production, Administrative: true})
	o.ok(err)
	window := center.AccessRequest{
		ID: "r1", UserID: people[1].ID, AccountID: production, PermissionSetARN: reader.ARN,
		State: center.AccessActive, EndsAt: at.Add(time.Hour),
	}
	o.ok(o.Store.Update(ctx, func(tx center.Tx) error {
		wanted := center.Assignment{
			AccountID: production, PermissionSetARN: reader.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(people[1].ID),
		}
		return errors.Join(
			tx.PutAccessRequest(window), tx.PutOrigin("", wanted), tx.PutOrigin("request:r1", wanted),
		)
	}))
	direct, byGroup := 0, 0
	for _, h := range all {
		switch {
		case h.Group == nil && h.ByHand && len(h.Rules) == 0 && h.User.ID == o.ada.ID && h.LastUsed.Equal(at):
			direct++
		case h.Group != nil && !h.ByHand && len(h.Rules) == 1 && h.Reach.Administers &&
			h.LastUsed.Equal(at) == (h.User.ID == o.ada.ID):
			byGroup++
		default:
			t.Errorf("a way that is wrong: %+v", h)
		}
	}
	if direct != 1 || byGroup != 4 || total != 5 {
		t.Errorf("%d direct, %d by the group, %d in all", direct, byGroup, total)
	}
	var paged []center.HeldAccess
	for offset := range 3 {
		page, n, err := o.HeldAccess(ctx, center.HeldAccessQuery{
			Account: production, Administrative: true, Offset: offset * 2, Limit: 2,
		})
		if o.ok(err); n != 5 {
			t.Errorf("a page says %d in all", n)
		}
		paged = append(paged, page...)
	}
	if !slices.EqualFunc(paged, all, func(a, b center.HeldAccess) bool {
		return a.User.ID == b.User.ID && (a.Group == nil) == (b.Group == nil)
	}) {
		t.Errorf("in pages: %+v", paged)
	}
	for limit := range 7 { // in parts that end within the group, and with it
		var each []center.HeldAccess
		o.ok(o.EachHeldAccess(ctx, center.HeldAccessQuery{Account: production, Administrative: true, Limit: limit},
			func(h center.HeldAccess) error {
				each = append(each, h)
				return nil
			}))
		if !reflect.DeepEqual(each, all) {
			t.Errorf("%d at a time: %+v", limit, each)
		}
	}
	if _, n, err := o.HeldAccess(ctx, center.HeldAccessQuery{Account: production}); err != nil || n != 6 {
		t.Errorf("all permission sets: %d, %v", n, err)
	}
	of, n, err := o.HeldAccess(ctx, center.HeldAccessQuery{User: people[1].ID})
	if err != nil || n != 2 || of[0].PermissionSet.Name != "Admin" || of[1].Group != nil ||
		of[0].Request != "" || of[1].Request != "r1" || len(of[1].Rules) != 0 ||
		!of[1].ByHand || !of[1].Until.Equal(window.EndsAt) {
		t.Errorf("of bob: %+v, %v", of, err)
	}
	if n, err := o.StandingAdministrators(ctx); err != nil || n != 4 {
		t.Errorf("standing administrators: %d, %v", n, err)
	}
	o.ok(turn(o.Center, people[2].ID, false))
	if n, err := o.StandingAdministrators(ctx); err != nil || n != 3 {
		t.Errorf("with one disabled: %d, %v", n, err)
	}
	o.ok(o.DeleteGroup(ctx, centertest.Actor, o.platform.ID))
	if _, n, err := o.HeldAccess(ctx, center.HeldAccessQuery{Account: production, Administrative: true}); err != nil ||
		n != 1 {
		t.Errorf("without the group: %d, %v", n, err)
	}
	for q, code := range map[center.HeldAccessQuery]refusal.Code{
		{Account: "999999999999"}: center.AccountNotFound, {User: "x"}: center.UserNotFound, {}: center.InvalidValue,
	} {
		if _, _, err := o.HeldAccess(ctx, q); refusal.CodeOf(err) != code {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// again is a store whose transactions run twice, as PostgreSQL may ask for it.
type again struct{ center.Store }

func (s again) View(ctx context.Context, fn func(center.Reader) error) error {
	if err := s.Store.View(ctx, fn); err != nil {
		return err
	}
	return s.Store.View(ctx, fn)
}

// TestWaysInOrderAreTheSameWhenTheyAreReadAgain: a rule by which somebody has access is named once.
func TestWaysInOrderAreTheSameWhenTheyAreReadAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := newOffice(t)
	_, err := o.CreateMembership(ctx, centertest.Actor, o.platform.ID, o.ada.ID)
	o.ok(err)
	rule, err := o.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
		Tag: &center.Tag{Key: "env", Value: "prod"}, PermissionSetARN: o.set.ARN,
		PrincipalType: center.PrincipalGroup, PrincipalID: string(o.platform.ID),
	})
	o.ok(err)
	o.Store = again{o.Store}
	q := center.HeldAccessQuery{Account: production, By: center.ByHolder}
	var each []center.HeldAccess
	o.ok(o.EachHeldAccess(ctx, q, func(h center.HeldAccess) error {
		each = append(each, h)
		return nil
	}))
	page, _, err := o.HeldAccess(ctx, q)
	o.ok(err)
	for what, ways := range map[string][]center.HeldAccess{"the file": each, "the page": page} {
		if len(ways) != 1 || !slices.Equal(ways[0].Rules, []string{rule.ID}) {
			t.Errorf("%s: %+v, want the rule %s once", what, ways, rule.ID)
		}
	}
}
