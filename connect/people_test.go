package connect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
)

// person is somebody in scope with everything that AWS requires.
func person(name string, with func(*connect.Person)) connect.Person {
	upn := name + "@example.com"
	p := connect.Person{
		ID: "p-" + name, UserPrincipalName: upn, Mail: upn, GivenName: name, Surname: "X", DisplayName: name,
		Reach: connect.InScope, UserName: upn, NameID: upn,
	}
	if with != nil {
		with(&p)
	}
	return p
}

// guest is somebody of another tenant, as mappings and claims have them without a condition.
func guest(name string, with func(*connect.Person)) connect.Person {
	return person(name, func(p *connect.Person) {
		p.UserPrincipalName = name + "_example.com#EXT#@northwind.example"
		p.UserName, p.NameID = name+"@example.com", p.UserPrincipalName
		if with != nil {
			with(p)
		}
	})
}

func user(name string, with func(*connect.StoreUser)) connect.StoreUser {
	u := connect.StoreUser{ID: "u-" + name, UserName: name + "@example.com", Email: name + "@example.com"}
	if with != nil {
		with(&u)
	}
	return u
}

// TestWhatBecomesOfPeople has one line for each thing that can become of somebody.
func TestWhatBecomesOfPeople(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		people          []connect.Person
		users           []connect.StoreUser
		who             string
		want            connect.Outcome
		with, attribute string
		reason          string
	}{
		"both know them": {
			[]connect.Person{person("ada", nil)}, []connect.StoreUser{user("ada", nil)}, "ada", connect.Keeps, "", "",
			"",
		},
		"by another letter case": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.UserName = "Ada@Example.COM" })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Keeps, "", "", "",
		},
		"the tenant knows nobody": {
			nil, []connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "", "", "nobody",
		},
		"the tenant knows the address by another name": {
			[]connect.Person{person("lovelace", func(p *connect.Person) { p.Mail = "ada@example.com" })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "lovelace@example.com", "emails", "rename",
		},
		"who would then be created clashes": {
			[]connect.Person{person("lovelace", func(p *connect.Person) { p.Mail = "ada@example.com" })},
			[]connect.StoreUser{user("ada", nil)}, "lovelace", connect.Clashes, "ada@example.com", "emails",
			"belongs to",
		},
		"not assigned": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.Reach = connect.OutOfScope })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "", "", "not assigned",
		},
		"disabled": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.Disabled = true })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "", "", "disabled",
		},
		"only in a nested group, and there already": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.Reach, p.Via = connect.NestedOnly, "Data" })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "", "", "nested group (Data)",
		},
		"only in a nested group, and new": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.Reach, p.Via = connect.NestedOnly, "Data" })},
			nil, "ada", connect.Nested, "", "", "nested group (Data)",
		},
		"provisioned by another attribute": {
			[]connect.Person{person("ada", func(p *connect.Person) {
				p.UserName, p.NameID = "ada@mail.example", "ada@mail.example"
			})},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "", "", "another user name",
		},
		"signed in as somebody else": {
			[]connect.Person{
				person("ada", func(p *connect.Person) { p.NameID = "eve@example.com" }),
				person("eve", func(p *connect.Person) { p.Reach = connect.OutOfScope }),
			},
			[]connect.StoreUser{user("ada", nil), user("eve", nil)}, "ada", connect.Elsewhere, "eve@example.com",
			"NameID", "another user",
		},
		"signed in as nobody": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.NameID = "ada@mail.example" })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "", "NameID", "both must be",
		},
		"a user name that was given to another person": {
			[]connect.Person{person("a.smith", nil), person("b.smith", nil)},
			[]connect.StoreUser{user("a.smith", func(u *connect.StoreUser) { u.Email = "b.smith@example.com" })},
			"a.smith", connect.Elsewhere, "b.smith@example.com", "emails", "see whose",
		},
		"new": {[]connect.Person{person("ada", nil)}, nil, "ada", connect.Created, "", "", ""},
		"new, without a surname": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.Surname = " " })}, nil, "ada", connect.Lacks, "",
			"surname", "required",
		},
		"new, without what the user name is made of": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.UserName = "" })}, nil, "ada", connect.Lacks, "",
			"userName", "",
		},
		"new, and nobody can sign in": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.NameID = "x@example.com" })}, nil, "ada",
			connect.NoSignIn, "", "NameID", "",
		},
		"two with one user name": {
			[]connect.Person{
				person("ada", nil), person("eve", func(p *connect.Person) {
					p.UserName, p.NameID = "ada@example.com", "ada@example.com"
				}),
			},
			nil, "p-eve", connect.Clashes, "ada@example.com", "userName", "",
		},
		"two with one address": {
			[]connect.Person{
				person("ada", nil), person("eve", func(p *connect.Person) { p.Mail = "ada@example.com" }),
			},
			nil, "eve", connect.Clashes, "ada@example.com", "emails", "",
		},
		"an external id that another user has": {
			[]connect.Person{person("ada", nil)},
			[]connect.StoreUser{user("eve", func(u *connect.StoreUser) {
				u.ExternalIDs = []connect.ExternalID{{Issuer: "https://scim.aws.com/x", ID: "p-ada"}}
			})},
			"ada", connect.Clashes, "eve@example.com", "externalId", "",
		},
		"the user with that external id": {
			[]connect.Person{person("ada", nil)},
			[]connect.StoreUser{user("eve", func(u *connect.StoreUser) {
				u.ExternalIDs = []connect.ExternalID{{Issuer: "https://scim.aws.com/x", ID: "p-ada"}}
			})},
			"eve", connect.Stops, "ada@example.com", "externalId", "rename the user here first",
		},
		"a guest who is new": {
			[]connect.Person{guest("ada", nil)}, nil, "ada", connect.NoSignIn, "", "NameID", "claim condition",
		},
		"a guest who is known by the address": {
			[]connect.Person{guest("ada", nil)}, []connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "",
			"NameID", "It is a guest's",
		},
		"a guest whose NameID is under a condition": {
			[]connect.Person{guest("ada", func(p *connect.Person) { p.NameID = "" })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Keeps, "", "", "",
		},
		"a guest out of scope": {
			[]connect.Person{guest("ada", func(p *connect.Person) { p.Reach = connect.OutOfScope })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Stops, "", "", "not assigned",
		},
		"a member with the address of a guest": {
			[]connect.Person{person("ada", nil), guest("ada", func(p *connect.Person) { p.ID = "p-guest" })},
			[]connect.StoreUser{user("ada", nil)}, "ada", connect.Keeps, "", "", "",
		},
		"an address that another user has, of somebody known": {
			[]connect.Person{person("ada", func(p *connect.Person) { p.Mail = "shared@example.com" })},
			[]connect.StoreUser{
				user("ada", func(u *connect.StoreUser) { u.Email = "" }),
				user("box", func(u *connect.StoreUser) { u.Email = "Shared@example.com" }),
			},
			"ada", connect.Clashes, "box@example.com", "emails", "",
		},
	} {
		got, err := connect.Compare(t.Context(), c.people, connect.Snapshot{Users: c.users}, nil, connect.ByTenant)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range got.Fates {
			if f.UserName != c.who+"@example.com" && f.PersonID != c.who {
				continue
			}
			found = true
			if f.Outcome != c.want || f.With != c.with || f.Attribute != c.attribute ||
				!strings.Contains(f.Reason, c.reason) {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if !found {
			t.Errorf("%s: nothing is said of %s: %+v", name, c.who, got.Fates)
		}
	}
}

// TestGatehouseWritesNoExternalIds: what has the external id of somebody is in nobody's way then.
func TestGatehouseWritesNoExternalIds(t *testing.T) {
	t.Parallel()
	eve := user("eve", func(u *connect.StoreUser) {
		u.ExternalIDs = []connect.ExternalID{{Issuer: "https://scim.aws.com/x", ID: "p-ada"}}
	})
	got, err := connect.Compare(
		t.Context(), []connect.Person{person("ada", nil)}, connect.Snapshot{Users: []connect.StoreUser{eve}}, nil,
		connect.ByGatehouse,
	)
	if err != nil || got.Counts[connect.Created] != 1 || got.Counts[connect.Stops] != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestNothingIsSaidOfStrangers: people whom the application does not reach, and who have no user,
// are no part of the plan.
func TestNothingIsSaidOfStrangers(t *testing.T) {
	t.Parallel()
	got, err := connect.Compare(t.Context(), []connect.Person{
		person("out", func(p *connect.Person) { p.Reach = connect.OutOfScope }),
		person("off", func(p *connect.Person) { p.Disabled = true }),
	}, connect.Snapshot{}, nil, connect.ByTenant)
	if err != nil || len(got.Fates) != 0 || got.Losing() {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestAdministratorsOfAccountsWhoStopAreNamed: by a group or directly, and only where the policy is
// the one that allows everything.
func TestAdministratorsOfAccountsWhoStopAreNamed(t *testing.T) {
	t.Parallel()
	s := connect.Snapshot{
		Users: []connect.StoreUser{user("direct", nil), user("grouped", nil), user("reader", nil), user("stays", nil)},
		Groups: []connect.StoreGroup{
			{ID: "g", DisplayName: "Admins", Members: []string{"u-grouped", "u-stays"}}, {ID: "h", DisplayName: "Old"},
		},
		PermissionSets: []connect.PermissionSet{
			{ARN: "all", ManagedPolicies: []string{"arn:aws-us-gov:iam::aws:policy/AdministratorAccess"}},
			{ARN: "some", ManagedPolicies: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}},
		},
		Assignments: []connect.Assignment{
			{AccountID: "222222222222", PermissionSetARN: "all", PrincipalType: "USER", PrincipalID: "u-direct"},
			{AccountID: "111111111111", PermissionSetARN: "all", PrincipalType: "USER", PrincipalID: "u-direct"},
			{AccountID: "111111111111", PermissionSetARN: "all", PrincipalType: "GROUP", PrincipalID: "g"},
			{AccountID: "111111111111", PermissionSetARN: "some", PrincipalType: "USER", PrincipalID: "u-reader"},
		},
	}
	stays := []connect.Person{person("stays", nil)}
	got, err := connect.Compare(t.Context(), stays, s, []string{"admins", "New"}, connect.ByTenant)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Administrators) != 2 || got.Administrators[0].UserName != "direct@example.com" ||
		strings.Join(got.Administrators[0].Accounts, " ") != "111111111111 222222222222" ||
		got.Administrators[1].UserName != "grouped@example.com" || got.Counts[connect.Stops] != 3 ||
		got.Counts[connect.Keeps] != 1 || !got.Losing() || got.Fates[0].Outcome != connect.Stops {
		t.Errorf("%+v", got)
	}
	if got.Adopted != 1 || got.New != 1 {
		t.Errorf("groups: %+v", got)
	}
}

func TestWhoDependsOnIdentityCenter(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]bool{
		"arn:aws:iam::111122223333:user/breakglass":                                             true,
		"arn:aws:iam::111122223333:root":                                                        true,
		"arn:aws:sts::111122223333:assumed-role/Deploy/me":                                      true,
		"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me@x.com": false,
		"": false,
	} {
		if got := connect.Independent(arn); got != want {
			t.Errorf("%s: %v", arn, got)
		}
	}
}

// TestThePlanAndTheEngineSayTheSame: what AWS refuses of texts is no matter of names only, and a
// large directory is compared in a moment.
func TestThePlanAndTheEngineSayTheSame(t *testing.T) {
	t.Parallel()
	const many = 5_000
	var s connect.Snapshot
	var people []connect.Person
	for i := range many {
		name := fmt.Sprintf("user%d", i)
		s.Users = append(s.Users, user(name, nil))
		people = append(people, person(name, nil))
	}
	people = append(people, person("tag", func(p *connect.Person) { p.DisplayName = "bell\a" }))
	got, err := connect.Compare(t.Context(), people, s, nil, connect.ByTenant)
	if err != nil || got.Counts[connect.Keeps] != many || got.Counts[connect.Lacks] != 1 ||
		!strings.Contains(got.Fates[0].Reason, "displayName") {
		t.Errorf("%+v, %v", got.Counts, err)
	}
}
