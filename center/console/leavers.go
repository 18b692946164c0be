package console

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

type leaversData struct {
	Disabled     []center.Leaver
	Deleted      []center.Orphan
	NextDisabled string
	NextDeleted  string
}

func leavers(p page) error {
	q := p.URL.Query()
	var d leaversData
	var err error
	d.Disabled, err = p.h.Center.Leavers(p.Context(), center.UserID(q.Get("after")), pageSize+1)
	if err != nil {
		return err
	}
	of, id, _ := strings.Cut(q.Get("deleted"), "/")
	d.Deleted, err = p.h.Center.Orphans(
		p.Context(), center.Principal{Type: center.PrincipalType(of), ID: id}, pageSize+1,
	)
	if err != nil {
		return err
	}
	if len(d.Disabled) > pageSize {
		d.Disabled = d.Disabled[:pageSize]
		d.NextDisabled = string(d.Disabled[pageSize-1].User.ID)
	}
	if len(d.Deleted) > pageSize {
		d.Deleted = d.Deleted[:pageSize]
		last := d.Deleted[pageSize-1]
		d.NextDeleted = string(last.PrincipalType) + "/" + last.PrincipalID
	}
	return p.Render("leavers", "Leavers", "/console/leavers", d)
}

// leaver is whom a form of the page names.
func (p page) leaver() center.Principal {
	return center.Principal{Type: center.PrincipalType(p.PostFormValue("type")), ID: p.PostFormValue("id")}
}

func removeLeaver(p page) error {
	of := p.leaver()
	lines, err := p.held(of)
	if err != nil {
		return err
	}
	who := cmp.Or(p.PostFormValue("name"), of.ID)
	question := web.Question{
		Title:  "Remove what is assigned to " + who + "?",
		Lines:  append(lines, "Memberships of groups that are kept here, and not by the identity provider, go too."),
		Button: "Remove it",
	}
	if sure, err := p.Sure(question); !sure {
		return err
	}
	m, err := p.h.Center.RemoveAccess(p.Context(), p.by, of)
	if err != nil {
		return err
	}
	return p.told("removed", m)
}

func relinkLeaver(p page) error {
	of, to := p.leaver(), p.PostFormValue("to")
	lines, err := p.held(of)
	if err != nil {
		return err
	}
	name, err := p.principalName(center.Assignment{PrincipalType: of.Type, PrincipalID: to})
	if err != nil {
		return err
	}
	question := web.Question{
		Title:  "Give what was assigned to " + name + " (" + to + ")?",
		Lines:  append(lines, name+" can use it at once."),
		Button: "Relink",
	}
	if sure, err := p.Sure(question); !sure {
		return err
	}
	m, err := p.h.Center.Relink(p.Context(), p.by, of, to)
	if err != nil {
		return err
	}
	return p.told("moved", m)
}

// heldShown bounds how much of a plan is listed line by line.
const heldShown = 20 //bound:list assignments in the question before they are moved or removed

// held says what is assigned to somebody.
func (p page) held(of center.Principal) (lines []string, err error) {
	list, err := p.h.Center.Assignments(p.Context(), center.AssignmentQuery{
		PrincipalType: of.Type, PrincipalID: of.ID,
	})
	if err != nil {
		return nil, err
	}
	for _, a := range list[:min(len(list), heldShown)] {
		account, set := a.AccountID, a.PermissionSetARN
		if x, err := p.h.Center.Account(p.Context(), a.AccountID); err == nil {
			account = x.Name + " (" + x.ID + ")"
		}
		if x, err := p.h.Center.PermissionSet(p.Context(), a.PermissionSetARN); err == nil {
			set = x.Name
		}
		lines = append(lines, set+" in "+account)
	}
	if more := len(list) - heldShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more assignments", more))
	}
	arn, err := p.accountAccess()
	if refusal.CodeOf(err) == center.AccessManagerNotFound {
		return lines, nil
	}
	if err != nil {
		return nil, err
	}
	roles, err := p.h.Center.Entitlements(p.Context(), arn, center.EntitlementQuery{
		PrincipalType: of.Type, PrincipalID: of.ID,
	})
	for _, e := range roles[:min(len(roles), heldShown)] {
		lines = append(lines, "the role "+e.RoleARN)
	}
	if more := len(roles) - heldShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more roles", more))
	}
	return lines, err
}

// told goes back to the list with what was done.
func (p page) told(done string, m center.Moved) error {
	text := fmt.Sprintf(
		"%d assignments, %d applications, %d rules and %d memberships are %s.", m.Assignments, m.Applications, m.Rules,
		m.Memberships, done,
	)
	if m.Left > 0 || len(m.Problems) > 0 {
		return p.Failed("/console/leavers", strings.TrimSpace(
			text+fmt.Sprintf(" %d are left. ", m.Left)+strings.Join(m.Problems[:min(len(m.Problems), 3)], " ")),
		)
	}
	return p.Done("/console/leavers", text)
}
