package center

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Provisioned is a permission set's role in an account.
type Provisioned struct {
	AccountID        string
	PermissionSetARN string
	Revision         int64     // of the permission set when the role was last brought up to it
	RoleName         string    // AWSReservedSSO_<permission set>_<16 hex digits>
	CheckedAt        time.Time // when it was last compared with IAM; zero: never
	Drift            []string  // how it differed then, in words
}

// RoleStatus is how far a role is what its permission set says.
type RoleStatus string

// The statuses of roles.
const (
	RoleLatest  RoleStatus = "LATEST"  // it is what the permission set is, as far as the center knows
	RoleChanged RoleStatus = "CHANGED" // the permission set was changed since it was provisioned
	RoleDrifted RoleStatus = "DRIFTED" // somebody changed it in IAM
	RoleWorking RoleStatus = "WORKING" // it is being brought up to date
)

// Status compares the role with its permission set. working says whether there is work on it.
func (p Provisioned) Status(set PermissionSet, working bool) RoleStatus {
	switch {
	case working:
		return RoleWorking
	case p.Revision != set.Revision:
		return RoleChanged
	case len(p.Drift) > 0:
		return RoleDrifted
	}
	return RoleLatest
}

// ProvisionedQuery selects roles, in the order of account and permission set.
type ProvisionedQuery struct {
	AccountID        string
	PermissionSetARN string
	Latest           *bool       // whether the set has not been changed since
	Drifted          bool        // only those that differ in IAM
	After            Provisioned // only those that sort after this one, by account and permission set; zero: all
	Limit            int         // 0: all
}

// provisionedReader reads which roles accounts have.
type provisionedReader interface {
	Provisioned(account, permissionSet string) (Provisioned, error)
	ProvisionedRoles(ProvisionedQuery) ([]Provisioned, error)
	// LeastChecked is the role that was compared with IAM longest ago, before a time. What is later
	// than never was noted by a clock that was ahead: it was not compared.
	LeastChecked(before, never time.Time) (Provisioned, error)
}

// provisionedWriter writes which roles accounts have.
type provisionedWriter interface {
	PutProvisioned(Provisioned) error
	// MarkProvisioned notes the revision that a permission set is provisioned with, in one account
	// or ("") in all where it is.
	MarkProvisioned(permissionSet, account string, revision int64) error
	DeleteProvisioned(account, permissionSet string) error
	// PutDrift notes how a role differs in IAM, and ForgetChecks that the roles of an account, or
	// ("") all, are to be looked at again.
	PutDrift(roleName string, checked time.Time, drift []string) error
	ForgetChecks(account string) error
}

// Provisioned lists the roles that there are.
func (c *Center) Provisioned(ctx context.Context, q ProvisionedQuery) (list []Provisioned, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.ProvisionedRoles(q)
		return err
	})
	return list, err
}

// ProvisionPermissionSet brings the current permission set to an account, or with an empty account
// to all accounts where it is provisioned. Where it never was, the request is recorded as failed,
// as the real service does. It fails with PermissionSetNotFound.
func (c *Center) ProvisionPermissionSet(
	ctx context.Context, by audit.Actor, arn, account string,
) (AssignmentRequest, error) {
	request := AssignmentRequest{
		ID:         c.NewID(),
		Kind:       Provisions,
		Assignment: Assignment{AccountID: account, PermissionSetARN: arn},
		CreatedAt:  c.now(),
	}
	err := c.change(ctx, by, ActionProvisionPermissionSet, func(tx Tx) (string, error) {
		request.Status, request.FailureReason = Succeeded, ""
		subject := arn
		set, err := tx.PermissionSet(arn)
		if err != nil {
			return subject, refusal.IfNoRow(err, PermissionSetNotFound, arn)
		}
		if account != "" {
			subject += "/" + account
			_, err = tx.Provisioned(account, arn)
		}
		if errors.Is(err, refusal.ErrNoRow) {
			request.Status, request.FailureReason = Failed, fmt.Sprintf(
				"Received a 404 status error: Permission set provision not found for %s in AWS account %s.", arn,
				account,
			)
			return subject, tx.PutAssignmentRequest(request)
		}
		if c.Roles == nil {
			return subject, errors.Join(
				err, tx.MarkProvisioned(arn, account, set.Revision), tx.PutAssignmentRequest(request),
			)
		}
		now, late := c.clock(tx)
		n, queued := tx.QueueRoles(arn, account, request.ID, now)
		if n > 0 {
			request.Status = InProgress
		}
		return subject, errors.Join(err, late, queued, tx.PutAssignmentRequest(request))
	})
	c.wakeRoleWorkers()
	return request, err
}
