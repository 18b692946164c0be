// Package signin is the center's door for signing in: the SAML service provider (metadata, requests, the assertion consumer service),
// the built-in directory's pages (password, second factor, links in mails, people's own accounts), and the session cookie of the access portal.
//
// It may import center, saml, web, audit and authn.
package signin

import (
	"context"
	"crypto/x509"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves sign-in.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	pages  *web.Pages
}

// The cookies. The session's is Lax. The one that binds a sign-in to its browser must come along with the identity provider's cross-site
// POST, so under TLS it is SameSite=None; over plain HTTP, which is loopback only, browsers would refuse that and both halves are one site.
const (
	sessionCookie = "gatehouse_portal"
	bindingCookie = "gatehouse_signin" // of a sign-in at the identity provider
	ticketCookie  = "gatehouse_login"  // of a sign-in here, between its pages
	knownCookie   = "gatehouse_known"  // of a browser that somebody has signed in with
)

// loginPath is where people sign in; the portal sends them there.
const loginPath = "/platform/login"

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	guard := func(fn http.HandlerFunc) http.Handler { return web.Guard(h.Center.URL, fn) }
	mux.Handle("GET "+loginPath, guard(h.start))
	h.mountDirectory(mux, guard)
	h.mountAccount(mux)
	mux.Handle("POST /platform/logout", guard(h.signOut))
	mux.HandleFunc("GET /platform/saml/metadata/{directory}", h.metadata)
	mux.HandleFunc("POST /platform/saml/acs/{tenant}", h.consume) // a cross-site POST by design, so outside the guard
}

func (h *Handler) actor(r *http.Request) audit.Actor {
	return audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// SPMetadata is the service provider metadata of a center. The console offers it too.
func SPMetadata(c *center.Center) ([]byte, error) {
	return saml.ServiceProviderMetadata(saml.ServiceProvider{EntityID: c.EntityID(), ACSURLs: []string{c.ACSURL()}})
}

func (h *Handler) metadata(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("directory") != h.Center.Instance.IdentityStoreID {
		http.NotFound(w, r)
		return
	}
	data, err := SPMetadata(h.Center)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Header().Set("Content-Disposition", `attachment; filename="gatehouse-sp-metadata.xml"`)
	_, _ = w.Write(data)
}

// start begins a sign-in: at the identity provider, or with the directory's form.
func (h *Handler) start(w http.ResponseWriter, r *http.Request) {
	returnTo := web.LocalPath(r.URL.Query().Get("return"), "/start")
	source, err := h.Center.Source(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if source.Type == center.Directory {
		h.form(w, r, http.StatusOK, formData{ReturnTo: returnTo}, "")
		return
	}
	binding := web.CookieValue(r, bindingCookie)
	if len(binding) < 32 {
		binding = authn.NewSecret(32)
	}
	request, idp, err := h.Center.StartAuthnRequest(r.Context(), binding, returnTo)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	target, err := saml.AuthnRequest{
		ID: request.ID, IssueInstant: h.Center.Now(), Issuer: h.Center.EntityID(), Destination: idp.SignInURL, ACSURL: h.Center.ACSURL(), NameIDFormat: saml.FormatEmail,
	}.RedirectURL("")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	cookie := web.Cookie(h.Center.URL, bindingCookie, binding, center.AuthnRequestLifetime) // #nosec G124 -- None only under TLS, and Secure there
	if cookie.Secure {
		cookie.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, target, http.StatusFound)
}

func (h *Handler) view(title string, data any) web.View {
	return web.View{Title: title, Product: "Gatehouse access portal", Theme: "center", Home: "/start", Narrow: true, Data: data}
}

// browser is what the cookies and headers say of the browser.
func browser(r *http.Request) center.Browser {
	return center.Browser{Binding: web.CookieValue(r, bindingCookie), Known: web.CookieValue(r, knownCookie), UserAgent: r.UserAgent()}
}

func (h *Handler) welcome(w http.ResponseWriter, r *http.Request, secret authn.Secret, lifetime time.Duration, returnTo string) {
	http.SetCookie(w, web.Cookie(h.Center.URL, sessionCookie, secret.Reveal(), lifetime))
	http.Redirect(w, r, web.LocalPath(returnTo, "/start"), http.StatusSeeOther) // #nosec G710 -- LocalPath keeps it on this site
}

// consume is the assertion consumer service. Whatever is wrong, people see the same page with a reference id.
func (h *Handler) consume(w http.ResponseWriter, r *http.Request) {
	ctx, by := r.Context(), h.actor(r)
	r.Body = http.MaxBytesReader(w, r.Body, saml.MaxMessage*2)
	if r.PathValue("tenant") != h.Center.Instance.SAMLTenantID {
		http.NotFound(w, r)
		return
	}
	assertion, err := h.verify(ctx, r)
	if err != nil {
		h.fail(w, r, h.Center.Refuse(ctx, by, "ExternalIdPDirectoryLogin", "", err))
		return
	}
	secret, lifetime, returnTo, err := h.Center.SignInWithAssertion(ctx, by, center.VerifiedAssertion{
		ID: assertion.ID, NameID: assertion.NameID, InResponseTo: assertion.InResponseTo,
		UsableUntil: assertion.NotOnOrAfter.Add(saml.Skew), SessionNotOnOrAfter: assertion.SessionNotOnOrAfter,
	}, browser(r))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if assertion.InResponseTo == "" { // the identity provider started it: RelayState may be a path of ours, and nothing else
		returnTo = web.LocalPath(r.PostFormValue("RelayState"), "/start")
	}
	h.welcome(w, r, secret, lifetime, returnTo)
}

func (h *Handler) verify(ctx context.Context, r *http.Request) (*saml.Assertion, error) {
	source, err := h.Center.Source(ctx)
	if err != nil {
		return nil, err
	}
	if source.Type != center.ExternalIdP || source.IdP == nil {
		return nil, &center.Error{Code: center.SourceNotConfigured}
	}
	want := saml.Expect{Issuer: source.IdP.EntityID, Audience: h.Center.EntityID(), Recipient: h.Center.ACSURL(), Now: h.Center.Now()}
	for _, der := range source.IdP.Certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		want.Certificates = append(want.Certificates, cert)
	}
	assertion, err := saml.VerifyPOST(r.PostFormValue("SAMLResponse"), want)
	var refusal *saml.Refusal
	if errors.As(err, &refusal) {
		return nil, &center.Error{Code: center.AssertionRefused, Detail: refusal.Error(), Check: string(refusal.Check), Want: refusal.Want, Got: refusal.Got}
	}
	return assertion, err
}

// RequireUser hands the signed-in user to fn, or sends the browser to sign in. The portal is given this function.
func (h *Handler) RequireUser(fn func(http.ResponseWriter, *http.Request, center.User)) http.Handler {
	return web.Guard(h.Center.URL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, err := h.Center.PortalUser(r.Context(), web.CookieValue(r, sessionCookie))
		if center.CodeOf(err) == center.SessionInvalid {
			target := "/start"
			if r.Method == http.MethodGet {
				target = r.URL.RequestURI()
			}
			http.Redirect(w, r, loginPath+"?return="+url.QueryEscape(target), http.StatusFound)
			return
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		fn(w, r, u)
	}))
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	by := h.actor(r)
	secret := web.CookieValue(r, sessionCookie)
	if u, err := h.Center.PortalUser(r.Context(), secret); err == nil {
		by.Kind, by.Name = audit.User, u.UserName
		if err := h.Center.SignOut(r.Context(), by, secret); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	http.SetCookie(w, web.Cookie(h.Center.URL, sessionCookie, "", -time.Second))
	h.pages.Render(w, http.StatusOK, "message", h.view("Signed out", web.Message{
		Title: "You are signed out", Lines: []string{"Your portal session has ended. Roles that you have opened go on until they expire."}, Link: "/start", LinkText: "Sign in again"}))
}

// fail shows that a sign-in did not work. The reason is in the audit log under the reference id, and nowhere else.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusForbidden
	if center.CodeOf(err) == "" {
		status = http.StatusInternalServerError
		h.Log.Error("sign-in failed", "request_id", web.RequestID(r), "error", err)
	}
	h.pages.Render(w, status, "message", h.view("Sign-in failed", web.Message{
		Title:     "We could not sign you in",
		Lines:     []string{"An unexpected error has occurred. Try again; if it goes on, give your administrator this reference."},
		Reference: web.RequestID(r), Link: "/start", LinkText: "Try again"}))
}
