// Package console is the door for administrators: the pages of the console. What AWS offers only
// there has an API too, in adminserver. Both call the same rules; while automatic provisioning is
// on, the rules refuse people here what the API still allows.
//
// It may import audit, authn, center, center/iam, center/idpmetadata, center/proof, names, refusal,
// saml and web.
package console

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves the console.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	// SPMetadata writes the service provider metadata. The sign-in door provides it.
	SPMetadata func(context.Context) ([]byte, error)
	// Metadata looks at what an identity provider publishes at the address that an administrator
	// names.
	Metadata *idpmetadata.Watcher
	// Version is the program's, for the page about it; empty: it is not shown.
	Version string
}

var navigation = []web.NavItem{
	{
		Label: "Dashboard",
		URL:   "/console/",
	}, {Label: "Users", URL: "/console/users"}, {Label: "Groups", URL: "/console/groups"},
	{Label: "Who has access", URL: whoHasPath},
	{Label: "Leavers", URL: "/console/leavers"},
	{Label: "AWS accounts", URL: "/console/accounts"}, {Label: "Permission sets", URL: "/console/permission-sets"},
	{
		Label: "Assignments",
		URL:   "/console/assignments",
	}, {Label: "Existing roles", URL: entitlementsPath},
	{Label: "Requests", URL: requestsPath}, {Label: "Reviews", URL: reviewsPath},
	{Label: "Applications", URL: "/console/applications"}, {Label: "Access keys", URL: "/console/access-keys"},
	{Label: "Settings", URL: settingsPath}, {Label: "Audit", URL: "/console/audit"},
}

// cookieName is the session cookie's name.
const cookieName = "gatehouse_console"

// page is one request of a signed-in administrator.
type page struct {
	web.Visit
	h  *Handler
	by audit.Actor
}

type action func(p page) error

func actor(r *http.Request, kind audit.Kind, name string) audit.Actor {
	return audit.Actor{Kind: kind, Name: name, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// desk is the console's sign-in, session and error page.
func (h *Handler) desk(pages *web.Pages) *web.Desk {
	c := h.Center
	return &web.Desk{
		URL: c.URL, Prefix: "/console", Cookie: cookieName,
		Product: "Gatehouse identity center", Theme: "center", Command: "gatehouse administrators",
		Nav: navigation, Settings: sections, Pages: pages, Log: h.Log,
		Session: func(ctx context.Context, secret string) (string, error) {
			name, err := c.ConsoleAdministrator(ctx, secret)
			if refusal.CodeOf(err) == center.SessionInvalid {
				return "", nil
			}
			return name, err
		},
		SignIn:         administrators{c}.signIn,
		Administrators: administrators{c},
		SignedInAnew: func(r *http.Request, secret string) error {
			return c.EndEarlierSession(r.Context(), actor(r, audit.User, ""), secret, "", "")
		},
		SignOut: func(r *http.Request, name, secret string) error {
			_, err := c.SignOut(r.Context(), actor(r, audit.User, name), secret)
			return err
		},
		Banner: h.banner,
	}
}

// banner warns of metadata that waits to be looked at, and of access tokens that expire soon, from
// 90 days before the end.
func (h *Handler) banner(ctx context.Context, name string) web.Banner {
	if s, err := h.Center.Source(ctx); err == nil && s.Watch != nil && s.Watch.Offered != nil {
		return web.Banner{
			Text:     "The identity provider’s published metadata has changed.",
			Link:     sourcePath,
			LinkText: "Review the change",
		}
	}
	tokens, err := h.Center.ExpiringTokens(ctx)
	if err != nil {
		h.Log.ErrorContext(ctx, "look at the access tokens", "error", err)
		return web.Banner{}
	}
	if len(tokens) == 0 {
		return h.ownBanner(ctx, name)
	}
	days := tokens[0].DaysLeft(h.Center.Now())
	text := names.Counted("A SCIM access token expires in %d {day|days}. Provisioning then stops.", days)
	if days < 0 {
		text = "A SCIM access token has expired: requests that use it are refused."
	}
	return web.Banner{Text: text, Link: provisioningPath, LinkText: "Rotate it"}
}

// ownBanner asks an administrator without a second factor to register one.
func (h *Handler) ownBanner(ctx context.Context, name string) web.Banner {
	devices, err := h.Center.Devices(ctx, center.AdministratorPrincipal(name))
	if err != nil {
		h.Log.ErrorContext(ctx, "look at an administrator's second factors", "error", err)
	}
	if err != nil || len(devices) > 0 {
		return web.Banner{}
	}
	return web.Banner{
		Text:     "Only a password protects your access to this console.",
		Link:     "/console/account",
		LinkText: "Register a second factor",
	}
}

// Mount adds the pages to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	desk := h.desk(web.NewPages(dir, h.Log))
	desk.MountSignIn(mux)
	mux.HandleFunc("GET /platform/saml/aws/{directory}", h.serveFederationMetadata)
	pages := map[string]action{
		"GET /console/{$}":                               dashboard,
		"GET /console/users":                             users,
		"POST /console/users":                            createUser,
		"GET /console/users/{id}":                        user,
		"POST /console/users/active":                     setSeveralActive,
		"POST /console/users/{id}/active":                setActive,
		"POST /console/users/{id}/invite":                invite,
		"POST /console/users/{id}/one-time-password":     oneTimePassword,
		"POST /console/users/{id}/sessions/delete":       endSessions,
		"POST /console/users/{id}/revoke":                revoke,
		"GET /console/users/{id}/device":                 userDevice,
		"POST /console/users/{id}/device":                registerUsersDevice,
		"POST /console/users/{id}/devices/{did}/delete":  deleteUsersDevice,
		"POST /console/users/{id}/delete":                deleteUser,
		"GET /console/groups":                            groups,
		"POST /console/groups":                           createGroup,
		"GET /console/groups/{id}":                       group,
		"POST /console/groups/{id}/members":              addMember,
		"POST /console/groups/{id}/members/remove":       removeMembers,
		"POST /console/groups/{id}/members/{mid}/delete": removeMembers,
		"POST /console/groups/{id}/delete":               deleteGroup,
		"GET /console/access-keys":                       accessKeys,
		"POST /console/access-keys":                      createKey,
		"POST /console/access-keys/{id}/status":          setKeyStatus,
		"POST /console/access-keys/{id}/delete":          deleteKey,
		"GET /console/audit":                             auditLog,
	}
	maps.Copy(pages, settingsPages)
	maps.Copy(pages, accessPages)
	maps.Copy(pages, labelPages)
	maps.Copy(pages, entitlementPages)
	maps.Copy(pages, leaverPages)
	maps.Copy(pages, requestPages)
	maps.Copy(pages, reviewPages)
	for pattern, fn := range pages {
		mux.Handle(pattern, desk.Handle(func(v web.Visit) error {
			return fn(page{v, h, actor(v.Request, audit.Administrator, v.Admin)})
		}))
	}
}
