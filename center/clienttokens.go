package center

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TokenRequest asks for tokens. Which fields count depends on the grant: a device's code, an
// authorization code, or a refresh token.
type TokenRequest struct {
	ClientID, ClientSecret string
	DeviceCode             string
	Code                   string
	RedirectURI            string
	Verifier               string
	RefreshToken           string
}

// Tokens are what a client acts with.
type Tokens struct {
	Access    authn.Secret
	ExpiresIn time.Duration
	Refresh   authn.Secret // empty: the client asked for no scope, as clients of before 2022 do
}

// Lifetimes of access tokens. Source: OIDC API reference, CreateToken.
const (
	tokenLifetime       = time.Hour     //bound:life an access token of a program
	legacyTokenLifetime = 8 * time.Hour //bound:life an access token of a program that cannot renew it
)

// refreshGrace is how long a refresh token is still taken after its successor was handed out:
// several processes of a person share one, and an answer can get lost. Taken later, it has been
// stolen, and the session ends. Source for the rule: RFC 9700, 4.14.2.
const refreshGrace = 2 * time.Minute //bound:life a used refresh token, for an answer that was lost

// sealedToken is what access and refresh tokens say. They are recognised by any node with the
// master key; the session that they belong to is looked up each time, so that ending it ends them
// at once.
type sealedToken struct {
	Session    string // digest
	Expires    time.Time
	Generation int
}

// TokensForDevice hands out tokens once the user has allowed the device. It fails with
// GrantPending, GrantExpired, GrantDenied, GrantInvalid or ClientInvalid.
func (c *Center) TokensForDevice(ctx context.Context, by audit.Actor, r TokenRequest) (Tokens, error) {
	client, err := c.authenticate(r.ClientID, r.ClientSecret)
	if err != nil {
		return Tokens{}, err
	}
	return c.redeem(ctx, by, client, r.DeviceCode, func(g ClientGrant) error {
		switch {
		case g.UserCode == "":
			return &refusal.Error{Code: GrantInvalid, Detail: "this is not a device code"}
		case g.Denied:
			return &refusal.Error{Code: GrantDenied, Subject: g.Client}
		case !c.now().Before(g.ExpiresAt):
			return &refusal.Error{Code: GrantExpired, Subject: g.Client}
		case g.UserID == "":
			return &refusal.Error{Code: GrantPending}
		}
		return nil
	})
}

// TokensForCode hands out tokens for an authorization code. It fails with GrantInvalid or
// ClientInvalid.
func (c *Center) TokensForCode(ctx context.Context, by audit.Actor, r TokenRequest) (Tokens, error) {
	client, err := c.authenticate(r.ClientID, r.ClientSecret)
	if err != nil {
		return Tokens{}, err
	}
	return c.redeem(ctx, by, client, r.Code, func(g ClientGrant) error {
		switch {
		case g.UserCode != "":
			return &refusal.Error{Code: GrantInvalid, Detail: "this is a device code"}
		case !c.now().Before(g.ExpiresAt):
			return &refusal.Error{Code: GrantInvalid, Detail: "the code has expired"}
		case g.RedirectURI != r.RedirectURI:
			return &refusal.Error{
				Code:   GrantInvalid,
				Detail: "the redirect URI is different",
				Want:   g.RedirectURI,
				Got:    r.RedirectURI,
			}
		case !verifierMatches(r.Verifier, g.Challenge):
			return &refusal.Error{Code: GrantInvalid, Detail: "the code verifier does not match the code challenge"}
		}
		return nil
	})
}

// redeem opens a client's session for a grant that check accepts. A grant is good for one session.
func (c *Center) redeem(
	ctx context.Context, by audit.Actor, client OAuthClient, code string, check func(ClientGrant) error,
) (Tokens, error) {
	var tokens Tokens
	digest := authn.Digest(code)
	var g ClientGrant
	err := c.Store.Get(ctx, func(r Reader) (err error) { // ahead of the transaction: whoever polls is not recorded
		g, err = r.ClientGrant(digest)
		return err
	})
	switch {
	case err == nil && code == "", errors.Is(err, refusal.ErrNoRow):
		err = &refusal.Error{Code: GrantInvalid, Detail: "the code is unknown"}
	case err == nil && g.ClientID != client.digest:
		err = &refusal.Error{Code: GrantInvalid, Subject: g.Client, Detail: "the code was given to another client"}
	case err == nil && g.Session != "":
		return tokens, c.refuseUsedGrant(ctx, by, g)
	case err == nil:
		err = check(g)
	}
	if refusal.CodeOf(err) == GrantPending {
		return tokens, err
	}
	if err != nil {
		if refusal.CodeOf(err) == refusal.None || refusal.KindOf(err) == refusal.Unavailable {
			return tokens, err
		}
		return tokens, c.Refuse(ctx, by, "CreateToken", client.Name, err)
	}
	by.Kind = audit.User
	var used ClientGrant // by somebody else in the meantime
	err = c.change(ctx, by, ActionCreateToken, func(tx Tx) (string, error) {
		used = ClientGrant{}
		now, err := tx.ClientGrant(digest)
		if err == nil && now.Session != "" {
			used = now
			return client.Name, &refusal.Error{
				Code:    GrantInvalid,
				Subject: client.Name,
				Detail:  "the code was already used",
			}
		}
		if err != nil {
			return client.Name, refusal.IfNoRow(err, GrantInvalid, client.Name)
		}
		var subject string
		tokens, subject, err = c.openClientSession(tx, by, client, now)
		return subject, err
	})
	if used.Session != "" {
		err = errors.Join(err, c.endStolen(ctx, by, used))
	}
	return tokens, err
}

// openClientSession opens the session of a program with a grant that nobody has used yet. It says
// whom the event names, too.
func (c *Center) openClientSession(
	tx Tx, by audit.Actor, client OAuthClient, g ClientGrant,
) (Tokens, string, error) {
	refuse := func(subject, detail string) (Tokens, string, error) {
		return Tokens{}, client.Name, &refusal.Error{Code: GrantInvalid, Subject: subject, Detail: detail}
	}
	const ended = "the session in which it was allowed has ended"
	u, err := tx.User(g.UserID)
	if err != nil {
		return Tokens{}, client.Name, refusal.IfNoRow(err, GrantInvalid, client.Name)
	}
	if !u.Active {
		return refuse(u.UserName, "the user is disabled")
	}
	if g.Within != "" {
		_, err := openSession(tx, g.Within, c.now(), PortalSession)
		if refusal.CodeOf(err) == SessionInvalid {
			return refuse(u.UserName, ended)
		}
		if err != nil {
			return Tokens{}, client.Name, err
		}
	}
	s := Session{
		Digest:     authn.Digest(authn.NewSecret(32)),
		Kind:       ClientSession,
		UserID:     g.UserID,
		Address:    by.Address,
		UserAgent:  client.Name,
		ClientID:   client.digest,
		Within:     g.Within,
		Attributes: g.Attributes,
		CreatedAt:  c.now(),
		ExpiresAt:  g.Until,
	}
	if !c.now().Before(s.ExpiresAt) {
		return refuse(u.UserName, ended)
	}
	tokens := c.tokens(s, g.Refreshes)
	g.Session = s.Digest
	return tokens, u.UserName + "/" + client.Name, errors.Join(tx.PutClientGrant(g), addSession(tx, s))
}

// refuseUsedGrant refuses a grant that a session was opened with.
func (c *Center) refuseUsedGrant(ctx context.Context, by audit.Actor, g ClientGrant) error {
	err := c.Refuse(
		ctx, by, ActionCreateToken.String(), g.Client,
		&refusal.Error{Code: GrantInvalid, Subject: g.Client, Detail: "the code was already used"},
	)
	by.Kind = audit.User
	return errors.Join(err, c.endStolen(ctx, by, g))
}

// endStolen ends the session that an authorization code opened, when the code comes a second time:
// somebody else has it too. A device asks again and again, also when an answer was lost, and has a
// code that no browser has seen. Source: RFC 6749, 4.1.2.
func (c *Center) endStolen(ctx context.Context, by audit.Actor, g ClientGrant) error {
	if g.UserCode != "" {
		return nil
	}
	return c.change(ctx, by, ActionDeleteSession, func(tx Tx) (string, error) {
		return g.Client, tx.DeleteSession(g.Session)
	})
}

// tokens makes tokens of a client's session, which never outlive it.
func (c *Center) tokens(s Session, refreshes bool) Tokens {
	lifetime := legacyTokenLifetime
	if refreshes {
		lifetime = tokenLifetime
	}
	lifetime = min(lifetime, s.ExpiresAt.Sub(c.now())).Truncate(time.Second)
	t := Tokens{
		Access:    c.sealToken(purposeAccess, sealedToken{s.Digest, c.now().Add(lifetime), 0}),
		ExpiresIn: lifetime,
	}
	if refreshes {
		t.Refresh = c.sealToken(purposeRefresh, sealedToken{s.Digest, s.ExpiresAt, s.Generation})
	}
	return t
}

func (c *Center) sealToken(purpose string, t sealedToken) authn.Secret {
	plain, err := json.Marshal(t)
	if err != nil {
		panic(err) // a plain struct
	}
	return authn.Secret(c.Sealer.Seal(purpose, plain))
}

func (c *Center) openToken(purpose, text string) (t sealedToken, err error) {
	if len(text) > maxSealed {
		return t, &refusal.Error{Code: SessionInvalid}
	}
	plain, err := c.Sealer.Open(purpose, text)
	if err != nil || json.Unmarshal(plain, &t) != nil || !c.now().Before(t.Expires) {
		return t, &refusal.Error{Code: SessionInvalid}
	}
	return t, nil
}

// clientSession returns the open session that a token belongs to, or SessionInvalid.
func (c *Center) clientSession(r Reader, t sealedToken) (Session, error) {
	return openSession(r, t.Session, c.now(), ClientSession)
}

// RefreshTokens hands out new tokens, the refresh token rotated. A refresh token that was rotated
// long ago ends the session: somebody else has used it. It fails with GrantInvalid or
// ClientInvalid.
func (c *Center) RefreshTokens(ctx context.Context, by audit.Actor, r TokenRequest) (Tokens, error) {
	client, err := c.authenticate(r.ClientID, r.ClientSecret)
	if err != nil {
		return Tokens{}, err
	}
	refuse := func(subject, detail string) error {
		return &refusal.Error{Code: GrantInvalid, Subject: subject, Detail: detail}
	}
	t, err := c.openToken(purposeRefresh, r.RefreshToken)
	if err != nil {
		return Tokens{}, c.Refuse(
			ctx, by, "CreateToken", client.Name,
			refuse(client.Name, "the refresh token is not valid, or has expired"),
		)
	}
	var tokens Tokens
	stolen := false
	by.Kind = audit.User
	err = c.change(ctx, by, ActionCreateToken, func(tx Tx) (string, error) {
		stolen = false
		s, err := c.clientSession(tx, t)
		if refusal.CodeOf(err) == SessionInvalid || err == nil && s.ClientID != client.digest {
			return client.Name, refuse(client.Name, "the session has ended, or is another client's")
		}
		if err != nil {
			return client.Name, err
		}
		u, err := tx.User(s.UserID)
		if err == nil && !u.Active {
			return u.UserName, refuse(u.UserName, "the user is disabled")
		}
		if err != nil {
			return client.Name, refusal.IfNoRow(err, GrantInvalid, client.Name)
		}
		subject := u.UserName + "/" + s.UserAgent
		switch {
		case t.Generation == s.Generation:
			s.Generation, s.RefreshedAt = s.Generation+1, c.now()
		case t.Generation == s.Generation-1 && c.now().Sub(s.RefreshedAt) < refreshGrace: // the same successor again
		default:
			stolen = true
			return subject, refuse(subject, "the refresh token was already used: its session ends")
		}
		tokens = c.tokens(s, true)
		return subject, tx.PutSession(s)
	})
	if stolen {
		err = errors.Join(
			err,
			c.change(
				ctx, by, ActionDeleteSession,
				func(tx Tx) (string, error) { return client.Name, tx.DeleteSession(t.Session) },
			),
		)
	}
	return tokens, err
}

// TokenUser returns the user behind an access token, or SessionInvalid.
func (c *Center) TokenUser(ctx context.Context, token string) (u User, err error) {
	t, err := c.openToken(purposeAccess, token)
	if err != nil {
		return u, err
	}
	err = c.Store.View(ctx, func(r Reader) error {
		s, err := c.clientSession(r, t)
		if err == nil {
			u, err = s.user(r)
		}
		return err
	})
	return u, err
}

// TokenSession returns the digest of the session that an access token belongs to, or
// SessionInvalid. Whether it is open still is for others to say.
func (c *Center) TokenSession(token string) (digest string, err error) {
	t, err := c.openToken(purposeAccess, token)
	return t.Session, err
}

// EndTokens ends the session that an access token belongs to; roles that were opened with it go on
// until they expire. It fails with SessionInvalid.
func (c *Center) EndTokens(ctx context.Context, by audit.Actor, token string) error {
	t, err := c.openToken(purposeAccess, token)
	if err != nil {
		return err
	}
	by.Kind = audit.User
	return c.change(ctx, by, ActionSignOut, func(tx Tx) (string, error) {
		s, err := c.clientSession(tx, t)
		if err != nil {
			return "", err
		}
		return string(s.UserID) + "/" + s.UserAgent, tx.DeleteSession(s.Digest)
	})
}
