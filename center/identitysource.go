package center

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// SourceType is where users sign in.
type SourceType string

// The identity sources.
const (
	Directory   SourceType = "DIRECTORY"    // the built-in Identity Center directory
	ExternalIdP SourceType = "EXTERNAL_IDP" // a SAML 2.0 identity provider
)

// IdentitySource is the one source of an instance.
type IdentitySource struct {
	Type    SourceType
	IdP     *IdPConfiguration // in force, when Type is ExternalIdP
	Pending *IdPConfiguration // uploaded, not yet in force

	// RequestedOnly refuses responses of the identity provider that answer no request of this
	// center: sign-in cannot be started there.
	RequestedOnly bool

	Watch    *Watch          // of the published metadata of the identity provider in force; nil: none
	Previous *PreviousSource // what a change can be undone to; nil after the first one only
}

// identitySourceReader reads the identity source.
type identitySourceReader interface {
	IdentitySource() (IdentitySource, error)
}

// identitySourceWriter writes the identity source.
type identitySourceWriter interface {
	PutIdentitySource(IdentitySource) error
}

// PreviousSource is the source before the last change, with its settings.
type PreviousSource struct {
	Type      SourceType
	IdP       *IdPConfiguration
	ChangedAt time.Time // when it was left
	ChangedBy string
}

// UndoFor is how long a change of the identity source can be undone.
const UndoFor = 30 * 24 * time.Hour //bound:life the way back after a change of the identity source

// CanUndo says whether the last change can still be undone.
func (s IdentitySource) CanUndo(now time.Time) bool {
	return s.Previous != nil && now.Before(s.Previous.ChangedAt.Add(UndoFor))
}

// changeTo is the source after a change, from which it can be changed back.
func (s IdentitySource) changeTo(to SourceType, idp *IdPConfiguration, now time.Time, by audit.Actor) IdentitySource {
	return IdentitySource{
		Type:          to,
		IdP:           idp,
		RequestedOnly: s.RequestedOnly,
		Previous:      &PreviousSource{Type: s.Type, IdP: s.IdP, ChangedAt: now, ChangedBy: by.Name},
	}
}

// IdPConfiguration is what is known of an identity provider, taken from its metadata.
type IdPConfiguration struct {
	ID           string
	EntityID     string
	SignInURL    string   // SingleSignOnService, HTTP-Redirect; empty: there is HTTP-POST only
	SignInPOST   string   // SingleSignOnService, HTTP-POST; may be empty
	UsePOST      bool     // requests go by HTTP-POST
	SignRequests bool     // requests are signed
	Certificates [][]byte // DER; the only keys whose signatures are accepted; all at once
	Notes        []string `json:",omitempty"` // what an administrator should know about the metadata
	CreatedAt    time.Time
}

// withBinding sends requests by HTTP-POST where the identity provider takes them by nothing else.
func (i IdPConfiguration) withBinding() IdPConfiguration {
	i.UsePOST = i.SignInPOST != "" && (i.UsePOST || i.SignInURL == "")
	return i
}

// Confirmation is the word that a person types before the identity source changes.
const Confirmation = "ACCEPT"

// check applies the rules for identity providers. Source: user guide, limits ("metadata and
// certificates").
func (i IdPConfiguration) check() error {
	switch {
	case i.EntityID == "" || len(i.EntityID) > maxText:
		return &refusal.Error{
			Code:   MetadataInvalid,
			Field:  "entityID",
			Detail: "missing or longer than 1024 characters",
		}
	case len(i.Certificates) == 0:
		return &refusal.Error{
			Code:   MetadataInvalid,
			Field:  "KeyDescriptor",
			Detail: "no signing certificate in the IDPSSODescriptor",
		}
	}
	return i.CheckAddresses()
}

// CheckAddresses refuses a configuration whose addresses browsers must not be sent to, with
// MetadataInvalid.
func (i IdPConfiguration) CheckAddresses() error {
	if i.SignInURL == "" && i.SignInPOST == "" {
		return &refusal.Error{
			Code:   MetadataInvalid,
			Field:  "SingleSignOnService",
			Detail: "no address for the HTTP-Redirect or the HTTP-POST binding",
		}
	}
	for _, s := range []struct{ binding, address string }{
		{"HTTP-Redirect", i.SignInURL}, {"HTTP-POST", i.SignInPOST},
	} {
		if u, err := authn.ParseWebAddress(s.address); s.address != "" && (err != nil || !u.Confidential()) {
			return &refusal.Error{
				Code:   MetadataInvalid,
				Field:  "SingleSignOnService",
				Detail: "use an https address for the " + s.binding + " binding instead of " + s.address,
			}
		}
	}
	return nil
}

// confidential returns the address where nobody on the way can read or change what is sent to it:
// it has TLS or does not leave this machine. Otherwise nil.
func confidential(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
		return nil
	}
	return u
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Effect is what changing the identity source does to one user.
type Effect string

// The effects of a change to an external identity provider.
const (
	StopsWorking    Effect = "StopsWorking"    // the user name is not an email address, so no NameID can match it
	SignsInAtIdP    Effect = "SignsInAtIdP"    // password and MFA here are no longer used
	SignsInAtNewIdP Effect = "SignsInAtNewIdP" // at the new identity provider instead of the one in force
	MatchesNobody   Effect = "MatchesNobody"   // the identity provider knows nobody of this name yet
	PasswordIsUsed  Effect = "PasswordIsUsed"  // back to the directory: an earlier password works again
	NeedsPassword   Effect = "NeedsPassword"   // back to the directory: an administrator must set a password
)

// Explain says in a sentence what the effect means for the user.
func (e Effect) Explain() string {
	switch e {
	case StopsWorking:
		return "will stop working: the user name is not an email address, so the identity provider cannot name " +
			"this user"
	case SignsInAtIdP:
		return "signs in at the identity provider; the password and MFA devices here are no longer used"
	case SignsInAtNewIdP:
		return "signs in at the new identity provider, which must send the same user name as the old one"
	case MatchesNobody:
		return "cannot sign in yet: the identity provider has no user with this user name"
	case PasswordIsUsed:
		return "signs in here again with the previous password"
	case NeedsPassword:
		return "cannot sign in until an administrator sets a password"
	}
	return string(e)
}

// UserEffect is one line of the report before a change.
type UserEffect struct {
	User          User
	Effect        Effect
	Administrator bool // has AdministratorAccess in an AWS account
}

// LosesAccess says whether the user cannot sign in after the change until somebody does something
// about it.
func (e Effect) LosesAccess() bool {
	return e == StopsWorking || e == MatchesNobody || e == NeedsPassword
}

// ChangeReport says what changing the identity source will do to every existing user.
type ChangeReport struct {
	From, To  SourceType
	Counts    map[Effect]int
	LockedOut int          // administrators of AWS accounts who lose access
	Users     []UserEffect // the first ReportLimit users; Counts covers all
	Total     int
}

// ReportLimit is how many users a report names one by one.
const ReportLimit = 1000 //bound:list users that a report names one by one

const reportBatch = 500 //bound:none how many users are read at a time

// Source returns the identity source.
func (c *Center) Source(ctx context.Context) (s IdentitySource, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		s, err = currentSource(r)
		return err
	})
	return s, err
}

func currentSource(r identitySourceReader) (IdentitySource, error) {
	s, err := r.IdentitySource()
	if errors.Is(err, refusal.ErrNoRow) {
		return IdentitySource{Type: Directory}, nil
	}
	return s, err
}

// PreviewSourceChange reports what a change to a source does to existing users. known holds the
// user names that the identity provider has, folded by Fold; nil when they are not known.
func (c *Center) PreviewSourceChange(
	ctx context.Context, to SourceType, known map[string]bool,
) (report ChangeReport, err error) {
	err = c.EachSourceEffect(
		ctx,
		to,
		known,
		func(from SourceType) { report = ChangeReport{From: from, To: to, Counts: map[Effect]int{}} },
		func(u UserEffect) error {
			report.add(u)
			return nil
		},
	)
	return report, err
}

// EachSourceEffect calls each for every user, in the order of their ids, on one snapshot, after
// begin, which is called again if everything must be read again. An error of each ends it.
func (c *Center) EachSourceEffect(
	ctx context.Context, to SourceType, known map[string]bool, begin func(from SourceType),
	each func(UserEffect) error,
) error {
	return c.Store.View(ctx, func(r Reader) error {
		s, err := currentSource(r)
		if err != nil {
			return err
		}
		administrators, err := administratorsOfAccounts(r)
		if err != nil {
			return err
		}
		begin(s.Type)
		for after := UserID(""); ; {
			users, err := r.Users(UserQuery{After: after, Limit: reportBatch})
			if err != nil {
				return err
			}
			for _, u := range users {
				effect, err := effectOn(r, u, s.Type, to, known)
				if err == nil {
					err = each(UserEffect{u, effect, administrators[u.ID]})
				}
				if err != nil {
					return err
				}
				after = u.ID
			}
			if len(users) < reportBatch {
				return nil
			}
		}
	})
}

// administratorAccess is AWS's managed policy that allows everything.
const administratorAccess = "arn:aws:iam::aws:policy/AdministratorAccess"

// administratorsOfAccounts returns who has AdministratorAccess in an AWS account, directly or by a
// group.
func administratorsOfAccounts(r Reader) (map[UserID]bool, error) {
	sets, err := r.PermissionSets(PermissionSetQuery{})
	if err != nil {
		return nil, err
	}
	out := map[UserID]bool{}
	for _, set := range sets {
		if !slices.Contains(set.ManagedPolicies, administratorAccess) {
			continue
		}
		assignments, err := r.Assignments(AssignmentQuery{PermissionSetARN: set.ARN})
		if err != nil {
			return nil, err
		}
		for _, a := range assignments {
			if a.PrincipalType == PrincipalUser {
				out[UserID(a.PrincipalID)] = true
				continue
			}
			members, err := r.Members(GroupID(a.PrincipalID))
			if err != nil {
				return nil, err
			}
			for _, m := range members {
				out[m.ID] = true
			}
		}
	}
	return out, nil
}

func (r *ChangeReport) add(u UserEffect) {
	r.Total++
	r.Counts[u.Effect]++
	if u.Administrator && u.Effect.LosesAccess() {
		r.LockedOut++
	}
	if len(r.Users) < ReportLimit {
		r.Users = append(r.Users, u)
	}
}

func effectOn(r Reader, u User, from, to SourceType, known map[string]bool) (Effect, error) {
	if to == Directory {
		_, err := r.Password(string(u.ID))
		if errors.Is(err, refusal.ErrNoRow) {
			return NeedsPassword, nil
		}
		return PasswordIsUsed, err
	}
	switch {
	case !u.UserNameIsEmail():
		return StopsWorking, nil
	case known != nil && !known[names.Fold(u.UserName)]:
		return MatchesNobody, nil
	case from == ExternalIdP:
		return SignsInAtNewIdP, nil
	}
	return SignsInAtIdP, nil
}

// CreateIdPConfiguration keeps an identity provider's configuration until EnableIdPConfiguration
// puts it in force. It replaces one that is pending. It fails with MetadataInvalid.
func (c *Center) CreateIdPConfiguration(
	ctx context.Context, by audit.Actor, idp IdPConfiguration,
) (IdPConfiguration, error) {
	idp = idp.withBinding()
	idp.ID, idp.CreatedAt = c.NewID(), c.now()
	err := c.change(ctx, by, ActionCreateExternalIdPConfigurationForDirectory, func(tx Tx) (string, error) {
		if err := idp.check(); err != nil {
			return idp.EntityID, err
		}
		s, err := currentSource(tx)
		if err != nil {
			return idp.EntityID, err
		}
		s.Pending = &idp
		return idp.EntityID, tx.PutIdentitySource(s)
	})
	return idp, err
}

// EnableIdPConfiguration makes the pending identity provider the identity source, in one
// transaction. Users, groups, memberships and assignments are kept. It fails with
// ConfirmationMissing, with SourceMoved, with RequestNotFound for another id and with
// SourceNotConfigured.
func (c *Center) EnableIdPConfiguration(ctx context.Context, by audit.Actor, id string, how Confirmed) error {
	return c.changeSource(
		ctx,
		by,
		ActionEnableExternalIdPConfigurationForDirectory,
		id,
		how,
		func(_ Tx, s IdentitySource) (string, IdentitySource, error) {
			switch {
			case s.Pending == nil && s.IdP != nil && s.IdP.ID == id:
				return id, s, &refusal.Error{Code: SourceUnchanged, Subject: id}
			case s.Pending == nil:
				return id, s, &refusal.Error{Code: SourceNotConfigured}
			case s.Pending.ID != id:
				return id, s, &refusal.Error{Code: RequestNotFound, Subject: id}
			}
			return s.Pending.EntityID, s.changeTo(ExternalIdP, s.Pending, c.now(), by), nil
		},
	)
}

// DisableIdPConfiguration goes back to the built-in directory. Passwords that users had before work
// again.
func (c *Center) DisableIdPConfiguration(ctx context.Context, by audit.Actor, how Confirmed) error {
	return c.changeSource(
		ctx,
		by,
		ActionDisableExternalIdPConfigurationForDirectory,
		"",
		how,
		func(tx Tx, s IdentitySource) (string, IdentitySource, error) {
			if s.Type == Directory {
				return "", s, &refusal.Error{Code: SourceUnchanged}
			}
			if err := provisioningIsOff(tx); err != nil {
				return "", s, err
			}
			after := s.changeTo(Directory, nil, c.now(), by)
			after.Pending = s.IdP
			return s.IdP.EntityID, after, nil
		},
	)
}

func provisioningIsOff(r provisioningReader) error {
	_, err := r.ProvisioningTenant()
	if err == nil {
		return &refusal.Error{Code: ProvisioningOn, Detail: "disable automatic provisioning first"}
	}
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	return err
}

// UndoSourceChange brings back the identity source before the last change, with its settings, in
// one transaction; users, groups and assignments do not change. It can be undone too. It fails with
// ConfirmationMissing, with SourceMoved, with NothingToUndo, and back to the built-in directory
// with ProvisioningOn.
func (c *Center) UndoSourceChange(ctx context.Context, by audit.Actor, how Confirmed) error {
	return c.changeSource(
		ctx,
		by,
		ActionUndoIdentitySourceChange,
		"",
		how,
		func(tx Tx, s IdentitySource) (string, IdentitySource, error) {
			if !s.CanUndo(c.now()) {
				return "", s, &refusal.Error{Code: NothingToUndo}
			}
			if s.Previous.Type == Directory {
				if err := provisioningIsOff(tx); err != nil {
					return "", s, err
				}
			}
			return string(s.Previous.Type), s.changeTo(s.Previous.Type, s.Previous.IdP, c.now(), by), nil
		},
	)
}

// Confirmed is how a change of the identity source is confirmed.
type Confirmed struct {
	Word string // ACCEPT
	// InForce is the id of the configuration that must be in force, or DIRECTORY; empty: any.
	InForce string
}

// InForceID is the id of the configuration in force, or DIRECTORY.
func (s IdentitySource) InForceID() string {
	if s.IdP == nil {
		return string(Directory)
	}
	return s.IdP.ID
}

// Accepted is that of a person who looks at what is in force.
var Accepted = Confirmed{Word: Confirmation}

// Check refuses what nobody has confirmed, or of another source.
func (c Confirmed) Check(s IdentitySource) error {
	switch {
	case c.Word != Confirmation:
		return &refusal.Error{Code: ConfirmationMissing, Detail: "enter the word " + Confirmation}
	case c.InForce != "" && c.InForce != s.InForceID():
		return &refusal.Error{Code: SourceMoved, Subject: s.InForceID()}
	}
	return nil
}

// changeSource puts another identity source in force, in one transaction, where the person has
// typed the word that says so. to decides which, and names what the audit event is about; subject
// is what it is about when the word is missing.
func (c *Center) changeSource(
	ctx context.Context, by audit.Actor, action Action, subject string, how Confirmed,
	to func(Tx, IdentitySource) (string, IdentitySource, error),
) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		s, err := currentSource(tx)
		if err == nil {
			err = how.Check(s)
		}
		if err != nil {
			return subject, err
		}
		subject, after, err := to(tx, s)
		if err != nil {
			return subject, err
		}
		return subject, tx.PutIdentitySource(after)
	})
}
