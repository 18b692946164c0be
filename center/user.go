package center

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
)

// UserID is a user's id: a UUID that never changes and is never used again.
type UserID string

// User is a person in the identity store.
type User struct {
	ID                UserID
	UserName          string // 1–128 characters without blanks; unique ignoring letter case; the SAML NameID matches it
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
	Emails            []Email
	PhoneNumbers      []PhoneNumber
	Addresses         []Address
	Roles             []Role
	Photos            []Photo
	Enterprise        Enterprise
	CreatedAt         time.Time
	CreatedBy         string
	UpdatedAt         time.Time
	UpdatedBy         string
}

// PersonName is the parts of a name. Given and family name are required.
type PersonName struct {
	Formatted, FamilyName, GivenName, MiddleName, HonorificPrefix, HonorificSuffix string
}

// Email is an e-mail address; a user has at most one.
type Email struct {
	Value, Type string
	Primary     bool
}

// PhoneNumber is a telephone number; a user has at most one.
type PhoneNumber struct {
	Value, Type string
	Primary     bool
}

// Address is a postal address; a user has at most one.
type Address struct {
	Formatted, StreetAddress, Locality, Region, PostalCode, Country, Type string
	Primary                                                               bool
}

// Role is a role name that the identity provider gives; a user has at most one. It grants nothing here.
type Role struct {
	Value, Type string
	Primary     bool
}

// Photo is the address of a picture; a user has at most three.
type Photo struct {
	Value, Type, Display string
	Primary              bool
}

// Enterprise is the enterprise extension's attributes. The zero value means that there are none.
type Enterprise struct {
	EmployeeNumber, CostCenter, Organization, Division, Department, Manager string
}

// PrimaryEmail returns the user's address, or "".
func (u User) PrimaryEmail() string {
	if len(u.Emails) == 0 {
		return ""
	}
	return u.Emails[0].Value
}

// UserNameIsEmail says whether the user name has the shape of an e-mail address, which a SAML NameID must have.
func (u User) UserNameIsEmail() bool {
	local, domain, ok := strings.Cut(u.UserName, "@")
	return ok && local != "" && strings.Contains(strings.Trim(domain, "."), ".") && !strings.Contains(domain, "@")
}

// Fold is the form of a name that uniqueness is judged by: letter case is ignored, accents are not.
func Fold(s string) string { return strings.ToLower(s) }

// UserQuery selects users. Fields that are set narrow the result together.
type UserQuery struct {
	IDs    []UserID // nil: any
	After  UserID   // page by key: ids greater than this
	Offset int      // SCIM's startIndex - 1
	Limit  int      // 0: no limit
	Search string   // part of user name or display name, ignoring letter case
}

const (
	maxText     = 1024
	maxUserName = 128
)

// checkText is the rule of plain text attributes: 1–1024 characters, no control characters.
// Source: identitystore model, SensitiveStringType; SCIM guide, characters that are refused.
func checkText(field, value string, limit int) error {
	if utf8.RuneCountInString(value) > limit {
		return &Error{Code: InvalidValue, Field: field, Detail: "too long"}
	}
	if !utf8.ValidString(value) || strings.IndexFunc(value, unicode.IsControl) >= 0 {
		return &Error{Code: InvalidValue, Field: field, Detail: "control characters are not allowed"}
	}
	return nil
}

// check applies the rules that need no other object. Sources: SCIM guide, "CreateUser"; identitystore model.
func (u User) check() error {
	for _, f := range []struct{ field, value string }{
		{"userName", u.UserName}, {"name.givenName", u.Name.GivenName}, {"name.familyName", u.Name.FamilyName}, {"displayName", u.DisplayName},
	} {
		if strings.TrimSpace(f.value) == "" {
			return &Error{Code: MissingValue, Field: f.field, Subject: u.UserName}
		}
	}
	if err := checkText("userName", u.UserName, maxUserName); err != nil {
		return err
	}
	if strings.IndexFunc(u.UserName, unicode.IsSpace) >= 0 {
		return &Error{Code: InvalidValue, Field: "userName", Detail: "blanks are not allowed"}
	}
	if Fold(u.UserName) == "administrator" || Fold(u.UserName) == "awsadministrators" {
		return &Error{Code: InvalidValue, Field: "userName", Detail: "the name is reserved"}
	}
	for field, n := range map[string]int{"emails": len(u.Emails), "phoneNumbers": len(u.PhoneNumbers), "addresses": len(u.Addresses), "roles": len(u.Roles)} {
		if n > 1 {
			return &Error{Code: NotSingleValued, Field: field, Subject: u.UserName}
		}
	}
	if len(u.Photos) > 3 {
		return &Error{Code: InvalidValue, Field: "photos", Detail: "at most three"}
	}
	if u.Birthdate != "" {
		if _, err := time.Parse(time.DateOnly, u.Birthdate); err != nil {
			return &Error{Code: InvalidValue, Field: "birthdate", Detail: "want YYYY-MM-DD"}
		}
	}
	return u.checkTexts()
}

func (u User) checkTexts() error {
	texts := []struct{ field, value string }{
		{"externalId", u.ExternalID}, {"name.formatted", u.Name.Formatted}, {"name.familyName", u.Name.FamilyName}, {"name.givenName", u.Name.GivenName},
		{"name.middleName", u.Name.MiddleName}, {"name.honorificPrefix", u.Name.HonorificPrefix}, {"name.honorificSuffix", u.Name.HonorificSuffix},
		{"displayName", u.DisplayName}, {"nickName", u.NickName}, {"profileUrl", u.ProfileURL}, {"title", u.Title}, {"userType", u.UserType},
		{"preferredLanguage", u.PreferredLanguage}, {"locale", u.Locale}, {"timezone", u.Timezone}, {"website", u.Website},
		{"employeeNumber", u.Enterprise.EmployeeNumber}, {"costCenter", u.Enterprise.CostCenter}, {"organization", u.Enterprise.Organization},
		{"division", u.Enterprise.Division}, {"department", u.Enterprise.Department}, {"manager", u.Enterprise.Manager},
	}
	for _, e := range u.Emails {
		if !strings.Contains(e.Value, "@") {
			return &Error{Code: InvalidValue, Field: "emails", Detail: "not an e-mail address"}
		}
		texts = append(texts, struct{ field, value string }{"emails", e.Value}, struct{ field, value string }{"emails.type", e.Type})
	}
	for _, p := range u.PhoneNumbers {
		texts = append(texts, struct{ field, value string }{"phoneNumbers", p.Value}, struct{ field, value string }{"phoneNumbers.type", p.Type})
	}
	for _, a := range u.Addresses { // addresses may span lines
		joined := strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(a.Formatted + a.StreetAddress)
		texts = append(texts, struct{ field, value string }{"addresses", joined},
			struct{ field, value string }{"addresses", a.Locality + a.Region + a.PostalCode + a.Country + a.Type})
	}
	for _, t := range texts {
		if err := checkText(t.field, t.value, maxText); err != nil {
			return err
		}
	}
	return nil
}

// checkUnique refuses a user whose user name, e-mail address or external id another user has.
func (u User) checkUnique(tx Reader) error {
	type lookup struct {
		code  Code
		value string
		find  func(string) (User, error)
	}
	for _, l := range []lookup{
		{UserNameTaken, u.UserName, tx.UserByName}, {EmailTaken, u.PrimaryEmail(), tx.UserByEmail}, {ExternalIDTaken, u.ExternalID, tx.UserByExternalID},
	} {
		if l.value == "" {
			continue
		}
		other, err := l.find(l.value)
		if err == nil && other.ID != u.ID {
			return &Error{Code: l.code, Subject: l.value, Detail: "held by user " + string(other.ID)}
		}
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
	}
	return nil
}

// CreateUser adds a user. The caller says whether the user is active; id and times are set here. It fails with UserNameTaken,
// EmailTaken, ExternalIDTaken, ManagedByProvisioning (by is a person while automatic provisioning is on) or a code of kind
// Invalid. Source: IAM Identity Center user guide, "Considerations".
func (c *Center) CreateUser(ctx context.Context, by audit.Actor, u User) (User, error) {
	u.ID, u.CreatedAt, u.CreatedBy = UserID(c.NewID()), c.now(), by.Name
	u.UpdatedAt, u.UpdatedBy = u.CreatedAt, by.Name
	err := c.change(ctx, by, "CreateUser", func(tx Tx) (string, error) {
		if err := u.check(); err != nil {
			return u.UserName, err
		}
		if err := u.checkUnique(tx); err != nil {
			return u.UserName, err
		}
		return string(u.ID), tx.PutUser(u)
	})
	return u, err
}

// UpdateUser changes a user by edit, which may be called more than once. It fails as CreateUser does, and with UserNotFound.
// What edit does to id and creation is ignored. An edit that changes nothing leaves no trace.
func (c *Center) UpdateUser(ctx context.Context, by audit.Actor, id UserID, edit func(*User) error) (User, error) {
	var u User
	err := c.change(ctx, by, "UpdateUser", func(tx Tx) (string, error) {
		old, err := tx.User(id)
		if err != nil {
			return string(id), orRefuse(err, UserNotFound, string(id))
		}
		u = old.clone()
		if err := edit(&u); err != nil {
			return string(id), err
		}
		u.ID, u.CreatedAt, u.CreatedBy = old.ID, old.CreatedAt, old.CreatedBy
		u.UpdatedAt, u.UpdatedBy = c.now(), by.Name
		if err := u.check(); err != nil {
			return string(id), err
		}
		if err := u.checkUnique(tx); err != nil {
			return string(id), err
		}
		if old.Active && !u.Active { // sign-in ends at once, and so do existing sessions
			if err := tx.DeleteSessionsOf(id); err != nil {
				return string(id), err
			}
		}
		return string(id), tx.PutUser(u)
	})
	return u, err
}

// clone copies the lists, so that an edit that is refused leaves the original alone.
func (u User) clone() User {
	u.Emails = append([]Email(nil), u.Emails...)
	u.PhoneNumbers = append([]PhoneNumber(nil), u.PhoneNumbers...)
	u.Addresses = append([]Address(nil), u.Addresses...)
	u.Roles = append([]Role(nil), u.Roles...)
	u.Photos = append([]Photo(nil), u.Photos...)
	return u
}

// SetUserActive enables or disables a user. It is the one change to a user that the console allows under automatic provisioning.
func (c *Center) SetUserActive(ctx context.Context, by audit.Actor, id UserID, active bool) error {
	action := "EnableUser"
	if !active {
		action = "DisableUser"
	}
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), orRefuse(err, UserNotFound, string(id))
		}
		u.Active, u.UpdatedAt, u.UpdatedBy = active, c.now(), by.Name
		if !active {
			if err := tx.DeleteSessionsOf(id); err != nil {
				return string(id), err
			}
		}
		return string(id), tx.PutUser(u)
	})
}

// DeleteUser removes a user with memberships, password and sessions. Assignments of the vanished user stay listable but grant
// nothing, since ids are never used again.
func (c *Center) DeleteUser(ctx context.Context, by audit.Actor, id UserID) error {
	return c.change(ctx, by, "DeleteUser", func(tx Tx) (string, error) {
		if _, err := tx.User(id); err != nil {
			return string(id), orRefuse(err, UserNotFound, string(id))
		}
		return string(id), errors.Join(tx.DeleteMembershipsOf(id), tx.DeleteSessionsOf(id), tx.DeletePassword(string(id)), tx.DeleteUser(id))
	})
}

// User returns one user, or UserNotFound.
func (c *Center) User(ctx context.Context, id UserID) (User, error) {
	return findUser(ctx, c, string(id), func(r Reader) (User, error) { return r.User(id) })
}

// UserByName finds a user by user name, ignoring letter case, or fails with UserNotFound.
func (c *Center) UserByName(ctx context.Context, name string) (User, error) {
	return findUser(ctx, c, name, func(r Reader) (User, error) { return r.UserByName(name) })
}

// UserByEmail finds a user by e-mail address, ignoring letter case, or fails with UserNotFound.
func (c *Center) UserByEmail(ctx context.Context, email string) (User, error) {
	return findUser(ctx, c, email, func(r Reader) (User, error) { return r.UserByEmail(email) })
}

// UserByExternalID finds a user by the identity provider's id, exactly, or fails with UserNotFound.
func (c *Center) UserByExternalID(ctx context.Context, id string) (User, error) {
	return findUser(ctx, c, id, func(r Reader) (User, error) { return r.UserByExternalID(id) })
}

func findUser(ctx context.Context, c *Center, subject string, find func(Reader) (User, error)) (u User, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		u, err = find(r)
		return orRefuse(err, UserNotFound, subject)
	})
	return u, err
}

// Users lists users in the order of their ids, and says how many there are without the limits of q.
func (c *Center) Users(ctx context.Context, q UserQuery) (users []User, total int, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		if total, err = r.CountUsers(q); err != nil {
			return err
		}
		users, err = r.Users(q)
		return err
	})
	return users, total, err
}
