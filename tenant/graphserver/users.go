package graphserver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// userDefaults are the properties that are given without $select. Source: user resource type; the
// rest must be asked for.
var userDefaults = properties{
	"businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
	"preferredLanguage", "surname", "userPrincipalName",
}

// userObject is all of a user.
func userObject(u tenant.User) object {
	x := object{
		"id":                              string(u.ID),
		"accountEnabled":                  u.Enabled,
		"businessPhones":                  []string{},
		"createdDateTime":                 u.CreatedAt.Format(time.RFC3339),
		"signInSessionsValidFromDateTime": laterOf(u.CreatedAt, u.SessionsValidFrom).Format(time.RFC3339),
	}
	for _, t := range u.Texts() {
		x[t.Name] = nil
		if *t.Value != "" {
			x[t.Name] = *t.Value
		}
	}
	if u.UserType == "" {
		x["userType"] = "Member"
	}
	if u.BusinessPhone != "" {
		x["businessPhones"] = []string{u.BusinessPhone}
	}
	extensions := object{}
	for i, v := range u.Extensions {
		name := fmt.Sprint("extensionAttribute", i+1)
		extensions[name] = nil
		if v != "" {
			extensions[name] = v
		}
	}
	x["onPremisesExtensionAttributes"] = extensions
	return x
}

// laterOf is the later of two times.
func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// longest are the properties of users whose texts have less room than others, in characters.
// Source: user resource type.
var longest = map[string]int{"city": 128, "companyName": 64, "country": 128, "department": 64, "employeeId": 16,
	"givenName": 64, "jobTitle": 128, "mailNickname": 64, "mobilePhone": 64, "officeLocation": 128, "postalCode": 40,
	"state": 128, "surname": 64}

// Bounds of other properties. Source: user and group resource types.
const (
	maxNickname  = 64   //bound:text the mail nickname of a user or a group, in characters
	maxPhone     = 64   //bound:text a business phone, in characters
	maxExtension = 1024 //bound:text an extension attribute of a user, in characters
)

// checkText refuses a text that Graph refuses: an empty one, for which null stands, one that is too
// long, and one that is none of the values that there are.
func checkText(name, text string) error {
	fits := text != ""
	if most, ok := longest[name]; ok && utf8.RuneCountInString(text) > most {
		fits = false
	}
	switch name {
	case "mailNickname":
		fits = fits && fitsNickname(text)
	case "usageLocation":
		fits = fits && len(text) == len("DE") && strings.Trim(strings.ToUpper(text), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	case "userType":
		fits = text == "Member" || text == "Guest"
	}
	if !fits {
		return badRequest(invalidValue("user", name))
	}
	return nil
}

// fitsNickname says whether a mail nickname has only characters that one may have. Source: user and
// group resource types.
func fitsNickname(text string) bool {
	return utf8.RuneCountInString(text) <= maxNickname && strings.IndexFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 127 || strings.ContainsRune(`@()\[]";:<>,`, r)
	}) < 0
}

// apply sets the properties that the body has. One that is left out stays; null clears it.
func apply(u *tenant.User, in map[string]any) error {
	for name, value := range in {
		if field := u.Text(name); field != nil {
			text, isText := value.(string)
			if value != nil && !isText {
				return wrongType(name)
			}
			if isText && text != *field { // what is as it was is no change
				if err := checkText(name, text); err != nil {
					return err
				}
			}
			*field = text
			continue
		}
		var err error
		switch name {
		case "accountEnabled":
			var isBool bool
			if u.Enabled, isBool = value.(bool); !isBool {
				err = wrongType(name)
			}
		case "businessPhones":
			err = applyPhones(u, value)
		case "onPremisesExtensionAttributes":
			err = applyExtensions(u, value)
		case "passwordProfile":
			_, _, err = password(in)
		default:
			err = noProperty("user", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func wrongType(name string) error {
	return badRequest("Property '" + name + "' has a value of the wrong type.")
}

// applyPhones sets the list of business phones, of which there may be one. Source: user resource
// type.
func applyPhones(u *tenant.User, value any) error {
	list, isList := value.([]any)
	if value != nil && !isList || len(list) > 1 {
		return badRequest("Property 'businessPhones' must be a list of one text.")
	}
	u.BusinessPhone = ""
	for _, v := range list {
		phone, ok := v.(string)
		if !ok {
			return wrongType("businessPhones")
		}
		if phone == "" || utf8.RuneCountInString(phone) > maxPhone {
			return badRequest(invalidValue("user", "businessPhones"))
		}
		u.BusinessPhone = phone
	}
	return nil
}

func applyExtensions(u *tenant.User, value any) error {
	const name = "onPremisesExtensionAttributes"
	values, ok := value.(map[string]any)
	if !ok {
		return wrongType(name)
	}
	for key, value := range values {
		text, isText := value.(string)
		number, known := strings.CutPrefix(key, "extensionAttribute")
		n, err := strconv.Atoi(number)
		if !known || err != nil || n < 1 || n > len(u.Extensions) || strconv.Itoa(n) != number {
			return noProperty("user", name+"/"+key)
		}
		if value != nil && !isText {
			return wrongType(name + "/" + key)
		}
		if isText && (text == "" || utf8.RuneCountInString(text) > maxExtension) {
			return badRequest(invalidValue("user", name))
		}
		u.Extensions[n-1] = text
	}
	return nil
}

// password returns what the body says of the password, and whether it sends one.
func password(in map[string]any) (p tenant.PasswordProfile, sent bool, err error) {
	value := in["passwordProfile"]
	profile, ok := value.(map[string]any)
	if value != nil && !ok {
		return p, false, wrongType("passwordProfile")
	}
	_, sent = profile["password"]
	sent = sent || value != nil && len(profile) == 0
	for name, value := range profile {
		var ok bool
		switch name {
		case "password":
			p.Password, ok = value.(string)
		case "forceChangePasswordNextSignIn":
			var oneTime bool
			if oneTime, ok = value.(bool); ok {
				p.OneTime = &oneTime
			}
			ok = ok || value == nil
		case "forceChangePasswordNextSignInWithMfa":
			if ok = value == nil || value == false; value == true {
				return p, false, badRequest("Property 'passwordProfile/" + name + "' is not stored by Gatehouse, " +
					"which refuses what it would otherwise ignore.")
			}
		default:
			return p, false, noProperty("user", "passwordProfile/"+name)
		}
		if !ok {
			return p, false, wrongType("passwordProfile/" + name)
		}
	}
	return p, sent, nil
}

// users is the collection of users.
func (h *Handler) users() collection {
	return collection{h.usersAfter, h.Tenant.CountUsers, userDefaults, userType()}
}

// usersAfter reads users in the order of their ids; one that is asked for by its name or its id is
// looked up.
func (h *Handler) usersAfter(ctx context.Context, o query) func(after string, limit int) ([]object, error) {
	return func(after string, limit int) ([]object, error) {
		for _, property := range []string{"userPrincipalName", "id"} {
			if value, ok := o.condition.Equals(property); ok {
				u, err := h.Tenant.UserByIDOrName(ctx, value)
				if refusal.KindOf(err) == refusal.NotFound {
					return nil, nil
				}
				return []object{userObject(u)}, err
			}
		}
		users, err := h.Tenant.Users(ctx, tenant.Query{After: after, Limit: limit})
		list := make([]object, 0, len(users))
		for _, u := range users {
			x := userObject(u)
			x[tooNew] = h.Rehearsal.tooNew(u.CreatedAt, h.Tenant.Now())
			list = append(list, x)
		}
		return list, err
	}
}

func typed(x object, kind string) object {
	x["@odata.type"] = kind
	return x
}

// unfitPassword is what Entra says of a password that its rules refuse.
func unfitPassword() error {
	return badRequest(
		"The specified password does not comply with password complexity requirements. Please provide a different " +
			"password.",
	)
}

func (h *Handler) createUser(ctx context.Context, r request) (int, any, error) {
	var in map[string]any
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	for _, required := range []string{
		"accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile",
	} {
		if _, ok := in[required]; !ok {
			return 0, nil, badRequest("A value is required for property '" + required + "' of resource 'User'.")
		}
	}
	u := tenant.User{}
	if err := apply(&u, in); err != nil {
		return 0, nil, err
	}
	profile, _, err := password(in)
	if err != nil {
		return 0, nil, err
	}
	if tenant.CheckPassword(profile.Password) != nil {
		return 0, nil, unfitPassword()
	}
	u, err = h.Tenant.CreateUserWith(ctx, r.by, u, profile)
	return http.StatusCreated, userDefaults.shape(userObject(u), nil), err
}

func (h *Handler) getUser(ctx context.Context, r request) (int, any, error) {
	o, err := options(r, userType())
	if err != nil {
		return 0, nil, err
	}
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	x := o.shape(userObject(u), userDefaults)
	return http.StatusOK, x, h.expand(ctx, o, userType(), []object{x})
}

// me is the person for whom a program calls. Administrators of the admin center are not in the
// directory.
func (h *Handler) me(ctx context.Context, r request) (int, any, error) {
	if a := r.caller.Account; a.Administrator {
		return http.StatusOK, object{"id": string(a.ID), "displayName": a.Name, "userPrincipalName": a.Name}, nil
	}
	return mine(h.getUser)(ctx, r)
}

func (h *Handler) updateUser(ctx context.Context, r request) (int, any, error) {
	var in map[string]any
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	if err := apply(&u, in); err != nil { // once here, so that a bad property changes nothing
		return 0, nil, err
	}
	profile, sent, err := password(in)
	if err != nil {
		return 0, nil, err
	}
	if sent && tenant.CheckPassword(profile.Password) != nil {
		return 0, nil, unfitPassword()
	}
	_, err = h.Tenant.PatchUser(ctx, r.by, u.ID, profile, func(u *tenant.User) { _ = apply(u, in) })
	return http.StatusNoContent, nil, err
}

func (h *Handler) deleteUser(ctx context.Context, r request) (int, any, error) {
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.DeleteUser(ctx, r.by, u.ID)
}

func (h *Handler) revokeSessions(ctx context.Context, r request) (int, any, error) {
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err == nil {
		err = h.Tenant.RevokeSessions(ctx, r.by, u.ID)
	}
	return http.StatusOK, object{"value": true}, err
}

// manager is the manager of a user. Earlier releases kept the user principal name where a program
// had named the manager by that.
func (h *Handler) manager(ctx context.Context, u tenant.User) (tenant.User, error) {
	return h.Tenant.UserByIDOrName(ctx, string(u.ManagerID))
}

func (h *Handler) getManager(ctx context.Context, r request) (int, any, error) {
	o, err := options(r, userType())
	if err != nil {
		return 0, nil, err
	}
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	m, err := h.manager(ctx, u)
	return http.StatusOK, o.shape(typed(userObject(m), graph.DirectoryUserType), userDefaults), err
}

func (h *Handler) setManager(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	m, err := h.Tenant.UserByIDOrName(ctx, id)
	if err != nil {
		return 0, nil, err
	}
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	_, err = h.Tenant.UpdateUser(ctx, r.by, u.ID, func(u *tenant.User) { u.ManagerID = m.ID })
	return http.StatusNoContent, nil, err
}

func (h *Handler) deleteManager(ctx context.Context, r request) (int, any, error) {
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	_, err = h.Tenant.UpdateUser(ctx, r.by, u.ID, func(u *tenant.User) { u.ManagerID = "" })
	return http.StatusNoContent, nil, err
}
