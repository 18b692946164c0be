package oauth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/web"
)

// ofTenants are the paths below a tenant's name, here and at the SAML door.
var ofTenants = []string{"oauth2", "saml2", "federationmetadata", "discovery", "v2.0"}

// trouble is Entra's title of a page for somebody whom a program has sent here with a mistake.
const trouble = "Sorry, but we’re having trouble signing you in"

// Wrong says what is wrong with an address that looks like one below a tenant's name, as Entra
// does. Source: "Microsoft Entra authentication and authorization error codes", AADSTS90002,
// AADSTS900561.
func (h *Handler) Wrong(r *http.Request, status int) (web.Wrong, bool) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	first, _, _ := strings.Cut(rest, "/")
	below := slices.ContainsFunc(ofTenants, func(of string) bool { return strings.EqualFold(of, first) })
	bare := slices.ContainsFunc(ofTenants[:3], func(of string) bool { return strings.EqualFold(of, name) })
	ours := slices.ContainsFunc(
		append([]string{"common", "organizations"}, h.Tenant.PathSegments()...),
		func(of string) bool { return strings.EqualFold(of, name) },
	)
	id := h.Tenant.Organization.ID
	switch {
	case status == http.StatusMethodNotAllowed && below && strings.HasPrefix(rest, "oauth2/") &&
		!strings.HasSuffix(rest, "/authorize"): // that one takes GET too
		return h.wrong(r, "invalid_request", 900561, fmt.Sprintf(
			"The endpoint only accepts POST requests. Received a %s request.", printable(r.Method),
		), "begin at the start page to sign in. Programs ask here for tokens."), true
	case status == http.StatusNotFound && below && !ours && !bare:
		return h.wrong(r, "invalid_tenant", 90002, fmt.Sprintf(
			"Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the "+
				"correct cloud.", printable(name),
		), "tell whoever set up the program or the application that sent you to name the tenant that answers here, "+
			id+"."), true
	case status == http.StatusNotFound && bare:
		return h.wrong(r, "invalid_request", 900144, "The address has no tenant identifier.",
			"put it in front of the path: /"+id+r.URL.Path), true
	default:
		return web.Wrong{}, false
	}
}

func (h *Handler) wrong(r *http.Request, code string, number int, text, remedy string) web.Wrong {
	return web.Wrong{
		Title:  trouble,
		Lines:  []string{fmt.Sprintf("AADSTS%d: %s", number, text), "What to do: " + remedy},
		Status: http.StatusBadRequest,
		Answer: h.problem(r, code, number, text),
	}
}
