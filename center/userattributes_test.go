package center

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryAttributeOfAUserIsInTheTables finds fields of a user that no line of the tables stands
// for, and lines that stand for the same field or have the same path.
func TestEveryAttributeOfAUserIsInTheTables(t *testing.T) {
	var u User
	lines, paths := map[any]string{}, map[string]bool{}
	add := func(field any, path string) {
		if lines[field] != "" || paths[path] {
			t.Errorf("%s stands twice, or for the field of %q", path, lines[field])
		}
		lines[field], paths[path] = path, true
	}
	for _, a := range u.TextAttributes() {
		add(a.Value, a.Path)
	}
	for _, a := range u.ListAttributes() {
		add(a.Values, a.Path)
	}
	noAttributes := []string{"CreatedBy", "UpdatedBy"}
	var look func(v reflect.Value)
	look = func(v reflect.Value) {
		for i := range v.NumField() {
			field, address := v.Type().Field(i), v.Field(i).Addr().Interface()
			switch address.(type) {
			case *PersonName, *Enterprise:
				look(v.Field(i))
			case *string, *[]Value:
				path := lines[address]
				if path == "" && !slices.Contains(noAttributes, field.Name) {
					t.Errorf("the field %s has no line in TextAttributes or ListAttributes", field.Name)
				}
				last := strings.TrimSuffix(path, ".value")
				last = last[strings.LastIndexByte(last, '.')+1:]
				if path != "" && field.Name != "Certificates" && !strings.EqualFold(last, field.Name) {
					t.Errorf("%s stands for the field %s", path, field.Name)
				}
			}
		}
	}
	look(reflect.ValueOf(&u).Elem())
}

// TestSourcesOfAttributesForAccessControl has what the user guide lists, and no more.
func TestSourcesOfAttributesForAccessControl(t *testing.T) {
	var u User
	fill(reflect.ValueOf(&u).Elem(), new(int))
	want := []string{
		"userName", "name.familyName", "name.givenName", "name.middleName", "displayName", "nickName", "title",
		"userType", "preferredLanguage", "locale", "timezone", "enterprise.employeeNumber", "enterprise.costCenter",
		"enterprise.organization", "enterprise.division", "enterprise.department", "enterprise.manager.value",
	}
	for _, a := range u.TextAttributes() {
		value := u.sourceValue("${path:" + a.Path + "}")
		if slices.Contains(want, a.Path) != (value != "") || (value != "" && value != *a.Value) {
			t.Errorf("%s gives %q", a.Path, value)
		}
	}
	if got := u.sourceValue("${path:emails[primary eq true].value}"); got != u.PrimaryEmail() {
		t.Errorf("the primary address is %q", got)
	}
}
