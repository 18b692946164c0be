package identitystore_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestToTheLetter has what clients send by mistake, and the answers that they match on.
func TestToTheLetter(t *testing.T) {
	a := newAPI(t)
	id := a.must("CreateUser", full)["UserId"].(string)
	group := a.must("CreateGroup", `{"IdentityStoreId":"STORE","DisplayName":"Crew"}`)["GroupId"].(string)
	a.must(
		"CreateGroupMembership",
		`{"IdentityStoreId":"STORE","GroupId":"`+group+`","MemberId":{"UserId":"`+id+`"}}`,
	)
	const union = "have exactly one of the members: "
	const empty = "attribute value cannot be empty or null for attribute path"
	identifier := func(path, value string) string {
		return `"AlternateIdentifier":{"UniqueAttribute":{"AttributePath":"` + path + `",
			"AttributeValue":` + value + `}}`
	}
	person := `"UserName":"x","DisplayName":"X","Name":{"GivenName":"G","FamilyName":"F"}`
	update := func(path, value string) string {
		return `"UserId":"` + id + `","Operations":[{"AttributePath":"` + path + `","AttributeValue":` + value + `}]`
	}
	for _, c := range []struct{ operation, input, message string }{
		// the JavaScript SDK sends a union without a member for an id that is undefined
		{"CreateGroupMembership", `"GroupId":"` + group + `","MemberId":{}`, union + "UserId"},
		{"GetGroupMembershipId", `"GroupId":"` + group + `","MemberId":{}`, union + "UserId"},
		{"IsMemberInGroups", `"GroupIds":["` + group + `"],"MemberId":{}`, union + "UserId"},
		{"ListGroupMembershipsForMember", `"MemberId":{}`, union + "UserId"},
		{"ListGroupMembershipsForMember", `"MemberId":{"UserId":null}`, union + "UserId"},
		{"ListGroupMembershipsForMember", `"MemberId":{"UserId":""}`, "'memberId.userId'"},
		{"GetUserId", `"AlternateIdentifier":{}`, union + "ExternalId, UniqueAttribute"},
		{"GetGroupId", `"AlternateIdentifier":{}`, union + "ExternalId, UniqueAttribute"},

		{"GetUserId", identifier("userName", `""`), empty},
		{"GetUserId", identifier("emails.value", `""`), empty},
		{"GetUserId", identifier("userName", `7`), empty},
		{"GetUserId", identifier("userName", `{"a":"b"}`), empty},
		{"GetGroupId", identifier("displayName", `""`), empty},
		{"GetUserId", identifier("userName", `null`), "must not be null"},
		{"GetUserId", identifier("nickName", `"Ada"`), "The attribute nickName is not a unique attribute"},
		{"GetGroupId", identifier("description", `"x"`), "The attribute description is not a unique attribute"},

		{"CreateUser", strings.Replace(person, `"UserName":"x",`, ``, 1), "userName is a required attribute"},
		{"CreateUser", ``, "userName is a required attribute"},
		{
			"CreateUser", `"UserName":"x"`,
			"displayname: The attribute displayname is required, name: The attribute name is required",
		},
		{
			"CreateUser", `"UserName":"x","DisplayName":"X","Name":{"Formatted":"X Y"}`,
			"givenname: The attribute givenname is required, familyname: The attribute familyname is required",
		},
		{"CreateGroup", ``, "displayname: The attribute displayname is required"},
		{"UpdateUser", update("name.givenName", `""`), "givenname: The attribute givenname is required"},
		{"UpdateUser", update("userName", `null`), "userName is a required attribute"},

		{"CreateUser", person + `,"Emails":[{"Value":"nobody"}]`, "not an email address"},
		{"CreateUser", person + `,"Photos":[{"Type":"work"}]`, "'photos.1.member.value'"},
		{"UpdateUser", update("emails", `[{"value":"nobody"}]`), "not an email address"},
	} {
		_, out := a.call(c.operation, strings.ReplaceAll(`{"IdentityStoreId":"STORE",`+c.input+`}`, ",}", "}"))
		if out["__type"] != "ValidationException" || !strings.Contains(fmt.Sprint(out["Message"]), c.message) {
			t.Errorf("%s %s: %v, want a ValidationException with %q", c.operation, c.input, out, c.message)
		}
	}
}

// TestTokensBelongToTheirList: a token is of no use beside a filter, which finds one at most, nor
// in the list of another group or member.
func TestTokensBelongToTheirList(t *testing.T) {
	a := newAPI(t)
	var group [2]string
	for i := range group {
		made := a.must("CreateGroup", fmt.Sprintf(`{"IdentityStoreId":"STORE","DisplayName":"g%d"}`, i))
		group[i] = made["GroupId"].(string)
	}
	var user string
	for _, name := range []string{"ada@example.com", "bob@example.com"} {
		user = a.must("CreateUser", strings.ReplaceAll(full, "ada@example.com", name))["UserId"].(string)
		for _, g := range group {
			a.must("CreateGroupMembership",
				`{"IdentityStoreId":"STORE","GroupId":"`+g+`","MemberId":{"UserId":"`+user+`"}}`)
		}
	}
	lists := []struct{ operation, input string }{
		{"ListUsers", ``},
		{"ListGroups", ``},
		{"ListGroupMemberships", `,"GroupId":"` + group[0] + `"`},
		{"ListGroupMemberships", `,"GroupId":"` + group[1] + `"`},
		{"ListGroupMembershipsForMember", `,"MemberId":{"UserId":"` + user + `"}`},
		{"ListUsers", `,"Filters":[{"AttributePath":"UserName","AttributeValue":"ada@example.com"}]`},
		{"ListUsers", `,"Filters":[{"AttributePath":"UserName","AttributeValue":"nobody"}]`},
		{"ListGroups", `,"Filters":[{"AttributePath":"DisplayName","AttributeValue":"g0"}]`},
	}
	for i, of := range lists {
		page := a.must(of.operation, `{"IdentityStoreId":"STORE","MaxResults":1`+of.input+`}`)
		token, ok := page["NextToken"].(string)
		if ok != (i < 5) {
			t.Errorf("%s %s has another page: %v", of.operation, of.input, ok)
		}
		for j, in := range lists {
			status, out := a.call(in.operation, `{"IdentityStoreId":"STORE","NextToken":"`+token+`"`+in.input+`}`)
			if ok && (status == 200) != (i == j) {
				t.Errorf("%v with the token of %v: %d %v", in, of, status, out)
			}
		}
	}
}

// TestEntriesWithoutAValueAreKept: Terraform sends one for an empty block, and AWS gives it back.
// Several people may have one, and nobody is found by it.
func TestEntriesWithoutAValueAreKept(t *testing.T) {
	a := newAPI(t)
	for _, name := range []string{"ada", "bob"} {
		id := a.must("CreateUser", `{"IdentityStoreId":"STORE","UserName":"`+name+`","DisplayName":"X",
			"Name":{"GivenName":"G","FamilyName":"F"},"Emails":[{}],"PhoneNumbers":[{"Type":"work"}],
			"Addresses":[{"Primary":true}]}`)["UserId"].(string)
		for _, body := range []string{
			`{"IdentityStoreId":"STORE","UserId":"` + id + `"}`,
			`{"IdentityStoreId":"STORE","UserId":"` + id + `","Operations":[
				{"AttributePath":"emails","AttributeValue":[{"primary":false}]},
				{"AttributePath":"title","AttributeValue":"T"}]}`,
		} {
			if strings.Contains(body, "Operations") {
				a.must("UpdateUser", body)
			}
			_, data := a.raw("DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+`"}`)
			for _, want := range []string{
				`"Emails":[{"Primary":false}]`, `"PhoneNumbers":[{"Type":"work","Primary":false}]`,
				`"Addresses":[{"Primary":true}]`,
			} {
				if !strings.Contains(string(data), want) {
					t.Errorf("%s is %s, want %s in it", name, data, want)
				}
			}
		}
	}
}
