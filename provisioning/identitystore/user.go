package identitystore

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// enterprise is the extension of users that the store has. Its attributes are named as SCIM's.
const enterprise = inventory.Enterprise

var enterpriseOnly = []string{enterprise}

// unknown are attributes of SCIM that a store does not have, or that this API does not write.
var unknown = []string{"externalId", "ims", "photos", "entitlements", "x509Certificates", "password"}

// text is one text of a user: its name in SCIM, and its place.
type text struct {
	name  string
	place **string
}

// texts are the attributes of a user that are one text, outside of name and lists.
func texts(u *types.User) []text {
	return []text{
		{"userName", &u.UserName}, {"displayName", &u.DisplayName}, {"nickName", &u.NickName},
		{"profileUrl", &u.ProfileUrl}, {"title", &u.Title}, {"userType", &u.UserType},
		{"preferredLanguage", &u.PreferredLanguage}, {"locale", &u.Locale}, {"timezone", &u.Timezone},
	}
}

func nameTexts(n *types.Name) []text {
	return []text{
		{"formatted", &n.Formatted}, {"familyName", &n.FamilyName}, {"givenName", &n.GivenName},
		{"middleName", &n.MiddleName}, {"honorificPrefix", &n.HonorificPrefix},
		{"honorificSuffix", &n.HonorificSuffix},
	}
}

func addressTexts(a *types.Address) []text {
	return []text{
		{"formatted", &a.Formatted}, {"streetAddress", &a.StreetAddress}, {"locality", &a.Locality},
		{"region", &a.Region}, {"postalCode", &a.PostalCode}, {"country", &a.Country}, {"type", &a.Type},
	}
}

// show writes texts into an object of SCIM, and read reads them.
func show(list []text, into map[string]any) {
	for _, t := range list {
		if v := aws.ToString(*t.place); v != "" {
			into[t.name] = v
		}
	}
}

func read(list []text, from map[string]any) {
	for _, t := range list {
		if v, ok := from[t.name].(string); ok && v != "" {
			*t.place = &v
		}
	}
}

// described is a user who was described as one who was listed.
func described(o *sdk.DescribeUserOutput) *types.User {
	return &types.User{
		UserId: o.UserId, UserName: o.UserName, DisplayName: o.DisplayName, NickName: o.NickName,
		ProfileUrl: o.ProfileUrl, Title: o.Title, UserType: o.UserType, PreferredLanguage: o.PreferredLanguage,
		Locale: o.Locale, Timezone: o.Timezone, Name: o.Name, Emails: o.Emails, PhoneNumbers: o.PhoneNumbers,
		Roles: o.Roles, Addresses: o.Addresses, Extensions: o.Extensions, CreatedAt: o.CreatedAt,
	}
}

// userResource is a user as SCIM shows one. Everybody is active: whoever is not is known to the
// engine's memory alone.
func userResource(u *types.User) scim.Resource {
	r := scim.Resource{"id": aws.ToString(u.UserId), active: true, "meta": made(u.CreatedAt)}
	show(texts(u), r)
	if u.Name != nil {
		name := map[string]any{}
		show(nameTexts(u.Name), name)
		r["name"] = name
	}
	for _, e := range u.Emails {
		addEntry(r, "emails", entry(e.Value, e.Type, e.Primary))
	}
	for _, e := range u.PhoneNumbers {
		addEntry(r, "phoneNumbers", entry(e.Value, e.Type, e.Primary))
	}
	for _, e := range u.Roles {
		addEntry(r, "roles", entry(e.Value, e.Type, e.Primary))
	}
	for i := range u.Addresses {
		a := map[string]any{"primary": u.Addresses[i].Primary}
		show(addressTexts(&u.Addresses[i]), a)
		addEntry(r, "addresses", a)
	}
	var extension map[string]any
	if d := u.Extensions[enterprise]; d != nil && d.UnmarshalSmithyDocument(&extension) == nil && len(extension) > 0 {
		r[scim.EnterpriseURN] = extension
	}
	return r
}

func entry(value, kind *string, primary bool) map[string]any {
	e := map[string]any{"primary": primary}
	show([]text{{"value", &value}, {"type", &kind}}, e)
	return e
}

func addEntry(r scim.Resource, list string, e map[string]any) {
	r[list] = append(r.List(list), e)
}

func groupResource(id, name *string, created *time.Time) scim.Resource {
	return scim.Resource{"id": aws.ToString(id), "displayName": aws.ToString(name), "meta": made(created)}
}

// made says when an object was made.
func made(at *time.Time) map[string]any {
	if at == nil {
		return map[string]any{}
	}
	return map[string]any{"created": at.UTC().Format(time.RFC3339)}
}

// value is an entry of a list that has a value.
type value struct {
	value, kind *string
	primary     bool
}

func valuesOf(r scim.Resource, list string) (out []value) {
	for _, e := range r.List(list) {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		var v value
		read([]text{{"value", &v.value}, {"type", &v.kind}}, m)
		v.primary, _ = scim.Bool(m["primary"])
		out = append(out, v)
	}
	return out
}

// newUser makes the input of a creation of a resource.
func newUser(r scim.Resource) (*sdk.CreateUserInput, error) {
	for _, name := range unknown {
		if r[name] != nil {
			return nil, refused("the identity store has no " + name)
		}
	}
	u := types.User{}
	read(texts(&u), r)
	in := &sdk.CreateUserInput{
		UserName: u.UserName, DisplayName: u.DisplayName, NickName: u.NickName, ProfileUrl: u.ProfileUrl,
		Title: u.Title, UserType: u.UserType, PreferredLanguage: u.PreferredLanguage, Locale: u.Locale,
		Timezone: u.Timezone,
	}
	if name := r.Object("name"); len(name) > 0 {
		in.Name = &types.Name{}
		read(nameTexts(in.Name), name)
	}
	for _, v := range valuesOf(r, "emails") {
		in.Emails = append(in.Emails, types.Email{Value: v.value, Type: v.kind, Primary: v.primary})
	}
	for _, v := range valuesOf(r, "phoneNumbers") {
		in.PhoneNumbers = append(in.PhoneNumbers, types.PhoneNumber{Value: v.value, Type: v.kind, Primary: v.primary})
	}
	for _, v := range valuesOf(r, "roles") {
		in.Roles = append(in.Roles, types.Role{Value: v.value, Type: v.kind, Primary: v.primary})
	}
	for _, e := range r.List("addresses") {
		if m, ok := e.(map[string]any); ok {
			var a types.Address
			read(addressTexts(&a), m)
			a.Primary, _ = scim.Bool(m["primary"])
			in.Addresses = append(in.Addresses, a)
		}
	}
	if extension := r.Object(scim.EnterpriseURN); len(extension) > 0 {
		in.Extensions = map[string]document.Interface{
			enterprise: document.NewLazyDocument(managed(extension)),
		}
	}
	return in, nil
}

// managed is the extension with its manager as a structure, which AWS has it as.
func managed(extension map[string]any) map[string]any {
	if id, ok := extension["manager"].(string); ok {
		extension["manager"] = map[string]any{"value": id}
	}
	return extension
}

func operation(path string, v any) types.AttributeOperation {
	op := types.AttributeOperation{AttributePath: &path}
	if v != nil { // an operation without a value removes
		op.AttributeValue = document.NewLazyDocument(v)
	}
	return op
}

// userOperations are the operations that make changes of a user. Lists are written whole.
func userOperations(there scim.Resource, changes []provisioning.Change) (ops []types.AttributeOperation, err error) {
	lists := map[string]bool{}
	for _, c := range changes {
		head, _, isList := strings.Cut(c.Path, "[")
		name, isEnterprise := strings.CutPrefix(c.Path, scim.EnterpriseURN+":")
		var v any
		if c.New != "" {
			v = c.New
		}
		switch {
		case isUnknown(head):
			return nil, refused("the identity store has no " + head)
		case isList, mapping.RolesTarget(c.Path):
			if !isList {
				head = "roles"
			}
			c.Apply(there, true)
			lists[head] = true
		case isEnterprise && name == "manager":
			if v != nil {
				v = map[string]any{"value": v}
			}
			ops = append(ops, operation(enterprise+".manager", v))
		case isEnterprise:
			ops = append(ops, operation(enterprise+"."+name, v))
		default:
			ops = append(ops, operation(c.Path, v))
		}
	}
	for _, list := range []string{"emails", "phoneNumbers", "roles", "addresses"} {
		if !lists[list] {
			continue
		}
		var v any
		if entries := there.List(list); len(entries) > 0 {
			for _, e := range entries {
				if m, ok := e.(map[string]any); ok {
					delete(m, "display") // which a role has for other targets
				}
			}
			v = entries
		}
		ops = append(ops, operation(list, v))
	}
	return ops, nil
}

func isUnknown(head string) bool {
	for _, name := range unknown {
		if name == head {
			return true
		}
	}
	return strings.HasPrefix(head, "urn:") && !strings.HasPrefix(head, scim.EnterpriseURN+":")
}

func groupOperations(changes []provisioning.Change) (ops []types.AttributeOperation, err error) {
	for _, c := range changes {
		if c.Path != "displayName" || c.New == "" {
			return nil, refused("the identity store cannot change " + c.Path + " of a group so")
		}
		ops = append(ops, operation(c.Path, c.New))
	}
	return ops, nil
}
