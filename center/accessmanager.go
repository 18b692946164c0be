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

// AccessManager is the one application of account access manager: within it, users and groups are
// entitled to roles that are in the accounts already. Source: API reference, account-access.
type AccessManager struct {
	ID        string // 16 hex digits
	TenantID  string // aa- and nine letters and digits
	CreatedAt time.Time
	UpdatedAt time.Time
	Tags      []Tag
}

// accessManagerReader reads the application of account access manager.
type accessManagerReader interface {
	AccessManager() (AccessManager, error)
}

// accessManagerWriter writes it.
type accessManagerWriter interface {
	PutAccessManager(AccessManager) error
	DeleteAccessManager() error
}

// Scopes of account-access-runtime. Source: its API reference.
const (
	ScopeEntitlementsRead   = "account_access:read_only"
	ScopeEntitlementsAssume = "account_access:assume"
)

// AccessManagerARN is the ARN of an application of account access manager.
func (c *Center) AccessManagerARN(a AccessManager) string {
	return "arn:aws:account-access:" + c.Instance.Region + ":" + c.Instance.OwnerAccountID + ":application/" + a.ID
}

// CreateAccessManager makes the application. Repeating it with the same tags returns the one that
// there is; it fails with AccessManagerExists when the tags differ.
func (c *Center) CreateAccessManager(
	ctx context.Context, by audit.Actor, instance string, tags []Tag,
) (a AccessManager, err error) {
	err = c.change(ctx, by, ActionCreateApplication, func(tx Tx) (string, error) {
		if instance != c.Instance.ARN {
			return instance, &refusal.Error{Code: InstanceNotFound, Subject: instance}
		}
		checked, err := withTags(nil, tags)
		if err != nil {
			return instance, err
		}
		is, err := tx.AccessManager()
		switch {
		case err == nil && sameTags(is.Tags, checked):
			a = is
			return c.AccessManagerARN(a), nil
		case err == nil:
			return c.AccessManagerARN(is), &refusal.Error{Code: AccessManagerExists, Subject: c.AccessManagerARN(is)}
		case !errors.Is(err, refusal.ErrNoRow):
			return instance, err
		}
		a = AccessManager{
			ID:        authn.NewHex(8),
			TenantID:  "aa-" + authn.NewHex(5)[:9],
			CreatedAt: c.now(),
			UpdatedAt: c.now(),
			Tags:      checked,
		}
		return c.AccessManagerARN(a), tx.PutAccessManager(a)
	})
	return a, err
}

func sameTags(a, b []Tag) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// AccessManager returns the application, or AccessManagerNotFound.
func (c *Center) AccessManager(ctx context.Context) (a AccessManager, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		a, err = r.AccessManager()
		return refusal.IfNoRow(err, AccessManagerNotFound, "")
	})
	return a, err
}

// DeleteAccessManager deletes the application. It fails with AccessManagerNotFound, and with
// EntitlementsRemain: nothing is taken from anybody who is not named.
func (c *Center) DeleteAccessManager(ctx context.Context, by audit.Actor, arn string) error {
	return c.change(ctx, by, ActionDeleteApplication, func(tx Tx) (string, error) {
		if _, err := c.accessManager(tx, arn); err != nil {
			return arn, err
		}
		left, err := tx.Entitlements(EntitlementQuery{Limit: 1})
		if err == nil && len(left) > 0 {
			err = &refusal.Error{Code: EntitlementsRemain, Subject: arn}
		}
		if err != nil {
			return arn, err
		}
		return arn, tx.DeleteAccessManager()
	})
}

// accessManager returns the application of an ARN, or AccessManagerNotFound.
func (c *Center) accessManager(r accessManagerReader, arn string) (AccessManager, error) {
	a, err := r.AccessManager()
	if err == nil && c.AccessManagerARN(a) != arn {
		err = refusal.ErrNoRow
	}
	return a, refusal.IfNoRow(err, AccessManagerNotFound, arn)
}

// isAccessManager says whether an ARN is one of account access manager.
func isAccessManager(arn string) bool {
	parts := strings.SplitN(arn, ":", 4)
	return len(parts) == 4 && parts[2] == "account-access"
}
