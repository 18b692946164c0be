package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// RoleRequest is what a broker needs to know to hand out credentials.
type RoleRequest struct {
	Account       Account
	PermissionSet PermissionSet
	RoleName      string // AWSReservedSSO_<permission set>_<16 hex digits>
	SessionName   string // the user name
	Duration      time.Duration
}

// Role is a permission set's role in an account.
type Role struct {
	Account       Account
	PermissionSet PermissionSet
	RoleName      string
}

// RoleCredentials are temporary credentials of a role.
type RoleCredentials struct {
	AccessKeyID     string
	SecretAccessKey authn.Secret
	SessionToken    authn.Secret
	Expiration      time.Time
}

// Broker hands out credentials for a role. Implementations are in center/broker.
type Broker interface {
	Credentials(ctx context.Context, r RoleRequest) (RoleCredentials, error)
}

// RoleCredentials returns temporary credentials of a role that is assigned to the user, or RoleNotAssigned.
func (c *Center) RoleCredentials(ctx context.Context, by audit.Actor, broker Broker, user UserID, account, permissionSet string) (RoleCredentials, error) {
	var request RoleRequest
	err := c.change(ctx, by, "Federate", func(tx Tx) (string, error) {
		subject := account + "/" + permissionSet
		u, err := tx.User(user)
		if err != nil {
			return subject, orRefuse(err, UserNotFound, string(user))
		}
		if !u.Active {
			return subject, &Error{Code: UserDisabled, Subject: u.UserName}
		}
		role, err := tx.RoleOf(user, account, permissionSet)
		if errors.Is(err, ErrNoRow) {
			return subject, &Error{Code: RoleNotAssigned, Subject: subject}
		}
		if err != nil {
			return subject, err
		}
		request = RoleRequest{role.Account, role.PermissionSet, role.RoleName, u.UserName, role.PermissionSet.SessionDuration}
		return subject, nil
	})
	if err != nil {
		return RoleCredentials{}, err
	}
	return broker.Credentials(ctx, request)
}
