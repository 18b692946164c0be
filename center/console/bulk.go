package console

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// What is done to several rows of a list at once. The question before it says to how many.

// rows reads the names of so many rows of a list, as the visit of its page has it.
type rows func(list page, limit int) ([]string, error)

// picked are the rows that were chosen, or all that their list has, where the form means these and
// there is a way to read them. Whoever reads all must ask before it does anything to them.
func (p page) picked(all rows) ([]string, error) {
	every := p.Every() && all != nil // it reads the form
	list, most := p.PostForm[web.Pick], maxAssigned
	if every {
		of := p
		of.Visit = p.Listed()
		var err error
		if list, err = all(of, web.MaxEvery+1); err != nil {
			return nil, err
		}
		most = web.MaxEvery
	}
	switch {
	case len(list) == 0:
		return nil, &refusal.Error{Code: center.MissingValue, Detail: "choose at least one row"}
	case len(list) > most:
		return nil, &refusal.Error{
			Code: center.InvalidValue, Detail: fmt.Sprintf("choose at most %d rows", most),
		}
	}
	if every {
		p.Settle(list)
	}
	return list, nil
}

// assignmentKey names an assignment in a form.
func assignmentKey(a center.Assignment) string {
	return strings.Join([]string{a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID}, " ")
}

// ofAssignmentKey is the assignment that a form names, by four words.
func ofAssignmentKey(key string) center.Assignment {
	parts := strings.Split(key, " ")
	return center.Assignment{
		AccountID: parts[0], PermissionSetARN: parts[1], PrincipalType: center.PrincipalType(parts[2]),
		PrincipalID: parts[3],
	}
}

// Key names the assignment in a form.
func (l assignmentLine) Key() string { return assignmentKey(l.Assignment) }

func deletePicked(p page) error {
	keys, err := p.picked(page.assignmentsListed)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if len(strings.Split(key, " ")) != 4 {
			return &refusal.Error{Code: center.InvalidValue, Field: web.Pick}
		}
	}
	all := web.Several{IDs: keys, Back: p.back(assignmentsPath), Name: p.assignmentName,
		Deed: func(ctx context.Context, key string) error { return p.deleteOne(ctx, ofAssignmentKey(key)) }}
	if sure, err := all.SureOf(p.Visit, p.questionOfAll); !sure {
		return err
	}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	return p.Done(all.Back, names.Counted("%d {assignment|assignments} deleted.", len(all.IDs)))
}

// deleteOne deletes an assignment, and says why where it stays.
func (p page) deleteOne(ctx context.Context, a center.Assignment) error {
	r, err := p.h.Center.DeleteAssignment(ctx, p.by, a)
	if err != nil {
		return err
	}
	return r.Refused()
}

// assignmentName is what a question calls an assignment.
func (p page) assignmentName(key string) (string, error) {
	a := ofAssignmentKey(key)
	who, err := p.principalName(a)
	account, set := p.called(a)
	return who + " (" + set + " in " + account + ")", err
}

// questionOfAll asks before assignments are deleted. Of a few it says who loses what.
func (p page) questionOfAll(keys []string) (q web.Question, err error) {
	n := names.Counted("%d {assignment|assignments}", len(keys))
	q = web.Question{Title: "Delete " + n + "?", Button: "Delete " + n}
	who, where := map[string]bool{}, map[string]bool{}
	for _, key := range keys {
		a := ofAssignmentKey(key)
		who[a.PrincipalID], where[a.AccountID] = true, true
		if len(keys) > 3 {
			continue
		}
		lines, err := p.loses(a)
		if err != nil {
			return q, err
		}
		q.Lines = append(q.Lines, lines[0])
	}
	if len(keys) > 3 {
		q.Lines = append(q.Lines, fmt.Sprintf("%s lose access in %s.",
			names.Counted("%d {user or group|users and groups}", len(who)),
			names.Counted("%d {account|accounts}", len(where))))
	}
	q.Lines = append(q.Lines, "Role credentials that are in use stay valid until they expire.")
	return q, nil
}

// setSeveralActive disables or enables users.
func setSeveralActive(p page) error {
	ids, err := p.picked(page.usersListed)
	if err != nil {
		return err
	}
	active := p.PostFormValue("active") == "true"
	all := web.Several{IDs: ids, Back: p.back("/console/users"), Name: p.userName,
		Deed: func(ctx context.Context, id string) error {
			return p.h.Center.SetUserActive(ctx, p.by, center.UserID(id), active)
		}}
	ask, line := "Disable ", "They cannot sign in, and all their sessions end. You can enable them again."
	if active {
		ask, line = "Enable ", "They can sign in."
	}
	if !active || p.Every() {
		if sure, err := all.SureOf(p.Visit, func(ids []string) (web.Question, error) {
			called, err := web.Called(ids, p.userName)
			n := names.Counted("%d {user|users}", len(ids))
			return web.Question{Title: ask + n + "?", Lines: append([]string{line}, called...), Button: ask + n}, err
		}); !sure {
			return err
		}
	}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	n := names.Counted("%d {user|users}", len(all.IDs))
	if active {
		return p.Done(all.Back, n+" enabled.")
	}
	rest, err := p.rolesLeft(all.IDs...)
	if err != nil {
		return err
	}
	return p.Done(all.Back, n+" disabled: sign-in is refused, and all sessions have ended."+rest)
}

func (p page) userName(id string) (string, error) {
	u, err := p.h.Center.User(p.Context(), center.UserID(id))
	return u.UserName, err
}

// removeMembers takes several people out of a group, or the one whom the address names.
func removeMembers(p page) error {
	ids, err := []string{p.PathValue("mid")}, error(nil)
	if ids[0] == "" {
		ids, err = p.picked(page.membersListed)
	}
	if err != nil {
		return err
	}
	group, err := p.h.Center.Group(p.Context(), center.GroupID(p.PathValue("id")))
	if err != nil {
		return err
	}
	switch locked, err := p.locked(); {
	case err != nil:
		return err
	case locked: // before the question, not after it
		return &refusal.Error{Code: center.ManagedByProvisioning}
	}
	users := map[string]center.User{}
	for _, id := range ids {
		m, err := p.h.Center.Membership(p.Context(), center.MembershipID(id))
		if err == nil && m.GroupID != group.ID { // of another group, which the question does not name
			err = &refusal.Error{Code: center.MembershipNotFound, Subject: id}
		}
		if err == nil {
			users[id], err = p.h.Center.User(p.Context(), m.UserID)
		}
		if err != nil {
			return err
		}
	}
	all := web.Several{IDs: ids, Back: "/console/groups/" + string(group.ID),
		Name: func(id string) (string, error) { return users[id].UserName, nil },
		Deed: func(ctx context.Context, id string) error {
			return p.h.Center.DeleteMembership(ctx, p.by, center.MembershipID(id))
		}}
	if sure, err := all.SureOf(p.Visit, func(ids []string) (web.Question, error) {
		n := names.Counted("%d {member|members}", len(ids))
		lost := "They lose the access that the group gives. You can add them again."
		if len(ids) > 1 {
			lines, err := web.Called(ids, all.Name)
			return web.Question{
				Title: "Remove " + n + " of " + group.DisplayName + "?", Lines: append(lines, lost),
				Button: "Remove " + n,
			}, err
		}
		one := users[ids[0]]
		return web.Question{
			Title: "Remove " + one.DisplayName + " (" + one.UserName + ") from " + group.DisplayName + "?",
			Lines: []string{lost}, Button: "Remove the member",
		}, nil
	}); !sure {
		return err
	}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	done := names.Counted("%d {member|members} removed.", len(all.IDs))
	if len(all.IDs) == 1 {
		done = "The member is removed."
	}
	return p.Done(all.Back, done)
}
