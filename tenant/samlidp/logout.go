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
	case request.ID[0] >= '0' && request.ID[0] <= '9':
		err = &refusal.Error{Code: tenant.LogoutInvalid, Subject: a.DisplayName, Detail: "the ID begins with a digit"}
	case age > requestAge || age < -saml.Skew, // and SAML core §3.7.1
		!request.NotOnOrAfter.IsZero() && !h.Tenant.Now().Before(request.NotOnOrAfter.Add(saml.Skew)):
		err = &refusal.Error{Code: tenant.LogoutExpired, Subject: a.DisplayName}
	}
	var answerTo string
	if err == nil {
		answerTo, err = a.SignedOutURL()
	}
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	if err := h.EndSession(w, r); err != nil {
		h.fail(w, r, "", err)
		return
	}
	to, err := saml.LogoutResponseURL(answerTo, logoutIssuer+h.Tenant.Organization.ID+"/", request.ID,
		r.URL.Query().Get("RelayState"), h.Tenant.Now())
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	http.Redirect(w, r, to, http.StatusFound) // #nosec G710 -- an address that the application registered
}
