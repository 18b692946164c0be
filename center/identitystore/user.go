package identitystore

import (
	"reflect"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
)

// How a user stands on this wire. Attributes that are one text go by center's table: their names
// are those of the table in upper camel, and the enterprise extension's as they are.

const enterpriseExtension = "aws:identitystore:enterprise"

// isAttribute says whether a text of a user is an attribute of that name here. The external id
// stands in a list with its issuer.
func isAttribute(path string) bool { return path != "externalId" }

// upperCamel is the name of a member, by its path.
func upperCamel(path string) string { return strings.ToUpper(path[:1]) + path[1:] }

// textAt returns the place of an attribute that is one text and stands outside of extensions; nil
// when there is none of that path.
func textAt(u *center.User, path string) *string {
	place, ok := center.TextAttributeAt(path)
	if !ok || !isAttribute(path) || strings.HasPrefix(path, center.EnterprisePrefix) {
		return nil
	}
	return u.TextAttributes()[place].Value
}

// createUserInput is a new user. Its shape has been checked, so that Texts holds only attributes
// that were sent.
type createUserInput struct {
	store
	Name         center.PersonName
	Emails       []center.Value
	PhoneNumbers []center.Value
	Roles        []center.Value
	Addresses    []center.Address
	Photos       []center.Value
	Extensions   map[string]map[string]any
	Texts        map[string]string `json:",embed"`
}

func (in createUserInput) user() (center.User, error) {
	u := center.User{
		Active:       true,
		Name:         in.Name,
		Emails:       in.Emails,
		PhoneNumbers: in.PhoneNumbers,
		Roles:        in.Roles,
		Addresses:    in.Addresses,
		Photos:       in.Photos,
	}
	texts := u.TextAttributes()
	for i := range texts {
		if text, ok := in.Texts[members[i]]; ok {
			*texts[i].Value = text
		}
	}
	for name, extension := range in.Extensions {
		if name != enterpriseExtension {
			return u, invalid("there is no extension " + name)
		}
		for k, v := range extension {
			if err := setEnterprise(&u, k, v); err != nil {
				return u, err
			}
		}
	}
	return u, nil
}

// complete refuses a user who lacks what AWS requires, and names all of it.
func (in createUserInput) complete() error {
	if in.Texts["UserName"] == "" {
		return invalid(required("userName"))
	}
	var missing []string
	if strings.TrimSpace(in.Texts["DisplayName"]) == "" {
		missing = append(missing, "displayName")
	}
	if in.Name == (center.PersonName{}) {
		missing = append(missing, "name")
	} else {
		if strings.TrimSpace(in.Name.GivenName) == "" {
			missing = append(missing, "name.givenName")
		}
		if strings.TrimSpace(in.Name.FamilyName) == "" {
			missing = append(missing, "name.familyName")
		}
	}
	if len(missing) > 0 {
		return invalid(required(missing...))
	}
	return nil
}

// members are the names of the texts as members of a user, in the order of center's table.
var members = func() (names []string) {
	for _, t := range new(center.User).TextAttributes() {
		names = append(names, upperCamel(t.Path))
	}
	return names
}()

// enterpriseField returns the place of an attribute of the enterprise extension; nil when there is
// none of that name.
func enterpriseField(u *center.User, name string) *string {
	if name == "manager" {
		name = "manager.value"
	}
	place, ok := center.TextAttributeAt(center.EnterprisePrefix + name)
	if !ok {
		return nil
	}
	return u.TextAttributes()[place].Value
}

func setEnterprise(u *center.User, name string, v any) error {
	field := enterpriseField(u, name)
	if m, ok := v.(map[string]any); ok && name == "manager" {
		if v, ok = m["value"]; !ok || len(m) != 1 {
			return invalid("manager has the member value and no other")
		}
	}
	text, ok := v.(string)
	if field == nil || (!ok && v != nil) {
		return invalid("the enterprise extension has no text attribute " + name)
	}
	*field = text
	return nil
}

// enterpriseTexts are the texts of the enterprise extension: their places in center's table, their
// names, and the names of what is in them where they are structures.
var enterpriseTexts = func() (list []struct {
	place      int
	name, part string
}) {
	for i, t := range new(center.User).TextAttributes() {
		if path, ok := strings.CutPrefix(t.Path, center.EnterprisePrefix); ok {
			name, part, _ := strings.Cut(path, ".")
			list = append(list, struct {
				place      int
				name, part string
			}{i, name, part})
		}
	}
	return list
}()

func showEnterprise(u *center.User) map[string]any {
	m := map[string]any{}
	texts := u.TextAttributes()
	for _, t := range enterpriseTexts {
		switch text := *texts[t.place].Value; {
		case text == "":
		case t.part == "":
			m[t.name] = text
		default:
			m[t.name] = map[string]any{t.part: text}
		}
	}
	return m
}

type typedValue struct {
	Value, Type string `json:",omitempty"`
	Primary     bool
}

type address struct {
	StreetAddress, Locality, Region, PostalCode, Country, Formatted, Type string `json:",omitempty"`
	Primary                                                               bool
}

type photo struct {
	Value, Display, Type string `json:",omitempty"`
	Primary              bool
}

// userRest is what a described or listed user has in addition to texts.
type userRest struct {
	Emails               []typedValue              `json:",omitempty"`
	PhoneNumbers         []typedValue              `json:",omitempty"`
	Roles                []typedValue              `json:",omitempty"`
	Addresses            []address                 `json:",omitempty"`
	Photos               []photo                   `json:",omitempty"`
	Extensions           map[string]map[string]any `json:",omitzero"`
	IdentityStoreID      string                    `json:"IdentityStoreId"`
	UserID               string                    `json:"UserId"`
	UserArn              string
	Revision             string
	UserStatus           string
	ExternalIDs          []externalID `json:"ExternalIds,omitempty"`
	CreatedAt, UpdatedAt awsapi.Timestamp
	CreatedBy, UpdatedBy string `json:",omitempty"`
}

// A described or listed user is a userType: the texts, the name and the rest.
var (
	userTexts = center.NewTextStruct("", unlessEmpty, "title", "preferredLanguage", "locale", "timezone", "website",
		"birthdate", "profileUrl")
	nameTexts = center.NewTextStruct(center.NamePrefix, unlessEmpty)
	userType  = reflect.StructOf([]reflect.StructField{
		{Name: "Texts", Type: userTexts.Type, Tag: `json:",embed"`},
		{Name: "Name", Type: nameTexts.Type, Tag: `json:",omitempty"`},
		{Name: "Rest", Type: reflect.TypeFor[userRest](), Tag: `json:",embed"`},
	})
)

func unlessEmpty(path string) reflect.StructTag {
	if !isAttribute(path) {
		return ""
	}
	return `json:",omitempty"`
}

// show translates users. Extensions are shown only when they are asked for.
func (h *Handler) show(users []center.User, issuer string, extensions []string) reflect.Value {
	list := reflect.MakeSlice(reflect.SliceOf(userType), len(users), len(users))
	var arns strings.Builder // one allocation for all
	arns.Grow(len(users) * (len(userARN) + len("00000000-0000-0000-0000-000000000000")))
	for i := range users {
		from := arns.Len()
		arns.WriteString(userARN)
		arns.WriteString(string(users[i].ID))
		h.showUser(list.Index(i), &users[i], arns.String()[from:], issuer, extensions)
	}
	return list
}

func (h *Handler) showUser(wire reflect.Value, u *center.User, arn, issuer string, extensions []string) {
	texts := u.TextAttributes()
	userTexts.Write(wire.Field(0), texts[:])
	nameTexts.Write(wire.Field(1), texts[:])
	rest, _ := wire.Field(2).Addr().Interface().(*userRest) // its type is userRest
	*rest = userRest{
		Emails:          showOne(u.Emails),
		PhoneNumbers:    showOne(u.PhoneNumbers),
		Roles:           showOne(u.Roles),
		IdentityStoreID: h.Center.Instance.IdentityStoreID,
		UserID:          string(u.ID),
		UserArn:         arn,
		Revision:        revisionOf(u.Version),
		UserStatus:      "ENABLED",
		ExternalIDs:     externalIDs(issuer, u.ExternalID),
		CreatedAt:       awsapi.Timestamp(u.CreatedAt),
		UpdatedAt:       awsapi.Timestamp(u.UpdatedAt),
		CreatedBy:       u.CreatedBy,
		UpdatedBy:       u.UpdatedBy,
	}
	if !u.Active {
		rest.UserStatus = "DISABLED"
	}
	for _, p := range u.Photos[:min(maxPhotos, len(u.Photos))] {
		rest.Photos = append(rest.Photos, photo{Value: p.Value, Type: p.Type, Display: p.Display, Primary: p.Primary})
	}
	for _, a := range center.PrimaryAddressOf(u.Addresses) {
		rest.Addresses = append(
			rest.Addresses,
			address{a.StreetAddress, a.Locality, a.Region, a.PostalCode, a.Country, a.Formatted, a.Type, a.Primary},
		)
	}
	for _, name := range extensions {
		if name == enterpriseExtension && u.Enterprise != (center.Enterprise{}) {
			rest.Extensions = map[string]map[string]any{enterpriseExtension: showEnterprise(u)}
		}
	}
}

// showOne shows the value that stands for all: the model's lists hold one.
func showOne(values []center.Value) (list []typedValue) {
	for _, v := range center.PrimaryOf(values) {
		list = append(list, typedValue{v.Value, v.Type, v.Primary})
	}
	return list
}
