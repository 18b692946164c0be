package adminapi

import (
	"context"
	"time"
)

// What an administrator does about people. Users, groups and memberships themselves are kept with
// AWS's identitystore, which has no word for the rest.

// User is a user of the identity store.
type User struct {
	UserID      string `json:"UserId"`
	UserName    string
	DisplayName string
	Email       string     `json:",omitempty"`
	Status      string     // ENABLED or DISABLED
	ExternalID  string     `json:"ExternalId,omitempty"`
	CreatedAt   *time.Time `json:",omitempty"`
}

// States of users.
const (
	UserEnabled  = "ENABLED"
	UserDisabled = "DISABLED"
)

// SearchUsersInput asks for users whose name or email contains a text; "" is all.
type SearchUsersInput struct {
	Search    string `json:",omitempty"`
	NextToken string `json:",omitempty"`
}

// Users is a page of users.
type Users struct {
	Users     []User
	Total     int
	NextToken string `json:",omitempty"`
}

// UserInput names a user, by id or by name.
type UserInput struct {
	UserID   string `json:"UserId,omitempty"`
	UserName string `json:",omitempty"`
}

// The ways to give a user a password, as CloudTrail has them in UpdatePassword.
const (
	PasswordByEmail = "EMAIL" // a link to set one with
	PasswordOnce    = "OTP"   // a one-time password to hand over
)

// UpdatePasswordInput gives a user another password.
type UpdatePasswordInput struct {
	UserID       string `json:"UserId"`
	PasswordMode string // EMAIL or OTP
	// AddressIsTheirs says that the administrator vouches for an address that changed lately.
	AddressIsTheirs bool `json:",omitempty"`
}

// NewPassword is the answer of UpdatePassword: the password, where it is one to hand over.
type NewPassword struct {
	Password string `json:",omitempty"`
}

// MFADevice is a second factor of a user.
type MFADevice struct {
	DeviceID   string `json:"DeviceId"`
	DeviceName string
	DeviceType string // TOTP or WEBAUTHN
	CreatedAt  time.Time
	LastUsedAt *time.Time `json:",omitempty"`
}

// MFADevices is the answer of ListMfaDevicesForUser.
type MFADevices struct {
	Devices []MFADevice
}

// DeviceInput names a second factor of a user.
type DeviceInput struct {
	UserID   string `json:"UserId"`
	DeviceID string `json:"DeviceId"`
}

// DeviceRegistration is the answer of StartVirtualMfaDeviceRegistration: the secret for the app,
// and what the registration is completed with.
type DeviceRegistration struct {
	Registration string
	Secret       string // base32, for the app
}

// CompleteDeviceInput completes the registration of an authenticator app with a code of it.
type CompleteDeviceInput struct {
	UserID       string `json:"UserId"`
	Registration string
	DeviceName   string
	Code         string
}

// UserSession is a session of a user: a browser in the access portal, or a program that the user
// has allowed.
type UserSession struct {
	SessionID string `json:"SessionId"`
	UserAgent string `json:",omitempty"`
	Address   string `json:",omitempty"`
	Program   bool   // of a program, such as the aws CLI
	CreatedAt time.Time
	ExpiresAt time.Time
}

// UserSessions is the answer of ListSessions.
type UserSessions struct {
	Sessions []UserSession
}

// SessionInput names one session of a user, or with All every one.
type SessionInput struct {
	UserID    string `json:"UserId"`
	SessionID string `json:"SessionId,omitempty"`
	All       bool   `json:",omitempty"`
}

// SearchUsers lists the users whose name or email contains a text, all pages of them up to most.
func (c *Client) SearchUsers(ctx context.Context, search string, most int) (users []User, total int, err error) {
	in := SearchUsersInput{Search: search}
	for {
		page, err := call[Users](ctx, c, "SearchUsers", in)
		if err != nil {
			return nil, 0, err
		}
		users, total = append(users, page.Users...), page.Total
		if in.NextToken = page.NextToken; in.NextToken == "" || len(users) >= most {
			return users[:min(len(users), most)], total, nil
		}
	}
}

// DescribeUser finds a user by id or by name.
func (c *Client) DescribeUser(ctx context.Context, in UserInput) (User, error) {
	return call[User](ctx, c, "DescribeUser", in)
}

// EnableUser lets a user sign in.
func (c *Client) EnableUser(ctx context.Context, id string) error {
	_, err := call[None](ctx, c, "EnableUser", UserInput{UserID: id})
	return err
}

// DisableUser keeps a user from signing in, and ends the sessions.
func (c *Client) DisableUser(ctx context.Context, id string) error {
	_, err := call[None](ctx, c, "DisableUser", UserInput{UserID: id})
	return err
}

// UpdatePassword sends a link to set a password with, or makes a one-time password.
func (c *Client) UpdatePassword(ctx context.Context, in UpdatePasswordInput) (password string, err error) {
	out, err := call[NewPassword](ctx, c, "UpdatePassword", in)
	return out.Password, err
}

// MFADevices lists the second factors of a user.
func (c *Client) MFADevices(ctx context.Context, user string) ([]MFADevice, error) {
	out, err := call[MFADevices](ctx, c, "ListMfaDevicesForUser", UserInput{UserID: user})
	return out.Devices, err
}

// DeleteMFADevice takes a second factor away from a user, and ends the sessions.
func (c *Client) DeleteMFADevice(ctx context.Context, user, device string) error {
	_, err := call[None](ctx, c, "DeleteMfaDeviceForUser", DeviceInput{user, device})
	return err
}

// StartDevice begins to register an authenticator app for a user.
func (c *Client) StartDevice(ctx context.Context, user string) (DeviceRegistration, error) {
	return call[DeviceRegistration](ctx, c, "StartVirtualMfaDeviceRegistration", UserInput{UserID: user})
}

// CompleteDevice registers the app, which a code of it proves to have the secret.
func (c *Client) CompleteDevice(ctx context.Context, in CompleteDeviceInput) error {
	_, err := call[None](ctx, c, "CompleteVirtualMfaDeviceRegistration", in)
	return err
}

// Sessions lists the sessions of a user.
func (c *Client) Sessions(ctx context.Context, user string) ([]UserSession, error) {
	out, err := call[UserSessions](ctx, c, "ListSessions", UserInput{UserID: user})
	return out.Sessions, err
}

// DeleteSessions ends one session of a user, or all of them.
func (c *Client) DeleteSessions(ctx context.Context, in SessionInput) error {
	_, err := call[None](ctx, c, "DeleteSession", in)
	return err
}
