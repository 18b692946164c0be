package ssooidc

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves the sso-oidc API and its pages.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	// RequireUser hands over the signed-in user, or sends the browser to sign in. The sign-in door
	// provides it.
	RequireUser func(func(http.ResponseWriter, *http.Request, center.User)) http.Handler
	// SessionSecret is the secret of the portal session that a request comes with. The sign-in door
	// provides it.
	SessionSecret func(*http.Request) string
	// Verify checks the signatures of requests for tokens of applications.
	Verify *awsapi.Verifier
	// Used is told about each request whose signature is good.
	Used func(ctx context.Context, who awsapi.Caller, service string)

	pages                                 *web.Pages
	registrations, devices, tokens, polls web.Limiter
	links                                 web.Limiter // user codes in addresses, by who follows them
	assertions                            web.Limiter // tokens of trusted token issuers, by application
}

// DevicePath is the page on which people type the code of a device.
const DevicePath = "/start/device"

// maxTyped is how much of a user code in an address is looked at.
const maxTyped = 64 //bound:text a user code in an address, in bytes

// How often an address (of polls a device code, of links a person) may ask, in a second, and at
// once. An office shares an address. Source of registrations and tokens: user guide, quotas.
const (
	//bound:rate registrations and device codes that an address asks the center for, in a second
	startsEach  = 20
	startsBurst = 40             //bound:rate … and at once
	tokensEach  = 80             //bound:rate requests for tokens of an address at the center, in a second
	tokensBurst = 160            //bound:rate … and at once
	pollsEach   = 1.0 / interval //bound:none the interval that the protocol names
	pollsBurst  = 3              //bound:rate questions for one device code at the center at once
	linksEach   = 1              //bound:rate links with a user code that a person opens, in a second
	linksBurst  = 10             //bound:rate … and at once
)

// authorizePath is where clients send browsers. They take the host of the API and this path,
// whatever the registration's answer says.
const authorizePath = "/authorize"

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	h.registrations = web.Limiter{PerSecond: startsEach, Burst: startsBurst}
	h.devices = web.Limiter{PerSecond: startsEach, Burst: startsBurst}
	h.tokens = web.Limiter{PerSecond: tokensEach, Burst: tokensBurst}
	h.polls = web.Limiter{PerSecond: pollsEach, Burst: pollsBurst}
	h.links = web.Limiter{PerSecond: linksEach, Burst: linksBurst}
	h.assertions = web.Limiter{PerSecond: assertionsEach, Burst: assertionsBurst}
	h.MountAPI(mux)
	h.mountIssuer(mux)
	mux.Handle("GET "+DevicePath, h.RequireUser(h.device))
	mux.Handle("POST "+DevicePath, h.RequireUser(h.decideDevice))
	mux.Handle("GET "+authorizePath, web.Guard(h.Center.URL, http.HandlerFunc(h.authorize)))
	mux.Handle("POST "+authorizePath, h.RequireUser(h.decideClient))
}

// MountAPI adds what programs ask for, and no pages.
func (h *Handler) MountAPI(mux *http.ServeMux) {
	mux.HandleFunc("POST /client/register", serve(h, h.register))
	mux.HandleFunc("POST /device_authorization", serve(h, h.startDevice))
	mux.HandleFunc("POST /token", h.token())
}

func (h *Handler) user(r *http.Request, u center.User) audit.Actor {
	by := h.actor(r)
	by.Kind, by.Name = audit.User, u.UserName
	return by
}

func (h *Handler) view(u center.User, title string, data any) web.View {
	return web.PortalPage(u.DisplayName, title, data)
}

// deviceData is what the page of a device shows: a form for its code, or what it asks for.
type deviceData struct {
	Code  string
	Grant center.ClientGrant
}

// device asks for the code of a device, or shows what the device asks for whose code stands in the
// address. A wrong code in a link counts against nobody, since links come from elsewhere too; how
// many codes are looked up is bounded all the same, and beyond that the person sends the form.
func (h *Handler) device(w http.ResponseWriter, r *http.Request, u center.User) {
	code := r.URL.Query().Get("user_code")
	if len(code) > maxTyped || code != "" && !h.links.Allow(string(u.ID)) {
		h.pages.Render(
			w, http.StatusOK, "device",
			h.view(u, "Sign in on a device", deviceData{Code: code[:min(len(code), maxTyped)]}),
		)
		return
	}
	if code == "" {
		h.pages.Render(w, http.StatusOK, "device", h.view(u, "Sign in on a device", deviceData{}))
		return
	}
	g, err := h.Center.PeekDevice(r.Context(), u.ID, code)
	h.confirm(w, r, u, code, g, err)
}

// confirm shows what a device asks for.
func (h *Handler) confirm(
	w http.ResponseWriter, r *http.Request, u center.User, code string, g center.ClientGrant, err error,
) {
	if err != nil {
		h.askCodeAgain(w, r, u, err)
		return
	}
	h.pages.Render(
		w, http.StatusOK, "device", h.view(u, "Authorization requested", deviceData{strings.ToUpper(code), g}),
	)
}

// askCodeAgain asks for the code once more, and says why.
func (h *Handler) askCodeAgain(w http.ResponseWriter, r *http.Request, u center.User, err error) {
	code := refusal.CodeOf(err)
	if code != center.UserCodeUnknown && code != center.SignInLocked {
		h.fail(w, r, err)
		return
	}
	v := h.view(u, "Sign in on a device", deviceData{})
	v.Problem = "No device is waiting with this code. Compare it with the code on the device. A code works " +
		"once, for ten minutes."
	if code == center.SignInLocked {
		v.Problem = "Too many wrong codes. Wait a few minutes before you try again."
	}
	h.pages.Render(w, http.StatusBadRequest, "device", v)
}

func (h *Handler) decideDevice(w http.ResponseWriter, r *http.Request, u center.User) {
	code := r.PostFormValue("user_code")
	allow := r.PostFormValue("decision") == "allow"
	if !allow && r.PostFormValue("decision") != "deny" { // the form of the code
		g, err := h.Center.DeviceByUserCode(r.Context(), h.user(r, u), u.ID, code)
		h.confirm(w, r, u, code, g, err)
		return
	}
	if err := h.Center.DecideDevice(r.Context(), h.user(r, u), u.ID, h.SessionSecret(r), code, allow); err != nil {
		h.askCodeAgain(w, r, u, err)
		return
	}
	m := web.Message{
		Title:    "Request denied",
		Lines:    []string{"The device gets no access. You can close this window."},
		Link:     "/start",
		LinkText: "Go to the portal",
	}
	if allow {
		m.Title, m.Lines = "Request approved", []string{
			"The device has access until your session ends. You can close this window and continue on the device.",
		}
	}
	h.pages.Render(w, http.StatusOK, "message", h.view(u, m.Title, m))
}

// authorization is the query of /authorize, which the form of the consent page repeats.
type authorization struct {
	ClientID, RedirectURI, State, Challenge, Method, Scopes, ResponseType, Nonce string
	Client                                                                       center.OAuthClient
	Address                                                                      string

	to          authn.RedirectURI // where the answer goes, checked
	unsupported string            // the error when it asks for what is not done here
}

// Host is who receives the answer.
func (a authorization) Host() string { return a.to.Authority() }

// Here says whether that is the person's own machine.
func (a authorization) Here() bool { return a.to.Loopback() }

// Asked are the scopes that are asked for; none were named: all that the client has.
func (a authorization) Asked() []string {
	if asked := strings.Fields(a.Scopes); len(asked) > 0 {
		return asked
	}
	return a.Client.Scopes
}

// Wants says what a program that is no application's gets.
func (a authorization) Wants() string { return wants(a.Asked()) }

// Wants says what the program on the device gets.
func (d deviceData) Wants() string { return wants(d.Grant.Scopes) }

// wants says behind "asks to" what scopes let a program do. Without one it may what programs may
// for which there was no other.
func wants(scopes []string) string {
	has := func(scope string) bool { return slices.Contains(scopes, scope) }
	reads, assumes := has(center.ScopeEntitlementsRead), has(center.ScopeEntitlementsAssume)
	var list []string
	if has(center.ScopeAccountAccess) || has(center.ScopePortal) || !reads && !assumes {
		list = append(list, "see your AWS accounts and roles, and to get credentials for them")
	}
	switch {
	case reads && assumes:
		list = append(list, "see the roles that account access entitles you to, and to get credentials for those")
	case reads:
		list = append(list, "see the roles that account access entitles you to")
	case assumes:
		list = append(list, "get credentials for the roles that account access entitles you to")
	}
	return strings.Join(list, ", and to ")
}

// maxNonce bounds what an application has its ID token repeat.
const maxNonce = 512 //bound:text the nonce of an application, in bytes

// read checks what must be right before the browser may be sent back: the client and the redirect
// URI.
func (h *Handler) read(ctx context.Context, values url.Values) (a authorization, err error) {
	a = authorization{
		values.Get("client_id"),
		values.Get("redirect_uri"),
		values.Get("state"),
		values.Get("code_challenge"),
		values.Get("code_challenge_method"),
		values.Get("scopes"),
		values.Get("response_type"),
		values.Get("nonce"),
		center.OAuthClient{},
		"",
		authn.RedirectURI{},
		unsupported(values),
	}
	if repeated(values, "client_id", "redirect_uri") {
		return a, &refusal.Error{Code: center.InvalidRequest, Detail: "duplicate client_id or redirect_uri"}
	}
	if a.Scopes == "" {
		a.Scopes = values.Get("scope") // RFC 6749's name; AWS's clients send the other
	}
	if a.Client, err = h.Center.AuthorizingClient(ctx, a.ClientID); err != nil {
		return a, err
	}
	a.to, err = a.Client.Redirects(a.RedirectURI)
	return a, err
}

// problem is what the client is told that is wrong with its request; empty: nothing. Source: RFC
// 6749, 4.1.2.1; RFC 7636, 4.4.1.
func (a authorization) problem() string {
	switch {
	case a.unsupported != "":
		return a.unsupported
	case a.ResponseType != "code":
		return "unsupported_response_type"
	case a.Client.Signs && a.Challenge == "" && a.Method == "": // its signature proves who redeems the code
	case !center.IsChallenge(a.Challenge) || a.Method != "S256":
		return "invalid_request"
	}
	if len(a.Nonce) > maxNonce {
		return "invalid_request"
	}
	for _, s := range strings.Fields(a.Scopes) {
		if !slices.Contains(a.Client.Scopes, s) {
			return "invalid_scope"
		}
	}
	return ""
}

// back is the redirect URI with an answer in it.
func (a authorization) back(name, value string) string {
	return a.to.With(url.Values{name: {value}, "state": {a.State}})
}

func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // what one reader passes over, another one reads
		h.fail(
			w,
			r,
			h.Center.Refuse(
				r.Context(),
				h.actor(r),
				"AuthorizeClient",
				"",
				&refusal.Error{Code: center.InvalidRequest},
			),
		)
		return
	}
	a, err := h.read(r.Context(), q)
	if err != nil { // nobody who could be told is known to be honest
		h.fail(w, r, h.Center.Refuse(r.Context(), h.actor(r), "AuthorizeClient", "", err))
		return
	}
	if problem := a.problem(); problem != "" {
		// #nosec G710 -- a loopback URI that the client registered
		http.Redirect(w, r, a.back("error", problem), http.StatusFound)
		return
	}
	h.RequireUser(func(w http.ResponseWriter, r *http.Request, u center.User) {
		a.Address = web.Address(r)
		h.pages.RenderPosting(w, http.StatusOK, "authorize", h.view(u, "Allow access?", a), a.to.Origin())
	}).ServeHTTP(w, r)
}

func (h *Handler) decideClient(w http.ResponseWriter, r *http.Request, u center.User) {
	if err := r.ParseForm(); err != nil {
		h.fail(w, r, &refusal.Error{Code: center.InvalidRequest})
		return
	}
	a, err := h.read(r.Context(), r.PostForm)
	if err != nil {
		h.fail(w, r, h.Center.Refuse(r.Context(), h.user(r, u), "AuthorizeClient", "", err))
		return
	}
	target := a.back("error", "access_denied")
	if problem := a.problem(); problem != "" {
		target = a.back("error", problem)
	} else if r.PostFormValue("decision") == "allow" {
		code, err := h.Center.AuthorizeClient(r.Context(), h.user(r, u), h.SessionSecret(r), center.CodeRequest{
			ClientID:    a.ClientID,
			RedirectURI: a.RedirectURI,
			Challenge:   a.Challenge,
			Scopes:      strings.Fields(a.Scopes),
			Nonce:       a.Nonce,
		})
		switch {
		case refusal.CodeOf(err) == center.ApplicationNotAssigned: // as when the person denies it
		case err != nil:
			h.fail(w, r, err)
			return
		default:
			target = a.back("code", code.Reveal())
		}
	}
	http.Redirect(w, r, target, http.StatusSeeOther) // #nosec G710 -- a loopback URI that the client registered
}

// fail shows that something did not work. The reason is in the audit log under the reference id,
// and nowhere else.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadRequest
	switch code := refusal.CodeOf(err); {
	case code == refusal.None:
		status = http.StatusInternalServerError
	case code.Kind() == refusal.Unavailable:
		status = http.StatusServiceUnavailable
	}
	if status >= http.StatusInternalServerError {
		h.Log.ErrorContext(r.Context(), "authorization failed", "request_id", web.RequestID(r), "error", err)
	}
	m := web.NotGranted(status, web.RequestID(r), "The program that sent you here made a request that cannot be "+
		"granted. Start its sign-in again. If the error persists, give your administrator this reference.")
	h.pages.Render(w, status, "message", h.view(center.User{}, m.Title, m))
}
