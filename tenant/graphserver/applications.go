package graphserver

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/tenant"
)

func templateToWire(t tenant.Template) graph.ApplicationTemplate {
	return graph.ApplicationTemplate{
		ID:                         t.ID,
		DisplayName:                t.DisplayName,
		Publisher:                  t.Publisher,
		Description:                t.Description,
		Categories:                 []string{"itInfrastructure"},
		SupportedSingleSignOnModes: []string{"saml", "external"},
		SupportedProvisioningTypes: []string{"sync"},
	}
}

func (h *Handler) listTemplates(_ context.Context, r request) (int, any, error) {
	var all []graph.ApplicationTemplate
	for _, t := range tenant.Gallery {
		all = append(all, templateToWire(t))
	}
	return h.answerList(r, templateType(), objects(all))
}

func (h *Handler) getTemplate(_ context.Context, r request) (int, any, error) {
	t, err := tenant.FindTemplate(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, templateType(), templateToWire(t))
}

func (h *Handler) instantiate(ctx context.Context, r request) (int, any, error) {
	var in struct {
		DisplayName string `json:"displayName"`
		Reference   string `json:"serviceManagementReference"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	t, err := tenant.FindTemplate(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	a, err := h.Tenant.InstantiateFor(ctx, r.by, t, in.DisplayName, in.Reference)
	return http.StatusCreated, graph.ApplicationServicePrincipal{
		Context:          h.Tenant.GraphURL() + "/$metadata#microsoft.graph.applicationServicePrincipal",
		Application:      applicationToWire(a),
		ServicePrincipal: principalToWire(a),
	}, err
}

func applicationToWire(a tenant.Application) graph.Application {
	var needs []graph.RequiredResourceAccess
	for _, n := range a.Needs {
		need := graph.RequiredResourceAccess{ResourceAppID: n.ResourceAppID}
		for _, x := range n.Access {
			need.ResourceAccess = append(need.ResourceAccess, graph.ResourceAccess(x))
		}
		needs = append(needs, need)
	}
	return graph.Application{
		ID:                    string(a.ID),
		AppID:                 string(a.AppID),
		ApplicationTemplateID: a.TemplateID,
		DisplayName:           a.DisplayName,
		IdentifierURIs:        a.IdentifierURIs,
		SignInAudience:        signInAudience,
		AppRoles:              appRoles(a),
		Web: &graph.Web{
			RedirectURIs: a.ReplyURLs, LogoutURL: a.LogoutURL, HomePageURL: a.HomePageURL,
		},
		KeyCredentials:       encryptionToWire(a),
		CreatedDateTime:      &a.CreatedAt,
		TokenEncryptionKeyID: encryptionKeyID(a),
		PasswordCredentials:  passwordsToWire(a.Passwords),

		RequiredResourceAccess: needs,

		ServiceManagementReference: orNull(a.Reference),
	}
}

// orNull is a text, or nothing where it is empty.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// setNeeds sets what was sent of what an application needs.
func setNeeds(a *tenant.Application, in given[*[]graph.RequiredResourceAccess]) error {
	if !in.sent {
		return nil
	}
	if in.value == nil {
		return wrongType("requiredResourceAccess")
	}
	a.Needs = nil
	for _, n := range *in.value {
		need := tenant.Need{ResourceAppID: n.ResourceAppID}
		for _, x := range n.ResourceAccess {
			need.Access = append(need.Access, tenant.NeedAccess(x))
		}
		a.Needs = append(a.Needs, need)
	}
	return nil
}

// integratedApp is the tag that the portal looks for. Source: servicePrincipal resource type.
const integratedApp = "WindowsAzureActiveDirectoryIntegratedApp"

func principalToWire(a tenant.Application) graph.ServicePrincipal {
	enabled, required := a.Enabled, a.AssignmentRequired
	out := graph.ServicePrincipal{
		ID:                         string(a.ServicePrincipalID),
		AppID:                      string(a.AppID),
		ApplicationTemplateID:      a.TemplateID,
		DisplayName:                a.DisplayName,
		AppDisplayName:             a.DisplayName,
		SignInAudience:             signInAudience,
		AccountEnabled:             &enabled,
		AppRoleAssignmentRequired:  &required,
		NotificationEmailAddresses: append([]string{}, a.NotificationEmails...),
		ReplyURLs:                  a.ReplyURLs,
		ServicePrincipalNames: append(
			[]string{string(a.AppID)},
			a.IdentifierURIs...),
		ServicePrincipalType: "Application",
		AppRoles:             appRoles(a),
		Tags:                 []string{integratedApp},
		PasswordCredentials:  passwordsToWire(a.PrincipalPasswords),
	}
	out.PreferredSingleSignOnMode = orNull(a.SSOMode)
	out.LoginURL = orNull(a.SignOnURL)
	out.LogoutURL = orNull(a.LogoutURL)
	out.PreferredTokenSigningKeyThumbprint = orNull(a.ActiveThumbprint)
	for _, k := range a.Keys {
		for _, usage := range []string{"Sign", "Verify"} {
			c := keyToWire(k)
			c.Usage = usage
			if usage == "Sign" {
				c.Type, c.Key = "X509CertAndPassword", "" // the private half is never given back
			}
			out.KeyCredentials = append(out.KeyCredentials, c)
		}
	}
	return out
}

// keyToWire is the public half. customKeyIdentifier is the base64 form of the thumbprint's bytes.
func keyToWire(k tenant.SigningKey) graph.KeyCredential {
	raw, _ := hex.DecodeString(k.Thumbprint) // our own hexadecimal
	return graph.KeyCredential{
		CustomKeyIdentifier: base64.StdEncoding.EncodeToString(raw),
		DisplayName:         k.DisplayName,
		StartDateTime:       k.NotBefore,
		EndDateTime:         k.NotAfter,
		KeyID:               k.ID,
		Type:                "AsymmetricX509Cert",
		Usage:               "Verify",
		Key:                 base64.StdEncoding.EncodeToString(k.Certificate),
	}
}

func (h *Handler) listApplications(ctx context.Context, r request) (int, any, error) {
	return listApplications(ctx, h, r, applicationType(), applicationToWire)
}

func (h *Handler) listServicePrincipals(ctx context.Context, r request) (int, any, error) {
	return listApplications(ctx, h, r, principalType(), principalToWire)
}

func listApplications[T any](
	ctx context.Context, h *Handler, r request, t *resource, wire func(tenant.Application) T,
) (int, any, error) {
	apps, err := h.Tenant.Applications(ctx)
	if err != nil {
		return 0, nil, err
	}
	all := make([]T, 0, len(apps))
	for _, a := range apps {
		if t.Type != "servicePrincipal" || !a.NoPrincipal {
			all = append(all, wire(a))
		}
	}
	return h.answerList(r, t, objects(all))
}

// byAppID begins a path segment that names an application by its client id, as
// servicePrincipals(appId='x') does.
const byAppID = "appId="

// application is the application that the path names: under /applications by the id of the
// application object, under /servicePrincipals by that of the service principal, and under either
// by appId='x'.
func (h *Handler) application(ctx context.Context, r request) (tenant.Application, error) {
	id, byClient := strings.CutPrefix(r.PathValue("id"), byAppID)
	a, err := h.Tenant.Application(ctx, tenant.AnyApplicationID(id))
	if err != nil {
		return a, err
	}
	named := string(a.ServicePrincipalID)
	switch {
	case byClient:
		named = string(a.AppID)
	case strings.HasPrefix(r.URL.Path, root+"/applications/"):
		named = string(a.ID)
	}
	if named != id || a.NoPrincipal && r.ofPrincipal() {
		return a, notThere(id)
	}
	return a, nil
}

// changeApplication changes the application that the path names.
func (h *Handler) changeApplication(
	ctx context.Context, r request, edit func(*tenant.Application) error,
) error {
	a, err := h.application(ctx, r)
	if err != nil {
		return err
	}
	_, err = h.Tenant.UpdateApplication(ctx, r.by, tenant.AnyApplicationID(a.ID), edit)
	return err
}

func (h *Handler) getApplication(ctx context.Context, r request) (int, any, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, applicationType(), applicationToWire(a))
}

func (h *Handler) getServicePrincipal(ctx context.Context, r request) (int, any, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, principalType(), principalToWire(a))
}

// signInAudience is the only one: a tenant knows no other.
const signInAudience = "AzureADMyOrg"

var errAudience = badRequest(
	"Only applications of this tenant are supported: signInAudience must be " + signInAudience + ".",
)

// webPatch is what may be changed of the web settings of an application.
type webPatch struct {
	RedirectURIs given[[]string] `json:"redirectUris"`
	LogoutURL    given[string]   `json:"logoutUrl"`
	HomePageURL  given[string]   `json:"homePageUrl"`

	ImplicitGrantSettings jsontext.Value `json:"implicitGrantSettings"`
	RedirectURISettings   jsontext.Value `json:"redirectUriSettings"`
}

// into sets what was sent. Implicit grants are not kept.
func (w webPatch) into(a *tenant.Application) error {
	for name, value := range map[string]jsontext.Value{
		"implicitGrantSettings": w.ImplicitGrantSettings, "redirectUriSettings": w.RedirectURISettings,
	} {
		if len(value) > 0 && !nothing(value) {
			return noProperty("application", "web/"+name)
		}
	}
	w.RedirectURIs.into(&a.ReplyURLs)
	w.LogoutURL.into(&a.LogoutURL)
	w.HomePageURL.into(&a.HomePageURL)
	return nil
}

// updateApplication replaces collections whole, as Graph does.
func (h *Handler) updateApplication(ctx context.Context, r request) (int, any, error) {
	var in struct {
		DisplayName    given[string]           `json:"displayName"`
		IdentifierURIs given[[]string]         `json:"identifierUris"`
		KeyCredentials given[*[]encryptionKey] `json:"keyCredentials"`
		SignInAudience given[string]           `json:"signInAudience"`
		Web            given[*webPatch]        `json:"web"`
		AppRoles       given[*[]appRole]       `json:"appRoles"`
		EncryptWith    given[*string]          `json:"tokenEncryptionKeyId"`

		Needs     given[*[]graph.RequiredResourceAccess] `json:"requiredResourceAccess"`
		Reference given[string]                          `json:"serviceManagementReference"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Web.sent && in.Web.value == nil {
		return 0, nil, wrongType("web")
	}
	if in.KeyCredentials.sent && in.KeyCredentials.value == nil {
		return 0, nil, wrongType("keyCredentials")
	}
	if in.SignInAudience.sent && in.SignInAudience.value != signInAudience {
		return 0, nil, errAudience
	}
	err := h.changeApplication(ctx, r, func(a *tenant.Application) error {
		in.DisplayName.into(&a.DisplayName)
		in.IdentifierURIs.into(&a.IdentifierURIs)
		in.Reference.into(&a.Reference)
		if in.Web.value != nil {
			if err := in.Web.value.into(a); err != nil {
				return err
			}
		}
		if err := errors.Join(setRoles(a, in.AppRoles), setNeeds(a, in.Needs)); err != nil {
			return err
		}
		if in.KeyCredentials.sent { // of an application only those are meant that tokens are encrypted with
			if err := setEncryption(a, *in.KeyCredentials.value); err != nil {
				return err
			}
		}
		return encryptWith(a, in.EncryptWith)
	})
	return http.StatusNoContent, nil, err
}

func (h *Handler) updateServicePrincipal(ctx context.Context, r request) (int, any, error) {
	var in struct {
		AccountEnabled            givenBool         `json:"accountEnabled"`
		AppRoleAssignmentRequired givenBool         `json:"appRoleAssignmentRequired"`
		Mode                      given[string]     `json:"preferredSingleSignOnMode"`
		LoginURL                  given[string]     `json:"loginUrl"`
		Thumbprint                given[string]     `json:"preferredTokenSigningKeyThumbprint"`
		Emails                    given[[]string]   `json:"notificationEmailAddresses"`
		AppRoles                  given[*[]appRole] `json:"appRoles"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	err := h.changeApplication(ctx, r, func(a *tenant.Application) error {
		in.Mode.into(&a.SSOMode)
		in.LoginURL.into(&a.SignOnURL)
		if in.Thumbprint.into(&a.ActiveThumbprint); in.Thumbprint.sent {
			a.ActiveThumbprint = strings.ToUpper(a.ActiveThumbprint)
		}
		in.Emails.into(&a.NotificationEmails)
		return errors.Join(setRoles(a, in.AppRoles), in.AccountEnabled.into("accountEnabled", &a.Enabled),
			in.AppRoleAssignmentRequired.into("appRoleAssignmentRequired", &a.AssignmentRequired))
	})
	return http.StatusNoContent, nil, err
}

// addTokenSigningCertificate makes a certificate of up to three years. It signs only once it is
// made active.
func (h *Handler) addTokenSigningCertificate(ctx context.Context, r request) (int, any, error) {
	var in struct {
		DisplayName string     `json:"displayName"`
		EndDateTime *time.Time `json:"endDateTime"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	now := h.Tenant.Now()
	end := now.AddDate(3, 0, 0)
	if in.EndDateTime != nil {
		end = *in.EndDateTime
	}
	if !strings.HasPrefix(in.DisplayName, "CN=") {
		return 0, nil, badRequest("The displayName must start with 'CN='.")
	}
	if end.Before(now) || end.After(now.AddDate(3, 0, 1)) {
		return 0, nil, badRequest("The endDateTime must be within three years.")
	}
	key, err := h.Tenant.NewRSAKey()
	if err != nil {
		return 0, nil, err
	}
	signs, err := saml.Certify(key, now, end)
	if err != nil {
		return 0, nil, err
	}
	stored := h.Tenant.NewSigningKey(key, signs.Certificate, in.DisplayName)
	err = h.changeApplication(ctx, r, func(a *tenant.Application) error {
		a.Keys = append(a.Keys, stored)
		return nil
	})
	out := keyToWire(stored)
	out.Thumbprint = stored.Thumbprint
	return http.StatusOK, out, err
}

func (h *Handler) assignmentToWire(
	ctx context.Context, app tenant.Application, a tenant.Assignment,
) (graph.AppRoleAssignment, error) {
	d, err := h.directoryObject(ctx, tenant.Mark{Kind: a.PrincipalKind, ID: a.PrincipalID})
	name, _ := d["displayName"].(string)
	created := a.CreatedAt
	return graph.AppRoleAssignment{
		ID:                   string(a.ID),
		AppRoleID:            string(a.RoleID),
		PrincipalID:          string(a.PrincipalID),
		PrincipalType:        string(a.PrincipalKind),
		PrincipalDisplayName: name,
		ResourceID:           string(app.ServicePrincipalID),
		ResourceDisplayName:  app.DisplayName,
		CreatedDateTime:      &created,
	}, err
}

func (h *Handler) listAssignments(ctx context.Context, r request) (int, any, error) {
	app, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return h.assignments(ctx, r, tenant.AssignmentQuery{ServicePrincipalID: app.ServicePrincipalID})
}

// listAssignmentsOf lists the same from the other end: those of a user or a group.
func (h *Handler) listAssignmentsOf(ctx context.Context, r request) (int, any, error) {
	id, err := h.principal(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return h.assignments(ctx, r, tenant.AssignmentQuery{PrincipalID: id})
}

// assignments lists assignments, a page at a time; a page costs as many look-ups as it has lines.
func (h *Handler) assignments(ctx context.Context, r request, q tenant.AssignmentQuery) (int, any, error) {
	o, err := options(r, assignmentType())
	if err != nil {
		return 0, nil, err
	}
	all, err := h.Tenant.Assignments(ctx, q)
	if err != nil {
		return 0, nil, err
	}
	objectsOf := h.assignmentObjectsOf(ctx)
	items, total, err := o.collect(func(after string, limit int) ([]object, error) {
		var batch []tenant.Assignment
		for _, a := range all {
			if string(a.ID) > after && len(batch) < limit {
				batch = append(batch, a)
			}
		}
		return objectsOf(batch)
	})
	if err != nil {
		return 0, nil, err
	}
	p := h.answer(r, o, items, nil)
	if o.count && !r.URL.Query().Has("$skiptoken") {
		if !o.narrows() {
			total = len(all)
		}
		p.Count = &total
	}
	return http.StatusOK, p, nil
}

// assignmentObjects are assignments with the names of those whom they are about.
func (h *Handler) assignmentObjects(ctx context.Context, q tenant.AssignmentQuery) ([]object, error) {
	all, err := h.Tenant.Assignments(ctx, q)
	if err != nil {
		return nil, err
	}
	return h.assignmentObjectsOf(ctx)(all[:min(maxExpanded, len(all))])
}

// assignmentObjectsOf makes objects of assignments, and looks up each application once.
func (h *Handler) assignmentObjectsOf(ctx context.Context) func([]tenant.Assignment) ([]object, error) {
	apps := map[tenant.ServicePrincipalID]tenant.Application{}
	return func(list []tenant.Assignment) ([]object, error) {
		var batch []graph.AppRoleAssignment
		for _, a := range list {
			app, known := apps[a.ServicePrincipalID]
			if !known {
				var err error
				if app, err = h.Tenant.Application(ctx, tenant.AnyApplicationID(a.ServicePrincipalID)); err != nil {
					return nil, err
				}
				apps[a.ServicePrincipalID] = app
			}
			w, err := h.assignmentToWire(ctx, app, a)
			if err != nil {
				return nil, err
			}
			batch = append(batch, w)
		}
		return objects(batch), nil
	}
}

func (h *Handler) assign(ctx context.Context, r request) (int, any, error) {
	var in graph.AppRoleAssignment
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if !strings.HasPrefix(r.URL.Path, root+"/servicePrincipals/") { // the same from the other end
		id, err := h.principal(ctx, r)
		if err != nil {
			return 0, nil, err
		}
		r.SetPathValue("id", in.ResourceID)
		in.PrincipalID = string(id)
	}
	app, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	if in.ID != "" || in.CreatedDateTime != nil || in.PrincipalDisplayName != "" || in.ResourceDisplayName != "" {
		return 0, nil, badRequest("The properties 'id', 'createdDateTime', 'principalDisplayName' and " +
			"'resourceDisplayName' of an appRoleAssignment are read-only.")
	}
	if kind := in.PrincipalType; kind != "" {
		m, err := h.Tenant.ObjectKindOf(ctx, tenant.PrincipalID(in.PrincipalID))
		if err == nil && kind != string(m) {
			err = badRequest("The principalType '" + quotable(kind) + "' is not that of the principal.")
		}
		if err != nil {
			return 0, nil, err
		}
	}
	if in.ResourceID != string(app.ServicePrincipalID) {
		return 0, nil, badRequest("The resourceId must be the id of the service principal.")
	}
	a, err := h.Tenant.Assign(
		ctx, r.by, app.ServicePrincipalID, tenant.PrincipalID(in.PrincipalID), tenant.AppRoleID(in.AppRoleID),
	)
	if err != nil {
		return 0, nil, err
	}
	out, err := h.assignmentToWire(ctx, app, a)
	return http.StatusCreated, out, err
}

// principal is the id of the user or the group that the path names.
func (h *Handler) principal(ctx context.Context, r request) (tenant.PrincipalID, error) {
	if strings.HasPrefix(r.URL.Path, root+"/groups/") {
		g, err := h.Tenant.Group(ctx, tenant.GroupID(r.PathValue("id")))
		return tenant.PrincipalID(g.ID), err
	}
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	return tenant.PrincipalID(u.ID), err
}

func (h *Handler) unassign(ctx context.Context, r request) (int, any, error) {
	app, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	id := tenant.AssignmentID(r.PathValue("assignment"))
	return http.StatusNoContent, nil, h.Tenant.Unassign(ctx, r.by, app.ServicePrincipalID, id)
}
