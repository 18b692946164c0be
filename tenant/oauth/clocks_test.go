package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestARevocationHoldsWhateverTheClocksSay: of nodes whose clocks differ, of one whose clock is put
// right, and within one millisecond. What is opened afterwards is good.
func TestARevocationHoldsWhateverTheClocksSay(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, apart := range map[string]time.Duration{
		"the sign-in was at a fast node":  -5 * time.Minute,
		"both are in one millisecond":     0,
		"the sign-in was at a slow node":  5 * time.Minute,
		"the clock is put right by a day": -24 * time.Hour,
	} {
		ways := map[string]func(o *office) error{
			"revoked":        func(o *office) error { return o.RevokeSessions(ctx, system, o.user.ID) },
			"a new password": func(o *office) error { return o.SetPassword(ctx, system, o.user.ID, password) },
			"disabled and enabled": func(o *office) error {
				for _, enabled := range []bool{false, true} {
					set := func(u *tenant.User) { u.Enabled = enabled }
					if _, err := o.UpdateUser(ctx, system, o.user.ID, set); err != nil {
						return err
					}
				}
				return nil
			},
		}
		for way, end := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				o.now = o.now.Truncate(time.Millisecond)
				if _, err := o.AssignRole(ctx, system, o.user.ID, tenant.UserAdministrator); err != nil {
					t.Fatal(err)
				}
				for range 2 { // each revocation anew
					o.signIn(ada)
					tokens := o.redeem(o.code()).json(t)
					pending := o.code()
					if !o.works(tokens) {
						t.Fatalf("the tokens do not work: %v", tokens)
					}
					o.now = o.now.Add(apart)
					if err := end(o); err != nil {
						t.Fatal(err)
					}
					o.refused("the refresh token", o.refresh(tokens["refresh_token"]), 50173)
					o.refused("the same once more", o.refresh(tokens["refresh_token"]), 50173)
					o.refused("a code from before", o.redeem(pending), 50173)
					if o.works(tokens) {
						t.Error("the access token of somebody with a role works on")
					}
					if a := o.get(o.asking(nil)); a.Status != http.StatusSeeOther {
						t.Errorf("the session is open still: %d", a.Status)
					}
					o.signIn(ada)
					if again := o.redeem(o.code()).json(t); !o.works(again) ||
						o.refresh(again["refresh_token"]).Status != http.StatusOK {
						t.Errorf("what was opened after the end is not good: %v", again)
					}
				}
			})
		}
	}
}

// TestASignInThatWaitsEndsWithTheOthers: somebody whose password was right is asked for a second
// factor while an administrator revokes, at a node whose clock is slow.
func TestASignInThatWaitsEndsWithTheOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := newOffice(t)
	made, err := o.NewAuthenticator(o.user.Account())
	if err != nil {
		t.Fatal(err)
	}
	code := func() string {
		c, err := totp.GenerateCode(made.Secret, o.now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := o.AddAuthenticator(ctx, system, o.user.Account(), made.Ticket, code()); err != nil {
		t.Fatal(err)
	}
	for what, end := range map[string]func() error{
		"nothing": func() error { return nil },
		"revoked": func() error { return o.RevokeSessions(ctx, system, o.user.ID) },
	} {
		o.client = o.browser()
		o.now = o.now.Add(10 * time.Minute)
		page := o.post("/login", url.Values{"loginfmt": {ada}, "passwd": {password}})
		_, rest, found := strings.Cut(page.Body, `name="ticket" value="`)
		ticket, _, _ := strings.Cut(rest, `"`)
		if !found {
			t.Fatalf("no second factor is asked for: %d %s", page.Status, page.Body)
		}
		o.now = o.now.Add(-5 * time.Minute)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		o.post("/login/factor", url.Values{"ticket": {ticket}, "code": {code()}})
		if in := o.get(o.asking(nil)).Status == http.StatusOK; in != (what == "nothing") {
			t.Errorf("%s meanwhile: signed in is %t", what, in)
		}
	}
}

// earlier makes what Ada has opened look as if a node of an earlier release had written it.
func (o *office) earlier() {
	o.t.Helper()
	err := o.Store.Update(context.Background(), func(tx tenant.Tx) error {
		grants, e1 := tx.GrantsOf(tenant.AccountID(o.user.ID))
		sessions, e2 := tx.SessionsOf(tenant.AccountID(o.user.ID))
		err := errors.Join(e1, e2)
		for _, g := range grants {
			g.Under = nil
			err = errors.Join(err, tx.PutGrant(g))
		}
		for _, s := range sessions {
			s.Under = nil
			err = errors.Join(err, tx.DeleteSession(s.Digest), tx.PutSession(s))
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// TestNodesOfTwoReleasesEndTheSame: during an upgrade each takes what the other has opened, and
// what either of them revokes is revoked. What is of the earlier release ends here whatever the
// clocks say.
func TestNodesOfTwoReleasesEndTheSame(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	here := func(o *office) error { return o.RevokeSessions(ctx, system, o.user.ID) }
	there := func(o *office) error { // as the earlier release does it
		return o.Store.Update(ctx, func(tx tenant.Tx) error {
			u, err := tx.User(o.user.ID)
			u.SessionsValidFrom = o.now
			return errors.Join(err, tx.PutUser(u), tx.DeleteSessionsOf(tenant.AccountID(u.ID)))
		})
	}
	for name, c := range map[string]struct {
		earlier bool // the sign-in
		apart   time.Duration
		revoke  func(*office) error
	}{
		"opened there, revoked here, which is slow": {true, -5 * time.Minute, here},
		"opened there, revoked here":                {true, time.Second, here},
		"opened here, revoked there, which is slow": {false, -5 * time.Minute, there},
		"opened here, revoked there":                {false, time.Second, there},
		"opened there, revoked there":               {true, time.Second, there},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.now = o.now.Truncate(time.Millisecond)
			o.signIn(ada)
			if c.earlier {
				o.earlier()
			}
			tokens := o.redeem(o.code()).json(t)
			if c.earlier {
				o.earlier()
			}
			if a := o.get(o.asking(nil)); a.Status != http.StatusOK {
				t.Errorf("the session is not taken: %d", a.Status)
			}
			before := o.refresh(tokens["refresh_token"]).json(t)
			if !o.works(before) {
				t.Fatalf("it does not go on: %v", before)
			}
			if c.earlier {
				o.earlier()
			}
			o.now = o.now.Add(c.apart)
			if err := c.revoke(o); err != nil {
				t.Fatal(err)
			}
			o.refused("the refresh token", o.refresh(before["refresh_token"]), 50173)
			if a := o.get(o.asking(nil)); a.Status != http.StatusSeeOther {
				t.Errorf("the session is open still: %d", a.Status)
			}
		})
	}
}
