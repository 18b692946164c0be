package center_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// elsewhere opens another portal session of the user, and returns its secret.
func (p *programs) elsewhere() string {
	p.t.Helper()
	secret := authn.NewSecret(8)
	err := p.Store.Update(context.Background(), func(tx center.Tx) error {
		return tx.PutSession(center.Session{Digest: authn.Digest(secret), Kind: center.PortalSession, UserID: p.user.ID,
			CreatedAt: p.now, ExpiresAt: p.now.Add(8 * time.Hour)})
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return secret
}

func (p *programs) signedInHere(secret string) error {
	_, err := p.PortalUser(context.Background(), secret)
	return err
}

// TestSigningOutEndsThePrograms: with a portal session end the programs that were allowed in it,
// those that were not begun yet too, and no others.
func TestSigningOutEndsThePrograms(t *testing.T) {
	ctx := context.Background()
	for how, end := range map[string]func(*programs) error{
		"signed out": func(p *programs) error {
			names, err := p.SignOut(ctx, p.by, p.session)
			if !slices.Equal(names, []string{"cli"}) {
				t.Errorf("the programs that have ended are %q", names)
			}
			return err
		},
		"ended on the account page": func(p *programs) error {
			return p.EndSession(ctx, p.by, p.user.ID, authn.Digest(p.session))
		},
	} {
		t.Run(how, func(t *testing.T) {
			p := newPrograms(t, center.ScopeAccountAccess)
			other := p.elsewhere()
			mine := p.signedIn()
			begun := p.start()
			p.wants("allowed", p.allow(begun), refusal.None)
			first := p.session
			p.session = other
			others := p.signedIn()
			p.session = first
			p.wants("ended", end(p), refusal.None)
			p.wants("the browser", p.signedInHere(first), center.SessionInvalid)
			p.wants("the program", p.works(mine), center.SessionInvalid)
			_, err := p.refresh(mine)
			p.wants("its refresh token", err, center.GrantInvalid)
			_, err = p.device(begun)
			p.wants("a device that was allowed and had not come", err, center.GrantInvalid)
			p.wants("the other browser", p.signedInHere(other), refusal.None)
			p.wants("the other browser's program", p.works(others), refusal.None)
		})
	}
}

// TestASessionThatFollowsEndsThePrograms: signing in again leaves the programs signed in, and
// signing out then ends them.
func TestASessionThatFollowsEndsThePrograms(t *testing.T) {
	ctx, p := context.Background(), newPrograms(t, center.ScopeAccountAccess)
	tokens := p.signedIn()
	again := p.elsewhere()
	p.wants("again", p.EndEarlierSession(ctx, p.by, p.session, "", again), refusal.None)
	p.wants("the earlier session", p.signedInHere(p.session), center.SessionInvalid)
	p.wants("the program", p.works(tokens), refusal.None)
	_, err := p.SignOut(ctx, p.by, again)
	p.wants("signed out", err, refusal.None)
	p.wants("the program afterwards", p.works(tokens), center.SessionInvalid)
}

// TestWhatEndsWhenACredentialChanges: sessions and programs of the earlier credentials end; the
// browser in which people change their own stays signed in.
func TestWhatEndsWhenACredentialChanges(t *testing.T) {
	ctx := context.Background()
	device := func(p *programs) center.MFADevice {
		d := center.MFADevice{ID: "d1", Principal: string(p.user.ID), Type: center.Authenticator, Name: "Phone"}
		if err := p.Store.Update(ctx, func(tx center.Tx) error { return tx.PutMFADevice(d) }); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for what, c := range map[string]struct {
		change func(*programs) error
		stays  bool // the browser of the change
	}{
		"a password that an administrator sets": {func(p *programs) error {
			return p.SetPassword(ctx, centertest.Actor, p.user.ID, "Another one 8!")
		}, false},
		"a one-time password": {func(p *programs) error {
			_, err := p.OneTimePassword(ctx, centertest.Actor, p.user.ID)
			return err
		}, false},
		"a password that the user changes": {func(p *programs) error {
			return p.ChangePassword(ctx, p.by, p.user.ID, goodPassword, "Another one 8!", p.session, "")
		}, true},
		"a device that an administrator deletes": {func(p *programs) error {
			return p.DeleteDevice(ctx, centertest.Actor, string(p.user.ID), device(p).ID, "")
		}, false},
		"a device that the user deletes": {func(p *programs) error {
			return p.DeleteDevice(ctx, p.by, string(p.user.ID), device(p).ID, authn.Digest(p.session))
		}, true},
		"a user who is disabled": {func(p *programs) error {
			return p.SetUserActive(ctx, centertest.Actor, p.user.ID, false)
		}, false},
		"a user who is disabled by an update": {func(p *programs) error {
			_, err := p.UpdateUser(ctx, centertest.Actor, p.user.ID, func(u *center.User) error {
				u.Active = false
				return nil
			})
			return err
		}, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := newPrograms(t, center.ScopeAccountAccess)
			p.wants("a password", p.SetPassword(ctx, centertest.Actor, p.user.ID, goodPassword), refusal.None)
			p.session = p.elsewhere()
			other := p.elsewhere()
			tokens := p.signedIn()
			begun := p.start()
			p.wants("allowed", p.allow(begun), refusal.None)
			p.wants("changed", c.change(p), refusal.None)
			if err := p.SetUserActive(ctx, centertest.Actor, p.user.ID, true); err != nil { // nothing comes back
				t.Fatal(err)
			}
			p.wants("the other browser", p.signedInHere(other), center.SessionInvalid)
			p.wants("the program", p.works(tokens), center.SessionInvalid)
			_, err := p.refresh(tokens)
			p.wants("its refresh token", err, center.GrantInvalid)
			_, err = p.device(begun)
			p.wants("a device that was allowed and had not come", err, center.GrantInvalid)
			want := refusal.None
			if !c.stays {
				want = center.SessionInvalid
			}
			p.wants("the browser of the change", p.signedInHere(p.session), want)
		})
	}
}

// TestReplacingAOneTimePasswordEndsWhatWasOpenedBefore: whatever is open when the user has chosen a
// password of their own.
func TestReplacingAOneTimePasswordEndsWhatWasOpenedBefore(t *testing.T) {
	d := newDirectory(t)
	d.settings(func(s *center.SignInSettings) { s.MFA = center.MFANever })
	once, err := d.OneTimePassword(d.ctx, centertest.Actor, d.user.ID)
	d.must(err)
	first, err := d.SignInUser(d.ctx, fromHome, "ada", once.Reveal(), "/", center.Browser{})
	d.must(err)
	opened := authn.NewSecret(8)
	d.must(d.Store.Update(d.ctx, func(tx center.Tx) error { // by whatever way
		return tx.PutSession(center.Session{Digest: authn.Digest(opened), Kind: center.PortalSession, UserID: d.user.ID,
			CreatedAt: d.now, ExpiresAt: d.now.Add(time.Hour)})
	}))
	done, err := d.SignInWithNewPassword(d.ctx, fromHome, first.Ticket.Reveal(), "Another one 8!", center.Browser{})
	d.must(err)
	if _, err := d.PortalUser(d.ctx, opened); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the earlier session: %v", err)
	}
	if _, err := d.PortalUser(d.ctx, done.Session.Reveal()); err != nil {
		t.Errorf("the new session: %v", err)
	}
}
