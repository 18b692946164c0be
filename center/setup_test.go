package center_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// beside is a node on the same store that was started with other settings.
func (w *roleWorld) beside(ownSTS bool) *center.Center {
	node := centertest.On(w.t, w.Store, "https://center.example")
	node.Now, node.OwnSTS = w.Now, ownSTS
	return node
}

// TestANodeWithOtherSettingsRevokes: whoever is asked to end access, IAM is told of what AWS has
// issued, and what the center's own STS has issued is refused.
func TestANodeWithOtherSettingsRevokes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, c := range []struct {
		what   string
		ownSTS bool // of the node that is asked
		own    bool // credentials that the center's own STS has issued, beside AWS's
	}{
		{"a node whose credentials are the center's own", true, false},
		{"such a node, where it has issued some too", true, true},
		{"a node that keeps no roles", false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			w := newRoleWorld(t)
			w.create(w.ada)
			w.work()
			open := w.opens(w.ada)
			if c.own {
				own := open
				own.Own, own.Kept = true, false
				own.Until = open.Until.Add(time.Minute)
				err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(own) })
				if err != nil {
					t.Fatal(err)
				}
			}
			node := w.beside(c.ownSTS)
			if err := node.SetUserActive(ctx, centertest.Actor, open.UserID, false); err != nil {
				t.Fatal(err)
			}
			states := func() string {
				t.Helper()
				list, err := node.Revocations(ctx, center.RevocationQuery{UserID: open.UserID, Limit: 1})
				if err != nil || len(list) != 1 {
					t.Fatalf("%+v, %v", list, err)
				}
				p, err := node.Proof(ctx, list[0].ID)
				if err != nil {
					t.Fatal(err)
				}
				var all []string
				for _, r := range p.Roles {
					all = append(all, strings.TrimSpace(string(r.State)+" "+r.By))
				}
				return strings.Join(all, ", ")
			}
			own := map[bool]string{true: ", " + string(center.RoleRefuses) + " the center's STS"}[c.own]
			if got := states(); got != string(center.RolePending)+own {
				t.Errorf("at once: %s", got)
			}
			w.work() // at the node that keeps the roles
			if got := states(); got != string(center.RoleRefuses)+" IAM"+own {
				t.Errorf("after the work: %s", got)
			}
			if denied := w.iam.there[open.RoleName].Revoked; len(denied) != 1 || denied[0].Name != open.Name {
				t.Errorf("IAM denies %+v", denied)
			}
			sweepUntil(t, node, &w.now, open.Until.Add(25*time.Hour))
			w.work()
			if denied := w.iam.there[open.RoleName].Revoked; len(denied) != 0 {
				t.Errorf("IAM denies %+v after the credentials have run out", denied)
			}
		})
	}
}

// TestWhatNobodyCanBeToldStaysOpen: a node whose credentials are the center's own, beside one of
// which AWS's are and that keeps no roles.
func TestWhatNobodyCanBeToldStaysOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRoleWorld(t)
	w.create(w.ada)
	w.work()
	open := w.opens(w.ada)
	open.Kept = false
	open.Until = open.Until.Add(time.Second)
	if err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(open) }); err != nil {
		t.Fatal(err)
	}
	node := w.beside(true)
	ended, err := node.RevokeUser(ctx, centertest.Actor, open.UserID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := node.Proof(ctx, ended.ID)
	if err != nil || len(p.Roles) != 1 || p.Roles[0].State != center.RoleOpen || p.Complete {
		t.Errorf("%+v, %v", p, err)
	}
	if a, err := node.RoleAccess(ctx, open.UserID); err != nil || len(a.Open) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestWhatAnEarlierReleaseIssuedMayBeAWSs: no proof says that the center's own STS refuses it,
// whoever began last, also after a window of access has taken the role back.
func TestWhatAnEarlierReleaseIssuedMayBeAWSs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	role := center.Provisioned{AccountID: "111122223333", RoleName: "arn:aws:iam::111122223333:role/Keeper"}
	role.PermissionSetARN = role.RoleName
	for what, x := range map[string]struct {
		beside       []string // where the credentials of nodes that began before come from
		window, both bool     // a window ended; the release before had revoked all of it too
	}{
		"the only node":                           {},
		"after a node with the same settings":     {beside: []string{"sandbox"}},
		"after a node of which AWS's are":         {beside: []string{"saml"}},
		"after a window":                          {window: true},
		"where the release before had revoked it": {both: true},
		"where it had, and a window ended":        {window: true, both: true},
	} {
		c := centertest.New(t, "https://center.example")
		c.OwnSTS = true
		for _, from := range append(x.beside, "sandbox") {
			node := c
			if from != "sandbox" {
				node = centertest.On(t, c.Store, "https://center.example")
			}
			if err := node.Begin(ctx, map[string]string{"credentials": from}); err != nil {
				t.Fatal(err)
			}
		}
		ada, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
		if err != nil {
			t.Fatal(err)
		}
		session := center.RoleSession{ // as the release before wrote it
			UserID: ada.ID, Name: "ada", AccountID: role.AccountID, RoleName: role.RoleName,
			PermissionSetARN: role.PermissionSetARN, Until: time.Now().Add(time.Hour),
		}
		note := func(tx center.Tx) error { return tx.ExtendRoleSession(session) }
		if err := c.Store.Update(ctx, note); err != nil {
			t.Fatal(err)
		}
		if x.window {
			if err := center.RevokeRole(c, ada.ID, role); err != nil {
				t.Fatal(err)
			}
		}
		if a, err := c.RoleAccess(ctx, ada.ID); err != nil || len(a.Open) != 1 {
			t.Errorf("%s: %+v, %v", what, a, err)
		} else if deny, err := c.DenyPolicy(a); err != nil || deny == "" {
			t.Errorf("%s, to be put into roles: %s, %v", what, deny, err)
		}
		ended, err := c.RevokeUser(ctx, centertest.Actor, ada.ID)
		if err == nil && x.both {
			err = c.Store.Update(ctx, func(tx center.Tx) error {
				for i := range ended.Roles {
					ended.Roles[i].RefusedAt = ended.At
				}
				return errors.Join(tx.PutRevocation(ended), tx.DeleteRoleSession(session))
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Proof(ctx, ended.ID)
		if err != nil || len(p.Roles) != 1 || p.Roles[0].State != center.RoleOpen || p.Roles[0].By != "" ||
			p.Complete || p.Deny == "" {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
		if a, err := c.RoleAccess(ctx, ada.ID); err != nil || len(a.Open) != 1 && !x.both {
			t.Errorf("%s, afterwards: %+v, %v", what, a, err)
		}
	}
}

// TestANodeWithOtherSettingsRetires: the last assignment of a permission set is deleted through a
// node that keeps no roles.
func TestANodeWithOtherSettingsRetires(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRoleWorld(t)
	if err := w.Begin(ctx, map[string]string{"provisioning-role": "X"}); err != nil {
		t.Fatal(err)
	}
	w.create(w.ada)
	w.work()
	if len(w.iam.there) != 1 {
		t.Fatalf("%+v", w.iam.there)
	}
	node := w.beside(true)
	if err := node.Begin(ctx, map[string]string{"provisioning-role": ""}); err != nil {
		t.Fatal(err)
	}
	if r, err := node.DeleteAssignment(ctx, centertest.Actor, w.ada); err != nil || r.Status != center.Succeeded {
		t.Fatalf("%+v, %v", r, err)
	}
	w.work()
	if len(w.iam.there) != 0 {
		t.Errorf("left in IAM: %+v", w.iam.there)
	}
}

// shared is a store that other processes write to.
type shared struct{ center.Store }

func (shared) Shared() bool { return true }

// TestNodesSayThatTheirSettingsDiffer: the one that starts, and those that were there before.
func TestNodesSayThatTheirSettingsDiffer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	first := centertest.New(t, "https://center.example")
	var says [3]bytes.Buffer
	first.Store, first.Log = shared{first.Store}, slog.New(slog.NewTextHandler(&says[0], nil))
	second := centertest.On(t, first.Store, "https://center.example")
	second.Log = slog.New(slog.NewTextHandler(&says[1], nil))
	third := centertest.On(t, first.Store, "https://center.example")
	third.Log = slog.New(slog.NewTextHandler(&says[2], nil))
	role := map[string]string{"credentials": "assume-role", "provisioning-role": "X"}
	other := map[string]string{"credentials": "sandbox", "provisioning-role": ""}
	err := errors.Join(first.Begin(ctx, role), third.Begin(ctx, role), first.Sweep(ctx))
	if says[0].Len() != 0 || says[2].Len() != 0 || err != nil {
		t.Errorf("alike: %s, %s, %v", &says[0], &says[2], err)
	}
	err = errors.Join(second.Begin(ctx, other), first.Sweep(ctx))
	for i, want := range []string{
		"--credentials (assume-role here, sandbox there), --provisioning-role (X here, unset there)",
		"--credentials (sandbox here, assume-role there), --provisioning-role (unset here, X there)",
	} {
		if !strings.Contains(says[i].String(), want) || err != nil {
			t.Errorf("%d: %q, %v", i, &says[i], err)
		}
	}
}

// TestARevocationHoldsAsLongAsTheLongestCredentials: somebody is revoked again while credentials of
// the first time would still be good, and the second time only short ones are open.
func TestARevocationHoldsAsLongAsTheLongestCredentials(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRoleWorld(t)
	w.create(w.ada)
	w.work()
	long := w.opens(w.ada)
	revoke := func() {
		t.Helper()
		if _, err := w.RevokeUser(ctx, centertest.Actor, long.UserID); err != nil {
			t.Fatal(err)
		}
		w.work()
	}
	revoke()
	w.now = w.now.Add(time.Hour)
	short := long
	short.Until = w.now.Add(15 * time.Minute)
	if err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(short) }); err != nil {
		t.Fatal(err)
	}
	revoke()
	w.sweeps(w.now.Add(time.Hour))
	if denied := w.iam.there[long.RoleName].Revoked; len(denied) != 1 {
		t.Errorf("IAM denies %+v, and the first credentials run until %s", denied, long.Until)
	}
	sweepUntil(t, w.Center, &w.now, long.Until.Add(25*time.Hour))
	w.work()
	if denied := w.iam.there[long.RoleName].Revoked; len(denied) != 0 {
		t.Errorf("IAM denies %+v after all have run out", denied)
	}
}

// TestOurOwnRevocationLeavesWhatIAMIsToHave: a window that closes at a node of our own STS, while
// IAM has not taken what another node was asked for.
func TestOurOwnRevocationLeavesWhatIAMIsToHave(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRoleWorld(t)
	w.create(w.ada)
	w.work()
	open := w.opens(w.ada)
	if _, err := w.RevokeUser(ctx, centertest.Actor, open.UserID); err != nil { // IAM has not been told yet
		t.Fatal(err)
	}
	node := w.beside(true)
	own := open
	own.Own, own.Kept = true, false
	own.Until = w.now.Add(time.Hour)
	if err := w.Store.Update(ctx, func(tx center.Tx) error { return tx.ExtendRoleSession(own) }); err != nil {
		t.Fatal(err)
	}
	known, err := w.Provisioned(ctx, center.ProvisionedQuery{})
	if err == nil {
		err = center.RevokeRole(node, open.UserID, known[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	access, err := node.RoleAccess(ctx, open.UserID)
	if err != nil || access.Pending() != 1 {
		t.Errorf("%+v, %v: nobody would tell IAM", access, err)
	}
	w.work()
	if denied := w.iam.there[open.RoleName].Revoked; len(denied) != 1 {
		t.Errorf("IAM denies %+v", denied)
	}
}
