package graphserver

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

func userToWire(u tenant.User) graph.User {
	enabled := u.Enabled
	out := graph.User{
		ID: u.ID, AccountEnabled: &enabled, DisplayName: u.DisplayName, GivenName: u.GivenName, Surname: u.Surname, UserPrincipalName: u.UserPrincipalName,
		Mail: u.Mail, MailNickname: u.MailNickname, JobTitle: u.JobTitle, Department: u.Department, EmployeeID: u.EmployeeID, MobilePhone: u.MobilePhone,
		CompanyName: u.CompanyName, OfficeLocation: u.OfficeLocation, StreetAddress: u.StreetAddress, City: u.City, State: u.State, PostalCode: u.PostalCode, Country: u.Country,
		PreferredLanguage: u.PreferredLanguage, UsageLocation: u.UsageLocation, UserType: u.UserType,
	}
	if out.UserType == "" {
		out.UserType = "Member"
	}
	if u.BusinessPhone != "" {
		out.BusinessPhones = []string{u.BusinessPhone}
	}
	for i, v := range u.Extensions {
		if v != "" {
			if out.Extensions == nil {
				out.Extensions = map[string]string{}
			}
			out.Extensions[fmt.Sprint("extensionAttribute", i+1)] = v
		}
	}
	return out
}

// apply sets the properties that the body has. One that is left out stays; an empty text clears it.
func apply(u *tenant.User, in map[string]any) error {
	fields := u.Texts()
	for name, value := range in {
		field, ok := fields[name]
		switch v := value.(type) {
		case nil:
			if ok {
				*field = ""
			}
		case string:
			if !ok {
				return badRequest("Property '" + name + "' cannot be set.")
			}
			*field = v
		case bool:
			if name != "accountEnabled" {
				return badRequest("Property '" + name + "' cannot be set.")
			}
			u.Enabled = v
		case []any:
			if err := applyPhones(u, name, v); err != nil {
				return err
			}
		case map[string]any:
			if err := applyExtensions(u, name, v); err != nil {
				return err
			}
		default:
			return badRequest("Property '" + name + "' cannot be set.")
		}
	}
	return nil
}

// applyPhones sets the list of business phones, of which there may be one. Source: user resource type.
func applyPhones(u *tenant.User, name string, list []any) error {
	if name != "businessPhones" || len(list) > 1 {
		return badRequest("Property '" + name + "' cannot be set, or has too many values.")
	}
	u.BusinessPhone = ""
	for _, v := range list {
		phone, ok := v.(string)
		if !ok {
			return badRequest("Property '" + name + "' must be a list of texts.")
		}
		u.BusinessPhone = phone
	}
	return nil
}

func applyExtensions(u *tenant.User, name string, values map[string]any) error {
	if name == "passwordProfile" || strings.HasPrefix(name, "@odata.") {
		return nil
	}
	for key, value := range values {
		var n int
		text, isText := value.(string)
		_, err := fmt.Sscanf(key, "extensionAttribute%d", &n)
		if name != "onPremisesExtensionAttributes" || err != nil || n < 1 || n > len(u.Extensions) || (value != nil && !isText) {
			return badRequest("Property '" + name + "/" + key + "' cannot be set.")
		}
		u.Extensions[n-1] = text
	}
	return nil
}

// password returns the password that the body sets, or "".
func password(in map[string]any) string {
	profile, _ := in["passwordProfile"].(map[string]any)
	text, _ := profile["password"].(string)
	return text
}

func (h *Handler) listUsers(ctx context.Context, r request) (int, any, error) {
	o, err := options(r)
	if err != nil {
		return 0, nil, err
	}
	var users []tenant.User
	switch o.property {
	case "":
		users, err = h.Tenant.Users(ctx, tenant.Query{After: o.after, Limit: o.top + 1, Search: o.search})
	case "userPrincipalName", "id":
		var u tenant.User
		if u, err = h.Tenant.User(ctx, o.value); err == nil {
			users = append(users, u)
		} else if tenant.KindOf(err) == tenant.NotFound {
			err = nil
		}
	default:
		err = o.unsupported()
	}
	if err != nil {
		return 0, nil, err
	}
	wire := make([]graph.User, len(users))
	for i, u := range users {
		wire[i] = userToWire(u)
	}
	p := page(h, r, o, wire, func(u graph.User) string { return u.ID })
	if r.URL.Query().Get("$count") == "true" && o.after == "" && o.property == "" && o.search == "" {
		err = h.Tenant.Store.View(ctx, func(s tenant.Reader) error {
			n, err := s.CountUsers()
			p.Count = &n
			return err
		})
	}
	return http.StatusOK, p, err
}

func (h *Handler) createUser(ctx context.Context, r request) (int, any, error) {
	var in map[string]any
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	for _, required := range []string{"accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"} {
		if _, ok := in[required]; !ok {
			return 0, nil, badRequest("A value is required for property '" + required + "' of resource 'User'.")
		}
	}
	u := tenant.User{}
	if err := apply(&u, in); err != nil {
		return 0, nil, err
	}
	secret := password(in)
	if len(secret) < 8 {
		return 0, nil, badRequest("The specified password does not comply with password complexity requirements.")
	}
	u, err := h.Tenant.CreateUser(ctx, r.by, u, authn.HashPassword(secret))
	return http.StatusCreated, userToWire(u), err
}

func (h *Handler) getUser(ctx context.Context, r request) (int, any, error) {
	u, err := h.Tenant.User(ctx, r.PathValue("id"))
	return http.StatusOK, userToWire(u), err
}

func (h *Handler) updateUser(ctx context.Context, r request) (int, any, error) {
	var in map[string]any
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	u, err := h.Tenant.User(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	if err := apply(&u, in); err != nil { // once here, so that a bad property changes nothing
		return 0, nil, err
	}
	if secret := password(in); secret != "" {
		if err := h.Tenant.SetPassword(ctx, r.by, u.ID, secret); err != nil {
			return 0, nil, err
		}
	}
	_, err = h.Tenant.UpdateUser(ctx, r.by, u.ID, func(u *tenant.User) { _ = apply(u, in) })
	return http.StatusNoContent, nil, err
}

func (h *Handler) deleteUser(ctx context.Context, r request) (int, any, error) {
	return http.StatusNoContent, nil, h.Tenant.DeleteUser(ctx, r.by, r.PathValue("id"))
}

func (h *Handler) getManager(ctx context.Context, r request) (int, any, error) {
	u, err := h.Tenant.User(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	m, err := h.Tenant.User(ctx, u.ManagerID)
	out := userToWire(m)
	out.ODataType = graph.DirectoryUserType
	return http.StatusOK, out, err
}

func (h *Handler) setManager(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	if _, err := h.Tenant.User(ctx, id); err != nil {
		return 0, nil, err
	}
	_, err = h.Tenant.UpdateUser(ctx, r.by, r.PathValue("id"), func(u *tenant.User) { u.ManagerID = id })
	return http.StatusNoContent, nil, err
}

func (h *Handler) deleteManager(ctx context.Context, r request) (int, any, error) {
	_, err := h.Tenant.UpdateUser(ctx, r.by, r.PathValue("id"), func(u *tenant.User) { u.ManagerID = "" })
	return http.StatusNoContent, nil, err
}

// reference reads an @odata.id body and returns the id at its end.
func reference(r request) (string, error) {
	var in graph.Reference
	if err := decode(r, &in); err != nil {
		return "", err
	}
	id := in.ID[strings.LastIndexByte(in.ID, '/')+1:]
	if id == "" {
		return "", badRequest("A value is required for '@odata.id'.")
	}
	return id, nil
}

func groupToWire(g tenant.Group) graph.Group {
	mail, security := false, g.SecurityEnabled
	return graph.Group{ID: g.ID, DisplayName: g.DisplayName, Description: g.Description, MailEnabled: &mail, MailNickname: g.MailNickname, SecurityEnabled: &security}
}

func (h *Handler) listGroups(ctx context.Context, r request) (int, any, error) {
	o, err := options(r)
	if err != nil {
		return 0, nil, err
	}
	var groups []tenant.Group
	switch o.property {
	case "":
		groups, err = h.Tenant.Groups(ctx, tenant.Query{After: o.after, Limit: o.top + 1, Search: o.search})
	case "displayName":
		err = h.Tenant.Store.View(ctx, func(s tenant.Reader) (err error) {
			groups, err = s.GroupsByName(o.value)
			return err
		})
	default:
		err = o.unsupported()
	}
	if err != nil {
		return 0, nil, err
	}
	wire := make([]graph.Group, len(groups))
	for i, g := range groups {
		wire[i] = groupToWire(g)
	}
	return http.StatusOK, page(h, r, o, wire, func(g graph.Group) string { return g.ID }), nil
}

func (h *Handler) createGroup(ctx context.Context, r request) (int, any, error) {
	var in graph.Group
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.MailEnabled == nil || in.SecurityEnabled == nil || in.MailNickname == "" {
		return 0, nil, badRequest("A value is required for properties 'mailEnabled', 'mailNickname' and 'securityEnabled' of resource 'Group'.")
	}
	if *in.MailEnabled || len(in.GroupTypes) > 0 {
		return 0, nil, badRequest("Only security groups are offered here.")
	}
	g, err := h.Tenant.CreateGroup(ctx, r.by, tenant.Group{DisplayName: in.DisplayName, Description: in.Description, MailNickname: in.MailNickname, SecurityEnabled: *in.SecurityEnabled})
	return http.StatusCreated, groupToWire(g), err
}

func (h *Handler) getGroup(ctx context.Context, r request) (int, any, error) {
	g, err := h.Tenant.Group(ctx, r.PathValue("id"))
	return http.StatusOK, groupToWire(g), err
}

func (h *Handler) updateGroup(ctx context.Context, r request) (int, any, error) {
	var in struct {
		DisplayName, Description *string
		Members                  []string `json:"members@odata.bind"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	id := r.PathValue("id")
	if len(in.Members) > 20 {
		return 0, nil, badRequest("At most 20 members can be added in one request.")
	}
	if len(in.Members) > 0 {
		ids := make([]string, len(in.Members))
		for i, m := range in.Members {
			ids[i] = m[strings.LastIndexByte(m, '/')+1:]
		}
		return http.StatusNoContent, nil, h.Tenant.AddMembers(ctx, r.by, id, ids)
	}
	_, err := h.Tenant.UpdateGroup(ctx, r.by, id, func(g *tenant.Group) {
		if in.DisplayName != nil {
			g.DisplayName = *in.DisplayName
		}
		if in.Description != nil {
			g.Description = *in.Description
		}
	})
	return http.StatusNoContent, nil, err
}

func (h *Handler) deleteGroup(ctx context.Context, r request) (int, any, error) {
	return http.StatusNoContent, nil, h.Tenant.DeleteGroup(ctx, r.by, r.PathValue("id"))
}

func (h *Handler) listMembers(ctx context.Context, r request) (int, any, error) {
	o, err := options(r)
	if err != nil {
		return 0, nil, err
	}
	members, err := h.Tenant.Members(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	var wire []graph.DirectoryObject
	for _, m := range members { // in the order of their ids
		if m.MemberID <= o.after || len(wire) > o.top {
			continue
		}
		d, err := h.directoryObject(ctx, m.Kind, m.MemberID)
		if err != nil {
			return 0, nil, err
		}
		wire = append(wire, d)
	}
	return http.StatusOK, page(h, r, o, wire, func(d graph.DirectoryObject) string { return d.ID }), nil
}

func (h *Handler) directoryObject(ctx context.Context, kind tenant.ObjectKind, id string) (graph.DirectoryObject, error) {
	if kind == tenant.KindGroup {
		g, err := h.Tenant.Group(ctx, id)
		return graph.DirectoryObject{ODataType: graph.DirectoryGroupType, ID: g.ID, DisplayName: g.DisplayName}, err
	}
	u, err := h.Tenant.User(ctx, id)
	return graph.DirectoryObject{ODataType: graph.DirectoryUserType, ID: u.ID, DisplayName: u.DisplayName, UserPrincipalName: u.UserPrincipalName}, err
}

func (h *Handler) addMember(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.AddMember(ctx, r.by, r.PathValue("id"), id)
}

func (h *Handler) removeMember(ctx context.Context, r request) (int, any, error) {
	return http.StatusNoContent, nil, h.Tenant.RemoveMember(ctx, r.by, r.PathValue("id"), r.PathValue("member"))
}
