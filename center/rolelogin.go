package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// The clients of AWS Sign-In: `aws login` on the machine of the browser, and on another one. Nobody
// registers them. Source: the model of AWS's service signin.
const (
	SameDeviceClient  = "arn:aws:signin:::devtools/same-device"
	CrossDeviceClient = "arn:aws:signin:::devtools/cross-device"
)

// ConfirmationPath is the page that shows a code to copy to another machine.
const ConfirmationPath = "/v1/sessions/confirmation"

// roleKeysLifetime is how long the credentials last that `aws login` gets at a time. Source: the
// model of AWS's service signin, at most 900 seconds.
const roleKeysLifetime = 15 * time.Minute //bound:life credentials of aws login

// roleLoginLifetime bounds what a person has allowed once. Source: AWS Sign-In User Guide.
const roleLoginLifetime = 12 * time.Hour //bound:life a sign-in by aws login

const purposeRoleLogin = "role-login"

// RoleLoginRequest is what a person allows: a program gets credentials of a role, and renews them.
type RoleLoginRequest struct {
	ClientID      string
	RedirectURI   string
	Challenge     string // PKCE, S256
	Account       string
	PermissionSet string // its name, or the ARN of a role that the user is entitled to
}

// RoleKeys are what a program gets by `aws login`.
type RoleKeys struct {
	RoleCredentials
	ARN     string // of the session of the role, as GetCallerIdentity shows it
	Refresh authn.Secret
}

// RoleLoginClient returns a client of AWS Sign-In, when an answer may go to the address, or
// ClientInvalid or RedirectInvalid.
func (c *Center) RoleLoginClient(id, redirect string) (authn.RedirectURI, error) {
	client, err := c.signInClient(id)
	if err != nil {
		return authn.RedirectURI{}, err
	}
	if client.Name == CrossDeviceClient {
		if redirect != c.URL+ConfirmationPath {
			return authn.RedirectURI{}, &refusal.Error{Code: RedirectInvalid, Subject: redirect}
		}
		return authn.ParseRedirectURI(redirect)
	}
	return OAuthClient{RedirectURIs: []string{"http://127.0.0.1/oauth/callback"}}.Redirects(redirect)
}

func (c *Center) signInClient(id string) (OAuthClient, error) {
	if id != SameDeviceClient && id != CrossDeviceClient {
		return OAuthClient{}, &refusal.Error{Code: ClientInvalid}
	}
	return OAuthClient{Name: id, digest: authn.Digest(id)}, nil
}

// AuthorizeRoleLogin returns a code with which a program gets credentials of a role that the person
// has. It fails with ClientInvalid, RedirectInvalid, ChallengeMissing, SessionInvalid or
// RoleNotAssigned.
func (c *Center) AuthorizeRoleLogin(
	ctx context.Context, by audit.Actor, sessionSecret string, r RoleLoginRequest,
) (authn.Secret, error) {
	client, err := c.signInClient(r.ClientID)
	if err != nil {
		return "", err
	}
	if _, err := c.RoleLoginClient(r.ClientID, r.RedirectURI); err != nil {
		return "", err
	}
	if !IsChallenge(r.Challenge) {
		return "", &refusal.Error{Code: ChallengeMissing}
	}
	code := authn.NewSecret(32)
	g := c.newGrant(client, code, by.Address, codeLifetime)
	g.Client = "aws login: " + r.PermissionSet + " in " + r.Account
	g.RedirectURI, g.Challenge = r.RedirectURI, r.Challenge
	g.Account, g.PermissionSet = r.Account, r.PermissionSet
	err = c.change(ctx, by, ActionAuthorizeClient, func(tx Tx) (string, error) {
		s, err := session(tx, sessionSecret, PortalSession, c.now())
		if err != nil {
			return g.Client, err
		}
		_, err = chosenRole(tx, s.UserID, r.Account, r.PermissionSet)
		if errors.Is(err, refusal.ErrNoRow) {
			err = &refusal.Error{Code: RoleNotAssigned, Subject: r.Account + "/" + r.PermissionSet}
		}
		if err != nil {
			return g.Client, err
		}
		g.UserID, g.Attributes = s.UserID, s.Attributes
		g.Within = s.Digest
		g.Until = s.ExpiresAt
		if latest := c.now().Add(roleLoginLifetime); g.Until.After(latest) {
			g.Until = latest
		}
		return g.Client, errors.Join(c.keepShare(tx, g), tx.PutClientGrant(g))
	})
	return authn.Secret(code), err
}

// RoleKeysForCode opens what a person has allowed, for a program that holds a key. It fails with
// ClientInvalid or GrantInvalid, and as RoleCredentials does.
func (c *Center) RoleKeysForCode(
	ctx context.Context, by audit.Actor, broker Broker, r TokenRequest, key string,
) (RoleKeys, error) {
	client, err := c.signInClient(r.ClientID)
	if err != nil {
		return RoleKeys{}, err
	}
	client.key = key
	tokens, err := c.redeem(ctx, by, client, r.Code, c.codeCheck(r))
	if err != nil {
		return RoleKeys{}, err
	}
	return c.roleKeys(ctx, by, broker, tokens.Refresh)
}

// RenewRoleKeys gets further credentials. It fails with GrantInvalid when the session has ended or
// the key is another one, and as RoleCredentials does.
func (c *Center) RenewRoleKeys(
	ctx context.Context, by audit.Actor, broker Broker, r TokenRequest, key string,
) (RoleKeys, error) {
	client, err := c.signInClient(r.ClientID)
	if err != nil {
		return RoleKeys{}, err
	}
	client.key = key
	tokens, err := c.refresh(ctx, by, client, purposeRoleLogin, r.RefreshToken)
	if err != nil {
		return RoleKeys{}, err
	}
	return c.roleKeys(ctx, by, broker, tokens.Refresh)
}

// roleKeys gets the credentials for which a session was opened.
func (c *Center) roleKeys(ctx context.Context, by audit.Actor, broker Broker, refresh authn.Secret) (RoleKeys, error) {
	t, err := c.openToken(purposeRoleLogin, refresh.Reveal())
	if err != nil {
		return RoleKeys{}, err
	}
	var s Session
	err = c.Store.View(ctx, func(r Reader) (err error) {
		s, err = openSession(r, t.Session, c.now(), ClientSession)
		return err
	})
	if err != nil {
		return RoleKeys{}, err
	}
	by.Kind = audit.User
	choice := RoleChoice{
		Session: t.Session, Account: s.Account, PermissionSet: s.PermissionSet, Longest: roleKeysLifetime,
	}
	request, err := c.federate(ctx, by, choice)
	if err != nil {
		return RoleKeys{}, err
	}
	keys, err := broker.Credentials(ctx, request)
	arn := "arn:aws:sts::" + request.Account.ID + ":assumed-role/" + request.RoleName + "/" +
		RoleSessionName(request.SessionName)
	return RoleKeys{keys, arn, refresh}, c.refusedByBroker(ctx, by, choice, err)
}
