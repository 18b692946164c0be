// Package admincenter is the tenant's door for administrators: the clicks of the walk. Gallery, single sign-on, users and groups, provisioning.
//
// It may import tenant, saml, web and audit.
package admincenter

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html pages/_apptabs.html
var files embed.FS

// Handler serves the admin center.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	// Metadata writes the federation metadata of an application. The SAML door provides it.
	Metadata func(tenant.Application) ([]byte, error)
	// Test is Test Connection; Progress says how far a running cycle is. The job runner provides both.
	Test     func(ctx context.Context, baseAddress, secretToken string) error
	Progress func(jobID string) (done, total int, ok bool)
	pages    *web.Pages
}

const cookieName = "gatehouse_admincenter"

var navigation = []web.NavItem{
	{Label: "Overview", URL: "/admin/"}, {Label: "Users", URL: "/admin/users"}, {Label: "Groups", URL: "/admin/groups"},
	{Label: "Enterprise apps", URL: "/admin/apps"}, {Label: "Audit logs", URL: "/admin/audit"},
}

// page is one request of a signed-in administrator.
type page struct {
	http.ResponseWriter
	*http.Request
	h     *Handler
	by    audit.Actor
	Admin string
}

// Header disambiguates: the page embeds both a writer and a request.
func (p page) Header() http.Header { return p.ResponseWriter.Header() }

type action func(p page) error

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	mux.Handle("GET /admin/login", web.Guard(h.Tenant.URL, http.HandlerFunc(h.loginForm)))
	mux.Handle("POST /admin/login", web.Guard(h.Tenant.URL, http.HandlerFunc(h.login)))
	for pattern, fn := range map[string]action{
		"GET /admin/{$}":                                   overview,
		"POST /admin/logout":                               logout,
		"GET /admin/users":                                 users,
		"POST /admin/users":                                createUser,
		"GET /admin/users/{id}":                            user,
		"POST /admin/users/{id}":                           updateUser,
		"POST /admin/users/{id}/delete":                    deleteUser,
		"GET /admin/groups":                                groups,
		"POST /admin/groups":                               createGroup,
		"GET /admin/groups/{id}":                           group,
		"POST /admin/groups/{id}/members":                  addMember,
		"POST /admin/groups/{id}/members/{mid}/delete":     removeMember,
		"POST /admin/groups/{id}/delete":                   deleteGroup,
		"GET /admin/apps":                                  apps,
		"GET /admin/apps/gallery":                          gallery,
		"POST /admin/apps":                                 createApp,
		"GET /admin/apps/{id}":                             app,
		"GET /admin/apps/{id}/saml":                        samlPage,
		"POST /admin/apps/{id}/saml/metadata":              uploadMetadata,
		"POST /admin/apps/{id}/saml":                       saveSAML,
		"GET /admin/apps/{id}/saml/federationmetadata.xml": downloadMetadata,
		"GET /admin/apps/{id}/assignments":                 assignments,
		"POST /admin/apps/{id}/assignments":                assign,
		"POST /admin/apps/{id}/assignments/delete":         unassign,
		"GET /admin/apps/{id}/provisioning":                provisioning,
		"POST /admin/apps/{id}/provisioning":               saveProvisioning,
		"POST /admin/apps/{id}/provisioning/{do}":          controlProvisioning,
		"GET /admin/audit":                                 auditLog,
	} {
		mux.Handle(pattern, web.Guard(h.Tenant.URL, h.signedIn(fn)))
	}
}

func (h *Handler) signedIn(fn action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := h.Tenant.SessionAdministrator(r.Context(), web.CookieValue(r, cookieName))
		if tenant.CodeOf(err) == tenant.SessionInvalid {
			target := "/admin/"
			if r.Method == http.MethodGet {
				target = r.URL.RequestURI()
			}
			http.Redirect(w, r, "/admin/login?return="+url.QueryEscape(target), http.StatusSeeOther)
			return
		}
		p := page{w, r, h, audit.Actor{Kind: audit.Administrator, Name: name, Address: web.Address(r), RequestID: web.RequestID(r)}, name}
		if err == nil {
			err = fn(p)
		}
		if err != nil {
			p.fail(err)
		}
	})
}

func (p page) view(title, active string, data any) web.View {
	return web.View{Title: title, Product: p.h.Tenant.Organization.DisplayName + " admin center", Theme: "tenant", Home: "/admin/", Nav: navigation, Active: active,
		User: p.Admin, SignOut: "/admin/logout", Notice: web.TakeNotice(p.ResponseWriter, p.Request, p.h.Tenant.URL), Data: data}
}

func (p page) render(name, title, active string, data any) error {
	p.h.pages.Render(p.ResponseWriter, http.StatusOK, name, p.view(title, active, data))
	return nil
}

func (p page) done(target, notice string) error {
	web.SetNotice(p.ResponseWriter, p.h.Tenant.URL, notice)
	http.Redirect(p.ResponseWriter, p.Request, target, http.StatusSeeOther)
	return nil
}

// fail shows a refusal with what happened and what to do. Other errors show a reference only.
func (p page) fail(err error) {
	data := struct {
		Title          string
		Lines          []string
		Reference      string
		Link, LinkText string
	}{"That did not work", []string{"Something went wrong on our side. The log has the reason under this reference."}, p.by.RequestID, "/admin/", "Back to the admin center"}
	status := http.StatusInternalServerError
	if code := tenant.CodeOf(err); code != "" {
		reason := tenant.Reasons[code]
		if status = map[tenant.Kind]int{tenant.NotFound: 404, tenant.Conflict: 409, tenant.Denied: 403}[reason.Kind]; status == 0 {
			status = http.StatusBadRequest
		}
		data.Lines = []string{(&tenant.Error{Code: code}).Error() + ".", detail(err), "What to do: " + reason.Remedy + "."}
	} else {
		p.h.Log.Error("admin center request failed", "request_id", p.by.RequestID, "error", err)
	}
	p.h.pages.Render(p.ResponseWriter, status, "message", p.view(data.Title, "", data))
}

func (h *Handler) showLogin(w http.ResponseWriter, status int, returnTo, problem string) {
	h.pages.Render(w, status, "login", web.View{Title: "Sign in", Product: h.Tenant.Organization.DisplayName + " admin center", Theme: "tenant", Home: "/admin/",
		Narrow: true, Problem: problem, Data: struct{ ReturnTo string }{returnTo}})
}

func (h *Handler) loginForm(w http.ResponseWriter, r *http.Request) {
	h.showLogin(w, http.StatusOK, web.LocalPath(r.URL.Query().Get("return"), "/admin/"), "")
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	returnTo := web.LocalPath(r.PostFormValue("return"), "/admin/")
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	secret, err := h.Tenant.SignInAdministrator(r.Context(), by, r.PostFormValue("username"), r.PostFormValue("password"))
	switch {
	case tenant.CodeOf(err) == tenant.SignInLocked:
		h.showLogin(w, http.StatusTooManyRequests, returnTo, "Too many wrong passwords. Wait a few minutes and try again.")
	case tenant.CodeOf(err) != "":
		h.showLogin(w, http.StatusUnauthorized, returnTo, "The user name or the password is not right.")
	case err != nil:
		h.Log.Error("admin center sign-in failed", "request_id", by.RequestID, "error", err)
		h.showLogin(w, http.StatusInternalServerError, returnTo, "Something went wrong on our side. Reference: "+by.RequestID)
	default:
		http.SetCookie(w, web.Cookie(h.Tenant.URL, cookieName, secret.Reveal(), tenant.SessionLifetime))
		http.Redirect(w, r, returnTo, http.StatusSeeOther) // #nosec G710 -- LocalPath keeps it on this site
	}
}

func logout(p page) error {
	if err := p.h.Tenant.SignOut(p.Context(), p.by, web.CookieValue(p.Request, cookieName)); err != nil {
		return err
	}
	http.SetCookie(p.ResponseWriter, web.Cookie(p.h.Tenant.URL, cookieName, "", -time.Second))
	http.Redirect(p.ResponseWriter, p.Request, "/admin/login", http.StatusSeeOther)
	return nil
}
