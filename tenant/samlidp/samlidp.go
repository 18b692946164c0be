// Package samlidp is the tenant's door for SAML 2.0: the single sign-on service as Entra ID's,
// sign-in that starts here, and the federation metadata document of each application.
//
// Sources: Entra's SAML protocol page, and real responses and metadata.
//
// It may import audit, refusal, saml, tenant and web.
package samlidp

import (
	"crypto/x509"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves SAML.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	// User returns the signed-in person and the session, or SessionInvalid; RequireUser hands them
	// over, or sends the browser to sign in and back. The login door provides it.
	User        func(r *http.Request) (tenant.SignedIn, error)
	RequireUser func(w http.ResponseWriter, r *http.Request, returnTo string) (in tenant.SignedIn, ok bool)
	// EndSession signs the browser out. The login door provides it.
	EndSession func(w http.ResponseWriter, r *http.Request) error
	pages      *web.Pages
}

// requestAge is how old a request may be. Entra has such a limit (AADSTS76026); its value is not
// documented.
const requestAge = 10 * time.Minute //bound:life an AuthnRequest

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	for _, tenant := range h.Tenant.PathSegments() {
		mux.HandleFunc("GET /"+tenant+"/federationmetadata/2007-06/federationmetadata.xml", h.metadata)
		// both spellings occur
		mux.HandleFunc("GET /"+tenant+"/FederationMetadata/2007-06/FederationMetadata.xml", h.metadata)
		mux.HandleFunc("GET /"+tenant+"/saml2", h.redirected)
		mux.HandleFunc("POST /"+tenant+"/saml2", h.posted) // a cross-site POST by design
	}
	mux.Handle("GET /signin/{app}", web.Guard(h.Tenant.URL, http.HandlerFunc(h.unsolicited)))
}

func (h *Handler) key(a tenant.Application) (saml.SigningKey, error) {
	signer, err := h.Tenant.Signer(a)
	return saml.SigningKey(signer), err
}

// Metadata writes the federation metadata of an application. The admin center offers it too.
func (h *Handler) Metadata(a tenant.Application) ([]byte, error) {
	key, err := h.key(a)
	if err != nil {
		return nil, err
	}
	return h.federationMetadata(key)
}

// tenantMetadata writes the federation metadata of the tenant: as in Entra ID it has the same
// entity id and addresses as those of applications, and another key, so that a service provider
// that was given it refuses every sign-in.
func (h *Handler) tenantMetadata() ([]byte, error) {
	signer, err := h.Tenant.TokenSigner()
	if err != nil {
		return nil, err
	}
	return h.federationMetadata(saml.SigningKey(signer))
}

func (h *Handler) federationMetadata(key saml.SigningKey) ([]byte, error) {
	idp := saml.IdentityProvider{
		EntityID:   h.Tenant.Issuer(),
		SignInURL:  h.Tenant.SignInURL(),
		SignInPOST: h.Tenant.SignInURL(),
	}
	return saml.FederationMetadata(idp, h.Tenant.URL+"/"+h.Tenant.Organization.ID+"/wsfed", key)
}

func (h *Handler) metadata(w http.ResponseWriter, r *http.Request) {
	var data []byte
	var err error
	if appID := r.URL.Query().Get("appid"); appID != "" {
		var a tenant.Application
		if a, err = h.Tenant.Application(r.Context(), tenant.AnyApplicationID(appID)); err == nil {
			data, err = h.Metadata(a)
		}
	} else {
		data, err = h.tenantMetadata()
	}
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml; charset=utf-8")
	_, _ = w.Write(data) // #nosec G705 -- XML that was written by etree, and no HTML
}

// posted takes a request by the POST binding to the Redirect binding's URL, so that signing in on
// the way does not lose it.
func (h *Handler) posted(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, saml.MaxMessage*2)
	param, err := saml.ToRedirect(r.PostFormValue("SAMLRequest"))
	if err != nil {
		h.fail(w, r, "", unreadable(err))
		return
	}
	q := url.Values{"SAMLRequest": {param}}
	if state := r.PostFormValue("RelayState"); state != "" {
		q.Set("RelayState", state)
	}
	// #nosec G710 -- the path that was matched, on this site
	http.Redirect(w, r, r.URL.Path+"?"+q.Encode(), http.StatusSeeOther)
}

func (h *Handler) redirected(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("SAMLRequest") == "" {
		h.fail(w, r, "", &refusal.Error{Code: tenant.RequestWithoutSAML})
		return
	}
	if saml.IsLogout(q.Get("SAMLRequest")) {
		h.logout(w, r, q.Get("SAMLRequest"))
		return
	}
	request, err := saml.ParseRedirect(q.Get("SAMLRequest"))
	if err != nil {
		h.fail(w, r, "", unreadable(err))
		return
	}
	accepted, err := h.accept(r, request)
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	a, acs := accepted.Application, accepted.acs
	in, ok := h.person(w, r, request, a, acs)
	if !ok {
		return
	}
	if !request.ForceAuthn && !fitsClasses(request.Contexts, in.Session) {
		h.fail(
			w,
			r,
			in.User.UserPrincipalName,
			&refusal.Error{
				Code:   tenant.ContextMismatch,
				Detail: strings.Join(in.Session.Methods, ", ") + " instead of " + strings.Join(request.Contexts, ", "),
			},
		)
		return
	}
	// The audience is the identifier by which the request named the application.
	h.respond(
		w,
		r,
		a,
		in,
		saml.Statement{
			Audience:     audience(request.Issuer),
			ACSURL:       acs,
			InResponseTo: request.ID,
			NameIDFormat: request.NameIDFormat,
		},
		q.Get("RelayState"),
	)
}

// unreadable is why a message is not read.
func unreadable(err error) error {
	code := tenant.SAMLInvalid
	switch {
	case errors.Is(err, saml.ErrEncoding):
		code = tenant.SAMLNotBase64
	case errors.Is(err, saml.ErrDeflate):
		code = tenant.SAMLNotDeflated
	}
	return &refusal.Error{Code: code, Detail: err.Error()}
}

// audience is the issuer as registered; one that is no URI is given Entra's prefix.
func audience(issuer string) string {
	if !strings.Contains(issuer, ":") {
		return "spn:" + issuer
	}
	return issuer
}

var nameIDFormats = []string{"", saml.FormatEmail, saml.FormatUnspecified, saml.FormatPersistent, saml.FormatTransient}

// wrongDestination says what is wrong with the Destination of a message that has come here; empty:
// nothing. It must be where the message has arrived, so that one that was meant for another
// identity provider is of no use here; where a message is not signed it may be left out (SAML
// bindings §3.4.5.2 and §3.5.5.2).
func (h *Handler) wrongDestination(r *http.Request, destination string, signed bool) string {
	signed = signed || r.URL.Query().Get("Signature") != ""
	switch {
	case destination == "" && signed:
		return "the message is signed and has no Destination: expected " + h.Tenant.SignInURL()
	case destination == "":
		return ""
	}
	for _, name := range h.Tenant.PathSegments() {
		if destination == h.Tenant.URL+"/"+name+"/saml2" {
			return ""
		}
	}
	return "the Destination is " + destination + ": expected " + h.Tenant.SignInURL()
}

// accepted is the application that a request is of, and where its response goes.
type accepted struct {
	tenant.Application
	acs string
}

// accept applies Entra's rules for requests. Source: SAML protocol page.
func (h *Handler) accept(r *http.Request, request saml.AuthnRequest) (accepted, error) {
	a, err := h.Tenant.ApplicationByIdentifier(r.Context(), request.Issuer)
	if err != nil {
		return accepted{}, err
	}
	age := h.Tenant.Now().Sub(request.IssueInstant)
	wrong := h.wrongDestination(r, request.Destination, request.Signed)
	switch {
	case wrong != "":
		return accepted{}, &refusal.Error{Code: tenant.DestinationUnexpected, Detail: wrong}
	case !saml.ValidID(request.ID):
		return accepted{}, &refusal.Error{Code: tenant.SAMLIDInvalid, Detail: request.ID}
	case request.Binding != "" && request.Binding != saml.BindingPOST:
		return accepted{}, &refusal.Error{Code: tenant.BindingUnsupported, Detail: request.Binding}
	case request.HasSubject:
		return accepted{}, &refusal.Error{Code: tenant.SAMLInvalid, Detail: "the Subject is not supported"}
	case request.Comparison != "" && request.Comparison != "exact":
		return accepted{}, &refusal.Error{
			Code:   tenant.SAMLInvalid,
			Detail: "the Comparison of RequestedAuthnContext must be exact",
		}
	case !slices.Contains(nameIDFormats, request.NameIDFormat):
		return accepted{}, &refusal.Error{Code: tenant.NameIDPolicyInvalid, Detail: request.NameIDFormat}
	case age > requestAge || age < -saml.Skew:
		at := request.IssueInstant.Format(time.RFC3339)
		return accepted{}, &refusal.Error{Code: tenant.RequestExpired, Detail: at}
	}
	acs, err := a.ReplyURL(request.ACSURL)
	return accepted{a, acs}, err
}

// unsolicited is the user access URL: the tile of an application. With a sign-on URL it leads
// there, else a response is sent unasked.
func (h *Handler) unsolicited(w http.ResponseWriter, r *http.Request) {
	a, err := h.Tenant.Application(r.Context(), tenant.AnyApplicationID(r.PathValue("app")))
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	start, err := a.StartURL()
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	if start != "" {
		http.Redirect(w, r, start, http.StatusFound) // #nosec G710 -- an address that the application registered
		return
	}
	acs, err := a.ReplyURL("")
	if err == nil && len(a.IdentifierURIs) == 0 {
		err = &refusal.Error{Code: tenant.ReplyURLMismatch, Detail: "single sign-on is not set up"}
	}
	if err != nil {
		h.fail(w, r, "", err)
		return
	}
	in, ok := h.RequireUser(w, r, r.URL.RequestURI())
	if !ok {
		return
	}
	h.respond(w, r, a, in, saml.Statement{Audience: audience(a.IdentifierURIs[0]), ACSURL: acs}, "")
}

type postData struct{ ACS, Response, RelayState, Application string }

// respond checks the assignment last, after sign-in, and posts a signed response to the service
// provider. The statement has what the request says.
func (h *Handler) respond(
	w http.ResponseWriter, r *http.Request, a tenant.Application, in tenant.SignedIn,
	s saml.Statement, relayState string,
) {
	u := in.User
	by := audit.Actor{Kind: audit.User, Name: u.UserPrincipalName, Address: web.Address(r), RequestID: web.RequestID(r)}
	if err := h.Tenant.MayUse(r.Context(), a, u.ID); err != nil {
		h.fail(w, r, u.UserPrincipalName, err)
		return
	}
	key, err := h.key(a)
	if err != nil {
		h.fail(w, r, u.UserPrincipalName, err)
		return
	}
	if s.NameID, s.NameIDFormat, err = a.NameIDOf(u, s.NameIDFormat); err != nil {
		h.fail(w, r, u.UserPrincipalName, err)
		return
	}
	s.Issuer = h.Tenant.Issuer()
	s.Attributes = h.claims(r, a, u, in.Session)
	s.AuthnInstant = in.Session.CreatedAt
	s.Now = h.Tenant.Now()
	s.Unsigned, s.SignResponse = a.Signing == tenant.SignResponse, a.Signing != tenant.SignAssertion
	if len(a.Encryption) > 0 && !a.EncryptionKey.Unused {
		if s.EncryptFor, err = x509.ParseCertificate(a.Encryption); err != nil {
			h.fail(w, r, u.UserPrincipalName, err)
			return
		}
	}
	response, err := saml.Response(s, key)
	if err == nil {
		err = h.Tenant.RecordGranted(r.Context(), by, tenant.ActionSignIn, a.DisplayName)
	}
	if err != nil {
		h.fail(w, r, u.UserPrincipalName, err)
		return
	}
	h.post(w, a, s.ACSURL, response, relayState)
}

// post has the browser post a response to the service provider.
func (h *Handler) post(w http.ResponseWriter, a tenant.Application, acs string, response []byte, relayState string) {
	v := web.View{
		Title:   "Working…",
		Product: h.Tenant.Organization.DisplayName,
		Theme:   "tenant",
		Home:    "/myapps",
		Narrow:  true,
		Data:    postData{acs, base64.StdEncoding.EncodeToString(response), relayState, a.DisplayName},
	}
	h.pages.RenderPosting(w, http.StatusOK, "post", v, acs)
}

// claims are Entra's nine attributes in their order, and those of the application. Empty ones are
// left out.
func (h *Handler) claims(
	r *http.Request, a tenant.Application, u tenant.User, session tenant.Session,
) (list []saml.Attribute) {
	const (
		microsoft = "http://schemas.microsoft.com/identity/claims/"
		soap      = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	)
	const methods = "http://schemas.microsoft.com/claims/authnmethodsreferences"
	for _, c := range [][2]string{
		{microsoft + "tenantid", h.Tenant.Organization.ID},
		{microsoft + "objectidentifier", string(u.ID)},
		{microsoft + "displayname", u.DisplayName},
		{microsoft + "identityprovider", h.Tenant.Issuer()},
		{methods, tenant.MethodPassword},
		{soap + "givenname", u.GivenName},
		{soap + "surname", u.Surname},
		{soap + "emailaddress", u.Mail},
		{soap + "name", u.UserPrincipalName},
	} {
		own := slices.ContainsFunc(a.Claims, func(x tenant.Claim) bool { return strings.EqualFold(x.Name, c[0]) })
		values := []string{c[1]}
		if c[0] == methods && len(session.Methods) > 0 {
			values = session.Methods
		}
		if c[1] != "" && !own {
			list = append(list, saml.Attribute{Name: c[0], Values: values})
		}
	}
	claims, err := a.ClaimsOf(r.Context(), u)
	if err != nil { // the person signs in without them, as when they have no value
		h.Log.WarnContext(
			r.Context(), "claims are left out of an assertion", "application", a.DisplayName, "user",
			u.UserPrincipalName, "request_id", web.RequestID(r), "error", err,
		)
	}
	for _, c := range claims {
		list = append(list, saml.Attribute{Name: c.Name, Values: c.Values})
	}
	return list
}

type failure struct {
	Number               int
	Text, Request, Stamp string
}

// fail shows Entra's error page: number, text, request id and time. The details are in the audit
// log.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, user string, err error) {
	by := audit.Actor{Kind: audit.Anonymous, Name: user, Address: web.Address(r), RequestID: web.RequestID(r)}
	d := failure{Request: by.RequestID, Stamp: h.Tenant.Now().UTC().Format(time.RFC3339)}
	status := http.StatusBadRequest
	var refused *refusal.Error
	if errors.As(err, &refused) && refused.Code.Kind() != refusal.Unavailable {
		_ = h.Tenant.Refuse(r.Context(), by, tenant.ActionSignIn.String(), user, err) // the person is answered below
		d.Number = tenant.AADSTS(refused.Code)
		d.Text = fmt.Sprintf("AADSTS%d: %s.", d.Number, refused.Code.What())
		if refused.Code.Kind() == refusal.NotFound {
			status = http.StatusNotFound
		}
	} else {
		h.Log.ErrorContext(r.Context(), "SAML sign-in failed", "request_id", by.RequestID, "error", err)
		d.Text = "AADSTS90033: A transient error has occurred. Please try again."
		status = http.StatusInternalServerError
		if refused != nil {
			status = http.StatusServiceUnavailable
		}
	}
	h.pages.Render(
		w,
		status,
		"error",
		web.View{
			Title:   "Sign in",
			Product: h.Tenant.Organization.DisplayName,
			Theme:   "tenant",
			Home:    "/myapps",
			Narrow:  true,
			Data:    d,
		},
	)
}
