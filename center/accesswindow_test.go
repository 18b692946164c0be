package center_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// keeping has a world's center keep roles in IAM.
func (w *requestWorld) keeping() *roleWorld {
	w.OwnSTS = false
	iam := &scripted{there: map[string]center.AccountRole{}}
	w.Roles = iam
	of := func(u center.User) center.Assignment {
		return center.Assignment{
			AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(u.ID),
		}
	}
	return &roleWorld{Center: w.Center, t: w.t, iam: iam, set: w.Set, ada: of(w.Ada), bob: of(w.Grace)}
}

// makes does what is due in IAM, without letting time pass.
func (w *requestWorld) makes() {
	w.t.Helper()
	for {
		if worked, err := w.WorkOnRole(context.Background()); err != nil {
			w.t.Fatal(err)
		} else if !worked {
			return
		}
	}
}

// TestWindowsWhereRolesAreKept: the role comes and goes with the window, whatever IAM says, and
// what somebody has by hand stays.
func TestWindowsWhereRolesAreKept(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		before bool                                // somebody has asked for it by hand
		during func(w *requestWorld, k *roleWorld) // after it was approved
		state  center.AccessState                  // before its end
		roles  int                                 // in IAM, after its end
	}{
		"made in time": {false, func(w *requestWorld, _ *roleWorld) { w.makes() }, center.AccessActive, 0},
		"made when the window has closed": {false, func(w *requestWorld, _ *roleWorld) {
			w.passes(time.Hour)
			w.makes()
		}, center.AccessEnded, 0},
		"refused by IAM": {false, func(w *requestWorld, k *roleWorld) {
			k.iam.say = []error{refused}
			w.makes()
		}, center.AccessFailed, 0},
		"not answered for long": {false, func(w *requestWorld, k *roleWorld) {
			k.iam.say = []error{silent, silent}
			w.makes()
			w.passes(time.Second)
			w.makes()
			w.passes(4 * time.Second)
			w.makes()
		}, center.AccessActive, 0},
		"with somebody who stays": {false, func(w *requestWorld, k *roleWorld) {
			k.create(k.bob)
			w.makes()
		}, center.AccessActive, 1},
		"made by hand meanwhile": {false, func(w *requestWorld, k *roleWorld) {
			k.create(k.ada)
			w.makes()
		}, center.AccessActive, 1},
		"made by hand before": {true, func(w *requestWorld, _ *roleWorld) { w.makes() }, center.AccessActive, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			k := w.keeping()
			if c.before {
				k.create(k.ada)
			}
			r := w.opens(w.Ask())
			if r.State != center.AccessActive || w.Has(t) {
				t.Fatalf("before there is a role: %+v", r)
			}
			c.during(w, k)
			w.passes(3 * time.Second)
			if got := w.state(r.ID); got != c.state || w.Has(t) != (c.state == center.AccessActive) {
				t.Errorf("it is %s, has it: %v; want %s", got, w.Has(t), c.state)
			}
			w.passes(time.Hour)
			w.makes()
			stays := strings.HasPrefix(name, "made by hand")
			if w.Has(t) != stays || len(k.iam.there) != c.roles {
				t.Errorf("afterwards has it: %v, roles in IAM: %d, want %d", w.Has(t), len(k.iam.there), c.roles)
			}
			if stays {
				if k.remove(k.ada); w.Has(t) {
					t.Error("it cannot be removed by hand")
				}
			}
			if jobs, err := w.RoleJobs(ctx, center.RoleJobQuery{}); err != nil || len(jobs) > 1 {
				t.Errorf("left to do: %+v, %v", jobs, err)
			}
			centertest.Check(t, w.Center)
		})
	}
}

// TestIAMRefusesWhatAWindowOpened: where the role stays because others have it, it denies the
// person's credentials from the end of the window on.
func TestIAMRefusesWhatAWindowOpened(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRequestWorld(t)
	k := w.keeping()
	k.now = w.now
	k.create(k.bob)
	w.makes()
	r := w.opens(w.Ask())
	session := k.opens(k.ada)
	k.opens(k.bob)
	w.passes(time.Hour)
	if a, err := w.RoleAccess(ctx, w.Ada.ID); err != nil || len(a.Open) != 0 || a.Pending() != 1 {
		t.Errorf("before IAM has it: %+v, %v", a, err)
	}
	w.makes()
	revoked := k.iam.there[session.RoleName].Revoked
	if len(revoked) != 1 || revoked[0].Name != session.Name || revoked[0].Before.Before(w.now) {
		t.Errorf("the role denies %+v", revoked)
	}
	if a, err := w.RoleAccess(ctx, w.Grace.ID); err != nil || len(a.Open) != 1 {
		t.Errorf("who stays: %+v, %v", a, err)
	}
	if w.state(r.ID) != center.AccessEnded {
		t.Errorf("it is %s", w.state(r.ID))
	}
}

// TestAWindowTakesAwayOnlyWhatItGave: what somebody has by hand or by a rule stays, whichever came
// first, and what a window alone gave goes.
func TestAWindowTakesAwayOnlyWhatItGave(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	standing := func(w *requestWorld) {
		a := center.Assignment{
			AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(w.Ada.ID),
		}
		if _, err := w.CreateAssignment(ctx, centertest.Actor, a); err != nil {
			w.t.Fatal(err)
		}
	}
	remove := func(w *requestWorld) {
		a := center.Assignment{
			AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(w.Ada.ID),
		}
		if r, err := w.DeleteAssignment(ctx, centertest.Actor, a); err != nil || r.Status != center.Succeeded {
			w.t.Fatalf("%+v, %v", r, err)
		}
	}
	byGroup := func(w *requestWorld) {
		a := center.Assignment{
			AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalGroup,
			PrincipalID: string(w.Engineers.ID),
		}
		if _, err := w.CreateAssignment(ctx, centertest.Actor, a); err != nil {
			w.t.Fatal(err)
		}
	}
	rule := func(w *requestWorld) {
		w.Account.Tags = []center.Tag{{Key: "env", Value: "prod"}}
		_, err := w.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
			Tag: &w.Account.Tags[0], PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
			PrincipalID: string(w.Ada.ID),
		})
		err = errors.Join(err, w.PutAccount(ctx, centertest.Actor, w.Account),
			w.ApplyAssignmentRules(ctx, audit.SystemActor))
		if err != nil {
			w.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		before, during func(*requestWorld)
		stays          bool
	}{
		"nothing else":                  {nil, nil, false},
		"standing before":               {standing, nil, true},
		"standing since":                {nil, standing, true},
		"standing twice":                {standing, standing, true},
		"by a group":                    {byGroup, nil, true},
		"by a group since":              {nil, byGroup, true},
		"by a rule":                     {rule, nil, true},
		"by a rule since":               {nil, rule, true},
		"by hand and by a rule":         {standing, rule, true},
		"standing, and removed since":   {standing, remove, false},
		"removed by an administrator":   {nil, remove, false},
		"standing, removed, made again": {standing, func(w *requestWorld) { remove(w); standing(w) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			if c.before != nil {
				c.before(w)
			}
			r := w.opens(w.Ask())
			if c.during != nil {
				c.during(w)
			}
			w.passes(time.Hour)
			if got := w.Has(t); got != c.stays {
				t.Errorf("has it: %v, want %v", got, c.stays)
			}
			if w.state(r.ID) != center.AccessEnded {
				t.Errorf("it is %s", w.state(r.ID))
			}
			err := w.Store.View(ctx, func(tx center.Reader) error {
				origins, err := tx.OriginsOf(center.Assignment{
					AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
					PrincipalID: string(w.Ada.ID),
				})
				for _, o := range origins {
					if strings.HasPrefix(o, "request:") {
						t.Errorf("the window still wants the assignment: %q", origins)
					}
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if c.stays && name != "by a group" && name != "by a group since" && !strings.Contains(name, "rule") {
				remove(w)
				if w.Has(t) {
					t.Error("it cannot be removed anymore")
				}
			}
		})
	}
}

// TestCredentialsEndWithTheWindow: those that were opened in it, unless the person has the role by
// another way; those of other roles go on.
func TestCredentialsEndWithTheWindow(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		end   func(w *requestWorld, id string) error
		group bool // the role is the person's by a group too
	}{
		"by itself":       {func(w *requestWorld, _ string) error { w.passes(time.Hour); return nil }, false},
		"by itself, kept": {func(w *requestWorld, _ string) error { w.passes(time.Hour); return nil }, true},
		"early": {func(w *requestWorld, id string) error {
			_, err := w.EndAccess(ctx, w.By(w.Ada), w.Ada.ID, id, "done")
			return err
		}, false},
		"by an approver": {func(w *requestWorld, id string) error {
			_, err := w.EndAccess(ctx, w.By(w.Grace), w.Grace.ID, id, "enough")
			return err
		}, false},
		"by an administrator": {func(w *requestWorld, id string) error {
			_, err := w.EndAccess(ctx, centertest.Actor, "", id, "")
			return err
		}, false},
		"with the person": {func(w *requestWorld, _ string) error {
			return w.SetUserActive(ctx, centertest.Actor, w.Ada.ID, false)
		}, false},
		"with all that is open": {func(w *requestWorld, _ string) error {
			_, err := w.RevokeUser(ctx, centertest.Actor, w.Ada.ID)
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			if c.group {
				if _, err := w.CreateAssignment(ctx, centertest.Actor, center.Assignment{
					AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalGroup,
					PrincipalID: string(w.Engineers.ID),
				}); err != nil {
					t.Fatal(err)
				}
			}
			r := w.opens(w.Ask())
			roles, err := w.Provisioned(ctx, center.ProvisionedQuery{})
			if err != nil || len(roles) != 1 {
				t.Fatalf("%+v, %v", roles, err)
			}
			issued := w.now
			session := center.RoleSession{
				UserID: w.Ada.ID, Name: "ada", AccountID: w.Account.ID, RoleName: roles[0].RoleName,
				PermissionSetARN: w.Set.ARN, Until: w.now.Add(12 * time.Hour), Own: true,
			}
			other := session
			other.RoleName = "AWSReservedSSO_Other_0123456789abcdef"
			if err := w.Store.Update(ctx, func(tx center.Tx) error {
				return errors.Join(tx.ExtendRoleSession(session), tx.ExtendRoleSession(other))
			}); err != nil {
				t.Fatal(err)
			}
			if err := w.RoleStillOpen(ctx, w.Ada.ID, session.RoleName, issued, nil); err != nil {
				t.Errorf("while it is open: %v", err)
			}
			w.now = w.now.Add(time.Second)
			if err := c.end(w, r.ID); err != nil {
				t.Fatal(err)
			}
			zero := time.Time{}
			ahead := w.RoleStillOpen(ctx, w.Ada.ID, session.RoleName, issued.Add(time.Hour), &zero)
			if (ahead == nil) != c.group { // by a node whose clock is ahead
				t.Errorf("credentials by another node's clock: %v", ahead)
			}
			open := w.RoleStillOpen(ctx, w.Ada.ID, session.RoleName, issued, nil)
			if (open == nil) != c.group || (open != nil && refusal.CodeOf(open) != center.NotAllowed) {
				t.Errorf("afterwards: %v", open)
			}
			if err := w.RoleStillOpen(ctx, w.Ada.ID, other.RoleName, issued, nil); err != nil {
				t.Errorf("another role: %v", err)
			}
			if w.state(r.ID) != center.AccessEnded || w.Has(t) != c.group {
				t.Errorf("it is %s, has it: %v", w.state(r.ID), w.Has(t))
			}
			w.passes(24 * time.Hour)
			if err := w.Sweep(ctx); err != nil {
				t.Error(err)
			}
			if a, err := w.RoleAccess(ctx, w.Ada.ID); err != nil || len(a.Revoked) != 0 {
				t.Errorf("a day later stands %+v, %v", a.Revoked, err)
			}
		})
	}
}

// TestAWindowIsExtendedByApproval: and never reaches further than the policy lets it.
func TestAWindowIsExtendedByApproval(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRequestWorld(t)
	r := w.opens(w.Ask())
	extend := func(length time.Duration, reason string) error {
		_, err := w.ExtendAccess(ctx, w.By(w.Ada), w.Ada.ID, r.ID, length, reason)
		return err
	}
	for _, c := range []struct {
		length time.Duration
		reason string
		code   refusal.Code
	}{
		{time.Hour + time.Minute, "more", center.InvalidValue}, // two hours from now at most
		{0, "more", center.InvalidValue},
		{time.Hour, "", center.MissingValue},
	} {
		if err := extend(c.length, c.reason); refusal.CodeOf(err) != c.code {
			t.Errorf("%s %q: %v, want %v", c.length, c.reason, err, c.code)
		}
	}
	if err := extend(time.Hour, "more"); err != nil {
		t.Fatal(err)
	}
	if err := extend(time.Hour, "and more"); refusal.CodeOf(err) != center.AccessRequestOpen {
		t.Errorf("twice: %v", err)
	}
	if _, err := w.approve(w.Ada, r.ID); refusal.CodeOf(err) != center.OwnAccessRequest {
		t.Errorf("by oneself: %v", err)
	}
	if _, err := w.DenyAccess(ctx, w.By(w.Linus), w.Linus.ID, r.ID, "no"); err != nil || !w.Has(t) {
		t.Errorf("denying an extension: %v, has it: %v", err, w.Has(t))
	}
	if err := extend(time.Hour, "please"); err != nil {
		t.Fatal(err)
	}
	if got, err := w.approve(w.Grace, r.ID); err != nil || !got.EndsAt.Equal(r.EndsAt.Add(time.Hour)) {
		t.Fatalf("extended: %+v, %v", got, err)
	}
	w.passes(time.Hour)
	if !w.Has(t) {
		t.Error("it went at its first end")
	}
	if err := extend(30*time.Minute, "once more"); err != nil { // which nobody approves
		t.Error(err)
	}
	w.passes(time.Hour)
	if w.Has(t) || w.state(r.ID) != center.AccessEnded {
		t.Errorf("it is %s", w.state(r.ID))
	}
	if _, err := w.approve(w.Grace, r.ID); refusal.CodeOf(err) != center.AccessRequestClosed {
		t.Errorf("an extension of what has ended: %v", err)
	}
}

// TestEmergencyAccessIsThereAtOnce: and waits for its review, which may end it.
func TestEmergencyAccessIsThereAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		right, late bool
		state       center.AccessState
	}{
		"right":           {true, false, center.AccessActive},
		"wrong":           {false, false, center.AccessEnded},
		"wrong, too late": {false, true, center.AccessEnded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			ask := w.Ask()
			ask.Emergency = true
			r := w.ask(ask)
			if r.State != center.AccessActive || !w.Has(t) {
				t.Fatalf("%+v", r)
			}
			if c.late {
				w.passes(time.Hour)
			}
			desk, err := w.AccessDesk(ctx, w.Grace.ID)
			if err != nil || len(desk.ToDo) != 1 {
				t.Fatalf("what waits for an approver: %+v, %v", desk, err)
			}
			if _, err := w.ReviewAccess(ctx, w.By(w.Ada), w.Ada.ID, r.ID, true, ""); refusal.CodeOf(err) !=
				center.OwnAccessRequest {
				t.Errorf("a review by oneself: %v", err)
			}
			if _, err := w.ReviewAccess(ctx, w.By(w.Grace), w.Grace.ID, r.ID, c.right, "so"); err != nil {
				t.Fatal(err)
			}
			if w.state(r.ID) != c.state || w.Has(t) != (c.state == center.AccessActive) {
				t.Errorf("it is %s", w.state(r.ID))
			}
			if _, err := w.ReviewAccess(ctx, w.By(w.Linus), w.Linus.ID, r.ID, true, ""); refusal.CodeOf(err) !=
				center.AccessRequestClosed {
				t.Errorf("a second review: %v", err)
			}
			if desk, err = w.AccessDesk(ctx, w.Grace.ID); err != nil || len(desk.ToDo) != 0 {
				t.Errorf("what waits afterwards: %+v, %v", desk, err)
			}
		})
	}
}

// TestAccessBeginsLater: at its start, if the person may still have it, and ends when it was asked
// to, however late it was approved.
func TestAccessBeginsLater(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		meanwhile func(w *requestWorld) error
		state     center.AccessState
	}{
		"as planned": {func(*requestWorld) error { return nil }, center.AccessActive},
		"not eligible": {func(w *requestWorld) error {
			return w.DeleteGroup(ctx, centertest.Actor, w.Engineers.ID)
		}, center.AccessFailed},
		"disabled": {func(w *requestWorld) error {
			return w.SetUserActive(ctx, centertest.Actor, w.Ada.ID, false)
		}, center.AccessCanceled},
		"policy deleted": {func(w *requestWorld) error {
			return w.DeleteRequestPolicy(ctx, centertest.Actor, w.Policy.ID)
		}, center.AccessDenied},
		"nobody was here": {func(w *requestWorld) error {
			w.now = w.now.Add(10 * time.Hour)
			return nil
		}, center.AccessFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRequestWorld(t)
			ask := w.Ask()
			ask.Start = w.now.Add(4 * time.Hour)
			r := w.opens(ask)
			if r.State != center.AccessScheduled || w.Has(t) {
				t.Fatalf("before its start: %+v", r)
			}
			w.passes(3 * time.Hour)
			if w.Has(t) {
				t.Error("it is there too early")
			}
			if err := c.meanwhile(w); err != nil {
				t.Fatal(err)
			}
			w.passes(time.Hour)
			if got := w.state(r.ID); got != c.state || w.Has(t) != (c.state == center.AccessActive) {
				t.Errorf("at its start it is %s, want %s", got, c.state)
			}
			w.passes(time.Hour)
			if w.Has(t) {
				t.Error("it stays")
			}
		})
	}
}
