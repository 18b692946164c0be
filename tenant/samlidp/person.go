package samlidp

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// askedParameter remembers in the URL that the browser comes back to, sealed, when the person was
// asked to sign in again.
const askedParameter = "asked"

// person is who signs in to an application: of the browser's session, or of a new one where the
// request forces a sign-in. Without ok the browser has been answered: it was sent to sign in or,
// when the request is passive, back to the service provider.
func (h *Handler) person(
	w http.ResponseWriter, r *http.Request, request saml.AuthnRequest, a tenant.Application, acs string,
) (tenant.SignedIn, bool) {
	in, err := h.User(r)
	if err != nil && refusal.CodeOf(err) != tenant.SessionInvalid {
		return h.RequireUser(w, r, r.URL.RequestURI()) // which answers for it
	}
	asked := h.Tenant.AskedAt(request.ID, r.URL.Query().Get(askedParameter))
	if err == nil && (!request.ForceAuthn || (!asked.IsZero() && !in.Session.CreatedAt.Before(asked))) {
		return in, true
	}
	switch {
	case request.IsPassive:
		h.noPassive(w, r, request, a, acs)
	case request.ForceAuthn:
		back := *r.URL
		if asked.IsZero() {
			mark, err := h.Tenant.SealAsked(r.Context(), request.ID)
			if err != nil {
				h.fail(w, r, in.User.UserPrincipalName, err)
				return in, false
			}
			q := back.Query()
			q.Set(askedParameter, mark)
			back.RawQuery = q.Encode()
		}
		to := url.Values{"return": {back.RequestURI()}, "login_hint": {in.User.UserPrincipalName}}
		http.Redirect(w, r, "/login?"+to.Encode(), http.StatusSeeOther)
	default:
		return h.RequireUser(w, r, r.URL.RequestURI())
	}
	return in, false
}

// noPassive tells the service provider that the person would have to be asked.
func (h *Handler) noPassive(
	w http.ResponseWriter, r *http.Request, request saml.AuthnRequest, a tenant.Application, acs string,
) {
	key, err := h.key(a)
	var response []byte
	if err == nil {
		response, err = saml.NoPassive(
			saml.Statement{Issuer: h.Tenant.Issuer(), ACSURL: acs, InResponseTo: request.ID, Now: h.Tenant.Now()},
			key,
		)
	}
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	h.post(w, a, acs, response, r.URL.Query().Get("RelayState"))
}

// fitsClasses says whether a session is of one of the requested classes of authentication: one by
// password only is of those of passwords, one with a second factor of none that can be named.
// Source: SAML protocol page, and AADSTS75011.
func fitsClasses(classes []string, s tenant.Session) bool {
	password := !slices.Contains(s.Methods, tenant.MethodMultiple)
	return len(classes) == 0 || slices.ContainsFunc(classes, func(class string) bool {
		return class == saml.ClassUnspecified ||
			(password && (class == saml.ClassPassword || class == saml.ClassPasswordProtected))
	})
}
