// Package portal is the center's access portal: the accounts and roles of the person who is signed in, and temporary credentials for them.
//
// It may import center, web and audit.
package portal

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves the portal.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	Broker center.Broker
	// RequireUser hands over the signed-in user, or sends the browser to sign in. The sign-in door provides it.
	RequireUser func(func(http.ResponseWriter, *http.Request, center.User)) http.Handler
	pages       *web.Pages
}

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	mux.Handle("GET /{$}", http.RedirectHandler("/start", http.StatusFound))
	mux.HandleFunc("HEAD /start", h.startURL)
	mux.Handle("GET /start", h.RequireUser(h.accounts))
	mux.HandleFunc("HEAD /start/{$}", h.startURL)
	mux.Handle("GET /start/{$}", http.RedirectHandler("/start", http.StatusFound))
	mux.Handle("POST /start/accounts/{account}/roles/{role}/credentials", h.RequireUser(h.credentials))
}

// startURL answers the AWS CLI, which since 2.35.13 takes a start URL that is not under a name of AWS's only when it redirects to one that is. Nothing is fetched
// there: the CLI goes on with that name, and asks the endpoints that are configured.
func (h *Handler) startURL(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, h.Center.AWSStartURL(), http.StatusFound) // #nosec G710 -- the instance's own name
}

func (h *Handler) view(u center.User, title string, data any) web.View {
	return web.View{Title: title, Product: "Gatehouse access portal", Theme: "center", Home: "/start", User: u.DisplayName, Account: "/platform/account", SignOut: "/platform/logout", Data: data}
}

func (h *Handler) accounts(w http.ResponseWriter, r *http.Request, u center.User) {
	access, err := h.Center.Access(r.Context(), center.AccessQuery{User: u.ID, ByName: true})
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	h.pages.Render(w, http.StatusOK, "accounts", h.view(u, "AWS accounts", struct {
		User   center.User
		Access []center.AccountAccess
	}{u, access}))
}

// credentialsView is what the credentials page shows; the secrets are in it because showing them is its purpose.
type credentialsView struct {
	Account                             center.Account
	Role, Profile                       string
	Expiration                          time.Time
	KeyID, Secret, Token                string
	Environment, WindowsEnv, PowerShell string
	ProfileText, Check                  string
}

func (h *Handler) credentials(w http.ResponseWriter, r *http.Request, u center.User) {
	account, role := r.PathValue("account"), r.PathValue("role")
	by := audit.Actor{Kind: audit.User, Name: u.UserName, Address: web.Address(r), RequestID: web.RequestID(r)}
	c, err := h.Center.RoleCredentials(r.Context(), by, h.Broker, u.ID, account, role)
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	v := credentialsView{
		Role: role, Profile: account + "_" + role, Expiration: c.Expiration,
		KeyID: c.AccessKeyID, Secret: c.SecretAccessKey.Reveal(), Token: c.SessionToken.Reveal(),
	}
	if v.Account, err = h.account(r, u, account); err != nil {
		h.fail(w, r, u, err)
		return
	}
	pairs := [][2]string{{"AWS_ACCESS_KEY_ID", v.KeyID}, {"AWS_SECRET_ACCESS_KEY", v.Secret}, {"AWS_SESSION_TOKEN", v.Token}}
	v.Environment, v.WindowsEnv, v.PowerShell = lines(pairs, `export `, `="`, `"`), lines(pairs, "SET ", "=", ""), lines(pairs, "$Env:", `="`, `"`)
	v.ProfileText = "[" + v.Profile + "]\naws_access_key_id=" + v.KeyID + "\naws_secret_access_key=" + v.Secret + "\naws_session_token=" + v.Token
	v.Check = "aws sts get-caller-identity --endpoint-url " + h.Center.URL + " --region " + h.Center.Instance.Region
	h.pages.Render(w, http.StatusOK, "credentials", h.view(u, "Access keys", v))
}

func lines(pairs [][2]string, before, between, after string) string {
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(before + p[0] + between + p[1] + after + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (h *Handler) account(r *http.Request, u center.User, id string) (center.Account, error) {
	access, err := h.Center.Access(r.Context(), center.AccessQuery{User: u.ID, ByName: true})
	for _, a := range access {
		if a.Account.ID == id {
			return a.Account, nil
		}
	}
	return center.Account{ID: id}, err
}

// fail tells a signed-in person that something was refused, without the reason's details.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, u center.User, err error) {
	status, text := http.StatusForbidden, "You do not have this role in this account. Ask an administrator for the assignment."
	if center.CodeOf(err) == "" {
		status, text = http.StatusInternalServerError, "Something went wrong on our side. Try again."
		h.Log.Error("portal request failed", "request_id", web.RequestID(r), "error", err)
	}
	h.pages.Render(w, status, "message", h.view(u, "No access", web.Message{
		Title: "No access", Lines: []string{text}, Reference: web.RequestID(r), Link: "/start", LinkText: "Back to your accounts"}))
}
