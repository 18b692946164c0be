package center

import (
	"context"
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
		granted, err := access(tx, user)
		if err != nil {
			return subject, err
		}
		for _, a := range granted {
			for _, p := range a.PermissionSets {
				if a.Account.ID == account && p.Name == permissionSet {
					request = RoleRequest{a.Account, p, p.RoleName(account), u.UserName, p.SessionDuration}
					return subject, nil
				}
			}
		}
		return subject, &Error{Code: RoleNotAssigned, Subject: subject}
	})
	if err != nil {
		return RoleCredentials{}, err
	}
	return broker.Credentials(ctx, request)
}
