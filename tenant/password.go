package tenant

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// The bounds of passwords. Source: "Password policies and account restrictions in Microsoft Entra
// ID".
const (
	minPassword = 8   //bound:text a password of the tenant at least, in characters
	maxPassword = 256 //bound:text a password of the tenant, in characters
)

// Password is the password of an account, with the memory of wrong attempts.
type Password struct {
	Account     AccountID `json:"Principal"`
	Hash        string
	OneTime     bool `json:",omitempty"` // somebody else made it: it must be replaced at the next sign-in
	Lockout     authn.Lockout
	CodeLockout authn.Lockout  // wrong codes, which only somebody who knows the password can send
	Known       []KnownBrowser `json:",omitempty"` // the one that was used last comes last
}

// passwordReader reads passwords.
type passwordReader interface {
	Password(AccountID) (Password, error)
}

// passwordWriter writes passwords.
type passwordWriter interface {
	PutPassword(Password) error
}

// CheckPassword is the rule for all passwords, at every door. It fails with InvalidValue.
func CheckPassword(password string) error {
	n := utf8.RuneCountInString(password)
	if n < minPassword || n > maxPassword || !utf8.ValidString(password) || strings.ContainsAny(password, "\x00\r\n") {
		return &refusal.Error{Code: InvalidValue, Subject: "password", Detail: "use 8 to 256 characters in one line"}
	}
	return nil
}

// newPassword checks a password that somebody sets and hashes it, outside any transaction, since
// that takes long. It fails with InvalidValue or SignInBusy.
func (t *Tenant) newPassword(ctx context.Context, by audit.Actor, password string) (hash string, err error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	return t.hashPassword(ctx, "set by "+by.Name, password)
}

// newPasswordFor is newPassword for a change of which check knows whether the rest will do: what is
// refused costs no hash. Without a password there is no hash.
func (t *Tenant) newPasswordFor(
	ctx context.Context,
	by audit.Actor,
	password string,
	check func(Reader) error,
) (string, error) {
	if password == "" {
		return "", nil
	}
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	if err := t.Store.View(ctx, check); err != nil {
		return "", err
	}
	return t.newPassword(ctx, by, password)
}

// putPassword replaces an account's password. Mistakes with the old one are forgotten, but not
// wrong codes, and the browsers that are known stay so: they open nothing by themselves.
func putPassword(tx Tx, account AccountID, hash string, oneTime bool) error {
	old, err := tx.Password(account)
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	return tx.PutPassword(
		Password{Account: account, Hash: hash, OneTime: oneTime, CodeLockout: old.CodeLockout, Known: old.Known},
	)
}
