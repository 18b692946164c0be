package center

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// OAuthClient is a program that asks for access on behalf of people, such as the aws CLI.
// Registering one writes nothing: its id is the sealed registration, so that clients, which keep an
// id for 90 days, are known after every restart and on every node.
type OAuthClient struct {
	Name         string
	Scopes       []string // without ScopeAccountAccess: the way of clients of before 2022, without refresh tokens
	RedirectURIs []string // loopback only
	StartURL     string   // of the portal that it was registered for; empty: not said
	ExpiresAt    time.Time

	// Application is the ARN of the application that restricts the program, or that it is; empty:
	// none.
	Application string `json:",omitempty"`
	// Signs says that it is an application, which signs its requests for tokens and has no secret.
	Signs bool `json:"-"`

	digest string // of its id
	key    string // thumbprint of the key that it holds; of AWS Sign-In
}

// The scopes that a center knows, beside those of account-access-runtime. Both allow to list
// accounts and roles and to get credentials of them.
const (
	ScopeAccountAccess = "sso:account:access"
	// without refresh tokens, as if no scope had been asked for. Source: Granted registers with it
	ScopePortal = "sso-portal:*"
)

// clientLifetime is how long a registration lasts. Source: OIDC API reference, RegisterClient; seen
// in clients' caches.
const clientLifetime = 90 * 24 * time.Hour //bound:life the registration of a client; nothing is kept of it

// Bounds of a registration. Source: our own choice.
const (
	maxClientName = 256 //bound:text the name of a client
	maxClientList = 10  //bound:list scopes and redirect URIs of a client
	//bound:text a client id, client secret or token that is looked at, in bytes
	maxSealed = 16 << 10 // bytes of a sealed text that is looked at
)

const (
	purposeClient  = "oauth-client"
	purposeSecret  = "oauth-client-secret" // #nosec G101 -- a purpose
	purposeAccess  = "access-token"
	purposeRefresh = "refresh-token"
)

// RegisteredClient is a registration, sealed into the id and the secret of the program.
type RegisteredClient struct {
	OAuthClient
	ID     string
	Secret authn.Secret
}

// RegisterOAuthClient seals a registration. It fails with ClientMetadataInvalid, ScopeInvalid or
// RedirectInvalid, and for an application with ApplicationNotFound, ApplicationDisabled or
// ScopeNotGranted.
func (c *Center) RegisterOAuthClient(ctx context.Context, client OAuthClient) (RegisteredClient, error) {
	if n := utf8.RuneCountInString(client.Name); n < 1 || n > maxClientName ||
		checkText("clientName", client.Name, maxClientName) != nil {
		return RegisteredClient{}, &refusal.Error{
			Code:   ClientMetadataInvalid,
			Field:  "clientName",
			Detail: "use 1 to 256 printable characters",
		}
	}
	if len(client.Scopes) > maxClientList || len(client.RedirectURIs) > maxClientList {
		return RegisteredClient{}, &refusal.Error{
			Code:   ClientMetadataInvalid,
			Detail: "at most 10 scopes and 10 redirect URIs",
		}
	}
	if err := c.checkRegistration(ctx, client); err != nil {
		return RegisteredClient{}, err
	}
	if client.StartURL != "" && !c.isStartURL(client.StartURL) {
		return RegisteredClient{}, &refusal.Error{Code: StartURLUnknown, Subject: client.StartURL}
	}
	client.ExpiresAt = c.now().Add(clientLifetime).Truncate(time.Second)
	plain, err := json.Marshal(client)
	if err != nil {
		return RegisteredClient{}, err
	}
	id := c.Sealer.Seal(purposeClient, plain)
	secret := authn.Secret(c.Sealer.Seal(purposeSecret, []byte(authn.Digest(id))))
	return RegisteredClient{client, id, secret}, nil
}

// checkRegistration checks what a program may ask for by itself, or what an application lets it.
func (c *Center) checkRegistration(ctx context.Context, client OAuthClient) error {
	if client.Application != "" {
		return c.registerFor(ctx, client)
	}
	for _, s := range client.Scopes {
		if s != ScopeAccountAccess && s != ScopePortal && !ofEntitlements(s) {
			return &refusal.Error{Code: ScopeInvalid, Subject: s}
		}
	}
	for _, text := range client.RedirectURIs {
		if _, err := loopbackURI(text); err != nil {
			return err
		}
	}
	return nil
}

// ofEntitlements says whether a scope is one of account-access-runtime.
func ofEntitlements(scope string) bool {
	return scope == ScopeEntitlementsRead || scope == ScopeEntitlementsAssume
}

// OAuthClient returns a registration by its id, or ClientInvalid.
func (c *Center) OAuthClient(id string) (client OAuthClient, err error) {
	if len(id) > maxSealed {
		return client, &refusal.Error{Code: ClientInvalid}
	}
	plain, err := c.Sealer.Open(purposeClient, id)
	if err != nil || json.Unmarshal(plain, &client) != nil || !c.now().Before(client.ExpiresAt) {
		return client, &refusal.Error{Code: ClientInvalid}
	}
	client.digest = authn.Digest(id)
	return client, nil
}

// AuthenticateClient fails with ClientInvalid when the secret is not that of the registration.
func (c *Center) AuthenticateClient(id, secret string) error {
	_, err := c.authenticate(id, secret)
	return err
}

// authenticate is OAuthClient for who must prove the registration's secret.
func (c *Center) authenticate(id, secret string) (OAuthClient, error) {
	client, err := c.OAuthClient(id)
	if err != nil {
		return client, err
	}
	if len(secret) > maxSealed {
		return client, &refusal.Error{Code: ClientInvalid}
	}
	digest, err := c.Sealer.Open(purposeSecret, secret)
	if err != nil || !authn.Equal(string(digest), client.digest) {
		return client, &refusal.Error{Code: ClientInvalid}
	}
	return client, nil
}

// loopbackURI reads a redirect URI, which must lead to the person's own machine, or fails with
// RedirectInvalid. Source: RFC 8252, 7.3; AWS registers no others.
func loopbackURI(text string) (authn.RedirectURI, error) {
	u, err := authn.ParseRedirectURI(text)
	if err != nil || u.Secure() || !u.Loopback() || u.HasQuery() {
		return authn.RedirectURI{}, &refusal.Error{Code: RedirectInvalid, Subject: text}
	}
	return u, nil
}

// Redirects returns the address that an answer may be sent to, when the registration allows it, or
// RedirectInvalid. The port is the client's choice at the moment: the AWS CLI registers a URI
// without a port, others one without a path. See authn.RedirectURI.
func (o OAuthClient) Redirects(text string) (authn.RedirectURI, error) {
	if o.Application != "" { // its administrator has named the addresses
		if !receives(o.RedirectURIs, text) {
			return authn.RedirectURI{}, &refusal.Error{Code: RedirectInvalid, Subject: text}
		}
		return authn.ParseRedirectURI(text)
	}
	asked, err := loopbackURI(text)
	if err != nil {
		return asked, err
	}
	for _, registered := range o.RedirectURIs {
		if known, err := loopbackURI(registered); err == nil && known.Receives(asked) {
			return asked, nil
		}
	}
	return authn.RedirectURI{}, &refusal.Error{Code: RedirectInvalid, Subject: text}
}

// isStartURL says whether a URL is this center's portal: its own address, or one of the forms that
// AWS's portals have, which clients insist on. Sources: user guide, "access portal URLs"; the AWS
// CLI since 2.35.13 takes only these or a redirect to them.
func (c *Center) isStartURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	plain := strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/")
	i := c.Instance
	return slices.Contains([]string{
		c.PortalURL(), c.URL, c.AWSStartURL(), c.IssuerURL(),
		"https://identitycenter.amazonaws.com/" + i.shortID(),
		"https://" + i.shortID() + "." + i.Region + ".portal.amazonaws.com",
		"https://" + i.shortID() + ".portal." + i.Region + ".app.aws",
	}, plain)
}

// IssuerURL is who has issued the ID tokens of this center. At AWS it is the address
// https://identitycenter.amazonaws.com/ with the same path, which a center can publish nothing at.
func (c *Center) IssuerURL() string { return c.URL + "/" + c.InstanceID() }

// InstanceID is the part of the instance's ARN that names it: ssoins- and 16 hex digits.
func (c *Center) InstanceID() string { return c.Instance.shortID() }

// AWSStartURL is the portal's address in AWS's form. Nothing answers there: clients use it as a
// name.
func (c *Center) AWSStartURL() string {
	return "https://" + c.Instance.IdentityStoreID + ".awsapps.com/start"
}

// CLISession is what a configuration file of the AWS CLI says of this center: where to sign in, and
// where the services are that it answers, of which sso and sso_oidc are always two. The CLI demands
// an https start URL, so a center without TLS is named as AWS names its own.
func (c *Center) CLISession(services ...string) awsconfig.Session {
	start := c.PortalURL()
	if !strings.HasPrefix(start, "https://") {
		start = c.AWSStartURL()
	}
	return awsconfig.Session{
		Name:     "gatehouse",
		StartURL: start,
		Region:   c.Instance.Region,
		Endpoint: c.URL,
		Services: services,
	}
}

// challenge is a PKCE challenge by S256. Source: RFC 7636, 4.2.
var challenge = newPattern(`^[A-Za-z0-9_-]{43}$`)

// IsChallenge says whether a text has the form of a PKCE challenge by S256.
func IsChallenge(text string) bool { return challenge.match(text) }

// verifier is a PKCE verifier. Source: RFC 7636, 4.1.
var verifier = newPattern(`^[A-Za-z0-9._~-]{43,128}$`)
