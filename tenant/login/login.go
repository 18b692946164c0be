// Package login is the tenant's door for people: the sign-in page with its session, and the page with the tiles of their applications.
//
// It may import tenant, web and audit.
package login

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
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

const cookieName = "gatehouse_tenant"

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	for pattern, fn := range map[string]http.HandlerFunc{
		"GET /login": h.form, "POST /login": h.signIn, "POST /logout": h.signOut, "GET /myapps": h.apps,
		"GET /{$}": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/myapps", http.StatusFound) },
	} {
		mux.Handle(pattern, web.Guard(h.Tenant.URL, fn))
	}
}

func (h *Handler) view(title string, data any) web.View {
	return web.View{Title: title, Product: h.Tenant.Organization.DisplayName, Theme: "tenant", Home: "/myapps", Narrow: true, Data: data}
}

type formData struct{ ReturnTo, Hint string }

func (h *Handler) show(w http.ResponseWriter, status int, d formData, problem string) {
	v := h.view("Sign in", d)
	v.Problem = problem
	h.pages.Render(w, status, "login", v)
}

func (h *Handler) form(w http.ResponseWriter, r *http.Request) {
	h.show(w, http.StatusOK, formData{web.LocalPath(r.URL.Query().Get("return"), "/myapps"), r.URL.Query().Get("login_hint")}, "")
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	d := formData{web.LocalPath(r.PostFormValue("return"), "/myapps"), r.PostFormValue("loginfmt")}
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	name := strings.TrimSpace(d.Hint)
	signIn := h.Tenant.SignInUser
	if name != "" && !strings.Contains(name, "@") { // an administrator of the admin center, who may allow programs to act for them
		signIn = h.Tenant.SignInAdministrator
	}
	secret, err := signIn(r.Context(), by, name, r.PostFormValue("passwd"))
	switch code := tenant.CodeOf(err); {
	case err == nil:
		http.SetCookie(w, web.Cookie(h.Tenant.URL, cookieName, secret.Reveal(), tenant.SessionLifetime))
		http.Redirect(w, r, d.ReturnTo, http.StatusSeeOther)
	case code != "": // Entra tells that an account is locked (AADSTS50053), and so that it exists; we do not
		h.show(w, http.StatusUnauthorized, d, web.WrongPassword+" (AADSTS50126)")
	default:
		h.Log.Error("sign-in failed", "request_id", by.RequestID, "error", err)
		h.show(w, http.StatusInternalServerError, d, "Something went wrong on our side. Request Id: "+by.RequestID)
	}
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	secret := web.CookieValue(r, cookieName)
	if u, _, err := h.Tenant.SessionUser(r.Context(), secret); err == nil {
		by := audit.Actor{Kind: audit.User, Name: u.UserPrincipalName, Address: web.Address(r), RequestID: web.RequestID(r)}
		if err := h.Tenant.SignOut(r.Context(), by, secret); err != nil {
			h.Log.Error("sign out", "request_id", by.RequestID, "error", err)
		}
	}
	http.SetCookie(w, web.Cookie(h.Tenant.URL, cookieName, "", -time.Second))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// RequireUser hands over the signed-in person and since when, or sends the browser to sign in and back to returnTo. The SAML identity
// provider is given this function.
func (h *Handler) RequireUser(w http.ResponseWriter, r *http.Request, returnTo string) (u tenant.User, since time.Time, ok bool) {
	u, since, err := h.Tenant.SessionUser(r.Context(), web.CookieValue(r, cookieName))
	if err == nil {
		return u, since, true
	}
	if tenant.CodeOf(err) != tenant.SessionInvalid {
		h.Log.Error("read a session", "request_id", web.RequestID(r), "error", err)
		http.Error(w, "Internal error. Request Id: "+web.RequestID(r), http.StatusInternalServerError)
		return u, since, false
	}
	http.Redirect(w, r, "/login?return="+url.QueryEscape(returnTo), http.StatusSeeOther)
	return u, since, false
}

// RequireAccount is RequireUser for what administrators may do as well. The OAuth door is given this function.
func (h *Handler) RequireAccount(w http.ResponseWriter, r *http.Request, returnTo string) (tenant.Account, bool) {
	a, err := h.Tenant.SessionAccount(r.Context(), web.CookieValue(r, cookieName))
	switch {
	case err == nil:
		return a, true
	case tenant.CodeOf(err) == tenant.SessionInvalid:
		http.Redirect(w, r, "/login?return="+url.QueryEscape(returnTo), http.StatusSeeOther)
	default:
		h.Log.Error("read a session", "request_id", web.RequestID(r), "error", err)
		http.Error(w, "Internal error. Request Id: "+web.RequestID(r), http.StatusInternalServerError)
	}
	return a, false
}

func (h *Handler) apps(w http.ResponseWriter, r *http.Request) {
	u, _, ok := h.RequireUser(w, r, "/myapps")
	if !ok {
		return
	}
	all, err := h.Tenant.Applications(r.Context())
	if err != nil {
		h.Log.Error("list applications", "request_id", web.RequestID(r), "error", err)
		http.Error(w, "Internal error. Request Id: "+web.RequestID(r), http.StatusInternalServerError)
		return
	}
	var mine []tenant.Application
	for _, a := range all {
		if a.SSOMode == "saml" && h.Tenant.MayUse(r.Context(), a, u.ID) == nil {
			mine = append(mine, a)
		}
	}
	v := h.view("My Apps", mine)
	v.Narrow, v.User, v.SignOut = false, u.DisplayName, "/logout"
	h.pages.Render(w, http.StatusOK, "apps", v)
}
