package graphserver

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// permissionGrantCalls are the calls on delegated permissions: those that people have allowed
// programs, and those that administrators have given them. Source: oAuth2PermissionGrant resource
// type and its methods.
func (h *Handler) permissionGrantCalls() []route {
	const grants = "/oauth2PermissionGrants"
	return []route{
		{"GET " + grants, toReadGrants, ofList, h.listPermissionGrants},
		{"POST " + grants, toChangeGrants, noOptions, h.createPermissionGrant},
		{"GET " + grants + "/delta", toReadGrants, ofDelta, h.applicationsDelta},
		{"GET " + grants + "/{id}", toReadGrants, ofOne, h.getPermissionGrant},
		{"PATCH " + grants + "/{id}", toChangeGrants, noOptions, h.updatePermissionGrant},
		{"DELETE " + grants + "/{id}", toChangeGrants, noOptions, h.deletePermissionGrant},
		{"GET /users/{id}" + grants, toReadGrants, ofList, h.grantsOf},
		{"GET /me" + grants, toReadOneself, ofList, mine(h.grantsOf)},
		{"GET /servicePrincipals/{id}" + grants, toReadGrants, ofList, h.grantsOf},
	}
}

var (
	toReadGrants = ofAdministrators("Directory.Read.All", "Directory.ReadWrite.All").
			orOf(append(grantRoles, tenant.GlobalReader)...)
	toChangeGrants = ofAdministrators("Directory.ReadWrite.All").orOf(grantRoles...)

	permissionGrantType = ofSample("oAuth2PermissionGrant", grantOf{}.object())
)

// graphID is the id of Microsoft Graph, which has no service principal here: its application id
// stands for it.
const graphID = "00000003-0000-0000-c000-000000000000"

// grantOf is a delegated permission with what is behind it.
type grantOf struct {
	id        string
	client    tenant.ClientID
	clientID  string        // the service principal's id, or the program's
	principal tenant.UserID // empty: everybody
	scopes    []string
	made      tenant.PermissionGrantID // empty: a person has allowed it
}

func (g grantOf) object() object {
	x := object{
		"id": g.id, "clientId": g.clientID, "consentType": "AllPrincipals", "principalId": nil,
		"resourceId": graphID, "scope": strings.Join(g.scopes, " "),
	}
	if g.principal != "" {
		x["consentType"], x["principalId"] = "Principal", string(g.principal)
	}
	return x
}

const (
	grantsRead  = 500    //bound:none how many are read at a time
	maxFamilies = 20_000 //bound:rows grants of people that a list of Graph looks at
)

// grantSpace is what the ids of what people have allowed are made in.
var grantSpace = uuid.MustParse("1c5a9b0e-59d2-4f27-8f0c-64d0b7d2a1c3")

// permissionGrants are what administrators have given programs, and what people have allowed them,
// once for each person and program.
func (h *Handler) permissionGrants(ctx context.Context) (all []grantOf, err error) {
	applications, err := h.Tenant.Applications(ctx)
	if err != nil {
		return nil, err
	}
	principals := map[tenant.ClientID]string{}
	for _, a := range applications {
		principals[a.AppID] = string(a.ServicePrincipalID)
	}
	clientID := func(id tenant.ClientID) string {
		if principal, ok := principals[id]; ok {
			return principal
		}
		return string(id) // programs have no service principal
	}
	made, err := h.Tenant.PermissionGrants(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range made {
		all = append(all, grantOf{
			id: string(g.ID), client: g.ClientID, clientID: clientID(g.ClientID), principal: g.Principal,
			scopes: g.Scopes, made: g.ID,
		})
	}
	at, after := map[string]int{}, ""
	for read := 0; read < maxFamilies; {
		families, err := h.Tenant.Families(ctx, after, grantsRead)
		if err != nil {
			return nil, err
		}
		for _, g := range families {
			after = g.Digest
			if g.Account.ID.IsAdministrator() { // they are not in the directory
				continue
			}
			id := uuid.NewSHA1(grantSpace, []byte(string(g.ClientID)+"."+string(g.Account.ID))).String()
			i, known := at[id]
			if !known {
				i, at[id] = len(all), len(all)
				all = append(all, grantOf{
					id: id, client: g.ClientID, clientID: clientID(g.ClientID), principal: tenant.UserID(g.Account.ID),
				})
			}
			for _, s := range g.Scopes {
				if !slices.Contains(all[i].scopes, s) {
					all[i].scopes = append(slices.Clone(all[i].scopes), s)
				}
			}
		}
		if read += len(families); len(families) < grantsRead {
			break
		}
	}
	return all, nil
}

func grantObjects(all []grantOf) []object {
	list := make([]object, len(all))
	for i, g := range all {
		list[i] = g.object()
	}
	return list
}

func (h *Handler) listPermissionGrants(ctx context.Context, r request) (int, any, error) {
	all, err := h.permissionGrants(ctx)
	if err != nil {
		return 0, nil, err
	}
	return h.answerList(r, permissionGrantType(), grantObjects(all))
}

// grantsOf are the grants of a person, or of the service principal of a program.
func (h *Handler) grantsOf(ctx context.Context, r request) (int, any, error) {
	var wanted func(grantOf) bool
	if r.ofPrincipals() {
		a, err := h.application(ctx, r)
		if err != nil {
			return 0, nil, err
		}
		wanted = func(g grantOf) bool { return g.client == a.AppID }
	} else {
		u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
		if err != nil {
			return 0, nil, err
		}
		wanted = func(g grantOf) bool { return g.principal == u.ID }
	}
	all, err := h.permissionGrants(ctx)
	if err != nil {
		return 0, nil, err
	}
	all = slices.DeleteFunc(all, func(g grantOf) bool { return !wanted(g) })
	return h.answerList(r, permissionGrantType(), grantObjects(all))
}

func (h *Handler) permissionGrant(ctx context.Context, id string) (grantOf, error) {
	all, err := h.permissionGrants(ctx)
	for _, g := range all {
		if g.id == id {
			return g, err
		}
	}
	if err == nil {
		err = notThere(id)
	}
	return grantOf{}, err
}

func (h *Handler) getPermissionGrant(ctx context.Context, r request) (int, any, error) {
	g, err := h.permissionGrant(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, permissionGrantType(), g.object())
}

// createPermissionGrant gives a program a delegated permission, for a person or for everybody.
func (h *Handler) createPermissionGrant(ctx context.Context, r request) (int, any, error) {
	var in struct {
		ClientID    string        `json:"clientId"`
		ConsentType string        `json:"consentType"`
		PrincipalID tenant.UserID `json:"principalId"`
		ResourceID  string        `json:"resourceId"`
		Scope       string        `json:"scope"`
		StartTime   string        `json:"startTime"`  // required once, and ignored
		ExpiryTime  string        `json:"expiryTime"` // as startTime
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if !strings.EqualFold(in.ResourceID, graphID) {
		return 0, nil, notThere(in.ResourceID)
	}
	everybody := in.ConsentType == "AllPrincipals"
	if (!everybody && in.ConsentType != "Principal") || everybody != (in.PrincipalID == "") {
		return 0, nil, badRequest(invalidValue("oAuth2PermissionGrant", "consentType"))
	}
	scopes, err := grantScopes(r, in.Scope)
	if err != nil {
		return 0, nil, err
	}
	client, err := h.grantee(ctx, in.ClientID)
	if err != nil {
		return 0, nil, err
	}
	g, err := h.Tenant.AddPermissionGrant(ctx, r.by, tenant.PermissionGrant{
		ClientID: client, Principal: in.PrincipalID, Scopes: scopes,
	})
	if refusal.CodeOf(err) == tenant.MemberExists {
		err = &wireError{
			status: http.StatusConflict, code: "Request_MultipleObjectsWithSameKeyValue",
			message: "Permission entry already exists.",
		}
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, grantOf{
		id: string(g.ID), clientID: in.ClientID, principal: g.Principal, scopes: g.Scopes,
	}.object(), nil
}

// grantee is the program that a grant names: by its service principal, or by its own id where it
// has none.
func (h *Handler) grantee(ctx context.Context, id string) (tenant.ClientID, error) {
	a, err := h.Tenant.Application(ctx, tenant.AnyApplicationID(id))
	if err == nil && id == string(a.ServicePrincipalID) && !a.NoPrincipal {
		return a.AppID, nil
	}
	if err != nil && refusal.KindOf(err) != refusal.NotFound {
		return "", err
	}
	c, err := h.Tenant.Client(ctx, tenant.ClientID(id))
	if refusal.CodeOf(err) == tenant.ClientUnknown || (err == nil && c.Application != nil) {
		err = notThere(id)
	}
	return c.ID, err
}

// grantScopes reads the scopes of a grant. A program that may not manage roles itself does not give
// them away.
func grantScopes(r request, text string) ([]string, error) {
	scopes := strings.Fields(text)
	if len(scopes) == 0 {
		return nil, badRequest("A value is required for property 'scope' of resource 'OAuth2PermissionGrant'.")
	}
	var unique []string
	for _, s := range scopes {
		switch {
		case !slices.Contains(delegated, s) && !slices.Contains(tenant.Permissions, s):
			return nil, badRequest(invalidValue("oAuth2PermissionGrant", "scope") + " There is no permission '" +
				quotable(s) + "'.")
		case r.caller.Account.ID == "" && tenant.MakesAdministrators(s) && !slices.Contains(r.caller.Permissions, s):
			return nil, &wireError{
				status: http.StatusForbidden, code: "Authorization_RequestDenied",
				message: "Insufficient privileges to complete the operation.",
			}
		case !slices.Contains(unique, s):
			unique = append(unique, s)
		}
	}
	return unique, nil
}

// delegated are permissions that only a person can give.
var delegated = []string{"User.Read", "openid", "profile", "email", "offline_access"}

func (h *Handler) updatePermissionGrant(ctx context.Context, r request) (int, any, error) {
	var in struct {
		Scope string `json:"scope"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	g, err := h.permissionGrant(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	scopes, err := grantScopes(r, in.Scope)
	if err != nil {
		return 0, nil, err
	}
	if g.made == "" {
		return 0, nil, unsupported("A person has allowed this: delete it, and create a grant for the person.")
	}
	return http.StatusNoContent, nil, h.Tenant.ChangePermissionGrant(ctx, r.by, g.made, scopes)
}

// deletePermissionGrant takes a grant back: what the program renews because of it ends.
func (h *Handler) deletePermissionGrant(ctx context.Context, r request) (int, any, error) {
	g, err := h.permissionGrant(ctx, r.PathValue("id"))
	switch {
	case err != nil:
		return 0, nil, err
	case g.made == "":
		return http.StatusNoContent, nil, h.Tenant.RevokeConsent(ctx, r.by, g.client, g.principal)
	}
	return http.StatusNoContent, nil, h.Tenant.DeletePermissionGrant(ctx, r.by, g.made)
}
