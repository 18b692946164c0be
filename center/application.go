package center

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ApplicationProvider is a kind of application.
type ApplicationProvider struct {
	ARN         string
	Protocol    string // SAML or OAUTH
	DisplayName string
	Description string
}

// ApplicationProviders are the kinds of customer managed application, in the order of their ARNs.
// AWS also lists its own services, which are not here.
var ApplicationProviders = []ApplicationProvider{
	{
		"arn:aws:sso::aws:applicationProvider/custom", "OAUTH", "Custom application",
		"A customer managed OAuth 2.0 application",
	},
	{
		samlProvider, "SAML", "Custom SAML 2.0 application",
		"A customer managed SAML 2.0 application",
	},
}

// Application is a customer managed application that users and groups are assigned to.
type Application struct {
	ARN, ProviderARN string
	Name             string // 1 to 100 characters
	Description      string // at most 128 characters
	Enabled          bool
	// SignInStated says that somebody has said where sign-in begins, if only that it begins here.
	SignInStated       bool   `json:",omitempty"`
	OpensItself        bool   // sign-in begins at the application's own URL, not here
	URL                string // where it begins there; empty: none
	Hidden             bool   // not shown in the access portal
	ForEveryone        bool   // no assignment is needed
	BackgroundSessions bool
	Tags               []Tag // in the order of their keys
	CreatedAt          time.Time

	AccessScopes []AccessScope // in the order of their names
	ActorPolicy  string        // JSON: who may call on the application's behalf with IAM's credentials; empty: nobody
	Grants       []Grant       // in the order of their types

	SAML    *SAMLApplication `json:",omitempty"` // how people sign in by SAML; nil: it is not set up
	SAMLKey *RequestKey      `json:",omitempty"` // that signs for this application alone; nil: not needed yet
	// SAMLSpareKey is the next one, or the one before.
	SAMLSpareKey *RequestKey `json:",omitempty"`
}

// AccessScope is what an application's tokens may reach.
type AccessScope struct {
	Scope   string
	Targets []string // ARNs of applications that take tokens with it, or of the instance: all of them
}

// GrantType is how an application may get tokens. Source: RFC 6749, RFC 7523, RFC 8693.
type GrantType string

// The types of grant.
const (
	GrantAuthorizationCode GrantType = "authorization_code"
	GrantRefreshToken      GrantType = "refresh_token"
	GrantJWTBearer         GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // #nosec G101 -- a name
	GrantTokenExchange     GrantType = "urn:ietf:params:oauth:grant-type:token-exchange" // #nosec G101 -- a name
)

// Grant allows a type of grant.
type Grant struct {
	Type         GrantType
	RedirectURIs []string           // of an authorization code
	Issuers      []AuthorizedIssuer // of a JWT
}

// AuthorizedIssuer is a trusted token issuer whose tokens an application may exchange.
type AuthorizedIssuer struct {
	ARN       string
	Audiences []string
}

// ApplicationAssignment lets a user or a group use an application.
type ApplicationAssignment struct {
	ApplicationARN string
	PrincipalType  PrincipalType
	PrincipalID    string
}

// ApplicationAssignmentQuery selects assignments of applications, in the order of application, type
// and principal.
type ApplicationAssignmentQuery struct {
	ApplicationARN string
	PrincipalType  PrincipalType
	PrincipalID    string
	HeldBy         UserID                // only those of the user and of the user's groups
	After          ApplicationAssignment // only those that sort after this one; zero: all
	Limit          int                   // 0: all
}

// applicationReader reads applications and who is assigned to them.
type applicationReader interface {
	Application(arn string) (Application, error)
	Applications(after string, limit int) ([]Application, error)
	CountApplications() (int, error)
	ApplicationAssignments(ApplicationAssignmentQuery) ([]ApplicationAssignment, error)
}

// applicationWriter writes applications and who is assigned to them.
type applicationWriter interface {
	PutApplication(Application) error
	DeleteApplication(arn string) error
	PutApplicationAssignment(ApplicationAssignment) error
	DeleteApplicationAssignment(ApplicationAssignment) error
	DeleteApplicationAssignmentsOf(arn string) error
}

// Bounds of applications. Source: user guide, quotas; the service model.
const (
	MaxApplications = 7000 //bound:rows applications
	maxInList       = 10   //bound:list redirect URIs, issuers and targets of an application
	//bound:text the name of an application, in characters
	maxApplicationName = 100
	//bound:text the description of an application, in characters
	maxApplicationText = 128 // of the description, in characters
)

var (
	applicationURL = newPattern(`^https?://[-a-zA-Z0-9+&@#/%?=~_|!:,.;]{1,500}$`)
	scopeName      = newPattern(`^[A-Za-z0-9_]{1,50}(:[A-Za-z0-9_]{1,50}){0,2}$`)
)

func (a Application) check() error {
	refuse := func(field, detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: detail}
	}
	if !slices.ContainsFunc(ApplicationProviders, func(p ApplicationProvider) bool { return p.ARN == a.ProviderARN }) {
		return &refusal.Error{Code: ApplicationProviderNotFound, Subject: a.ProviderARN}
	}
	if n := utf8.RuneCountInString(a.Name); n < 1 || n > maxApplicationName || strings.TrimSpace(a.Name) == "" {
		return refuse("Name", "use 1 to 100 characters")
	}
	if err := checkText("Name", a.Name, maxApplicationName); err != nil {
		return err
	}
	if err := checkText("Description", a.Description, maxApplicationText); err != nil {
		return err
	}
	if a.OpensItself && a.URL == "" {
		return refuse(
			"PortalOptions.SignInOptions.ApplicationUrl",
			"an application that starts the sign-in itself needs its URL",
		)
	}
	if err := checkPolicy("ActorPolicy", a.ActorPolicy); err != nil {
		return err
	}
	for _, s := range a.AccessScopes {
		if !scopeName.match(s.Scope) || len(s.Targets) > maxInList {
			return refuse("Scope", "use one to three names separated by colons, and at most 10 targets")
		}
	}
	for _, g := range a.Grants {
		if err := g.check(); err != nil {
			return err
		}
	}
	return nil
}

func (g Grant) check() error {
	if len(g.RedirectURIs) > maxInList || len(g.Issuers) > maxInList {
		return &refusal.Error{Code: InvalidValue, Field: "Grant", Detail: "at most 10 entries"}
	}
	if g.Type == GrantAuthorizationCode && len(g.RedirectURIs) == 0 {
		return &refusal.Error{Code: MissingValue, Field: "Grant.AuthorizationCode.RedirectUris"}
	}
	return nil
}

// checkAddresses refuses addresses that browsers must not be sent to. What is as it was before is
// left alone, so that an old application can be changed.
func (a Application) checkAddresses(old Application) error {
	if a.URL != old.URL && a.URL != "" && a.StartURL() == "" {
		return &refusal.Error{
			Code:   InvalidValue,
			Field:  "PortalOptions.SignInOptions.ApplicationUrl",
			Detail: "use an http or https URL with at most 500 characters after the scheme, and without a user name",
		}
	}
	before := map[string]bool{}
	for _, g := range old.Grants {
		for _, text := range g.RedirectURIs {
			before[text] = true
		}
	}
	for _, g := range a.Grants {
		for _, text := range g.RedirectURIs {
			if _, err := authn.ParseRedirectURI(text); err != nil && !before[text] {
				return &refusal.Error{
					Code:   InvalidValue,
					Field:  "Grant.AuthorizationCode.RedirectUris",
					Detail: "use http or https URIs without a user name and a fragment",
				}
			}
		}
	}
	return nil
}

// StartURL is where the application is opened; empty: it has no address that a browser may be sent
// to.
func (a Application) StartURL() string {
	if _, err := authn.ParseWebAddress(a.URL); err != nil || !applicationURL.match(a.URL) {
		return ""
	}
	return a.URL
}

// CreateApplication adds an application. It fails with ApplicationProviderNotFound or
// QuotaExceeded. Repeating a creation with the same client token returns what the first one made,
// or fails with TokenReused when it asks for something else.
func (c *Center) CreateApplication(
	ctx context.Context, by audit.Actor, a Application, clientToken string,
) (Application, error) {
	wanted := a
	a.ARN = fmt.Sprintf(
		"arn:aws:sso::%s:application/%s/apl-%s", c.Instance.OwnerAccountID, c.Instance.shortID(), authn.NewHex(8),
	)
	a.CreatedAt = c.now()
	err := c.change(ctx, by, ActionCreateApplication, func(tx Tx) (string, error) {
		made, err := c.idempotentARN(tx, "CreateApplication", clientToken, wanted, a.ARN)
		if err != nil {
			return a.Name, err
		}
		if made != a.ARN {
			a, err = tx.Application(made)
			return made, refusal.IfNoRow(err, ApplicationNotFound, made)
		}
		if err := a.checkAddresses(Application{}); err != nil {
			return a.Name, err
		}
		if err := a.check(); err != nil {
			return a.Name, err
		}
		if a.Tags, err = withTags(nil, a.Tags); err != nil {
			return a.Name, err
		}
		n, err := tx.CountApplications()
		if err == nil && n >= MaxApplications {
			err = &refusal.Error{
				Code:    QuotaExceeded,
				Subject: a.Name,
				Detail:  fmt.Sprintf("at most %d applications", MaxApplications),
			}
		}
		if err != nil {
			return a.Name, err
		}
		return a.ARN, tx.PutApplication(a)
	})
	return a, err
}

// UpdateApplication changes an application by edit, which may run more than once. action is AWS's
// name of what is done, such as PutApplicationGrant. It fails with ApplicationNotFound.
func (c *Center) UpdateApplication(
	ctx context.Context, by audit.Actor, action Action, arn string, edit func(*Application) error,
) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		old, err := tx.Application(arn)
		if err != nil {
			return arn, refusal.IfNoRow(err, ApplicationNotFound, arn)
		}
		a := old
		a.AccessScopes, a.Grants = slices.Clone(old.AccessScopes), slices.Clone(old.Grants)
		if err = edit(&a); err == nil {
			err = a.checkAddresses(old)
		}
		if err == nil && a.ActorPolicy != old.ActorPolicy {
			err = checkActorPolicy(a.ActorPolicy)
		}
		if err == nil {
			err = a.check()
		}
		if err == nil {
			err = checkIssuers(tx, a.Grants)
		}
		if err != nil {
			return arn, err
		}
		return arn, tx.PutApplication(a)
	})
}

// checkIssuers refuses grants for token issuers that are not there.
func checkIssuers(r tokenIssuerReader, grants []Grant) error {
	for _, g := range grants {
		for _, i := range g.Issuers {
			if _, err := r.TokenIssuer(i.ARN); err != nil {
				return refusal.IfNoRow(err, TokenIssuerNotFound, i.ARN)
			}
		}
	}
	return nil
}

// DeleteApplication deletes an application with its assignments.
func (c *Center) DeleteApplication(ctx context.Context, by audit.Actor, arn string) error {
	return c.change(ctx, by, ActionDeleteApplication, func(tx Tx) (string, error) {
		if _, err := tx.Application(arn); err != nil {
			return arn, refusal.IfNoRow(err, ApplicationNotFound, arn)
		}
		return arn, errors.Join(tx.DeleteApplicationAssignmentsOf(arn), tx.DeleteApplication(arn))
	})
}

// Application returns an application, or ApplicationNotFound.
func (c *Center) Application(ctx context.Context, arn string) (a Application, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		a, err = r.Application(arn)
		return refusal.IfNoRow(err, ApplicationNotFound, arn)
	})
	return a, err
}

// Applications lists the applications in the order of their ARNs, up to limit (0: all) of those
// after an ARN.
func (c *Center) Applications(ctx context.Context, after string, limit int) (list []Application, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.Applications(after, limit)
		return err
	})
	return list, err
}

// AssignApplication lets a user or a group use an application. Repeating it succeeds. It fails with
// ApplicationNotFound, UserNotFound or GroupNotFound.
func (c *Center) AssignApplication(ctx context.Context, by audit.Actor, a ApplicationAssignment) error {
	return c.change(ctx, by, ActionCreateApplicationAssignment, func(tx Tx) (string, error) {
		if _, err := tx.Application(a.ApplicationARN); err != nil {
			return a.ApplicationARN, refusal.IfNoRow(err, ApplicationNotFound, a.ApplicationARN)
		}
		if err := checkPrincipal(tx, a.PrincipalType, a.PrincipalID); err != nil {
			return a.ApplicationARN, err
		}
		return a.ApplicationARN + "/" + a.PrincipalID, tx.PutApplicationAssignment(a)
	})
}

// UnassignApplication ends an assignment, or fails with ApplicationAssignmentNotFound.
func (c *Center) UnassignApplication(ctx context.Context, by audit.Actor, a ApplicationAssignment) error {
	return c.change(ctx, by, ActionDeleteApplicationAssignment, func(tx Tx) (string, error) {
		subject := a.ApplicationARN + "/" + a.PrincipalID
		if err := findApplicationAssignment(tx, a); err != nil {
			return subject, err
		}
		return subject, tx.DeleteApplicationAssignment(a)
	})
}

// FindApplicationAssignment fails with ApplicationAssignmentNotFound when there is no such
// assignment.
func (c *Center) FindApplicationAssignment(ctx context.Context, a ApplicationAssignment) error {
	return c.Store.View(ctx, func(r Reader) error { return findApplicationAssignment(r, a) })
}

func findApplicationAssignment(r applicationReader, a ApplicationAssignment) error {
	if _, err := r.Application(a.ApplicationARN); err != nil {
		return refusal.IfNoRow(err, ApplicationNotFound, a.ApplicationARN)
	}
	found, err := r.ApplicationAssignments(ApplicationAssignmentQuery{
		ApplicationARN: a.ApplicationARN,
		PrincipalType:  a.PrincipalType,
		PrincipalID:    a.PrincipalID,
		Limit:          1,
	})
	if err == nil && len(found) == 0 {
		err = &refusal.Error{Code: ApplicationAssignmentNotFound, Subject: a.PrincipalID}
	}
	return err
}

// ApplicationAssignments lists assignments of applications.
func (c *Center) ApplicationAssignments(
	ctx context.Context, q ApplicationAssignmentQuery,
) (list []ApplicationAssignment, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.ApplicationAssignments(q)
		return err
	})
	return list, err
}
