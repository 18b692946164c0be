package tenant

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Register makes an application that nobody can sign in to and that provisions nobody: it has no
// service principal yet. Source: application: create.
func (t *Tenant) Register(ctx context.Context, by audit.Actor, a Application) (Application, error) {
	a.ID = ApplicationID(t.NewID())
	a.AppID = ClientID(t.NewID())
	a.ServicePrincipalID = ServicePrincipalID(t.NewID())
	a.TemplateID = NonGallery.ID
	a.DisplayName = strings.TrimSpace(a.DisplayName)
	a.NoPrincipal = true
	a.Enabled, a.AssignmentRequired = false, true // for an earlier release, which knows no other kind
	a.CreatedAt = t.now()
	err := t.change(ctx, by, ActionAddApplication, func(tx Tx, _ *Touched) (string, error) {
		if err := checkDisplayName(a.DisplayName); err != nil {
			return a.DisplayName, err
		}
		if err := errors.Join(a.checkAddresses(Application{}), t.checkOwners(tx, a.Owners)); err != nil {
			return a.DisplayName, err
		}
		if err := a.check(tx); err != nil {
			return a.DisplayName, err
		}
		return string(a.ID), tx.PutApplication(a)
	})
	return a, err
}

// AddPrincipal gives a registered application its service principal, as edit wants it. It fails
// with ApplicationNotFound or PrincipalExists. Source: servicePrincipal: create.
func (t *Tenant) AddPrincipal(
	ctx context.Context, by audit.Actor, appID ClientID, edit func(*Application) error,
) (Application, error) {
	var a Application
	err := t.change(ctx, by, ActionAddServicePrincipal, func(tx Tx, _ *Touched) (string, error) {
		old, err := tx.Application(AnyApplicationID(appID))
		if err == nil && old.AppID != appID {
			err = refusal.ErrNoRow
		}
		if err != nil {
			return string(appID), refusal.IfNoRow(err, ApplicationNotFound, string(appID))
		}
		if !old.NoPrincipal {
			return string(appID), &refusal.Error{Code: PrincipalExists, Subject: string(appID)}
		}
		a = old
		a.NoPrincipal = false
		a.Enabled, a.AssignmentRequired = true, false
		if err := edit(&a); err != nil {
			return string(appID), err
		}
		if err := errors.Join(a.checkAddresses(old), t.checkOwners(tx, a.PrincipalOwners)); err != nil {
			return string(appID), err
		}
		if err := a.check(tx); err != nil {
			return string(appID), err
		}
		return string(a.ServicePrincipalID), tx.PutApplication(a)
	})
	return a, err
}

// OwnerID is the id of a user, or of a program that acts for itself, who owns an application.
// Owners are written down; they may nothing that they could not do without it.
type OwnerID string

// checkOwners refuses owners that are neither users nor programs.
func (t *Tenant) checkOwners(tx Reader, owners []OwnerID) error {
	if len(owners) > maxOwners {
		return &refusal.Error{Code: InvalidValue, Subject: "owners", Detail: "an application can have at most 100"}
	}
	for _, id := range owners {
		_, err := tx.User(UserID(id))
		if errors.Is(err, refusal.ErrNoRow) {
			_, err = tx.Client(ClientID(id))
		}
		if err != nil {
			return refusal.IfNoRow(err, UserNotFound, string(id))
		}
	}
	return nil
}

// ownersOf are those of an application, or of its service principal.
func (a *Application) ownersOf(principal bool) *[]OwnerID {
	if principal {
		return &a.PrincipalOwners
	}
	return &a.Owners
}

// AddApplicationOwner makes somebody an owner of an application or of its service principal. It
// fails with ApplicationNotFound, UserNotFound or MemberExists.
func (t *Tenant) AddApplicationOwner(
	ctx context.Context, by audit.Actor, id AnyApplicationID, principal bool, owner OwnerID,
) error {
	return t.changeApplicationOwners(ctx, by, id, principal, func(tx Tx, owners []OwnerID) ([]OwnerID, error) {
		if slices.Contains(owners, owner) {
			return nil, &refusal.Error{Code: MemberExists, Subject: string(owner)}
		}
		owners = append(owners, owner)
		return owners, t.checkOwners(tx, owners[len(owners)-1:])
	})
}

// RemoveApplicationOwner takes an owner away. It fails with ApplicationNotFound or MemberNotFound.
func (t *Tenant) RemoveApplicationOwner(
	ctx context.Context, by audit.Actor, id AnyApplicationID, principal bool, owner OwnerID,
) error {
	return t.changeApplicationOwners(ctx, by, id, principal, func(_ Tx, owners []OwnerID) ([]OwnerID, error) {
		i := slices.Index(owners, owner)
		if i < 0 {
			return nil, &refusal.Error{Code: MemberNotFound, Subject: string(owner)}
		}
		return slices.Delete(owners, i, i+1), nil
	})
}

func (t *Tenant) changeApplicationOwners(
	ctx context.Context, by audit.Actor, id AnyApplicationID, principal bool,
	edit func(Tx, []OwnerID) ([]OwnerID, error),
) error {
	return t.change(ctx, by, ActionUpdateApplication, func(tx Tx, _ *Touched) (string, error) {
		a, err := tx.Application(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, ApplicationNotFound, string(id))
		}
		owners := a.ownersOf(principal)
		if *owners, err = edit(tx, slices.Clone(*owners)); err != nil {
			return string(id), err
		}
		if len(*owners) > maxOwners {
			return string(id), &refusal.Error{
				Code: InvalidValue, Subject: "owners", Detail: "an application can have at most 100",
			}
		}
		return string(a.ID), tx.PutApplication(a)
	})
}

// Kinds of directory objects that are in no scope of provisioning.
const (
	KindServicePrincipal ObjectKind = "ServicePrincipal"
	KindDirectoryRole    ObjectKind = "DirectoryRole"
)

// ownedAtOnce is how many groups are looked at together.
const ownedAtOnce = 1000 //bound:none that are in memory at a time

// Owned lists what somebody owns: groups, applications and service principals.
func (t *Tenant) Owned(ctx context.Context, id OwnerID) (all []Mark, err error) {
	err = t.Store.View(ctx, func(r Reader) error {
		all = nil
		for after := ""; ; {
			groups, err := r.Groups(Query{After: after, Limit: ownedAtOnce})
			if err != nil {
				return err
			}
			for _, g := range groups {
				if slices.Contains(g.Owners, UserID(id)) {
					all = append(all, Mark{Kind: KindGroup, ID: PrincipalID(g.ID)})
				}
			}
			if len(groups) < ownedAtOnce {
				break
			}
			after = string(groups[len(groups)-1].ID)
		}
		apps, err := r.Applications()
		for _, a := range apps {
			if slices.Contains(a.Owners, id) {
				all = append(all, Mark{Kind: KindApplication, ID: PrincipalID(a.ID)})
			}
			if slices.Contains(a.PrincipalOwners, id) {
				all = append(all, Mark{Kind: KindServicePrincipal, ID: PrincipalID(a.ServicePrincipalID)})
			}
		}
		return err
	})
	return all, err
}
