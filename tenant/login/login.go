// Package login is the tenant's door for people: the sign-in page with its session, and the page
// with the tiles of their applications.
//
// It may import audit, refusal, tenant and web.
package login

import (
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves sign-in.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	pages  *web.Pages
}

const (
	cookieName  = "gatehouse_tenant"
	knownCookie = "gatehouse_tenant_known" // of a browser that somebody has signed in with
)

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	for pattern, fn := range map[string]http.HandlerFunc{
		"GET /login":           h.form,
		"POST /login":          h.signIn,
		"POST /login/factor":   h.verifyFactor,
		"POST /login/password": h.replacePassword,
		"POST /logout":         h.signOut,
		"GET /security-info":   h.security,
		"POST /security-info":  h.changeSecurity,
		"GET /myapps":          h.apps,
		"GET /{$}": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/myapps", http.StatusFound)
		},
	} {
		if strings.Contains(pattern, " /login") {
			fn = h.followed(fn)
		}
		mux.Handle(pattern, web.Guard(h.Tenant.URL, fn))
	}
}

// followed serves a page of a sign-in: what the browser does next belongs to the same trace.
func (h *Handler) followed(fn http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		web.Follow(w, r, h.Tenant.URL)
		fn(w, r)
	}
}

func (h *Handler) view(title string, data any) web.View {
	return web.View{
		Title:   title,
		Product: h.Tenant.Organization.DisplayName,
		Theme:   "tenant",
		Home:    "/myapps",
		Narrow:  true,
		Data:    data,
	}
}

type formData struct {
	ReturnTo, Hint string
	Stay           bool
	Challenge      tenant.Challenge
}

func (h *Handler) show(w http.ResponseWriter, status int, d formData, problem string) {
	page := "login"
	switch {
	case d.Challenge.NewPassword:
		page = "newpassword"
	case d.Challenge.Ticket != "":
		page = "factor"
	}
	v := h.view("Sign in", d)
	v.Problem = problem
	h.pages.Render(w, status, page, v)
}

func (h *Handler) form(w http.ResponseWriter, r *http.Request) {
	h.show(
		w,
		http.StatusOK,
		formData{
			ReturnTo: web.LocalPath(r.URL.Query().Get("return"), "/myapps"),
			Hint:     r.URL.Query().Get("login_hint"),
		},
		"",
	)
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	d := formData{
		ReturnTo: web.LocalPath(r.PostFormValue("return"), "/myapps"),
		Hint:     strings.TrimSpace(r.PostFormValue("loginfmt")),
		Stay:     r.PostFormValue("stay") == "true",
	}
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	var e tenant.Entry
	var err error
	known := web.CookieValue(r, h.Tenant.URL, knownCookie)
	// an administrator of the admin center, who may allow programs to act for them
	if d.Hint != "" && !strings.Contains(d.Hint, "@") {
		e, err = h.Tenant.SignInAdministrator(
			r.Context(), by, d.Hint, r.PostFormValue("passwd"),
			tenant.Browser{Known: known, UserAgent: r.UserAgent()},
		)
	} else {
		e, err = h.Tenant.SignInUser(r.Context(), by, d.Hint, r.PostFormValue("passwd"), known, d.Stay)
	}
	d.Challenge = e.Challenge
	switch code := refusal.CodeOf(err); {
	case code == tenant.SignInBusy:
		h.show(w, http.StatusServiceUnavailable, d, web.Busy+" (AADSTS90033)")
	case err == nil && d.Challenge.Ticket != "":
		h.show(w, http.StatusOK, d, "")
	case err == nil:
		h.enter(w, r, e, d.ReturnTo)
	case failed(err):
		h.failSignIn(w, r, d, err)
	default: // Entra tells that an account is locked (AADSTS50053), and so that it exists; we do not
		h.show(w, http.StatusUnauthorized, d, web.WrongPassword+" (AADSTS50126)")
	}
}

// enter lets a browser in.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, e tenant.Entry, returnTo string) {
	by := audit.Actor{Address: web.Address(r), RequestID: web.RequestID(r)}
	// the new one is open all the same
	if err := h.Tenant.EndEarlierSession(r.Context(), by, web.CookieValue(r, h.Tenant.URL, cookieName)); err != nil {
		h.Log.ErrorContext(r.Context(), "end the browser's earlier session", "request_id", by.RequestID, "error", err)
	}
	http.SetCookie(w, web.Cookie(h.Tenant.URL, cookieName, e.Session.Reveal(), e.Lifetime))
	if e.Known != "" {
		http.SetCookie(w, web.Cookie(h.Tenant.URL, knownCookie, e.Known.Reveal(), e.KnownLifetime))
	}
	http.Redirect(w, r, returnTo, http.StatusSeeOther)
}

// failed says whether an error is the tenant's: it could not serve, and nobody was refused.
func failed(err error) bool {
	code := refusal.CodeOf(err)
	return err != nil && (code == refusal.None || code.Kind() == refusal.Unavailable)
}

// ours logs what is nobody's fault but the tenant's, and says with which status and in which words
// people are told.
func (h *Handler) ours(r *http.Request, doing string, err error) (status int, text string) {
	h.Log.ErrorContext(r.Context(), doing, "request_id", web.RequestID(r), "error", err)
	if refusal.KindOf(err) == refusal.Unavailable {
		return http.StatusServiceUnavailable, web.Unavailable + " (AADSTS90033)"
	}
	return http.StatusInternalServerError, "Something went wrong on our side."
}

// failSignIn shows the page of a sign-in after what was nobody's fault but the tenant's.
func (h *Handler) failSignIn(w http.ResponseWriter, r *http.Request, d formData, err error) {
	status, text := h.ours(r, "sign-in failed", err)
	h.show(w, status, d, text+" Request Id: "+web.RequestID(r))
}

// fail is failSignIn for what is not a page of a sign-in.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, doing string, err error) {
	status, text := h.ours(r, doing, err)
	m := web.Message{
		Title:     "That did not work",
		Lines:     []string{text},
		Reference: web.RequestID(r),
		Link:      "/myapps",
		LinkText:  "Your applications",
	}
	if status == http.StatusServiceUnavailable {
		m.Title = web.UnavailableTitle
	}
	h.pages.Render(w, status, "message", h.view(m.Title, m))
}

// verifyFactor takes the second factor.
func (h *Handler) verifyFactor(w http.ResponseWriter, r *http.Request) {
	d := formData{ReturnTo: web.LocalPath(r.PostFormValue("return"), "/myapps")}
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	ticket := r.PostFormValue("ticket")
	from := tenant.Browser{Known: web.CookieValue(r, h.Tenant.URL, knownCookie), UserAgent: r.UserAgent()}
	e, err := h.Tenant.VerifyFactor(r.Context(), by, ticket, r.PostFormValue("code"), r.PostFormValue("response"), from)
	h.answerStep(w, r, d, ticket, e, err)
}

// replacePassword takes the password that somebody has chosen in place of a one-time one.
func (h *Handler) replacePassword(w http.ResponseWriter, r *http.Request) {
	d := formData{ReturnTo: web.LocalPath(r.PostFormValue("return"), "/myapps")}
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	ticket := r.PostFormValue("ticket")
	if r.PostFormValue("password") != r.PostFormValue("again") {
		d.Challenge = tenant.Challenge{Ticket: ticket, NewPassword: true}
		h.show(w, http.StatusBadRequest, d, "The two passwords do not match.")
		return
	}
	e, err := h.Tenant.ReplaceOneTime(r.Context(), by, ticket, r.PostFormValue("password"))
	h.answerStep(w, r, d, ticket, e, err)
}

// answerStep leads from one page of a sign-in to the next.
func (h *Handler) answerStep(
	w http.ResponseWriter, r *http.Request, d formData, ticket string, e tenant.Entry, err error,
) {
	switch code := refusal.CodeOf(err); {
	case err == nil && e.Challenge.Ticket != "":
		d.Challenge = e.Challenge
		h.show(w, http.StatusOK, d, "")
	case err == nil:
		h.enter(w, r, e, d.ReturnTo)
	case code == tenant.SignInBusy:
		if d.Challenge, err = h.Tenant.PendingChallenge(r.Context(), ticket); err != nil {
			d.Challenge = tenant.Challenge{}
		}
		h.show(w, http.StatusServiceUnavailable, d, web.Busy+" (AADSTS90033)")
	case failed(err):
		h.failSignIn(w, r, d, err)
	case code == tenant.FactorWrong || code == tenant.InvalidValue:
		problem := "That did not match. Try again with a new code. (AADSTS500121)"
		if code == tenant.InvalidValue {
			problem = "You cannot use that password: it must have 8 to 256 characters and differ from the " +
				"current one."
		}
		if d.Challenge, err = h.Tenant.PendingChallenge(r.Context(), ticket); failed(err) {
			h.failSignIn(w, r, d, err)
			return
		}
		if err != nil {
			d.Challenge, problem = tenant.Challenge{}, "The sign-in took too long. Start again. (AADSTS50058)"
		}
		h.show(w, http.StatusUnauthorized, d, problem)
	default:
		h.show(
			w, http.StatusUnauthorized, d,
			"The sign-in took too long, or there were too many attempts. Start again. (AADSTS50058)",
		)
	}
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	if err := h.EndSession(w, r); err != nil {
		h.fail(w, r, "sign out", err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// EndSession signs the browser out. When it fails the session is still open, and the browser keeps
// it to try again. The SAML identity provider is given this function.
func (h *Handler) EndSession(w http.ResponseWriter, r *http.Request) error {
	secret := web.CookieValue(r, h.Tenant.URL, cookieName)
	a, err := h.Tenant.SessionAccount(r.Context(), secret)
	if err == nil {
		by := audit.Actor{Kind: audit.User, Name: a.Name, Address: web.Address(r), RequestID: web.RequestID(r)}
		err = h.Tenant.SignOut(r.Context(), by, secret)
	}
	if failed(err) {
		return err
	}
	web.ClearCookie(w, h.Tenant.URL, cookieName)
	return nil
}

// User returns the signed-in person and the session, or SessionInvalid. Who must register a second
// factor first has not signed in yet.
func (h *Handler) User(r *http.Request) (tenant.SignedIn, error) {
	in, err := h.Tenant.SessionUser(r.Context(), web.CookieValue(r, h.Tenant.URL, cookieName))
	if err == nil && in.MustRegister {
		err = errors.Join(&refusal.Error{Code: tenant.SessionInvalid}, errMustRegister)
	}
	return in, err
}

var errMustRegister = &refusal.Error{Code: tenant.FactorMissing}

// register sends the browser to the page where second factors are registered.
func register(w http.ResponseWriter, r *http.Request, returnTo string) {
	http.Redirect(w, r, securityPath+"?return="+url.QueryEscape(returnTo), http.StatusSeeOther)
}

// RequireUser hands over the signed-in person and the session, or sends the browser to sign in and
// back to returnTo. The SAML identity provider is given this function.
func (h *Handler) RequireUser(w http.ResponseWriter, r *http.Request, returnTo string) (tenant.SignedIn, bool) {
	in, err := h.User(r)
	if err == nil {
		return in, true
	}
	if errors.Is(err, errMustRegister) {
		register(w, r, returnTo)
		return in, false
	}
	if refusal.CodeOf(err) != tenant.SessionInvalid {
		h.fail(w, r, "read a session", err)
		return in, false
	}
	web.Follow(w, r, h.Tenant.URL)
	http.Redirect(w, r, "/login?return="+url.QueryEscape(returnTo), http.StatusSeeOther)
	return in, false
}

// RequireAccount is RequireUser for what administrators may do as well. The OAuth door is given
// this function.
func (h *Handler) RequireAccount(w http.ResponseWriter, r *http.Request, returnTo string) (tenant.Account, bool) {
	a, err := h.Tenant.SessionAccount(r.Context(), web.CookieValue(r, h.Tenant.URL, cookieName))
	switch {
	case err == nil && a.MustRegister:
		register(w, r, returnTo)
	case err == nil:
		return a, true
	case refusal.CodeOf(err) == tenant.SessionInvalid:
		http.Redirect(w, r, "/login?return="+url.QueryEscape(returnTo), http.StatusSeeOther)
	default:
		h.fail(w, r, "read a session", err)
	}
	return a, false
}

func (h *Handler) apps(w http.ResponseWriter, r *http.Request) {
	in, ok := h.RequireUser(w, r, "/myapps")
	if !ok {
		return
	}
	mine, err := h.applicationsOf(r, in.User)
	if err != nil {
		h.fail(w, r, "list applications", err)
		return
	}
	v := h.view("My Apps", mine)
	v.Narrow = false
	v.User = in.User.DisplayName
	v.SignOut = "/logout"
	h.pages.Render(w, http.StatusOK, "apps", v)
}

// applicationsOf are those that a person can sign in to.
func (h *Handler) applicationsOf(r *http.Request, u tenant.User) (mine []tenant.Application, err error) {
	all, err := h.Tenant.Applications(r.Context())
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.SSOMode != "saml" {
			continue
		}
		switch err := h.Tenant.MayUse(r.Context(), a, u.ID); {
		case err == nil:
			mine = append(mine, a)
		case failed(err):
			return nil, err
		}
	}
	return mine, nil
}
