package doctor

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// groupDeleted tells of a group that provisioning made and that Entra does not know any more.
func (l *look) groupDeleted(a *answer, g *Group) {
	f := a.find(Broken, "deleted", "the group "+g.DisplayName+" has access at AWS, and Entra does not know it",
		"It was deleted in Entra, or is of another tenant, and the job left it as it is: its members keep the access, "+
			"and nobody takes them out").
		value("Entra, group", "").value("AWS, assignments", fmt.Sprint(l.access[g.GroupID])).
		fix("Give its access to a group that Entra has, then delete it", "", l.console("groups")).of(g.DisplayName)
	for id := range l.a.Memberships.Of(g.GroupID) {
		if u := l.awsUser(id); u != nil {
			f.touch(u.UserName)
		}
	}
}

// unmetByGroup is the clause of the filter on groups that a group does not pass; "" where it
// passes.
func (l *look) unmetByGroup(g *graph.Group) string {
	if l.groups == nil {
		return ""
	}
	in, unmet, err := l.groups.InScope(context.Background(), mapping.Texts(map[string]string{
		"objectId": g.ID, "displayName": g.DisplayName, "mailEnabled": flag(g.MailEnabled != nil && *g.MailEnabled),
		"securityEnabled": flag(g.SecurityEnabled == nil || *g.SecurityEnabled),
	}))
	if err != nil || in {
		return ""
	}
	return cmp.Or(unmet, "the scoping filter of groups")
}

// groupNotMeant says that the group that was asked about is not one that the job sends. The check
// of groups that have access at AWS says the rest.
func (l *look) groupNotMeant() (out []*Finding) {
	if l.about.Group == "" || !l.read(Assigned) || l.meaning() == nil || l.all {
		return nil
	}
	for _, g := range l.e.Groups {
		named := fold(g.DisplayName) == fold(l.about.Group) || g.ID == l.about.Group
		if !named || l.inScope[g.ID] || l.counterpart(g.ID) != nil {
			continue
		}
		f := &Finding{
			Check: notAssigned, State: Warning, Stage: Scope, near: true,
			Fact: "the group " + g.DisplayName + " is not assigned to " + l.meaning().DisplayName,
			Cause: "The job sends assigned groups only: AWS does not have this one, and programs that look it up " +
				"there do not find it",
			Fix: Fix{Do: "Assign the group, and wait for a cycle", Link: l.admin(l.prov, "Users")},
		}
		out = append(out, f.of(g.DisplayName).value("Entra, assigned", "no").value("AWS, group of this name", ""))
	}
	return out
}

func (l *look) filteredGroups(a *answer) {
	for i := range l.e.Groups {
		g := &l.e.Groups[i]
		unmet := ""
		if l.inScope[g.ID] && !l.all {
			unmet = l.unmetByGroup(g)
		}
		if unmet == "" {
			continue
		}
		f := a.find(Warning, "group", "the group "+g.DisplayName+" is assigned and does not pass the filter of groups",
			"The filter leaves it out: it is not sent, and its members arrive without it").
			value("Entra, filter", unmet).fix("Change the filter, or unassign the group", "",
			l.admin(l.prov, "Provisioning")).of(g.DisplayName)
		if l.counterpart(g.ID) != nil || fold(l.about.Group) == fold(g.DisplayName) {
			f.State = Broken
		}
	}
}
