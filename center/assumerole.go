package center

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// RoleAssumption asks for a role on behalf of the person that a context names.
type RoleAssumption struct {
	Account, RoleName string
	Context           string        // an identity context or an audit context of an application's tokens
	Duration          time.Duration // at most the permission set's
}

// What the two contexts are sealed for. Whoever has one of them cannot make the other of it.
const (
	purposeContext = "identity-context"
	purposeAudit   = "audit-context"
)

// sealedContext is what a context says. One of an earlier release has no session, and opens
// nothing.
type sealedContext struct {
	User        UserID
	Application string
	Session     string `json:",omitempty"` // digest of the application's session
	Expires     time.Time
}

// contexts seals what sts AssumeRole takes as a provided context. AWS's own are opaque, too; no AWS
// takes these.
func (c *Center) contexts(of IdentityOf, session string) (identity, forAudit authn.Secret, err error) {
	plain, err := json.Marshal(sealedContext{of.User, of.Application, session, of.Expires})
	return authn.Secret(c.Sealer.Seal(purposeContext, plain)), authn.Secret(c.Sealer.Seal(purposeAudit, plain)), err
}

// openContext reads a context. It fails with ContextInvalid.
func (c *Center) openContext(text string) (s sealedContext, err error) {
	plain, err := c.Sealer.Open(purposeContext, text)
	if err != nil {
		plain, err = c.Sealer.Open(purposeAudit, text)
	}
	if err != nil || json.Unmarshal(plain, &s) != nil || s.Session == "" {
		return s, &refusal.Error{Code: ContextInvalid, Detail: "it was not made by this center"}
	}
	if !c.now().Before(s.Expires) {
		return s, &refusal.Error{Code: ContextInvalid, Subject: s.Application, Detail: "it has expired"}
	}
	return s, nil
}

// reservedRole reads the name of a permission set's role.
var reservedRole = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^` + rolePrefix + `(.+)_[0-9a-f]{16}$`)
})

// AssumeRole finds the role that an application opens for a person. At AWS, such a role trusts
// Identity Center only. Here it also trusts who may have the application's tokens, for the people
// to whom it is assigned: an administrator's access key, or whoever the actor policy names if the
// application has the scope of accounts, by which it could open the role anyway. It fails with
// ContextInvalid, RoleNotAssumable, RoleNotAssigned, AccountSuspended and SessionTooLong.
func (c *Center) AssumeRole(
	ctx context.Context, by audit.Actor, who Signatory, asked RoleAssumption,
) (request RoleRequest, err error) {
	by.Kind, by.Name = audit.Application, who.ARN
	err = c.change(ctx, by, ActionAssumeRole, func(tx Tx) (string, error) {
		subject := asked.Account + "/" + asked.RoleName
		named, err := c.openContext(asked.Context)
		if err != nil {
			return subject, err
		}
		s, err := c.contextSession(tx, who, named)
		if err != nil {
			return subject, err
		}
		u, err := s.user(tx)
		if err != nil {
			return subject, outlived(err)
		}
		subject += "/" + u.UserName
		if request.Role, err = roleNamed(tx, u.ID, asked.Account, asked.RoleName); err != nil {
			return subject, err
		}
		if longest := request.PermissionSet.SessionDuration; asked.Duration > longest {
			return subject, &refusal.Error{Code: SessionTooLong, Subject: asked.RoleName}
		}
		request.SessionName, request.UserID = u.UserName, u.ID
		request.RolesSince = u.RolesSince
		if request.RefusedSince, err = c.refusedByUs(tx, u.ID, request.RoleName); err != nil {
			return subject, err
		}
		request.Duration = asked.Duration
		if request.Tags, err = c.accessTags(tx, u, s); err != nil {
			return subject, err
		}
		_, err = c.noteRoleSession(tx, request, time.Time{})
		return subject, err
	})
	return request, err
}

// contextSession returns the session that a context belongs to, if its application may still be
// used by the person and lets the caller act for it.
func (c *Center) contextSession(r Reader, who Signatory, named sealedContext) (s Session, err error) {
	s, err = openSession(r, named.Session, c.now(), ApplicationSession)
	if err == nil && (s.UserID != named.User || s.Application != named.Application) {
		err = &refusal.Error{Code: SessionInvalid}
	}
	if err != nil {
		return s, outlived(err)
	}
	a, err := r.Application(s.Application)
	if err != nil {
		return s, refusal.IfNoRow(err, ContextInvalid, s.Application)
	}
	if err := mayUse(r, a, s.UserID); err != nil {
		return s, outlived(err)
	}
	opens := slices.Contains(s.Scopes, ScopeAccountAccess) && slices.Contains(a.Scopes(), ScopeAccountAccess)
	if !a.lets(who) || !who.Everything && !opens {
		return s, &refusal.Error{Code: RoleNotAssumable, Subject: a.ARN, Detail: who.ARN}
	}
	return s, nil
}

// outlived is a refusal of what a context belongs to, as one of the context.
func outlived(err error) error {
	code := refusal.CodeOf(err)
	if !slices.Contains([]refusal.Code{SessionInvalid, ApplicationNotAssigned, ApplicationDisabled}, code) {
		return err
	}
	return &refusal.Error{Code: ContextInvalid, Detail: code.What()}
}

// roleNamed returns a role that a person has in an account, by its name in IAM.
func roleNamed(r Reader, user UserID, account, name string) (Role, error) {
	missing := &refusal.Error{Code: RoleNotAssigned, Subject: account + "/" + name}
	parts := reservedRole().FindStringSubmatch(name)
	if parts == nil {
		return Role{}, missing
	}
	role, err := r.RoleOf(user, account, parts[1])
	switch {
	case errors.Is(err, refusal.ErrNoRow), err == nil && role.RoleName != name:
		return role, missing
	case err == nil && role.Account.Suspended:
		return role, &refusal.Error{Code: AccountSuspended, Subject: account}
	}
	return role, err
}

// StillHasRole fails with RoleNotAssigned when a role that somebody opened for a user is not the
// user's any more, and with AccountSuspended.
func (c *Center) StillHasRole(ctx context.Context, user UserID, account, roleName string) error {
	return c.Store.View(ctx, func(r Reader) error {
		_, err := roleNamed(r, user, account, roleName)
		return err
	})
}
