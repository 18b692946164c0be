// Package awslogin is the center's door for `aws login`: AWS Sign-In, with which the AWS CLI (2.32
// and later) gets credentials of a role that a person chooses in the browser, and every SDK renews
// them. The page is /v1/authorize, the API /v1/token.
//
// Sources: the service model of signin, 2023-01-01; what the AWS CLI and the SDKs for Go,
// JavaScript and Java send; RFC 7636 (PKCE), RFC 8252 (native apps), RFC 9449 (DPoP).
//
// It may import audit, authn, center, refusal and web.
package awslogin

import (
	"cmp"
	"context"
	"embed"
	"encoding/base64"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves AWS Sign-In.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	Broker center.Broker
	// RequireUser hands over the signed-in user, or sends the browser to sign in. The sign-in door
	// provides it.
	RequireUser func(func(http.ResponseWriter, *http.Request, center.User)) http.Handler
	// SessionSecret is the secret of the portal session that a request comes with. The sign-in door
	// provides it.
	SessionSecret func(*http.Request) string

	pages  *web.Pages
	tokens web.Limiter
}

// How often an address may ask for credentials, in a second, and at once. An office shares an
// address.
const (
	tokensEach  = 80  //bound:rate requests of aws login for credentials, of an address, in a second
	tokensBurst = 160 //bound:rate … and at once
)

const (
	authorizePath = "/v1/authorize"
	tokenPath     = "/v1/token" // #nosec G101 -- an address
)

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	h.tokens = web.Limiter{PerSecond: tokensEach, Burst: tokensBurst}
	mux.Handle("GET "+authorizePath, web.Guard(h.Center.URL, http.HandlerFunc(h.authorize)))
	mux.Handle("POST "+authorizePath, h.RequireUser(h.decide))
	mux.Handle("GET "+center.ConfirmationPath, h.RequireUser(h.confirm))
	h.MountAPI(mux)
}

// MountAPI adds what programs ask for, and no pages.
func (h *Handler) MountAPI(mux *http.ServeMux) { mux.HandleFunc("POST "+tokenPath, h.token) }

func (h *Handler) actor(r *http.Request, u center.User) audit.Actor {
	return audit.Actor{Kind: audit.User, Name: u.UserName, Address: web.Address(r), RequestID: web.RequestID(r)}
}

func (h *Handler) view(u center.User, title string, data any) web.View {
	return web.PortalPage(u.DisplayName, title, data)
}

// request is the query of /v1/authorize, which the form of the page repeats.
type request struct {
	ClientID, RedirectURI, State, Challenge, Method, ResponseType, Scope string

	to authn.RedirectURI // where the answer goes, checked
}

// maxState bounds what a program has its answer repeat.
const maxState = 512 //bound:text the state of a program that signs in by aws login

// read checks what must be right before the browser may be sent back: the client and the address.
func (h *Handler) read(q url.Values) (a request, err error) {
	a = request{
		ClientID:     q.Get("client_id"),
		RedirectURI:  q.Get("redirect_uri"),
		State:        q.Get("state"),
		Challenge:    q.Get("code_challenge"),
		Method:       q.Get("code_challenge_method"),
		ResponseType: q.Get("response_type"),
		Scope:        q.Get("scope"),
	}
	for _, values := range q {
		if len(values) > 1 {
			return a, &refusal.Error{Code: center.InvalidRequest, Detail: "a parameter comes twice"}
		}
	}
	if len(a.State) > maxState {
		return a, &refusal.Error{Code: center.InvalidRequest, Detail: "the state is too long"}
	}
	a.to, err = h.Center.RoleLoginClient(a.ClientID, a.RedirectURI)
	return a, err
}

// problem is what the program is told that is wrong with its request; empty: nothing. The CLI names
// the method SHA-256, other clients as RFC 7636 does.
func (a request) problem() string {
	switch {
	case a.ResponseType != "code":
		return "unsupported_response_type"
	case a.Scope != "openid":
		return "invalid_scope"
	case a.State == "", !center.IsChallenge(a.Challenge), a.Method != "SHA-256" && a.Method != "S256":
		return "invalid_request"
	}
	return ""
}

// Elsewhere says whether the program is on another machine.
func (a request) Elsewhere() bool { return a.ClientID == center.CrossDeviceClient }

// back is where the browser goes with an answer.
func (a request) back(name, value string) string {
	return a.to.With(url.Values{name: {value}, "state": {a.State}})
}

// again is the page's own address, for another search.
func (a request) again() url.Values {
	return url.Values{
		"client_id": {a.ClientID}, "redirect_uri": {a.RedirectURI}, "state": {a.State}, "scope": {a.Scope},
		"code_challenge": {a.Challenge}, "code_challenge_method": {a.Method}, "response_type": {a.ResponseType},
	}
}

// shown is how many accounts the page shows. More are found by typing.
const shown = 50 //bound:list accounts on the page of aws login

type choiceData struct {
	Request request
	Fields  url.Values // of the request, for both forms
	User    center.User
	Search  string
	Access  []center.AccountAccess
	// Entitled are roles that are not the center's.
	Entitled []center.EntitledRole
	Labels   center.AccountLabels
	More     bool
}

func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	search := q.Get("q")
	q.Del("q")
	var a request
	if err == nil {
		a, err = h.read(q)
	}
	if err != nil { // nobody who could be told is known to be honest
		h.fail(w, r, h.Center.Refuse(r.Context(), h.actor(r, center.User{}), "AuthorizeClient", "", asInvalid(err)))
		return
	}
	if problem := a.problem(); problem != "" {
		http.Redirect(w, r, a.back("error", problem), http.StatusFound) // #nosec G710 -- checked by read
		return
	}
	h.RequireUser(func(w http.ResponseWriter, r *http.Request, u center.User) {
		d := choiceData{Request: a, Fields: a.again(), User: u, Search: strings.TrimSpace(search)}
		d.Access, err = h.Center.Access(
			r.Context(), center.AccessQuery{User: u.ID, Search: d.Search, ByName: true, Limit: shown + 1},
		)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		d.Entitled, err = h.Center.EntitledRoles(
			r.Context(), center.EntitledQuery{User: u.ID, Search: d.Search, Limit: shown + 1},
		)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if d.Labels, err = h.Center.AccountLabels(r.Context()); err != nil {
			h.fail(w, r, err)
			return
		}
		d.More = len(d.Access) > shown || len(d.Entitled) > shown
		d.Access, d.Entitled = d.Access[:min(len(d.Access), shown)], d.Entitled[:min(len(d.Entitled), shown)]
		h.pages.RenderPosting(w, http.StatusOK, "authorize", h.view(u, "Choose a role", d), a.to.Origin())
	}).ServeHTTP(w, r)
}

// asInvalid gives what is no refusal, as a query that cannot be read, the code of one.
func asInvalid(err error) error {
	if refusal.CodeOf(err) == refusal.None {
		return &refusal.Error{Code: center.InvalidRequest}
	}
	return err
}

// decide sends the browser back with a code for the role that was chosen.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, u center.User) {
	if err := r.ParseForm(); err != nil {
		h.fail(w, r, &refusal.Error{Code: center.InvalidRequest})
		return
	}
	form := r.PostForm
	account, set, _ := strings.Cut(form.Get("role"), "/")
	denied := form.Get("decision") == "deny"
	form.Del("role")
	form.Del("decision")
	a, err := h.read(form)
	if err != nil {
		h.fail(w, r, h.Center.Refuse(r.Context(), h.actor(r, u), "AuthorizeClient", "", err))
		return
	}
	problem := a.problem()
	if denied {
		problem = cmp.Or(problem, "access_denied")
	}
	if problem != "" {
		http.Redirect(w, r, a.back("error", problem), http.StatusSeeOther) // #nosec G710 -- checked by read
		return
	}
	code, err := h.Center.AuthorizeRoleLogin(
		r.Context(), h.actor(r, u), h.SessionSecret(r), center.RoleLoginRequest{
			ClientID:      a.ClientID,
			RedirectURI:   a.RedirectURI,
			Challenge:     a.Challenge,
			Account:       account,
			PermissionSet: set,
		},
	)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	http.Redirect(w, r, a.back("code", code.Reveal()), http.StatusSeeOther) // #nosec G710 -- checked by read
}

// maxShown bounds the code that the confirmation shows.
const maxShown = 1 << 10 //bound:text the code that aws login --remote is given, in bytes

// confirm shows what the person copies to the machine on which the program waits. Nothing is
// checked: whoever made up the code is refused it there.
func (h *Handler) confirm(w http.ResponseWriter, r *http.Request, u center.User) {
	q := r.URL.Query()
	code, state := q.Get("code"), q.Get("state")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if code == "" || state == "" || len(code)+len(state) > maxShown {
		h.pages.Render(w, http.StatusOK, "message", h.view(u, "Not signed in", web.Message{
			Title: "Not signed in",
			Lines: []string{"The program gets nothing. Run aws login --remote again to choose a role."},
			Link:  "/start", LinkText: "Go to the portal",
		}))
		return
	}
	text := "state=" + url.QueryEscape(state) + "&code=" + url.QueryEscape(code)
	h.pages.Render(w, http.StatusOK, "confirmation", h.view(
		u, "Authorization code", base64.StdEncoding.EncodeToString([]byte(text)),
	))
}

// fail shows that something did not work. The reason is in the audit log under the reference id.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadRequest
	text := "The program that sent you here made a request that cannot be granted. Run aws login again. " +
		"If the error persists, give your administrator this reference."
	switch code := refusal.CodeOf(err); {
	case code == refusal.None:
		status = http.StatusInternalServerError
	case code.Kind() == refusal.Unavailable:
		status = http.StatusServiceUnavailable
	case code == center.RoleNotAssigned:
		status = http.StatusForbidden
		text = "You do not have this role in this account any more. Run aws login again and choose another one."
	}
	if status >= http.StatusInternalServerError {
		h.logFailure(r.Context(), r, err)
	}
	m := web.NotGranted(status, web.RequestID(r), text)
	h.pages.Render(w, status, "message", h.view(center.User{}, m.Title, m))
}

func (h *Handler) logFailure(ctx context.Context, r *http.Request, err error) {
	h.Log.ErrorContext(ctx, "aws login failed", "request_id", web.RequestID(r), "error", err)
}
