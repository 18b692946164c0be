package tenant

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ClientID is what a program or an application is called in OAuth and in SAML metadata: a UUID.
// Graph calls it appId.
type ClientID string

// Client is a program that may call Microsoft Graph: an app registration. It proves itself by a
// secret or a certificate, or is public and acts for the person who signs in.
type Client struct {
	ID           ClientID
	DisplayName  string
	SecretDigest string   // empty: no secret
	Certificates [][]byte // DER; their keys sign assertions
	Permissions  []string // application permissions; nil: all that earlier releases had
	Public       bool     // no secret is asked for where a person signs in
	RedirectURIs []string // where codes may be sent; any port is meant of http://localhost
	CreatedAt    time.Time

	Application *Application `json:"-"` // that has a password; nil: a program that was registered as such
}

// clientReader reads programs.
type clientReader interface {
	Client(id ClientID) (Client, error)
	Clients() ([]Client, error)
}

// clientWriter writes programs.
type clientWriter interface {
	PutClient(Client) error
	DeleteClient(id ClientID) error
}

// Permissions are the application permissions that there are. Delegated ones have the same names.
// Source: Graph permissions reference.
var Permissions = []string{
	"Application.Read.All", "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "AuditLog.Read.All",
	"Directory.Read.All", "Directory.ReadWrite.All", "Domain.Read.All", "Group.Read.All",
	"Group.ReadWrite.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All", "Organization.Read.All",
	"Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration", "Policy.ReadWrite.SecurityDefaults",
	"RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Synchronization.Read.All",
	"Synchronization.ReadWrite.All",
	"User.DeleteRestore.All", "User.Read.All", "User.RevokeSessions.All", "User.ReadWrite.All",
}

// manageRoles is the permission to make anybody a Global Administrator.
const manageRoles = "RoleManagement.ReadWrite.Directory"

// changeSecurityDefaults is the permission to demand no second factor of anybody.
const changeSecurityDefaults = "Policy.ReadWrite.SecurityDefaults"

// All says whether a client has every permission that there is.
func (c Client) All() bool { return len(c.Granted()) == len(Permissions) }

// Granted are the application permissions of a client.
func (c Client) Granted() []string {
	if c.Permissions == nil { // before there were roles to assign: nobody has granted that
		return slices.DeleteFunc(slices.Clone(Permissions), func(p string) bool {
			return p == manageRoles || p == changeSecurityDefaults
		})
	}
	return c.Permissions
}

// Built-in public clients, which every tenant knows. Source: well-known first-party application
// ids.
var publicClients = []Client{
	{
		ID:           "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
		DisplayName:  "Microsoft Azure CLI",
		Public:       true,
		RedirectURIs: []string{"http://localhost"},
	},
	{
		ID:           "14d82eec-204b-4c2f-b7e8-296a70dab67e",
		DisplayName:  "Microsoft Graph Command Line Tools",
		Public:       true,
		RedirectURIs: []string{"http://localhost", "https://login.microsoftonline.com/common/oauth2/nativeclient"},
	},
}

// MayReceive returns the address that an answer may be sent to, when it is one of the client's, or
// RedirectMismatch. Of http on loopback any port is meant. See authn.RedirectURI.
func (c Client) MayReceive(redirect string) (authn.RedirectURI, error) {
	asked, err := authn.ParseRedirectURI(redirect)
	if err != nil || !asked.Confidential() {
		return authn.RedirectURI{}, &refusal.Error{Code: RedirectMismatch, Subject: string(c.ID)}
	}
	for _, text := range c.RedirectURIs {
		if known, err := authn.ParseRedirectURI(text); err == nil && known.Receives(asked) {
			return asked, nil
		}
	}
	return authn.RedirectURI{}, &refusal.Error{Code: RedirectMismatch, Subject: string(c.ID)}
}

// check refuses what cannot be a client.
func (c Client) check() error {
	invalid := func(subject, detail string) error {
		return &refusal.Error{Code: InvalidValue, Subject: subject, Detail: detail}
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
			return invalid("redirectUris", "use https addresses, or http://localhost, without a user name or fragment")
		}
	}
	for _, der := range c.Certificates {
		if _, err := x509.ParseCertificate(der); err != nil {
			return invalid("certificate", "not an X.509 certificate")
		}
	}
	return nil
}

// NewClient is a program that was registered, with its secret.
type NewClient struct {
	Client
	Secret authn.Secret // empty: it has none
}

// CreateClient registers a program that has all permissions. The secret is returned here and never
// again.
func (t *Tenant) CreateClient(ctx context.Context, by audit.Actor, displayName string) (NewClient, error) {
	return t.RegisterClient(ctx, by, Client{DisplayName: displayName, Permissions: slices.Clone(Permissions)}, true)
}

// RegisterClient registers a program, with a secret where it is to have one: that is returned here
// and never again. It fails with InvalidValue.
func (t *Tenant) RegisterClient(
	ctx context.Context, by audit.Actor, c Client, withSecret bool,
) (NewClient, error) {
	made := t.newClient(c, withSecret)
	c = made.Client
	err := t.change(ctx, by, ActionAddApplication, func(tx Tx, _ *Touched) (string, error) {
		if err := c.check(); err != nil {
			return c.DisplayName, err
		}
		if err := mayGrant(tx, by, c); err != nil {
			return c.DisplayName, err
		}
		return string(c.ID), tx.PutClient(c)
	})
	return made, err
}

func (t *Tenant) newClient(c Client, withSecret bool) NewClient {
	c.ID, c.CreatedAt = ClientID(t.NewID()), t.now()
	var secret authn.Secret
	if withSecret {
		secret = authn.Secret(authn.NewSecret(30))
		c.SecretDigest = authn.Digest(secret.Reveal())
	}
	return NewClient{c, secret}
}

// mayGrant refuses somebody of the directory who would give a program more than they may do
// themselves: application permissions are the Global Administrator's to grant, and the Privileged
// Role Administrator's. Source: "Grant tenant-wide admin consent", prerequisites.
func mayGrant(r roleReader, by audit.Actor, c Client) error {
	if by.Person == "" || AccountID(by.Person).IsAdministrator() || len(c.Granted()) == 0 {
		return nil
	}
	held, err := r.RoleAssignmentsOf(UserID(by.Person))
	for _, a := range held {
		if a.RoleID == GlobalAdministrator || a.RoleID == PrivilegedRoleAdministrator {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return &refusal.Error{Code: NotAllowed, Subject: c.DisplayName,
		Detail: "only a Global Administrator may grant application permissions"}
}

// DeleteClient removes a registration: its tokens are refused at once. It fails with ClientInvalid.
func (t *Tenant) DeleteClient(ctx context.Context, by audit.Actor, id ClientID) error {
	return t.change(ctx, by, ActionDeleteApplication, func(tx Tx, _ *Touched) (string, error) {
		if _, err := tx.Client(id); err != nil {
			return string(id), refusal.IfNoRow(err, ClientUnknown, string(id))
		}
		return string(id), tx.DeleteClient(id)
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
func (t *Tenant) Client(ctx context.Context, id ClientID) (c Client, err error) {
	for _, known := range publicClients {
		if strings.EqualFold(string(known.ID), string(id)) {
			return known, nil
		}
	}
	if len(id) > maxClientID {
		return c, &refusal.Error{Code: ClientUnknown, Subject: audit.Cut(string(id), maxClientID)}
	}
	err = t.Store.View(ctx, func(r Reader) (err error) {
		if c, err = r.Client(id); !errors.Is(err, refusal.ErrNoRow) {
			return err
		}
		a, err := r.Application(AnyApplicationID(id))
		if err == nil && a.AppID != id {
			err = refusal.ErrNoRow
		}
		if err == nil {
			c, err = a.asClient()
		}
		return refusal.IfNoRow(err, ClientUnknown, string(id))
	})
	return c, err
}

// AuthenticateClient checks a client's secret, or fails with ClientInvalid or SecretExpired.
func (t *Tenant) AuthenticateClient(ctx context.Context, id ClientID, secret string) (Client, error) {
	c, err := t.Client(ctx, id)
	if err == nil && c.Application != nil {
		return c, c.Application.checkPassword(secret, t.now())
	}
	if err == nil && (c.SecretDigest == "" || !authn.Equal(c.SecretDigest, authn.Digest(secret))) {
		return c, &refusal.Error{Code: ClientInvalid, Subject: string(id)}
	}
	return c, err
}

// AccountID is whose a password, second factors, sessions and grants are: the UserID of a person of
// the directory, or for an administrator, who is no user, a name that no user's id can be.
type AccountID string

// Account is who has signed in: a person of the directory, or an administrator of the admin center,
// who may do what the Global Administrator of Entra may.
type Account struct {
	ID            AccountID
	Name          string // user principal name, or the administrator's
	DisplayName   string
	Administrator bool
	Roles         []RoleTemplateID `json:"-"` // directory roles of a person
	MustRegister  bool             `json:"-"` // a second factor, before they get anywhere
	SignedInAt    time.Time        `json:"-"` // when the person signed in for what is allowed
	Under         *int64           `json:"-"` // the SessionsValidFrom that this was under; nil: it says none
}

// Account is a user as second factors know people.
func (u User) Account() Account {
	return Account{ID: AccountID(u.ID), Name: u.UserPrincipalName, DisplayName: u.DisplayName}
}

// Caller is who calls Graph: a program on its own, or for a person.
type Caller struct {
	ClientID    ClientID
	Account     Account // empty: the program itself
	Permissions []string
}

// May says whether a caller has one of the permissions. People who are no administrators and have
// none of the directory roles may only what members may, whatever a program was allowed.
func (c Caller) May(sufficient []string, members bool, roles []RoleTemplateID) bool {
	if c.Account.ID != "" && !members && !c.Account.Administrator && !c.Account.has(roles) {
		return false
	}
	return slices.ContainsFunc(sufficient, func(p string) bool { return slices.Contains(c.Permissions, p) })
}

// has says whether somebody has one of the directory roles. A Global Administrator has them all.
func (a Account) has(roles []RoleTemplateID) bool {
	return slices.ContainsFunc(a.Roles, func(held RoleTemplateID) bool {
		return held == GlobalAdministrator || slices.Contains(roles, held)
	})
}

// Name is what the audit log says of a caller.
func (c Caller) Name() string {
	if c.Account.ID == "" {
		return string(c.ClientID)
	}
	return c.Account.Name + " by " + string(c.ClientID)
}

// SessionAccount returns who a session is of and when they signed in, or SessionInvalid.
func (t *Tenant) SessionAccount(ctx context.Context, secret string) (a Account, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		s, err := t.session(r, secret)
		if err != nil {
			return err
		}
		a, err = accountNow(r, Account{
			ID:            s.Account,
			Name:          s.Administrator,
			Administrator: s.Administrator != "",
			SignedInAt:    s.CreatedAt,
			Under:         s.Under,
		})
		if refusal.CodeOf(err) == GrantRevoked { // it was to end with the others
			return &refusal.Error{Code: SessionInvalid, Subject: a.Name}
		}
		if err == nil && !a.Administrator {
			a.MustRegister, err = mustRegister(r, UserID(a.ID))
		}
		return err
	})
	return a, err
}

// account completes an account as it is now: SessionInvalid for a person who is gone or disabled,
// GrantRevoked for one whose sessions were revoked since the sign-in.
func accountNow(r Reader, a Account) (Account, error) {
	if a.Administrator {
		now, err := r.Administrator(a.Name)
		if err == nil && !isUnder(a.Under, a.SignedInAt, now.SessionsValidFrom) {
			return a, &refusal.Error{Code: GrantRevoked, Subject: a.Name}
		}
		a.ID, a.DisplayName = administratorID(a.Name), a.Name
		a.Under = under(now.SessionsValidFrom)
		return a, refusal.IfNoRow(err, SessionInvalid, a.Name)
	}
	u, err := r.User(UserID(a.ID))
	if err == nil && !u.Enabled {
		return a, &refusal.Error{Code: SessionInvalid, Detail: "the user is disabled"}
	}
	if err == nil && !isUnder(a.Under, a.SignedInAt, u.SessionsValidFrom) {
		return a, &refusal.Error{Code: GrantRevoked, Subject: u.UserPrincipalName}
	}
	a.Name, a.DisplayName = u.UserPrincipalName, u.DisplayName
	a.Under = under(u.SessionsValidFrom)
	return a, refusal.IfNoRow(err, SessionInvalid, string(a.ID))
}

// StillGranted refuses an administrator, or somebody with a directory role, who was removed,
// disabled or signed out everywhere since the sign-in, with SessionInvalid or GrantRevoked: tokens
// that are out end at once, since they open much. Those of people who may only read end as Entra's
// do, with their time.
func (t *Tenant) StillGranted(ctx context.Context, a Account) error {
	if !a.Administrator && len(a.Roles) == 0 {
		return nil
	}
	return t.Store.View(ctx, func(r Reader) error {
		_, err := accountNow(r, a)
		return err
	})
}
