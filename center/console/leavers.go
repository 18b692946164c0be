package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

const leaversPath = "/console/leavers"

// leaversData is the first page of both lists, or another one of either. A search is in both.
type leaversData struct {
	web.Listing
	Disabled *listing[center.Leaver]
	Deleted  *listing[center.Orphan]

	Unordered bool // too many are deleted to be put in order
}

// Most is how many of those who are deleted can be put in order.
func (leaversData) Most() int { return center.OrphansSought }

// What the parameter "of" of the page's address says where only one of its lists is meant.
const ofDeleted = "deleted"

func leavers(p page) error {
	l, gone := p.Listing("user"), p.Listing(string(center.ByOrphanName), string(center.ByDeletedTime))
	disabled, deleted := p.disabled(l), p.deleted(gone)
	q := p.URL.Query()
	after, onlyDeleted := q.Get("after"), q.Get("of") == ofDeleted
	if p.Exports() {
		if onlyDeleted {
			return p.exportDeleted(deleted)
		}
		return p.exportDisabled(disabled)
	}
	d := leaversData{Listing: l}
	if gone.Sorted() != "" { // the order of the form of the search
		d.Listing = gone
	}
	if after == "" || !onlyDeleted {
		found, err := disabled(after, pageSize)
		if err != nil {
			return err
		}
		d.Disabled = &listing[center.Leaver]{
			Listing: l, Items: found.Items, Pager: l.With("of", "").After(found.Next, len(found.Items)),
		}
	}
	if after == "" || onlyDeleted {
		found, err := deleted(after, pageSize)
		if err != nil {
			return err
		}
		d.Deleted = &listing[center.Orphan]{
			Listing: gone, Items: found.Items, Pager: gone.With("of", ofDeleted).After(found.Next, len(found.Items)),
		}
		d.Unordered = found.Unordered
	}
	if d.Disabled != nil && d.Deleted != nil {
		d.Disabled.Pager.Label, d.Deleted.Pager.Label = "Pages of the disabled", "Pages of the deleted"
	}
	return p.Render("leavers", "Leavers", leaversPath, d)
}

// disabled are the users who are disabled and have something left.
func (p page) disabled(l web.Listing) pages[center.Leaver] {
	return func(after string, limit int) (found sought[center.Leaver], err error) {
		found.Items, err = p.h.Center.Leavers(p.Context(), center.LeaverQuery{
			Search: l.Search, ByName: true, Descending: l.Descending, AfterName: after, Limit: limit + 1,
		})
		if len(found.Items) > limit {
			found.Items = found.Items[:limit]
			found.Next = found.Items[limit-1].User.UserName
		}
		return found, err
	}
}

func (p page) exportDisabled(list pages[center.Leaver]) error {
	columns := []string{"userId", "userName", "displayName", "assignments", "applications", "groups", "sessions",
		"roles", "accessKeys", "consoleAdministrator"}
	return p.Export("disabled", columns, func(row func(...string) error) error {
		return list.all(func(x center.Leaver) error {
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

// errOrderLost ends a file whose beginning is in an order that there is no longer: what follows
// would have the same again.
var errOrderLost = errors.New("more are deleted now than can be put in order")

// deleted are the users and groups that are deleted and assigned to something. In an order, a page
// begins after so many; where there are too many for that, after one of them. Where they have
// become too many meanwhile, a page begins anew.
func (p page) deleted(l web.Listing) pages[center.Orphan] {
	return func(after string, limit int) (found sought[center.Orphan], err error) {
		of, id, unordered := strings.Cut(after, "/")
		q := center.OrphanQuery{
			Search: l.Search, By: center.OrphanOrder(l.Sort), Descending: l.Descending, Limit: limit,
		}
		if !unordered {
			if n, err := strconv.Atoi(after); err == nil && n > 0 {
				q.Offset = n
			}
			in, err := p.h.Center.OrphansInOrder(p.Context(), q)
			if next := q.Offset + len(in.Items); next < in.Total && len(in.Items) > 0 {
				found.Next = strconv.Itoa(next)
			}
			if found.Items = in.Items; in.Ordered || err != nil {
				return found, err
			}
			if q.Offset > 0 && p.Exports() {
				return found, errOrderLost
			}
			of = "" // it was a number
		}
		q.After = center.Principal{Type: center.PrincipalType(of), ID: id}
		list, next, err := p.h.Center.Orphans(p.Context(), q)
		found.Unordered = true
		if found.Items = list; next.ID != "" {
			found.Next = string(next.Type) + "/" + next.ID
		}
		return found, err
	}
}

func (p page) exportDeleted(list pages[center.Orphan]) error {
	columns := []string{"principalType", "principalId", "name", "deletedAt", "assignments", "applications", "rules",
		"successorId", "successorName"}
	return p.Export("deleted", columns, func(row func(...string) error) error {
		return list.all(func(x center.Orphan) error {
			return row(string(x.PrincipalType), x.PrincipalID, x.Name, inFile(x.At), strconv.Itoa(x.Assignments),
				strconv.Itoa(x.Applications), strconv.Itoa(x.Rules), x.Successor, x.SuccessorName)
		})
	})
}

// leaver is whom a form of the page names.
func (p page) leaver() center.Principal {
	return center.Principal{Type: center.PrincipalType(p.PostFormValue("type")), ID: p.PostFormValue("id")}
}

// removeLeavers takes from the chosen what they have.
func removeLeavers(p page) error {
	picks, err := p.picked(nil)
	if err != nil {
		return err
	}
	each := web.Several{IDs: picks, Back: leaversPath,
		Name: func(pick string) (string, error) { return p.leaverName(ofPick(pick)) },
		Deed: func(ctx context.Context, pick string) error {
			return p.h.Center.CheckRemoveAccess(ctx, ofPick(pick))
		}}
	if sure, err := each.SureOf(p.Visit, func(picks []string) (q web.Question, err error) {
		q.Title = "Remove what is assigned to " +
			names.Counted("%d {user or group|users and groups}", len(picks)) + "?"
		q.Lines = []string{"It is not given back when they are enabled again, or come back.", membershipsToo}
		q.Button = "Remove it"
		for _, pick := range picks[:min(len(picks), heldShown)] {
			name, err := each.Name(pick)
			if err != nil {
				return q, err
			}
			q.Lines = append(q.Lines, name+" ("+ofPick(pick).ID+")")
		}
		if more := len(picks) - heldShown; more > 0 {
			q.Lines = append(q.Lines, fmt.Sprintf("and %d more", more))
		}
		return q, nil
	}); !sure {
		return err
	}
	var all center.Moved
	for i, pick := range each.IDs { // those of whom was asked
		if i > 0 && !p.HasTime() {
			all.Problems = append([]string{web.NoTime(len(each.IDs) - i)}, all.Problems...)
			break
		}
		m, err := p.h.Center.RemoveAccess(p.Context(), p.by, ofPick(pick))
		if err != nil {
			_, lines := web.Explain(err)
			if lines == nil {
				return err
			}
			m.Left, m.Problems = m.Left+1, append(m.Problems, lines...)
		}
		all.Assignments, all.Applications = all.Assignments+m.Assignments, all.Applications+m.Applications
		all.Rules, all.Memberships = all.Rules+m.Rules, all.Memberships+m.Memberships
		all.Left, all.Problems = all.Left+m.Left, append(all.Problems, m.Problems...)
	}
	return p.told("removed", all)
}

// ofPick is whom a box of the page names: of the list of those who are disabled by an id.
func ofPick(pick string) center.Principal {
	of, id, both := strings.Cut(pick, " ")
	if !both {
		return center.Principal{Type: center.PrincipalUser, ID: pick}
	}
	return center.Principal{Type: center.PrincipalType(of), ID: id}
}

// leaverName is what somebody is called, or was called before they were deleted.
func (p page) leaverName(of center.Principal) (string, error) {
	name, err := p.principalName(center.Assignment{PrincipalType: of.Type, PrincipalID: of.ID})
	if err != nil || name != deletedUser && name != deletedGroup {
		return name, err
	}
	gone, err := p.h.Center.Departed(p.Context(), of)
	return cmp.Or(gone.Name, name), err
}

const membershipsToo = "Memberships of groups that are kept here, and not by the identity provider, go too."

func removeLeaver(p page) error {
	if p.PostFormValue(web.Pick) != "" || p.PostFormValue("id") == "" {
		return removeLeavers(p)
	}
	of := p.leaver()
	if err := p.h.Center.CheckRemoveAccess(p.Context(), of); err != nil { // before the question
		return err
	}
	lines, err := p.held(of)
	if err != nil {
		return err
	}
	who, err := p.leaverName(of)
	if err != nil {
		return err
	}
	question := web.Question{
		Title:  "Remove what is assigned to " + who + " (" + of.ID + ")?",
		Lines:  append(lines, membershipsToo),
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
	if err := p.h.Center.CheckRelink(p.Context(), of, to); err != nil { // before the question
		return err
	}
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
const heldShown = 20 //bound:list assignments, or leavers, in the question before they are moved or removed

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
		lines = append(lines, names.Counted("and %d more {assignment|assignments}", more))
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
		lines = append(lines, names.Counted("and %d more {role|roles}", more))
	}
	return lines, err
}

// told goes back to the list with what was done.
func (p page) told(done string, m center.Moved) error {
	text := names.Counted(
		"%d {assignment|assignments}, %d {application|applications}, %d {rule|rules} and %d {membership|memberships} "+
			"are %s.", m.Assignments, m.Applications, m.Rules, m.Memberships, done,
	)
	if m.Left > 0 || len(m.Problems) > 0 {
		return p.Failed(leaversPath, strings.TrimSpace(
			text+names.Counted(" %d {is|are} left. ", m.Left)+strings.Join(m.Problems[:min(len(m.Problems), 3)], " ")),
		)
	}
	return p.Done(leaversPath, text)
}
