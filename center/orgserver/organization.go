package orgserver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
)

// organization is the tree that the center's accounts make. Accounts that are in no unit lie under
// the root, and a center whose accounts were not read from an organization has a root of its own.
type organization struct {
	id, owner string
	root      center.Unit
	accounts  []center.Account // in the order of their ids
	units     map[string]unit  // without the root
	since     awsapi.Timestamp
}

// unit is an organizational unit, and the path of ids down to it, from the root.
type unit struct {
	center.Unit

	path []string
}

func newOrganization(i center.Instance, accounts []center.Account) organization {
	suffix := strings.TrimPrefix(i.IdentityStoreID, "d-")
	o := organization{
		id:       "o-" + suffix,
		owner:    i.OwnerAccountID,
		root:     center.Unit{ID: "r-" + suffix, Name: "Root"},
		accounts: accounts,
		units:    map[string]unit{},
		since:    awsapi.Timestamp(i.CreatedAt),
	}
	for _, a := range accounts {
		if len(a.Units) > 0 {
			o.root = a.Units[0]
			break
		}
	}
	for _, a := range accounts {
		path := []string{o.root.ID}
		for _, u := range a.Units[min(1, len(a.Units)):] {
			path = append(slices.Clip(path), u.ID)
			o.units[u.ID] = unit{u, path}
		}
	}
	return o
}

// parent is the id of the unit, or the root, that an account is in.
func (o organization) parent(a center.Account) string {
	if len(a.Units) < 2 {
		return o.root.ID
	}
	return a.Units[len(a.Units)-1].ID
}

func (o organization) arn(kind string, ids ...string) string {
	return "arn:aws:organizations::" + o.owner + ":" + kind + "/" + strings.Join(append([]string{o.id}, ids...), "/")
}

// path is how answers tell where something lies.
func (o organization) path(ids ...string) string {
	return strings.Join(append([]string{o.id}, ids...), "/") + "/"
}

func (o organization) checkParent(id string) error {
	if _, ok := o.units[id]; ok || id == o.root.ID {
		return nil
	}
	return missing("ParentNotFoundException", "a root or organizational unit")
}

type tag struct{ Key, Value string }

type accountDetail struct {
	ID     string `json:"Id"`
	Arn    string
	Email  string `json:",omitempty"`
	Name   string
	State  string
	Status string
	Paths  []string
}

func (o organization) account(a center.Account) accountDetail {
	state := "ACTIVE"
	if a.Suspended {
		state = "SUSPENDED"
	}
	above := []string{o.root.ID}
	if u, ok := o.units[o.parent(a)]; ok {
		above = u.path
	}
	return accountDetail{
		ID:     a.ID,
		Arn:    o.arn("account", a.ID),
		Email:  a.Email,
		Name:   a.Name,
		State:  state,
		Status: state,
		Paths:  []string{o.path(append(slices.Clip(above), a.ID)...)},
	}
}

type unitDetail struct {
	ID   string `json:"Id"`
	Arn  string
	Name string
	Path string
}

func (o organization) unit(u unit) unitDetail {
	return unitDetail{u.ID, o.arn("ou", u.ID), u.Name, o.path(u.path...)}
}

// under lists the units that lie directly in another one, or in the root.
func (o organization) under(parent string) []unit {
	var list []unit
	for _, u := range o.units {
		if u.path[len(u.path)-2] == parent {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b unit) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// in lists the accounts that lie directly in a unit, or in the root.
func (o organization) in(parent string) []center.Account {
	return slices.DeleteFunc(slices.Clone(o.accounts), func(a center.Account) bool { return o.parent(a) != parent })
}

type organizationDetail struct {
	ID                   string `json:"Id"`
	Arn                  string
	FeatureSet           string
	MasterAccountArn     string
	MasterAccountID      string `json:"MasterAccountId"`
	MasterAccountEmail   string `json:",omitempty"`
	AvailablePolicyTypes []struct{}
}

type organizationOutput struct{ Organization organizationDetail }

func describeOrganization(o organization, _ input) (organizationOutput, error) {
	d := organizationDetail{
		ID:                   o.id,
		Arn:                  o.arn("organization"),
		FeatureSet:           "ALL",
		MasterAccountArn:     o.arn("account", o.owner),
		MasterAccountID:      o.owner,
		AvailablePolicyTypes: []struct{}{},
	}
	for _, a := range o.accounts {
		if a.ID == o.owner {
			d.MasterAccountEmail = a.Email
		}
	}
	return organizationOutput{d}, nil
}

type accountOutput struct{ Account accountDetail }

func describeAccount(o organization, in input) (accountOutput, error) {
	for _, a := range o.accounts {
		if a.ID == in.AccountID {
			return accountOutput{o.account(a)}, nil
		}
	}
	return accountOutput{}, missing("AccountNotFoundException", "an account")
}

type unitOutput struct{ OrganizationalUnit unitDetail }

func describeUnit(o organization, in input) (unitOutput, error) {
	u, ok := o.units[in.OrganizationalUnitID]
	if !ok {
		return unitOutput{}, missing("OrganizationalUnitNotFoundException", "an organizational unit")
	}
	return unitOutput{o.unit(u)}, nil
}

type rootDetail struct {
	ID          string `json:"Id"`
	Arn         string
	Name        string
	PolicyTypes []struct{}
}

type rootsOutput struct{ Roots []rootDetail }

func listRoots(o organization, in input) (rootsOutput, error) {
	_, _, err := page(in, "ListRoots", nil, func(s string) string { return s })
	return rootsOutput{[]rootDetail{{o.root.ID, o.arn("root", o.root.ID), o.root.Name, []struct{}{}}}}, err
}

type accountsOutput struct {
	Accounts  []accountDetail
	NextToken string `json:",omitempty"`
}

func (o organization) accountsPage(in input, list string, all []center.Account) (accountsOutput, error) {
	some, next, err := page(in, list, all, func(a center.Account) string { return a.ID })
	out := accountsOutput{Accounts: []accountDetail{}, NextToken: next}
	for _, a := range some {
		out.Accounts = append(out.Accounts, o.account(a))
	}
	return out, err
}

func listAccounts(o organization, in input) (accountsOutput, error) {
	return o.accountsPage(in, "ListAccounts", o.accounts)
}

func listAccountsForParent(o organization, in input) (accountsOutput, error) {
	if err := o.checkParent(in.ParentID); err != nil {
		return accountsOutput{}, err
	}
	return o.accountsPage(in, "ListAccountsForParent/"+in.ParentID, o.in(in.ParentID))
}

type unitsOutput struct {
	OrganizationalUnits []unitDetail
	NextToken           string `json:",omitempty"`
}

func listUnits(o organization, in input) (unitsOutput, error) {
	out := unitsOutput{OrganizationalUnits: []unitDetail{}}
	if err := o.checkParent(in.ParentID); err != nil {
		return out, err
	}
	some, next, err := page(in, "ListOrganizationalUnitsForParent/"+in.ParentID, o.under(in.ParentID),
		func(u unit) string { return u.ID })
	for _, u := range some {
		out.OrganizationalUnits = append(out.OrganizationalUnits, o.unit(u))
	}
	out.NextToken = next
	return out, err
}

type node struct {
	ID   string `json:"Id"`
	Type string
}

type childrenOutput struct {
	Children  []node
	NextToken string `json:",omitempty"`
}

func listChildren(o organization, in input) (childrenOutput, error) {
	out := childrenOutput{Children: []node{}}
	if err := o.checkParent(in.ParentID); err != nil {
		return out, err
	}
	var all []node
	if in.ChildType == "ACCOUNT" {
		for _, a := range o.in(in.ParentID) {
			all = append(all, node{a.ID, in.ChildType})
		}
	} else {
		for _, u := range o.under(in.ParentID) {
			all = append(all, node{u.ID, in.ChildType})
		}
	}
	some, next, err := page(in, "ListChildren/"+in.ChildType+"/"+in.ParentID, all, func(n node) string { return n.ID })
	out.Children = append(out.Children, some...)
	out.NextToken = next
	return out, err
}

type parentsOutput struct{ Parents []node }

func listParents(o organization, in input) (parentsOutput, error) {
	parent := ""
	if u, ok := o.units[in.ChildID]; ok {
		parent = u.path[len(u.path)-2]
	}
	for _, a := range o.accounts {
		if a.ID == in.ChildID {
			parent = o.parent(a)
		}
	}
	switch parent {
	case "":
		return parentsOutput{}, missing("ChildNotFoundException", "an account or organizational unit")
	case o.root.ID:
		return parentsOutput{[]node{{parent, "ROOT"}}}, nil
	}
	return parentsOutput{[]node{{parent, "ORGANIZATIONAL_UNIT"}}}, nil
}

type tagsOutput struct{ Tags []tag }

// listTags answers in one page. The center keeps tags of accounts only.
func listTags(o organization, in input) (tagsOutput, error) {
	out := tagsOutput{[]tag{}}
	for _, a := range o.accounts {
		if a.ID != in.ResourceID {
			continue
		}
		for _, t := range a.Tags {
			out.Tags = append(out.Tags, tag(t))
		}
		return out, nil
	}
	if o.checkParent(in.ResourceID) != nil {
		return out, missing("TargetNotFoundException", "a root, OU, account, or policy")
	}
	return out, nil
}

type serviceAccess struct {
	ServicePrincipal string
	DateEnabled      awsapi.Timestamp
}

type servicesOutput struct{ EnabledServicePrincipals []serviceAccess }

// listServices tells of the one service that certainly has access: the center stands for it.
func listServices(o organization, in input) (servicesOutput, error) {
	_, _, err := page(in, "ListAWSServiceAccessForOrganization", nil, func(s string) string { return s })
	return servicesOutput{[]serviceAccess{{"sso.amazonaws.com", o.since}}}, err
}
