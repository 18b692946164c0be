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

// turn enables or disables a user as provisioning does.
func turn(c *center.Center, id center.UserID, on bool) error {
	_, err := c.UpdateUser(context.Background(), centertest.Actor, id, func(u *center.User) error {
		u.Active = on
		return nil
	})
	return err
}

// TestCredentialsOfRolesEndWithTheUser: what the center's own STS is asked is refused from the
// moment on, and stays refused when the user comes back; what is opened afterwards is good.
func TestCredentialsOfRolesEndWithTheUser(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		end   func(c *center.Center, u center.UserID) error
		again bool // the user may open roles afterwards
	}{
		"disabled": {func(c *center.Center, u center.UserID) error {
			return c.SetUserActive(ctx, centertest.Actor, u, false)
		}, false},
		"disabled by provisioning": {func(c *center.Center, u center.UserID) error {
			return turn(c, u, false)
		}, false},
		"deleted": {func(c *center.Center, u center.UserID) error {
			return c.DeleteUser(ctx, centertest.Actor, u)
		}, false},
		"revoked": {func(c *center.Center, u center.UserID) error {
			_, err := c.RevokeUser(ctx, centertest.Actor, u)
			return err
		}, true},
		"disabled, and enabled again": {func(c *center.Center, u center.UserID) error {
			return errors.Join(c.SetUserActive(ctx, centertest.Actor, u, false),
				c.SetUserActive(ctx, centertest.Actor, u, true))
		}, true},
		"disabled and enabled by provisioning": {func(c *center.Center, u center.UserID) error {
			return errors.Join(turn(c, u, false), turn(c, u, true))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := centertest.New(t, "https://center.example")
			now := time.Now()
			w.Now = func() time.Time { return now }
			u, err := w.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
			if err != nil {
				t.Fatal(err)
			}
			issued := now
			if err := w.RoleSessionOpen(ctx, u.ID, issued, nil); err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Second)
			if err := c.end(w, u.ID); err != nil {
				t.Fatal(err)
			}
			if err := w.RoleSessionOpen(ctx, u.ID, issued, nil); refusal.CodeOf(err) != center.NotAllowed {
				t.Errorf("what was open: %v", err)
			}
			now = now.Add(time.Second)
			if err := w.RoleSessionOpen(ctx, u.ID, now, nil); (err == nil) != c.again {
				t.Errorf("what is opened afterwards: %v", err)
			}
		})
	}
}

const denyS3 = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`

// sweeps removes what is over at a moment, and does what follows from it.
func (w *roleWorld) sweeps(at time.Time) {
	w.t.Helper()
	w.now = at
	if err := w.Sweep(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.work()
}

// opens has a user open the role that there is.
func (w *roleWorld) opens(a center.Assignment) center.RoleSession {
	w.t.Helper()
	ctx := context.Background()
	known, err := w.Provisioned(ctx, center.ProvisionedQuery{})
	if err != nil || len(known) != 1 {
		w.t.Fatalf("%+v, %v", known, err)
	}
	s := center.RoleSession{
		UserID:           center.UserID(a.PrincipalID),
		Name:             "session-of-" + a.PrincipalID,
		AccountID:        a.AccountID,
		RoleName:         known[0].RoleName,
		PermissionSetARN: a.PermissionSetARN,
		Until:            w.now.Add(12 * time.Hour),
		Kept:             true,
	}
	if err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(s) }); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// TestRolesRefuseWhoHasLeft: the roles that a leaver has opened deny the leaver's credentials, also
// when IAM refuses at first and for long, and not any more when the last have run out. What is not
// provisioned of the permission set stays so.
func TestRolesRefuseWhoHasLeft(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRoleWorld(t)
	w.create(w.ada)
	w.create(w.bob)
	w.work()
	ada := w.opens(w.ada)
	w.opens(w.bob)
	later := ada
	later.Name = "renamed-since"
	if err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(later) }); err != nil {
		t.Fatal(err)
	}
	if err := w.UpdatePermissionSet(
		ctx, centertest.Actor, center.ActionPutInlinePolicy, w.set.ARN,
		func(p *center.PermissionSet) error { p.InlinePolicy = denyS3; return nil },
	); err != nil {
		t.Fatal(err)
	}
	w.iam.say = []error{silent, refused, silent, refused, silent, refused, refused}
	if err := w.SetUserActive(ctx, centertest.Actor, ada.UserID, false); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		if a, err := w.RoleAccess(ctx, ada.UserID); err != nil || len(a.Open) != 0 || a.Pending() != 2 {
			t.Fatalf("before IAM has it: %+v, %v", a, err)
		}
		w.work()
	}
	w.work()
	access, err := w.RoleAccess(ctx, ada.UserID)
	if err != nil || len(access.Open) != 0 || len(access.Revoked) != 2 || access.Pending() != 0 {
		t.Fatalf("when IAM has it: %+v, %v", access, err)
	}
	role := w.iam.there[ada.RoleName]
	if len(role.Revoked) != 2 || role.Revoked[0].Name != later.Name || role.Revoked[1].Name != ada.Name ||
		role.InlinePolicy != "" {
		t.Errorf("the role is %+v", role)
	}
	if jobs, err := w.RoleJobs(ctx, center.RoleJobQuery{}); err != nil || len(jobs) != 0 {
		t.Errorf("left to do: %+v, %v", jobs, err)
	}
	stays, err := w.RoleAccess(ctx, center.UserID(w.bob.PrincipalID))
	if err != nil || len(stays.Open) != 1 || len(stays.Revoked) != 0 {
		t.Errorf("bob, who stays: %+v, %v", stays, err)
	}
	if err := w.DeleteUser(ctx, centertest.Actor, ada.UserID); err != nil {
		t.Fatal(err)
	}
	w.work()
	before := w.now
	w.sweeps(before.Add(20 * time.Hour)) // by a clock that has gone ahead
	w.now = before
	access, err = w.RoleAccess(ctx, ada.UserID)
	if err != nil || len(access.Revoked) != 2 || len(w.iam.there[ada.RoleName].Revoked) != 2 {
		t.Errorf("a clock was ahead for a moment: %+v, %+v, %v", access, w.iam.there[ada.RoleName], err)
	}
	sweepUntil(t, w.Center, &w.now, w.now.Add(37*time.Hour))
	w.work()
	access, err = w.RoleAccess(ctx, ada.UserID)
	if err != nil || len(access.Revoked)+len(w.iam.there[ada.RoleName].Revoked) != 0 {
		t.Errorf("after the last credentials: %+v, %+v, %v", access, w.iam.there[ada.RoleName], err)
	}
	if jobs, err := w.RoleJobs(ctx, center.RoleJobQuery{}); err != nil || len(jobs) != 0 {
		t.Errorf("left to do in the end: %+v, %v", jobs, err)
	}
}

// TestAProvisioningThatComesMeanwhileIsDone: a request to provision that arrives while a revocation
// is worked on is not taken for done with it.
func TestAProvisioningThatComesMeanwhileIsDone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRoleWorld(t)
	w.create(w.ada)
	w.work()
	ada := w.opens(w.ada)
	if _, err := w.RevokeUser(ctx, centertest.Actor, ada.UserID); err != nil {
		t.Fatal(err)
	}
	r, err := w.ProvisionPermissionSet(ctx, centertest.Actor, w.set.ARN, "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	w.want("both", 1, 1, map[center.AssignmentRequest]center.RequestStatus{r: center.Succeeded})
	if a, err := w.RoleAccess(ctx, ada.UserID); err != nil || len(a.Revoked) != 1 || a.Pending() != 0 {
		t.Errorf("the revocation: %+v, %v", a, err)
	}
}

// TestNodesWhoseClocksDiffer: what was issued before a revocation is refused, and what was issued
// afterwards is good, also when the node that issued it is minutes ahead, or behind.
func TestNodesWhoseClocksDiffer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, ahead := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		c := centertest.New(t, "https://center.example")
		u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
		if err != nil {
			t.Fatal(err)
		}
		there := func() time.Time { return time.Now().Add(ahead) } // the clock of the node that issues
		before, under := there(), u.RolesSince
		if err := c.RoleSessionOpen(ctx, u.ID, before, &under); err != nil {
			t.Errorf("%s ahead, before the revocation: %v", ahead, err)
		}
		if _, err := c.RevokeUser(ctx, centertest.Actor, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := c.RoleSessionOpen(ctx, u.ID, before, &under); refusal.CodeOf(err) != center.NotAllowed {
			t.Errorf("%s ahead, what was open: %v", ahead, err)
		}
		if u, err = c.User(ctx, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := c.RoleSessionOpen(ctx, u.ID, there(), &u.RolesSince); err != nil {
			t.Errorf("%s ahead, what is opened afterwards: %v", ahead, err)
		}
	}
}

// TestTwoRevocationsAreNeverTheSame: what was got between them is refused, also where they come in
// one millisecond, or the clock was set back by a day between, and what is got afterwards is good.
func TestTwoRevocationsAreNeverTheSame(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, apart := range []time.Duration{0, -24 * time.Hour, time.Second} {
		c := centertest.New(t, "https://center.example")
		now := time.Now().Truncate(time.Millisecond)
		c.Now = func() time.Time { return now }
		u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[time.Time]bool{}
		for i, end := range []func() error{
			func() error { _, err := c.RevokeUser(ctx, centertest.Actor, u.ID); return err },
			func() error { _, err := c.RevokeUser(ctx, centertest.Actor, u.ID); return err },
			func() error {
				for _, active := range []bool{false, true} {
					set := func(u *center.User) error { u.Active = active; return nil }
					if _, err := c.UpdateUser(ctx, centertest.Actor, u.ID, set); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			before := u.RolesSince
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if err := c.RoleSessionOpen(ctx, u.ID, now, &before); refusal.CodeOf(err) != center.NotAllowed {
				t.Errorf("%s apart, the end %d: what was open is good still: %v", apart, i, err)
			}
			if u, err = c.User(ctx, u.ID); err != nil {
				t.Fatal(err)
			}
			if err := c.RoleSessionOpen(ctx, u.ID, now, &u.RolesSince); err != nil || seen[u.RolesSince] {
				t.Errorf("%s apart, the end %d: what is got afterwards: %v", apart, i, err)
			}
			seen[u.RolesSince] = true
			now = now.Add(apart)
		}
	}
}

// TestAProofSaysWhatAnswers: the proof says that IAM refuses half of the roles only, and why, until
// it refuses all; it keeps that when the denial has been taken back, and a role that is removed
// meanwhile is gone.
func TestAProofSaysWhatAnswers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRoleWorld(t)
	w.create(w.ada)
	w.work()
	ada := w.opens(w.ada)
	gone := ada
	gone.RoleName, gone.PermissionSetARN = "AWSReservedSSO_Gone_0123456789abcdef", "arn:aws:sso:::permissionSet/gone"
	if err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(gone) }); err != nil {
		t.Fatal(err)
	}
	w.iam.say = []error{refused}
	ended, err := w.RevokeUser(ctx, centertest.Actor, ada.UserID)
	if err != nil || len(ended.Roles) != 2 {
		t.Fatalf("%+v, %v", ended, err)
	}
	proof := func() center.Proof {
		t.Helper()
		p, err := w.Proof(ctx, ended.ID)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	of := func(p center.Proof, name string) center.ProvedRole {
		t.Helper()
		for _, r := range p.Roles {
			if r.RoleName == name {
				return r
			}
		}
		t.Fatalf("%s is not in %+v", name, p)
		return center.ProvedRole{}
	}
	if p := proof(); p.Complete || of(p, ada.RoleName).State != center.RolePending ||
		of(p, gone.RoleName).State != center.RoleGone {
		t.Errorf("at once: %+v", p)
	}
	w.work()
	if r := of(proof(), ada.RoleName); r.State != center.RolePending || r.Reason == "" || r.Attempts != 1 {
		t.Errorf("IAM refused: %+v", r)
	}
	w.work()
	p := proof()
	if r := of(p, ada.RoleName); r.State != center.RoleRefuses || r.By != "IAM" || r.RefusedAt.IsZero() || !p.Complete {
		t.Errorf("IAM has it: %+v", p)
	}
	w.now = w.now.Add(13 * time.Hour)
	if err := w.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if r := of(proof(), ada.RoleName); r.State != center.RoleRunOut || r.RefusedAt.IsZero() {
		t.Errorf("the credentials have run out: %+v", r)
	}
	if _, err := w.Proof(ctx, "x"); refusal.CodeOf(err) != center.RevocationNotFound {
		t.Errorf("a record that there is not: %v", err)
	}
	sweepUntil(t, w.Center, &w.now, w.now.Add(401*24*time.Hour))
	if _, err := w.Proof(ctx, ended.ID); refusal.CodeOf(err) != center.RevocationNotFound {
		t.Errorf("a year and a month later: %v", err)
	}
}
