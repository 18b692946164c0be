package console

import (
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
		return nil, &refusal.Error{Code: center.MissingValue, Field: web.Pick, Detail: "choose at least one row"}
	case len(list) > most:
		return nil, &refusal.Error{
			Code: center.InvalidValue, Field: web.Pick, Detail: fmt.Sprintf("choose at most %d rows", most),
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

// Key names the assignment in a form.
func (l assignmentLine) Key() string { return assignmentKey(l.Assignment) }

func deletePicked(p page) error {
	keys, err := p.picked(page.assignmentsListed)
	if err != nil {
		return err
	}
	var list []center.Assignment
	who, where := map[string]bool{}, map[string]bool{}
	for _, key := range keys {
		parts := strings.Split(key, " ")
		if len(parts) != 4 {
			return &refusal.Error{Code: center.InvalidValue, Field: web.Pick}
		}
		a := center.Assignment{
			AccountID: parts[0], PermissionSetARN: parts[1], PrincipalType: center.PrincipalType(parts[2]),
			PrincipalID: parts[3],
		}
		list = append(list, a)
		who[a.PrincipalID], where[a.AccountID] = true, true
	}
	n := names.Counted("%d {assignment|assignments}", len(list))
	question := web.Question{
		Title: "Delete " + n + "?",
		Lines: []string{
			fmt.Sprintf("%s lose access in %s.", names.Counted("%d {user or group|users and groups}", len(who)),
				names.Counted("%d {account|accounts}", len(where))),
			"Role credentials that are in use stay valid until they expire.",
		},
		Button: "Delete " + n,
	}
	if len(list) <= 3 {
		question.Lines = question.Lines[1:]
		for _, a := range list {
			lines, err := p.loses(a)
			if err != nil {
				return err
			}
			question.Lines = append(lines[:1], question.Lines...)
		}
	}
	if sure, err := p.Sure(question); !sure {
		return err
	}
	failed, why := 0, ""
	for _, a := range list {
		r, err := p.h.Center.DeleteAssignment(p.Context(), p.by, a)
		if err != nil {
			return err
		}
		if r.Status == center.Failed {
			failed, why = failed+1, r.FailureReason
		}
	}
	if failed > 0 {
		return p.Failed(p.back(assignmentsPath), fmt.Sprintf("%d of %s stay. %s", failed, n, why))
	}
	return p.Done(p.back(assignmentsPath), n+" deleted.")
}

// setSeveralActive disables or enables users.
func setSeveralActive(p page) error {
	ids, err := p.picked(page.usersListed)
	if err != nil {
		return err
	}
	active := p.PostFormValue("active") == "true"
	n := names.Counted("%d {user|users}", len(ids))
	question := web.Question{
		Title:  "Disable " + n + "?",
		Lines:  []string{"They cannot sign in, and all their sessions end. You can enable them again."},
		Button: "Disable " + n,
	}
	if active {
		question = web.Question{Title: "Enable " + n + "?", Lines: []string{"They can sign in."}, Button: "Enable " + n}
	}
	for _, id := range ids[:min(len(ids), 10)] {
		u, err := p.h.Center.User(p.Context(), center.UserID(id))
		if err != nil {
			return err
		}
		question.Lines = append(question.Lines, u.UserName)
	}
	if len(ids) > 10 {
		question.Lines = append(question.Lines, fmt.Sprintf("and %d more", len(ids)-10))
	}
	if !active || p.Every() {
		if sure, err := p.Sure(question); !sure {
			return err
		}
	}
	for done, id := range ids {
		if err := p.h.Center.SetUserActive(p.Context(), p.by, center.UserID(id), active); err != nil {
			_, lines := explain(err)
			if done == 0 || lines == nil {
				return err
			}
			return p.Failed(p.back("/console/users"), fmt.Sprintf(
				"%d of %s were changed, and then one was refused: %s", done, n, strings.Join(lines, " ")))
		}
	}
	if active {
		return p.Done(p.back("/console/users"), n+" enabled.")
	}
	rest, err := p.rolesLeft(ids...)
	if err != nil {
		return err
	}
	return p.Done(p.back("/console/users"), n+" disabled: sign-in is refused, and all sessions have ended."+rest)
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
	var one center.User
	for _, id := range ids {
		m, err := p.h.Center.Membership(p.Context(), center.MembershipID(id))
		if err == nil && m.GroupID != group.ID { // of another group, which the question does not name
			err = &refusal.Error{Code: center.MembershipNotFound, Subject: id}
		}
		if err == nil && len(ids) == 1 {
			one, err = p.h.Center.User(p.Context(), m.UserID)
		}
		if err != nil {
			return err
		}
	}
	n := names.Counted("%d {member|members}", len(ids))
	done := n + " removed."
	question := web.Question{
		Title:  "Remove " + n + " of " + group.DisplayName + "?",
		Lines:  []string{"They lose the access that the group gives. You can add them again."},
		Button: "Remove " + n,
	}
	if len(ids) == 1 {
		question.Title = "Remove " + one.DisplayName + " (" + one.UserName + ") from " + group.DisplayName + "?"
		question.Button, done = "Remove the member", "The member is removed."
	}
	if sure, err := p.Sure(question); !sure {
		return err
	}
	at := "/console/groups/" + string(group.ID)
	for before, id := range ids {
		if err := p.h.Center.DeleteMembership(p.Context(), p.by, center.MembershipID(id)); err != nil {
			_, lines := explain(err)
			if before == 0 || lines == nil {
				return err
			}
			return p.Failed(at, fmt.Sprintf(
				"%d of %s were removed, and then one was refused: %s", before, n, strings.Join(lines, " ")))
		}
	}
	return p.Done(at, done)
}
