// Package signin is the center's door for signing in: the SAML service provider (metadata,
// requests, the assertion consumer service), the built-in directory's pages (password, second
// factor, links in mails, people's own accounts), and the session cookie of the access portal.
//
// It may import audit, authn, center, refusal, saml and web.
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
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
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

// The cookies. The session's is Lax. The one that brings along the sign-ins on their way must come
// along with the identity provider's cross-site POST, so under TLS it is SameSite=None; over plain
// HTTP, which is loopback only, browsers would refuse that and both halves are one site.
const (
	sessionCookie = "gatehouse_portal"
	markCookie    = "gatehouse_mark"   // by which the session can be ended, and nothing else
	requestCookie = "gatehouse_signin" // the sign-ins that are on their way to the identity provider
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
	followed := func(fn http.HandlerFunc) http.Handler {
		return guard(func(w http.ResponseWriter, r *http.Request) {
			web.Follow(w, r, h.Center.URL)
			fn(w, r)
		})
	}
	mux.Handle("GET "+loginPath, followed(h.start))
	mux.Handle("GET "+center.RehearsalPath, guard(h.rehearse))
	h.mountDirectory(mux, followed)
	h.mountAccount(mux)
	mux.Handle("POST /platform/logout", guard(h.signOut))
	mux.HandleFunc("GET /platform/saml/metadata/{directory}", h.metadata)
	mux.HandleFunc("POST /platform/saml/acs/{tenant}", h.consume) // a cross-site POST by design, so outside the guard
}

func (h *Handler) actor(r *http.Request) audit.Actor {
	return audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// SPMetadata is the service provider metadata of a center. The console offers it too.
func SPMetadata(ctx context.Context, c *center.Center) ([]byte, error) {
	sp := saml.ServiceProvider{EntityID: c.EntityID(), ACSURLs: []string{c.ACSURL()}}
	source, err := c.Source(ctx)
	if err == nil && source.IdP != nil && source.IdP.SignRequests {
		sp.Key, err = signingKey(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	return saml.ServiceProviderMetadata(sp)
}

func signingKey(ctx context.Context, c *center.Center) (*saml.SigningKey, error) {
	signer, err := c.RequestSigner(ctx)
	key := saml.SigningKey(signer)
	return &key, err
}

func (h *Handler) metadata(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("directory") != h.Center.Instance.IdentityStoreID {
		http.NotFound(w, r)
		return
	}
	data, err := SPMetadata(r.Context(), h.Center)
	if err != nil {
		h.Fail(w, r, err)
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
		h.Fail(w, r, err)
		return
	}
	if source.Type == center.Directory {
		h.form(w, r, http.StatusOK, formData{ReturnTo: returnTo}, "")
		return
	}
	out, err := h.Center.StartAuthnRequest(
		r.Context(), web.CookieValue(r, h.Center.URL, requestCookie), returnTo, r.URL.Query().Get("force") == "true",
	)
	h.send(w, r, "", out, err)
}

// rehearse begins a rehearsal at the pending identity provider.
func (h *Handler) rehearse(w http.ResponseWriter, r *http.Request) {
	out, err := h.Center.RehearseAuthnRequest(
		r.Context(), web.CookieValue(r, h.Center.URL, requestCookie), r.URL.Query().Get("ticket"),
	)
	h.send(w, r, rehearsalState, out, err)
}

// rehearsalState is the RelayState of rehearsals: it tells which identity provider's response comes
// back. What it says is proved by the request that the response answers.
const rehearsalState = "rehearsal"

// send sends the browser to an identity provider with a request, unless it could not be made.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, relayState string, out center.Outgoing, err error) {
	if err != nil {
		h.Fail(w, r, err)
		return
	}
	// #nosec G124 -- None only under TLS, and Secure there
	cookie := web.Cookie(h.Center.URL, requestCookie, out.Outstanding.Reveal(), center.AuthnRequestLifetime)
	if cookie.Secure {
		cookie.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, cookie)
	if err := h.deliver(w, r, out, relayState); err != nil {
		h.Fail(w, r, err)
	}
}

// deliver sends a request by the binding that is configured.
func (h *Handler) deliver(
	w http.ResponseWriter, r *http.Request, request center.Outgoing, relayState string,
) (err error) {
	idp := request.To
	out := saml.AuthnRequest{
		ID:           request.ID,
		IssueInstant: h.Center.Now(),
		Issuer:       h.Center.EntityID(),
		Destination:  idp.SignInURL,
		ACSURL:       h.Center.ACSURL(),
		NameIDFormat: saml.FormatEmail,
		ForceAuthn:   !request.ForcedAt.IsZero(),
	}
	var key *saml.SigningKey
	if idp.SignRequests {
		if key, err = signingKey(r.Context(), h.Center); err != nil {
			return err
		}
	}
	if err := idp.CheckAddresses(); err != nil {
		return err
	}
	if idp.UsePOST {
		out.Destination = idp.SignInPOST
		field, err := out.PostField(key)
		if err != nil {
			return err
		}
		h.pages.RenderPosting(
			w, http.StatusOK, "post", h.view("Signing in", postData{idp.SignInPOST, field, relayState}),
			idp.SignInPOST,
		)
		return nil
	}
	target, err := out.RedirectURL(relayState, key)
	if err != nil {
		return err
	}
	http.Redirect(w, r, web.Following(r, target), http.StatusFound)
	return nil
}

// postData is a form that the browser sends on.
type postData struct{ Target, Request, RelayState string }

func (h *Handler) view(title string, data any) web.View { return web.PortalPage("", title, data) }

// browser is what the cookies and headers say of the browser.
func (h *Handler) browser(r *http.Request) center.Browser {
	return center.Browser{
		Outstanding: web.CookieValue(r, h.Center.URL, requestCookie),
		Known:       web.CookieValue(r, h.Center.URL, knownCookie),
		UserAgent:   r.UserAgent(),
	}
}

func (h *Handler) welcome(
	w http.ResponseWriter, r *http.Request, secret authn.Secret, lifetime time.Duration, returnTo string,
) {
	web.Follow(w, r, h.Center.URL)
	mark := web.CookieValue(r, h.Center.URL, markCookie)
	// the new one is open all the same
	if err := h.Center.EndEarlierSession(
		r.Context(), h.actor(r), h.SessionSecret(r), mark, secret.Reveal(),
	); err != nil {
		h.Log.ErrorContext(
			r.Context(), "end the browser's earlier session", "request_id", web.RequestID(r), "error", err,
		)
	}
	http.SetCookie(w, web.Cookie(h.Center.URL, sessionCookie, secret.Reveal(), lifetime))
	// The session's own cookie does not come along with the identity provider's cross-site POST.
	// #nosec G124 -- Secure
	if cookie := web.Cookie(h.Center.URL, markCookie, h.Center.SessionMark(secret), lifetime); cookie.Secure {
		cookie.SameSite = http.SameSiteNoneMode
		http.SetCookie(w, cookie)
	}
	// #nosec G710 -- LocalPath keeps it on this site
	http.Redirect(w, r, web.LocalPath(returnTo, "/start"), http.StatusSeeOther)
}

// consume is the assertion consumer service. Whatever is wrong, people see the same page with a
// reference id; only who is vouched for and is no user here is told so.
func (h *Handler) consume(w http.ResponseWriter, r *http.Request) {
	ctx, by := r.Context(), h.actor(r)
	r.Body = http.MaxBytesReader(w, r.Body, saml.MaxMessage*2)
	if r.PathValue("tenant") != h.Center.Instance.SAMLTenantID {
		http.NotFound(w, r)
		return
	}
	rehearsal := r.PostFormValue("RelayState") == rehearsalState
	assertion, err := h.verify(ctx, r, rehearsal)
	if err != nil {
		h.Fail(w, r, h.Center.Refuse(ctx, by, "ExternalIdPDirectoryLogin", "", err))
		return
	}
	if rehearsal {
		h.rehearsed(w, r, assertion)
		return
	}
	secret, lifetime, returnTo, err := h.Center.SignInWithAssertion(ctx, by, assertion, h.browser(r))
	if refusal.CodeOf(err) == center.UserNotFound {
		h.noUser(w, r, assertion)
		return
	}
	if err != nil {
		h.Fail(w, r, err)
		return
	}
	// the identity provider started it: RelayState may be a path of ours, and nothing else
	if assertion.InResponseTo == "" {
		returnTo = web.LocalPath(r.PostFormValue("RelayState"), "/start")
	}
	h.welcome(w, r, secret, lifetime, returnTo)
}

// noUser tells somebody whom the identity provider has vouched for that there is no user of the
// name that it gave. The person knows the name; who is here under others is in the audit log only.
func (h *Handler) noUser(w http.ResponseWriter, r *http.Request, a center.VerifiedAssertion) {
	at := "your organization"
	if source, err := h.Center.Source(r.Context()); err == nil && source.IdP != nil {
		if u, err := url.Parse(source.IdP.SignInURL); err == nil && u.Host != "" {
			at = u.Host
		}
	}
	h.pages.Render(w, http.StatusForbidden, "message", h.view("Sign-in failed", web.Message{
		Title: "This portal has no user of that name",
		Lines: []string{
			"You are signed in at " + at + " as " + a.NameID + ". This portal has no user of that name.",
			"If you were given access just now, it may not have arrived: try again in an hour. Otherwise ask whoever " +
				"manages access to AWS in your organization, and give them this reference.",
		},
		Reference: web.RequestID(r),
		Link:      "/start",
		LinkText:  "Try again",
	}))
}

// rehearsed says how a rehearsal went. It opens no session.
func (h *Handler) rehearsed(w http.ResponseWriter, r *http.Request, a center.VerifiedAssertion) {
	u, err := h.Center.FinishRehearsal(r.Context(), h.actor(r), a, h.browser(r))
	if err != nil {
		h.Fail(w, r, err)
		return
	}
	h.pages.Render(
		w,
		http.StatusOK,
		"message",
		h.view("The rehearsal worked", web.Message{
			Title: "The rehearsal worked",
			Lines: []string{
				"The identity provider named " + a.NameID + ", who is " + u.DisplayName +
					" here, and its response passed every check.",
				"Nothing has changed: you are not signed in, and everyone signs in as before until the identity " +
					"source is changed.",
			},
			Reference: web.RequestID(r),
		}),
	)
}

func (h *Handler) verify(
	ctx context.Context, r *http.Request, rehearsal bool,
) (out center.VerifiedAssertion, err error) {
	source, err := h.Center.Source(ctx)
	if err != nil {
		return out, err
	}
	idp := source.IdP
	if rehearsal {
		idp = source.Pending
	}
	if idp == nil || (!rehearsal && source.Type != center.ExternalIdP) {
		return out, &refusal.Error{Code: center.SourceNotConfigured}
	}
	want := saml.Expect{
		Issuer:        idp.EntityID,
		Audience:      h.Center.EntityID(),
		Recipient:     h.Center.ACSURL(),
		Now:           h.Center.Now(),
		NameID:        center.CheckNameID,
		NameIDFormats: []string{saml.FormatEmail},
		MaxAssertion:  center.MaxAssertion,
		RequestedOnly: source.RequestedOnly,
	}
	for _, der := range idp.Certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return out, err
		}
		want.Certificates = append(want.Certificates, cert)
	}
	a, err := saml.VerifyPOST(r.PostFormValue("SAMLResponse"), want)
	var refused *saml.Refusal
	if errors.As(err, &refused) {
		return out, &refusal.Error{
			Code:   center.AssertionRefused,
			Detail: refused.Error(),
			Check:  refused.Check.String(),
			Want:   refused.Want,
			Got:    refused.Got,
		}
	}
	if err != nil {
		return out, err
	}
	out = center.VerifiedAssertion{
		ID:                  a.ID,
		Issuer:              idp.EntityID,
		NameID:              a.NameID,
		InResponseTo:        a.InResponseTo,
		UsableUntil:         a.NotOnOrAfter.Add(saml.Skew),
		AuthnInstant:        a.AuthnInstant,
		SessionNotOnOrAfter: a.SessionNotOnOrAfter,
	}
	for _, at := range a.Attributes {
		out.Attributes = append(out.Attributes, center.AssertedAttribute(at))
	}
	return out, nil
}

// RequireUser hands the signed-in user to fn, or sends the browser to sign in. The portal is given
// this function.
func (h *Handler) RequireUser(fn func(http.ResponseWriter, *http.Request, center.User)) http.Handler {
	return web.Guard(h.Center.URL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, err := h.Center.PortalUser(r.Context(), web.CookieValue(r, h.Center.URL, sessionCookie))
		if refusal.CodeOf(err) == center.SessionInvalid {
			target := "/start"
			if r.Method == http.MethodGet {
				target = r.URL.RequestURI()
			}
			web.Follow(w, r, h.Center.URL)
			http.Redirect(w, r, loginPath+"?return="+url.QueryEscape(target), http.StatusFound)
			return
		}
		if err != nil {
			h.Fail(w, r, err)
			return
		}
		fn(w, r, u)
	}))
}

// SessionSecret is the secret of the portal session that a request comes with; "" where there is
// none. The door for sso-oidc is given this function.
func (h *Handler) SessionSecret(r *http.Request) string {
	return web.CookieValue(r, h.Center.URL, sessionCookie)
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	by := h.actor(r)
	secret := h.SessionSecret(r)
	lines := []string{"Your portal session has ended. Roles that you opened stay valid until they expire."}
	u, err := h.Center.PortalUser(r.Context(), secret)
	if err != nil && refusal.CodeOf(err) != center.SessionInvalid { // it is still open: the browser keeps it
		h.Fail(w, r, err)
		return
	}
	if err == nil {
		by.Kind, by.Name = audit.User, u.UserName
		programs, err := h.Center.SignOut(r.Context(), by, secret)
		if err != nil {
			h.Fail(w, r, err)
			return
		}
		if len(programs) > 0 {
			slices.Sort(programs)
			lines = append(
				lines,
				"Programs that you allowed in this session are signed out as well: "+strings.Join(
					slices.Compact(programs), ", ",
				)+".",
			)
		}
	}
	web.ClearCookie(w, h.Center.URL, sessionCookie)
	web.ClearCookie(w, h.Center.URL, markCookie)
	h.pages.Render(w, http.StatusOK, "message", h.view("Signed out", web.Message{
		Title:    "You are signed out",
		Lines:    lines,
		Link:     "/start",
		LinkText: "Sign in again",
	}))
}

// Fail shows that a sign-in did not work. The reason is in the audit log under the reference id,
// and nowhere else.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, err error) {
	title, status := "We could not sign you in", http.StatusForbidden
	text := "An unexpected error occurred. Try again. If the error persists, give your administrator this reference."
	switch code := refusal.CodeOf(err); {
	case code == center.NetworkNotAllowed:
		title = "You cannot come in from this network"
		text = "Your organization lets people in from its own networks only. Connect to one of them and try again."
	case code == refusal.None:
		status = http.StatusInternalServerError
		h.Log.ErrorContext(r.Context(), "sign-in failed", "request_id", web.RequestID(r), "error", err)
	case code.Kind() == refusal.Unavailable:
		title, text = web.UnavailableTitle, web.Unavailable
		status = http.StatusServiceUnavailable
		h.Log.ErrorContext(r.Context(), "sign-in failed", "request_id", web.RequestID(r), "error", err)
	}
	h.pages.Render(w, status, "message", h.view("Sign-in failed", web.Message{
		Title:     title,
		Lines:     []string{text},
		Reference: web.RequestID(r),
		Link:      "/start",
		LinkText:  "Try again",
	}))
}
