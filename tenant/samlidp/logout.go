package samlidp

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// logoutIssuer begins the issuer of logout responses, which is another one than that of assertions.
// Source: single sign-out SAML protocol.
const logoutIssuer = "https://login.microsoftonline.com/"

// logout ends the browser's session and answers the service provider at its logout URL. The NameID
// is not looked at, as Entra does not. Other service providers are not told.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request, param string) {
	request, err := saml.ParseLogout(param)
	if err != nil {
		h.fail(w, r, "", &refusal.Error{Code: tenant.LogoutInvalid, Detail: err.Error()})
		return
	}
	a, err := h.Tenant.ApplicationByIdentifier(r.Context(), request.Issuer)
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	age := h.Tenant.Now().Sub(request.IssueInstant)
	wrong := h.wrongDestination(r, request.Destination, request.Signed)
	switch {
	case wrong != "":
		err = &refusal.Error{Code: tenant.LogoutInvalid, Subject: a.DisplayName, Detail: wrong}
	case !saml.ValidID(request.ID):
		err = &refusal.Error{Code: tenant.LogoutInvalid, Subject: a.DisplayName, Detail: "the ID is no NCName"}
	case age > requestAge || age < -saml.Skew, // and SAML core §3.7.1
		!request.NotOnOrAfter.IsZero() && !h.Tenant.Now().Before(request.NotOnOrAfter.Add(saml.Skew)):
		err = &refusal.Error{Code: tenant.LogoutExpired, Subject: a.DisplayName}
	}
	var to string
	if err == nil {
		to, err = h.signedOut(a, request.ID, r.URL.Query().Get("RelayState"))
	}
	if err == nil { // last: who gets no answer has not signed out
		err = h.EndSession(w, r)
	}
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	http.Redirect(w, r, to, http.StatusFound) // #nosec G710 -- an address that the application registered
}

// signedOut is where the browser goes with the answer, signed by the key of the application's
// responses.
func (h *Handler) signedOut(a tenant.Application, requestID, relayState string) (string, error) {
	to, err := a.SignedOutURL()
	if err != nil {
		return "", err
	}
	key, err := h.key(a)
	if err != nil {
		return "", err
	}
	issuer := logoutIssuer + h.Tenant.Organization.ID + "/"
	return saml.LogoutResponseURL(to, issuer, requestID, relayState, h.Tenant.Now(), key)
}
