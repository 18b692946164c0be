package center

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
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
	Session     string // digest
	Expires     time.Time
	Generation  int
	Application string   `json:",omitempty"` // of an application's session
	Scopes      []string `json:",omitempty"` // of an access token of one, or for roles that people are entitled to
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
		case g.over(c.now()):
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
	return c.redeem(ctx, by, client, r.Code, c.codeCheck(r))
}

// codeCheck says whether an authorization code may be used by who has asked.
func (c *Center) codeCheck(r TokenRequest) func(ClientGrant) error {
	return func(g ClientGrant) error {
		switch {
		case g.UserCode != "":
			return &refusal.Error{Code: GrantInvalid, Detail: "this is a device code"}
		case g.over(c.now()):
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
	}
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
	var tokens Tokens
	switch {
	case g.Account != "":
		s.UserAgent, s.Key = g.Client, client.key
		s.Account, s.PermissionSet = g.Account, g.PermissionSet
		tokens = c.tokens(s, true)
	case g.Application == "":
		s.Scopes = g.Scopes
		tokens = c.tokens(s, g.Refreshes)
	default:
		if tokens, err = c.restrict(tx, &s, g); err != nil {
			return Tokens{}, client.Name, err
		}
	}
	g.Session = s.Digest
	return tokens, u.UserName + "/" + client.Name, errors.Join(tx.PutClientGrant(g), addSession(tx, s))
}

// restrict makes the session of a program that of the application that it was registered for, and
// its tokens.
func (c *Center) restrict(tx Tx, s *Session, g ClientGrant) (Tokens, error) {
	a, err := tx.Application(g.Application)
	if err != nil {
		return Tokens{}, refusal.IfNoRow(err, GrantInvalid, g.Application)
	}
	if err := a.open(GrantAuthorizationCode); err != nil {
		return Tokens{}, err
	}
	if err := mayUse(tx, a, s.UserID); err != nil {
		return Tokens{}, err
	}
	name := s.UserAgent
	c.newApplicationSession(s, a, s.ClientID, s.Address)
	s.UserAgent, s.Scopes = name, g.Scopes
	_, refreshes := a.grant(GrantRefreshToken)
	return c.applicationTokens(*s, s.Scopes, refreshes && g.Refreshes), nil
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
	next := sealedToken{Session: s.Digest, Expires: s.ExpiresAt, Generation: s.Generation}
	if s.Account != "" { // no access token: it gets credentials of its role, and nothing else
		return Tokens{Refresh: c.sealToken(purposeRoleLogin, next)}
	}
	lifetime := legacyTokenLifetime
	if refreshes {
		lifetime = tokenLifetime
	}
	lifetime = min(lifetime, s.ExpiresAt.Sub(c.now())).Truncate(time.Second)
	access := sealedToken{Session: s.Digest, Expires: c.now().Add(lifetime), Scopes: s.Scopes}
	t := Tokens{Access: c.sealToken(purposeAccess, access), ExpiresIn: lifetime}
	if refreshes {
		t.Refresh = c.sealToken(purposeRefresh, next)
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

// forAccounts says whether an access token is good for accounts and roles: an application's needs
// the scope, and so does a program's that has asked for roles which people are entitled to.
func (t sealedToken) forAccounts() bool {
	return t.Application == "" && len(t.Scopes) == 0 || slices.Contains(t.Scopes, ScopeAccountAccess) ||
		t.Application == "" && slices.Contains(t.Scopes, ScopePortal)
}

// clientSession returns the open session that an access token belongs to which is good for accounts
// and roles, or SessionInvalid.
func (c *Center) clientSession(r Reader, t sealedToken) (Session, error) {
	if !t.forAccounts() {
		return Session{}, &refusal.Error{Code: SessionInvalid, Subject: t.Application}
	}
	s, err := openSession(r, t.Session, c.now(), ClientSession, ApplicationSession)
	if err == nil && s.Kind == ApplicationSession {
		err = reachesAccounts(r, s)
	}
	return s, err
}

// RefreshTokens hands out new tokens, the refresh token rotated. A refresh token that was rotated
// long ago ends the session: somebody else has used it. It fails with GrantInvalid or
// ClientInvalid.
func (c *Center) RefreshTokens(ctx context.Context, by audit.Actor, r TokenRequest) (Tokens, error) {
	client, err := c.authenticate(r.ClientID, r.ClientSecret)
	if err != nil {
		return Tokens{}, err
	}
	return c.refresh(ctx, by, client, purposeRefresh, r.RefreshToken)
}

// refresh hands out new tokens for a refresh token of a purpose.
func (c *Center) refresh(
	ctx context.Context, by audit.Actor, client OAuthClient, purpose, token string,
) (Tokens, error) {
	refuse := func(subject, detail string) error {
		return &refusal.Error{Code: GrantInvalid, Subject: subject, Detail: detail}
	}
	t, err := c.openToken(purpose, token)
	if err != nil {
		return Tokens{}, c.Refuse(
			ctx, by, "CreateToken", client.Name,
			refuse(client.Name, "the refresh token is not valid, or has expired"),
		)
	}
	var tokens Tokens
	var renewed renewal
	by.Kind = audit.User
	err = c.change(ctx, by, ActionCreateToken, func(tx Tx) (string, error) {
		renewed, err = c.rotate(tx, t, client.digest, client.Name)
		if err == nil && renewed.Key != client.key {
			err = refuse(renewed.user.UserName, "the program holds another key")
		}
		if err != nil {
			return cmp.Or(renewed.user.UserName, client.Name), err
		}
		tokens, err = c.renew(tx, renewed.Session)
		return renewed.user.UserName + "/" + renewed.UserAgent, errors.Join(err, tx.PutSession(renewed.Session))
	})
	if renewed.stolen {
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

// renew makes the next tokens of a program's session, if the application that restricts it lets it.
func (c *Center) renew(tx Tx, s Session) (Tokens, error) {
	if s.Kind == ClientSession {
		return c.tokens(s, true), nil
	}
	a, err := tx.Application(s.Application)
	if err != nil {
		return Tokens{}, refusal.IfNoRow(err, GrantInvalid, s.Application)
	}
	if err := a.open(GrantRefreshToken); err != nil {
		return Tokens{}, err
	}
	scopes, err := (&applicationGrant{Center: c, tx: tx, of: a}).mayRenew(s, nil)
	return c.applicationTokens(s, scopes, true), err
}

// renewal is a session whose refresh token has come.
type renewal struct {
	Session
	user   User
	stolen bool // the token was rotated long ago: somebody else has used it
}

// rotate finds the session that a refresh token belongs to, and counts that it was used. The
// session is for the caller to keep, or to end where the token was stolen. It fails with
// GrantInvalid.
func (c *Center) rotate(tx Tx, t sealedToken, clientID, name string) (r renewal, err error) {
	refuse := func(subject, detail string) error {
		return &refusal.Error{Code: GrantInvalid, Subject: subject, Detail: detail}
	}
	s, err := openSession(tx, t.Session, c.now(), ClientSession, ApplicationSession)
	if refusal.CodeOf(err) == SessionInvalid || err == nil && s.ClientID != clientID {
		return r, refuse(name, "the session has ended, or is another client's")
	}
	if err != nil {
		return r, err
	}
	now, err := c.clock(tx) // another node may have handed the successor out
	if err != nil {
		return r, err
	}
	r.Session = s
	r.user, err = tx.User(s.UserID)
	if err != nil {
		return r, refusal.IfNoRow(err, GrantInvalid, name)
	}
	subject := r.user.UserName + "/" + s.UserAgent
	switch {
	case !r.user.Active:
		return r, refuse(r.user.UserName, "the user is disabled")
	case t.Generation == s.Generation:
		r.Generation, r.RefreshedAt = s.Generation+1, now
	case t.Generation == s.Generation-1 && now.Sub(s.RefreshedAt).Abs() < s.grace(): // the same successor again
	default:
		r.stolen = true
		return r, refuse(subject, "the refresh token was already used: its session ends")
	}
	return r, nil
}

// grace is how long a refresh token is taken after its successor was handed out. Programs that
// share one of AWS Sign-In each come with it when their credentials have run out, and prove a key.
func (s Session) grace() time.Duration {
	if s.Account != "" {
		return roleKeysLifetime
	}
	return refreshGrace
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

// ClientUser is TokenUser for a program that the person has allowed to act, such as the AWS CLI,
// and not for an application: that one asks for nothing on its own.
func (c *Center) ClientUser(ctx context.Context, token string) (u User, err error) {
	t, err := c.openToken(purposeAccess, token)
	if err == nil && t.Application != "" {
		err = &refusal.Error{Code: SessionInvalid, Subject: t.Application}
	}
	if err != nil {
		return u, err
	}
	return c.TokenUser(ctx, token)
}

// TokenSession returns the digest of the session that an access token belongs to, or
// SessionInvalid. Whether it is open still is for others to say.
func (c *Center) TokenSession(token string) (digest string, err error) {
	t, err := c.openToken(purposeAccess, token)
	if err == nil && !t.forAccounts() {
		err = &refusal.Error{Code: SessionInvalid, Subject: t.Application}
	}
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
