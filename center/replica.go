package center

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Replica is a part of what another instance holds. Everything keeps its ids, ARNs and times, and
// only what this center could not keep is refused: the other instance's rules have been.
type Replica struct {
	Users    []User
	Groups   []Group
	Members  []Members
	Accounts []Account

	PermissionSets []PermissionSet
	Roles          []Provisioned // without names: the center makes them
	Assignments    []Assignment

	TokenIssuers           []TokenIssuer
	Applications           []Application
	ApplicationAssignments []ApplicationAssignment

	Settings *InstanceSettings // nil: not of this part
}

// Members are users of a group.
type Members struct {
	Group GroupID
	Users []UserID
}

// Replicate puts a part of another instance into this one, in one transaction. A part may come
// twice: whoever copies can be interrupted anywhere.
func (c *Center) Replicate(ctx context.Context, by audit.Actor, r Replica) error {
	defer c.userPlaces.Forget()
	defer c.groupPlaces.Forget()
	return c.change(ctx, by, ActionReplicateInstance, func(tx Tx) (string, error) {
		for _, u := range r.Users {
			if err := replicateUser(tx, u); err != nil {
				return string(u.ID), err
			}
		}
		for _, g := range r.Groups {
			if err := replicateGroup(tx, g); err != nil {
				return string(g.ID), err
			}
		}
		for _, m := range r.Members {
			if _, err := tx.AddMembers(m.Group, m.Users, c.now(), by.Name); err != nil {
				return string(m.Group), err
			}
		}
		for _, a := range r.Accounts {
			if err := errors.Join(a.check(), tx.PutAccount(a)); err != nil {
				return a.ID, err
			}
		}
		for _, p := range r.PermissionSets {
			if err := errors.Join(p.check(), tx.PutPermissionSet(p)); err != nil {
				return p.ARN, err
			}
		}
		if err := replicateRoles(tx, r.Roles); err != nil {
			return "", err
		}
		for _, a := range r.Assignments {
			if err := tx.PutAssignment(a); err != nil {
				return a.subject(), err
			}
		}
		return c.replicateApplications(tx, r)
	})
}

func replicateUser(tx Tx, u User) error {
	u.normalize()
	if _, err := tx.User(u.ID); err == nil {
		return tx.PutUser(u)
	} else if !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	added, err := tx.AddUser(u)
	if err == nil && !added {
		if err = u.checkUnique(tx); err == nil {
			err = errors.New("the store refused a user whose keys nobody has")
		}
	}
	return err
}

func replicateGroup(tx Tx, g Group) error {
	g.DisplayName = names.Normal(g.DisplayName)
	if _, err := tx.Group(g.ID); err == nil {
		return tx.PutGroup(g)
	} else if !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	if err := g.check(tx, Group{}); err != nil {
		return err
	}
	return tx.AddGroup(g)
}

// replicateRoles notes where permission sets are provisioned. A role that is there keeps its name.
func replicateRoles(tx Tx, roles []Provisioned) error {
	for _, p := range roles {
		set, err := tx.PermissionSet(p.PermissionSetARN)
		if err != nil {
			return refusal.IfNoRow(err, PermissionSetNotFound, p.PermissionSetARN)
		}
		_, err = tx.Provisioned(p.AccountID, p.PermissionSetARN)
		if err == nil {
			if err := tx.MarkProvisioned(p.PermissionSetARN, p.AccountID, p.Revision); err != nil {
				return err
			}
			continue
		}
		if !errors.Is(err, refusal.ErrNoRow) {
			return err
		}
		p.RoleName = set.newRoleName()
		if _, err := tx.Account(p.AccountID); errors.Is(err, refusal.ErrNoRow) {
			// Whoever may not read the organization sees accounts by their permission sets.
			err = tx.PutAccount(Account{ID: p.AccountID, Name: p.AccountID})
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if err := tx.PutProvisioned(p); err != nil {
			return err
		}
	}
	return nil
}

func (c *Center) replicateApplications(tx Tx, r Replica) (string, error) {
	for _, i := range r.TokenIssuers {
		if err := errors.Join(i.check(), tx.PutTokenIssuer(i)); err != nil {
			return i.ARN, err
		}
	}
	for _, a := range r.Applications {
		if err := errors.Join(a.check(), tx.PutApplication(a)); err != nil {
			return a.ARN, err
		}
	}
	for _, a := range r.ApplicationAssignments {
		if err := tx.PutApplicationAssignment(a); err != nil {
			return a.ApplicationARN, err
		}
	}
	if r.Settings == nil {
		return c.Instance.ARN, nil
	}
	settings, err := signInSettings(tx)
	if err != nil {
		return c.Instance.ARN, err
	}
	settings.AccessControl = len(r.Settings.AccessControl) > 0
	return c.Instance.ARN, errors.Join(tx.PutSignInSettings(settings), tx.PutInstanceSettings(*r.Settings))
}

// Identity is what another instance is known by, which a copy of it takes over.
type Identity struct{ ARN, IdentityStoreID, OwnerAccountID, Region string }

// Identity is what the instance is known by.
func (i Instance) Identity() Identity {
	return Identity{i.ARN, i.IdentityStoreID, i.OwnerAccountID, i.Region}
}

var (
	instanceARN = newPattern(`^arn:aws[a-z-]*:sso:::instance/ssoins-[0-9a-f]{16}$`)
	storeID     = newPattern(`^(d-[0-9a-f]{10}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$`)
)

func (d Identity) check() error {
	if !instanceARN.match(d.ARN) || !storeID.match(d.IdentityStoreID) || !accountID.match(d.OwnerAccountID) ||
		!regionName.match(d.Region) {
		return fmt.Errorf("%+v is not what an instance is known by", d)
	}
	return nil
}

// adopt gives the instance what another one is known by. One that holds anything already stays what
// it is: programs know it, and ARNs are made of it.
func (i *Instance) adopt(tx Tx, d Identity) error {
	if i.Identity() == d {
		return nil
	}
	if err := d.check(); err != nil {
		return err
	}
	held, err := holds(tx)
	if err == nil && held {
		err = &refusal.Error{Code: InstanceInUse, Subject: i.ARN}
	}
	if err != nil {
		return err
	}
	i.ARN, i.IdentityStoreID = d.ARN, d.IdentityStoreID
	i.OwnerAccountID, i.Region = d.OwnerAccountID, d.Region
	return nil
}

// holds says whether there is anything that programs know by the instance.
func holds(tx Reader) (bool, error) {
	held := []func() (int, error){
		func() (int, error) { return tx.CountUsers(UserQuery{Limit: 1}) },
		func() (int, error) { return tx.CountGroups(GroupQuery{Limit: 1}) },
		tx.CountAccounts, tx.CountPermissionSets, tx.CountApplications,
		func() (int, error) { list, err := tx.TokenIssuers(); return len(list), err },
		func() (int, error) { list, err := tx.BearerTokens(); return len(list), err },
		func() (int, error) { list, err := tx.AssignmentRules(); return len(list), err },
	}
	for _, count := range held {
		n, err := count()
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// MayBecome fails with InstanceInUse when a center is another instance than one that it is to take
// over, and holds something. It changes nothing, and needs no more of a center than its store.
func (c *Center) MayBecome(ctx context.Context, d Identity) error {
	return c.Store.View(ctx, func(r Reader) error {
		i, err := r.Instance()
		if errors.Is(err, refusal.ErrNoRow) || (err == nil && i.Identity() == d) {
			return nil
		}
		if err != nil {
			return err
		}
		held, err := holds(r)
		if err == nil && held {
			err = &refusal.Error{Code: InstanceInUse, Subject: i.ARN}
		}
		return err
	})
}
