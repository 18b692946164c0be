package console

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// accessPages are the pages on what people may do.
var accessPages = map[string]action{
	"GET /console/accounts":                        accounts,
	"POST /console/accounts":                       putAccount,
	"GET /console/permission-sets":                 permissionSets,
	"POST /console/permission-sets":                createPermissionSet,
	"POST /console/permission-sets/delete":         deletePermissionSet,
	"GET /console/permission-sets/{id}":            permissionSet,
	"POST /console/permission-sets/{id}":           updatePermissionSet,
	"POST /console/permission-sets/{id}/policies":  changePolicies,
	"POST /console/permission-sets/{id}/inline":    putInlinePolicy,
	"POST /console/permission-sets/{id}/boundary":  putBoundary,
	"POST /console/permission-sets/{id}/provision": provisionSet,
	"POST /console/permission-sets/{id}/check":     recheckSet,
	"GET /console/applications":                    applications,
	"POST /console/applications":                   createApplication,
	"GET /console/applications/{id}":               application,
	"POST /console/applications/{id}":              updateApplication,
	"POST /console/applications/{id}/delete":       deleteApplication,
	"POST /console/applications/{id}/assign":       assignApplication,
	"POST /console/applications/{id}/unassign":     unassignApplication,

	"POST /console/applications/{id}/saml":            saveSAMLApplication,
	"POST /console/applications/{id}/saml/response":   saveSAMLResponse,
	"POST /console/applications/{id}/saml/mapping":    saveSAMLMapping,
	"GET /console/applications/{id}/saml/certificate": downloadSAMLCertificate,

	"POST /console/applications/{id}/saml/certificates": changeCertificates,
	"POST /console/applications/{id}/actor-policy":      saveActorPolicy,
	"POST /console/applications/{id}/grants":            saveGrants,
	"POST /console/applications/{id}/scopes":            saveScope,
	"POST /console/applications/{id}/scopes/delete":     deleteScope,
	"POST /console/applications/{id}/sessions":          saveBackgroundSessions,
	"POST /console/token-issuers":                       createIssuer,
	"GET /console/token-issuers/{id}":                   tokenIssuer,
	"POST /console/token-issuers/{id}":                  updateIssuer,
	"POST /console/token-issuers/{id}/delete":           deleteIssuer,
	"GET /console/assignments":                          assignments,
	"POST /console/assignments":                         createAssignments,
	"GET /console/assign":                               assign,
	"GET /console/accounts/{id}":                        account,
	"POST /console/assignments/delete":                  deleteAssignment,
	"POST /console/rules/delete":                        deleteRule,
	"POST /console/accounts/organization":               readOrganization,
}

// assignmentLine is an assignment with names. The principal of a deleted user or group has none.
type assignmentLine struct {
	Assignment            center.Assignment
	Account, Set, Subject string
}

// key is what the line is known by.
func (l assignmentLine) key() string {
	a := l.Assignment
	return strings.Join([]string{a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID}, " ")
}

// ruleLine is a rule with names.
type ruleLine struct {
	Rule                center.AssignmentRule
	Where, Set, Subject string
}

// principalLink is a user or a group in a table, with the page that it has.
type principalLink struct {
	Name, ID, Link string
	Type           center.PrincipalType
}

// What a principal is called that is there no more.
const deletedGroup, deletedUser = "deleted group", "deleted user"

// principalOf links a principal by what it is called; one that is deleted has no page.
func principalOf(of center.PrincipalType, id, called string) principalLink {
	x := principalLink{Name: called, ID: id, Type: of}
	if called != deletedGroup && called != deletedUser {
		x.Link = principalURL(of, id)
	}
	return x
}

// Who is the principal of the assignment.
func (l assignmentLine) Who() principalLink {
	return principalOf(l.Assignment.PrincipalType, l.Assignment.PrincipalID, l.Subject)
}

// Who is the principal of the rule.
func (l ruleLine) Who() principalLink {
	return principalOf(l.Rule.PrincipalType, l.Rule.PrincipalID, l.Subject)
}

type assignmentsData struct {
	web.Listing
	Only    []narrowing
	Pager   web.Pager
	Lines   []assignmentLine
	Rules   []ruleLine
	Back    string
	Ordered bool // otherwise there are too many to be put in order
}

// Most is how many can be put in order.
func (d assignmentsData) Most() int { return center.MaxOrderedAssignments }

// Table is what the part with the table of assignments shows.
func (d assignmentsData) Table() assignmentTable {
	none := "No assignments yet."
	if d.Search != "" || len(d.Only) > 0 {
		none = "No assignments match."
	}
	t := assignmentTable{Lines: d.Lines, Back: d.Back, None: none, Whole: &d.Pager}
	if d.Ordered {
		t.Sort = &d.Listing
	}
	return t
}

// assignmentTable is a table of assignments on some page.
type assignmentTable struct {
	Lines []assignmentLine
	Hide  string       // the column that would say the same in each row: set or who
	Back  string       // where a deletion comes back to
	None  string       // what it says when it is empty
	Sort  *web.Listing // by whose columns it can be put in order; nil: it cannot
	Whole *web.Pager   // of a list of which all can be chosen; nil: it is no list of its own
}

// narrowing is a filter of the list that is on: only one account, permission set or principal.
type narrowing struct{ Name, Value, Text string }

// assignmentQuery reads which assignments the address of the list selects.
func (p page) assignmentQuery() center.AssignmentQuery {
	q := p.URL.Query()
	a := center.AssignmentQuery{AccountID: q.Get("account")}
	if set := q.Get("set"); set != "" {
		a.PermissionSetARN = p.setARNOf(set)
	}
	of, id, _ := strings.Cut(q.Get("who"), ":")
	a.PrincipalType, a.PrincipalID = center.PrincipalType(of), id
	return a
}

func assignments(p page) error {
	ctx, c := p.Context(), p.h.Center
	d := assignmentsData{Listing: p.Listing("account", "set", "who"), Back: p.URL.RequestURI()}
	q := p.assignmentQuery()
	q.By, q.Descending = center.AssignmentOrder(d.Sort), d.Descending
	names, err := p.names()
	if err != nil {
		return err
	}
	if p.Exports() {
		return p.exportAssignments(q, d.Search, names)
	}
	q.Offset, q.Limit = p.offset(), pageSize
	found, err := c.FindAssignments(ctx, q, d.Search)
	if err != nil {
		return err
	}
	d.Pager, d.Ordered = d.Listing.Pager(len(found.Items), pageSize, found.Total), found.Ordered
	if d.Lines, err = p.assignmentLines(found.Items, names); err != nil {
		return err
	}
	for _, x := range []narrowing{
		{"account", q.AccountID, names[q.AccountID]}, {"set", p.URL.Query().Get("set"), names[q.PermissionSetARN]},
		{"who", p.URL.Query().Get("who"), ""},
	} {
		if x.Value == "" {
			continue
		}
		if x.Name == "who" {
			if x.Text, err = p.principalName(center.Assignment{
				PrincipalType: q.PrincipalType, PrincipalID: q.PrincipalID,
			}); err != nil {
				return err
			}
		}
		d.Only = append(d.Only, x)
	}
	if len(d.Only) == 0 {
		if d.Rules, err = p.ruleLines(center.AssignmentRule{}, names); err != nil {
			return err
		}
	}
	return p.Render("assignments", "Assignments", assignmentsPath, d)
}

// assignmentsListed are the keys of the assignments of the list.
func (p page) assignmentsListed(limit int) (keys []string, err error) {
	l, q := p.Listing("account", "set", "who"), p.assignmentQuery()
	q.By, q.Descending = center.AssignmentOrder(l.Sort), l.Descending
	q.Limit = limit
	found, err := p.h.Center.FindAssignments(p.Context(), q, l.Search)
	for _, a := range found.Items {
		keys = append(keys, assignmentKey(a))
	}
	return keys, err
}

// names are those of accounts, units and permission sets, by their ids and ARNs.
func (p page) names() (map[string]string, error) {
	accounts, e1 := p.h.Center.Accounts(p.Context())
	sets, e2 := p.h.Center.PermissionSets(p.Context(), center.PermissionSetQuery{})
	names := map[string]string{}
	for _, a := range accounts {
		names[a.ID] = a.Name
		for _, u := range a.Units {
			names[u.ID] = u.Name
		}
	}
	for _, s := range sets {
		names[s.ARN] = s.Name
	}
	return names, errors.Join(e1, e2)
}

// assignmentLines gives assignments their names, and remembers those of principals.
func (p page) assignmentLines(
	list []center.Assignment, names map[string]string,
) (lines []assignmentLine, err error) {
	for _, a := range list {
		if names[a.PrincipalID] == "" {
			if names[a.PrincipalID], err = p.principalName(a); err != nil {
				return nil, err
			}
		}
		lines = append(lines, assignmentLine{a, names[a.AccountID], names[a.PermissionSetARN], names[a.PrincipalID]})
	}
	return lines, nil
}

// ruleLines are the rules with names: all, or those for a permission set or a principal.
func (p page) ruleLines(of center.AssignmentRule, names map[string]string) (lines []ruleLine, err error) {
	rules, err := p.h.Center.AssignmentRules(p.Context())
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		if of.PermissionSetARN != "" && r.PermissionSetARN != of.PermissionSetARN ||
			of.PrincipalID != "" && r.PrincipalID != of.PrincipalID {
			continue
		}
		subject, err := p.principalName(center.Assignment{PrincipalType: r.PrincipalType, PrincipalID: r.PrincipalID})
		if err != nil {
			return nil, err
		}
		lines = append(lines, ruleLine{r, names[r.Unit], names[r.PermissionSetARN], subject})
	}
	return lines, nil
}

func (p page) exportAssignments(q center.AssignmentQuery, search string, names map[string]string) error {
	columns := []string{"accountId", "account", "permissionSetArn", "permissionSet", "principalType", "principalId",
		"principal"}
	return p.Export("assignments", columns, func(row func(...string) error) error {
		return web.EachRow(func(offset, limit int) ([]assignmentLine, error) {
			q.Offset, q.Limit = offset, limit
			found, err := p.h.Center.FindAssignments(p.Context(), q, search)
			if err != nil {
				return nil, err
			}
			return p.assignmentLines(found.Items, names)
		}, assignmentLine.key, func(l assignmentLine) error {
			a := l.Assignment
			return row(
				a.AccountID, l.Account, a.PermissionSetARN, l.Set, string(a.PrincipalType), a.PrincipalID, l.Subject,
			)
		})
	})
}

// places lists the units that accounts are in and the tags that they have, each once, in the order
// of their names.
func places(accounts []center.Account) (units []center.Unit, tags []center.Tag) {
	for _, a := range accounts {
		units, tags = append(units, a.Units...), append(tags, a.Tags...)
	}
	slices.SortFunc(units, func(a, b center.Unit) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(tags, func(a, b center.Tag) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value))
	})
	return slices.Compact(units), slices.Compact(tags)
}

func (p page) principalName(a center.Assignment) (string, error) {
	if a.PrincipalType == center.PrincipalGroup {
		g, err := p.h.Center.Group(p.Context(), center.GroupID(a.PrincipalID))
		if refusal.KindOf(err) == refusal.NotFound {
			return deletedGroup, nil
		}
		return g.DisplayName, err
	}
	u, err := p.h.Center.User(p.Context(), center.UserID(a.PrincipalID))
	if refusal.KindOf(err) == refusal.NotFound {
		return deletedUser, nil
	}
	return u.UserName, err
}

// principalByName finds a principal as people know it: by user name, or a group's display name.
func (p page) principalByName(of center.PrincipalType, name string) (string, error) {
	if of == center.PrincipalGroup {
		g, err := p.h.Center.GroupByName(p.Context(), name)
		return string(g.ID), err
	}
	u, err := p.h.Center.UserByName(p.Context(), name)
	return string(u.ID), err
}

// back is the page that a form asks to come back to.
func (p page) back(otherwise string) string { return web.LocalPath(p.PostFormValue("back"), otherwise) }

func deleteAssignment(p page) error {
	if p.PostFormValue(web.Pick) != "" || p.Every() {
		return deletePicked(p)
	}
	a := center.Assignment{
		AccountID:        p.PostFormValue("account"),
		PermissionSetARN: p.PostFormValue("set"),
		PrincipalType:    center.PrincipalType(p.PostFormValue("type")),
		PrincipalID:      p.PostFormValue("principal"),
	}
	lines, err := p.loses(a)
	if err != nil {
		return err
	}
	question := web.Question{Title: "Delete the assignment?", Lines: lines, Button: "Delete the assignment"}
	if done, err := p.SureOf(question, func(ctx context.Context) error { return p.deleteOne(ctx, a) }); !done {
		return err
	}
	return p.Done(p.back(assignmentsPath), "The assignment is deleted.")
}

// called is what the account and the permission set of an assignment are called. What is not there
// any more is named by its id.
func (p page) called(a center.Assignment) (account, set string) {
	account, set = a.AccountID, a.PermissionSetARN
	if x, err := p.h.Center.Account(p.Context(), a.AccountID); err == nil {
		account = x.Name + " (" + x.ID + ")"
	}
	if x, err := p.h.Center.PermissionSet(p.Context(), a.PermissionSetARN); err == nil {
		set = x.Name
	} else if center.IsRoleARN(set) {
		set = "the role " + center.NameOfRole(set)
	}
	return account, set
}

// loses says who loses what with an assignment. What is not there any more is named by its id.
func (p page) loses(a center.Assignment) ([]string, error) {
	ctx, c := p.Context(), p.h.Center
	who, err := p.principalName(a)
	if err != nil {
		return nil, err
	}
	who = cmp.Or(who, a.PrincipalID)
	if a.PrincipalType == center.PrincipalGroup {
		n, err := c.CountMemberships(ctx, center.MembershipQuery{GroupID: center.GroupID(a.PrincipalID)})
		if err != nil {
			return nil, err
		}
		who = names.Counted("The group %s (%d {member|members})", who, n)
	}
	account, set := p.called(a)
	return []string{who + " loses " + set + " in " + account + ".",
		"Role credentials that are in use stay valid until they expire."}, nil
}
