package center_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// programs is a center with a user who is signed in to the portal, a registered program, and a
// clock that can be moved.
type programs struct {
	*center.Center
	t       *testing.T
	now     time.Time
	user    center.User
	session string // the secret of the portal session, which lasts eight hours
	id      string
	secret  string
	by      audit.Actor
}

func newPrograms(t *testing.T, scopes ...string) *programs {
	t.Helper()
	ctx := context.Background()
	p := &programs{
		Center:  centertest.New(t, "http://127.0.0.1:8080"),
		t:       t,
		now:     time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
		session: "portal",
		by:      audit.Actor{Kind: audit.User, Name: "ada", Address: "127.0.0.1", RequestID: "r"},
	}
	p.Now = func() time.Time { return p.now }
	var err error
	if p.user, err = p.CreateUser(ctx, centertest.Actor, centertest.Person("ada")); err != nil {
		t.Fatal(err)
	}
	err = p.Store.Update(ctx, func(tx center.Tx) error {
		return tx.PutSession(center.Session{
			Digest:    authn.Digest(p.session),
			Kind:      center.PortalSession,
			UserID:    p.user.ID,
			CreatedAt: p.now,
			ExpiresAt: p.now.Add(8 * time.Hour),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	registered, err := p.RegisterOAuthClient(context.Background(), center.OAuthClient{
		Name:         "cli",
		Scopes:       scopes,
		RedirectURIs: []string{"http://127.0.0.1/callback"},
		StartURL:     p.PortalURL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.id, p.secret = registered.ID, registered.Secret.Reveal()
	return p
}

func (p *programs) start() center.DeviceAuthorization {
	p.t.Helper()
	d, err := p.StartDevice(context.Background(), "127.0.0.1", p.id, p.secret, p.PortalURL())
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *programs) allow(d center.DeviceAuthorization) error {
	return p.DecideDevice(context.Background(), p.by, p.user.ID, p.session, d.UserCode, true)
}

func (p *programs) device(d center.DeviceAuthorization) (center.Tokens, error) {
	return p.TokensForDevice(
		context.Background(), p.by,
		center.TokenRequest{ClientID: p.id, ClientSecret: p.secret, DeviceCode: d.DeviceCode.Reveal()},
	)
}

func (p *programs) refresh(t center.Tokens) (center.Tokens, error) {
	return p.RefreshTokens(
		context.Background(), p.by,
		center.TokenRequest{ClientID: p.id, ClientSecret: p.secret, RefreshToken: t.Refresh.Reveal()},
	)
}

func (p *programs) signedIn() center.Tokens {
	p.t.Helper()
	d := p.start()
	if err := p.allow(d); err != nil {
		p.t.Fatal(err)
	}
	t, err := p.device(d)
	if err != nil {
		p.t.Fatal(err)
	}
	return t
}

// wants checks the code of an error; "" is none.
func (p *programs) wants(what string, err error, want refusal.Code) {
	p.t.Helper()
	if refusal.CodeOf(err) != want || (want == refusal.None && err != nil) {
		p.t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func (p *programs) works(t center.Tokens) error {
	_, err := p.TokenUser(context.Background(), t.Access.Reveal())
	return err
}

func TestDeviceCodesExpire(t *testing.T) {
	t.Parallel()
	p := newPrograms(t)
	d := p.start()
	_, err := p.device(d)
	p.wants("nobody has decided", err, center.GrantPending)
	p.now = p.now.Add(d.ExpiresIn)
	_, err = p.device(d)
	p.wants("ten minutes later", err, center.GrantExpired)
	p.wants("allowed too late", p.allow(d), center.UserCodeUnknown)
	if err := p.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err = p.device(d)
	p.wants("just swept", err, center.GrantExpired)
	p.now = p.now.Add(2 * time.Hour)
	if err := p.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err = p.device(d)
	p.wants("swept long after", err, center.GrantInvalid)
	d = p.start()
	p.wants("allowed", p.allow(d), refusal.None)
	p.wants("allowed twice", p.allow(d), center.UserCodeUnknown)
}

func TestTokensEndWithTheirSession(t *testing.T) {
	t.Parallel()
	p := newPrograms(t, center.ScopeAccountAccess)
	first := p.signedIn()
	p.wants("at once", p.works(first), refusal.None)
	p.now = p.now.Add(time.Hour)
	p.wants("an hour later", p.works(first), center.SessionInvalid)
	second, err := p.refresh(first)
	p.wants("refreshed", err, refusal.None)
	p.wants("with the new token", p.works(second), refusal.None)

	p.now = p.now.Add(time.Minute)
	same, err := p.refresh(first)
	p.wants("the old token a minute later", err, refusal.None)
	third, err := p.refresh(same)
	p.wants("its answer is as good", err, refusal.None)

	p.now = p.now.Add(5 * time.Hour)
	fourth, err := p.refresh(third)
	p.wants("hours later", err, refusal.None)
	p.now = p.now.Add(90 * time.Minute)
	fifth, err := p.refresh(fourth)
	p.wants("in the last hour", err, refusal.None)
	if fifth.ExpiresIn > time.Hour || fifth.ExpiresIn < time.Minute {
		t.Errorf("a token of the last hour lasts %s", fifth.ExpiresIn)
	}
	p.now = p.now.Add(fifth.ExpiresIn)
	p.wants("after the session's end", p.works(fifth), center.SessionInvalid)
	_, err = p.refresh(fifth)
	p.wants("refreshed after the session's end", err, center.GrantInvalid)
}

func TestAStolenRefreshTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	p := newPrograms(t, center.ScopeAccountAccess)
	first := p.signedIn()
	second, err := p.refresh(first)
	p.wants("refreshed", err, refusal.None)
	p.now = p.now.Add(3 * time.Minute)
	_, err = p.refresh(first)
	p.wants("the old token minutes later", err, center.GrantInvalid)
	p.wants("the access token", p.works(second), center.SessionInvalid)
	_, err = p.refresh(second)
	p.wants("the newest refresh token", err, center.GrantInvalid)
	events, err := p.Events(context.Background(), center.EventQuery{Limit: 3})
	if err != nil || events[0].Result != audit.Refused || events[1].Action != "DeleteSession" ||
		events[2].Result != audit.Refused {
		t.Errorf("the audit log says %+v, %v", events, err)
	}
}

func TestWhoMayNotHaveTokens(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newPrograms(t)
	d, tokens := p.start(), p.signedIn()
	p.wants("allowed", p.allow(d), refusal.None)
	if err := p.SetUserActive(ctx, centertest.Actor, p.user.ID, false); err != nil {
		t.Fatal(err)
	}
	p.wants("a disabled user", p.works(tokens), center.SessionInvalid)
	_, err := p.device(d)
	p.wants("a disabled user's device", err, center.GrantInvalid)
	p.now = p.now.Add(91 * 24 * time.Hour)
	_, err = p.StartDevice(ctx, "127.0.0.1", p.id, p.secret, p.PortalURL())
	p.wants("a registration of three months ago", err, center.ClientInvalid)
	for name, c := range map[string]center.OAuthClient{
		"no name": {}, "an unknown scope": {Name: "x", Scopes: []string{"all"}},
		"a foreign host": {Name: "x", RedirectURIs: []string{"http://example.com/"}},
		"TLS":            {Name: "x", RedirectURIs: []string{"https://127.0.0.1/"}},
		"another portal": {Name: "x", StartURL: "https://other.awsapps.com/start"},
	} {
		if _, err := p.RegisterOAuthClient(context.Background(), c); refusal.KindOf(err) != refusal.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhichRedirectsAreTheClients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		registered, asked string
		want              bool
	}{
		{"http://127.0.0.1/oauth/callback", "http://127.0.0.1:5000/oauth/callback", true},
		{"http://127.0.0.1:1", "http://127.0.0.1:2/", true}, {"http://[::1]/x", "http://[::1]:9/x", true},
		{"http://127.0.0.1/x", "http://localhost/x", false}, {"http://127.0.0.1/x", "http://127.0.0.1/y", false},
		{"http://127.0.0.1/x", "http://127.0.0.1:1/x?y=1", false},
		{"http://127.0.0.1/x", "http://127.0.0.1:1/x#y", false},
		{"http://127.0.0.1/x", "http://user@127.0.0.1/x", false},
		{"http://127.0.0.1/x", "http://127.0.0.1.evil.example/x", false},
		{"http://127.0.0.1/x", "javascript:alert(1)", false}, {"http://127.0.0.1/x", "", false},
		{"http://127.0.0.1", "http://127.0.0.1:x@evil.example/", false}, {"http://127.0.0.1", "http://127.1:1/", false},
		{"http://127.0.0.1/x", "http://127.0.0.1/%78", false}, {"http://127.0.0.1", "https://127.0.0.1", false},
	} {
		_, err := (center.OAuthClient{RedirectURIs: []string{c.registered}}).Redirects(c.asked)
		if got := err == nil; got != c.want {
			t.Errorf("%s for %s: %v", c.asked, c.registered, got)
		}
	}
}
