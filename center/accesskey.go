package center

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// KeyRole is what the holder of an access key may do.
type KeyRole string

// The roles of access keys.
const (
	RoleAdministrator KeyRole = "administrator"
	// may read everything, and change users, groups and memberships
	RoleUserAdministrator KeyRole = "user-administrator"
	RoleReadOnly          KeyRole = "read-only"
)

// Reads says whether a role may read. One that is not known may nothing.
func (r KeyRole) Reads() bool { return r == RoleReadOnly || r.Changes() }

// Changes says whether there is anything that a role may change. Source of what: actions.go.
func (r KeyRole) Changes() bool { return r == RoleAdministrator || r == RoleUserAdministrator }

// AccessKey is a long-term SigV4 key of an administrator or a program.
type AccessKey struct {
	ID              string // AKIA and 16 characters
	SealedSecret    string // sealed for a purpose of the key's own
	Principal       string // who it is for, as events name it
	Role            KeyRole
	Disabled        bool
	CreatedAt       time.Time
	LastUsedAt      time.Time // zero: never used
	LastUsedAddress string
	LastUsedService string // the service that was called last, such as identitystore

	Stored string `json:"-"` // the text that it is stored as, where it was read by its id
}

// accessKeyReader reads access keys.
type accessKeyReader interface {
	AccessKey(id string) (AccessKey, error)
	AccessKeys() ([]AccessKey, error)
}

// accessKeyWriter writes access keys.
type accessKeyWriter interface {
	PutAccessKey(AccessKey) error
	DeleteAccessKey(id string) error
	// RequireAccessKey has the transaction fail with ErrNoLongerSo, at the latest at its end,
	// unless a key is stored as it was read.
	RequireAccessKey(AccessKey) error
}

// EffectiveRole is the key's role; keys of the first release had none and were administrators'.
func (k AccessKey) EffectiveRole() KeyRole {
	if k.Role == "" {
		return RoleAdministrator
	}
	return k.Role
}

// MaxAccessKeys bounds the access keys of a center.
const MaxAccessKeys = 100 //bound:rows access keys

// purpose binds the sealed secret to its key: under another one it opens nothing.
func (k AccessKey) purpose() string { return "access-key/" + k.ID }

// Secret opens the secret of a key. It fails when another master key sealed it.
func (k AccessKey) Secret(sealer *authn.Sealer) (authn.Secret, error) {
	plain, err := sealer.Open(k.purpose(), k.SealedSecret)
	return authn.Secret(plain), err
}

// CheckSealed says which access keys a master key does not open, in a line for each.
func CheckSealed(ctx context.Context, s Store, key authn.MasterKey) (problems []string, err error) {
	var keys []AccessKey
	if err := s.View(ctx, func(r Reader) (err error) {
		keys, err = r.AccessKeys()
		return err
	}); err != nil || len(keys) == 0 {
		return nil, err
	}
	sealer, err := key.LoadFor(func(sealer *authn.Sealer) error {
		_, err := keys[0].Secret(sealer)
		return err
	})
	if err != nil {
		return []string{"master key: " + err.Error()}, nil
	}
	for _, k := range keys[1:] {
		if _, err := k.Secret(sealer); err != nil {
			problems = append(problems, "access key: the secret of "+k.ID+" cannot be opened")
		}
	}
	return problems, nil
}

// OpenedKey is an access key with its secret.
type OpenedKey struct {
	AccessKey
	SecretAccessKey authn.Secret
}

// CreateAccessKey makes a key. The secret is returned here and never again. It fails with
// TooManyKeys or a code of kind Invalid.
func (c *Center) CreateAccessKey(
	ctx context.Context, by audit.Actor, principal string, role KeyRole,
) (OpenedKey, error) {
	key := c.newAccessKey(principal, role)
	err := c.change(ctx, by, ActionCreateAccessKey, func(tx Tx) (string, error) {
		if !role.Reads() {
			return principal, &refusal.Error{
				Code:   InvalidValue,
				Field:  "role",
				Detail: "use administrator, user-administrator or read-only",
			}
		}
		if strings.TrimSpace(principal) == "" {
			return principal, &refusal.Error{Code: MissingValue, Field: "userName"}
		}
		if err := checkText("userName", principal, maxUserName); err != nil {
			return principal, err
		}
		keys, err := tx.AccessKeys()
		if err != nil {
			return principal, err
		}
		if len(keys) >= MaxAccessKeys {
			return principal, &refusal.Error{Code: TooManyKeys}
		}
		return key.ID, tx.PutAccessKey(key.AccessKey)
	})
	return key, err
}

func (c *Center) newAccessKey(principal string, role KeyRole) OpenedKey {
	secret := authn.NewSecret(30) // 40 characters, as the real ones
	key := AccessKey{ID: "AKIA" + KeyIDSuffix(), Principal: principal, Role: role, CreatedAt: c.now()}
	key.SealedSecret = c.Sealer.Seal(key.purpose(), []byte(secret))
	return OpenedKey{key, authn.Secret(secret)}
}

// KeyIDSuffix returns the 16 random characters that follow AKIA or ASIA in an access key id.
func KeyIDSuffix() string { return strings.ToUpper(authn.NewHex(8)) }

// SetAccessKeyEnabled enables or disables a key, at once. It fails with KeyNotFound, and with
// LastAdministratorKey rather than leave nobody who could enable one again over the API.
func (c *Center) SetAccessKeyEnabled(ctx context.Context, by audit.Actor, id string, enabled bool) error {
	defer c.remembered.forget()
	return c.change(ctx, by, ActionUpdateAccessKey, func(tx Tx) (string, error) {
		key, err := tx.AccessKey(id)
		if err != nil {
			return id, refusal.IfNoRow(err, KeyNotFound, id)
		}
		if !enabled {
			if err := keepAnAdministrator(tx, id); err != nil {
				return id, err
			}
		}
		key.Disabled = !enabled
		return id, tx.PutAccessKey(key)
	})
}

// DeleteAccessKey deletes a key, at once. It fails as SetAccessKeyEnabled does.
func (c *Center) DeleteAccessKey(ctx context.Context, by audit.Actor, id string) error {
	defer c.remembered.forget()
	return c.change(ctx, by, ActionDeleteAccessKey, func(tx Tx) (string, error) {
		if _, err := tx.AccessKey(id); err != nil {
			return id, refusal.IfNoRow(err, KeyNotFound, id)
		}
		if err := keepAnAdministrator(tx, id); err != nil {
			return id, err
		}
		return id, tx.DeleteAccessKey(id)
	})
}

// keepAnAdministrator refuses to do without the key when it is the last enabled one of an
// administrator.
func keepAnAdministrator(tx Reader, without string) error {
	keys, err := tx.AccessKeys()
	if err != nil {
		return err
	}
	for _, k := range keys {
		administrates := !k.Disabled && k.EffectiveRole() == RoleAdministrator
		if administrates == (k.ID != without) { // another one does, or this one does not
			return nil
		}
	}
	return &refusal.Error{Code: LastAdministratorKey, Subject: without}
}

// maxKeyID is IAM's limit. Source: IAM API reference, AccessKey.
const maxKeyID = 128 //bound:text the id of an access key

// AccessKeySecret returns an enabled access key and its secret, or NotAllowed.
func (c *Center) AccessKeySecret(ctx context.Context, id string) (OpenedKey, error) {
	if len(id) > maxKeyID {
		return OpenedKey{}, &refusal.Error{Code: NotAllowed, Subject: id, Detail: "no such access key"}
	}
	if known, ok := trusted(ctx, c, &c.remembered.keys, id, c.trustKey); ok {
		return known, nil
	}
	age := c.remembered.keys.Age()
	var key AccessKey
	err := c.Store.Get(ctx, func(r Reader) (err error) {
		key, err = r.AccessKey(id)
		return err
	})
	key.Role = key.EffectiveRole()
	if errors.Is(err, refusal.ErrNoRow) || (err == nil && key.Disabled) {
		return OpenedKey{}, noSuchKey(id)
	}
	if err != nil {
		return OpenedKey{}, err
	}
	secret, err := key.Secret(c.Sealer)
	if err != nil {
		return OpenedKey{}, err
	}
	opened := OpenedKey{key, secret}
	if c.mayKeep() {
		c.remembered.keys.Keep(id, opened, age)
	}
	return opened, nil
}

func noSuchKey(id string) error {
	return &refusal.Error{Code: NotAllowed, Subject: id, Detail: "no such access key, or disabled"}
}

// sameRights says whether two readings of a key differ in nothing but its use.
func (k OpenedKey) sameRights(other OpenedKey) bool {
	return k.ID == other.ID && k.Principal == other.Principal && k.Role == other.Role &&
		authn.Equal(k.SecretAccessKey.Reveal(), other.SecretAccessKey.Reveal())
}

// AccessKeyUsed notes that a request signed with the key was accepted; last is when AccessKeySecret
// said that it was used. It writes at most once a minute.
func (c *Center) AccessKeyUsed(ctx context.Context, id string, last time.Time, service, address string) error {
	now := c.now()
	if authn.Within(lastUsedStep, last, now) {
		return nil
	}
	return c.noteUse(ctx, func(tx Tx) error {
		fresh, err := tx.AccessKey(id)
		if err != nil {
			return refusal.IfNoRow(err, NotAllowed, id)
		}
		fresh.LastUsedAt = now
		fresh.LastUsedAddress = address
		fresh.LastUsedService = service
		return tx.PutAccessKey(fresh)
	})
}

// AccessKeys lists the keys, without their secrets.
func (c *Center) AccessKeys(ctx context.Context) (keys []AccessKey, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		keys, err = r.AccessKeys()
		return err
	})
	return keys, err
}
