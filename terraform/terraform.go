// Package terraform writes an organization's IAM Identity Center, and its connection with an Entra
// tenant, as Terraform: resources of the AWS and AzureAD providers, with import blocks for what is
// there, so that a plan of it changes nothing.
//
// What has no resource is a comment, and where a provider can see it, a check block. No secret is
// written, and none gets into a state by what is written.
//
// It may import awsapi/inventory and graph.
package terraform

import (
	"slices"
	"strings"
)

// Organization is what an instance of IAM Identity Center has, as its public APIs tell it.
type Organization struct {
	InstanceARN, IdentityStoreID, Region, Name string
	// Endpoint is the URL of a center that is not AWS's own.
	Endpoint string

	AccountNames   map[string]string // by account id
	AccessControl  []AccessControlAttribute
	PermissionSets []PermissionSet
	Assignments    []Assignment
	Applications   []Application
	TokenIssuers   []TokenIssuer
	Users          []User
	Groups         []Group
	// Unread is what could not be read, and is not in the files.
	Unread []Unread
}

// Unread is something that could not be read.
type Unread struct {
	What       string `json:"what"`
	Permission string `json:"permission"` // the IAM action or the Graph permission that it takes
	Reason     string `json:"reason"`
}

// AccessControlAttribute is a session tag, and where its value comes from.
type AccessControlAttribute struct {
	Key    string
	Source []string
}

// PermissionSet is one of the instance, with everything that is attached to it.
type PermissionSet struct {
	ARN, Name, Description, RelayState, SessionDuration string
	Tags                                                map[string]string // nil: not known
	ManagedPolicies                                     []string          // ARNs
	CustomerManaged                                     []PolicyReference
	InlinePolicy                                        string
	Boundary                                            *Boundary
}

// PolicyReference names a policy that each account has itself.
type PolicyReference struct{ Name, Path string }

// Boundary is a permissions boundary: one or the other.
type Boundary struct {
	ManagedPolicy   string // an ARN
	CustomerManaged PolicyReference
}

// Assignment gives a user or a group a permission set in an account. There may be very many: what
// it names is where it stands in other lists.
type Assignment struct {
	Account       string
	PermissionSet string // ARN
	Principal     Principal
}

// Principal is a user or a group of the identity store.
type Principal struct {
	Type string // USER or GROUP
	ID   string
}

// Application is a customer managed application, or one that AWS manages.
type Application struct {
	ARN, Provider, Name, Description, Status, Visibility string
	SignInOrigin, SignInURL                              string
	Tags                                                 map[string]string // nil: not known
	AssignmentRequired                                   *bool             // nil: not known
	Scopes                                               []Scope
	Assigned                                             []Principal
	// Methods and Grants have no resource in the AWS provider.
	Methods, Grants []string
}

// custom is the provider of applications that customers make by API.
const custom = "arn:aws:sso::aws:applicationProvider/custom"

// Scope is what an application's tokens may be used for.
type Scope struct {
	Name    string
	Targets []string
}

// TokenIssuer is a trusted token issuer.
type TokenIssuer struct {
	ARN, Name, Type, Issuer, Claim, Attribute, Retrieval string
	Tags                                                 map[string]string // nil: not known
}

// User is a user of the identity store.
type User struct {
	ID, UserName, DisplayName, NickName, ProfileURL, Title, UserType, Locale, Timezone, PreferredLanguage string
	Name                                                                                                  *PersonName
	Emails, Phones                                                                                        []TypedValue
	Addresses                                                                                             []Address
	Disabled                                                                                              bool
	// Provisioned says that another directory writes the user, over SCIM.
	Provisioned bool
}

// PersonName is the parts of a user's name.
type PersonName struct{ Given, Family, Middle, Formatted, Prefix, Suffix string }

// TypedValue is an email address or a phone number.
type TypedValue struct {
	Value, Type string
	Primary     bool
}

// Address is a postal address.
type Address struct {
	Street, Locality, Region, PostalCode, Country, Formatted, Type string
	Primary                                                        bool
}

// Group is a group of the identity store.
type Group struct {
	ID, DisplayName, Description string
	Provisioned                  bool
	Members                      []Member // not of provisioned groups, unless they are asked for
}

// Member is a membership: its own id and the user's.
type Member struct{ ID, UserID string }

// sort makes two exports of the same state the same, whatever order an API answers in.
func (o *Organization) sort() {
	slices.SortFunc(o.Users, func(a, b User) int { return order(a.UserName, b.UserName, a.ID, b.ID) })
	slices.SortFunc(o.Groups, func(a, b Group) int { return order(a.DisplayName, b.DisplayName, a.ID, b.ID) })
	slices.SortFunc(o.PermissionSets, func(a, b PermissionSet) int { return order(a.Name, b.Name, a.ARN, b.ARN) })
	slices.SortFunc(o.Applications, func(a, b Application) int { return order(a.Name, b.Name, a.ARN, b.ARN) })
	slices.SortFunc(o.TokenIssuers, func(a, b TokenIssuer) int { return order(a.Name, b.Name, a.ARN, b.ARN) })
	slices.SortFunc(o.AccessControl, func(a, b AccessControlAttribute) int { return strings.Compare(a.Key, b.Key) })
	for i := range o.Groups {
		slices.SortFunc(o.Groups[i].Members, func(a, b Member) int { return order(a.UserID, b.UserID, a.ID, b.ID) })
	}
	for i := range o.PermissionSets {
		p := &o.PermissionSets[i]
		slices.Sort(p.ManagedPolicies)
		slices.SortFunc(p.CustomerManaged, func(a, b PolicyReference) int {
			return order(a.Path, b.Path, a.Name, b.Name)
		})
	}
	for i := range o.Applications {
		a := &o.Applications[i]
		slices.SortFunc(a.Scopes, func(a, b Scope) int { return strings.Compare(a.Name, b.Name) })
		slices.SortFunc(a.Assigned, func(a, b Principal) int { return order(a.Type, b.Type, a.ID, b.ID) })
		slices.Sort(a.Methods)
		slices.Sort(a.Grants)
	}
	slices.SortFunc(o.Unread, func(a, b Unread) int { return order(a.What, b.What, a.Permission, b.Permission) })
}

// order compares by the first pair, then by the second.
func order(a, b, c, d string) int {
	if n := strings.Compare(a, b); n != 0 {
		return n
	}
	return strings.Compare(c, d)
}
