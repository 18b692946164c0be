package tenant_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestEveryPropertyOfAUserIsInTheTable finds fields of a user that no line of the table stands for.
func TestEveryPropertyOfAUserIsInTheTable(t *testing.T) {
	var u tenant.User
	lines := map[any]string{}
	for _, p := range u.Texts() {
		if lines[p.Value] != "" {
			t.Errorf("%s and %s are one field", p.Name, lines[p.Value])
		}
		lines[p.Value] = p.Name
		if u.Text(p.Name) != p.Value || u.Text(p.Source) != nil {
			t.Errorf("%s is not found by its name, or by another", p.Name)
		}
	}
	v := reflect.ValueOf(&u).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		path, isText := v.Field(i).Addr().Interface().(*string)
		if !isText || field.Name == "BusinessPhone" {
			continue
		}
		if !strings.EqualFold(lines[path], field.Name) {
			t.Errorf("the field %s has the line %q", field.Name, lines[path])
		}
	}
}

// TestSourceAttributes has the names of the portal's mapping page, each with a value.
func TestSourceAttributes(t *testing.T) {
	got := tenant.SourceAttributes(tenant.KindUser)
	want := strings.Fields(`IsSoftDeleted accountEnabled appRoleAssignments city companyName country department
		displayName employeeId extensionAttribute1 extensionAttribute10 extensionAttribute11 extensionAttribute12
		extensionAttribute13 extensionAttribute14 extensionAttribute15 extensionAttribute2 extensionAttribute3
		extensionAttribute4 extensionAttribute5 extensionAttribute6 extensionAttribute7 extensionAttribute8
		extensionAttribute9 givenName jobTitle mail mailNickname mobile objectId originalUserPrincipalName
		physicalDeliveryOfficeName postalCode preferredLanguage state streetAddress surname telephoneNumber
		usageLocation userPrincipalName userType manager`)
	if !slices.Equal(got, want) {
		t.Errorf("the attributes are\n%s\nwant\n%s", got, want)
	}
	u := tenant.User{ID: "id", BusinessPhone: "+44"}
	for _, p := range u.Texts() {
		*p.Value = p.Name
	}
	for i := range u.Extensions {
		u.Extensions[i] = "x"
	}
	for _, name := range got {
		if slices.Contains([]string{"IsSoftDeleted", "appRoleAssignments", "manager"}, name) { // of the scope
			continue
		}
		if u.Attribute(name).Text() == "" {
			t.Errorf("%s has no value", name)
		}
	}
}

// BenchmarkAttribute reads what provisioning usually reads of a user.
func BenchmarkAttribute(b *testing.B) {
	u := tenant.User{
		UserPrincipalName: "ada@example.com", DisplayName: "Ada Lovelace", GivenName: "Ada", Surname: "Lovelace",
		Department: "Engines", MobilePhone: "+44 20", OfficeLocation: "12 St James's Square",
	}
	names := []string{
		"userPrincipalName", "displayName", "givenName", "surname", "department", "mobile",
		"physicalDeliveryOfficeName", "extensionAttribute1",
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			if u.Attribute(name) == nil && name != "extensionAttribute1" {
				b.Fatal(name)
			}
		}
	}
}

// TestNoUserHasTheAccountOfAnAdministrator: users who come from elsewhere bring their own ids, and
// an account's password, second factors and sessions are found by its id.
func TestNoUserHasTheAccountOfAnAdministrator(t *testing.T) {
	const password = "the administrator's"
	id := tenant.UserID(tenant.AdministratorAccount("root").ID)
	user := tenant.User{ID: id, UserPrincipalName: "root@x.example", DisplayName: "Root", Enabled: true}
	gone := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)}
	for what, come := range map[string]func(*tenant.Tenant) error{
		"import": func(tn *tenant.Tenant) error {
			return tn.Import(t.Context(), audit.SystemActor, tenant.Company{
				Users:        []tenant.User{user},
				PasswordHash: authn.HashPassword("the user's own"),
			})
		},
		"replica": func(tn *tenant.Tenant) error {
			page := tenant.Replica{Users: []tenant.User{user}}
			return errors.Join(tn.Replicate(t.Context(), audit.SystemActor, page, tenant.Note{}),
				tn.Replicate(t.Context(), audit.SystemActor, tenant.Replica{Gone: []tenant.Mark{gone}}, tenant.Note{}))
		},
	} {
		tn, _ := provisioned(t)
		if err := tn.SetAdministrator(t.Context(), audit.SystemActor, "Root", password); err != nil {
			t.Fatal(err)
		}
		if err := come(tn); refusal.CodeOf(err) != tenant.InvalidValue {
			t.Errorf("%s: %v", what, err)
		}
		if same, err := tn.AdministratorPasswordIs(t.Context(), "root", password); err != nil || !same {
			t.Errorf("%s: the administrator's password is another one or gone, %v", what, err)
		}
	}
}
