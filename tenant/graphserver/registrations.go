package graphserver

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// registrationCalls make applications without a template, as the Azure CLI and Terraform do, and
// say who owns what. Sources: application: create, servicePrincipal: create, List owners, Add
// owner, user: list ownedObjects.
func (h *Handler) registrationCalls() []route {
	list := []route{
		{"POST /applications", toChangeApplications, noOptions, h.createApplication},
		{"POST /servicePrincipals", toChangeApplications, noOptions, h.createPrincipal},
	}
	for _, collection := range []string{"applications", "servicePrincipals"} {
		owners := "/" + collection + "/{id}/owners"
		list = append(list, related(owners, toReadApplications, h.applicationOwners)...)
		list = append(list,
			route{"POST " + owners + "/$ref", toChangeApplications, noOptions, h.addApplicationOwner},
			route{"DELETE " + owners + "/{member}/$ref", toChangeApplications, noOptions, h.removeApplicationOwner},
		)
	}
	list = append(list, related("/users/{id}/ownedObjects", toReadUsers, h.ownedObjects)...)
	list = append(list, related("/me/ownedObjects", toReadOneself, mine(h.ownedObjects))...)
	return append(list, related("/servicePrincipals/{id}/ownedObjects", toReadApplications, h.ownedObjects)...)
}

// createApplication registers an application. It has no service principal until one is made.
func (h *Handler) createApplication(ctx context.Context, r request) (int, any, error) {
	var in struct {
		DisplayName    string            `json:"displayName"`
		IdentifierURIs []string          `json:"identifierUris"`
		KeyCredentials []encryptionKey   `json:"keyCredentials"`
		SignInAudience string            `json:"signInAudience"`
		Web            *webPatch         `json:"web"`
		Owners         []string          `json:"owners@odata.bind"`
		AppRoles       given[*[]appRole] `json:"appRoles"`
		EncryptWith    given[*string]    `json:"tokenEncryptionKeyId"`

		Needs     given[*[]graph.RequiredResourceAccess] `json:"requiredResourceAccess"`
		Reference string                                 `json:"serviceManagementReference"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.DisplayName == "" {
		return 0, nil, badRequest("A value is required for property 'displayName' of resource 'Application'.")
	}
	if in.SignInAudience != "" && in.SignInAudience != signInAudience {
		return 0, nil, errAudience
	}
	owners, err := boundIDs[tenant.OwnerID](in.Owners)
	if err != nil {
		return 0, nil, err
	}
	if in.Owners == nil && r.caller.Account.ID != "" && !r.caller.Account.Administrator {
		owners = []tenant.OwnerID{tenant.OwnerID(r.caller.Account.ID)}
	}
	a := tenant.Application{
		DisplayName: in.DisplayName, IdentifierURIs: append([]string{}, in.IdentifierURIs...),
		ReplyURLs: []string{}, Owners: owners, Reference: in.Reference,
	}
	if in.Web != nil {
		if err := in.Web.into(&a); err != nil {
			return 0, nil, err
		}
	}
	err = errors.Join(setEncryption(&a, in.KeyCredentials), setRoles(&a, in.AppRoles), setNeeds(&a, in.Needs))
	if err = errors.Join(err, encryptWith(&a, in.EncryptWith)); err != nil {
		return 0, nil, err
	}
	a, err = h.Tenant.Register(ctx, r.by, a)
	return http.StatusCreated, typed(objects([]graph.Application{applicationToWire(a)})[0],
		"#microsoft.graph.application"), err
}

// createPrincipal makes the service principal of an application of the tenant.
func (h *Handler) createPrincipal(ctx context.Context, r request) (int, any, error) {
	var in struct {
		AppID                     tenant.ClientID `json:"appId"`
		AccountEnabled            *bool           `json:"accountEnabled"`
		AppRoleAssignmentRequired *bool           `json:"appRoleAssignmentRequired"`
		Mode                      string          `json:"preferredSingleSignOnMode"`
		LoginURL                  string          `json:"loginUrl"`
		Emails                    []string        `json:"notificationEmailAddresses"`
		Type                      string          `json:"servicePrincipalType"`
		Tags                      []string        `json:"tags"`
		Owners                    []string        `json:"owners@odata.bind"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	for _, tag := range in.Tags {
		if tag != integratedApp {
			return 0, nil, noProperty("servicePrincipal", "tags")
		}
	}
	if in.Type != "" && in.Type != "Application" {
		return 0, nil, badRequest(invalidValue("servicePrincipal", "servicePrincipalType"))
	}
	owners, err := boundIDs[tenant.OwnerID](in.Owners)
	if err != nil {
		return 0, nil, err
	}
	if in.Owners == nil && r.caller.Account.ID != "" && !r.caller.Account.Administrator {
		owners = []tenant.OwnerID{tenant.OwnerID(r.caller.Account.ID)}
	}
	a, err := h.Tenant.AddPrincipal(ctx, r.by, in.AppID, func(a *tenant.Application) error {
		if in.AccountEnabled != nil {
			a.Enabled = *in.AccountEnabled
		}
		if in.AppRoleAssignmentRequired != nil {
			a.AssignmentRequired = *in.AppRoleAssignmentRequired
		}
		a.SSOMode, a.SignOnURL = in.Mode, in.LoginURL
		a.NotificationEmails, a.PrincipalOwners = in.Emails, owners
		return nil
	})
	switch refusal.CodeOf(err) {
	case tenant.ApplicationNotFound:
		err = badRequest("The appId '" + quotable(string(in.AppID)) +
			"' of the service principal does not reference a valid application object.")
	case tenant.PrincipalExists:
		err = &wireError{
			status: http.StatusConflict,
			code:   "Request_MultipleObjectsWithSameKeyValue",
			message: "The service principal cannot be created, updated, or restored because the service principal " +
				"name " + quotable(string(in.AppID)) + " is already in use.",
		}
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, typed(objects([]graph.ServicePrincipal{principalToWire(a)})[0],
		"#microsoft.graph.servicePrincipal"), nil
}

// ofPrincipal says that a path names a service principal, not its application.
func (r request) ofPrincipal() bool { return strings.HasPrefix(r.URL.Path, root+"/servicePrincipals/") }

func (h *Handler) applicationOwners(ctx context.Context, r request) (int, any, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	all, err := h.ownerMarks(ctx, a, r.ofPrincipal())
	if err != nil {
		return 0, nil, err
	}
	return h.answerRelation(ctx, r, all)
}

// ownerMarks are the owners of an application, or of its service principal.
func (h *Handler) ownerMarks(
	ctx context.Context, a tenant.Application, principal bool,
) (all []tenant.Mark, err error) {
	owners := a.Owners
	if principal {
		owners = a.PrincipalOwners
	}
	for _, id := range owners {
		m := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)}
		_, err := h.Tenant.User(ctx, tenant.UserID(id))
		if refusal.KindOf(err) == refusal.NotFound {
			m.Kind, err = tenant.KindServicePrincipal, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (h *Handler) addApplicationOwner(ctx context.Context, r request) (int, any, error) {
	id, err := reference(r)
	if err != nil {
		return 0, nil, err
	}
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	err = h.Tenant.AddApplicationOwner(ctx, r.by, tenant.AnyApplicationID(a.ID), r.ofPrincipal(), tenant.OwnerID(id))
	if refusal.CodeOf(err) == tenant.MemberExists {
		err = errOwnerExists
	}
	return http.StatusNoContent, nil, err
}

func (h *Handler) removeApplicationOwner(ctx context.Context, r request) (int, any, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.RemoveApplicationOwner(
		ctx, r.by, tenant.AnyApplicationID(a.ID), r.ofPrincipal(), tenant.OwnerID(r.PathValue("member")),
	)
}

// ownedObjects are the groups, applications and service principals that somebody owns.
func (h *Handler) ownedObjects(ctx context.Context, r request) (int, any, error) {
	id := r.PathValue("id")
	var err error
	if r.ofPrincipal() {
		_, err = h.directoryObject(ctx, tenant.Mark{Kind: tenant.KindServicePrincipal, ID: tenant.PrincipalID(id)})
	} else {
		var u tenant.User
		u, err = h.Tenant.UserByIDOrName(ctx, id)
		id = string(u.ID)
	}
	if err != nil {
		return 0, nil, err
	}
	all, err := h.Tenant.Owned(ctx, tenant.OwnerID(id))
	if err != nil {
		return 0, nil, err
	}
	return h.answerRelation(ctx, r, all)
}

// program is a client that acts for itself, as an object of the directory: a service principal that
// has the id of its tokens.
func (h *Handler) program(ctx context.Context, id tenant.ClientID) (object, error) {
	c, err := h.Tenant.Client(ctx, id)
	if refusal.CodeOf(err) == tenant.ClientUnknown {
		err = &refusal.Error{Code: tenant.ApplicationNotFound, Subject: string(id)}
	}
	if err != nil {
		return nil, err
	}
	return typed(object{
		"id": string(c.ID), "appId": string(c.ID), "displayName": c.DisplayName,
		"servicePrincipalType": "Application", "accountEnabled": true,
	}, "#microsoft.graph.servicePrincipal"), nil
}
