package center

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// SAMLApplication is what a custom SAML 2.0 application is told of who signs in, and where. Source:
// user guide, "Set up customer managed SAML 2.0 applications".
type SAMLApplication struct {
	ACSURL          string        // the application's assertion consumer service
	Audience        string        // its entity id
	RelayState      string        // of sign-ins that begin in the access portal
	SessionDuration time.Duration // how long the application may keep people signed in; 0: an hour
	Subject         AttributeMapping
	Mappings        []AttributeMapping
}

// AttributeMapping fills an attribute of an assertion, or its subject, which has no name.
type AttributeMapping struct {
	Name   string
	Value  string // a text in which ${user:email} and the like stand for what is known of the user
	Format string // a key of the subject's or the attributes' formats
}

// Bounds of SAML applications: ours, but for the durations.
const (
	maxMappings      = 50               //bound:list attributes that a SAML application is sent
	maxMappingValue  = 256              //bound:text the value of an attribute mapping, in characters
	maxSAMLState     = 1024             //bound:text the relay state of a SAML application, in bytes
	maxGroupsSent    = 1000             //bound:list groups in an assertion for an application
	minSAMLSession   = 15 * time.Minute //bound:none the shortest, not the longest
	maxSAMLSession   = 12 * time.Hour   //bound:life a sign-in at a SAML application, by its SessionNotOnOrAfter
	usualSAMLSession = time.Hour        //bound:none what holds where nothing else is said
)

// SubjectFormats and MappingFormats are how an application can be told to understand a value.
var (
	SubjectFormats = []string{"unspecified", "emailAddress", "persistent", "transient"}
	MappingFormats = []string{"unspecified", "basic", "uri"}
)

// DefaultSubject is the subject of an application whose mapping nobody has changed.
var DefaultSubject = AttributeMapping{Value: "${user:subject}", Format: "unspecified"}

// groupsVariable is the only one with several values: the ids of the user's groups. It stands
// alone.
const groupsVariable = "${user:groups}"

// userVariables are what mappings can name. Source: user guide, "Attribute mappings"; AD_GUID is of
// Active Directory, which is no identity source here.
var userVariables = map[string]func(*User) string{
	"email":             func(u *User) string { return u.PrimaryEmail() },
	"familyName":        func(u *User) string { return u.Name.FamilyName },
	"givenName":         func(u *User) string { return u.Name.GivenName },
	"middleName":        func(u *User) string { return u.Name.MiddleName },
	"name":              func(u *User) string { return u.DisplayName },
	"preferredUsername": func(u *User) string { return u.UserName },
	"subject":           func(u *User) string { return u.UserName },
}

var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{([^}]*)\}`) })

// value fills the variables in a mapping; "" where the user has no value.
func (m AttributeMapping) value(u *User) string {
	return variable().ReplaceAllStringFunc(m.Value, func(v string) string {
		of, known := userVariables[strings.TrimSuffix(strings.TrimPrefix(v, "${user:"), "}")]
		if !known { // another release has kept it
			return ""
		}
		return of(u)
	})
}

func (m AttributeMapping) check(field string, formats []string) error {
	refuse := func(detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: field, Subject: m.Name, Detail: detail}
	}
	if !slices.Contains(formats, m.Format) {
		return refuse("use a format out of " + strings.Join(formats, ", "))
	}
	if m.Value == "" {
		return refuse("the value is missing")
	}
	if err := checkText(field, m.Value, maxMappingValue); err != nil {
		return err
	}
	if m.Value == groupsVariable && m.Name != "" {
		return nil
	}
	for _, found := range variable().FindAllStringSubmatch(m.Value, -1) {
		name, ok := strings.CutPrefix(found[1], "user:")
		if _, known := userVariables[name]; !ok || !known {
			return refuse(found[0] + " is not known, or cannot stand here: use ${user:subject}, ${user:email}, " +
				"${user:givenName}, ${user:middleName}, ${user:familyName}, ${user:name}, ${user:preferredUsername}, " +
				"or for an attribute " + groupsVariable + " alone")
		}
	}
	return nil
}

// check applies the rules; old is what was there before, or nil.
func (s *SAMLApplication) check() error {
	refuse := func(field, detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: detail}
	}
	if to, err := authn.ParseRedirectURI(s.ACSURL); err != nil || !to.Confidential() {
		return refuse("Application ACS URL",
			fmt.Sprintf("%.200q is not an https address with a host: use an https address", s.ACSURL))
	}
	if s.Audience == "" || len(s.Audience) > maxText {
		return refuse("Application SAML audience", "use 1 to 1024 characters")
	}
	if len(s.RelayState) > maxSAMLState {
		return refuse("Relay state", "use at most 1024 characters")
	}
	if s.SessionDuration < minSAMLSession || s.SessionDuration > maxSAMLSession {
		return refuse("Session duration", "use 15 minutes to 12 hours")
	}
	if len(s.Mappings) > maxMappings {
		return refuse("Attribute mappings", "use at most 50")
	}
	names := map[string]bool{}
	for _, m := range s.Mappings {
		if m.Name == "" || len(m.Name) > maxText || names[m.Name] {
			return refuse("Attribute mappings", "use each name once, with 1 to 1024 characters")
		}
		names[m.Name] = true
		if err := m.check("Attribute mappings", MappingFormats); err != nil {
			return err
		}
	}
	return s.Subject.check("Subject", SubjectFormats)
}

// ConfigureSAML changes what a custom SAML application is sent, by edit, which may run more than
// once and gets the usual values the first time. It fails with ApplicationNotFound, and with
// InvalidValue for an application of another kind.
func (c *Center) ConfigureSAML(
	ctx context.Context, by audit.Actor, action Action, arn string, edit func(*SAMLApplication),
) error {
	return c.UpdateApplication(ctx, by, action, arn, func(a *Application) error {
		if !a.TakesSAML() {
			return &refusal.Error{Code: InvalidValue, Subject: arn, Detail: "it is no SAML application"}
		}
		s := SAMLApplication{Subject: DefaultSubject}
		if a.SAML != nil {
			s = *a.SAML
			s.Mappings = slices.Clone(s.Mappings)
		}
		edit(&s)
		if s.SessionDuration == 0 {
			s.SessionDuration = usualSAMLSession
		}
		a.SAML = &s
		return s.check()
	})
}

// TakesSAML says whether people sign in to the application by SAML.
func (a Application) TakesSAML() bool { return a.ProviderARN == samlProvider }

const samlProvider = "arn:aws:sso::aws:applicationProvider/custom-saml"

// ID is the last part of the ARN, by which addresses name the application.
func (a Application) ID() string { return path.Base(a.ARN) }

// ApplicationARN is the ARN of the application with an id.
func (c *Center) ApplicationARN(id string) string {
	return "arn:aws:sso::" + c.Instance.OwnerAccountID + ":application/" + c.Instance.shortID() + "/" + id
}

// SAMLPath is where applications send people to sign in, before an application's id, and the entity
// id of the center as its identity provider; SAMLMetadataPath is where the metadata is.
const (
	SAMLPath         = "/saml/assertion/"
	SAMLMetadataPath = "/saml/metadata/"
)

// applicationKeyPurpose is what an application's key is sealed for, before its ARN.
const applicationKeyPurpose = "application-key/"

// SAMLSigner returns a custom SAML application and the key that signs for it alone, which the first
// call makes. It fails with ApplicationNotFound, also for applications of another kind.
func (c *Center) SAMLSigner(ctx context.Context, id string) (a Application, s Signer, err error) {
	arn := c.ApplicationARN(id)
	if a, err = c.Application(ctx, arn); err == nil && !a.TakesSAML() {
		err = &refusal.Error{Code: ApplicationNotFound, Subject: arn}
	}
	if err == nil && a.SAMLKey == nil {
		a, err = c.makeSAMLKey(ctx, arn)
	}
	if err == nil {
		s, err = c.openKey(applicationKeyPurpose+arn, *a.SAMLKey)
	}
	return a, s, err
}

func (c *Center) makeSAMLKey(ctx context.Context, arn string) (a Application, err error) {
	key, err := c.newKey(applicationKeyPurpose+arn, path.Base(arn)) // ahead of the transaction
	if err != nil {
		return a, err
	}
	err = c.change(ctx, audit.SystemActor, ActionCreateApplicationCertificate, func(tx Tx) (string, error) {
		if a, err = tx.Application(arn); err != nil {
			return arn, refusal.IfNoRow(err, ApplicationNotFound, arn)
		}
		if a.SAMLKey != nil { // somebody else has just made one
			return arn, nil
		}
		a.SAMLKey = &key
		return arn, tx.PutApplication(a)
	})
	return a, err
}

// SAMLRequest is a request of an application that waits while the person signs in.
type SAMLRequest struct {
	ARN        string
	ID         string // of the application's request
	RelayState string
	Passive    bool // nobody may be asked for anything
	Force      bool // the person must sign in again
	AskedAt    time.Time
}

// samlRequestLifetime is how long a person may take to sign in.
const samlRequestLifetime = 15 * time.Minute //bound:life a sign-in request of a SAML application

const samlRequestPurpose = "application-request"

// SealSAMLRequest makes an address of a request that was checked. Nobody else can make one.
func (c *Center) SealSAMLRequest(ctx context.Context, r SAMLRequest) (string, error) {
	if err := c.Store.View(ctx, func(tx Reader) (err error) {
		r.AskedAt, err = c.clock(tx) // as sessions begin
		return err
	}); err != nil {
		return "", err
	}
	if len(r.RelayState) > maxSAMLState {
		return "", &refusal.Error{Code: SAMLRequestInvalid, Subject: r.ARN,
			Detail: "the RelayState is longer than 1024 bytes"}
	}
	plain, err := json.Marshal(r)
	return c.Sealer.Seal(samlRequestPurpose, plain), err
}

// OpenSAMLRequest opens the request of an application, or fails with SAMLRequestInvalid.
func (c *Center) OpenSAMLRequest(arn, sealed string) (r SAMLRequest, err error) {
	plain, err := c.Sealer.Open(samlRequestPurpose, sealed)
	if err != nil || json.Unmarshal(plain, &r) != nil || r.ARN != arn ||
		!authn.Within(samlRequestLifetime, r.AskedAt, c.now()) {
		return r, &refusal.Error{Code: SAMLRequestInvalid, Subject: arn,
			Detail: "it waited too long, or is of another application"}
	}
	return r, nil
}

// SignedInAt returns when the person behind a portal session has signed in, or SessionInvalid.
func (c *Center) SignedInAt(ctx context.Context, secret string) (at time.Time, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		s, err := session(r, secret, PortalSession, c.now())
		if err == nil {
			_, err = s.user(r)
		}
		at = s.CreatedAt
		return err
	})
	return at, err
}

// SentAttribute is an attribute as an application is sent it.
type SentAttribute struct {
	Name, Format string
	Values       []string
}

// SAMLSignIn is what an application is told of somebody who signs in.
type SAMLSignIn struct {
	SAMLApplication
	NameID     string
	Attributes []SentAttribute
	SignedInAt time.Time
	Until      time.Time // how long the application may keep the person signed in
}

// SignInToApplication checks, in one transaction with its event, that a portal session is open and
// that its user may use an application, and returns what that is told. It fails with
// SessionInvalid, ApplicationNotAssigned, ApplicationDisabled, SAMLNotConfigured and
// SAMLSubjectMissing.
func (c *Center) SignInToApplication(
	ctx context.Context, by audit.Actor, secret, arn string,
) (out SAMLSignIn, err error) {
	err = c.changeBy(ctx, &by, ActionFederate, func(tx Tx) (string, error) {
		out, err = c.samlSignIn(tx, &by, secret, arn)
		return arn, err
	})
	return out, err
}

func (c *Center) samlSignIn(r Reader, by *audit.Actor, secret, arn string) (out SAMLSignIn, err error) {
	s, err := session(r, secret, PortalSession, c.now())
	if err != nil {
		return out, err
	}
	u, err := s.user(r)
	if err != nil {
		return out, err
	}
	by.Name = u.UserName
	a, err := r.Application(arn)
	if err != nil {
		return out, refusal.IfNoRow(err, ApplicationNotFound, arn)
	}
	if err := mayUse(r, a, u.ID); err != nil {
		return out, err
	}
	if a.SAML == nil || !a.TakesSAML() {
		return out, &refusal.Error{Code: SAMLNotConfigured, Subject: arn}
	}
	out = SAMLSignIn{
		SAMLApplication: *a.SAML,
		NameID:          a.SAML.Subject.value(&u),
		SignedInAt:      s.CreatedAt,
		Until:           c.now().Add(a.SAML.SessionDuration),
	}
	if out.NameID == "" {
		return out, &refusal.Error{Code: SAMLSubjectMissing, Subject: u.UserName, Detail: a.SAML.Subject.Value}
	}
	for _, m := range a.SAML.Mappings {
		sent := SentAttribute{Name: m.Name, Format: m.Format}
		if m.Value == groupsVariable {
			sent.Values, err = groupsSent(r, u.ID)
		} else if v := m.value(&u); v != "" {
			sent.Values = []string{v}
		}
		if err != nil {
			return out, err
		}
		if len(sent.Values) > 0 {
			out.Attributes = append(out.Attributes, sent)
		}
	}
	return out, nil
}

// mayUse says whether an application is open to a user: enabled, and for everyone or assigned, to
// the user or to a group.
func mayUse(r applicationReader, a Application, user UserID) error {
	if !a.Enabled {
		return &refusal.Error{Code: ApplicationDisabled, Subject: a.ARN}
	}
	if a.ForEveryone {
		return nil
	}
	held, err := r.ApplicationAssignments(
		ApplicationAssignmentQuery{ApplicationARN: a.ARN, HeldBy: user, Limit: 1},
	)
	if err == nil && len(held) == 0 {
		err = &refusal.Error{Code: ApplicationNotAssigned, Subject: a.ARN}
	}
	return err
}

func groupsSent(r membershipReader, user UserID) ([]string, error) {
	groups, err := r.GroupsOf(user)
	ids := make([]string, 0, len(groups))
	for _, g := range groups[:min(len(groups), maxGroupsSent)] {
		ids = append(ids, string(g.ID))
	}
	return ids, err
}
