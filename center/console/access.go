package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
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
	"POST /console/assignments":                         createAssignment,
	"POST /console/assignments/delete":                  deleteAssignment,
	"POST /console/rules/delete":                        deleteRule,
	"POST /console/accounts/organization":               readOrganization,
}

// assignmentLine is an assignment with names. The principal of a deleted user or group has none.
type assignmentLine struct {
	Assignment            center.Assignment
	Account, Set, Subject string
}

// ruleLine is a rule with names.
type ruleLine struct {
	Rule                center.AssignmentRule
	Where, Set, Subject string
}

type assignmentsData struct {
	Search   string
	Pager    web.Pager
	Lines    []assignmentLine
	Rules    []ruleLine
	Accounts []center.Account
	Units    []center.Unit // in which there are accounts
	Tags     []center.Tag  // that accounts have
	Sets     []center.PermissionSet
}

func assignments(p page) error {
	ctx, c := p.Context(), p.h.Center
	d := assignmentsData{Search: strings.TrimSpace(p.URL.Query().Get("q"))}
	list, total, err := c.FindAssignments(ctx, d.Search, p.offset(), pageSize)
	if err != nil {
		return err
	}
	d.Pager = p.pager(len(list), total)
	if d.Accounts, err = c.Accounts(ctx); err != nil {
		return err
	}
	if d.Sets, err = c.PermissionSets(ctx, center.PermissionSetQuery{}); err != nil {
		return err
	}
	names := map[string]string{}
	for _, a := range d.Accounts {
		names[a.ID] = a.Name
	}
	for _, s := range d.Sets {
		names[s.ARN] = s.Name
	}
	for _, a := range list {
		if names[a.PrincipalID] == "" {
			if names[a.PrincipalID], err = p.principalName(a); err != nil {
				return err
			}
		}
		d.Lines = append(
			d.Lines, assignmentLine{a, names[a.AccountID], names[a.PermissionSetARN], names[a.PrincipalID]},
		)
	}
	d.Units, d.Tags = places(d.Accounts)
	for _, u := range d.Units {
		names[u.ID] = u.Name
	}
	rules, err := c.AssignmentRules(ctx)
	if err != nil {
		return err
	}
	for _, r := range rules {
		subject, err := p.principalName(center.Assignment{PrincipalType: r.PrincipalType, PrincipalID: r.PrincipalID})
		if err != nil {
			return err
		}
		d.Rules = append(d.Rules, ruleLine{r, names[r.Unit], names[r.PermissionSetARN], subject})
	}
	return p.Render("assignments", "Assignments", "/console/assignments", d)
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
			return "deleted group", nil
		}
		return g.DisplayName, err
	}
	u, err := p.h.Center.User(p.Context(), center.UserID(a.PrincipalID))
	if refusal.KindOf(err) == refusal.NotFound {
		return "deleted user", nil
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

func createAssignment(p page) error {
	a := center.Assignment{
		AccountID:        p.PostFormValue("account"),
		PermissionSetARN: p.PostFormValue("set"),
		PrincipalType:    center.PrincipalType(p.PostFormValue("type")),
	}
	var err error
	if a.PrincipalID, err = p.principalByName(a.PrincipalType, p.PostFormValue("principal")); err != nil {
		return err
	}
	if strings.Contains(a.AccountID, ":") {
		return createRule(p, a.AccountID, a)
	}
	r, err := p.h.Center.CreateAssignment(p.Context(), p.by, a)
	if err != nil {
		return err
	}
	if r.Status == center.InProgress {
		return p.Done(
			"/console/assignments",
			"The role is being created in the account. The assignment takes effect when the role is ready.",
		)
	}
	return p.Done("/console/assignments", "The assignment is created.")
}

func deleteAssignment(p page) error {
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
	if sure, err := p.Sure(question); !sure {
		return err
	}
	r, err := p.h.Center.DeleteAssignment(p.Context(), p.by, a)
	if err != nil {
		return err
	}
	if r.Status == center.Failed {
		return p.Failed("/console/assignments", "Nothing was deleted. "+r.FailureReason)
	}
	return p.Done("/console/assignments", "The assignment is deleted.")
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
		who = fmt.Sprintf("The group %s (%d members)", who, n)
	}
	account, set := a.AccountID, a.PermissionSetARN
	if x, err := c.Account(ctx, a.AccountID); err == nil {
		account = x.Name + " (" + x.ID + ")"
	}
	if x, err := c.PermissionSet(ctx, a.PermissionSetARN); err == nil {
		set = x.Name
	}
	return []string{who + " loses " + set + " in " + account + ".",
		"Role credentials that are in use stay valid until they expire."}, nil
}
