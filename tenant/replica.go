package tenant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Replica is a page of another tenant's directory, as a delta query gives it.
type Replica struct {
	Users   []User // one without a user principal name keeps that which it has
	Groups  []Group
	Gone    []Mark
	Removed []UserID // deleted so that they can be restored: they stay, disabled
	Members []Change // that came to a group, or left it
	Settled []UserID // had left, and come with the memberships and the manager that they have now
}

// Note is a text that is kept under a name, such as the link to go on by.
type Note struct{ Name, Text string }

// noteReader reads notes.
type noteReader interface {
	Note(name string) (string, error)
	// Notes are those whose names begin so.
	Notes(prefix string) ([]Note, error)
}

// noteWriter writes notes.
type noteWriter interface {
	PutNote(name, text string) error
	DeleteNote(name string) error
}

// Replicate puts a page of another tenant into this directory, with a note, in one transaction.
// Objects keep their ids, and nothing else is checked: the other tenant's rules have been. What is
// there already as it comes leaves no trace in the journal, so that a page may come twice.
func (t *Tenant) Replicate(ctx context.Context, by audit.Actor, page Replica, note Note) error {
	return t.change(ctx, by, ActionReplicateDirectory, func(tx Tx, touched *Touched) (string, error) {
		for _, m := range page.Gone {
			if err := t.removeReplicated(tx, touched, m); err != nil {
				return string(m.ID), err
			}
		}
		for _, id := range page.Removed {
			if err := t.disableReplicated(tx, touched, id); err != nil {
				return string(id), err
			}
		}
		for _, u := range page.Users {
			if err := t.replicateUser(tx, touched, u); err != nil {
				return string(u.ID), err
			}
		}
		for _, g := range page.Groups {
			old, err := tx.Group(g.ID)
			if err != nil && !errors.Is(err, refusal.ErrNoRow) {
				return string(g.ID), err
			}
			if err == nil && old.DisplayName == g.DisplayName && old.Description == g.Description &&
				old.MailNickname == g.MailNickname && old.SecurityEnabled == g.SecurityEnabled {
				continue
			}
			g.Owners = old.Owners
			touched.add(KindGroup, PrincipalID(g.ID))
			if err := tx.PutGroup(g); err != nil {
				return string(g.ID), err
			}
		}
		for _, c := range page.Members {
			if err := replicateMember(tx, touched, c); err != nil {
				return string(c.ID), err
			}
		}
		for _, id := range page.Settled {
			if err := tx.DeleteNote(leftNote(id)); err != nil {
				return string(id), err
			}
		}
		if note.Name == "" {
			return "", nil
		}
		return "", tx.PutNote(note.Name, note.Text)
	})
}

func (t *Tenant) replicateUser(tx Tx, touched *Touched, u User) error {
	if err := u.checkID(); err != nil {
		return err
	}
	u.normalize()
	old, err := tx.User(u.ID)
	u.SessionsValidFrom = old.SessionsValidFrom // this tenant's own, as its sessions are
	if u.UserPrincipalName == "" {
		u.UserPrincipalName = old.UserPrincipalName
	}
	if err == nil && old == u {
		return nil
	}
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	if old.Enabled && !u.Enabled {
		if err := t.endSessions(tx, &u); err != nil {
			return err
		}
	}
	holder, err := tx.UserByPrincipalName(u.UserPrincipalName)
	switch {
	case err == nil && holder.ID != u.ID && holder.Removed: // the target has only one of a name
		if err := t.removeReplicated(tx, touched, Mark{KindUser, PrincipalID(holder.ID)}); err != nil {
			return err
		}
	case err == nil && holder.ID != u.ID: // it has another name by now, which comes later in the same delta
		holder.UserPrincipalName = holder.nameTaken()
		touched.add(KindUser, PrincipalID(holder.ID))
		if err := tx.PutUser(holder); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, refusal.ErrNoRow):
		return err
	}
	touched.add(KindUser, PrincipalID(u.ID))
	return tx.PutUser(u)
}

// NameTaken is how the name of somebody ends whose name another has by now: the id stands before.
const NameTaken = "@renamed.invalid"

func (u User) nameTaken() string { return string(u.ID) + NameTaken }

// disableReplicated disables who was deleted at the original: that is how provisioning treats them.
// A name comes with nobody who was deleted, so that one who has lost theirs meanwhile is gone.
func (t *Tenant) disableReplicated(tx Tx, touched *Touched, id UserID) error {
	u, err := tx.User(id)
	if err != nil || u.Removed && !u.Enabled {
		return nilIfNoRow(err)
	}
	if u.UserPrincipalName == u.nameTaken() {
		return t.removeReplicated(tx, touched, Mark{KindUser, PrincipalID(id)})
	}
	if err := t.endSessions(tx, &u); err != nil {
		return err
	}
	u.Enabled, u.Removed = false, true
	touched.add(KindUser, PrincipalID(id))
	return tx.PutUser(u)
}

// prefixLeft is how the names of notes begin that a user was forgotten, who may come back all the
// same, with memberships and a manager that nobody tells again. The text is when.
const prefixLeft = "left/"

func leftNote(id UserID) string { return prefixLeft + string(id) }

// leftKept is how long these notes are kept. Who is deleted for good does not come back; somebody
// may whom the other tenant has hidden for some time.
const leftKept = 180 * 24 * time.Hour //bound:life the note that a user of a mirror was forgotten

// Left are those who were forgotten, and may come back.
func (t *Tenant) Left(ctx context.Context) (all map[UserID]bool, err error) {
	all = map[UserID]bool{}
	err = t.Store.View(ctx, func(r Reader) error {
		notes, err := r.Notes(prefixLeft)
		for _, n := range notes {
			all[UserID(strings.TrimPrefix(n.Name, prefixLeft))] = n.Text != ""
		}
		return err
	})
	return all, err
}

// sweepLeft removes the notes of who was forgotten long ago. Earlier releases wrote no time, which
// begins now then, and left a note without a text of who has come back.
func sweepLeft(tx Tx, now time.Time) error {
	notes, err := tx.Notes(prefixLeft)
	for _, n := range notes {
		at, unread := time.Parse(time.RFC3339, n.Text)
		switch {
		case err != nil:
			return err
		case n.Text == "", unread == nil && now.Sub(at) > leftKept:
			err = tx.DeleteNote(n.Name)
		case unread != nil:
			err = tx.PutNote(n.Name, now.UTC().Format(time.RFC3339))
		}
	}
	return err
}

func (t *Tenant) removeReplicated(tx Tx, touched *Touched, m Mark) error {
	if m.Kind == KindGroup {
		_, err := tx.Group(GroupID(m.ID))
		if errors.Is(err, refusal.ErrNoRow) { // some of its members may have come, which are kept first
			return tx.DeleteMembersOf(m.ID)
		}
		if err != nil {
			return err
		}
		touched.add(KindGroup, m.ID)
		return errors.Join(
			touchMembers(tx, touched, GroupID(m.ID)), removeObject(tx, touched, m.ID), tx.DeleteGroup(GroupID(m.ID)),
		)
	}
	if _, err := tx.User(UserID(m.ID)); err != nil {
		return nilIfNoRow(err)
	}
	touched.add(KindUser, m.ID)
	return errors.Join(removeObject(tx, touched, m.ID), tx.DeleteSessionsOf(AccountID(m.ID)),
		tx.DeleteGrantsOf(AccountID(m.ID)),
		tx.PutRoleAssignmentsOf(UserID(m.ID), nil), tx.DeleteUser(UserID(m.ID)),
		tx.PutNote(leftNote(UserID(m.ID)), t.now().UTC().Format(time.RFC3339)))
}

// nilIfNoRow forgives that something is not there.
func nilIfNoRow(err error) error {
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	return err
}

func replicateMember(tx Tx, touched *Touched, c Change) error {
	was, err := tx.Member(GroupID(c.ID), c.Member.ID)
	there := err == nil
	if there { // whoever leaves need not come with a kind
		c.Member.Kind = was.Kind
	}
	if err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return err
	}
	if there != c.Removed { // as it should be
		return nil
	}
	touched.scope(c.Member.Kind, c.Member.ID)
	touched.member(GroupID(c.ID), c.Member, c.Removed)
	if c.Removed {
		return tx.DeleteMember(GroupID(c.ID), c.Member.ID)
	}
	return tx.PutMember(Member{GroupID(c.ID), c.Member.ID, c.Member.Kind})
}

// Holder is a user or a group with an app role.
type Holder struct {
	Principal PrincipalID
	Role      AppRoleID
}

// ReplicateApplication puts an application of another tenant into this one, with its ids. What this
// tenant has of it that the other does not give, such as keys, stays.
func (t *Tenant) ReplicateApplication(ctx context.Context, by audit.Actor, a Application) error {
	return t.change(ctx, by, ActionReplicateDirectory, func(tx Tx, _ *Touched) (string, error) {
		old, err := tx.Application(AnyApplicationID(a.ID))
		if err != nil && !errors.Is(err, refusal.ErrNoRow) {
			return string(a.ID), err
		}
		a := a
		a.Keys, a.ActiveThumbprint = old.Keys, old.ActiveThumbprint
		a.NameID, a.Claims = old.NameID, old.Claims
		a.Signing, a.OwnRoles = old.Signing, old.OwnRoles
		a.ClaimsPolicyID, a.IssuancePolicyID = old.ClaimsPolicyID, old.IssuancePolicyID
		if a.CreatedAt = old.CreatedAt; a.CreatedAt.IsZero() {
			a.CreatedAt = t.now()
		}
		return string(a.ID), tx.PutApplication(a)
	})
}

// SetAssigned makes the assignments of an application those of the named users and groups, and no
// others, and its app roles the given ones; none leaves them as they are. Users and groups that are
// not in the directory are left out. A role that is empty is the first one. The notes are kept in
// the same transaction.
func (t *Tenant) SetAssigned(
	ctx context.Context, by audit.Actor, servicePrincipalID ServicePrincipalID, holders []Holder, roles []Role,
	notes ...Note,
) error {
	subject := string(servicePrincipalID)
	return t.change(ctx, by, ActionReplicateAssignments, func(tx Tx, touched *Touched) (string, error) {
		app, err := tx.Application(AnyApplicationID(servicePrincipalID))
		if err != nil {
			return subject, refusal.IfNoRow(err, ApplicationNotFound, subject)
		}
		if old := app; len(roles) > 0 && !slices.Equal(roles, app.AppRoles()) {
			app.OwnRoles = roles
			if err := errors.Join(rolesChanged(tx, touched, old, app), tx.PutApplication(app)); err != nil {
				return subject, err
			}
		}
		list, err := tx.Assignments(AssignmentQuery{ServicePrincipalID: servicePrincipalID})
		if err != nil {
			return subject, err
		}
		wanted, assigned := map[Holder]bool{}, map[Holder]bool{}
		for i := range holders {
			if holders[i].Role == "" {
				holders[i].Role = app.AppRoles()[0].ID
			}
			wanted[holders[i]] = true
		}
		for _, a := range list {
			at := Holder{a.PrincipalID, a.RoleID}
			if assigned[at] = wanted[at]; !wanted[at] {
				if err := errors.Join(touchPrincipal(tx, touched, a), tx.DeleteAssignment(a.ID)); err != nil {
					return subject, err
				}
			}
		}
		for _, note := range notes {
			if err := tx.PutNote(note.Name, note.Text); err != nil {
				return subject, err
			}
		}
		for _, h := range holders {
			kind, err := kindOf(tx, h.Principal)
			if assigned[h] || refusal.CodeOf(err) == UserNotFound {
				continue
			}
			if err != nil {
				return subject, err
			}
			assigned[h] = true
			a := Assignment{
				ID:                 AssignmentID(t.NewID()),
				ServicePrincipalID: servicePrincipalID,
				PrincipalID:        h.Principal,
				PrincipalKind:      kind,
				RoleID:             h.Role,
				CreatedAt:          t.now(),
			}
			if err := errors.Join(touchPrincipal(tx, touched, a), tx.PutAssignment(a)); err != nil {
				return subject, err
			}
		}
		return subject, nil
	})
}

// Note returns what is kept under a name, or "".
func (t *Tenant) Note(ctx context.Context, name string) (text string, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		text, err = r.Note(name)
		return nilIfNoRow(err)
	})
	return text, err
}

// SetNote keeps a text under a name.
func (t *Tenant) SetNote(ctx context.Context, note Note) error {
	return t.Store.Update(ctx, func(tx Tx) error { return tx.PutNote(note.Name, note.Text) })
}
