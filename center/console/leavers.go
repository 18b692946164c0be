package console

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// leaversData is both lists of the page. A search is in both.
type leaversData struct {
	Search   string
	Disabled listing[center.Leaver]
	Deleted  listing[center.Orphan]
}

// What the parameter "of" of the page's address says where only one of its lists is meant.
const ofDeleted = "deleted"

func leavers(p page) error {
	l := p.Listing("")
	disabled, deleted := p.disabled(l), p.deleted(l)
	q := p.URL.Query()
	only := q.Get("of")
	if p.Exports() {
		if only == ofDeleted {
			return p.exportDeleted(deleted)
		}
		return p.exportDisabled(disabled)
	}
	after := func(list string) string {
		if only == list {
			return q.Get("after")
		}
		return ""
	}
	gone, err := deleted.page(after(ofDeleted))
	if err != nil {
		return err
	}
	off, err := disabled.page(after(""))
	if err != nil {
		return err
	}
	d := leaversData{Search: l.Search}
	d.Disabled.Listing, d.Deleted.Listing = l, l
	d.Disabled.Items, d.Disabled.Pager = off.Items, l.With("of", "").After(off.Next, len(off.Items))
	d.Deleted.Items, d.Deleted.Pager = gone.Items, l.With("of", ofDeleted).After(gone.Next, len(gone.Items))
	return p.Render("leavers", "Leavers", "/console/leavers", d)
}

// disabled are the users who are disabled and have something left.
func (p page) disabled(l web.Listing) seeking[center.Leaver] {
	return seeking[center.Leaver]{
		Read: func(after string, limit int) ([]center.Leaver, error) {
			return p.h.Center.Leavers(p.Context(), center.UserID(after), limit)
		},
		Name: func(x center.Leaver) string { return string(x.User.ID) },
		Keep: keeps(l, func(x center.Leaver) []string {
			return []string{x.User.UserName, x.User.DisplayName, string(x.User.ID)}
		}),
	}
}

func (p page) exportDisabled(s seeking[center.Leaver]) error {
	columns := []string{"userId", "userName", "displayName", "assignments", "applications", "groups", "sessions",
		"roles", "accessKeys", "consoleAdministrator"}
	return p.Export("disabled", columns, func(row func(...string) error) error {
		return s.all(func(x center.Leaver) error {
			var groups []string
			for _, g := range x.Groups {
				groups = append(groups, g.DisplayName)
			}
			return row(string(x.User.ID), x.User.UserName, x.User.DisplayName, strconv.Itoa(x.Assignments),
				strconv.Itoa(x.Applications), strings.Join(groups, ", "), strconv.Itoa(x.Sessions),
				strconv.Itoa(x.Roles), strings.Join(x.Keys, " "), strconv.FormatBool(x.Console))
		})
	})
}

// deleted are the users and groups that are deleted and assigned to something.
func (p page) deleted(l web.Listing) seeking[center.Orphan] {
	return seeking[center.Orphan]{
		Read: func(after string, limit int) ([]center.Orphan, error) {
			of, id, _ := strings.Cut(after, "/")
			return p.h.Center.Orphans(p.Context(), center.Principal{Type: center.PrincipalType(of), ID: id}, limit)
		},
		Name: func(x center.Orphan) string { return string(x.PrincipalType) + "/" + x.PrincipalID },
		Keep: keeps(l, func(x center.Orphan) []string { return []string{x.Name, x.PrincipalID, x.SuccessorName} }),
	}
}

func (p page) exportDeleted(s seeking[center.Orphan]) error {
	columns := []string{"principalType", "principalId", "name", "deletedAt", "assignments", "applications", "rules",
		"successorId", "successorName"}
	return p.Export("deleted", columns, func(row func(...string) error) error {
		return s.all(func(x center.Orphan) error {
			return row(string(x.PrincipalType), x.PrincipalID, x.Name, inFile(x.At), strconv.Itoa(x.Assignments),
				strconv.Itoa(x.Applications), strconv.Itoa(x.Rules), x.Successor, x.SuccessorName)
		})
	})
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
