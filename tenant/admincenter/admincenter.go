// Package admincenter is the tenant's door for administrators, the admin center: gallery, single
// sign-on, users and groups, provisioning.
//
// It may import audit, authn, names, provisioning, provisioning/mapping, refusal, saml, tenant and
// web.
package admincenter

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"

	"github.com/gatehouse-id/gatehouse/audit"
	engine "github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves the admin center.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	// Version is the program's, for the page about it; empty: it is not shown.
	Version string
	// Metadata writes the federation metadata of an application. The SAML door provides it.
	Metadata func(tenant.Application) ([]byte, error)
	// Test is Test Connection; Progress says how far a running cycle is, and Standing who works on
	// a job. The job runner provides them.
	Test     func(ctx context.Context, target tenant.Target) error
	Progress func(jobID string) (done, total int, ok bool)
	Standing func(id tenant.JobID) tenant.Standing
	// OnDemand provisions one object of a job, and of a group the named members. The job runner
	// provides it.
	OnDemand func(
		ctx context.Context, j tenant.Job, what tenant.Mark, members []tenant.UserID, dryRun bool,
	) (engine.Explanation, error)
}

var navigation = []web.NavItem{
	{Label: "Overview", URL: "/admin/"}, {Label: "Users", URL: "/admin/users"}, {Label: "Groups", URL: "/admin/groups"},
	{Label: "Enterprise apps", URL: "/admin/apps"}, {Label: "App registrations", URL: "/admin/clients"},
	{Label: "Deleted items", URL: "/admin/deleted"}, {Label: "Roles", URL: "/admin/roles"},
	{Label: "Sign-in logs", URL: "/admin/sign-in-logs"}, {Label: "Audit logs", URL: "/admin/audit"},
	{Label: "Settings", URL: settingsPath},
}

// page is one request of a signed-in administrator.
type page struct {
	web.Visit
	access

	h  *Handler
	by audit.Actor
}

type action func(p page) error

// cookieName is the session cookie's name.
const cookieName = "gatehouse_admincenter"

func actor(r *http.Request, kind audit.Kind, name string) audit.Actor {
	return audit.Actor{Kind: kind, Name: name, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// desk is the admin center's sign-in, session and error page.
func (h *Handler) desk(pages *web.Pages) *web.Desk {
	t := h.Tenant
	return &web.Desk{
		URL: t.URL, Prefix: "/admin", Cookie: cookieName,
		Product: t.Organization.DisplayName + " admin center", Theme: "tenant",
		Command: "gatehouse tenant administrators",
		Nav:     navigation, Settings: sections, Pages: pages, Log: h.Log,
		Session: func(ctx context.Context, secret string) (string, error) {
			name, err := t.SessionAdministrator(ctx, secret)
			if refusal.CodeOf(err) == tenant.SessionInvalid {
				var holder tenant.RoleHolder
				holder, err = t.SessionRoleHolder(ctx, secret)
				name = holder.User.UserPrincipalName
			}
			if refusal.CodeOf(err) == tenant.SessionInvalid {
				return "", nil
			}
			return name, err
		},
		SignIn:         administrators{t}.signIn,
		Administrators: administrators{t},
		Banner:         h.banner,
		SignedInAnew: func(r *http.Request, secret string) error {
			return t.EndEarlierSession(r.Context(), actor(r, audit.Administrator, ""), secret)
		},
		SignOut: func(r *http.Request, name, secret string) error {
			return t.SignOut(r.Context(), actor(r, audit.Administrator, name), secret)
		},
		Admits: h.admits,
	}
}

// banner asks an administrator without a second factor to register one.
func (h *Handler) banner(ctx context.Context, name string) web.Banner {
	if isPerson(name) { // theirs are registered elsewhere
		return web.Banner{}
	}
	f, err := h.Tenant.Factors(ctx, tenant.AdministratorAccount(name).ID)
	if err != nil {
		h.Log.ErrorContext(ctx, "look at an administrator's second factors", "error", err)
	}
	if err != nil || f.Any() {
		return web.Banner{}
	}
	return web.Banner{
		Text:     "Only a password protects your access to this admin center.",
		Link:     "/admin/account",
		LinkText: "Register a second factor",
	}
}

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	desk := h.desk(web.NewPages(dir, h.Log))
	desk.MountSignIn(mux)
	pages := map[string]action{
		"GET /admin/{$}":                                      overview,
		"POST /admin/clock":                                   moveClock,
		"GET /admin/users":                                    users,
		"POST /admin/users":                                   createUser,
		"POST /admin/users/chosen":                            changeUsers,
		"POST /admin/users/{id}":                              updateUser,
		"POST /admin/users/{id}/delete":                       deleteUser,
		"POST /admin/users/{id}/password":                     resetPassword,
		"POST /admin/users/{id}/revoke":                       revokeSessions,
		"GET /admin/deleted":                                  deletedItems,
		"GET /admin/roles":                                    roles,
		"POST /admin/roles":                                   assignRole,
		"POST /admin/roles/delete":                            unassignRole,
		"POST /admin/roles/demand":                            setDemand,
		"POST /admin/deleted/{id}/restore":                    restoreItem,
		"POST /admin/deleted/{id}/delete":                     hardDeleteItem,
		"GET /admin/groups":                                   groups,
		"POST /admin/groups":                                  createGroup,
		"POST /admin/groups/chosen":                           changeGroups,
		"GET /admin/groups/{id}":                              group,
		"POST /admin/groups/{id}/members":                     addMember,
		"POST /admin/groups/{id}/members/remove":              removeMembers,
		"POST /admin/groups/{id}/members/{mid}/delete":        removeMembers,
		"POST /admin/groups/{id}/delete":                      deleteGroup,
		"GET /admin/apps":                                     apps,
		"GET /admin/apps/gallery":                             gallery,
		"POST /admin/apps":                                    createApp,
		"GET /admin/apps/{id}":                                app,
		"POST /admin/apps/{id}/delete":                        deleteApp,
		"POST /admin/apps/{id}/deprovisioning":                saveDeprovisioning,
		"GET /admin/apps/{id}/saml":                           samlPage,
		"POST /admin/apps/{id}/saml/metadata":                 uploadMetadata,
		"POST /admin/apps/{id}/saml":                          saveSAML,
		"POST /admin/apps/{id}/saml/claims":                   saveClaims,
		"POST /admin/apps/{id}/saml/certificates":             saveCertificate,
		"GET /admin/apps/{id}/saml/certificates/{thumbprint}": downloadCertificate,
		"GET /admin/apps/{id}/saml/federationmetadata.xml":    downloadMetadata,
		"GET /admin/apps/{id}/assignments":                    assignments,
		"POST /admin/apps/{id}/assignments":                   assign,
		"POST /admin/apps/{id}/assignments/delete":            unassign,
		"GET /admin/apps/{id}/provisioning":                   provisioning,
		"POST /admin/apps/{id}/provisioning":                  saveProvisioning,
		"POST /admin/apps/{id}/provisioning/{do}":             controlProvisioning,
		"GET /admin/apps/{id}/provisioning/mappings":          mappings,
		"POST /admin/apps/{id}/provisioning/mappings":         saveMappings,
		"GET /admin/apps/{id}/provisioning/ondemand":          onDemandPage,
		"POST /admin/apps/{id}/provisioning/ondemand":         provisionOnDemand,
		"GET /admin/sign-in-logs":                             signInLogs,
		"GET /admin/clients":                                  clients,
		"POST /admin/clients":                                 createClient,
		"POST /admin/clients/{id}/delete":                     deleteClient,
		"GET /admin/audit":                                    auditLog,
	}
	maps.Copy(pages, settingsPages)
	maps.Copy(pages, userTabs)
	for pattern, fn := range pages {
		mux.Handle(pattern, desk.Handle(func(v web.Visit) error {
			by := actor(v.Request, audit.Administrator, v.Admin)
			var err error
			if by.Person, err = personOf(v.Context(), h.Tenant, v.Admin); err != nil {
				return err
			}
			may, err := h.accessOf(v.Context(), by.Person)
			if err == nil {
				err = may.admits(v.Request)
			}
			if err != nil {
				return h.Tenant.Refuse(v.Context(), by, pattern, "", err)
			}
			return fn(page{v, may, h, by})
		}))
	}
}
