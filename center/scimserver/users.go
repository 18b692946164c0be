package scimserver

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// unsupported are the attributes that AWS answers with 400. Source: SCIM guide, CreateUser.
var unsupported = []string{"password", "ims", "photos", "entitlements", "x509Certificates", "groups"}

func (h *Handler) createUser(ctx context.Context, r request) (answer, error) {
	u, err := readUser(r)
	if err != nil {
		return answer{}, err
	}
	u, err = h.Center.CreateUser(ctx, r.by, u)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, userToWire(u)}, nil
}

func (h *Handler) getUser(ctx context.Context, r request) (answer, error) {
	u, err := h.Center.User(ctx, center.UserID(r.id))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, userToWire(u)}, nil
}

// putUser replaces a user whole: what is left out is cleared. There is no upsert. What only the identitystore API can set stays.
func (h *Handler) putUser(ctx context.Context, r request) (answer, error) {
	in, err := readUser(r)
	if err != nil {
		return answer{}, err
	}
	u, err := h.Center.UpdateUser(ctx, r.by, center.UserID(r.id), func(u *center.User) error {
		in.Photos, in.Website, in.Birthdate = u.Photos, u.Website, u.Birthdate
		*u = in
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, userToWire(u)}, nil
}

func (h *Handler) deleteUser(ctx context.Context, r request) (answer, error) {
	if err := h.Center.DeleteUser(ctx, r.by, center.UserID(r.id)); err != nil {
		return answer{}, err
	}
	return answer{http.StatusNoContent, nil}, nil
}

func (h *Handler) patchUser(ctx context.Context, r request) (answer, error) {
	var patch scim.PatchRequest
	if err := scim.Decode(r.Body, &patch); err != nil {
		return answer{}, err
	}
	changes, err := userChanges(patch)
	if err != nil {
		return answer{}, err
	}
	u, err := h.Center.UpdateUser(ctx, r.by, center.UserID(r.id), func(u *center.User) error {
		wire := userToWire(*u)
		for _, c := range changes {
			if err := c.Apply(wire); err != nil {
				return err
			}
		}
		changed, err := userFromWire(wire)
		changed.Photos, changed.Website, changed.Birthdate = u.Photos, u.Website, u.Birthdate
		*u = changed
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, userToWire(u)}, nil
}

// userChanges parses a PATCH and applies AWS's rules for it. Source: SCIM guide, PatchUser.
func userChanges(patch scim.PatchRequest) ([]scim.Change, error) {
	if len(patch.Operations) == 0 {
		return nil, unparsable("Operations is missing or empty.")
	}
	var all []scim.Change
	seen := map[string]bool{}
	for _, op := range patch.Operations {
		changes, err := scim.UserSchema.ParseOperation(op)
		if err != nil {
			return nil, err
		}
		if op.Path == "" && len(changes) != 1 {
			return nil, unparsable("An operation allows omitting path only for Add and Replace with a value of a single attribute.")
		}
		for _, c := range changes {
			name := c.Path.Attribute.Name
			switch {
			case slices.Contains(unsupported, name):
				return nil, unparsable(name + " is not supported.")
			case name == "id" || name == "meta" || name == "schemas" || name == "roles":
				return nil, unparsable(name + " cannot be changed.")
			case (name == "userName" || name == "active") && c.Op == "remove":
				return nil, unparsable(name + " cannot be removed.")
			case (name == "userName" || name == "active") && seen[name]:
				return nil, unparsable("Two operations change " + name + ".")
			case !onlyEquals(c.Path.Filter):
				return nil, unparsable("Only eq is allowed inside brackets.")
			}
			seen[name] = true
		}
		all = append(all, changes...)
	}
	return all, nil
}

func onlyEquals(f scim.Filter) bool {
	switch f := f.(type) {
	case nil:
		return true
	case scim.And:
		return onlyEquals(f.Left) && onlyEquals(f.Right)
	case scim.Compare:
		return f.Op == "eq"
	}
	return false
}

func readUser(r request) (center.User, error) {
	var body scim.Resource
	if err := scim.Decode(r.Body, &body); err != nil {
		return center.User{}, err
	}
	wire, unknown, err := scim.UserSchema.Normalize(body)
	if err != nil {
		return center.User{}, err
	}
	for _, name := range unknown {
		return center.User{}, unparsable(name + " is not an attribute.")
	}
	if id := wire.String("id"); r.id != "" && id != "" && id != r.id {
		return center.User{}, unparsable("The body's id is another user's.")
	}
	return userFromWire(wire)
}

// userFromWire translates a normalized resource. A user without active is active.
func userFromWire(w scim.Resource) (center.User, error) {
	for _, name := range unsupported {
		if _, ok := w[name]; ok && len(w.List(name)) > 0 || w.String(name) != "" {
			return center.User{}, unparsable(name + " is not supported.")
		}
	}
	name, ent := w.Object("name"), w.Object(scim.EnterpriseURN)
	u := center.User{
		UserName: w.String("userName"), ExternalID: w.String("externalId"), Active: true,
		Name: center.PersonName{
			Formatted: name.String("formatted"), FamilyName: name.String("familyName"), GivenName: name.String("givenName"),
			MiddleName: name.String("middleName"), HonorificPrefix: name.String("honorificPrefix"), HonorificSuffix: name.String("honorificSuffix")},
		DisplayName: w.String("displayName"), NickName: w.String("nickName"), ProfileURL: w.String("profileUrl"), Title: w.String("title"),
		UserType: w.String("userType"), PreferredLanguage: w.String("preferredLanguage"), Locale: w.String("locale"), Timezone: w.String("timezone"),
		Enterprise: center.Enterprise{
			EmployeeNumber: ent.String("employeeNumber"), CostCenter: ent.String("costCenter"), Organization: ent.String("organization"),
			Division: ent.String("division"), Department: ent.String("department"), Manager: ent.Object("manager").String("value")},
	}
	if b, ok := w["active"].(bool); ok {
		u.Active = b
	}
	if ent.Object("manager").String("displayName") != "" {
		return u, unparsable("manager.displayName is not supported.")
	}
	for _, e := range objects(w, "emails") {
		if e.String("display") != "" {
			return u, unparsable("emails.display is not supported.")
		}
		u.Emails = append(u.Emails, center.Email{Value: e.String("value"), Type: e.String("type"), Primary: truth(e)})
	}
	for _, p := range objects(w, "phoneNumbers") {
		u.PhoneNumbers = append(u.PhoneNumbers, center.PhoneNumber{Value: p.String("value"), Type: p.String("type"), Primary: truth(p)})
	}
	for _, r := range objects(w, "roles") {
		u.Roles = append(u.Roles, center.Role{Value: r.String("value"), Type: r.String("type"), Primary: truth(r)})
	}
	for _, a := range objects(w, "addresses") {
		u.Addresses = append(u.Addresses, center.Address{
			Formatted: a.String("formatted"), StreetAddress: a.String("streetAddress"), Locality: a.String("locality"), Region: a.String("region"),
			PostalCode: a.String("postalCode"), Country: a.String("country"), Type: a.String("type"), Primary: truth(a)})
	}
	return u, nil
}

func objects(w scim.Resource, name string) (list []scim.Resource) {
	for _, item := range w.List(name) {
		if m, ok := item.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

func truth(r scim.Resource) bool {
	b, _ := r["primary"].(bool)
	return b
}

// userToWire translates a user. Attributes without a value are left out.
func userToWire(u center.User) scim.Resource {
	schemas := []any{scim.UserURN}
	r := scim.Resource{
		"id": string(u.ID), "userName": u.UserName, "displayName": u.DisplayName, "active": u.Active,
		"meta": map[string]any{"resourceType": "User", "created": stamp(u.CreatedAt), "lastModified": stamp(u.UpdatedAt)},
	}
	set(r, "externalId", u.ExternalID, "nickName", u.NickName, "profileUrl", u.ProfileURL, "title", u.Title, "userType", u.UserType,
		"preferredLanguage", u.PreferredLanguage, "locale", u.Locale, "timezone", u.Timezone)
	name := map[string]any{}
	set(name, "formatted", u.Name.Formatted, "familyName", u.Name.FamilyName, "givenName", u.Name.GivenName,
		"middleName", u.Name.MiddleName, "honorificPrefix", u.Name.HonorificPrefix, "honorificSuffix", u.Name.HonorificSuffix)
	r["name"] = name
	for _, e := range u.Emails {
		r["emails"] = append(r.List("emails"), entry(e.Primary, "value", e.Value, "type", e.Type))
	}
	for _, p := range u.PhoneNumbers {
		r["phoneNumbers"] = append(r.List("phoneNumbers"), entry(p.Primary, "value", p.Value, "type", p.Type))
	}
	for _, x := range u.Roles {
		r["roles"] = append(r.List("roles"), entry(x.Primary, "value", x.Value, "type", x.Type))
	}
	for _, a := range u.Addresses {
		r["addresses"] = append(r.List("addresses"), entry(a.Primary, "type", a.Type, "formatted", a.Formatted, "streetAddress", a.StreetAddress,
			"locality", a.Locality, "region", a.Region, "postalCode", a.PostalCode, "country", a.Country))
	}
	if e := u.Enterprise; e != (center.Enterprise{}) {
		ent := map[string]any{}
		set(ent, "employeeNumber", e.EmployeeNumber, "costCenter", e.CostCenter, "organization", e.Organization, "division", e.Division, "department", e.Department)
		if e.Manager != "" {
			ent["manager"] = map[string]any{"value": e.Manager}
		}
		r[scim.EnterpriseURN] = ent
		schemas = append(schemas, scim.EnterpriseURN)
	}
	r["schemas"] = schemas
	return r
}

// set adds the name-value pairs whose value is not empty.
func set(m map[string]any, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
}

func entry(primary bool, pairs ...string) map[string]any {
	m := map[string]any{"primary": primary}
	set(m, pairs...)
	return m
}

// listUsers answers the filters that AWS supports: one equality, or id and manager. Source: SCIM guide, ListUsers.
func (h *Handler) listUsers(ctx context.Context, r request) (answer, error) {
	page, err := parsePage(r)
	if err != nil {
		return answer{}, err
	}
	filter, err := equalities(r.URL.Query().Get("filter"))
	if err != nil {
		return answer{}, err
	}
	var users []center.User
	total := 0
	switch keys := strings.Join(filter.names, ","); keys {
	case "":
		users, total, err = h.Center.Users(ctx, center.UserQuery{After: center.UserID(page.after), Offset: page.start - 1, Limit: page.count + page.more})
	case "username":
		users, total, err = found(h.Center.UserByName(ctx, filter.values["username"]))
	case "externalid":
		users, total, err = found(h.Center.UserByExternalID(ctx, filter.values["externalid"]))
	case "id":
		users, total, err = found(h.Center.User(ctx, center.UserID(filter.values["id"])))
	case "id,manager":
		users, total, err = found(h.Center.User(ctx, center.UserID(filter.values["id"])))
		if total == 1 && users[0].Enterprise.Manager != filter.values["manager"] {
			users, total = nil, 0
		}
	case "groups.value":
		users, total, err = h.members(ctx, center.GroupID(filter.values["groups.value"]), page)
	default:
		return answer{}, unparsable("The filter is not supported: " + keys + ".")
	}
	if err != nil {
		return answer{}, err
	}
	wire := make([]scim.Resource, len(users))
	for i, u := range users {
		wire[i] = userToWire(u)
	}
	return answer{http.StatusOK, page.list(wire, total)}, nil
}

// found turns a lookup into a list of none or one.
func found[T any](v T, err error) ([]T, int, error) {
	if center.KindOf(err) == center.NotFound {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return []T{v}, 1, nil
}

// members lists the users of a group in the order of their ids.
func (h *Handler) members(ctx context.Context, group center.GroupID, page page) ([]center.User, int, error) {
	ms, err := h.Center.Memberships(ctx, center.MembershipQuery{GroupID: group})
	if center.KindOf(err) == center.NotFound {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	ids := make([]string, len(ms))
	for i, m := range ms {
		ids[i] = string(m.UserID)
	}
	wanted := page.cut(ids)
	typed := make([]center.UserID, len(wanted))
	for i, id := range wanted {
		typed[i] = center.UserID(id)
	}
	users, _, err := h.Center.Users(ctx, center.UserQuery{IDs: typed})
	return users, len(ms), err
}
