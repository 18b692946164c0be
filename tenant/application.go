package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ServicePrincipalID is the object id of a service principal: a UUID.
type ServicePrincipalID string

// ApplicationID is an application's own object id: a UUID.
type ApplicationID string

// AnyApplicationID is any of the three ids of an application: its own, its service principal's or
// its ClientID. They are UUIDs, so none is two at once, and requests may name an application by
// each of them.
type AnyApplicationID string

// Application is an application with its service principal: what the admin center calls an
// enterprise application.
type Application struct {
	ID                 ApplicationID
	AppID              ClientID
	ServicePrincipalID ServicePrincipalID
	TemplateID         string
	DisplayName        string
	IdentifierURIs     []string // the service provider's entity id
	ReplyURLs          []string // assertion consumer services; the first is the default
	LogoutURL          string
	SignOnURL          string // loginUrl: where the tile leads; empty: the tenant starts the sign-in
	SSOMode            string // "saml", or empty
	Keys               []SigningKey
	ActiveThumbprint   string // of the key that signs
	NotificationEmails []string
	NameID             NameIDSource
	Claims             []Claim // beyond the default ones
	Signing            Signing
	Encryption         []byte // DER of the service provider's certificate; empty: assertions are not encrypted
	EncryptionKey      EncryptionKey
	ClaimsPolicyID     PolicyID // whose claims these are; empty: its own
	IssuancePolicyID   PolicyID
	AssignmentRequired bool
	Enabled            bool
	CreatedAt          time.Time
	NoPrincipal        bool      `json:",omitempty"` // it is registered, and has no service principal yet
	Owners             []OwnerID `json:",omitempty"`
	PrincipalOwners    []OwnerID `json:",omitempty"` // of the service principal
	OwnRoles           []Role    `json:",omitzero"`  // its app roles, where they are not those of the gallery
	HomePageURL        string    `json:",omitempty"`
	Reference          string    `json:",omitempty"` // serviceManagementReference: to what of another system it belongs
	Needs              []Need    `json:",omitempty"` // what is written down that it needs: nothing follows from it

	Passwords          []ApplicationPassword `json:",omitempty"`
	PrincipalPasswords []ApplicationPassword `json:",omitempty"` // of the service principal
}

// Need is what an application says that it needs of an API. Source: requiredResourceAccess resource
// type.
type Need struct {
	ResourceAppID string
	Access        []NeedAccess
}

// NeedAccess is one permission of an API.
type NeedAccess struct{ ID, Type string }

func isUUID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil && len(text) == len(uuid.UUID{}.String())
}

const (
	maxHomePage    = 256 //bound:text the home page of an application, in characters
	maxReference   = 256 //bound:text the service management reference of an application, in characters
	maxNeeds       = 50  //bound:list APIs that an application needs
	maxPermissions = 400 //bound:list permissions that an application needs
)

// checkNeeds refuses needs and a home page that Graph refuses, and a reference that is too long.
// Source: application and webApplication resource types.
func (a Application) checkNeeds() error {
	if utf8.RuneCountInString(a.Reference) > maxReference {
		return &refusal.Error{
			Code: InvalidValue, Subject: "serviceManagementReference", Detail: "use at most 256 characters",
		}
	}
	if home, err := url.Parse(a.HomePageURL); a.HomePageURL != "" && (err != nil || home.Host == "" ||
		home.Scheme != "https" && home.Scheme != "http" || utf8.RuneCountInString(a.HomePageURL) > maxHomePage) {
		return &refusal.Error{Code: InvalidValue, Subject: "homePageUrl", Detail: "use a web address of at most 256 " +
			"characters"}
	}
	all := 0
	for i, n := range a.Needs {
		wrong := i >= maxNeeds || !isUUID(n.ResourceAppID) || slices.ContainsFunc(a.Needs[:i], func(o Need) bool {
			return strings.EqualFold(o.ResourceAppID, n.ResourceAppID)
		})
		for _, x := range n.Access {
			all++
			wrong = wrong || all > maxPermissions || !isUUID(x.ID) || x.Type != "Scope" && x.Type != "Role"
		}
		if wrong {
			return &refusal.Error{Code: InvalidValue, Subject: "requiredResourceAccess", Detail: "name each API once " +
				"by its appId, at most 50, and its permissions by their ids with the type Scope or Role, at most 400"}
		}
	}
	return nil
}

// EncryptionKey is how Graph's clients call the certificate that assertions are encrypted with.
type EncryptionKey struct {
	ID          string `json:",omitempty"`
	DisplayName string `json:",omitempty"`
	Unused      bool   `json:",omitempty"` // it was uploaded, and nothing is encrypted with it
}

// SigningKey is a SAML signing certificate with its sealed key.
type SigningKey struct {
	ID          string
	DisplayName string
	Thumbprint  string // SHA-1 of the certificate, upper-case hexadecimal, as Entra names certificates
	Certificate []byte // DER
	SealedKey   string // PKCS #1, sealed for the purpose "saml-key/" + Thumbprint
	NotBefore   time.Time
	NotAfter    time.Time
}

// PEM is the certificate as text, to be given to a service provider.
func (k SigningKey) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate}))
}

// SHA256 is the certificate's other thumbprint, in lower-case hexadecimal, as a center shows it.
func (k SigningKey) SHA256() string {
	sum := sha256.Sum256(k.Certificate)
	return hex.EncodeToString(sum[:])
}

// Template is an entry of the gallery.
type Template struct {
	ID, DisplayName, Publisher, Description string
	SyncTemplate                            string // of its synchronization job
}

// applicationReader reads applications.
type applicationReader interface {
	Application(AnyApplicationID) (Application, error)
	Applications() ([]Application, error)
}

// applicationWriter writes applications.
type applicationWriter interface {
	PutApplication(Application) error
	DeleteApplication(ApplicationID) error
}

// AssignmentID is the id of an assignment.
type AssignmentID string

// Assignment gives a user or a group a role of an application: who may sign in, and who is
// provisioned.
type Assignment struct {
	ID                 AssignmentID
	ServicePrincipalID ServicePrincipalID
	PrincipalID        PrincipalID
	PrincipalKind      ObjectKind
	RoleID             AppRoleID
	CreatedAt          time.Time
}

// assignmentReader reads who is assigned to applications.
type assignmentReader interface {
	Assignments(AssignmentQuery) ([]Assignment, error)
	Assignment(AssignmentID) (Assignment, error)
}

// assignmentWriter writes who is assigned to applications.
type assignmentWriter interface {
	PutAssignment(Assignment) error
	DeleteAssignment(AssignmentID) error
}

// maxIdentifier bounds an identifier URI, in bytes.
const maxIdentifier = 1024 //bound:text an identifier URI of an application, in bytes

// Instantiate makes an application from a gallery template. It is not idempotent, and names need
// not be unique, as in Entra.
func (t *Tenant) Instantiate(
	ctx context.Context, by audit.Actor, template Template, displayName string,
) (Application, error) {
	return t.InstantiateFor(ctx, by, template, displayName, "")
}

// InstantiateFor makes one with a reference, by which whoever asked for it finds it also without an
// answer.
func (t *Tenant) InstantiateFor(
	ctx context.Context, by audit.Actor, template Template, displayName, reference string,
) (Application, error) {
	a := Application{
		Reference:          reference,
		ID:                 ApplicationID(t.NewID()),
		AppID:              ClientID(t.NewID()),
		ServicePrincipalID: ServicePrincipalID(t.NewID()),
		TemplateID:         template.ID,
		DisplayName:        strings.TrimSpace(displayName),
		IdentifierURIs:     []string{},
		ReplyURLs:          []string{},
		AssignmentRequired: true,
		Enabled:            true,
		CreatedAt:          t.now(),
	}
	err := t.change(ctx, by, ActionAddServicePrincipal, func(tx Tx, _ *Touched) (string, error) {
		if err := errors.Join(checkDisplayName(a.DisplayName), a.checkNeeds()); err != nil {
			return a.DisplayName, err
		}
		return string(a.ID), tx.PutApplication(a)
	})
	return a, err
}

// UpdateApplication changes an application by edit, which may run more than once and refuses by
// returning an error.
func (t *Tenant) UpdateApplication(
	ctx context.Context, by audit.Actor, id AnyApplicationID, edit func(*Application) error,
) (Application, error) {
	var a Application
	err := t.change(ctx, by, ActionUpdateApplication, func(tx Tx, touched *Touched) (string, error) {
		old, err := tx.Application(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, ApplicationNotFound, string(id))
		}
		a = old
		a.IdentifierURIs = slices.Clone(old.IdentifierURIs)
		a.ReplyURLs = slices.Clone(old.ReplyURLs)
		a.Keys = slices.Clone(old.Keys)
		a.Claims = slices.Clone(old.Claims)
		a.OwnRoles = slices.Clone(old.OwnRoles)
		if err := edit(&a); err != nil {
			return string(id), err
		}
		a.ID = old.ID
		a.AppID = old.AppID
		a.ServicePrincipalID = old.ServicePrincipalID
		a.TemplateID = old.TemplateID
		a.CreatedAt = old.CreatedAt
		a.NoPrincipal = old.NoPrincipal
		a.Owners, a.PrincipalOwners = old.Owners, old.PrincipalOwners
		if err := a.checkAddresses(old); err != nil {
			return string(id), err
		}
		if a.DisplayName != old.DisplayName {
			if err := checkDisplayName(a.DisplayName); err != nil {
				return string(id), err
			}
		}
		if err := errors.Join(a.check(tx), a.checkRoles(old)); err != nil {
			return string(id), err
		}
		return string(a.ID), errors.Join(rolesChanged(tx, touched, old, a), tx.PutApplication(a))
	})
	return a, err
}

func (a Application) check(tx Reader) error {
	if a.SSOMode != "" && a.SSOMode != "saml" {
		return &refusal.Error{Code: InvalidValue, Subject: "preferredSingleSignOnMode", Detail: "only saml is offered"}
	}
	if len(a.NotificationEmails) > 5 {
		return &refusal.Error{Code: InvalidValue, Subject: "notificationEmailAddresses", Detail: "at most five"}
	}
	if a.ActiveThumbprint != "" &&
		!slices.ContainsFunc(a.Keys, func(k SigningKey) bool { return k.Thumbprint == a.ActiveThumbprint }) {
		return &refusal.Error{
			Code:    InvalidValue,
			Subject: "preferredTokenSigningKeyThumbprint",
			Detail:  "the application has no certificate with this thumbprint",
		}
	}
	if err := errors.Join(a.checkClaims(), a.checkNeeds()); err != nil {
		return err
	}
	others, err := tx.Applications()
	if err != nil {
		return err
	}
	for _, uri := range a.IdentifierURIs {
		if uri == "" || len(uri) > maxIdentifier {
			return &refusal.Error{Code: InvalidValue, Subject: "identifierUris", Detail: "use 1 to 1024 characters"}
		}
		for _, o := range others {
			if o.ID != a.ID && slices.Contains(o.IdentifierURIs, uri) {
				return &refusal.Error{Code: IdentifierTaken, Subject: uri}
			}
		}
	}
	return nil
}

// checkAddresses refuses addresses that browsers must not be sent to, and lists with one twice.
// What is as it was before is left alone, so that an old application can be changed; browsers are
// not sent there all the same.
func (a Application) checkAddresses(old Application) error {
	for _, list := range []struct {
		name        string
		now, before []string
	}{
		{"identifierUris", a.IdentifierURIs, old.IdentifierURIs},
		{"redirectUris", a.ReplyURLs, old.ReplyURLs},
	} {
		for i, uri := range list.now {
			if slices.Contains(list.now[:i], uri) && !slices.Equal(list.now, list.before) {
				return &refusal.Error{Code: InvalidValue, Subject: list.name, Detail: "name each address once"}
			}
		}
	}
	for _, u := range a.ReplyURLs {
		if to, err := authn.ParseRedirectURI(u); (err != nil || !to.Confidential()) &&
			!slices.Contains(old.ReplyURLs, u) {
			return &refusal.Error{
				Code:    InvalidValue,
				Subject: "redirectUris",
				Detail:  fmt.Sprintf("%.200q is not an https address with a host: use https addresses", u),
			}
		}
	}
	for _, u := range []struct{ name, now, before string }{
		{"loginUrl", a.SignOnURL, old.SignOnURL},
		{"logoutUrl", a.LogoutURL, old.LogoutURL},
	} {
		if u.now != "" && u.now != u.before && !webAddress(u.now) {
			return &refusal.Error{Code: InvalidValue, Subject: u.name, Detail: "use an https address"}
		}
	}
	return nil
}

// webAddress accepts https, and http on loopback only. Anything else, such as javascript:, would be
// posted to or linked.
func webAddress(s string) bool {
	u, err := authn.ParseWebAddress(s)
	return err == nil && u.Confidential()
}

// ReplyURL returns where a response may be posted: the address that was asked for when it is one of
// the application's, the default when none was. It fails with ReplyURLMismatch.
func (a Application) ReplyURL(asked string) (string, error) {
	if asked == "" && len(a.ReplyURLs) > 0 {
		asked = a.ReplyURLs[0]
	}
	if to, err := authn.ParseRedirectURI(asked); err == nil && to.Confidential() &&
		slices.Contains(a.ReplyURLs, asked) {
		return asked, nil
	}
	return "", &refusal.Error{Code: ReplyURLMismatch, Subject: asked}
}

// StartURL returns where the tile of an application leads; empty: the sign-in starts here. It fails
// with ReplyURLMismatch when that is no address for a browser.
func (a Application) StartURL() (string, error) {
	if a.SignOnURL != "" && !webAddress(a.SignOnURL) {
		return "", &refusal.Error{
			Code:    ReplyURLMismatch,
			Subject: a.DisplayName,
			Detail:  "the sign-on URL is not an https address",
		}
	}
	return a.SignOnURL, nil
}

// SignedOutURL returns where the answer to a request to sign out is sent, or fails with
// LogoutInvalid.
func (a Application) SignedOutURL() (string, error) {
	if a.LogoutURL == "" {
		return "", &refusal.Error{
			Code:    LogoutInvalid,
			Subject: a.DisplayName,
			Detail:  "the application has no logout URL",
		}
	}
	if !webAddress(a.LogoutURL) {
		return "", &refusal.Error{
			Code:    LogoutInvalid,
			Subject: a.DisplayName,
			Detail:  "the logout URL is not an https address",
		}
	}
	return a.LogoutURL, nil
}

// SealKey seals a signing key for an application.
func (t *Tenant) SealKey(thumbprint string, pkcs1 []byte) string {
	return t.Sealer.Seal("saml-key/"+thumbprint, pkcs1)
}

// OpenKey returns the PKCS #1 form of a signing key.
func (t *Tenant) OpenKey(k SigningKey) ([]byte, error) {
	return t.Sealer.Open("saml-key/"+k.Thumbprint, k.SealedKey)
}

// SigningKeyOf returns the key that signs at a time: the active one. Once that has expired another
// valid one signs, although nobody has made it active; one that has expired goes on where there is
// no other. It fails with SigningKeyMissing. Source: certificate tutorial.
func (a Application) SigningKeyOf(now time.Time) (SigningKey, error) {
	var active, valid *SigningKey
	for i, k := range a.Keys {
		if k.Thumbprint == a.ActiveThumbprint {
			active = &a.Keys[i]
		} else if valid == nil && now.Before(k.NotAfter) && !now.Before(k.NotBefore) {
			valid = &a.Keys[i]
		}
	}
	switch {
	case active == nil:
		return SigningKey{}, &refusal.Error{Code: SigningKeyMissing, Subject: a.DisplayName}
	case !now.Before(active.NotAfter) && valid != nil:
		return *valid, nil
	}
	return *active, nil
}

// Application returns an application by any of its three ids, or ApplicationNotFound.
func (t *Tenant) Application(ctx context.Context, id AnyApplicationID) (a Application, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		a, err = r.Application(id)
		return refusal.IfNoRow(err, ApplicationNotFound, string(id))
	})
	return a, err
}

// ApplicationByIdentifier finds the application whose identifier or client id is the issuer of a
// SAML request, exactly, or fails with IdentifierUnknown. The issuer may begin with "spn:", as the
// audience does that the tenant gives to an identifier that is no URI, and as Entra ID takes it; an
// application that has the whole as its identifier is preferred.
func (t *Tenant) ApplicationByIdentifier(ctx context.Context, issuer string) (Application, error) {
	all, err := t.Applications(ctx)
	if err != nil {
		return Application{}, err
	}
	names := []string{issuer}
	if name, ok := strings.CutPrefix(issuer, "spn:"); ok {
		names = append(names, name)
	}
	for _, name := range names {
		for _, a := range all {
			if a.NoPrincipal {
				continue
			}
			if string(a.AppID) == name || slices.Contains(a.IdentifierURIs, name) {
				return a, nil
			}
		}
	}
	return Application{}, &refusal.Error{Code: IdentifierUnknown, Subject: issuer}
}

// Applications lists the applications in the order of their ids.
func (t *Tenant) Applications(ctx context.Context) (list []Application, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.Applications()
		return err
	})
	return list, err
}

// Assign gives a user or a group a role of an application. It fails with ApplicationNotFound,
// UserNotFound or AssignmentExists.
func (t *Tenant) Assign(
	ctx context.Context, by audit.Actor, servicePrincipalID ServicePrincipalID, principalID PrincipalID,
	roleID AppRoleID,
) (Assignment, error) {
	raw := []byte(t.NewID() + t.NewID())[:32]
	a := Assignment{
		ID:                 AssignmentID(base64.RawURLEncoding.EncodeToString(raw)),
		ServicePrincipalID: servicePrincipalID,
		PrincipalID:        principalID,
		RoleID:             roleID,
		CreatedAt:          t.now(),
	}
	err := t.change(ctx, by, ActionAddAppRoleAssignmentGrantToUser, func(tx Tx, touched *Touched) (string, error) {
		app, err := tx.Application(AnyApplicationID(servicePrincipalID))
		if err == nil && app.NoPrincipal {
			err = refusal.ErrNoRow
		}
		if err != nil {
			return string(servicePrincipalID), refusal.IfNoRow(err, ApplicationNotFound, string(servicePrincipalID))
		}
		if err := app.mayBeGiven(roleID); err != nil {
			return string(principalID), err
		}
		kind, err := kindOf(tx, principalID)
		if err != nil {
			return string(principalID), err
		}
		a.PrincipalKind = kind
		existing, err := tx.Assignments(AssignmentQuery{servicePrincipalID, principalID})
		if err != nil {
			return string(principalID), err
		}
		if slices.ContainsFunc(existing, func(e Assignment) bool { return e.RoleID == roleID }) {
			return string(principalID), &refusal.Error{Code: AssignmentExists, Subject: string(principalID)}
		}
		return string(principalID), errors.Join(touchPrincipal(tx, touched, a), tx.PutAssignment(a))
	})
	return a, err
}

// touchPrincipal marks everyone whose scope an assignment decides.
func touchPrincipal(tx Reader, touched *Touched, a Assignment) error {
	touched.scope(a.PrincipalKind, a.PrincipalID)
	if a.PrincipalKind == KindGroup {
		return touchMembers(tx, touched, GroupID(a.PrincipalID))
	}
	return nil
}

// Unassign takes a role away, or fails with AssignmentNotFound.
func (t *Tenant) Unassign(
	ctx context.Context, by audit.Actor, servicePrincipalID ServicePrincipalID, id AssignmentID,
) error {
	return t.change(ctx, by, ActionRemoveAppRoleAssignmentFromUser, func(tx Tx, touched *Touched) (string, error) {
		a, err := tx.Assignment(id)
		if err == nil && a.ServicePrincipalID != servicePrincipalID {
			err = refusal.ErrNoRow
		}
		if err != nil {
			return string(id), refusal.IfNoRow(err, AssignmentNotFound, string(id))
		}
		return string(a.PrincipalID), errors.Join(touchPrincipal(tx, touched, a), tx.DeleteAssignment(id))
	})
}

// Assignments lists the assignments of an application.
func (t *Tenant) Assignments(ctx context.Context, q AssignmentQuery) (list []Assignment, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.Assignments(q)
		return err
	})
	return list, err
}

// MayUse says whether a user is assigned to an application, directly or as direct member of an
// assigned group. It fails with NotAssigned.
func (t *Tenant) MayUse(ctx context.Context, a Application, userID UserID) error {
	if !a.Enabled || a.NoPrincipal {
		return &refusal.Error{Code: ApplicationDisabled, Subject: a.DisplayName}
	}
	if !a.AssignmentRequired {
		return nil
	}
	return t.Store.View(ctx, func(r Reader) error { return mustBeAssigned(r, a, userID) })
}

func mustBeAssigned(r Reader, a Application, userID UserID) error {
	assigned, err := assignedTo(r, a, a.ServicePrincipalID)
	if err != nil {
		return err
	}
	ok, err := inScope(r, assigned, userID)
	if err == nil && !ok {
		err = &refusal.Error{Code: NotAssigned, Subject: string(userID)}
	}
	return err
}

// inScope says whether a user is assigned or a direct member of an assigned group. Nested groups do
// not count.
func inScope(r memberReader, assigned assignments, userID UserID) (bool, error) {
	if assigned.has(PrincipalID(userID)) {
		return true, nil
	}
	groups, err := r.MemberOf(PrincipalID(userID))
	for _, m := range groups {
		if assigned.has(PrincipalID(m.GroupID)) {
			return true, nil
		}
	}
	return false, err
}
