package server

import (
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenant/oauth"
	"github.com/gatehouse-id/gatehouse/web"
)

// ofCenter is how addresses of a center begin that a tenant has nothing at.
var ofCenter = []string{
	"/console", "/start", "/platform/", "/saml/", "/scim/", "/client/", "/device_authorization", "/token", "/v1/",
	"/authorize", "/federation/", "/assignment/",
}

// wrong says what is wrong with an address that this tenant does not have: mostly it is another
// tenant's, or the center's.
func wrong(tokens *oauth.Handler) func(*http.Request, int) (web.Wrong, bool) {
	return func(r *http.Request, status int) (web.Wrong, bool) {
		if x, known := tokens.Wrong(r, status); known || status != http.StatusNotFound {
			return x, known
		}
		path := r.URL.Path
		scim := strings.Contains(path, "/scim/v2")
		for _, of := range ofCenter {
			scim = scim || of == "/scim/" && strings.HasPrefix(path, of)
			if strings.HasPrefix(path, of) || scim {
				return centers(tokens.Tenant.Organization.DisplayName, scim), true
			}
		}
		return web.Wrong{}, false
	}
}

// centers is said of an address of the center.
func centers(name string, scim bool) web.Wrong {
	const remedy = "use the same path at the center’s own host and port. Whoever runs the center knows them."
	what := "This is the tenant of " + name + ", which signs people in. The address looks like one of an identity " +
		"center, such as its console, access portal or SCIM endpoint."
	x := web.Wrong{
		Title: "This address belongs to the identity center",
		Lines: []string{what, "What to do: " + remedy},
	}
	if scim {
		x.ContentType = "application/scim+json"
		x.Answer = map[string]any{
			"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
			"status":  "404",
			"detail":  what + " What to do: " + remedy,
		}
	}
	return x
}
