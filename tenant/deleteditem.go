package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// KindApplication is the kind of a deleted application.
const KindApplication ObjectKind = "Application"

// DeletedItem is an object that was deleted and can be restored: a user, a group, or an application
// with its service principal. It stands apart from the living, with its memberships and
// assignments: nothing that looks for people who may sign in can find it.
//
// Sources: directory resource type, "Restore or remove a recently deleted user".
type DeletedItem struct {
	ID          string // the object's own; of an application that of the application
	Kind        ObjectKind
	DeletedAt   time.Time
	User        *User            `json:",omitempty"`
	Password    *Password        `json:",omitempty"` // of the user
	Factors     *Factors         `json:",omitempty"` // of the user
	Roles       []RoleAssignment `json:",omitempty"` // of the user
	Group       *Group           `json:",omitempty"`
	Application *Application     `json:",omitempty"`
}

// OtherID is that of the service principal of an application; else "".
func (i DeletedItem) OtherID() string {
	if i.Application == nil {
		return ""
	}
	return string(i.Application.ServicePrincipalID)
}

// Name is what people call the object.
func (i DeletedItem) Name() string {
	switch {
	case i.User != nil:
		return i.User.DisplayName
	case i.Group != nil:
		return i.Group.DisplayName
	case i.Application != nil:
		return i.Application.DisplayName
	}
	return i.ID
}

// GoneAt is when it is deleted for good.
func (i DeletedItem) GoneAt() time.Time { return i.DeletedAt.Add(DeletedLife) }

// DeletedLife is how long a deleted object can be restored. Source: directory deletedItems.
const DeletedLife = 30 * 24 * time.Hour //bound:life a deleted object of the tenant that can be restored

// DeletedQuery pages through deleted objects of a kind in the order of their ids.
type DeletedQuery struct {
	Kind  ObjectKind
	Since time.Time // those that were deleted later
	After string
	Limit int // 0: no limit
}

// deletedReader reads what was deleted and can be restored.
type deletedReader interface {
	DeletedItem(id string) (DeletedItem, error) // by its own id, or its service principal's
	DeletedUsersNamed(userPrincipalName string) ([]DeletedItem, error)
	DeletedItems(DeletedQuery) ([]DeletedItem, error)
	CountDeletedItems(kind ObjectKind, since time.Time) (int, error)
	OverdueItems(until time.Time, limit int) ([]DeletedItem, error) // those that were deleted so long ago
	MembersAside(itemID string) ([]Member, error)
	AssignmentsAside(itemID string) ([]Assignment, error)
}

// deletedWriter writes what was deleted and can be restored.
type deletedWriter interface {
	PutDeletedItem(DeletedItem) error
	DeleteDeletedItem(id string) error // with what is kept aside for it
	PutMemberAside(itemID string, m Member) error
	PutMembersAside(id PrincipalID) error // all that it has, as group and as member
	PutAssignmentAside(itemID string, a Assignment) error
	PutAssignmentsAside(itemID string, q AssignmentQuery) error // those of either end
}

// restoring and hardDeleting are the actions by kind.
var (
	restoring = map[ObjectKind]Action{
		KindUser:        ActionRestoreUser,
		KindGroup:       ActionRestoreGroup,
		KindApplication: ActionRestoreApplication,
	}
	hardDeleting = map[ObjectKind]Action{
		KindUser:        ActionHardDeleteUser,
		KindGroup:       ActionHardDeleteGroup,
		KindApplication: ActionHardDeleteApplication,
	}
)

// putAside keeps a user or a group for a restoration, with memberships and assignments.
func putAside(tx Tx, touched *Touched, item DeletedItem) error {
	id := PrincipalID(item.ID)
	in, err := tx.MemberOf(id)
	if err != nil {
		return err
	}
	for _, m := range in {
		touched.member(m.GroupID, Mark{m.Kind, id}, true)
	}
	return errors.Join(
		tx.PutDeletedItem(item), tx.PutMembersAside(id),
		tx.PutAssignmentsAside(item.ID, AssignmentQuery{PrincipalID: id}),
	)
}

// DeleteUser removes a user with memberships, assignments and sessions. The user can be restored
// for thirty days.
func (t *Tenant) DeleteUser(ctx context.Context, by audit.Actor, id UserID) error {
	return t.change(ctx, by, ActionDeleteUser, func(tx Tx, touched *Touched) (string, error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		item := DeletedItem{ID: string(id), Kind: KindUser, DeletedAt: t.now(), User: &u}
		password, e1 := tx.Password(AccountID(id))
		if e1 == nil {
			item.Password = &password
		}
		factors, e2 := tx.Factors(AccountID(id))
		if e2 == nil {
			item.Factors = &factors
		}
		roles, e3 := tx.RoleAssignmentsOf(id)
		item.Roles = roles
		if err := errors.Join(nilIfNoRow(e1), nilIfNoRow(e2), e3); err != nil {
			return string(id), err
		}
		if err := mayLockOut(tx, by, roles); err != nil {
			return string(id), err
		}
		if err := t.endSessions(tx, &u); err != nil { // what was opened before stays closed after a restoration
			return string(id), err
		}
		touched.add(KindUser, PrincipalID(id))
		return string(id), errors.Join(
			putAside(tx, touched, item), tx.DeleteGrantsOf(AccountID(id)),
			tx.PutRoleAssignmentsOf(id, nil), tx.DeleteUser(id),
		)
	})
}

// DeleteGroup removes a group with its memberships and assignments. It can be restored for thirty
// days.
func (t *Tenant) DeleteGroup(ctx context.Context, by audit.Actor, id GroupID) error {
	return t.change(ctx, by, ActionDeleteGroup, func(tx Tx, touched *Touched) (string, error) {
		g, err := tx.Group(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, GroupNotFound, string(id))
		}
		touched.add(KindGroup, PrincipalID(id))
		if err := touchMembers(tx, touched, id); err != nil {
			return string(id), err
		}
		item := DeletedItem{ID: string(id), Kind: KindGroup, DeletedAt: t.now(), Group: &g}
		return string(id), errors.Join(putAside(tx, touched, item), tx.DeleteGroup(id))
	})
}

// DeleteApplication removes an application with its service principal. Nobody signs in to it any
// more, and its provisioning is paused: nobody is disabled at the target. Both can be restored for
// thirty days.
func (t *Tenant) DeleteApplication(ctx context.Context, by audit.Actor, id AnyApplicationID) error {
	return t.change(ctx, by, ActionDeleteApplication, func(tx Tx, _ *Touched) (string, error) {
		a, err := tx.Application(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, ApplicationNotFound, string(id))
		}
		jobs, err := tx.Jobs(a.ServicePrincipalID)
		for _, j := range jobs {
			j.State = JobPaused
			j.Asked++
			err = errors.Join(err, tx.PutJob(j))
		}
		if err != nil {
			return string(a.ID), err
		}
		item := DeletedItem{ID: string(a.ID), Kind: KindApplication, DeletedAt: t.now(), Application: &a}
		return string(a.ID), errors.Join(
			tx.PutDeletedItem(item),
			tx.PutAssignmentsAside(item.ID, AssignmentQuery{ServicePrincipalID: a.ServicePrincipalID}),
			tx.DeleteApplication(a.ID),
		)
	})
}

// deletedSince is before when an object must have been deleted to be gone for good.
func (t *Tenant) deletedSince() time.Time { return t.now().Add(-DeletedLife) }

func (t *Tenant) deletedItem(r Reader, id string) (DeletedItem, error) {
	item, err := r.DeletedItem(id)
	if err == nil && !item.DeletedAt.After(t.deletedSince()) {
		err = refusal.ErrNoRow
	}
	return item, refusal.IfNoRow(err, DeletedItemNotFound, id)
}

// DeletedItem returns what can be restored by its id, or fails with DeletedItemNotFound.
func (t *Tenant) DeletedItem(ctx context.Context, id string) (item DeletedItem, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		item, err = t.deletedItem(r, id)
		return err
	})
	return item, err
}

// DeletedItems lists so many objects of a kind that can be restored, after an id.
func (t *Tenant) DeletedItems(
	ctx context.Context, kind ObjectKind, after string, limit int,
) (items []DeletedItem, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		items, err = r.DeletedItems(DeletedQuery{Kind: kind, Since: t.deletedSince(), After: after, Limit: limit})
		return err
	})
	return items, err
}

// CountDeletedItems counts the objects of a kind that can be restored.
func (t *Tenant) CountDeletedItems(ctx context.Context, kind ObjectKind) (n int, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		n, err = r.CountDeletedItems(kind, t.deletedSince())
		return err
	})
	return n, err
}

// Restore brings a deleted object back, with the memberships and assignments of which the other end
// is still there. A user comes back under another user principal name where one is given. The
// provisioning of an application stays paused. It fails with DeletedItemNotFound, UPNTaken,
// IdentifierTaken or InvalidValue.
func (t *Tenant) Restore(ctx context.Context, by audit.Actor, id, principalName string) (DeletedItem, error) {
	item, err := t.DeletedItem(ctx, id)
	if err != nil {
		return item, t.Refuse(ctx, by, "Restore", id, err)
	}
	err = t.change(ctx, by, restoring[item.Kind], func(tx Tx, touched *Touched) (string, error) {
		if item, err = t.deletedItem(tx, id); err != nil {
			return id, err
		}
		if err := mayLockOut(tx, by, item.Roles); err != nil {
			return id, err
		}
		switch item.Kind {
		case KindUser:
			err = restoreUser(tx, touched, &item, principalName)
		case KindGroup:
			touched.add(KindGroup, PrincipalID(item.ID))
			err = tx.PutGroup(*item.Group)
		default:
			err = restoreApplication(tx, *item.Application)
		}
		if err == nil {
			err = bringBack(tx, touched, item)
		}
		return item.ID, errors.Join(err, tx.DeleteDeletedItem(item.ID))
	})
	return item, err
}

func restoreUser(tx Tx, touched *Touched, item *DeletedItem, principalName string) error {
	u := *item.User
	if principalName != "" {
		u.UserPrincipalName = principalName
		u.normalize()
	}
	if err := u.check(tx, *item.User); err != nil {
		return err
	}
	item.User = &u
	touched.add(KindUser, PrincipalID(u.ID))
	err := errors.Join(tx.PutUser(u), tx.PutRoleAssignmentsOf(u.ID, item.Roles), touchNamesake(tx, touched, u, User{}))
	if item.Password != nil {
		err = errors.Join(err, tx.PutPassword(*item.Password))
	}
	if item.Factors != nil {
		err = errors.Join(err, tx.PutFactors(*item.Factors))
	}
	return err
}

// touchNamesake marks the deleted users whose name a user takes: at the target, where they are only
// disabled, they stand in the way.
func touchNamesake(tx Reader, touched *Touched, u, old User) error {
	if u.UserPrincipalName == old.UserPrincipalName {
		return nil
	}
	before, err := tx.DeletedUsersNamed(u.UserPrincipalName)
	for _, item := range before {
		touched.add(KindUser, PrincipalID(item.ID))
	}
	return err
}

// restoreApplication brings an application back, without the policies that were deleted meanwhile.
func restoreApplication(tx Tx, a Application) error {
	for _, id := range []*PolicyID{&a.ClaimsPolicyID, &a.IssuancePolicyID} {
		if *id == "" {
			continue
		}
		switch _, err := tx.Policy(*id); {
		case errors.Is(err, refusal.ErrNoRow):
			*id = ""
		case err != nil:
			return err
		}
	}
	if err := a.check(tx); err != nil {
		return err
	}
	return tx.PutApplication(a)
}

// bringBack gives an object that is there again what was kept aside for it. What belongs to another
// deleted object as well is kept for that one.
func bringBack(tx Tx, touched *Touched, item DeletedItem) error {
	members, e1 := tx.MembersAside(item.ID)
	assigned, e2 := tx.AssignmentsAside(item.ID)
	if err := errors.Join(e1, e2); err != nil {
		return err
	}
	for _, m := range members {
		other := PrincipalID(m.GroupID)
		if string(other) == item.ID {
			other = m.MemberID
		}
		there, err := standing(tx, string(other), func() error { _, err := kindOf(tx, other); return err })
		switch {
		case err != nil:
			return err
		case there.living:
			touched.add(m.Kind, m.MemberID)
			touched.member(m.GroupID, Mark{m.Kind, m.MemberID}, false)
			err = tx.PutMember(m)
		case there.restorable:
			err = tx.PutMemberAside(string(other), m)
		}
		if err != nil {
			return err
		}
	}
	for _, a := range assigned {
		if err := bringBackAssignment(tx, item, a); err != nil {
			return err
		}
	}
	if item.Kind == KindGroup {
		return touchMembers(tx, touched, GroupID(item.ID))
	}
	return nil
}

func bringBackAssignment(tx Tx, item DeletedItem, a Assignment) error {
	other := string(a.PrincipalID)
	look := func() error { _, err := kindOf(tx, a.PrincipalID); return err }
	if item.Kind != KindApplication {
		other = string(a.ServicePrincipalID)
		look = func() error { _, err := tx.Application(AnyApplicationID(other)); return err }
	}
	there, err := standing(tx, other, look)
	switch {
	case err != nil:
		return err
	case there.living:
		return tx.PutAssignment(a)
	case there.restorable:
		return tx.PutAssignmentAside(there.itemID, a)
	}
	return nil
}

// place is where an object stands: among the living, among the deleted, or nowhere.
type place struct {
	living, restorable bool
	itemID             string
}

// standing says where an object stands; look fails where it is not among the living.
func standing(r Reader, id string, look func() error) (place, error) {
	err := look()
	if err == nil {
		return place{living: true}, nil
	}
	if !errors.Is(err, refusal.ErrNoRow) && refusal.KindOf(err) != refusal.NotFound {
		return place{}, err
	}
	item, err := r.DeletedItem(id)
	return place{restorable: err == nil, itemID: item.ID}, nilIfNoRow(err)
}

// HardDelete deletes what was deleted before for good. It fails with DeletedItemNotFound.
func (t *Tenant) HardDelete(ctx context.Context, by audit.Actor, id string) error {
	item, err := t.DeletedItem(ctx, id)
	if err != nil {
		return t.Refuse(ctx, by, "Hard Delete", id, err)
	}
	return t.hardDelete(ctx, by, item)
}

func (t *Tenant) hardDelete(ctx context.Context, by audit.Actor, item DeletedItem) error {
	return t.change(ctx, by, hardDeleting[item.Kind], func(tx Tx, touched *Touched) (string, error) {
		if _, err := tx.DeletedItem(item.ID); err != nil {
			return item.ID, refusal.IfNoRow(err, DeletedItemNotFound, item.ID)
		}
		if err := mayLockOut(tx, by, item.Roles); err != nil {
			return item.ID, err
		}
		if item.Application == nil {
			touched.add(item.Kind, PrincipalID(item.ID))
			return item.ID, tx.DeleteDeletedItem(item.ID)
		}
		jobs, err := tx.Jobs(item.Application.ServicePrincipalID)
		for _, j := range jobs {
			err = errors.Join(err, endJob(tx, j, t.now()))
		}
		return item.ID, errors.Join(err, tx.DeleteDeletedItem(item.ID))
	})
}

const sweptAtOnce = 100 //bound:none how many are read at a time

// sweepDeleted deletes for good what can be restored no more.
func (t *Tenant) sweepDeleted(ctx context.Context, now time.Time) error {
	for {
		var over []DeletedItem
		err := t.Store.View(ctx, func(r Reader) (err error) {
			over, err = r.OverdueItems(now.Add(-DeletedLife), sweptAtOnce)
			return err
		})
		if err != nil || len(over) == 0 {
			return err
		}
		for _, item := range over {
			err := t.hardDelete(ctx, audit.SystemActor, item)
			if err != nil && refusal.CodeOf(err) != DeletedItemNotFound { // another node was faster
				return err
			}
		}
	}
}
