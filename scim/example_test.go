package scim_test

import (
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/scim"
)

func ExampleParseFilter() {
	filter, err := scim.ParseFilter(`userName eq "ada@example.com" or emails[type eq "work" and primary eq true]`)
	if err != nil {
		fmt.Println(err)
		return
	}
	either := filter.(scim.Or)
	name := either.Left.(scim.Compare)
	fmt.Println(name.Attribute, name.Op, name.Value)
	emails := either.Right.(scim.ValuePath)
	both := emails.Filter.(scim.And)
	fmt.Println(emails.Attribute, both.Left.(scim.Compare).Value, both.Right.(scim.Compare).Value)

	_, err = scim.ParseFilter(`userName is "ada@example.com"`)
	var refused *scim.Error
	fmt.Println(errors.As(err, &refused), refused.Type)
	// Output:
	// userName eq ada@example.com
	// emails work true
	// true invalidFilter
}
