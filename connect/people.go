package connect

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
)

// Person is a user of the tenant, with how the application reaches them.
type Person struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"user_principal_name"`
	Mail              string `json:"mail,omitempty"`
	GivenName         string `json:"given_name,omitempty"`
	Surname           string `json:"surname,omitempty"`
	DisplayName       string `json:"display_name,omitempty"`
	Disabled          bool   `json:"disabled,omitempty"`
	Reach             Reach  `json:"reach"`
	// Via is the group that reaches them, or the nested one that does not.
	Via string `json:"via,omitempty"`
	// UserName and NameID are what provisioning and single sign-on send of them. A NameID that is
	// not known here is empty.
	UserName string `json:"user_name,omitempty"`
	NameID   string `json:"name_id,omitempty"`
}

// Reach is how an application reaches a person.
type Reach string

// How an application reaches people. Source: "Scoping users or groups to be provisioned": members
// of nested groups are not provisioned, and cannot sign in to an application that requires
// assignment.
const (
	InScope    Reach = "InScope"
	NestedOnly Reach = "NestedOnly" // a member of a group that is in an assigned group
	OutOfScope Reach = "OutOfScope"
)

// Outcome is what the change does to somebody.
type Outcome string

// The outcomes. The first four are on users that AWS's side has already, the others on people whom
// it does not know yet.
const (
	Keeps     Outcome = "KeepsWorking"
	Elsewhere Outcome = "SentElsewhere" // the tenant's sign-in leads to a user that is somebody else's
	Stops     Outcome = "StopsWorking"
	Clashes   Outcome = "Clashes" // provisioning is refused: a value belongs to somebody else
	Created   Outcome = "Created"
	Lacks     Outcome = "LacksName"  // provisioning is refused: AWS requires the value
	Nested    Outcome = "NestedOnly" // neither provisioned nor signed in
	NoSignIn  Outcome = "CannotSignIn"
)

// outcomeOrder is from the worst to the best.
var outcomeOrder = []Outcome{Stops, Elsewhere, Clashes, Lacks, NoSignIn, Nested, Created, Keeps}

// Fate is what becomes of one user of AWS's side, or of one person whom it does not know.
type Fate struct {
	Outcome  Outcome `json:"outcome"`
	UserName string  `json:"user_name"` // at AWS's side; for somebody new, that of the tenant
	UserID   string  `json:"user_id,omitempty"`
	PersonID string  `json:"person_id,omitempty"`
	// With and Attribute say whom a value clashes with, and which it is.
	With      string   `json:"with,omitempty"`
	Attribute string   `json:"attribute,omitempty"`
	Reason    string   `json:"reason"`
	Accounts  []string `json:"administrator_of,omitempty"` // accounts where the user has AdministratorAccess
}

// People is what the change does to people.
type People struct {
	Counts map[Outcome]int `json:"counts"`
	Fates  []Fate          `json:"fates"` // the worst first, by name
	// Administrators are those of accounts who stop, or are sent elsewhere.
	Administrators []Fate `json:"administrators_who_stop"`
	Adopted        int    `json:"groups_adopted"` // groups that both sides have
	New            int    `json:"groups_created"`
}

// add keeps a fate and counts it.
func (p *People) add(f Fate) {
	p.Counts[f.Outcome]++
	p.Fates = append(p.Fates, f)
	if len(f.Accounts) > 0 && (f.Outcome == Stops || f.Outcome == Elsewhere) {
		p.Administrators = append(p.Administrators, f)
	}
}

// Losing says whether somebody who works today would not after the change.
func (p *People) Losing() bool { return p.Counts[Stops]+p.Counts[Elsewhere] > 0 }

// comparison finds the users of a snapshot by what must be unique.
type comparison struct {
	byName                  map[string]StoreUser
	accounts                map[string][]string // where a user is an administrator
	people                  map[string]Person   // in scope, by the user name that is provisioned
	byPrincipalName, byMail map[string]Person   // all, by what they may be called at AWS
	byID                    map[string]Person
	refused                 map[string]refusal // whom AWS would refuse, by the ids of the people
}

// Provisioner is what writes people to AWS's side.
type Provisioner string

// The provisioners. The tenant's own writes by SCIM, with external ids; Gatehouse's writes by the
// API, which has none to write.
const (
	ByTenant    Provisioner = "tenant"
	ByGatehouse Provisioner = "gatehouse"
)

// Compare says what becomes of everybody when the tenant becomes the identity source and
// provisions who is in scope: the users of a snapshot, and the people of the tenant. groups are the
// display names of the groups that are provisioned. What AWS would refuse, the engine that
// provisions says; by says which one that will be. It asks nobody else.
func Compare(ctx context.Context, people []Person, s Snapshot, groups []string, by Provisioner) (People, error) {
	refused, err := refusals(ctx, people, s, by)
	if err != nil {
		return People{}, err
	}
	c := comparison{
		refused:         refused,
		byName:          map[string]StoreUser{},
		accounts:        s.administrators(),
		people:          map[string]Person{},
		byPrincipalName: map[string]Person{},
		byID:            map[string]Person{},
		byMail:          map[string]Person{},
	}
	for _, u := range s.Users {
		c.byName[names.Fold(u.UserName)] = u
	}
	for _, p := range people { // others than guests have the first, and that counts
		if p.guest() && p.UserName != "" {
			c.byPrincipalName[names.Fold(p.UserName)] = p
		}
	}
	for _, p := range people {
		c.byPrincipalName[names.Fold(p.UserPrincipalName)] = p
		c.byID[p.ID] = p
		if p.Mail != "" {
			c.byMail[names.Fold(p.Mail)] = p
		}
		if p.Reach != InScope || p.Disabled {
			continue
		}
		if _, taken := c.people[names.Fold(p.UserName)]; !taken && p.UserName != "" {
			c.people[names.Fold(p.UserName)] = p
		}
	}
	out := People{Counts: map[Outcome]int{}}
	for _, u := range s.Users {
		out.add(c.fateOf(u))
	}
	for _, p := range people {
		if f, tells := c.arrival(p); tells {
			out.add(f)
		}
	}
	for _, list := range [][]Fate{out.Fates, out.Administrators} {
		slices.SortStableFunc(list, func(a, b Fate) int {
			return cmp.Or(
				cmp.Compare(slices.Index(outcomeOrder, a.Outcome), slices.Index(outcomeOrder, b.Outcome)),
				strings.Compare(a.UserName, b.UserName), strings.Compare(a.PersonID, b.PersonID),
			)
		})
	}
	there := map[string]bool{}
	for _, g := range s.Groups {
		there[names.Fold(g.DisplayName)] = true
	}
	for _, g := range groups {
		if there[names.Fold(g)] {
			out.Adopted++
		} else {
			out.New++
		}
	}
	return out, nil
}

// administratorAccess is how the ARN of AWS's managed policy that allows everything ends, in every
// partition.
const administratorAccess = ":iam::aws:policy/AdministratorAccess"

// administrators are the accounts in which each user has AdministratorAccess, directly or by a
// group.
func (s Snapshot) administrators() map[string][]string {
	all := map[string]bool{}
	for _, set := range s.PermissionSets {
		all[set.ARN] = slices.ContainsFunc(set.ManagedPolicies, func(arn string) bool {
			return strings.HasSuffix(arn, administratorAccess)
		})
	}
	members := map[string][]string{}
	for _, g := range s.Groups {
		members[g.ID] = g.Members
	}
	out := map[string][]string{}
	for _, a := range s.Assignments {
		if !all[a.PermissionSetARN] {
			continue
		}
		holders := []string{a.PrincipalID}
		if a.PrincipalType == "GROUP" {
			holders = members[a.PrincipalID]
		}
		for _, id := range holders {
			if !slices.Contains(out[id], a.AccountID) {
				out[id] = append(out[id], a.AccountID)
			}
		}
	}
	for _, accounts := range out {
		slices.Sort(accounts)
	}
	return out
}

// fateOf is what becomes of a user that AWS's side has.
func (c comparison) fateOf(u StoreUser) Fate {
	f := Fate{UserName: u.UserName, UserID: u.ID, Accounts: c.accounts[u.ID]}
	name := names.Fold(u.UserName)
	if p, ok := c.people[name]; ok {
		f.PersonID = p.ID
		return c.fateOfBoth(f, u, p)
	}
	f.Outcome = Stops
	p, ok := c.byPrincipalName[name]
	if !ok {
		f.Reason = "the tenant has nobody with this user name"
		if p, ok = c.ownerOf(u); ok {
			f.With, f.Attribute = p.UserPrincipalName, "externalId"
			f.PersonID = p.ID
			f.Reason = "has the external id of " + p.UserPrincipalName + ", who had this user name before, or " +
				"somebody else gave it: rename the user here first"
		} else if p, ok = c.personOf(u); ok {
			f.With, f.Attribute = p.UserPrincipalName, "emails"
			f.PersonID = p.ID
			f.Reason = "the tenant knows this email address as " + p.UserPrincipalName +
				", and sign-in goes by the user name: rename the user here first"
		}
		return f
	}
	f.PersonID = p.ID
	switch {
	case p.Disabled:
		f.Reason = "the account is disabled in the tenant"
	case p.Reach == NestedOnly:
		f.Reason = "is only in a nested group (" + p.Via + "), and Entra ID does not follow those: assign that group"
	case p.Reach == InScope:
		f.Reason = "provisioning sends another user name: " + p.UserName
	default:
		f.Reason = "is not assigned to the application"
	}
	return f
}

// fateOfBoth is what becomes of a user whose name provisioning sends for a person in scope.
func (c comparison) fateOfBoth(f Fate, u StoreUser, p Person) Fate {
	other, owned := c.personOf(u)
	switch {
	case p.NameID != "" && !names.Equal(p.NameID, p.UserName):
		f.Outcome, f.Attribute = Stops, "NameID"
		f.Reason = p.differs()
		if to, ok := c.byName[names.Fold(p.NameID)]; ok && to.ID != u.ID {
			f.Outcome, f.With = Elsewhere, to.UserName
			f.Reason = "sign-in leads to another user, " + to.UserName
		}
	case owned && other.ID != p.ID && u.Email != "" && !names.Equal(u.Email, p.Mail):
		f.Outcome = Elsewhere
		f.With, f.Attribute = other.UserPrincipalName, "emails"
		f.Reason = "has the email address of " + other.UserPrincipalName + ", but " + p.UserPrincipalName +
			" will sign in as this user: see whose it is"
	default:
		f.Outcome, f.Reason = Keeps, "signs in at the tenant from now on"
		if refused, ok := c.refusal(f, p); ok {
			f = refused
		}
	}
	return f
}

// ownerOf is whose external id a user has.
func (c comparison) ownerOf(u StoreUser) (Person, bool) {
	for _, x := range u.ExternalIDs {
		if p, ok := c.byID[x.ID]; ok {
			return p, true
		}
	}
	return Person{}, false
}

// personOf is whom the tenant knows by a user's email address.
func (c comparison) personOf(u StoreUser) (Person, bool) {
	if u.Email == "" {
		return Person{}, false
	}
	if p, ok := c.byMail[names.Fold(u.Email)]; ok {
		return p, true
	}
	p, ok := c.byPrincipalName[names.Fold(u.Email)]
	return p, ok
}

// refusal is what becomes of somebody whom AWS would refuse.
func (c comparison) refusal(f Fate, p Person) (Fate, bool) {
	r, refused := c.refused[p.ID]
	if !refused {
		return f, false
	}
	f.Outcome = r.outcome
	f.With, f.Attribute = r.with, r.attribute
	if twin := c.people[names.Fold(p.UserName)]; f.Attribute == "userName" && twin.ID != p.ID {
		f.With = twin.UserPrincipalName
	}
	f.Reason = r.reason
	return f, true
}

// arrival is what becomes of a person whom AWS's side does not know. It tells nothing of those whom
// the application does not reach.
func (c comparison) arrival(p Person) (f Fate, tells bool) {
	f = Fate{UserName: cmp.Or(p.UserName, p.UserPrincipalName), PersonID: p.ID}
	if _, known := c.byName[names.Fold(f.UserName)]; known || p.Disabled || p.Reach == OutOfScope {
		return f, false
	}
	if p.Reach == NestedOnly {
		f.Outcome = Nested
		f.Reason = "is only in a nested group (" + p.Via + "), and Entra ID does not follow those: assign that group"
		return f, true
	}
	if refused, ok := c.refusal(f, p); ok {
		return refused, true
	}
	if p.NameID != "" && !names.Equal(p.NameID, p.UserName) {
		f.Outcome, f.Attribute = NoSignIn, "NameID"
		f.Reason = p.differs()
		return f, true
	}
	f.Outcome, f.Reason = Created, "will be created"
	return f, true
}

// differs says what is sent of a person, and what to do about it.
func (p Person) differs() string {
	text := "sign-in sends " + p.NameID + " and provisioning " + p.UserName + ": both must be the user name"
	if p.guest() {
		text += ". It is a guest's. " + guestRemedy
	}
	return text
}

// missing is the property of the tenant that has no value, of those that the mapping requires.
func (p Person) missing() string {
	for _, required := range []struct{ name, value string }{
		{"userName", p.UserName}, {"givenName", p.GivenName}, {"surname", p.Surname}, {"displayName", p.DisplayName},
	} {
		if strings.TrimSpace(required.value) == "" {
			return required.name
		}
	}
	return ""
}

// Independent says whether somebody's credentials work without IAM Identity Center: those of a role
// of a permission set do not. Whoever changes the identity source needs a way in that the change
// cannot close. Source: "Referencing permission sets in resource policies" of the user guide, for
// the names of such roles.
func Independent(callerARN string) bool {
	return callerARN != "" && !strings.Contains(callerARN, "/AWSReservedSSO_") &&
		!strings.Contains(callerARN, "/aws-reserved/sso.amazonaws.com/")
}
