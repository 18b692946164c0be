package tenant

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// Client is a program that may call Microsoft Graph: an app registration. It proves itself by a secret or a certificate, or is public and acts for the person
// who signs in.
type Client struct {
	ID           string
	DisplayName  string
	SecretDigest string   // empty: no secret
	Certificates [][]byte // DER; their keys sign assertions
	Permissions  []string // application permissions; nil: all that there are
	Public       bool     // no secret is asked for where a person signs in
	RedirectURIs []string // where codes may be sent; any port is meant of http://localhost
	CreatedAt    time.Time
}

// Permissions are the application permissions that there are. Delegated ones have the same names. Source: Graph permissions reference.
var Permissions = []string{
	"Application.Read.All", "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "AuditLog.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "Group.Read.All",
	"Group.ReadWrite.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All", "Organization.Read.All", "Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration", "Synchronization.Read.All", "Synchronization.ReadWrite.All",
	"User.Read.All", "User.RevokeSessions.All", "User.ReadWrite.All",
}

// Granted are the application permissions of a client.
func (c Client) Granted() []string {
	if c.Permissions == nil {
		return Permissions
	}
	return c.Permissions
}

// Built-in public clients, which every tenant knows. Source: well-known first-party application ids.
var publicClients = []Client{
	{ID: "04b07795-8ddb-461a-bbee-02f9e1bf7b46", DisplayName: "Microsoft Azure CLI", Public: true, RedirectURIs: []string{"http://localhost"}},
	{ID: "14d82eec-204b-4c2f-b7e8-296a70dab67e", DisplayName: "Microsoft Graph Command Line Tools", Public: true, RedirectURIs: []string{"http://localhost", "https://login.microsoftonline.com/common/oauth2/nativeclient"}},
}

// MayReceive returns the address that an answer may be sent to, when it is one of the client's, or
// RedirectMismatch. Of http on loopback any port is meant. See authn.RedirectURI.
func (c Client) MayReceive(redirect string) (authn.RedirectURI, error) {
	asked, err := authn.ParseRedirectURI(redirect)
	if err != nil || !asked.Confidential() {
		return authn.RedirectURI{}, &Error{Code: RedirectMismatch, Subject: c.ID}
	}
	for _, text := range c.RedirectURIs {
		if known, err := authn.ParseRedirectURI(text); err == nil && known.Receives(asked) {
			return asked, nil
		}
	}
	return authn.RedirectURI{}, &Error{Code: RedirectMismatch, Subject: c.ID}
}

// check refuses what cannot be a client.
func (c Client) check() error {
	invalid := func(subject, detail string) error {
		return &Error{Code: InvalidValue, Subject: subject, Detail: detail}
	}
	if err := checkDisplayName(c.DisplayName); err != nil {
		return err
	}
	for _, p := range c.Permissions {
		if !slices.Contains(Permissions, p) {
			return invalid("permission", "there is no "+p)
		}
	}
	for _, u := range c.RedirectURIs {
		if to, err := authn.ParseRedirectURI(u); err != nil || !to.Confidential() {
			return invalid("redirectUris", "want https addresses, or http://localhost, without user name and fragment")
		}
	}
	for _, der := range c.Certificates {
		if _, err := x509.ParseCertificate(der); err != nil {
			return invalid("certificate", "not an X.509 certificate")
		}
	}
	return nil
}

// CreateClient registers a program that has all permissions. The secret is returned here and never again.
func (t *Tenant) CreateClient(ctx context.Context, by audit.Actor, displayName string) (Client, authn.Secret, error) {
	return t.RegisterClient(ctx, by, Client{DisplayName: displayName}, true)
}

// RegisterClient registers a program, with a secret where it is to have one: that is returned here and never again. It fails with InvalidValue.
func (t *Tenant) RegisterClient(ctx context.Context, by audit.Actor, c Client, withSecret bool) (Client, authn.Secret, error) {
	c.ID, c.CreatedAt = t.NewID(), t.now()
	var secret authn.Secret
	if withSecret {
		secret = authn.Secret(authn.NewSecret(30))
		c.SecretDigest = authn.Digest(secret.Reveal())
	}
	err := t.change(ctx, by, ActionAddApplication, func(tx Tx, _ *Touched) (string, error) {
		if err := c.check(); err != nil {
			return c.DisplayName, err
		}
		return c.ID, tx.PutClient(c)
	})
	return c, secret, err
}

// DeleteClient removes a registration: its tokens are refused at once. It fails with ClientInvalid.
func (t *Tenant) DeleteClient(ctx context.Context, by audit.Actor, id string) error {
	return t.change(ctx, by, ActionDeleteApplication, func(tx Tx, _ *Touched) (string, error) {
		if _, err := tx.Client(id); err != nil {
			return id, orRefuse(err, ClientUnknown, id)
		}
		return id, tx.DeleteClient(id)
	})
}

// Clients lists the registered programs.
func (t *Tenant) Clients(ctx context.Context) (list []Client, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.Clients()
		return err
	})
	return list, err
}

// maxClientID is more than a UUID has.
const maxClientID = 128 //bound:text a client id that the tenant looks for

// Client returns a registered or a built-in client, or ClientUnknown.
func (t *Tenant) Client(ctx context.Context, id string) (c Client, err error) {
	for _, known := range publicClients {
		if strings.EqualFold(known.ID, id) {
			return known, nil
		}
	}
	if len(id) > maxClientID {
		return c, &Error{Code: ClientUnknown, Subject: audit.Cut(id, maxClientID)}
	}
	err = t.Store.View(ctx, func(r Reader) (err error) {
		c, err = r.Client(id)
		return orRefuse(err, ClientUnknown, id)
	})
	return c, err
}

// AuthenticateClient checks a client's secret, or fails with ClientInvalid.
func (t *Tenant) AuthenticateClient(ctx context.Context, id, secret string) (Client, error) {
	c, err := t.Client(ctx, id)
	if err == nil && (c.SecretDigest == "" || !authn.Equal(c.SecretDigest, authn.Digest(secret))) {
		return c, &Error{Code: ClientInvalid, Subject: id}
	}
	return c, err
}

// Account is who has signed in: a person of the directory, or an administrator of the admin center, who may do what the Global Administrator of Entra may.
type Account struct {
	ID            string
	Name          string // user principal name, or the administrator's
	DisplayName   string
	Administrator bool
	SignedInAt    time.Time `json:"-"` // when the person signed in for what is allowed
}

// Caller is who calls Graph: a program by itself, or for a person.
type Caller struct {
	ClientID    string
	Account     Account // empty: the program itself
	Permissions []string
}

// May says whether a caller has one of the permissions. People who are no administrators may only
// what members may, whatever a program was allowed.
func (c Caller) May(any []string, members bool) bool {
	if c.Account.ID != "" && !members && !c.Account.Administrator {
		return false
	}
	return slices.ContainsFunc(any, func(p string) bool { return slices.Contains(c.Permissions, p) })
}

// Name is what the audit log says of a caller.
func (c Caller) Name() string {
	if c.Account.ID == "" {
		return c.ClientID
	}
	return c.Account.Name + " by " + c.ClientID
}

// SessionAccount returns who a session is of, or SessionInvalid.
func (t *Tenant) SessionAccount(ctx context.Context, secret string) (a Account, err error) {
	name, err := t.SessionAdministrator(ctx, secret)
	if err == nil {
		return t.account(ctx, Account{Name: name, Administrator: true}, t.now())
	}
	if CodeOf(err) != SessionInvalid {
		return a, err
	}
	u, _, err := t.SessionUser(ctx, secret)
	return Account{ID: u.ID, Name: u.UserPrincipalName, DisplayName: u.DisplayName}, err
}

// account completes an account as it is now: SessionInvalid for a person who is gone or disabled, GrantRevoked for one whose sessions were revoked since
// signedIn.
func (t *Tenant) account(ctx context.Context, a Account, signedIn time.Time) (Account, error) {
	err := t.Store.View(ctx, func(r Reader) error {
		a.SignedInAt = signedIn
		if a.Administrator {
			now, err := r.Administrator(a.Name)
			if err == nil && signedIn.Before(now.SessionsValidFrom) {
				return &Error{Code: GrantRevoked, Subject: a.Name}
			}
			a.ID, a.DisplayName = administratorPrincipal(a.Name), a.Name
			return orRefuse(err, SessionInvalid, a.Name)
		}
		u, err := r.User(a.ID)
		if err == nil && !u.Enabled {
			return &Error{Code: SessionInvalid, Detail: "the user is disabled"}
		}
		if err == nil && signedIn.Before(u.SessionsValidFrom) {
			return &Error{Code: GrantRevoked, Subject: u.UserPrincipalName}
		}
		a.Name, a.DisplayName = u.UserPrincipalName, u.DisplayName
		return orRefuse(err, SessionInvalid, a.ID)
	})
	return a, err
}

// StillGranted refuses an administrator who was removed or signed out everywhere since the sign-in,
// with SessionInvalid or GrantRevoked: tokens that are out end at once, since they open everything.
// Those of people, who may only read, end as Entra's do, with their time.
func (t *Tenant) StillGranted(ctx context.Context, a Account) error {
	if !a.Administrator {
		return nil
	}
	_, err := t.account(ctx, a, a.SignedInAt)
	return err
}

// GrantKind is what a grant is redeemed by.
type GrantKind string

// The kinds.
const (
	GrantCode    GrantKind = "code"
	GrantDevice  GrantKind = "device"
	GrantRefresh GrantKind = "refresh"

	grantSignIn GrantKind = "sign-in" // waits for a second factor
)

// Grant is what a person has allowed a program, or is asked for. Only the digest of its secret is kept.
type Grant struct {
	Digest      string
	Kind        GrantKind
	UserCode    string // of a device code: what the person types
	ClientID    string
	Account     Account
	Scopes      []string
	RedirectURI string
	Challenge   string // of PKCE, S256
	Nonce       string
	Answered    bool // of a device code
	Allowed     bool
	LastPoll    time.Time
	SignedInAt  time.Time // when the person signed in for it; zero when issued: now
	ExpiresAt   time.Time
}

// Lifetimes. Sources: device authorization response; "Refresh tokens"; that of a code is ours to choose (RFC 6749, 4.1.2 says ten minutes at most).
const (
	codeLifetime    = 10 * time.Minute    //bound:life an authorization code of the tenant
	DeviceLifetime  = 15 * time.Minute    //bound:life a device code of the tenant
	refreshLifetime = 90 * 24 * time.Hour //bound:life a refresh token of the tenant that is not used
	DeviceInterval  = 5 * time.Second     //bound:rate time between two questions for a device code at the tenant
)

// grantsKept is how long a grant is known after its end, so that the program learns that it has expired.
const grantsKept = time.Hour //bound:life what is known of a grant of the tenant after its end

// userCodeLetters leaves out what is easily mistaken.
const userCodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// Issue keeps a grant and returns its secret. A device code gets a code for the person as well.
func (t *Tenant) Issue(ctx context.Context, g Grant) (Grant, authn.Secret, error) {
	secret := authn.NewSecret(32)
	g.Digest = authn.Digest(secret)
	if g.SignedInAt.IsZero() {
		g.SignedInAt = t.now()
	}
	g.ExpiresAt = t.now().Add(map[GrantKind]time.Duration{GrantCode: codeLifetime, GrantDevice: DeviceLifetime, GrantRefresh: refreshLifetime, grantSignIn: codeLifetime}[g.Kind])
	if g.Kind == GrantDevice {
		code := make([]byte, 9)
		_, _ = rand.Read(code) // it never fails
		for i := range code {
			code[i] = userCodeLetters[int(code[i])%len(userCodeLetters)] // 32 letters: each as likely
		}
		g.UserCode = string(code)
	}
	err := t.Store.Update(ctx, func(tx Tx) error { return errors.Join(tx.DeleteGrants(t.now().Add(-grantsKept)), tx.PutGrant(g)) })
	return g, authn.Secret(secret), err
}

// Redeem returns what a secret was issued for, to the program that it was issued to. A code is good once; a device code once the person has answered. It fails
// with GrantInvalid, GrantExpired, AuthorizationPending, SlowDown or AuthorizationDeclined; with GrantRevoked or SessionInvalid when the
// person's sessions were revoked meanwhile, or the person was disabled.
func (t *Tenant) Redeem(ctx context.Context, by audit.Actor, kind GrantKind, clientID, secret string) (g Grant, err error) {
	var refusal error
	err = t.Store.Update(ctx, func(tx Tx) error {
		refusal = nil
		g, err = tx.Grant(authn.Digest(secret))
		switch {
		case errors.Is(err, ErrNoRow), err == nil && (g.Kind != kind || !strings.EqualFold(g.ClientID, clientID)):
			refusal = &Error{Code: GrantInvalid, Subject: clientID}
			return nil
		case err != nil:
			return err
		case !t.now().Before(g.ExpiresAt):
			refusal = &Error{Code: GrantExpired, Subject: clientID}
			return tx.DeleteGrant(g.Digest)
		case kind == GrantDevice && !g.Answered:
			refusal = &Error{Code: AuthorizationPending}
			if t.now().Sub(g.LastPoll) < DeviceInterval-time.Second {
				refusal = &Error{Code: SlowDown}
			}
			g.LastPoll = t.now()
			return tx.PutGrant(g)
		case kind == GrantDevice && !g.Allowed:
			refusal = &Error{Code: AuthorizationDeclined}
		}
		if kind == GrantRefresh {
			return nil
		}
		return tx.DeleteGrant(g.Digest)
	})
	if err != nil {
		return g, err
	}
	if refusal == nil {
		g.Account, refusal = t.account(ctx, g.Account, g.SignedInAt)
	}
	if c := CodeOf(refusal); refusal != nil && c != AuthorizationPending && c != SlowDown {
		by.Name = clientID
		return g, t.Refuse(ctx, by, "Redeem "+string(kind), clientID, refusal)
	}
	return g, refusal
}

// Waiting returns the device code that waits under what a person has typed, or GrantInvalid.
func (t *Tenant) Waiting(ctx context.Context, userCode string) (g Grant, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		g, err = r.GrantByUserCode(strings.ToUpper(strings.TrimSpace(userCode)))
		if err == nil && (g.Answered || !t.now().Before(g.ExpiresAt)) {
			err = ErrNoRow
		}
		return orRefuse(err, GrantInvalid, "")
	})
	return g, err
}

// Answer records what a person has answered a device.
func (t *Tenant) Answer(ctx context.Context, by audit.Actor, userCode string, a Account, allowed bool) error {
	g, err := t.Waiting(ctx, userCode)
	if err != nil {
		return err
	}
	action := ActionDeclineDevice
	if allowed {
		action = ActionAllowDevice
	}
	return t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		now, err := tx.Grant(g.Digest)
		if err == nil && now.Answered {
			err = ErrNoRow
		}
		if err != nil {
			return g.ClientID, orRefuse(err, GrantInvalid, "")
		}
		now.Answered, now.Allowed, now.Account, now.SignedInAt = true, allowed, a, t.now()
		return g.ClientID, tx.PutGrant(now)
	})
}
