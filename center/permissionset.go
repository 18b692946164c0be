package center

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// Account is an AWS account that permission sets are assigned in.
type Account struct {
	ID    string // 12 digits
	Name  string
	Email string
}

// PermissionSet is a named bundle of policies: a role that appears in the accounts where it is assigned.
type PermissionSet struct {
	ARN             string
	Name            string // 1–32 characters, never changes
	Description     string
	SessionDuration time.Duration // 1–12 hours
	RelayState      string
	ManagedPolicies []string // ARNs of AWS managed policies, in the order they were attached
	InlinePolicy    string   // JSON, or empty
	CreatedAt       time.Time
}

const (
	defaultSession = time.Hour
	maxPolicies    = 25
	maxInline      = 32768
)

var (
	accountID         = regexp.MustCompile(`^\d{12}$`)
	permissionSetName = regexp.MustCompile(`^[\w+=,.@-]{1,32}$`)
	managedPolicyARN  = regexp.MustCompile(`^arn:(aws|aws-us-gov|aws-cn):iam::aws:policy/[\w+=,.@/-]{1,512}$`)
)

// check applies the limits of the sso-admin model.
func (p PermissionSet) check() error {
	switch {
	case !permissionSetName.MatchString(p.Name):
		return &Error{Code: InvalidValue, Field: "Name", Detail: "want 1 to 32 letters, digits or + = , . @ - _"}
	case utf8.RuneCountInString(p.Description) > 700:
		return &Error{Code: InvalidValue, Field: "Description", Detail: "longer than 700 characters"}
	case p.SessionDuration < time.Hour || p.SessionDuration > 12*time.Hour:
		return &Error{Code: InvalidValue, Field: "SessionDuration", Detail: "want 1 to 12 hours"}
	case utf8.RuneCountInString(p.RelayState) > 240:
		return &Error{Code: InvalidValue, Field: "RelayState", Detail: "longer than 240 characters"}
	case len(p.InlinePolicy) > maxInline:
		return &Error{Code: InvalidValue, Field: "InlinePolicy", Detail: "longer than 32768 characters"}
	case p.InlinePolicy != "" && !json.Valid([]byte(p.InlinePolicy)):
		return &Error{Code: InvalidValue, Field: "InlinePolicy", Detail: "not JSON"}
	case len(p.ManagedPolicies) > maxPolicies:
		return &Error{Code: InvalidValue, Field: "ManagedPolicyArn", Detail: "at most 25 policies"}
	}
	return checkText("Description", strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(p.Description), 700)
}

// RoleName is the name of the role that the permission set has in an account. The suffix stays as long as the permission set does.
func (p PermissionSet) RoleName(account string) string {
	sum := sha256.Sum256([]byte(p.ARN + "/" + account))
	return "AWSReservedSSO_" + p.Name + "_" + hex.EncodeToString(sum[:8])
}

// PutAccount adds an account or renames it.
func (c *Center) PutAccount(ctx context.Context, by audit.Actor, a Account) error {
	return c.change(ctx, by, "PutAccount", func(tx Tx) (string, error) {
		if !accountID.MatchString(a.ID) {
			return a.ID, &Error{Code: InvalidValue, Field: "AccountId", Detail: "want 12 digits"}
		}
		if err := checkText("Name", a.Name, 128); err != nil {
			return a.ID, err
		}
		return a.ID, tx.PutAccount(a)
	})
}

// Accounts lists the accounts in the order of their ids.
func (c *Center) Accounts(ctx context.Context) (accounts []Account, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		accounts, err = r.Accounts()
		return err
	})
	return accounts, err
}

// CreatePermissionSet adds a permission set. It fails with PermissionSetTaken or a code of kind Invalid.
func (c *Center) CreatePermissionSet(ctx context.Context, by audit.Actor, p PermissionSet) (PermissionSet, error) {
	p.ARN = "arn:aws:sso:::permissionSet/" + strings.TrimPrefix(c.Instance.ARN, "arn:aws:sso:::instance/") + "/ps-" + authn.NewHex(8)
	p.CreatedAt = c.now()
	if p.SessionDuration == 0 {
		p.SessionDuration = defaultSession
	}
	err := c.change(ctx, by, "CreatePermissionSet", func(tx Tx) (string, error) {
		if err := p.check(); err != nil {
			return p.Name, err
		}
		if _, err := tx.PermissionSetByName(p.Name); err == nil {
			return p.Name, &Error{Code: PermissionSetTaken, Subject: p.Name}
		} else if !errors.Is(err, ErrNoRow) {
			return p.Name, err
		}
		return p.ARN, tx.PutPermissionSet(p)
	})
	return p, err
}

// UpdatePermissionSet changes a permission set by edit, which may run more than once. The name never changes. action is AWS's
// name of what is done, such as UpdatePermissionSet or AttachManagedPolicyToPermissionSet.
func (c *Center) UpdatePermissionSet(ctx context.Context, by audit.Actor, action, arn string, edit func(*PermissionSet) error) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		old, err := tx.PermissionSet(arn)
		if err != nil {
			return arn, orRefuse(err, PermissionSetNotFound, arn)
		}
		p := old
		p.ManagedPolicies = slices.Clone(old.ManagedPolicies)
		if err := edit(&p); err != nil {
			return arn, err
		}
		p.ARN, p.Name, p.CreatedAt = old.ARN, old.Name, old.CreatedAt
		if err := p.check(); err != nil {
			return arn, err
		}
		return arn, tx.PutPermissionSet(p)
	})
}

// AttachManagedPolicy attaches an AWS managed policy. It fails with PolicyAttached.
func (c *Center) AttachManagedPolicy(ctx context.Context, by audit.Actor, arn, policy string) error {
	return c.UpdatePermissionSet(ctx, by, "AttachManagedPolicyToPermissionSet", arn, func(p *PermissionSet) error {
		if !managedPolicyARN.MatchString(policy) {
			return &Error{Code: InvalidValue, Field: "ManagedPolicyArn", Detail: "want the ARN of an AWS managed policy"}
		}
		if slices.Contains(p.ManagedPolicies, policy) {
			return &Error{Code: PolicyAttached, Subject: policy}
		}
		p.ManagedPolicies = append(p.ManagedPolicies, policy)
		return nil
	})
}

// DetachManagedPolicy detaches an AWS managed policy. It fails with PolicyNotAttached.
func (c *Center) DetachManagedPolicy(ctx context.Context, by audit.Actor, arn, policy string) error {
	return c.UpdatePermissionSet(ctx, by, "DetachManagedPolicyFromPermissionSet", arn, func(p *PermissionSet) error {
		i := slices.Index(p.ManagedPolicies, policy)
		if i < 0 {
			return &Error{Code: PolicyNotAttached, Subject: policy}
		}
		p.ManagedPolicies = slices.Delete(p.ManagedPolicies, i, i+1)
		return nil
	})
}

// DeletePermissionSet removes a permission set that is not assigned anywhere; otherwise it fails with PermissionSetInUse.
func (c *Center) DeletePermissionSet(ctx context.Context, by audit.Actor, arn string) error {
	return c.change(ctx, by, "DeletePermissionSet", func(tx Tx) (string, error) {
		if _, err := tx.PermissionSet(arn); err != nil {
			return arn, orRefuse(err, PermissionSetNotFound, arn)
		}
		used, err := tx.Assignments(AssignmentQuery{PermissionSetARN: arn, Limit: 1})
		if err != nil {
			return arn, err
		}
		if len(used) > 0 {
			return arn, &Error{Code: PermissionSetInUse, Subject: arn}
		}
		return arn, tx.DeletePermissionSet(arn)
	})
}

// PermissionSet returns one permission set, or PermissionSetNotFound.
func (c *Center) PermissionSet(ctx context.Context, arn string) (p PermissionSet, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		p, err = r.PermissionSet(arn)
		return orRefuse(err, PermissionSetNotFound, arn)
	})
	return p, err
}

// PermissionSets lists the permission sets in the order of their ARNs.
func (c *Center) PermissionSets(ctx context.Context) (sets []PermissionSet, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		sets, err = r.PermissionSets()
		return err
	})
	return sets, err
}
