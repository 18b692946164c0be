package center

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// AccessKey is a long-term SigV4 key of an administrator or a program.
type AccessKey struct {
	ID           string // AKIA and 16 characters
	SealedSecret string // sealed for the purpose "access-key/" + ID
	Principal    string // who it is for, as events name it
	Disabled     bool
	CreatedAt    time.Time
}

// CreateAccessKey makes a key. The secret is returned here and never again.
func (c *Center) CreateAccessKey(ctx context.Context, by audit.Actor, principal string) (AccessKey, authn.Secret, error) {
	secret := authn.NewSecret(30) // 40 characters, as the real ones
	key := AccessKey{ID: "AKIA" + KeyIDSuffix(), Principal: principal, CreatedAt: c.now()}
	key.SealedSecret = c.Sealer.Seal("access-key/"+key.ID, []byte(secret))
	err := c.change(ctx, by, "CreateAccessKey", func(tx Tx) (string, error) { return key.ID, tx.PutAccessKey(key) })
	return key, authn.Secret(secret), err
}

// KeyIDSuffix returns the 16 random characters that follow AKIA or ASIA in an access key id.
func KeyIDSuffix() string { return strings.ToUpper(authn.NewHex(8)) }

// AccessKeySecret returns the secret of an enabled access key and its principal, or NotAllowed.
func (c *Center) AccessKeySecret(ctx context.Context, id string) (authn.Secret, string, error) {
	var key AccessKey
	err := c.Store.View(ctx, func(r Reader) (err error) {
		key, err = r.AccessKey(id)
		return err
	})
	if errors.Is(err, ErrNoRow) || (err == nil && key.Disabled) {
		return "", "", &Error{Code: NotAllowed, Subject: id, Detail: "no such access key, or disabled"}
	}
	if err != nil {
		return "", "", err
	}
	secret, err := c.Sealer.Open("access-key/"+id, key.SealedSecret)
	return authn.Secret(secret), key.Principal, err
}

// AccessKeys lists the keys, without their secrets.
func (c *Center) AccessKeys(ctx context.Context) (keys []AccessKey, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		keys, err = r.AccessKeys()
		return err
	})
	return keys, err
}
