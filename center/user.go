package center

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// UserID is a user's id: a UUID that never changes and is never used again.
type UserID string

// User is a person in the identity store.
type User struct {
	ID                UserID
	UserName          string // 1–128 characters without blanks; unique ignoring case; a NameID matches it
	ExternalID        string // the identity provider's id; unique, exact; empty when none
	Active            bool
	Name              PersonName
	DisplayName       string
	NickName          string
	ProfileURL        string
	Title             string
	UserType          string
	PreferredLanguage string
	Locale            string
	Timezone          string
	Website           string
	Birthdate         string // YYYY-MM-DD
	Emails            []Value
	PhoneNumbers      []Value
	IMs               []Value
	Photos            []Value
	Entitlements      []Value
	Roles             []Value // names that the identity provider gives; they grant nothing here
	Certificates      []Value
	Addresses         []Address
	Enterprise        Enterprise
	CreatedAt         time.Time
	CreatedBy         string
	UpdatedAt         time.Time
	UpdatedBy         string
	Version           int64     // counts changes
	AddressChangedAt  time.Time `json:",omitzero"` // the primary email address was; zero: never
	RolesSince        time.Time `json:",omitzero"` // credentials of roles that were got earlier are refused
}

// PersonName is the parts of a name. Given and family name are required.
type PersonName struct {
	Formatted, FamilyName, GivenName, MiddleName, HonorificPrefix, HonorificSuffix string
}

// Value is an entry of a multi-valued attribute. A user may have several, of which at most one is
// primary; AWS's interfaces take and show one.
type Value struct {
	Value, Display, Type string
	Primary              bool
}

// Address is a postal address.
type Address struct {
	Formatted, StreetAddress, Locality, Region, PostalCode, Country, Type string
	Primary                                                               bool
}

// Enterprise is the enterprise extension's attributes. The zero value means that there are none.
type Enterprise struct {
	EmployeeNumber, CostCenter, Organization, Division, Department, Manager string
}

// PrimaryOf returns the entry that stands for all of them where only one can be shown: the primary
// one, else the first, in a list of at most one.
func PrimaryOf(values []Value) []Value {
	for i, v := range values {
		if v.Primary {
			return values[i : i+1]
		}
	}
	return values[:min(1, len(values))]
}

// PrimaryAddressOf is PrimaryOf for addresses.
func PrimaryAddressOf(addresses []Address) []Address {
	for i, a := range addresses {
		if a.Primary {
			return addresses[i : i+1]
		}
	}
	return addresses[:min(1, len(addresses))]
}

// PrimaryEmail returns the address that is unique to the user, or "".
func (u User) PrimaryEmail() string {
	if one := PrimaryOf(u.Emails); len(one) > 0 {
		return one[0].Value
	}
	return ""
}

// UserNameIsEmail says whether the user name has the shape of an email address, which a SAML
// NameID must have.
func (u User) UserNameIsEmail() bool {
	local, domain, ok := strings.Cut(u.UserName, "@")
	return ok && local != "" && strings.Contains(strings.Trim(domain, "."), ".") && !strings.Contains(domain, "@")
}

// UserQuery selects users. Fields that are set narrow the result together.
type UserQuery struct {
	IDs    []UserID // nil: any
	After  UserID   // page by key: ids greater than this
	Offset int      // SCIM's startIndex - 1
	Limit  int      // 0: no limit
	Search string   // words that are parts of user name or display name, ignoring letter case

	Active     *bool // only users who are enabled, or disabled
	HasAccess  *bool // only users to whom, or to a group of whom, an account is assigned, or nobody such
	By         Order
	Descending bool
}

// Order is the order of a list; the zero value is that of the ids.
type Order int

// The orders of lists.
const (
	ByName        Order = iota + 1 // by user name, or by a group's display name
	ByDisplayName                  // of users
)

// normalize gives what people are found by the form in which it is kept.
func (u *User) normalize() {
	u.UserName = names.Normal(u.UserName)
	for i, e := range u.Emails {
		if n := names.Normal(e.Value); n != e.Value {
			u.Emails = slices.Clone(u.Emails)
			u.Emails[i].Value = n
		}
	}
}

// same says whether two states of a user do not differ in anything that an edit can change.
func (u User) same(old User) bool {
	texts, oldTexts := u.TextAttributes(), old.TextAttributes()
	for i := range texts {
		if *texts[i].Value != *oldTexts[i].Value {
			return false
		}
	}
	lists, oldLists := u.ListAttributes(), old.ListAttributes()
	for i := range lists {
		if !slices.Equal(*lists[i].Values, *oldLists[i].Values) {
			return false
		}
	}
	return u.Active == old.Active && slices.Equal(u.Addresses, old.Addresses)
}

// UserKeys is what must be unique of a user, in the form that uniqueness is judged by.
type UserKeys struct {
	ID                          UserID
	UserName, Email, ExternalID string // folded, folded, exact
}

// userReader reads users.
type userReader interface {
	User(UserID) (User, error)
	UserByName(string) (User, error)       // ignores letter case
	UserByEmail(string) (User, error)      // ignores letter case
	UserByExternalID(string) (User, error) // exact
	// UsersHolding returns who has one of the keys: user name and email address ignoring letter
	// case, external id exactly. Empty keys match nobody.
	UsersHolding(userName, email, externalID string) ([]UserKeys, error)
	Users(UserQuery) ([]User, error)
	CountUsers(UserQuery) (int, error)
}

// userWriter writes users.
type userWriter interface {
	// AddUser says whether the user was added: false when another one has its id, user name, email
	// address or external id. It may first say that the user was added, and have Update run its
	// function again if that turns out to be wrong.
	AddUser(User) (bool, error)
	PutUser(User) error
	// PutUserKeepingKeys is PutUser for a user whose name, address, external id and display name
	// are as they were.
	PutUserKeepingKeys(User) error
	DeleteUser(UserID) error
}

func (u User) keys() UserKeys {
	return UserKeys{u.ID, names.Fold(u.UserName), names.Fold(u.PrimaryEmail()), u.ExternalID}
}

// checkUnique refuses a user whose user name, email address or external id another user has.
func (u User) checkUnique(tx Reader) error {
	own := u.keys()
	holders, err := tx.UsersHolding(own.UserName, own.Email, own.ExternalID)
	if err != nil {
		return err
	}
	for _, other := range holders {
		e := &refusal.Error{Detail: "held by user " + string(other.ID)}
		switch {
		case other.ID == u.ID:
			continue
		case other.UserName == own.UserName:
			e.Code, e.Subject = UserNameTaken, u.UserName
		case own.Email != "" && other.Email == own.Email:
			e.Code, e.Subject = EmailTaken, u.PrimaryEmail()
		default:
			e.Code, e.Subject = ExternalIDTaken, u.ExternalID
		}
		return e
	}
	return nil
}

// CreateUser adds a user. The caller says whether the user is active; id and times are set here. It
// fails with UserNameTaken, EmailTaken, ExternalIDTaken, ManagedByProvisioning (by is a person
// while automatic provisioning is on) or a code of kind Invalid. rules are those of the door on top
// of the store's own, such as User.CheckAWS. Source: IAM Identity Center user guide,
// "Considerations".
func (c *Center) CreateUser(ctx context.Context, by audit.Actor, u User, rules ...func(User) error) (User, error) {
	return c.createUser(ctx, by, u, nil, rules...)
}

// createUser is CreateUser and what follows in the same transaction: both or neither.
func (c *Center) createUser(
	ctx context.Context, by audit.Actor, u User, and func(Tx, User) error, rules ...func(User) error,
) (User, error) {
	u.normalize()
	u.ID = UserID(c.NewID())
	u.CreatedAt = c.now()
	u.CreatedBy = by.Name
	u.UpdatedAt = u.CreatedAt
	u.UpdatedBy = by.Name
	u.AddressChangedAt = c.firstAddressSince(by)
	age := c.users.Age()
	defer c.userPlaces.Forget()
	err := c.change(ctx, by, ActionCreateUser, func(tx Tx) (string, error) {
		if err := u.Check(); err != nil {
			return u.UserName, err
		}
		if err := u.checkChanged(User{}); err != nil {
			return u.UserName, err
		}
		for _, rule := range rules {
			if err := rule(u); err != nil {
				return u.UserName, err
			}
		}
		if added, err := tx.AddUser(u); err != nil || added {
			if added && err == nil && and != nil {
				err = and(tx, u)
			}
			return string(u.ID), err
		}
		if err := u.checkUnique(tx); err != nil {
			return u.UserName, err
		}
		return string(u.ID), errors.New("the store refused a user whose keys nobody has")
	})
	if err == nil && !c.Store.Shared() { // only what was read is proven
		c.keepUser(u, age)
	}
	return u, err
}

// UpdateUser changes a user by edit, which may be called more than once. It fails as CreateUser
// does, and with UserNotFound. What edit does to id and creation is ignored. An edit that changes
// nothing leaves the user as it was, with its version (RFC 7644 §3.5.2).
func (c *Center) UpdateUser(ctx context.Context, by audit.Actor, id UserID, edit func(*User) error) (User, error) {
	defer c.users.Forget(string(id))
	var u User
	var tell string
	err := c.change(ctx, by, ActionUpdateUser, func(tx Tx) (string, error) {
		old, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		u, tell = old.clone(), ""
		if err := edit(&u); err != nil {
			return string(id), err
		}
		u.normalize()
		if u.same(old) {
			u = old
			return string(id), nil
		}
		u.ID = old.ID
		u.CreatedAt = old.CreatedAt
		u.CreatedBy = old.CreatedBy
		u.UpdatedAt = c.now()
		u.UpdatedBy = by.Name
		u.Version = old.Version + 1
		if err := u.Check(); err != nil {
			return string(id), err
		}
		if err := u.checkChanged(old); err != nil {
			return string(id), err
		}
		if tell, err = c.noteAddress(tx, old, &u); err != nil {
			return string(id), err
		}
		put := tx.PutUserKeepingKeys
		if u.keys() != old.keys() || u.DisplayName != old.DisplayName {
			put = tx.PutUser
			if err := u.checkUnique(tx); err != nil {
				return string(id), err
			}
		}
		if u.DisplayName != old.DisplayName { // which groups show with their members
			if err := tx.TouchGroupsOf(id, u.UpdatedAt, by.Name); err != nil {
				return string(id), err
			}
		}
		if err := c.followActive(tx, by, ActionUpdateUser, old.Active, &u); err != nil {
			return string(id), err
		}
		return string(id), put(u)
	})
	if err == nil {
		c.tellOldAddress(ctx, tell, u)
	}
	if err == nil && !u.Active {
		c.wakeRoleWorkers() // roles may have to refuse the user
	}
	return u, err
}

// clone copies the lists, so that an edit that is refused leaves the original alone.
func (u User) clone() User {
	for _, l := range u.ListAttributes() {
		*l.Values = slices.Clone(*l.Values)
	}
	u.Addresses = slices.Clone(u.Addresses)
	return u
}

// SetUserActive enables or disables a user. It is the one change to a user that the console allows
// under automatic provisioning.
func (c *Center) SetUserActive(ctx context.Context, by audit.Actor, id UserID, active bool) error {
	defer c.users.Forget(string(id))
	action := ActionEnableUser
	if !active {
		action = ActionDisableUser
	}
	err := c.change(ctx, by, action, func(tx Tx) (string, error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		was := u.Active
		u.Active = active
		u.UpdatedAt = c.now()
		u.UpdatedBy = by.Name
		u.Version = u.Version + 1
		if err := c.followActive(tx, by, action, was || !active, &u); err != nil { // disabling again ends all again
			return string(id), err
		}
		return string(id), tx.PutUserKeepingKeys(u)
	})
	if err == nil && !active {
		c.wakeRoleWorkers()
	}
	return err
}

// followActive does what follows when a user is disabled: sign-in ends at once, and so does all
// that is open, credentials of roles included. They stay ended when the user is enabled again.
func (c *Center) followActive(tx Tx, by audit.Actor, action Action, was bool, u *User) error {
	switch {
	case was && !u.Active:
		open, err := tx.OpenedBy(string(u.ID), c.now())
		if err != nil {
			return err
		}
		ended, err := c.revoke(tx, by, action, *u, open)
		if err != nil {
			return err
		}
		return errors.Join(tx.PutRevocation(ended), open.end(tx, string(u.ID), ""))
	case !was && u.Active:
		u.RolesSince = another(c.now(), u.RolesSince)
	}
	return nil
}

// DeleteUser removes a user with memberships, password, devices and sessions. Assignments of the
// vanished user stay listable but grant nothing, since ids are never used again. rules may refuse,
// such as because of the user's version.
func (c *Center) DeleteUser(ctx context.Context, by audit.Actor, id UserID, rules ...func(User) error) error {
	defer c.users.Forget(string(id))
	defer c.userPlaces.Forget()
	defer c.wakeRoleWorkers()
	return c.change(ctx, by, ActionDeleteUser, func(tx Tx) (string, error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		for _, rule := range rules {
			if err := rule(u); err != nil {
				return string(id), err
			}
		}
		open, err := tx.OpenedBy(string(id), c.now())
		if err != nil {
			return string(id), err
		}
		ended, err := c.revoke(tx, by, ActionDeleteUser, u, open)
		if err == nil {
			err = c.keepDeparted(tx, PrincipalUser, string(id), u.UserName, u.ExternalID)
		}
		if err == nil && (u.Active || len(ended.Sessions)+len(ended.Roles) > 0) {
			err = tx.PutRevocation(ended) // who was out already leaves nothing more to prove
		}
		if err != nil {
			return string(id), err
		}
		return string(id), errors.Join(
			tx.TouchGroupsOf(id, c.now(), by.Name), tx.DeleteMembershipsOf(id), tx.DeleteSessionsOf(id),
			tx.DeletePassword(string(id)),
			tx.DeleteMFADevicesOf(string(id)), dropTickets(tx, string(id)),
			tx.DeleteTicketsOf(KnownBrowser, string(id)), tx.DeleteUser(id),
		)
	})
}

// User returns one user, or UserNotFound.
func (c *Center) User(ctx context.Context, id UserID) (User, error) {
	if known, ok := c.rememberedUser(ctx, id); ok {
		return known, nil
	}
	return c.keptUser(func() (User, error) {
		return findUser(ctx, c, string(id), func(r Reader) (User, error) { return r.User(id) })
	})
}

// keptUser reads a user and remembers it where that is allowed.
func (c *Center) keptUser(find func() (User, error)) (User, error) {
	age := c.users.Age()
	u, err := find()
	if err == nil {
		c.keepUser(u, age)
	}
	return u, err
}

// UserByName finds a user by user name, ignoring letter case, or fails with UserNotFound.
func (c *Center) UserByName(ctx context.Context, name string) (User, error) {
	if known, ok := c.rememberedName(ctx, names.Fold(name)); ok {
		return known, nil
	}
	return c.keptUser(func() (User, error) {
		return findUser(ctx, c, name, func(r Reader) (User, error) { return r.UserByName(name) })
	})
}

// UserByEmail finds a user by email address, ignoring letter case, or fails with UserNotFound.
func (c *Center) UserByEmail(ctx context.Context, email string) (User, error) {
	return findUser(ctx, c, email, func(r Reader) (User, error) { return r.UserByEmail(email) })
}

// UserByExternalID finds a user by the identity provider's id, exactly, or fails with UserNotFound.
func (c *Center) UserByExternalID(ctx context.Context, id string) (User, error) {
	return findUser(ctx, c, id, func(r Reader) (User, error) { return r.UserByExternalID(id) })
}

func findUser(ctx context.Context, c *Center, subject string, find func(Reader) (User, error)) (u User, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		u, err = find(r)
		return refusal.IfNoRow(err, UserNotFound, subject)
	})
	return u, err
}

// Users lists users in the order of their ids.
func (c *Center) Users(ctx context.Context, q UserQuery) (users []User, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		users, err = r.Users(q)
		return err
	})
	return users, err
}

// CountUsers says how many users there are without the limits of q.
func (c *Center) CountUsers(ctx context.Context, q UserQuery) (n int, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		n, err = r.CountUsers(q)
		return err
	})
	return n, err
}
