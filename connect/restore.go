package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
)

// AccountLister is a Restorer that says which accounts can be given access to, which a closed one
// cannot.
type AccountLister interface {
	Accounts(context.Context) ([]string, error)
}

// Maker remembers what of AWS's side a Writer keeps in step, or kept until it was ended, by ids
// there.
type Maker interface {
	Made(context.Context) (map[string]bool, error)
}

// leftover is what a step could not do of several things. The steps after it are done all the same.
type leftover struct{ error }

func (l leftover) Unwrap() error { return l.error }

// compare finds what was lost and what is new since the snapshot.
func (u *Undo) compare(ctx context.Context) error {
	before := u.options.Before
	if before == nil {
		return nil
	}
	if store := u.plan.State.Directory.IdentityStoreID; before.IdentityStoreID != store {
		return fmt.Errorf("it is of the identity store %s, and this one is %s", before.IdentityStoreID, store)
	}
	if u.options.Restore == nil {
		return errors.New("nothing can be given back here")
	}
	now, err := u.options.Restore.Discover(ctx, u.plan.cfg.Progress)
	if err != nil {
		return err
	}
	u.compareAssignments(ctx, now)
	return u.compareNew(ctx, now)
}

// compareAssignments finds the assignments that are lost. One whose principal, permission set or
// account is gone cannot be given back.
func (u *Undo) compareAssignments(ctx context.Context, now Snapshot) {
	principals, sets := map[string]bool{}, map[string]bool{}
	for _, x := range now.Users {
		principals[x.ID] = true
	}
	for _, x := range now.Groups {
		principals[x.ID] = true
	}
	for _, x := range now.PermissionSets {
		sets[x.ARN] = true
	}
	var accounts []string // none: nobody tells
	for _, a := range u.options.Before.Assignments {
		if slices.Contains(now.Assignments, a) {
			continue
		}
		if lister, lists := u.options.Restore.(AccountLister); lists && accounts == nil {
			if accounts, _ = lister.Accounts(ctx); accounts == nil { // whoever may not list them tries
				accounts = []string{}
			}
		}
		gone := ""
		switch {
		case !principals[a.PrincipalID]:
			gone = strings.ToLower(a.PrincipalType) + " is gone"
		case !sets[a.PermissionSetARN]:
			gone = "permission set is gone"
		case len(accounts) > 0 && !slices.Contains(accounts, a.AccountID):
			gone = "account is closed, or in the organization no more"
		default:
			u.lost = append(u.lost, a)
			continue
		}
		u.Notes = append(u.Notes, "the assignment of "+u.assigned(a)+" cannot be given back: its "+gone)
	}
}

// assigned names an assignment.
func (u *Undo) assigned(a Assignment) string {
	set := a.PermissionSetARN
	for _, x := range u.options.Before.PermissionSets {
		if x.ARN == set && x.Name != "" {
			set = x.Name
		}
	}
	who := a.PrincipalID
	for _, x := range u.options.Before.Users {
		if x.ID == who {
			who = x.UserName
		}
	}
	for _, x := range u.options.Before.Groups {
		if x.ID == who {
			who = x.DisplayName
		}
	}
	return set + " in account " + a.AccountID + " to " + who
}

// compareNew finds who is new, and who of them provisioning has made. What is new may as well be
// somebody's whom an administrator has made by hand, so only a sign of provisioning tells.
func (u *Undo) compareNew(ctx context.Context, now Snapshot) error {
	there := map[string]bool{}
	for _, x := range u.options.Before.Users {
		there[x.ID] = true
	}
	for _, x := range u.options.Before.Groups {
		there[x.ID] = true
	}
	made := map[string]bool{}
	if maker := u.plan.cfg.Maker; maker != nil {
		var err error
		switch made, err = maker.Made(ctx); {
		case errors.Is(err, ErrWriterBusy):
			u.Notes = append(u.Notes, "what gatehouse sync has made cannot be told while it runs: end it first")
		case err != nil:
			return err
		}
	}
	fromProvisioning := func(id, name string, external []ExternalID) bool {
		switch {
		case there[id]:
			return false
		case made[id] || provisioned(external):
			return true
		}
		u.staying = append(u.staying, name)
		return false
	}
	for _, x := range now.Users {
		if fromProvisioning(x.ID, x.UserName, x.ExternalIDs) {
			u.newUsers = append(u.newUsers, x)
		}
	}
	for _, x := range now.Groups {
		if fromProvisioning(x.ID, x.DisplayName, x.ExternalIDs) {
			u.newGroups = append(u.newGroups, x)
		}
	}
	return nil
}

// provisioned says whether SCIM has given an id. Nobody gives one at the console.
func provisioned(ids []ExternalID) bool {
	return slices.ContainsFunc(ids, func(x ExternalID) bool { return strings.HasPrefix(x.Issuer, "https://scim.") })
}

// newNames are the names of what provisioning has made.
func (u *Undo) newNames() (users, groups []string) {
	for _, x := range u.newUsers {
		users = append(users, x.UserName)
	}
	for _, x := range u.newGroups {
		groups = append(groups, x.DisplayName)
	}
	return users, groups
}

func (u *Undo) peopleSteps(add func(bool, string, string, string, func(context.Context) error)) {
	if u.options.DeleteProvisioned {
		users, groups := u.newNames()
		add(
			len(users)+len(groups) > 0, "Users and groups",
			names.Counted(
				"delete %d {user|users} and %d {group|groups} that provisioning made: ", len(users), len(groups),
			)+someOf(slices.Concat(groups, users)), "none is there that provisioning made", u.deleteProvisioned,
		)
		if len(u.staying) > 0 {
			u.Notes = append(u.Notes, names.Counted("%d that {is|are} new {stays|stay}, since nothing says that "+
				"provisioning made {it|them}: ", len(u.staying))+someOf(u.staying))
		}
		return
	}
	if n := len(u.newUsers) + len(u.newGroups) + len(u.staying); n > 0 {
		u.Notes = append(
			u.Notes, names.Counted("%d {user or group that is new stays|users and groups that are new stay}", n),
		)
	}
	if u.options.Before == nil && u.plan.Changes {
		u.Notes = append(u.Notes, "users and groups that were provisioned stay")
	}
}

// giveBack tries all: what AWS refuses of one has no part in the others.
func (u *Undo) giveBack(ctx context.Context) error {
	var failed []string
	for _, a := range u.lost {
		err := u.options.Restore.CreateAssignment(ctx, a)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed = append(failed, u.assigned(a)+": "+err.Error())
		}
	}
	return undone("%d of %d {assignment|assignments} could not be given back: ", failed, len(u.lost))
}

// deleteProvisioned tries all, too.
func (u *Undo) deleteProvisioned(ctx context.Context) error {
	var failed []string
	keep := func(what string, err error) {
		if err != nil {
			failed = append(failed, what+": "+err.Error())
		}
	}
	for _, x := range u.newGroups {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		keep("the group "+x.DisplayName, u.options.Restore.DeleteGroup(ctx, x.ID))
	}
	for _, x := range u.newUsers {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		keep("the user "+x.UserName, u.options.Restore.DeleteUser(ctx, x.ID))
	}
	return undone("%d of %d {user or group|users and groups} could not be deleted: ", failed,
		len(u.newGroups)+len(u.newUsers))
}

// undone is the error of a step of which some could not be done; nil: all was.
func undone(format string, failed []string, all int) error {
	if len(failed) == 0 {
		return nil
	}
	return leftover{errors.New(names.Counted(format, len(failed), all) + someOf(failed))}
}
