package tenant_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

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
		if !isText || slices.Contains([]string{"ID", "ManagerID", "BusinessPhone"}, field.Name) {
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
