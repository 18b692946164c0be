package admincenter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// Before somebody loses something, a question says who that is, what they lose, and how it comes
// back.

// chosen are the rows that a form names: those that were picked, or else the one of its button.
func (p page) chosen(one string, all rows) ([]string, error) {
	if p.PostFormValue(web.Pick) == "" && (!p.Every() || all == nil) {
		return []string{one}, nil
	}
	return p.picked(all)
}

// called is what a question calls a user or a group.
func (p page) called(m tenant.Mark) (string, error) {
	if m.Kind == tenant.KindGroup {
		g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(m.ID))
		return "the group " + g.DisplayName, err
	}
	u, err := p.h.Tenant.User(p.Context(), tenant.UserID(m.ID))
	return u.DisplayName + " (" + u.UserPrincipalName + ")", err
}

// calledBefore is what a user or a group was called who is deleted by now.
func (p page) calledBefore(id string) (string, error) {
	x, err := p.h.Tenant.DeletedItem(p.Context(), id)
	switch {
	case err != nil:
		return "", err
	case x.Group != nil:
		return "the group " + x.Group.DisplayName, nil
	case x.User != nil:
		return x.User.DisplayName + " (" + x.User.UserPrincipalName + ")", nil
	default:
		return id, nil
	}
}

// removal asks before somebody is taken out of something. One is named in the title, several below
// it.
func removal(called []string, n, from, loss string) web.Question {
	q := web.Question{Title: "Remove " + n + " of " + from + "?", Lines: append(called, loss), Button: "Remove " + n}
	if len(called) == 1 {
		q = web.Question{Title: "Remove " + called[0] + " from " + from + "?", Lines: []string{loss}, Button: "Remove"}
	}
	return q
}

func unassign(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	ids, err := p.chosen(p.PostFormValue("assignment"), page.assignmentsListed)
	if err != nil {
		return err
	}
	marks := map[string]tenant.Mark{}
	if err := p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		for _, id := range ids {
			x, err := r.Assignment(tenant.AssignmentID(id))
			if err == nil && x.ServicePrincipalID != a.ServicePrincipalID {
				err = refusal.ErrNoRow
			}
			if err != nil {
				return refusal.IfNoRow(err, tenant.AssignmentNotFound, id)
			}
			marks[id] = tenant.Mark{Kind: x.PrincipalKind, ID: x.PrincipalID}
		}
		return nil
	}); err != nil {
		return err
	}
	all := web.Several{IDs: ids, Back: p.back(addressOf(a, "assignments")),
		Name: func(id string) (string, error) { return p.called(marks[id]) },
		Deed: func(ctx context.Context, id string) error {
			return p.h.Tenant.Unassign(ctx, p.by, a.ServicePrincipalID, tenant.AssignmentID(id))
		}}
	return p.removeAll(all, "assignment", a.DisplayName,
		"Whoever has "+a.DisplayName+" by this alone cannot sign in to it any more, and provisioning disables them "+
			"there. You can assign it again.")
}

// removeAll asks before some are taken out of something, and does it. What is one assignment or
// member.
func (p page) removeAll(all web.Several, what, from, loss string) error {
	counted := func(n int) string { return names.Counted("%d {"+what+"|"+what+"s}", n) }
	if sure, err := all.SureOf(p.Visit, func(ids []string) (web.Question, error) {
		called, err := web.Called(ids, all.Name)
		return removal(called, counted(len(ids)), from, loss), err
	}); !sure {
		return err
	}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	if len(all.IDs) == 1 {
		return p.Done(all.Back, "The "+what+" is removed.")
	}
	return p.Done(all.Back, counted(len(all.IDs))+" removed.")
}

// removeMembers takes the chosen, or one, out of a group.
func removeMembers(p page) error {
	ids, err := p.chosen(p.PathValue("mid"), page.membersListed)
	if err != nil {
		return err
	}
	g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(p.PathValue("id")))
	if err != nil {
		return err
	}
	marks := map[string]tenant.Mark{}
	if err := p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		for _, id := range ids {
			m, err := r.Member(g.ID, tenant.PrincipalID(id))
			if err != nil {
				return refusal.IfNoRow(err, tenant.MemberNotFound, id)
			}
			marks[id] = tenant.Mark{Kind: m.Kind, ID: tenant.PrincipalID(id)}
		}
		return nil
	}); err != nil {
		return err
	}
	gives, err := p.given(g)
	if err != nil {
		return err
	}
	loss := "They lose what the group gives: " + gives + ". You can add them again."
	if gives == "" {
		loss = "No application is assigned to the group. You can add them again."
	}
	return p.removeAll(web.Several{IDs: ids, Back: p.back("/admin/groups/" + string(g.ID)),
		Name: func(id string) (string, error) { return p.called(marks[id]) },
		Deed: func(ctx context.Context, id string) error {
			return p.h.Tenant.RemoveMember(ctx, p.by, g.ID, tenant.PrincipalID(id))
		}}, "member", g.DisplayName, loss)
}

// given names the applications that are assigned to a group, of which some stand for all.
func (p page) given(g tenant.Group) (string, error) {
	all, err := p.h.Tenant.Assignments(p.Context(), tenant.AssignmentQuery{PrincipalID: tenant.PrincipalID(g.ID)})
	if err != nil {
		return "", err
	}
	var called []string
	for _, x := range all[:min(len(all), web.MaxCalled)] {
		a, err := p.h.Tenant.Application(p.Context(), tenant.AnyApplicationID(x.ServicePrincipalID))
		if err != nil {
			return "", err
		}
		if !slices.Contains(called, a.DisplayName) { // in another role
			called = append(called, a.DisplayName)
		}
	}
	if more := len(all) - web.MaxCalled; more > 0 {
		called = append(called, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(called, ", "), nil
}

func deleteUser(p page) error {
	u, err := p.h.Tenant.User(p.Context(), p.userID())
	if err != nil {
		return err
	}
	question := web.Question{
		Title: "Delete " + u.DisplayName + " (" + u.UserPrincipalName + ")?",
		Lines: append([]string{usersGo},
			"For 30 days you can restore them under Deleted items, with memberships, assignments and password."),
		Button: "Delete " + u.DisplayName,
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Tenant.DeleteUser(ctx, p.by, u.ID)
	}); !done {
		return err
	}
	return p.Done("/admin/users", "The user is deleted. You can restore them for 30 days, under Deleted items.")
}

func deleteGroup(p page) error {
	g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(p.PathValue("id")))
	if err != nil {
		return err
	}
	gives, err := p.given(g)
	if err != nil {
		return err
	}
	lines := []string{
		groupsGo,
		"For 30 days you can restore it under Deleted items, with members and assignments.",
	}
	if gives != "" {
		lines = append([]string{"Its members lose what the group gives: " + gives + "."}, lines...)
	}
	question := web.Question{
		Title: "Delete the group " + g.DisplayName + "?", Lines: lines, Button: "Delete " + g.DisplayName,
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Tenant.DeleteGroup(ctx, p.by, g.ID)
	}); !done {
		return err
	}
	return p.Done("/admin/groups", "The group is deleted. You can restore it for 30 days, under Deleted items.")
}

func deleteApp(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	question := web.Question{
		Title: "Delete " + a.DisplayName + "?",
		Lines: []string{
			"Nobody can sign in to it any more, and provisioning stops. Users at the target stay as they are.",
			"For 30 days you can restore it under Deleted items. Its provisioning is off then.",
		},
		Button: "Delete " + a.DisplayName,
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Tenant.DeleteApplication(ctx, p.by, tenant.AnyApplicationID(a.ID))
	}); !done {
		return err
	}
	return p.Done("/admin/apps", a.DisplayName+" is deleted. You can restore it for 30 days, under Deleted items.")
}
