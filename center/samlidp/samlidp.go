// Package samlidp is the center's door for custom SAML 2.0 applications, whose identity provider
// the center is: the metadata of each, the sign-ins that they ask for, and those that begin in the
// access portal.
//
// It may import audit, center, refusal, saml and web.
package samlidp

import (
	"embed"
	"encoding/base64"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves SAML applications.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	// RequireUser hands over the signed-in user, or sends the browser to sign in. The sign-in door
	// provides it.
	RequireUser func(func(http.ResponseWriter, *http.Request, center.User)) http.Handler
	// SessionSecret is the secret of the portal session that a request comes with. The sign-in door
	// provides it.
	SessionSecret func(*http.Request) string
	pages         *web.Pages
}

const (
	// signInPath is the sign-in door's, which forces a new sign-in when it is asked to.
	signInPath = "/platform/login"

	requestAge = 10 * time.Minute //bound:life a request of a SAML application, since it was issued
	validity   = 5 * time.Minute  //bound:life an assertion for a SAML application
)

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	mux.HandleFunc("GET "+center.SAMLMetadataPath+"{app}", h.metadata)
	mux.HandleFunc("GET "+center.SAMLPath+"{app}", h.signOn)
	mux.HandleFunc("POST "+center.SAMLPath+"{app}", h.posted) // a cross-site POST by design
}

// formats are the names of the formats on the wire.
var formats = map[string]string{
	"unspecified":  saml.FormatUnspecified,
	"emailAddress": saml.FormatEmail,
	"persistent":   saml.FormatPersistent,
	"transient":    saml.FormatTransient,
}

// attributeFormats begins the names of attributes' formats (SAML core §8.2).
const attributeFormats = "urn:oasis:names:tc:SAML:2.0:attrname-format:"

// Metadata writes the metadata of the center as the identity provider of an application. The
// console offers it too.
func Metadata(c *center.Center, a center.Application, signer center.Signer) ([]byte, error) {
	format := center.DefaultSubject.Format
	if a.SAML != nil {
		format = a.SAML.Subject.Format
	}
	address := c.URL + center.SAMLPath + a.ID()
	return saml.IdentityProviderMetadata(saml.IdentityProvider{
		EntityID:     address,
		SignInURL:    address,
		SignInPOST:   address,
		NameIDFormat: formats[format],
	}, saml.SigningKey(signer))
}

func (h *Handler) metadata(w http.ResponseWriter, r *http.Request) {
	a, signer, err := h.Center.SAMLSigner(r.Context(), r.PathValue("app"))
	var data []byte
	if err == nil {
		data, err = Metadata(h.Center, a, signer)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Header().Set("Content-Disposition", `attachment; filename="gatehouse-idp-metadata.xml"`)
	_, _ = w.Write(data) // #nosec G705 -- XML that was written by etree, and no HTML
}

// posted takes a request by the HTTP-POST binding. The session's cookie does not come along with a
// cross-site POST, so that the browser goes on with the request in an address.
func (h *Handler) posted(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, saml.MaxMessage*2)
	request, err := saml.ParsePOST(r.PostFormValue("SAMLRequest"))
	h.requested(w, r, request, err, r.PostFormValue("RelayState"))
}

// signOn signs somebody in to an application: as it has asked for, as it has asked for before the
// person signed in here, or because the person has opened it in the portal.
func (h *Handler) signOn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if param := q.Get("SAMLRequest"); param != "" {
		request, err := saml.ParseRedirect(param)
		h.requested(w, r, request, err, q.Get("RelayState"))
		return
	}
	arn := h.Center.ApplicationARN(r.PathValue("app"))
	var waiting center.SAMLRequest // none: the person opens the application in the portal
	if sealed := q.Get("request"); sealed != "" {
		var err error
		if waiting, err = h.Center.OpenSAMLRequest(arn, sealed); err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	at, err := h.Center.SignedInAt(r.Context(), h.SessionSecret(r))
	again := err != nil || waiting.Force && at.Before(waiting.AskedAt)
	switch {
	case err != nil && refusal.CodeOf(err) != center.SessionInvalid:
		h.fail(w, r, err)
	case again && waiting.Passive:
		h.noPassive(w, r, waiting)
	case again && waiting.Force:
		to := url.Values{"force": {"true"}, "return": {r.URL.RequestURI()}}
		http.Redirect(w, r, signInPath+"?"+to.Encode(), http.StatusSeeOther)
	default:
		h.RequireUser(func(w http.ResponseWriter, r *http.Request, _ center.User) {
			h.respond(w, r, waiting)
		}).ServeHTTP(w, r)
	}
}

// requested checks a request of an application and has the browser go on with what matters of it.
// A signature is not looked at: the response goes to the address that an administrator has entered,
// whoever asks.
func (h *Handler) requested(
	w http.ResponseWriter, r *http.Request, request saml.AuthnRequest, err error, relayState string,
) {
	a, _, found := h.Center.SAMLSigner(r.Context(), r.PathValue("app"))
	if found != nil {
		h.fail(w, r, found)
		return
	}
	if err == nil && a.SAML == nil {
		h.refuse(w, r, &refusal.Error{Code: center.SAMLNotConfigured, Subject: a.ARN})
		return
	}
	detail := ""
	if err != nil {
		detail = err.Error()
	} else {
		detail = h.wrong(a, request, r.URL.Query().Get("Signature") != "")
	}
	if detail != "" {
		h.refuse(w, r, &refusal.Error{Code: center.SAMLRequestInvalid, Subject: a.ARN, Detail: detail})
		return
	}
	sealed, err := h.Center.SealSAMLRequest(r.Context(), center.SAMLRequest{
		ARN:        a.ARN,
		ID:         request.ID,
		RelayState: relayState,
		Passive:    request.IsPassive,
		Force:      request.ForceAuthn,
	})
	if refusal.KindOf(err) == refusal.Unavailable {
		h.fail(w, r, err)
		return
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	// #nosec G710 -- an address on this site
	http.Redirect(w, r, center.SAMLPath+a.ID()+"?"+url.Values{"request": {sealed}}.Encode(), http.StatusSeeOther)
}

// wrong says why a request cannot be answered; empty: nothing is wrong.
func (h *Handler) wrong(a center.Application, request saml.AuthnRequest, signed bool) string {
	here := h.Center.URL + center.SAMLPath + a.ID()
	age := h.Center.Now().Sub(request.IssueInstant)
	switch {
	case request.Issuer != a.SAML.Audience:
		return "the Issuer is " + request.Issuer + ": expected " + a.SAML.Audience
	case request.ACSURL != "" && request.ACSURL != a.SAML.ACSURL:
		return "the AssertionConsumerServiceURL is " + request.ACSURL + ": expected " + a.SAML.ACSURL
	case request.Binding != "" && request.Binding != saml.BindingPOST:
		return "the ProtocolBinding is " + request.Binding + ": expected " + saml.BindingPOST
	// One that was meant for another identity provider is of no use here; where a message is not
	// signed it may be left out (SAML bindings §3.4.5.2 and §3.5.5.2).
	case request.Destination != here && (request.Destination != "" || request.Signed || signed):
		return "the Destination is " + request.Destination + ": expected " + here
	case !saml.ValidID(request.ID):
		return "the ID is no NCName"
	case request.HasSubject:
		return "a Subject is not supported"
	case age > requestAge || age < -saml.Skew:
		return "it was issued at " + request.IssueInstant.Format(time.RFC3339)
	}
	return ""
}

// respond posts an assertion to the application.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, request center.SAMLRequest) {
	a, signer, err := h.Center.SAMLSigner(r.Context(), r.PathValue("app"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	in, err := h.Center.SignInToApplication(r.Context(), h.actor(r), h.SessionSecret(r), a.ARN)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	s := saml.Statement{
		Issuer:       h.Center.URL + center.SAMLPath + a.ID(),
		Audience:     in.Audience,
		ACSURL:       in.ACSURL,
		InResponseTo: request.ID,
		NameID:       in.NameID,
		NameIDFormat: formats[in.Subject.Format],
		AuthnInstant: in.SignedInAt,
		SessionUntil: in.Until,
		Class:        saml.ClassUnspecified, // of a sign-in elsewhere nothing is known
		Now:          h.Center.Now(),
		Validity:     validity,
	}
	for _, at := range in.Attributes {
		s.Attributes = append(s.Attributes, saml.Attribute{
			Name: at.Name, NameFormat: attributeFormats + at.Format, Values: at.Values,
		})
	}
	response, err := saml.Response(s, saml.SigningKey(signer))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	relayState := request.RelayState
	if request.ID == "" {
		relayState = in.RelayState
	}
	h.post(w, a, in.ACSURL, response, relayState)
}

// noPassive tells the application that the person would have to be asked.
func (h *Handler) noPassive(w http.ResponseWriter, r *http.Request, request center.SAMLRequest) {
	a, signer, err := h.Center.SAMLSigner(r.Context(), r.PathValue("app"))
	if err == nil && a.SAML == nil {
		err = &refusal.Error{Code: center.SAMLNotConfigured, Subject: a.ARN}
	}
	var response []byte
	if err == nil {
		response, err = saml.NoPassive(saml.Statement{
			Issuer:       h.Center.URL + center.SAMLPath + a.ID(),
			ACSURL:       a.SAML.ACSURL,
			InResponseTo: request.ID,
			Now:          h.Center.Now(),
		}, saml.SigningKey(signer))
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.post(w, a, a.SAML.ACSURL, response, request.RelayState)
}

type postData struct{ Name, URL, Response, RelayState string }

func (h *Handler) post(w http.ResponseWriter, a center.Application, acs string, response []byte, relayState string) {
	d := postData{a.Name, acs, base64.StdEncoding.EncodeToString(response), relayState}
	h.pages.RenderPosting(w, http.StatusOK, "post", h.view("Opening an application", d), acs)
}

func (h *Handler) view(title string, data any) web.View { return web.PortalPage("", title, data) }

func (h *Handler) actor(r *http.Request) audit.Actor {
	return audit.Actor{Kind: audit.User, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// refuse records why a request is not answered, and says so.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	h.fail(w, r, h.Center.Refuse(r.Context(), by, center.ActionFederate.String(), "", err))
}

// fail tells the person that something was refused. The details are in the audit log under the
// reference.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	title, status := "No access", http.StatusForbidden
	text := "This application is not assigned to you. Ask an administrator for the assignment."
	code := refusal.CodeOf(err)
	switch {
	case code == center.ApplicationNotFound:
		title, status = "Not found", http.StatusNotFound
		text = "There is no such application."
	case code == center.ApplicationDisabled:
		text = "This application is disabled."
	case code == center.SAMLNotConfigured || code == center.SAMLSubjectMissing:
		text = "This application is not set up for you yet. Give your administrator this reference."
	case code == center.SessionInvalid:
		text = "Your session has ended. Sign in again."
	case code.Kind() == refusal.Invalid:
		title, status = "The application's request is not valid", http.StatusBadRequest
		text = "Open the application again. If the error persists, give your administrator this reference."
	case code.Kind() == refusal.Unavailable:
		title, text = web.UnavailableTitle, web.Unavailable
		status = http.StatusServiceUnavailable
	case code == refusal.None:
		title, status = "Something went wrong", http.StatusInternalServerError
		text = "Something went wrong on our side. Try again."
		h.Log.ErrorContext(r.Context(), "SAML application", "request_id", web.RequestID(r), "error", err)
	}
	h.pages.Render(w, status, "message", h.view(title, web.Message{
		Title:     title,
		Lines:     []string{text},
		Reference: web.RequestID(r),
		Link:      "/start/applications",
		LinkText:  "Back to your applications",
	}))
}
