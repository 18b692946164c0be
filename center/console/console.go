// Package console is the center's door for administrators: the console's pages, and the admin API for what AWS offers only by clicking.
// Both call the same rules; while automatic provisioning is on, the rules refuse people here what the API still allows.
//
// It may import center, awsdoor, adminapi, awsapi, saml, web and audit.
package console

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves the console and the admin API.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	// SPMetadata writes the service provider metadata. The sign-in door provides it.
	SPMetadata func() ([]byte, error)
	pages      *web.Pages
}

const cookieName = "gatehouse_console"

var navigation = []web.NavItem{
	{Label: "Dashboard", URL: "/console/"}, {Label: "Users", URL: "/console/users"}, {Label: "Groups", URL: "/console/groups"},
	{Label: "AWS accounts", URL: "/console/accounts"}, {Label: "Permission sets", URL: "/console/permission-sets"},
	{Label: "Assignments", URL: "/console/assignments"}, {Label: "Settings", URL: "/console/settings"}, {Label: "Audit", URL: "/console/audit"},
}

// page is one request of a signed-in administrator.
type page struct {
	http.ResponseWriter
	*http.Request
	h     *Handler
	by    audit.Actor
	Admin string
}

type action func(p page) error

// Mount adds the pages to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	mux.Handle("GET /console/login", web.Guard(h.Center.URL, http.HandlerFunc(h.loginForm)))
	mux.Handle("POST /console/login", web.Guard(h.Center.URL, http.HandlerFunc(h.login)))
	for pattern, fn := range map[string]action{
		"GET /console/{$}":                               dashboard,
		"POST /console/logout":                           logout,
		"GET /console/settings":                          settings,
		"GET /console/settings/sp-metadata.xml":          spMetadata,
		"POST /console/settings/identity-source":         uploadMetadata,
		"GET /console/settings/identity-source":          reviewChange,
		"POST /console/settings/identity-source/change":  changeSource,
		"POST /console/settings/provisioning":            enableProvisioning,
		"POST /console/settings/provisioning/disable":    disableProvisioning,
		"POST /console/settings/tokens":                  createToken,
		"POST /console/settings/tokens/{id}/delete":      deleteToken,
		"GET /console/users":                             users,
		"POST /console/users":                            createUser,
		"GET /console/users/{id}":                        user,
		"POST /console/users/{id}/active":                setActive,
		"POST /console/users/{id}/password":              setPassword,
		"POST /console/users/{id}/delete":                deleteUser,
		"GET /console/groups":                            groups,
		"POST /console/groups":                           createGroup,
		"GET /console/groups/{id}":                       group,
		"POST /console/groups/{id}/members":              addMember,
		"POST /console/groups/{id}/members/{mid}/delete": removeMember,
		"POST /console/groups/{id}/delete":               deleteGroup,
		"GET /console/accounts":                          accounts,
		"POST /console/accounts":                         putAccount,
		"GET /console/permission-sets":                   permissionSets,
		"POST /console/permission-sets":                  createPermissionSet,
		"POST /console/permission-sets/delete":           deletePermissionSet,
		"GET /console/assignments":                       assignments,
		"POST /console/assignments":                      createAssignment,
		"POST /console/assignments/delete":               deleteAssignment,
		"GET /console/audit":                             auditLog,
	} {
		mux.Handle(pattern, web.Guard(h.Center.URL, h.signedIn(fn)))
	}
}

// signedIn runs an action for a signed-in administrator and shows its error.
func (h *Handler) signedIn(fn action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := h.Center.ConsoleAdministrator(r.Context(), web.CookieValue(r, cookieName))
		if center.CodeOf(err) == center.SessionInvalid {
			target := "/console/"
			if r.Method == http.MethodGet {
				target = r.URL.RequestURI()
			}
			http.Redirect(w, r, "/console/login?return="+url.QueryEscape(target), http.StatusSeeOther)
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
	return web.View{
		Title: title, Product: "Gatehouse identity center", Theme: "center", Home: "/console/", Nav: navigation, Active: active,
		User: p.Admin, SignOut: "/console/logout", Notice: web.TakeNotice(p.ResponseWriter, p.Request, p.h.Center.URL), Data: data,
	}
}

func (p page) render(name, title, active string, data any) error {
	p.h.pages.Render(p.ResponseWriter, http.StatusOK, name, p.view(title, active, data))
	return nil
}

// done goes back to a page and says there what was done.
func (p page) done(target, notice string) error {
	web.SetNotice(p.ResponseWriter, p.h.Center.URL, notice)
	http.Redirect(p.ResponseWriter, p.Request, target, http.StatusSeeOther)
	return nil
}

// fail shows a refusal with what happened and what to do; an administrator may know the reason. Other errors show a reference only.
func (p page) fail(err error) {
	data := struct {
		Title          string
		Lines          []string
		Reference      string
		Link, LinkText string
	}{"That did not work", nil, p.by.RequestID, "/console/", "Back to the console"}
	status := http.StatusInternalServerError
	if code := center.CodeOf(err); code != "" {
		reason := center.Reasons[code]
		status = map[center.Kind]int{center.NotFound: 404, center.Conflict: 409, center.Denied: 403}[reason.Kind]
		if status == 0 {
			status = http.StatusBadRequest
		}
		data.Lines = []string{center.Detail(err) + ".", "What to do: " + reason.Remedy + "."}
	} else {
		p.h.Log.Error("console request failed", "request_id", p.by.RequestID, "error", err)
		data.Lines = []string{"Something went wrong on our side. The log has the reason under this reference."}
	}
	p.h.pages.Render(p.ResponseWriter, status, "message", p.view(data.Title, "", data))
}

type loginData struct{ ReturnTo string }

func (h *Handler) showLogin(w http.ResponseWriter, status int, returnTo, problem string) {
	h.pages.Render(w, status, "login", web.View{
		Title: "Sign in", Product: "Gatehouse identity center", Theme: "center", Home: "/console/", Narrow: true, Problem: problem, Data: loginData{returnTo}})
}

func (h *Handler) loginForm(w http.ResponseWriter, r *http.Request) {
	h.showLogin(w, http.StatusOK, web.LocalPath(r.URL.Query().Get("return"), "/console/"), "")
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	returnTo := web.LocalPath(r.PostFormValue("return"), "/console/")
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	secret, err := h.Center.SignInAdministrator(r.Context(), by, r.PostFormValue("username"), r.PostFormValue("password"))
	switch {
	case center.CodeOf(err) == center.SignInLocked:
		h.showLogin(w, http.StatusTooManyRequests, returnTo, "Too many wrong passwords. Wait a few minutes and try again.")
	case center.CodeOf(err) != "":
		h.showLogin(w, http.StatusUnauthorized, returnTo, "The user name or the password is not right.")
	case err != nil:
		h.Log.Error("console sign-in failed", "request_id", by.RequestID, "error", err)
		h.showLogin(w, http.StatusInternalServerError, returnTo, "Something went wrong on our side. Reference: "+by.RequestID)
	default:
		http.SetCookie(w, web.Cookie(h.Center.URL, cookieName, secret.Reveal(), center.ConsoleSessionLifetime))
		http.Redirect(w, r, returnTo, http.StatusSeeOther) // #nosec G710 -- LocalPath keeps it on this site
	}
}

func logout(p page) error {
	by := p.by
	by.Kind = audit.User
	if err := p.h.Center.SignOut(p.Context(), by, web.CookieValue(p.Request, cookieName)); err != nil {
		return err
	}
	http.SetCookie(p.ResponseWriter, web.Cookie(p.h.Center.URL, cookieName, "", -time.Second))
	http.Redirect(p.ResponseWriter, p.Request, "/console/login", http.StatusSeeOther)
	return nil
}
