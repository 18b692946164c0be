package center

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Entitlement lets a user or a group open a role that is in an account already. It never changes:
// another one takes its place.
type Entitlement struct {
	ID            string // sorts by time
	RoleARN       string
	PrincipalType PrincipalType
	PrincipalID   string
	// Longest is how long a session of the role may last, as IAM said when the entitlement was
	// made; where nobody could ask IAM, IAM's own default.
	Longest   time.Duration
	CreatedAt time.Time
	// Migrated says that a migration from permission sets made it, so that its undo may take it
	// back.
	Migrated bool `json:",omitempty"`
}

// AccountID is the account of the role.
func (e Entitlement) AccountID() string { return AccountOfRole(e.RoleARN) }

func (e Entitlement) subject() string { return e.RoleARN + "/" + e.PrincipalID }

// EntitlementQuery selects entitlements, in the order of ids. Fields that are set narrow the result
// together.
type EntitlementQuery struct {
	PrincipalType PrincipalType
	PrincipalID   string
	RoleARN       string
	AccountID     string
	HeldBy        UserID          // only those of the user and of the user's groups
	By            AssignmentOrder // where a role's name stands for a permission set's
	Descending    bool            // the other way round, unless they are in the order of ids
	After         string          // only those whose id sorts after this one; empty: all
	Offset        int
	Limit         int // 0: all
}

// EntitlementPage is a page of entitlements, and how many there are in all.
type EntitlementPage struct {
	Items   []Entitlement
	Total   int
	Ordered bool // as the query says; otherwise there are too many, and they are in the order of ids
}

// EntitledQuery selects roles that a user is entitled to, in the order of their ARNs, which is that
// of accounts.
type EntitledQuery struct {
	User   UserID
	Search string // part of the account's name or id, or of the role's ARN; ignores letter case
	After  string // only those whose ARN sorts after this one
	Offset int
	Limit  int // 0: all
}

// EntitledRole is a role that a user is entitled to.
type EntitledRole struct {
	RoleARN string
	Account Account
}

// Name is the role's name, without its path.
func (r EntitledRole) Name() string { return NameOfRole(r.RoleARN) }

// entitlementReader reads who is entitled to roles.
type entitlementReader interface {
	Entitlement(id string) (Entitlement, error)
	Entitlements(EntitlementQuery) ([]Entitlement, error)
	CountEntitlements(EntitlementQuery) (int, error)
	// EntitledRoles has each role once, however a user has it.
	EntitledRoles(EntitledQuery) ([]EntitledRole, error)
}

// entitlementWriter writes it.
type entitlementWriter interface {
	PutEntitlement(Entitlement) error
	DeleteEntitlement(id string) error
}

// ExistingRole is what IAM says of a role that the center has not made.
type ExistingRole struct {
	There     bool
	Longest   time.Duration // of its sessions
	Trusts    bool          // it lets the center open it
	Statement string        // what its trust policy must have for that, as JSON
}

const (
	// Source: user guide, "Account access manager quotas".
	maxGroupsOfRole = 20 //bound:rows groups that are entitled to one role
	// Source: IAM user guide, the default of a role's maximum session duration.
	usualRoleSession = time.Hour //bound:life a session of a role that nobody could ask IAM about
	// entitledAtOnce bounds what one list returns.
	entitledAtOnce = 10_000 //bound:list roles that a user is entitled to, in one answer
)

// roleARN is the ARN of a role with its path. Source: the model of account-access, RoleArn; names
// and paths as IAM bounds them.
var roleARN = newPattern(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/([a-zA-Z0-9+=,.@_-]+/)*[a-zA-Z0-9+=,.@_-]{1,64}$`)

// maxRoleARN bounds the ARN of a role. Source: IAM API reference, arnType.
const maxRoleARN = 2048 //bound:text the ARN of a role

// IsRoleARN says whether a text is the ARN of a role, by which what a user is entitled to is told
// from the name of a permission set.
func IsRoleARN(text string) bool { return len(text) <= maxRoleARN && roleARN.match(text) }

// NameOfRole is a role's name, from its ARN.
func NameOfRole(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// AccountOfRole is the account of a role, from its ARN.
func AccountOfRole(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// CreateEntitlement entitles a user or a group to a role. Repeating it returns the entitlement that
// there is. Where the center keeps roles in IAM, the role must be there and trust the center. It
// fails with AccessManagerNotFound, AccountNotFound, UserNotFound, GroupNotFound, RoleUntrusting,
// RoleRefused, RoleUnavailable or QuotaExceeded.
func (c *Center) CreateEntitlement(
	ctx context.Context, by audit.Actor, application string, e Entitlement,
) (made Entitlement, err error) {
	check := func(r Reader) error {
		if _, err := c.accessManager(r, application); err != nil {
			return err
		}
		if !IsRoleARN(e.RoleARN) {
			return &refusal.Error{Code: InvalidValue, Field: "roleArn", Detail: "use the ARN of a role"}
		}
		if strings.HasPrefix(NameOfRole(e.RoleARN), rolePrefix) { // it is kept for a permission set
			return &refusal.Error{
				Code: InvalidValue, Field: "roleArn", Detail: "the role is a permission set's: assign that one",
			}
		}
		if _, err := r.Account(e.AccountID()); err != nil {
			return refusal.IfNoRow(err, AccountNotFound, e.AccountID())
		}
		return checkPrincipal(r, e.PrincipalType, e.PrincipalID)
	}
	e.Longest = usualRoleSession
	var unfit error
	if c.Roles != nil && actorsOf(by)&ActionCreateEntitlement.may != 0 { // IAM is asked outside the transaction
		if err := c.Store.View(ctx, check); err == nil {
			e.Longest, unfit = c.inspectRole(ctx, e.RoleARN)
		}
	}
	err = c.change(ctx, by, ActionCreateEntitlement, func(tx Tx) (string, error) {
		made = e
		if err := check(tx); err != nil {
			return e.subject(), err
		}
		is, err := tx.Entitlements(EntitlementQuery{
			PrincipalType: e.PrincipalType, PrincipalID: e.PrincipalID, RoleARN: e.RoleARN, Limit: 1,
		})
		if err != nil {
			return e.subject(), err
		}
		if len(is) > 0 {
			made = is[0]
			return e.subject(), nil
		}
		if unfit != nil {
			return e.subject(), unfit
		}
		if err := roomForGroup(tx, e); err != nil {
			return e.subject(), err
		}
		made.ID, made.CreatedAt = c.NewID(), c.now()
		return e.subject(), tx.PutEntitlement(made)
	})
	return made, err
}

// roomForGroup refuses one group too many with a role.
func roomForGroup(r entitlementReader, e Entitlement) error {
	if e.PrincipalType != PrincipalGroup {
		return nil
	}
	groups, err := r.Entitlements(
		EntitlementQuery{PrincipalType: PrincipalGroup, RoleARN: e.RoleARN, Limit: maxGroupsOfRole},
	)
	if err == nil && len(groups) == maxGroupsOfRole {
		err = &refusal.Error{Code: QuotaExceeded, Subject: e.RoleARN, Detail: "at most 20 groups with one role"}
	}
	return err
}

// inspectRole asks IAM whether a role is there and trusts the center, and how long its sessions
// last at most.
func (c *Center) inspectRole(ctx context.Context, arn string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectPatience)
	defer cancel()
	role, err := c.Roles.Inspect(ctx, arn)
	switch {
	case err != nil:
		return usualRoleSession, err
	case !role.There:
		return usualRoleSession, &refusal.Error{Code: RoleUntrusting, Subject: arn, Detail: "there is no such role"}
	case !role.Trusts:
		return usualRoleSession, &refusal.Error{
			Code: RoleUntrusting, Subject: arn, Detail: "add to its trust policy: " + role.Statement,
		}
	}
	return role.Longest, nil
}

// inspectPatience is how long IAM has to say what a role is.
const inspectPatience = 15 * time.Second //bound:wait IAM, about a role that somebody is entitled to

// Entitlement returns an entitlement, or EntitlementNotFound. It fails with AccessManagerNotFound
// too.
func (c *Center) Entitlement(ctx context.Context, application, id string) (e Entitlement, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		if _, err := c.accessManager(r, application); err != nil {
			return err
		}
		e, err = r.Entitlement(id)
		return refusal.IfNoRow(err, EntitlementNotFound, id)
	})
	return e, err
}

// Entitlements lists entitlements. It fails with AccessManagerNotFound.
func (c *Center) Entitlements(
	ctx context.Context, application string, q EntitlementQuery,
) (list []Entitlement, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		if _, err := c.accessManager(r, application); err != nil {
			return err
		}
		list, err = r.Entitlements(q)
		return err
	})
	return list, err
}

// FindEntitlements lists entitlements, of which at most MaxOrderedAssignments are put in the order
// of names. It fails with AccessManagerNotFound.
func (c *Center) FindEntitlements(
	ctx context.Context, application string, q EntitlementQuery,
) (p EntitlementPage, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		if _, err := c.accessManager(r, application); err != nil {
			return err
		}
		if p.Total, err = r.CountEntitlements(q); err != nil {
			return err
		}
		of := q
		if p.Ordered = p.Total <= MaxOrderedAssignments; !p.Ordered {
			of.By, of.Descending = ByAccountID, false
		}
		p.Items, err = r.Entitlements(of)
		return err
	})
	return p, err
}

// DeleteEntitlement takes a role from a user or a group. Sessions of the role that are open go on.
// It fails with AccessManagerNotFound or EntitlementNotFound.
func (c *Center) DeleteEntitlement(ctx context.Context, by audit.Actor, application, id string) error {
	return c.change(ctx, by, ActionDeleteEntitlement, func(tx Tx) (string, error) {
		if _, err := c.accessManager(tx, application); err != nil {
			return id, err
		}
		e, err := tx.Entitlement(id)
		if err != nil {
			return id, refusal.IfNoRow(err, EntitlementNotFound, id)
		}
		return e.subject(), tx.DeleteEntitlement(id)
	})
}

// EntitledRoles lists the roles that a user is entitled to.
func (c *Center) EntitledRoles(ctx context.Context, q EntitledQuery) (list []EntitledRole, err error) {
	if q.Limit <= 0 || q.Limit > entitledAtOnce {
		q.Limit = entitledAtOnce
	}
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.EntitledRoles(q)
		return err
	})
	return list, err
}

// entitledRole is the role that a user is entitled to, in the form in which brokers open the roles
// of permission sets, or ErrNoRow. It stands for a permission set that is called like it.
func entitledRole(r Reader, user UserID, arn string) (role Role, err error) {
	held, err := r.Entitlements(EntitlementQuery{HeldBy: user, RoleARN: arn, Limit: 1})
	if err == nil && len(held) == 0 {
		err = refusal.ErrNoRow
	}
	if err != nil {
		return role, err
	}
	role.Account, err = r.Account(held[0].AccountID())
	role.PermissionSet = PermissionSet{ARN: arn, Name: arn, SessionDuration: held[0].Longest}
	role.RoleName, role.ARN = NameOfRole(arn), arn
	return role, err
}

// moveEntitlements entitles another one to the roles of somebody, or ("") nobody.
func (c *Center) moveEntitlements(ctx context.Context, by audit.Actor, from Principal, to string, m *Moved) error {
	var list []Entitlement
	application := ""
	err := c.Store.View(ctx, func(r Reader) error {
		a, err := r.AccessManager()
		if errors.Is(err, refusal.ErrNoRow) {
			return nil
		}
		if err != nil {
			return err
		}
		application = c.AccessManagerARN(a)
		list, err = r.Entitlements(
			EntitlementQuery{PrincipalType: from.Type, PrincipalID: from.ID, Limit: relinkedAtOnce},
		)
		return err
	})
	for _, e := range list {
		if to != "" {
			anew := Entitlement{
				RoleARN: e.RoleARN, PrincipalType: from.Type, PrincipalID: to, Migrated: e.Migrated,
			}
			_, err = c.CreateEntitlement(ctx, by, application, anew)
		}
		if err == nil {
			err = c.DeleteEntitlement(ctx, by, application, e.ID)
		}
		switch {
		case err == nil:
			m.Assignments++
		case !ofOne(err):
			return err
		default:
			m.Problems = append(m.Problems, e.RoleARN+": "+refusal.Detail(err))
			err = nil
		}
	}
	return err
}

// RuntimeUser is the user of an access token with a scope of account-access-runtime. It fails with
// SessionInvalid or ScopeNotGranted.
func (c *Center) RuntimeUser(ctx context.Context, token, scope string) (u User, err error) {
	t, err := c.openToken(purposeAccess, token)
	if err != nil {
		return u, err
	}
	err = c.Store.View(ctx, func(r Reader) error {
		s, err := openSession(r, t.Session, c.now(), ClientSession)
		if err == nil {
			u, err = s.user(r)
		}
		return err
	})
	if err == nil && !slices.Contains(t.Scopes, scope) {
		err = &refusal.Error{Code: ScopeNotGranted, Subject: scope}
	}
	return u, err
}

// RuntimeCredentials returns credentials of a role that the user of a token is entitled to. It
// fails with SessionInvalid, ScopeNotGranted or RoleNotAssigned, with InvalidValue where the role's
// sessions may not last so long, and as the broker does.
func (c *Center) RuntimeCredentials(
	ctx context.Context, by audit.Actor, broker Broker, token string, choice RoleChoice,
) (out RoleCredentials, err error) {
	u, err := c.RuntimeUser(ctx, token, ScopeEntitlementsAssume)
	if err != nil {
		return out, err
	}
	t, err := c.openToken(purposeAccess, token)
	if err != nil {
		return out, err
	}
	by.Name = u.UserName
	arn := choice.PermissionSet
	choice.Session, choice.Account = t.Session, AccountOfRole(arn)
	if !IsRoleARN(arn) {
		return out, &refusal.Error{Code: RoleNotAssigned, Subject: arn}
	}
	held, err := c.heldRole(ctx, u.ID, arn)
	if err == nil && choice.Longest > held.PermissionSet.SessionDuration {
		err = &refusal.Error{
			Code: InvalidValue, Field: "sessionDuration", Detail: "longer than the role's maximum session duration",
		}
	}
	if err != nil {
		return out, c.Refuse(ctx, by, ActionFederate.String(), arn, err)
	}
	return c.RoleCredentials(ctx, by, broker, choice)
}

// heldRole is a role that a user is entitled to, or RoleNotAssigned.
func (c *Center) heldRole(ctx context.Context, user UserID, arn string) (role Role, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		role, err = entitledRole(r, user, arn)
		return refusal.IfNoRow(err, RoleNotAssigned, arn)
	})
	return role, err
}
