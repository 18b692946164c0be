package oauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// graphAppID names Microsoft Graph as a resource too. Source: first-party application ids.
const graphAppID = "00000003-0000-0000-c000-000000000000"

// The audiences of access tokens. Programs name a resource with a slash at its end or without one,
// and the token says it as they did.
var (
	graphAudiences      = jwt.Audience{graphResource, graphResource + "/", graphAppID}
	managementAudiences = jwt.Audience{
		"https://management.azure.com", "https://management.azure.com/",
		"https://management.core.windows.net", "https://management.core.windows.net/",
	}
)

// audience is what a scope that ends in /.default asks a token for: of a resource that ends in a
// slash, two of them stand in it. It fails with ScopeNotDefault or ResourceUnknown. Source: "Scopes
// and permissions in the Microsoft identity platform", trailing slash and .default.
func (h *Handler) audience(scope string) (string, error) {
	resource, ok := strings.CutSuffix(scope, "/.default")
	switch {
	case !ok:
		return "", &refusal.Error{Code: tenant.ScopeNotDefault}
	case resource == h.Tenant.URL, resource == h.Tenant.URL+"/":
		return graphResource, nil
	case slices.Contains(graphAudiences, resource), slices.Contains(managementAudiences, resource):
		return resource, nil
	}
	return "", &refusal.Error{Code: tenant.ResourceUnknown, Subject: printable(resource)}
}

// delegatedAudience is what a program that acts for a person asks a token for: by the scope of the
// request, or of what was allowed.
func (h *Handler) delegatedAudience(r *http.Request, g tenant.Grant) string {
	for _, s := range append(strings.Fields(r.PostForm.Get("scope")), g.Scopes...) {
		if audience, err := h.audience(s); err == nil {
			return audience
		}
		if !slices.Contains(openID, s) {
			break
		}
	}
	return graphResource
}

// forAudience makes the claims those of a token for a resource. The permissions of Graph are good
// at Graph only.
func forAudience(claims map[string]any, audience string) map[string]any {
	claims["aud"] = audience
	if slices.Contains(graphAudiences, audience) {
		return claims
	}
	delete(claims, "roles")
	if _, delegated := claims["scp"]; delegated {
		claims["scp"] = "user_impersonation"
	}
	return claims
}

// mountAzure adds what Azure's command line and Terraform's providers ask beside tokens and Graph:
// where everything is, and which subscriptions there are, of which a tenant here has none. The path
// of a directory federation server is there since MSAL asks Microsoft about every other authority
// that it does not know.
func (h *Handler) mountAzure(mux *http.ServeMux) {
	mux.HandleFunc("GET /adfs/.well-known/openid-configuration", h.configuration)
	mux.HandleFunc("GET /metadata/endpoints", h.endpoints)
	mux.HandleFunc("GET /subscriptions", h.managed(func() any { return []any{} }))
	mux.HandleFunc("GET /tenants", h.managed(func() any {
		o := h.Tenant.Organization
		return []any{map[string]any{
			"id": "/tenants/" + o.ID, "tenantId": o.ID, "displayName": o.DisplayName, "domains": []string{o.Domain},
			"defaultDomain": o.Domain, "tenantCategory": "Home",
		}}
	}))
}

// managed answers a list of Azure Resource Manager, for whoever has a token of the tenant.
func (h *Handler) managed(list func() any) http.HandlerFunc {
	audiences := slices.Concat(graphAudiences, managementAudiences)
	return func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if _, err := h.authenticate(r.Context(), token, audiences); err != nil {
			status, code := http.StatusUnauthorized, "InvalidAuthenticationToken"
			if s := failed(refusal.CodeOf(err)); s != 0 {
				status, code = s, "ServiceUnavailable"
			}
			writeJSON(w, status, map[string]any{"error": map[string]string{
				"code": code, "message": "The access token is invalid.",
			}})
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"value": list()})
	}
}

// endpoints says where everything is, in the words of each version of the document: the first is of
// az cloud register, the second lists all clouds, and the newest is of Terraform's providers. In
// the older ones the authority is called a federation server (see mountAzure). Source: what clients
// read of management.azure.com/metadata/endpoints.
func (h *Handler) endpoints(w http.ResponseWriter, r *http.Request) {
	here := h.Tenant.URL + "/"
	version := r.URL.Query().Get("api-version")
	authentication := map[string]any{
		"loginEndpoint":    here,
		"audiences":        []string{here},
		"tenant":           h.Tenant.Organization.ID,
		"identityProvider": "AAD",
	}
	if version < "2022" {
		authentication["loginEndpoint"], authentication["identityProvider"] = here+"adfs", "ADFS"
	}
	all := map[string]any{
		"name":                     "Gatehouse",
		"portal":                   h.Tenant.AdminCenterURL(),
		"authentication":           authentication,
		"resourceManager":          here,
		"graph":                    here,
		"graphAudience":            here,
		"microsoftGraphResourceId": here,
		"suffixes":                 map[string]string{},
	}
	switch {
	case version == "":
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": map[string]string{
			"code":    "MissingApiVersionParameter",
			"message": "The api-version query parameter (?api-version=) is required for all requests.",
		}})
	case version < "2019":
		writeJSON(w, http.StatusOK, map[string]any{
			"galleryEndpoint": here, "graphEndpoint": here, "portalEndpoint": h.Tenant.AdminCenterURL(),
			"authentication": authentication,
		})
	case version < "2022":
		writeJSON(w, http.StatusOK, []any{all})
	default:
		writeJSON(w, http.StatusOK, all)
	}
}
