package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ApplicationRequest asks for tokens of an application. Which fields count depends on the grant.
type ApplicationRequest struct {
	Application string // its ARN
	Grant       GrantType
	Scopes      []string // none: all that may be had

	Code, RedirectURI, Verifier string
	RefreshToken                string
	Assertion                   string // a JWT of a trusted token issuer
	SubjectToken                string // an access token of another application, which is exchanged
	Refreshes                   bool   // a refresh token is asked for in exchange
}

// ApplicationTokens are what an application acts with for a person.
type ApplicationTokens struct {
	Tokens
	Scopes   []string
	Identity *IdentityOf // nil: what the tokens renew said it already
}

// IdentityOf is what an application is told of a person.
type IdentityOf struct {
	User        UserID
	Application string
	Actor       string // ARN of the trusted token issuer that named the person; empty: none did
	Nonce       string // that the application asked with
	Credential  string // names what the tokens belong to, and opens nothing
	SignedInAt  time.Time
	IssuedAt    time.Time
	Expires     time.Time
	Context     authn.Secret // that AWS services would know the person by; empty: the scope was not granted
	// AuditContext is what only the logs of AWS services would know the person by. An ID token has
	// had it since before there were identity contexts.
	AuditContext authn.Secret
}

// Assertion is a token of a trusted token issuer whose signature and times are right.
type Assertion struct {
	Audiences []string
	IssuedAt  time.Time // zero: it does not say
	Claims    map[string]any
}

// AssertionReader reads the tokens of trusted token issuers.
type AssertionReader interface {
	// Issuer returns who a token says has issued it. Nothing of it is proved.
	Issuer(token string) (string, error)
	// Read checks a token with the keys that its issuer publishes. It fails with AssertionUntrusted
	// or TokenIssuerUnavailable.
	Read(ctx context.Context, issuerURL, token string) (Assertion, error)
}

// ApplicationTokens hands out tokens of an application to who signs for it. It fails with
// ApplicationNotFound, ActorNotAllowed, ApplicationDisabled, GrantNotAllowed, ScopeNotGranted,
// ApplicationNotAssigned, GrantInvalid, ClientTokenExpired, AssertionUntrusted and
// TokenIssuerUnavailable.
func (c *Center) ApplicationTokens(
	ctx context.Context, by audit.Actor, who Signatory, r ApplicationRequest,
) (out ApplicationTokens, err error) {
	by.Kind, by.Name = audit.Application, who.ARN
	var assertion Assertion
	if r.Grant == GrantJWTBearer { // ahead of the transaction: its issuer may have to be asked
		if assertion, err = c.readAssertion(ctx, who, r); err != nil {
			return out, c.Refuse(ctx, by, ActionCreateTokenWithIAM.name, r.Application, err)
		}
	}
	err = c.change(ctx, by, ActionCreateTokenWithIAM, func(tx Tx) (string, error) {
		a, err := openTo(tx, who, r)
		if err != nil {
			return r.Application, err
		}
		in := &applicationGrant{Center: c, tx: tx, of: a, by: by, asks: r}
		switch r.Grant {
		case GrantAuthorizationCode:
			out, err = in.code()
		case GrantRefreshToken:
			out, err = in.refresh()
		case GrantJWTBearer:
			out, err = in.assertion(assertion)
		case GrantTokenExchange:
			out, err = in.exchange()
		default:
			err = &refusal.Error{Code: GrantTypeUnsupported, Subject: string(r.Grant)}
		}
		if in.user != "" {
			return a.ARN + "/" + in.user, err
		}
		return a.ARN, err
	})
	return out, err
}

// openTo returns an application that lets somebody ask for tokens by a grant.
func openTo(r Reader, who Signatory, asked ApplicationRequest) (Application, error) {
	a, err := r.Application(asked.Application)
	if err != nil {
		return a, refusal.IfNoRow(err, ApplicationNotFound, asked.Application)
	}
	if !a.lets(who) {
		return a, &refusal.Error{Code: ActorNotAllowed, Subject: a.ARN, Detail: who.ARN}
	}
	return a, a.open(asked.Grant)
}

// applicationGrant is one request for tokens, in its transaction.
type applicationGrant struct {
	*Center
	tx   Tx
	of   Application
	by   audit.Actor
	asks ApplicationRequest
	user string // whom it is about, once that is known
}

func (in *applicationGrant) invalid(detail string) error {
	return &refusal.Error{Code: GrantInvalid, Subject: in.of.ARN, Detail: detail}
}

// code redeems an authorization code. One that comes twice ends what it opened. Source: RFC 6749,
// 4.1.2 and 4.1.3; RFC 7636, 4.6; RFC 9700, 2.1.1.
func (in *applicationGrant) code() (out ApplicationTokens, err error) {
	g, err := in.tx.ClientGrant(authn.Digest(in.asks.Code))
	switch {
	case in.asks.Code == "", errors.Is(err, refusal.ErrNoRow):
		return out, in.invalid("the code is unknown")
	case err != nil:
		return out, err
	case g.ClientID != authn.Digest(in.of.ARN) || g.Application != in.of.ARN:
		return out, in.invalid("the code was given to another client")
	case g.Session != "":
		return out, keeping(in.invalid("the code was already used"), in.tx.DeleteSession(g.Session))
	case g.over(in.now()):
		return out, in.invalid("the code has expired")
	case g.RedirectURI != in.asks.RedirectURI:
		return out, &refusal.Error{
			Code:    GrantInvalid,
			Subject: in.of.ARN,
			Detail:  "the redirect URI is different",
			Want:    g.RedirectURI,
			Got:     in.asks.RedirectURI,
		}
	case g.Challenge == "" && in.asks.Verifier != "",
		g.Challenge != "" && !verifierMatches(in.asks.Verifier, g.Challenge):
		return out, in.invalid("the code verifier does not match the code challenge")
	}
	within, err := openSession(in.tx, g.Within, in.now(), PortalSession)
	if refusal.CodeOf(err) == SessionInvalid {
		return out, in.invalid("the session in which it was allowed has ended")
	}
	if err != nil {
		return out, err
	}
	s := Session{UserID: g.UserID, Within: g.Within, Attributes: g.Attributes, ExpiresAt: g.Until}
	_, refreshes := in.of.grant(GrantRefreshToken)
	allowed := slices.DeleteFunc(in.of.Scopes(), func(s string) bool { return !slices.Contains(g.Scopes, s) })
	out, err = in.begin(&s, refreshes, allowed)
	if err != nil {
		return out, err
	}
	out.Identity.Nonce, out.Identity.SignedInAt = g.Nonce, within.CreatedAt
	g.Session = s.Digest
	return out, in.tx.PutClientGrant(g)
}

// refresh renews tokens, with the same scopes or fewer. A refresh token that was rotated long ago
// ends its session.
func (in *applicationGrant) refresh() (out ApplicationTokens, err error) {
	t, err := in.openToken(purposeRefresh, in.asks.RefreshToken)
	if refusal.CodeOf(err) == SessionInvalid {
		if !t.Expires.IsZero() && !in.now().Before(t.Expires) {
			return out, &refusal.Error{Code: ClientTokenExpired, Subject: in.of.ARN}
		}
		return out, in.invalid("the refresh token is not valid")
	}
	if err != nil {
		return out, err
	}
	r, err := in.rotate(in.tx, t, authn.Digest(in.of.ARN), in.of.ARN)
	in.user = r.user.UserName
	if r.stolen {
		return out, keeping(err, in.tx.DeleteSession(t.Session))
	}
	if err != nil {
		return out, err
	}
	out.Scopes, err = in.mayRenew(r.Session, in.asks.Scopes)
	if err != nil {
		return out, err
	}
	out.Tokens = in.applicationTokens(r.Session, out.Scopes, true)
	return out, in.tx.PutSession(r.Session)
}

// mayRenew says which scopes the tokens of an application's session may be renewed with.
func (in *applicationGrant) mayRenew(s Session, asked []string) ([]string, error) {
	if err := mayUse(in.tx, in.of, s.UserID); err != nil {
		return nil, err
	}
	g, _ := in.of.grant(GrantJWTBearer)
	taken := func(i AuthorizedIssuer) bool { return i.ARN == s.IssuedBy }
	if s.IssuedBy != "" && !slices.ContainsFunc(g.Issuers, taken) {
		return nil, in.invalid("the application takes no tokens any more of the issuer that named the user")
	}
	allowed := slices.DeleteFunc(
		slices.Clone(s.Scopes), func(scope string) bool { return !slices.Contains(in.of.Scopes(), scope) },
	)
	return narrowed(asked, allowed)
}

// assertion takes a token of a trusted token issuer for a person. Source: RFC 7523, 3; user guide,
// "Using applications with a trusted token issuer".
func (in *applicationGrant) assertion(a Assertion) (out ApplicationTokens, err error) {
	issuer, err := in.issuerOf(in.tx, in.of, in.asks.Assertion, a.Audiences)
	if err != nil {
		return out, err
	}
	u, err := issuer.userOf(in.tx, a.Claims)
	if err != nil {
		return out, err
	}
	settings, err := signInSettings(in.tx)
	if err != nil {
		return out, err
	}
	s := Session{UserID: u.ID, ExpiresAt: in.now().Add(settings.PortalSession), IssuedBy: issuer.ARN}
	_, refreshes := in.of.grant(GrantRefreshToken)
	out, err = in.begin(&s, refreshes, in.of.Scopes())
	if err != nil {
		return out, err
	}
	out.Identity.Actor = issuer.ARN
	if out.Identity.SignedInAt = a.IssuedAt; a.IssuedAt.IsZero() {
		out.Identity.SignedInAt = in.now()
	}
	return out, nil
}

// exchange takes an access token of another application whose scopes name this one as their
// target. What it opens ends with what the token belongs to. Source: the service model,
// CreateTokenWithIAM, SubjectToken; RFC 8693, 2.
func (in *applicationGrant) exchange() (out ApplicationTokens, err error) {
	t, err := in.openToken(purposeAccess, in.asks.SubjectToken)
	if refusal.CodeOf(err) == SessionInvalid {
		if !t.Expires.IsZero() && !in.now().Before(t.Expires) {
			return out, &refusal.Error{Code: ClientTokenExpired, Subject: in.of.ARN}
		}
		return out, in.invalid("the subject token is not valid")
	}
	if err != nil {
		return out, err
	}
	subject, err := openSession(in.tx, t.Session, in.now(), ApplicationSession)
	if refusal.CodeOf(err) == SessionInvalid {
		return out, in.invalid("the session of the subject token has ended, or is not an application's")
	}
	if err != nil {
		return out, err
	}
	if err := in.mayTake(subject, t.Scopes); err != nil {
		return out, err
	}
	_, may := in.of.grant(GrantRefreshToken)
	if in.asks.Refreshes && !may {
		return out, &refusal.Error{Code: GrantNotAllowed, Subject: in.of.ARN, Detail: string(GrantRefreshToken)}
	}
	s := Session{
		UserID:     subject.UserID,
		Within:     subject.Within,
		Attributes: subject.Attributes,
		ExpiresAt:  subject.ExpiresAt,
	}
	if s.Within == "" {
		s.Within = subject.Digest
	}
	out, err = in.begin(&s, in.asks.Refreshes, in.of.Scopes())
	if err == nil {
		out.Identity.SignedInAt = subject.CreatedAt
	}
	return out, err
}

// mayTake says whether a token with scopes of another application is meant for this one.
func (in *applicationGrant) mayTake(subject Session, scopes []string) error {
	if subject.Application == in.of.ARN {
		return in.invalid("the subject token is of the same application")
	}
	other, err := in.tx.Application(subject.Application)
	if err != nil {
		return refusal.IfNoRow(err, GrantInvalid, subject.Application)
	}
	if err := mayUse(in.tx, other, subject.UserID); err != nil {
		return err
	}
	for _, s := range other.AccessScopes {
		if slices.Contains(scopes, s.Scope) && slices.ContainsFunc(s.Targets, func(arn string) bool {
			return arn == in.of.ARN || arn == in.Instance.ARN
		}) {
			return nil
		}
	}
	return in.invalid("no scope of the subject token names the application as a target")
}

// begin opens the session of an application for a person who may use it. The session says whose it
// is, within what it was allowed, and when it ends at the latest.
func (in *applicationGrant) begin(s *Session, refreshes bool, allowed []string) (ApplicationTokens, error) {
	u, err := in.tx.User(s.UserID)
	if err != nil {
		return ApplicationTokens{}, refusal.IfNoRow(err, GrantInvalid, in.of.ARN)
	}
	in.user = u.UserName
	if !u.Active {
		return ApplicationTokens{}, in.invalid("the user is disabled")
	}
	if err := mayUse(in.tx, in.of, u.ID); err != nil {
		return ApplicationTokens{}, err
	}
	if s.Scopes, err = narrowed(in.asks.Scopes, allowed); err != nil {
		return ApplicationTokens{}, err
	}
	in.newApplicationSession(s, in.of, authn.Digest(in.of.ARN), in.by.Address)
	if last := in.now().Add(tokenLifetime); !refreshes && last.Before(s.ExpiresAt) {
		s.ExpiresAt = last
	}
	if !in.now().Before(s.ExpiresAt) {
		return ApplicationTokens{}, in.invalid("the session in which it was allowed has ended")
	}
	out := ApplicationTokens{Tokens: in.applicationTokens(*s, s.Scopes, refreshes), Scopes: s.Scopes}
	out.Identity = &IdentityOf{
		User:        u.ID,
		Application: in.of.ARN,
		Credential:  authn.Digest("credential/" + s.Digest),
		SignedInAt:  s.CreatedAt,
		IssuedAt:    in.now(),
		Expires:     in.now().Add(out.ExpiresIn),
	}
	out.Identity.Context, out.Identity.AuditContext, err = in.contexts(*out.Identity, s.Digest)
	if !slices.Contains(s.Scopes, ScopeIdentityContext) {
		out.Identity.Context = ""
	}
	return out, errors.Join(err, addSession(in.tx, *s))
}

// newApplicationSession fills in what all sessions of an application have.
func (c *Center) newApplicationSession(s *Session, a Application, clientID, address string) {
	s.Digest = authn.Digest(authn.NewSecret(32))
	s.Kind = ApplicationSession
	s.Application = a.ARN
	s.UserAgent = a.Name
	s.ClientID = clientID
	s.Address = address
	s.CreatedAt = c.now()
}

// applicationTokens makes tokens of an application's session, which never outlive it.
func (c *Center) applicationTokens(s Session, scopes []string, refreshes bool) Tokens {
	lifetime := min(tokenLifetime, s.ExpiresAt.Sub(c.now())).Truncate(time.Second)
	t := Tokens{
		Access:    c.sealToken(purposeAccess, sealedToken{s.Digest, c.now().Add(lifetime), 0, s.Application, scopes}),
		ExpiresIn: lifetime,
	}
	if refreshes {
		t.Refresh = c.sealToken(
			purposeRefresh, sealedToken{s.Digest, s.ExpiresAt, s.Generation, s.Application, nil},
		)
	}
	return t
}

// reachesAccounts refuses the session of an application that does not have the scope of accounts
// any more, is disabled, or is not the user's any more.
func reachesAccounts(r Reader, s Session) error {
	a, err := r.Application(s.Application)
	if err != nil {
		return refusal.IfNoRow(err, SessionInvalid, s.Application)
	}
	if !slices.Contains(s.Scopes, ScopeAccountAccess) || !slices.Contains(a.Scopes(), ScopeAccountAccess) {
		return &refusal.Error{Code: SessionInvalid, Subject: s.Application, Detail: ScopeAccountAccess + " is missing"}
	}
	if err = mayUse(r, a, s.UserID); refusal.CodeOf(err) != refusal.None {
		return &refusal.Error{Code: SessionInvalid, Subject: s.Application, Detail: refusal.Detail(err)}
	}
	return err
}
