// Package portal is the center's access portal: the accounts, roles and applications of the person
// who is signed in, temporary credentials, and the way to the AWS console.
//
// It may import audit, authn, awsconfig, center, names, refusal, saml and web.
package portal

import (
	"crypto/x509"
	"embed"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves the portal.
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
	Sandbox       bool // credentials and console are the center's own
	pages         *web.Pages
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
	mux.Handle("GET /start", h.front(h.RequireUser(h.accounts)))
	mux.Handle("GET "+insidePath, h.RequireUser(func(w http.ResponseWriter, r *http.Request, _ center.User) {
		http.Redirect(w, r, "/start", http.StatusFound)
	}))
	mux.HandleFunc("HEAD /start/{$}", h.startURL)
	mux.HandleFunc("GET /start/{$}", h.entrance)
	h.mountRequests(mux)
	h.mountReviews(mux)
	mux.Handle("GET /start/applications", h.RequireUser(h.applications))
	mux.Handle("GET /start/link", h.RequireUser(h.link))
	mux.Handle("GET /start/config", h.RequireUser(h.cliConfig))
	mux.Handle("GET "+consolePath, h.RequireUser(h.openConsole))
	mux.Handle("POST /start/accounts/{account}/roles/{role}/credentials", h.RequireUser(h.credentials))
	mux.Handle("POST /start/roles/credentials", h.RequireUser(h.entitledCredentials))
	if h.Sandbox {
		mux.HandleFunc("POST "+SandboxConsole, h.sandboxConsole)
	}
}

// consolePath opens a role in the AWS console: shortcut links lead there, with the names that AWS's
// have.
const consolePath = "/start/console"

// insidePath leads to the portal's first page, and to the sign-in before it.
const insidePath = "/start/accounts"

// startURL answers the AWS CLI, which since 2.35.13 takes a start URL that is not under a name of
// AWS's only when it redirects to one that is. Nothing is fetched there: the CLI goes on with that
// name, and asks the endpoints that are configured.
func (h *Handler) startURL(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, h.Center.AWSStartURL(), http.StatusFound) // #nosec G710 -- the instance's own name
}

// entranceData is where the portal's entrance leads.
type entranceData struct {
	Console string // for a link that names a role behind a number sign
	Start   string // for every other
}

// front is the portal's own address. A browser that opens it without a session gets the entrance:
// shortcut links are written without the slash before the number sign too.
func (h *Handler) front(accounts http.Handler) http.Handler {
	return web.Guard(h.Center.URL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if web.Opens(r) && r.URL.RawQuery == "" {
			_, err := h.Center.PortalUser(r.Context(), h.SessionSecret(r))
			if refusal.CodeOf(err) == center.SessionInvalid {
				h.entrance(w, r)
				return
			}
		}
		accounts.ServeHTTP(w, r)
	}))
}

// entrance is where shortcut links come in. It asks nobody to sign in yet: on the way to an
// identity provider and back, what stands behind the number sign would be lost.
func (h *Handler) entrance(w http.ResponseWriter, _ *http.Request) {
	data := entranceData{Console: consolePath, Start: insidePath}
	h.pages.Render(w, http.StatusOK, "entrance", web.PortalPage("", "AWS access portal", data))
}

// nav are the tabs.
var nav = []web.NavItem{
	{Label: "Accounts", URL: "/start"}, {Label: "Requests", URL: requestsPath},
	{Label: "Reviews", URL: reviewsPath},
	{Label: "Applications", URL: "/start/applications"},
}

func (h *Handler) view(u center.User, title string, data any) web.View {
	v := web.PortalPage(u.DisplayName, title, data)
	v.Nav, v.Narrow = nav, false
	return v
}

func (h *Handler) actor(r *http.Request, u center.User) audit.Actor {
	return audit.Actor{Kind: audit.User, Name: u.UserName, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// choice is the role that a request names, in the session that it comes with.
func (h *Handler) choice(r *http.Request, account, role string) center.RoleChoice {
	return center.RoleChoice{Session: authn.Digest(h.SessionSecret(r)), Account: account, PermissionSet: role}
}

// fewEnough is how many accounts show their roles at once. More would be a long way to scroll.
const fewEnough = 6 //bound:none how it looks

// pageSize is how many accounts a page shows. More are found by typing.
const pageSize = 50 //bound:list accounts on a page of the portal

type accountsData struct {
	User           center.User
	Console        string // where a link leads that names a role behind a number sign
	Access         []center.AccountAccess
	Entitled       []center.EntitledRole // roles that are not the center's, on the first page
	MoreEntitled   bool                  // there are more of them: a search finds them
	Labels         center.AccountLabels
	Search         string
	Open           bool   // whether the accounts show their roles at once
	Previous, Next string // addresses of other pages; empty: none
}

func (h *Handler) accounts(w http.ResponseWriter, r *http.Request, u center.User) {
	q := r.URL.Query()
	d := accountsData{User: u, Console: consolePath, Search: strings.TrimSpace(q.Get("q"))}
	offset, err := strconv.Atoi(q.Get("from"))
	if err != nil || offset < 0 {
		offset = 0
	}
	d.Access, err = h.Center.Access(
		r.Context(),
		center.AccessQuery{User: u.ID, Search: d.Search, ByName: true, Offset: offset, Limit: pageSize + 1},
	)
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	if offset == 0 {
		d.Entitled, err = h.Center.EntitledRoles(
			r.Context(), center.EntitledQuery{User: u.ID, Search: d.Search, Limit: pageSize + 1},
		)
		if err != nil {
			h.fail(w, r, u, err)
			return
		}
		if d.MoreEntitled = len(d.Entitled) > pageSize; d.MoreEntitled {
			d.Entitled = d.Entitled[:pageSize]
		}
	}
	if d.Labels, err = h.Center.AccountLabels(r.Context()); err != nil {
		h.fail(w, r, u, err)
		return
	}
	at := func(offset int) string {
		return "/start?" + url.Values{"q": {d.Search}, "from": {strconv.Itoa(offset)}}.Encode()
	}
	if len(d.Access) > pageSize {
		d.Access, d.Next = d.Access[:pageSize], at(offset+pageSize)
	}
	d.Open = len(d.Access) <= fewEnough
	if offset > 0 {
		d.Previous = at(max(0, offset-pageSize))
	}
	v := h.view(u, "AWS accounts", d)
	v.Active = "/start"
	h.pages.Render(w, http.StatusOK, "accounts", v)
}

func (h *Handler) applications(w http.ResponseWriter, r *http.Request, u center.User) {
	list, err := h.Center.ApplicationsOf(r.Context(), u.ID)
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	tiles := make([]tile, 0, len(list))
	for _, a := range list {
		t := tile{Application: a, Open: a.StartURL()}
		if t.Open == "" && a.TakesSAML() && a.SAML != nil {
			t.Open = center.SAMLPath + a.ID()
		}
		tiles = append(tiles, t)
	}
	v := h.view(u, "Applications", tiles)
	v.Active = "/start/applications"
	h.pages.Render(w, http.StatusOK, "applications", v)
}

// tile is an application with where it is opened: at its own address, or by an assertion from here.
// Empty: the portal cannot open it.
type tile struct {
	center.Application
	Open string
}

type linkData struct {
	Account, Role, Destination, Link, Problem string
	Label                                     center.AccountLabel
}

// link makes a shortcut link: whoever opens it signs in, and comes to a page of the console in a
// role.
func (h *Handler) link(w http.ResponseWriter, r *http.Request, u center.User) {
	q := r.URL.Query()
	d := linkData{
		Account:     q.Get("account_id"),
		Role:        q.Get("role_name"),
		Destination: strings.TrimSpace(q.Get("destination")),
	}
	values := url.Values{"account_id": {d.Account}, "role_name": {d.Role}}
	switch {
	case d.Destination == "":
	case consoleURL(d.Destination):
		values.Set("destination", d.Destination)
	default:
		d.Problem = "The destination must be an https address of the AWS console."
	}
	var err error
	if d.Label, err = h.labelOf(r, u, d.Account); err != nil {
		h.fail(w, r, u, err)
		return
	}
	d.Link = h.Center.PortalURL() + "/#/console?" + values.Encode()
	v := h.view(u, "Shortcut link", d)
	v.Problem = d.Problem
	h.pages.Render(w, http.StatusOK, "link", v)
}

// labelOf is the label of an account in which somebody has a role: others are not told of it.
func (h *Handler) labelOf(r *http.Request, u center.User, account string) (l center.AccountLabel, err error) {
	list, err := h.Center.OwnAccounts(r.Context(), u.ID)
	for _, a := range list {
		if a.ID == account {
			l = a.Label
		}
	}
	return l, err
}

// maxLink bounds the address of a link to a page of AWS's console, in bytes.
const maxLink = 2048 //bound:text the destination of a shortcut link, in bytes

// consoleURL says whether a link may lead to an address: a page of AWS's console, and nobody
// else's. Source: user guide, "Create shortcut links".
func consoleURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || len(text) > maxLink {
		return false
	}
	for _, domain := range []string{"aws.amazon.com", "amazonaws-us-gov.com", "amazonaws.cn"} {
		if u.Hostname() == domain || strings.HasSuffix(u.Hostname(), "."+domain) {
			return true
		}
	}
	return false
}

// labeled is an account with its label.
func (h *Handler) labeled(r *http.Request, id string) (center.LabeledAccount, error) {
	a, err := h.Center.Account(r.Context(), id)
	if err != nil {
		return center.LabeledAccount{}, err
	}
	labels, err := h.Center.AccountLabels(r.Context())
	return center.LabeledAccount{Account: a, Label: labels.Of(a)}, err
}

// consoleData is what opens the AWS console. The response is in it because it is posted there.
type consoleData struct {
	Account                         center.LabeledAccount
	Role, URL, Response, RelayState string
}

// openConsole sends the browser to the AWS console in a role. With one role in the account, a link
// need not name it; with several, the person chooses.
func (h *Handler) openConsole(w http.ResponseWriter, r *http.Request, u center.User) {
	q := r.URL.Query()
	account := q.Get("account_id")
	role := q.Get("role_name")
	destination := q.Get("destination")
	if destination != "" && !consoleURL(destination) {
		h.fail(w, r, u, &refusal.Error{Code: center.InvalidValue, Field: "destination"})
		return
	}
	if role == "" {
		roles, err := h.Center.RolesOf(r.Context(), u.ID, account)
		if err != nil {
			h.fail(w, r, u, err)
			return
		}
		if len(roles) != 1 {
			http.Redirect(w, r, "/start?"+url.Values{"q": {account}}.Encode(), http.StatusFound)
			return
		}
		role = roles[0].Name
	}
	form, err := h.Center.SignInToConsole(r.Context(), h.actor(r, u), h.Broker, h.choice(r, account, role), destination)
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	d := consoleData{Role: role, URL: form.URL, Response: form.Response.Reveal(), RelayState: form.RelayState}
	if d.Account, err = h.labeled(r, account); err != nil {
		h.fail(w, r, u, err)
		return
	}
	v := h.view(u, "Opening the AWS console", d)
	v.Narrow, v.Nav = true, nil
	h.pages.RenderPosting(w, http.StatusOK, "console", v, form.URL)
}

// SandboxConsole stands for AWS's sign-in endpoint where credentials are the sandbox's.
const SandboxConsole = "/sandbox/console"

// sandboxConsole checks a response as AWS would, and says what the console would open.
func (h *Handler) sandboxConsole(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, saml.MaxMessage*2)
	signer, err := h.Center.FederationSigner(r.Context())
	if err != nil {
		h.fail(w, r, center.User{}, err)
		return
	}
	a, err := saml.VerifyPOST(
		r.PostFormValue("SAMLResponse"),
		saml.Expect{
			Issuer:        h.Center.FederationEntityID(),
			Audience:      h.Center.URL + SandboxConsole,
			Recipient:     h.Center.URL + SandboxConsole,
			Now:           h.Center.Now(),
			Certificates:  []*x509.Certificate{signer.Certificate},
			NameIDFormats: []string{saml.FormatPersistent},
		},
	)
	if err != nil {
		h.fail(
			w,
			r,
			center.User{},
			h.Center.Refuse(
				r.Context(), h.actor(r, center.User{}), "ConsoleLogin", "",
				&refusal.Error{Code: center.AssertionRefused, Detail: err.Error()},
			),
		)
		return
	}
	m := web.Message{
		Title: "This is where the AWS console would open",
		Lines: []string{
			"This center issues sandbox credentials. The response that it signed passed every check, and names " +
				"this role and provider:",
		},
		Link:     "/start",
		LinkText: "Back to your accounts",
	}
	for _, at := range a.Attributes {
		m.Lines = append(m.Lines, at.Name[strings.LastIndexByte(at.Name, '/')+1:]+": "+strings.Join(at.Values, ", "))
	}
	if to := r.PostFormValue("RelayState"); to != "" {
		m.Lines = append(m.Lines, "It would open at "+to)
	}
	v := h.view(center.User{}, m.Title, m)
	v.Nav = nil
	h.pages.Render(w, http.StatusOK, "message", v)
}

// credentialsView is what the credentials page shows; the secrets are in it because showing them is
// its purpose.
type credentialsView struct {
	Account                             center.LabeledAccount
	Role, Profile                       string
	Expiration                          time.Time
	KeyID, Secret, Token                string
	Environment, WindowsEnv, PowerShell string
	ProfileText, Check                  string
	Config, Login                       string // of the AWS CLI
	Sandbox                             bool
}

func (h *Handler) credentials(w http.ResponseWriter, r *http.Request, u center.User) {
	h.showCredentials(w, r, u, r.PathValue("account"), r.PathValue("role"))
}

// entitledCredentials is credentials of a role that is not the center's, which is named by its ARN.
func (h *Handler) entitledCredentials(w http.ResponseWriter, r *http.Request, u center.User) {
	arn := r.PostFormValue("role")
	if !center.IsRoleARN(arn) {
		h.fail(w, r, u, &refusal.Error{Code: center.RoleNotAssigned, Subject: arn})
		return
	}
	h.showCredentials(w, r, u, center.AccountOfRole(arn), arn)
}

func (h *Handler) showCredentials(w http.ResponseWriter, r *http.Request, u center.User, account, role string) {
	c, err := h.Center.RoleCredentials(r.Context(), h.actor(r, u), h.Broker, h.choice(r, account, role))
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	v := credentialsView{
		Role:       role,
		Profile:    account + "_" + center.NameOfRole(role),
		Expiration: c.Expiration,
		KeyID:      c.AccessKeyID,
		Secret:     c.SecretAccessKey.Reveal(),
		Token:      c.SessionToken.Reveal(),
	}
	if v.Account, err = h.labeled(r, account); err != nil {
		h.fail(w, r, u, err)
		return
	}
	pairs := [][2]string{
		{"AWS_ACCESS_KEY_ID", v.KeyID},
		{"AWS_SECRET_ACCESS_KEY", v.Secret},
		{"AWS_SESSION_TOKEN", v.Token},
	}
	v.Environment = lines(pairs, `export `, `="`, `"`)
	v.WindowsEnv = lines(pairs, "SET ", "=", "")
	v.PowerShell = lines(pairs, "$Env:", `="`, `"`)
	v.ProfileText = "[" + v.Profile + "]\naws_access_key_id=" + v.KeyID + "\naws_secret_access_key=" + v.Secret +
		"\naws_session_token=" + v.Token
	v.Sandbox = h.Sandbox
	v.Check = "aws sts get-caller-identity --region " + h.Center.Instance.Region
	if h.Sandbox {
		v.Check += " --endpoint-url " + h.Center.URL
	}
	if center.IsRoleARN(role) { // no profile signs in to it
		h.pages.Render(w, http.StatusOK, "credentials", h.view(u, "Access keys", v))
		return
	}
	profiles := awsconfig.Named( // as in the file with all of them
		awsconfig.DefaultTemplate, []awsconfig.Role{roleOf(v.Account.Account, v.Account.Label, role)},
	)
	v.Login = "aws sso login --profile " + profiles[0].Name
	v.Config = awsconfig.Text(h.cliSession(), profiles)
	h.pages.Render(w, http.StatusOK, "credentials", h.view(u, "Access keys", v))
}

// roleOf is a role as profiles name it.
func roleOf(a center.Account, l center.AccountLabel, role string) awsconfig.Role {
	return awsconfig.Role{
		AccountID: a.ID, AccountName: a.Name, RoleName: role, Environment: l.Environment, Color: string(l.Color),
	}
}

// cliSession is what the AWS CLI is told of this center.
func (h *Handler) cliSession() awsconfig.Session {
	if h.Sandbox { // credentials are the center's own too
		return h.Center.CLISession("sts")
	}
	return h.Center.CLISession()
}

// maxConfigured bounds the accounts in a configuration file.
const maxConfigured = 10_000 //bound:list accounts in a configuration file of the AWS CLI

// cliConfig is the configuration file of the AWS CLI with everything that somebody may open.
func (h *Handler) cliConfig(w http.ResponseWriter, r *http.Request, u center.User) {
	access, err := h.Center.Access(
		r.Context(), center.AccessQuery{User: u.ID, ByName: true, Limit: maxConfigured},
	)
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	labels, err := h.Center.AccountLabels(r.Context())
	if err != nil {
		h.fail(w, r, u, err)
		return
	}
	var roles []awsconfig.Role
	for _, a := range access {
		if a.Account.Suspended {
			continue
		}
		for _, set := range a.PermissionSets {
			roles = append(roles, roleOf(a.Account, labels.Of(a.Account), set.Name))
		}
	}
	head := w.Header()
	head.Set("Content-Type", "text/plain; charset=utf-8")
	head.Set("Content-Disposition", `attachment; filename="config"`)
	profiles := awsconfig.Named(awsconfig.DefaultTemplate, roles)
	_, _ = io.WriteString(w, awsconfig.Text(h.cliSession(), profiles)) // whoever has gone away needs none
}

func lines(pairs [][2]string, before, between, after string) string {
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(before + p[0] + between + p[1] + after + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fail tells a signed-in person that something was refused, without the reason's details.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, u center.User, err error) {
	title := "No access"
	status, text := http.StatusForbidden, "You do not have this role in this account. Ask an administrator for "+
		"the assignment."
	switch code := refusal.CodeOf(err); {
	case code == center.BrokerRefused:
		status, text = http.StatusBadGateway, "AWS refused to open this role. Give your administrator this "+
			"reference: the audit log has the reason."
	case refusal.KindOf(err) == refusal.Unavailable:
		title, text = web.UnavailableTitle, web.Unavailable
		status = http.StatusServiceUnavailable
	case refusal.KindOf(err) == refusal.Invalid:
		status, text = http.StatusBadRequest, "The link is not valid: it must lead to an https address of the AWS "+
			"console."
	case code == center.AssertionRefused:
		text = "The response is not valid, or too old. Open the console from the portal again."
	case code == refusal.None:
		status, text = http.StatusInternalServerError, "Something went wrong on our side. Try again."
		h.Log.ErrorContext(r.Context(), "portal request failed", "request_id", web.RequestID(r), "error", err)
	}
	h.pages.Render(w, status, "message", h.view(u, title, web.Message{
		Title:     title,
		Lines:     []string{text},
		Reference: web.RequestID(r),
		Link:      "/start",
		LinkText:  "Back to your accounts",
	}))
}
