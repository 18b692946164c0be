package center

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ClientGrant is what a client has asked for and a user allows. Only digests of its codes are kept.
type ClientGrant struct {
	Digest    string // of the device code, or of the authorization code
	UserCode  string // digest of the code that the person types; empty: of no device
	Client    string // what the program calls itself
	ClientID  string // digest of its registration
	Refreshes bool   // the client may refresh its token
	Address   string // where it asked from
	CreatedAt time.Time
	ExpiresAt time.Time

	// What the user has decided.
	Denied     bool
	UserID     UserID            // who has allowed it; empty: nobody yet
	Until      time.Time         // when the session ends that it was allowed in
	Attributes map[string]string `json:",omitempty"` // for access control, of that session

	// Of an authorization code.
	RedirectURI string
	Challenge   string // PKCE, S256; empty only of an application that signs

	// Of an application, or of a program that was registered for one; the scopes also of a program
	// that asks for roles which people are entitled to.
	Application string   `json:",omitempty"`
	Scopes      []string `json:",omitempty"`
	Nonce       string   `json:",omitempty"` // that its ID token has

	// Of AWS Sign-In: the role that it is good for.
	Account       string `json:",omitempty"`
	PermissionSet string `json:",omitempty"` // its name

	// Within is the digest of the portal session in which it was allowed; empty where an earlier
	// version has kept it.
	Within string

	// Session is the digest of the session that was opened with it; empty: it was not used yet.
	Session string
}

// clientGrantReader reads what people granted to programs.
type clientGrantReader interface {
	ClientGrant(digest string) (ClientGrant, error)
	ClientGrantByUserCode(digest string) (ClientGrant, error)
}

// clientGrantWriter writes what people granted to programs.
type clientGrantWriter interface {
	PutClientGrant(ClientGrant) error
	KeepClientGrantsOf(holder string, newest int) error // deletes the others, which expire first
	// KeepWaitingClientGrants leaves so many of those that wait for a person where there are more
	// than most: those that are not over first, and of them the newest of each holder in turn, so
	// that the holder with the most loses first.
	KeepWaitingClientGrants(most, left int, now time.Time) error
	DeleteClientGrantsOf(holder string) error
}

// Waits says whether it is a device's and nobody has decided yet: strangers can make such ones.
func (g ClientGrant) Waits() bool { return g.UserCode != "" && g.UserID == "" && !g.Denied }

// Holder is whose share of all grants it counts to.
func (g ClientGrant) Holder() string {
	if g.UserID == "" {
		return "address/" + audit.Neighborhood(g.Address)
	}
	return holderOf(g.UserID)
}

func holderOf(user UserID) string { return "user/" + string(user) }

// keepShare makes room for a grant: the oldest of its holder go and, where too many wait in all,
// those of whichever addresses hold the most. Nobody is refused for what others ask for, or loses a
// code to somebody who asks for more.
func (c *Center) keepShare(tx Tx, g ClientGrant) error {
	err := tx.KeepClientGrantsOf(g.Holder(), maxGrantsEach-1)
	if g.Waits() {
		err = errors.Join(err, tx.KeepWaitingClientGrants(maxGrants-1, maxGrants*9/10, c.now()))
	}
	return err
}

// over says whether a grant has expired, or was issued by a clock that was ahead.
func (g ClientGrant) over(now time.Time) bool {
	return !now.Before(g.ExpiresAt) || authn.Ahead(g.CreatedAt, now)
}

// KeptUntil is how long a grant is remembered: for a while after its end, so that a client that
// still asks is told that it has expired.
func (g ClientGrant) KeptUntil() time.Time { return g.ExpiresAt.Add(GrantsKept) }

// GrantsKept is how long a grant of a program is known after its end.
const GrantsKept = time.Hour //bound:life a grant of the center after its end

const (
	//bound:life a device code of the center
	deviceLifetime = 10 * time.Minute // Source: OIDC API reference, StartDeviceAuthorization
	//bound:life an authorization code of the center
	codeLifetime = 2 * time.Minute // Source: our own choice; clients exchange it at once
	//bound:rows outstanding device codes and authorization codes of the center
	maxGrants     = 1_000 //bound:rows device codes of the center that wait, those of the holder with the most go first
	maxGrantsEach = 200   //bound:rows device codes of one address, or grants of one user, at the center
)

// DeviceAuthorization is what a device shows to its user, and polls with.
type DeviceAuthorization struct {
	DeviceCode authn.Secret
	UserCode   string // XXXX-XXXX
	ExpiresIn  time.Duration
}

// userCodeLetters are letters that are not mistaken for others and make no words. Source: RFC 8628,
// 6.1.
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

func newUserCode() string {
	code := make([]byte, 8)
	for i := range code {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(userCodeLetters))))
		if err != nil {
			panic(err) // never fails: crypto/rand
		}
		code[i] = userCodeLetters[n.Int64()]
	}
	return string(code[:4]) + "-" + string(code[4:])
}

// userCodeDigest is the digest of a code however a person types it: small letters, without the
// dash, with blanks.
func userCodeDigest(code string) string {
	return authn.Digest(strings.Map(func(r rune) rune {
		if r < 'A' || r > 'Z' {
			return -1
		}
		return r
	}, strings.ToUpper(code)))
}

// StartDevice begins an authorization that a user allows in a browser, by a code. It fails with
// ClientInvalid or StartURLUnknown.
func (c *Center) StartDevice(
	ctx context.Context, address, clientID, clientSecret, startURL string,
) (d DeviceAuthorization, err error) {
	client, err := c.authenticate(clientID, clientSecret)
	if err != nil {
		return d, err
	}
	if client.Application != "" { // an application has no such grant
		return d, &refusal.Error{Code: GrantNotAllowed, Subject: client.Application, Detail: "device code"}
	}
	if !c.isStartURL(startURL) {
		return d, &refusal.Error{Code: StartURLUnknown, Subject: startURL}
	}
	d = DeviceAuthorization{
		DeviceCode: authn.Secret(authn.NewSecret(32)),
		UserCode:   newUserCode(),
		ExpiresIn:  deviceLifetime,
	}
	g := c.newGrant(client, d.DeviceCode.Reveal(), address, deviceLifetime)
	g.UserCode = userCodeDigest(d.UserCode)
	return d, c.Store.Update(ctx, func(tx Tx) error {
		return errors.Join(c.keepShare(tx, g), tx.PutClientGrant(g))
	})
}

func (c *Center) newGrant(client OAuthClient, code, address string, lifetime time.Duration) ClientGrant {
	g := ClientGrant{
		Digest:    authn.Digest(code),
		Client:    client.Name,
		ClientID:  client.digest,
		Refreshes: slices.Contains(client.Scopes, ScopeAccountAccess),
		Address:   address,
		CreatedAt: c.now(),
		ExpiresAt: c.now().Add(lifetime),
	}
	if client.Application == "" && slices.ContainsFunc(client.Scopes, ofEntitlements) {
		g.Refreshes, g.Scopes = true, client.Scopes
	}
	return g
}

// DeviceByUserCode returns the grant of a code that a signed-in user has typed. It fails with
// UserCodeUnknown, and with SignInLocked after many wrong codes.
func (c *Center) DeviceByUserCode(
	ctx context.Context, by audit.Actor, user UserID, code string,
) (g ClientGrant, err error) {
	var refused error
	err = c.Store.Update(ctx, func(tx Tx) error {
		g, err = c.findUserCode(tx, user, code)
		refused = nil
		if code := refusal.CodeOf(err); code == SignInLocked || code == UserCodeUnknown { // what is written stays
			refused, err = err, nil
		}
		return err
	})
	if err == nil && refused != nil {
		err = c.Refuse(ctx, by, "AuthorizeDevice", string(user), refused)
	}
	return g, err
}

// PeekDevice returns the grant of a code that stands in a link, without counting wrong ones: links
// come from elsewhere too. It fails as DeviceByUserCode does.
func (c *Center) PeekDevice(ctx context.Context, user UserID, code string) (g ClientGrant, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		memory, err := r.Ticket(GuessesCodes, string(user))
		if err != nil && !errors.Is(err, refusal.ErrNoRow) {
			return err
		}
		if err == nil && memory.Lockout.Locked(c.now()) {
			return &refusal.Error{Code: SignInLocked, Subject: string(user), Detail: "too many wrong device codes"}
		}
		g, err = c.waitingDevice(r, code)
		return refusal.IfNoRow(err, UserCodeUnknown, "")
	})
	return g, err
}

// waitingDevice returns the grant of a code that waits for a person, or refusal.ErrNoRow.
func (c *Center) waitingDevice(r clientGrantReader, code string) (g ClientGrant, err error) {
	g, err = r.ClientGrantByUserCode(userCodeDigest(code))
	if err == nil && (g.over(c.now()) || !g.Waits()) {
		err = refusal.ErrNoRow
	}
	return g, err
}

// findUserCode looks a code up and remembers when it is wrong, so that nobody tries them all. It
// fails with SignInLocked or UserCodeUnknown: what it has written must stay then.
func (c *Center) findUserCode(tx Tx, user UserID, code string) (g ClientGrant, err error) {
	memory, err := tx.Ticket(GuessesCodes, string(user))
	if errors.Is(err, refusal.ErrNoRow) {
		memory, err = Ticket{Purpose: GuessesCodes, Digest: string(user), Principal: string(user)}, nil
	}
	if err != nil {
		return g, err
	}
	if memory.Lockout.Locked(c.now()) {
		return g, &refusal.Error{Code: SignInLocked, Subject: string(user), Detail: "too many wrong device codes"}
	}
	g, err = c.waitingDevice(tx, code)
	if errors.Is(err, refusal.ErrNoRow) {
		memory.Lockout, memory.ExpiresAt = memory.Lockout.Failed(c.now()), c.now().Add(deviceLifetime)
		if err := tx.PutTicket(memory); err != nil {
			return g, err
		}
		return ClientGrant{}, &refusal.Error{Code: UserCodeUnknown}
	}
	return g, err
}

// DecideDevice allows or denies what a device has asked for, on behalf of the user of a portal
// session. It fails as DeviceByUserCode does, and with SessionInvalid.
func (c *Center) DecideDevice(
	ctx context.Context, by audit.Actor, user UserID, sessionSecret, code string, allow bool,
) error {
	g, err := c.DeviceByUserCode(ctx, by, user, code)
	if err != nil {
		return err
	}
	action := map[bool]Action{true: ActionAuthorizeDevice, false: ActionDenyDevice}[allow]
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		s, err := session(tx, sessionSecret, PortalSession, c.now())
		if err == nil && s.UserID != user {
			err = &refusal.Error{Code: SessionInvalid}
		}
		if err != nil {
			return g.Client, err
		}
		g, err = tx.ClientGrant(g.Digest)
		if err == nil && (!g.Waits() || g.over(c.now())) { // decided in the meantime, or too late
			err = refusal.ErrNoRow
		}
		if err != nil {
			return g.Client, refusal.IfNoRow(err, UserCodeUnknown, "")
		}
		g.Denied = !allow
		if allow {
			g.UserID = s.UserID
			g.Until = s.ExpiresAt
			g.Attributes = s.Attributes
			g.Within = s.Digest
		}
		return g.Client, tx.PutClientGrant(g)
	})
}

// CodeRequest asks for an authorization code.
type CodeRequest struct {
	ClientID, RedirectURI string
	Challenge             string   // PKCE, S256; only an application that signs may do without
	Scopes                []string // none: all; of programs those of account access matter
	Nonce                 string   // of an application: for its ID token
}

// AuthorizeClient makes an authorization code for a client, on behalf of the user of a portal
// session. It fails with ClientInvalid, RedirectInvalid, ChallengeMissing or SessionInvalid, and
// where the client is an application, or was registered for one, with ApplicationDisabled,
// ApplicationNotAssigned, GrantNotAllowed and ScopeNotGranted.
func (c *Center) AuthorizeClient(
	ctx context.Context, by audit.Actor, sessionSecret string, r CodeRequest,
) (authn.Secret, error) {
	client, err := c.AuthorizingClient(ctx, r.ClientID)
	if err != nil {
		return "", err
	}
	if _, err := client.Redirects(r.RedirectURI); err != nil {
		return "", err
	}
	if !IsChallenge(r.Challenge) && (!client.Signs || r.Challenge != "") {
		return "", &refusal.Error{Code: ChallengeMissing}
	}
	code := authn.NewSecret(32)
	g := c.newGrant(client, code, by.Address, codeLifetime)
	g.RedirectURI, g.Challenge = r.RedirectURI, r.Challenge
	err = c.change(ctx, by, ActionAuthorizeClient, func(tx Tx) (string, error) {
		s, err := session(tx, sessionSecret, PortalSession, c.now())
		if err != nil {
			return client.Name, err
		}
		g.UserID = s.UserID
		g.Until = s.ExpiresAt
		g.Attributes = s.Attributes
		g.Within = s.Digest
		if client.Application != "" {
			if err := g.ofApplication(tx, client, r); err != nil {
				return client.Application, err
			}
		} else if len(g.Scopes) > 0 { // no more than the person was asked for
			if g.Scopes, err = narrowed(r.Scopes, g.Scopes); err != nil {
				return client.Name, err
			}
		}
		return client.Name, errors.Join(c.keepShare(tx, g), tx.PutClientGrant(g))
	})
	return authn.Secret(code), err
}

// ofApplication checks that the person may use the application that a code is for, and writes down
// what the code is good for there.
func (g *ClientGrant) ofApplication(r Reader, client OAuthClient, asked CodeRequest) error {
	a, err := r.Application(client.Application)
	if err != nil {
		return refusal.IfNoRow(err, ClientInvalid, client.Application)
	}
	if err := a.open(GrantAuthorizationCode); err != nil {
		return err
	}
	if err := mayUse(r, a, g.UserID); err != nil {
		return err
	}
	allowed := a.Scopes()
	if !client.Signs {
		allowed = slices.DeleteFunc(allowed, func(s string) bool { return !slices.Contains(client.Scopes, s) })
	}
	_, g.Refreshes = a.grant(GrantRefreshToken)
	g.Application, g.Nonce = a.ARN, asked.Nonce
	g.Scopes, err = narrowed(asked.Scopes, allowed)
	return err
}

// verifierMatches says whether a PKCE verifier belongs to a challenge. Source: RFC 7636, 4.6.
func verifierMatches(codeVerifier, codeChallenge string) bool {
	sum := sha256.Sum256([]byte(codeVerifier))
	return verifier.match(codeVerifier) &&
		authn.Equal(base64.RawURLEncoding.EncodeToString(sum[:]), codeChallenge)
}
