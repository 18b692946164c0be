package scimserver

import (
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Which attributes of center's tables stand where on the wire. What the schema of users has under
// the path of the table is an attribute here; the rest is beyond SCIM.

// What AWS answers with 400, and does not show: attributes, and parts of some. Source: SCIM guide,
// CreateUser; that it has no display of roles either is assumed.
var (
	unsupported      = []string{"ims", "photos", "entitlements", "x509Certificates", "groups"}
	unsupportedParts = []string{"emails.display", "phoneNumbers.display", "roles.display", "manager.displayName"}
)

// wireText is a text of a user: its name where it stands, and its place in center's table.
type wireText struct {
	name  string
	place int
}

// The texts of a user by where they stand: between name and active, in name, in the enterprise
// extension and nowhere. User name, external id and manager are written each in a way of its own.
var plainTexts, nameTexts, enterpriseTexts, textsBeyondSCIM = func() (plain, name, enterprise, beyond []wireText) {
	for i, t := range new(center.User).TextAttributes() {
		part, ofName := strings.CutPrefix(t.Path, center.NamePrefix)
		extended, ofEnterprise := strings.CutPrefix(t.Path, center.EnterprisePrefix)
		switch {
		case t.Path == "userName" || t.Path == "externalId" || extended == "manager.value":
		case ofName && inSchema(t.Path):
			name = append(name, wireText{part, i})
		case ofEnterprise && inSchema(t.Path):
			enterprise = append(enterprise, wireText{extended, i})
		case inSchema(t.Path):
			plain = append(plain, wireText{t.Path, i})
		default:
			beyond = append(beyond, wireText{t.Path, i})
		}
	}
	return plain, name, enterprise, beyond
}()

// inSchema says whether the schema of users has an attribute of a path of center's table.
func inSchema(path string) bool {
	list := scim.UserSchema.Attributes
	if extended, ok := strings.CutPrefix(path, center.EnterprisePrefix); ok {
		path, list = extended, scim.UserSchema.Extensions[scim.EnterpriseURN]
	}
	for {
		name, rest, deeper := strings.Cut(path, ".")
		i := slices.IndexFunc(list, func(a scim.Attribute) bool { return a.Name == name })
		if i < 0 || !deeper {
			return i >= 0
		}
		path, list = rest, list[i].Sub
	}
}

// awsLists says which of the attributes that have several values AWS supports, in the order of
// center's table.
var awsLists = func() (supported []bool) {
	for _, l := range new(center.User).ListAttributes() {
		supported = append(supported, !slices.Contains(unsupported, l.Path))
	}
	return supported
}()

// plainUserTexts are the texts of a body that stand at its top.
var plainUserTexts = func() (all []wireText) {
	for i, t := range new(center.User).TextAttributes() {
		if t.Path == "userName" || t.Path == "externalId" {
			all = append(all, wireText{t.Path, i})
		}
	}
	return append(all, plainTexts...)
}()
