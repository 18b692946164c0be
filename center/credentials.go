package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// RoleRequest is what a broker needs to know to open a role for somebody.
type RoleRequest struct {
	Role
	UserID      UserID
	SessionName string    // the user name; brokers make of it what STS takes
	RolesSince  time.Time // the user's, which credentials of the center's own carry
	// RefusedSince is what stands against earlier credentials of the role, and they carry it too.
	RefusedSince time.Time
	Duration     time.Duration
	Called       string // the name that was asked for the session; empty: that of the user
	Tags         []Tag  // attributes for access control, in the order of their keys
}

// Identity is the source identity of the session, by which people are told apart.
func (r RoleRequest) Identity() string { return RoleSessionName(r.SessionName) }

// Name is the name of the session.
func (r RoleRequest) Name() string {
	if r.Called != "" {
		return r.Called
	}
	return r.Identity()
}

// Role is a permission set's role in an account.
type Role struct {
	Account       Account
	PermissionSet PermissionSet // of a RoleRequest without its policies, which are in the role
	RoleName      string        // AWSReservedSSO_<permission set>_<16 hex digits>
	// ARN is that of a role that somebody is entitled to, and that the center has not made; empty:
	// it is a permission set's.
	ARN string
}

// kept is the name by which sessions of the role are kept: one that only this role has.
func (r Role) kept() string {
	if r.ARN != "" {
		return r.ARN
	}
	return r.RoleName
}

// RoleCredentials are temporary credentials of a role.
type RoleCredentials struct {
	AccessKeyID     string
	SecretAccessKey authn.Secret
	SessionToken    authn.Secret
	Expiration      time.Time
}

// ConsoleSignIn is a form that a browser posts to open a role in the AWS console.
type ConsoleSignIn struct {
	URL        string
	Response   authn.Secret // SAMLResponse
	RelayState string       // where to go in the console; empty: its home
}

// Broker opens roles in AWS accounts. Implementations are in center/broker. They fail with
// BrokerRefused when AWS, or its stand-in, refuses, and with BrokerUnavailable when it does not
// answer in time.
type Broker interface {
	Credentials(ctx context.Context, r RoleRequest) (RoleCredentials, error)
	// SignIn makes the form that opens the role in the console, at destination or ("") at the
	// permission set's relay state.
	SignIn(ctx context.Context, r RoleRequest, destination string) (ConsoleSignIn, error)
}

// RoleChoice names a role that the user of a session has.
type RoleChoice struct {
	Session       string // digest of a portal session or of a client's (Center.TokenSession)
	Account       string
	PermissionSet string // its name, or the ARN of a role that the user is entitled to
	// Longest bounds how long the credentials last, below what the permission set says; 0: that.
	Longest time.Duration
	// Called is the name of the role's session; empty: the user's. The source identity stays the
	// user's.
	Called string
}

// RoleCredentials returns temporary credentials of a role that is assigned to the user of a
// session. It fails with RoleNotAssigned, SessionInvalid, and as the broker does.
func (c *Center) RoleCredentials(
	ctx context.Context, by audit.Actor, broker Broker, choice RoleChoice,
) (RoleCredentials, error) {
	request, err := c.federate(ctx, by, choice)
	if err != nil {
		return RoleCredentials{}, err
	}
	out, err := broker.Credentials(ctx, request)
	return out, c.refusedByBroker(ctx, by, choice, err)
}

// SignInToConsole makes the form that opens a role in the AWS console. destination is a URL of the
// console; empty: the permission set's relay state. It fails as RoleCredentials does.
func (c *Center) SignInToConsole(
	ctx context.Context, by audit.Actor, broker Broker, choice RoleChoice, destination string,
) (ConsoleSignIn, error) {
	request, err := c.federate(ctx, by, choice)
	if err != nil {
		return ConsoleSignIn{}, err
	}
	if destination == "" {
		destination = request.PermissionSet.RelayState
	}
	out, err := broker.SignIn(ctx, request, destination)
	return out, c.refusedByBroker(ctx, by, choice, err)
}

func (r RoleChoice) subject() string { return r.Account + "/" + r.PermissionSet }

// refusedByBroker records what a broker refused after the choice itself was granted.
func (c *Center) refusedByBroker(ctx context.Context, by audit.Actor, choice RoleChoice, err error) error {
	if refusal.CodeOf(err) == refusal.None {
		return err
	}
	return c.Refuse(ctx, by, "Federate", choice.subject(), err)
}

// federate checks in one transaction with its event that the session is open and the role the
// user's. Doors need not ask before whose session it is.
func (c *Center) federate(ctx context.Context, by audit.Actor, choice RoleChoice) (RoleRequest, error) {
	var request sessionRole
	var writes uint64
	err := c.changeBy(ctx, &by, ActionFederate, func(tx Tx) (_ string, err error) {
		writes = tx.Writes()
		var known bool
		if request, known = c.granted.Get(choice, writes); !known {
			request, err = c.roleRequest(tx, choice)
		}
		if request.SessionName != "" {
			by.Name = request.SessionName
		}
		if err == nil && request.session.over(c.now()) {
			err = &refusal.Error{Code: SessionInvalid}
		}
		if err == nil {
			request.opened, err = c.noteRoleSession(tx, request.RoleRequest, request.opened)
		}
		return choice.subject(), err
	})
	if err == nil && !c.Store.Shared() {
		c.granted.Keep(choice, writes, request)
	}
	return request.RoleRequest, err
}

// sessionRole is what a session may open, until it ends. Brokers only read it.
type sessionRole struct {
	RoleRequest
	session Session
	opened  time.Time // until when it is known that the user has opened the role
}

// chosenRole is a role that a user has, by a permission set's name or by a role's ARN, or ErrNoRow.
func chosenRole(r Reader, user UserID, account, choice string) (Role, error) {
	if !IsRoleARN(choice) {
		return r.RoleOf(user, account, choice)
	}
	if AccountOfRole(choice) != account {
		return Role{}, refusal.ErrNoRow
	}
	return entitledRole(r, user, choice)
}

// roleRequest is what a broker needs to open a role, if the session may.
func (c *Center) roleRequest(r Reader, choice RoleChoice) (request sessionRole, err error) {
	s, err := openSession(r, choice.Session, c.now(), PortalSession, ClientSession, ApplicationSession)
	if err == nil && s.Kind == ApplicationSession {
		err = reachesAccounts(r, s)
	}
	if err != nil {
		return request, err
	}
	request.session = s
	u, err := s.user(r)
	request.UserID, request.SessionName = u.ID, u.UserName
	request.RolesSince = u.RolesSince
	if err != nil {
		return request, err
	}
	role, err := chosenRole(r, u.ID, choice.Account, choice.PermissionSet)
	if errors.Is(err, refusal.ErrNoRow) {
		return request, &refusal.Error{Code: RoleNotAssigned, Subject: choice.subject()}
	}
	if err != nil {
		return request, err
	}
	if role.Account.Suspended {
		return request, &refusal.Error{Code: AccountSuspended, Subject: choice.subject()}
	}
	set := role.PermissionSet
	role.PermissionSet = PermissionSet{
		ARN:             set.ARN,
		Name:            set.Name,
		RelayState:      set.RelayState,
		SessionDuration: set.SessionDuration,
	}
	request.Role, request.Duration = role, set.SessionDuration
	request.Called = choice.Called
	if choice.Longest > 0 {
		request.Duration = min(request.Duration, choice.Longest)
	}
	if request.RefusedSince, err = c.refusedByUs(r, u.ID, role.RoleName); err != nil {
		return request, err
	}
	request.Tags, err = c.accessTags(r, u, s)
	return request, err
}

// refusedByUs is refusedSince where the center's own STS is asked about credentials.
func (c *Center) refusedByUs(r Reader, user UserID, roleName string) (time.Time, error) {
	if !c.OwnSTS {
		return time.Time{}, nil
	}
	return refusedSince(r, user, roleName)
}
