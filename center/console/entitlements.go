package console

import (
	"cmp"
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

const entitlementsPath = "/console/account-access"

// entitlementPages are the pages on roles that are in accounts already.
var entitlementPages = map[string]action{
	"GET /console/account-access":          entitlements,
	"POST /console/account-access":         createEntitlement,
	"POST /console/account-access/enable":  enableAccountAccess,
	"POST /console/account-access/disable": disableAccountAccess,
	"POST /console/account-access/delete":  deleteEntitlement,
}

// entitlementLine is an entitlement with names.
type entitlementLine struct {
	center.Entitlement
	Account center.Account
	Subject string
}

// Who is the principal of the entitlement.
func (l entitlementLine) Who() principalLink {
	return principalOf(l.PrincipalType, l.PrincipalID, l.Subject)
}

// Name is the role's, without its path.
func (l entitlementLine) Name() string { return center.NameOfRole(l.RoleARN) }

// entitlementTable is a list of entitlements.
type entitlementTable struct {
	Lines []entitlementLine
	Back  string // where a deletion comes back to
	None  string
	Sort  *web.Listing // by whose columns it can be put in order; nil: it cannot
}

type entitlementsData struct {
	entitlementTable
	On                 bool
	Application        center.AccessManager
	ARN                string
	Account, Who, Role string // filters
	Nobody             bool   // what a filter names is not there
	Sorted             string // the order, for the form of the filters
	Unordered          bool   // there are too many to be put in order
	Pager              web.Pager
	Asks               bool // IAM is asked whether a role trusts the center
}

func entitlements(p page) error {
	ctx, c := p.Context(), p.h.Center
	q := p.URL.Query()
	d := entitlementsData{
		entitlementTable: entitlementTable{Back: p.URL.RequestURI(), None: "Nobody is entitled to a role."},
		Account:          strings.TrimSpace(q.Get("account")), Who: strings.TrimSpace(q.Get("who")),
		Role: strings.TrimSpace(q.Get("role")), Asks: c.Roles != nil,
	}
	var err error
	d.Application, err = c.AccessManager(ctx)
	switch {
	case refusal.CodeOf(err) == center.AccessManagerNotFound:
		return p.Render("entitlements", "Existing roles", entitlementsPath, d)
	case err != nil:
		return err
	}
	d.On, d.ARN = true, c.AccessManagerARN(d.Application)
	l := p.Listing("account", "set", "who")
	query, err := p.entitlementQuery(&d)
	if err != nil {
		return err
	}
	query.By, query.Descending = center.AssignmentOrder(l.Sort), l.Descending
	read := func(q center.EntitlementQuery) (found center.EntitlementPage, err error) {
		if d.Nobody {
			return center.EntitlementPage{Ordered: true}, nil
		}
		return c.FindEntitlements(ctx, d.ARN, q)
	}
	if p.Exports() {
		return p.exportEntitlements(d.ARN, query, read)
	}
	query.Offset, query.Limit = l.Offset, pageSize
	found, err := read(query)
	if err != nil {
		return err
	}
	d.Pager = l.Pager(len(found.Items), pageSize, found.Total)
	d.Sorted, d.Unordered = l.Sorted(), !found.Ordered
	if found.Ordered {
		d.Sort = &l
	}
	if d.Lines, err = p.entitlementLines(found.Items); err != nil {
		return err
	}
	if d.Account+d.Who+d.Role != "" {
		d.None = "No entitlements match."
	}
	return p.Render("entitlements", "Existing roles", entitlementsPath, d)
}

// Most is how many can be put in order.
func (d entitlementsData) Most() int { return center.MaxOrderedAssignments }

// entitlementReader reads a page of entitlements.
type entitlementReader func(center.EntitlementQuery) (center.EntitlementPage, error)

func (p page) exportEntitlements(application string, q center.EntitlementQuery, read entitlementReader) error {
	columns := []string{"id", "accountId", "account", "roleArn", "principalType", "principalId", "principal"}
	return p.Export("existing-roles", columns, func(row func(...string) error) error {
		line, err := p.entitlementNames()
		if err != nil {
			return err
		}
		return p.eachEntitlement(application, q, read, func(e center.Entitlement) error {
			l, err := line(e)
			if err != nil {
				return err
			}
			return row(e.ID, l.Account.ID, l.Account.Name, e.RoleARN, string(e.PrincipalType), e.PrincipalID, l.Subject)
		})
	})
}

// exportSize is how many rows are read at a time for a file.
const exportSize = 1000 //bound:none they are read one part after the other

// eachEntitlement hands over those of a query: all at once where they have an order, and otherwise
// each part after the last of the one before. So none is left out because another one goes.
func (p page) eachEntitlement(
	application string, q center.EntitlementQuery, read entitlementReader, row func(center.Entitlement) error,
) error {
	q.Limit = center.MaxOrderedAssignments
	found, err := read(q)
	for err == nil && len(found.Items) > 0 {
		for _, e := range found.Items {
			if err := row(e); err != nil {
				return err
			}
		}
		if found.Ordered {
			return nil
		}
		q.By, q.Descending = center.ByAccountID, false
		q.Limit, q.After = exportSize, found.Items[len(found.Items)-1].ID
		found.Items, err = p.h.Center.Entitlements(p.Context(), application, q)
	}
	return err
}

// entitlementQuery finds those that the filters name.
func (p page) entitlementQuery(d *entitlementsData) (query center.EntitlementQuery, err error) {
	query.RoleARN = d.Role
	if d.Account != "" {
		all, err := p.h.Center.Accounts(p.Context())
		if err != nil {
			return query, err
		}
		for _, a := range all {
			if a.ID == d.Account || strings.EqualFold(a.Name, d.Account) {
				query.AccountID = a.ID
			}
		}
		d.Nobody = query.AccountID == ""
	}
	if d.Who != "" {
		for _, of := range []center.PrincipalType{center.PrincipalGroup, center.PrincipalUser} {
			id, err := p.principalByName(of, d.Who)
			if err != nil && refusal.KindOf(err) != refusal.NotFound {
				return query, err
			}
			if err == nil && query.PrincipalID == "" {
				query.PrincipalType, query.PrincipalID = of, id
			}
		}
		d.Nobody = d.Nobody || query.PrincipalID == ""
	}
	return query, nil
}

func (p page) entitlementLines(list []center.Entitlement) ([]entitlementLine, error) {
	if len(list) == 0 {
		return nil, nil
	}
	line, err := p.entitlementNames()
	if err != nil {
		return nil, err
	}
	lines := make([]entitlementLine, len(list))
	for i, e := range list {
		if lines[i], err = line(e); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// entitlementNames gives entitlements their names: those of accounts, which it has all read before,
// and of principals, which it remembers.
func (p page) entitlementNames() (func(center.Entitlement) (entitlementLine, error), error) {
	all, err := p.h.Center.Accounts(p.Context())
	accounts, subjects := map[string]center.Account{}, map[center.Principal]string{}
	for _, a := range all {
		accounts[a.ID] = a
	}
	return func(e center.Entitlement) (l entitlementLine, err error) {
		of := center.Principal{Type: e.PrincipalType, ID: e.PrincipalID}
		subject, ok := subjects[of]
		if !ok {
			subject, err = p.principalName(
				center.Assignment{PrincipalType: e.PrincipalType, PrincipalID: e.PrincipalID},
			)
			if err != nil {
				return l, err
			}
			subjects[of] = subject
		}
		l = entitlementLine{e, accounts[e.AccountID()], subject}
		l.Account.ID = e.AccountID()
		l.Account.Name = cmp.Or(l.Account.Name, l.Account.ID)
		return l, nil
	}, err
}

// entitledOf are the first entitlements of somebody or in an account, for another page. Without the
// application there are none.
func (p page) entitledOf(q center.EntitlementQuery) (t entitlementTable, err error) {
	arn, err := p.accountAccess()
	if refusal.CodeOf(err) == center.AccessManagerNotFound {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	q.Limit = pageSize
	list, err := p.h.Center.Entitlements(p.Context(), arn, q)
	if err != nil {
		return t, err
	}
	t.Back = p.URL.RequestURI()
	t.Lines, err = p.entitlementLines(list)
	return t, err
}

// accountAccess is the ARN of the application, or AccessManagerNotFound.
func (p page) accountAccess() (string, error) {
	a, err := p.h.Center.AccessManager(p.Context())
	return p.h.Center.AccessManagerARN(a), err
}

func enableAccountAccess(p page) error {
	if _, err := p.h.Center.CreateAccessManager(p.Context(), p.by, p.h.Center.Instance.ARN, nil); err != nil {
		return err
	}
	return p.Done(entitlementsPath, "People can be entitled to roles that are in the accounts.")
}

func disableAccountAccess(p page) error {
	question := web.Question{
		Title:  "Delete the application?",
		Lines:  []string{"Nobody can be entitled to a role until it is made again, then with another ARN."},
		Button: "Delete the application",
	}
	arn, err := p.accountAccess()
	if err != nil {
		return err
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteAccessManager(ctx, p.by, arn)
	}); !done {
		return err
	}
	return p.Done(entitlementsPath, "The application is deleted.")
}

func createEntitlement(p page) error {
	of := center.PrincipalType(p.PostFormValue("type"))
	arn, err := p.accountAccess()
	if err != nil {
		return err
	}
	who := strings.TrimSpace(p.PostFormValue("who"))
	id, err := p.principalByName(of, who)
	if err != nil {
		return err
	}
	role := strings.TrimSpace(p.PostFormValue("role"))
	_, err = p.h.Center.CreateEntitlement(p.Context(), p.by, arn, center.Entitlement{
		RoleARN: role, PrincipalType: of, PrincipalID: id,
	})
	if err != nil {
		return err
	}
	return p.Done(entitlementsPath, who+" may open "+center.NameOfRole(role)+" in "+center.AccountOfRole(role)+".")
}

func deleteEntitlement(p page) error {
	arn, err := p.accountAccess()
	if err != nil {
		return err
	}
	e, err := p.h.Center.Entitlement(p.Context(), arn, p.PostFormValue("id"))
	if err != nil {
		return err
	}
	lines, err := p.loses(center.Assignment{
		AccountID: e.AccountID(), PermissionSetARN: e.RoleARN, PrincipalType: e.PrincipalType,
		PrincipalID: e.PrincipalID,
	})
	if err != nil {
		return err
	}
	question := web.Question{Title: "Delete the entitlement?", Lines: lines, Button: "Delete the entitlement"}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteEntitlement(ctx, p.by, arn, e.ID)
	}); !done {
		return err
	}
	return p.Done(p.back(entitlementsPath), "The entitlement is deleted.")
}
