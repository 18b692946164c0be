package server

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// ofTenant is how addresses of a tenant begin, or what stands behind a tenant's name in them.
var (
	ofTenant = []string{
		"/admin", "/myapps", "/login", "/v1.0", "/beta/", "/signin/", "/devicelogin", "/common/", "/organizations/",
	}
	belowTenant = []string{"oauth2", "saml2", "federationmetadata", "discovery"}
)

// wrong says what is wrong with an address that a center does not have: mostly it is the tenant's.
// programs has the addresses of AWS's APIs.
func wrong(c *center.Center, programs *http.ServeMux) func(*http.Request, int) (web.Wrong, bool) {
	return func(r *http.Request, status int) (web.Wrong, bool) {
		switch {
		case status == http.StatusMethodNotAllowed && serves(programs, r):
			return web.Wrong{
				Title: "This address is for programs",
				Lines: []string{
					"The AWS CLI and SDKs use it, by another method than " + r.Method + ".",
					"What to do: begin at the start page, and use the links and buttons there.",
				},
				Answer: map[string]any{
					"__type":  "UnknownOperationException",
					"message": "there is no operation of AWS at this address and method",
				},
			}, true
		case status == http.StatusNotFound && isTenants(r.URL.Path):
			x := tenants(r.URL.Path)
			if there := atTenant(r, c); there != "" {
				x.Link, x.LinkText = there, "Open it at the tenant"
			}
			return x, true
		default:
			return web.Wrong{}, false
		}
	}
}

// serves says whether a mux has an address by some method.
func serves(mux *http.ServeMux, r *http.Request) bool {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPatch} {
		other := *r
		other.Method = method
		if _, pattern := mux.Handler(&other); pattern != "" {
			return true
		}
	}
	return false
}

func isTenants(path string) bool {
	for _, of := range ofTenant {
		if strings.HasPrefix(path, of) {
			return true
		}
	}
	parts := strings.SplitN(strings.ToLower(path), "/", 4)
	for _, of := range belowTenant {
		if len(parts) > 1 && parts[1] == of || len(parts) > 2 && parts[2] == of {
			return true
		}
	}
	return false
}

// atTenant is the address of the same page at the tenant by which people sign in; "" when none is
// known. Only its path comes from the request: the host is the one that an administrator has
// configured, to which every sign-in leads anyway.
func atTenant(r *http.Request, c *center.Center) string {
	if r.Method != http.MethodGet {
		return ""
	}
	source, err := c.Source(r.Context())
	if err != nil || source.Type != center.ExternalIdP || source.IdP == nil { // the page is worth more than its link
		return ""
	}
	at, err := url.Parse(cmp.Or(source.IdP.SignInURL, source.IdP.SignInPOST))
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" ||
		!strings.HasSuffix(at.Path, "/saml2") || strings.Contains(at.Host, "microsoftonline") {
		return "" // Microsoft has its admin center elsewhere
	}
	return (&url.URL{Scheme: at.Scheme, Host: at.Host, Path: r.URL.Path}).String()
}

// tenants is said of an address of the tenant.
func tenants(path string) web.Wrong {
	const (
		what = "This is an identity center. The address looks like one of the tenant that signs people in, such as " +
			"its admin center, sign-in page or Microsoft Graph."
		remedy = "use the same path at the tenant’s own host and port. Whoever runs the tenant knows them."
	)
	const whole = what + " What to do: " + remedy
	x := web.Wrong{
		Title:  "This address belongs to the tenant",
		Lines:  []string{what, "What to do: " + remedy},
		Answer: map[string]any{"error": "invalid_request", "error_description": whole},
	}
	if strings.HasPrefix(path, "/v1.0") || strings.HasPrefix(path, "/beta/") { // Graph has its own form
		x.Answer = map[string]any{"error": map[string]any{"code": "ResourceNotFound", "message": whole}}
	}
	return x
}
