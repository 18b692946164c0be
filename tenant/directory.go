package tenant

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// UserID is a user's object id: a UUID.
type UserID string

// PrincipalID is the object id of a user or a group where either may stand, as in members and
// assignments. It is a UserID or a GroupID, and nothing else.
type PrincipalID string

// User is a person in the tenant.
type User struct {
	ID                UserID
	UserPrincipalName string // unique ignoring letter case; what people sign in with, and the SAML NameID
	DisplayName       string
	GivenName         string
	Surname           string
	Mail              string
	MailNickname      string
	JobTitle          string
	Department        string
	EmployeeID        string
	MobilePhone       string
	BusinessPhone     string // the only one of Graph's businessPhones; telephoneNumber in attribute mappings
	CompanyName       string
	OfficeLocation    string
	StreetAddress     string
	City              string
	State             string
	PostalCode        string
	Country           string
	UserType          string // Member or Guest
	PreferredLanguage string
	UsageLocation     string
	ManagerID         UserID
	Extensions        [15]string // extensionAttribute1 to extensionAttribute15
	Enabled           bool
	Removed           bool      // of a copy: deleted at the original, where it can be restored
	SessionsValidFrom time.Time // of sign-ins and tokens; another one at each end of all sessions
	CreatedAt         time.Time
}

// userReader reads users.
type userReader interface {
	User(id UserID) (User, error)
	UserByPrincipalName(string) (User, error) // ignores letter case
	Users(Query) ([]User, error)
	CountUsers(Query) (int, error)
	UsersManagedBy(manager UserID) ([]User, error)
}

// userWriter writes users.
type userWriter interface {
	PutUser(User) error
	DeleteUser(id UserID) error
}

// GroupID is a group's object id: a UUID.
type GroupID string

// Group is a security group. Members are users and groups; only direct users count for sign-in and
// provisioning.
type Group struct {
	ID              GroupID
	DisplayName     string
	Description     string
	MailNickname    string
	SecurityEnabled bool
	Owners          []UserID
	CreatedAt       time.Time
}

// groupReader reads groups.
type groupReader interface {
	Group(id GroupID) (Group, error)
	GroupsByName(string) ([]Group, error) // names need not be unique
	Groups(Query) ([]Group, error)
	CountGroups(Query) (int, error)
}

// groupWriter writes groups.
type groupWriter interface {
	PutGroup(Group) error
	DeleteGroup(id GroupID) error
}

// Member is one object in one group.
type Member struct {
	GroupID  GroupID
	MemberID PrincipalID
	Kind     ObjectKind
}

// memberReader reads the members of groups.
type memberReader interface {
	Members(groupID GroupID) ([]Member, error)
	MembersAfter(groupID GroupID, after PrincipalID, limit int) ([]Member, error) // in the order of the members' ids
	Member(groupID GroupID, memberID PrincipalID) (Member, error)
	MemberOf(memberID PrincipalID) ([]Member, error)
	Principals(PrincipalQuery) ([]Principal, error)
	CountPrincipals(PrincipalQuery) (int, error)
}

// memberWriter writes the members of groups.
type memberWriter interface {
	PutMember(Member) error
	DeleteMember(groupID GroupID, memberID PrincipalID) error
	DeleteMembersOf(id PrincipalID) error // as group and as member
}

// plainText says whether a text has no more characters than the limit, and neither control
// characters nor bytes that are no UTF-8.
func plainText(text string, limit int) bool {
	return utf8.RuneCountInString(text) <= limit && utf8.ValidString(text) &&
		strings.IndexFunc(text, unicode.IsControl) < 0
}

// maxText is how many characters a property of text may have.
const maxText = 256 //bound:text a property of an object of the tenant, in characters

// normalize gives what people are found by the form in which it is kept.
func (u *User) normalize() {
	u.UserPrincipalName, u.Mail = names.Normal(u.UserPrincipalName), names.Normal(u.Mail)
}

// checkID refuses an id that a user brings along, where it would be an administrator's account.
func (u *User) checkID() error {
	if strings.HasPrefix(string(u.ID), administratorPrefix) {
		return &refusal.Error{Code: InvalidValue, Subject: "id", Detail: "it is that of an administrator"}
	}
	return nil
}

// check refuses what a user may not be. Properties that are as they were in old are left alone:
// earlier releases took more.
func (u *User) check(tx Reader, old User) error {
	if _, err := mail.ParseAddress(u.UserPrincipalName); err != nil || strings.ContainsAny(u.UserPrincipalName, " <>") {
		return &refusal.Error{Code: InvalidValue, Subject: "userPrincipalName", Detail: "use name@domain"}
	}
	if u.UserPrincipalName != old.UserPrincipalName && !names.Visible(u.UserPrincipalName) {
		return &refusal.Error{Code: InvalidValue, Subject: "userPrincipalName", Detail: "it has an invisible character"}
	}
	before := old.Texts()
	for i, t := range u.Texts() {
		text := *t.Value
		if old.ID != "" && text == *before[i].Value {
			continue
		}
		if t.Name == "streetAddress" { // may have several lines
			text = strings.NewReplacer("\r", "", "\n", "").Replace(text)
		}
		if !plainText(text, maxText) {
			return &refusal.Error{
				Code:    InvalidValue,
				Subject: t.Name,
				Detail:  "use at most 256 characters, and no control characters",
			}
		}
	}
	if u.DisplayName == "" {
		return &refusal.Error{Code: InvalidValue, Subject: "displayName", Detail: "missing"}
	}
	other, err := tx.UserByPrincipalName(u.UserPrincipalName)
	if err == nil && other.ID != u.ID {
		return &refusal.Error{Code: UPNTaken, Subject: u.UserPrincipalName}
	}
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	return nil
}

// PasswordProfile is what is to be so of a user's password.
type PasswordProfile struct {
	Password string // empty: it stays as it is
	OneTime  *bool  // it must be replaced at the next sign-in; nil: a new one need not
}

// CreateUser adds a user, with a password, or with none for a user who cannot sign in. It fails
// with UPNTaken, InvalidValue or SignInBusy.
func (t *Tenant) CreateUser(ctx context.Context, by audit.Actor, u User, password string) (User, error) {
	return t.CreateUserWith(ctx, by, u, PasswordProfile{Password: password})
}

// CreateUserWith is CreateUser with a password that may have to be replaced.
func (t *Tenant) CreateUserWith(
	ctx context.Context, by audit.Actor, u User, profile PasswordProfile,
) (User, error) {
	u.normalize()
	u.ID, u.CreatedAt = UserID(t.NewID()), t.now()
	hash, err := t.newPasswordFor(ctx, by, profile.Password, func(r Reader) error { return u.check(r, User{}) })
	if err != nil {
		return u, t.Refuse(ctx, by, ActionAddUser.name, u.UserPrincipalName, err)
	}
	err = t.change(ctx, by, ActionAddUser, func(tx Tx, touched *Touched) (string, error) {
		if err := u.check(tx, User{}); err != nil {
			return u.UserPrincipalName, err
		}
		touched.add(KindUser, PrincipalID(u.ID))
		if hash != "" {
			p := Password{Account: AccountID(u.ID), Hash: hash, OneTime: profile.OneTime != nil && *profile.OneTime}
			if err := tx.PutPassword(p); err != nil {
				return string(u.ID), err
			}
		}
		return string(u.ID), errors.Join(touchNamesake(tx, touched, u, User{}), tx.PutUser(u))
	})
	return u, err
}

// UpdateUser changes a user by edit, which may run more than once.
func (t *Tenant) UpdateUser(ctx context.Context, by audit.Actor, id UserID, edit func(*User)) (User, error) {
	return t.PatchUser(ctx, by, id, PasswordProfile{}, edit)
}

// PatchUser changes a user by edit, which may run more than once, and what is given of the
// password: both or neither. It fails as CreateUser does, and with UserNotFound.
func (t *Tenant) PatchUser(
	ctx context.Context, by audit.Actor, id UserID, profile PasswordProfile, edit func(*User),
) (User, error) {
	var u, old User
	patched := func(r Reader) (err error) {
		if old, err = r.User(id); err != nil {
			return refusal.IfNoRow(err, UserNotFound, string(id))
		}
		u = old
		edit(&u)
		u.normalize()
		u.ID = old.ID
		u.CreatedAt = old.CreatedAt
		u.SessionsValidFrom = old.SessionsValidFrom
		return u.check(r, old)
	}
	hash, err := t.newPasswordFor(ctx, by, profile.Password, patched)
	if err != nil {
		return u, t.Refuse(ctx, by, ActionUpdateUser.name, string(id), err)
	}
	may := func(tx Tx) error {
		err := authorizeIn(tx, by, ActionUpdateUser)
		if err == nil || authorizeIn(tx, by, ActionResetPassword) != nil || patched(tx) != nil ||
			slices.ContainsFunc(u.changedSince(old), func(name string) bool { return !goesWithPassword(name) }) {
			return err
		}
		return nil
	}
	err = t.changeIf(ctx, by, ActionUpdateUser, may, func(tx Tx, touched *Touched) (string, error) {
		if err := patched(tx); err != nil {
			return string(id), err
		}
		if hash != "" || profile.OneTime != nil || isSensitive(old, u) {
			if err := mayLockOutUser(tx, by, id); err != nil {
				return string(id), err
			}
		}
		if hash != "" {
			oneTime := profile.OneTime != nil && *profile.OneTime
			if err := t.resetPassword(tx, by, &u, hash, oneTime); err != nil {
				return string(id), err
			}
		} else if profile.OneTime != nil {
			if err := t.mustReplace(tx, by, u.ID, *profile.OneTime); err != nil {
				return string(id), err
			}
		}
		if hash == "" && old.Enabled && !u.Enabled {
			if err := t.endSessions(tx, &u); err != nil {
				return string(id), err
			}
		}
		touched.changed(KindUser, PrincipalID(id), u.changedSince(old))
		return string(id), errors.Join(touchNamesake(tx, touched, u, old), tx.PutUser(u))
	})
	return u, err
}

// goesWithPassword says whether a property may be changed by whoever may reset a password: it is
// where a new one is asked for. Source: "Who can reset passwords".
func goesWithPassword(property string) bool {
	return property == "mobilePhone" || property == "businessPhones"
}

// isSensitive says whether a change is one that not everybody may make to somebody with a directory
// role. Source: "Who can perform sensitive actions".
func isSensitive(old, u User) bool {
	return old.Enabled != u.Enabled || slices.ContainsFunc(u.changedSince(old), func(name string) bool {
		return name == "userPrincipalName" || goesWithPassword(name)
	})
}

// resetPassword gives a user a password in the transaction of another change, as an event of its
// own. The caller puts the user.
func (t *Tenant) resetPassword(tx Tx, by audit.Actor, u *User, hash string, oneTime bool) error {
	if err := authorizeIn(tx, by, ActionResetPassword); err != nil {
		return err
	}
	return errors.Join(putPassword(tx, AccountID(u.ID), hash, oneTime), t.endSessions(tx, u),
		tx.AppendEvent(t.event(by, ActionResetPassword.name, string(u.ID), nil)))
}

// mustReplace says whether a user must replace the password at the next sign-in. A user without one
// has nothing to replace.
func (t *Tenant) mustReplace(tx Tx, by audit.Actor, id UserID, oneTime bool) error {
	if err := authorizeIn(tx, by, ActionResetPassword); err != nil {
		return err
	}
	p, err := tx.Password(AccountID(id))
	if err != nil {
		return refusal.IfNoRow(err, InvalidValue, "passwordProfile")
	}
	p.OneTime = oneTime
	return errors.Join(tx.PutPassword(p), tx.AppendEvent(t.event(by, ActionResetPassword.name, string(id), nil)))
}

// SetPassword gives a user a password, and ends all that was begun with another one.
func (t *Tenant) SetPassword(ctx context.Context, by audit.Actor, id UserID, password string) error {
	hash, err := t.newPassword(ctx, by, password)
	if err != nil {
		return t.Refuse(ctx, by, ActionResetPassword.name, string(id), err)
	}
	return t.endAfter(ctx, by, ActionResetPassword, id, func(tx Tx) error {
		return putPassword(tx, AccountID(id), hash, false)
	})
}

// RevokeSessions ends a user's sessions, and the refresh tokens that programs have. Source: user:
// revokeSignInSessions.
func (t *Tenant) RevokeSessions(ctx context.Context, by audit.Actor, id UserID) error {
	return t.endAfter(ctx, by, ActionRevokeSessions, id, func(Tx) error { return nil })
}

// endAfter changes how a user signs in, and ends all that was begun before. It refuses whoever may
// not lock the user out, and fails with UserNotFound.
func (t *Tenant) endAfter(ctx context.Context, by audit.Actor, action Action, id UserID, edit func(Tx) error) error {
	return t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		if err := mayLockOutUser(tx, by, id); err != nil {
			return string(id), err
		}
		return string(id), errors.Join(edit(tx), t.endSessions(tx, &u), tx.PutUser(u))
	})
}

// endSessions removes the sessions, and has the user refuse what programs were given before: the
// caller puts it.
func (t *Tenant) endSessions(tx Tx, u *User) error {
	return t.endOpened(tx, AccountID(u.ID), &u.SessionsValidFrom)
}

// removeObject takes an object out of all groups and assignments.
func removeObject(tx Tx, touched *Touched, id PrincipalID) error {
	in, err := tx.MemberOf(id)
	if err != nil {
		return err
	}
	for _, m := range in {
		touched.member(m.GroupID, Mark{m.Kind, id}, true)
	}
	assigned, err := tx.Assignments(AssignmentQuery{PrincipalID: id})
	if err != nil {
		return err
	}
	for _, a := range assigned {
		if err := tx.DeleteAssignment(a.ID); err != nil {
			return err
		}
	}
	return tx.DeleteMembersOf(id)
}

// User returns one user, or UserNotFound.
func (t *Tenant) User(ctx context.Context, id UserID) (u User, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		u, err = r.User(id)
		return refusal.IfNoRow(err, UserNotFound, string(id))
	})
	return u, err
}

// UserByIDOrName returns the user whom a path or a person names, by id or by user principal name,
// or UserNotFound.
func (t *Tenant) UserByIDOrName(ctx context.Context, idOrName string) (u User, err error) {
	if !strings.Contains(idOrName, "@") {
		return t.User(ctx, UserID(idOrName))
	}
	err = t.Store.View(ctx, func(r Reader) (err error) {
		u, err = r.UserByPrincipalName(idOrName)
		return refusal.IfNoRow(err, UserNotFound, idOrName)
	})
	return u, err
}

// Users lists users in the order of their ids.
func (t *Tenant) Users(ctx context.Context, q Query) (users []User, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		users, err = r.Users(q)
		return err
	})
	return users, err
}

// CreateGroup adds a security group with members. It fails with InvalidValue, UserNotFound (no such
// object) or MemberExists.
func (t *Tenant) CreateGroup(ctx context.Context, by audit.Actor, g Group, memberIDs ...PrincipalID) (Group, error) {
	g.ID, g.CreatedAt = GroupID(t.NewID()), t.now()
	err := t.change(ctx, by, ActionAddGroup, func(tx Tx, touched *Touched) (string, error) {
		if err := g.check(Group{}); err != nil {
			return g.DisplayName, err
		}
		for _, id := range g.Owners {
			if _, err := tx.User(id); err != nil {
				return string(g.ID), refusal.IfNoRow(err, UserNotFound, string(id))
			}
		}
		touched.add(KindGroup, PrincipalID(g.ID))
		if err := tx.PutGroup(g); err != nil {
			return string(g.ID), err
		}
		return string(g.ID), addMembers(tx, touched, g.ID, memberIDs)
	})
	return g, err
}

const maxDescription = 1024 //bound:text the description of a group of the tenant, in characters

func (g Group) check(old Group) error {
	if old.ID == "" || g.DisplayName != old.DisplayName {
		if err := checkDisplayName(g.DisplayName); err != nil {
			return err
		}
	}
	if utf8.RuneCountInString(g.Description) > maxDescription {
		return &refusal.Error{Code: InvalidValue, Subject: "description", Detail: "longer than 1024 characters"}
	}
	return nil
}

// checkDisplayName is the rule of the names of groups, applications, clients and policies.
func checkDisplayName(name string) error {
	if name == "" || !plainText(name, maxText) {
		return &refusal.Error{
			Code:    InvalidValue,
			Subject: "displayName",
			Detail:  "use 1 to 256 characters, and no control characters",
		}
	}
	return nil
}

// UpdateGroup changes a group by edit, which may run more than once, and adds members: all of it or
// nothing.
func (t *Tenant) UpdateGroup(
	ctx context.Context, by audit.Actor, id GroupID, edit func(*Group), memberIDs ...PrincipalID,
) (Group, error) {
	var g Group
	err := t.change(ctx, by, ActionUpdateGroup, func(tx Tx, touched *Touched) (string, error) {
		old, err := tx.Group(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, GroupNotFound, string(id))
		}
		g = old
		edit(&g)
		g.ID, g.CreatedAt = old.ID, old.CreatedAt
		if err := g.check(old); err != nil {
			return string(id), err
		}
		touched.changed(KindGroup, PrincipalID(id), g.changedSince(old))
		if err := tx.PutGroup(g); err != nil {
			return string(id), err
		}
		return string(id), addMembers(tx, touched, id, memberIDs)
	})
	return g, err
}

// touchMembers marks a group's users, whose scope depends on the group; those of groups in it too,
// since a job may count them.
func touchMembers(tx Reader, touched *Touched, groupID GroupID) error {
	members, err := membersOf(tx, groupID, true)
	for _, m := range members {
		if m.Kind == KindUser {
			touched.scope(KindUser, m.ID)
		}
	}
	return err
}

// Group returns one group, or GroupNotFound.
func (t *Tenant) Group(ctx context.Context, id GroupID) (g Group, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		g, err = r.Group(id)
		return refusal.IfNoRow(err, GroupNotFound, string(id))
	})
	return g, err
}

// Groups lists groups in the order of their ids.
func (t *Tenant) Groups(ctx context.Context, q Query) (groups []Group, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		groups, err = r.Groups(q)
		return err
	})
	return groups, err
}
