package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// asked is a request to /authorize, checked.
type asked struct {
	client       tenant.Client
	redirect     authn.RedirectURI
	mode         string
	state, nonce string
	challenge    string
	scopes       []string
	known        bool // all of the scopes
}

// read checks what a program asks a browser for. Until the program and the address are known to
// belong together, nobody is told anything but the person.
func (h *Handler) read(r *http.Request) (a asked, err error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // what one reader passes over, another one reads
		return a, &refusal.Error{Code: tenant.InvalidRequest, Detail: "the query is not properly formatted"}
	}
	if len(q["client_id"]) > 1 || len(q["redirect_uri"]) > 1 {
		return a, &refusal.Error{Code: tenant.InvalidRequest, Detail: "duplicate client_id or redirect_uri"}
	}
	if a.client, err = h.Tenant.Client(r.Context(), tenant.ClientID(q.Get("client_id"))); err != nil {
		return a, err
	}
	if a.redirect, err = a.client.MayReceive(q.Get("redirect_uri")); err != nil {
		return a, err
	}
	a.state = q.Get("state")
	a.nonce = q.Get("nonce")
	a.challenge = q.Get("code_challenge")
	a.scopes = strings.Fields(q.Get("scope"))
	_, a.known = h.permissions(a.scopes)
	if a.mode = q.Get("response_mode"); a.mode == "" {
		a.mode = "query"
	}
	return a, nil
}

// problem is what the program is told, or "".
func (a asked) problem(q url.Values) (code, text string) {
	if code, text = unsupported(q); code != "" {
		return code, text
	}
	switch {
	case q.Get("response_type") != "code":
		return "unsupported_response_type", "AADSTS700054: The response_type must be code."
	case !slices.Contains([]string{"query", "fragment", "form_post"}, a.mode):
		return "invalid_request", "AADSTS70007: The response_mode is not supported."
	case !a.known || len(a.scopes) == 0:
		return "invalid_scope", "AADSTS70011: The scope is not valid."
	case a.challenge == "" && (a.client.Public || q.Get("code_challenge_method") != ""),
		a.challenge != "" && q.Get("code_challenge_method") != "S256":
		return "invalid_request", "AADSTS9002325: Proof Key for Code Exchange by S256 is required."
	case a.challenge != "" && !challengeForm().MatchString(a.challenge):
		return "invalid_request", "AADSTS501481: The code_challenge is not the SHA-256 hash of a verifier in base64url."
	case q.Get("max_age") != "" && !maxAgeForm().MatchString(q.Get("max_age")):
		return "invalid_request", "AADSTS90023: The max_age is not a number of seconds."
	case q.Get("prompt") == "none":
		return "interaction_required", "AADSTS65001: The user or administrator has not consented; send an " +
			"interactive authorization request."
	}
	return "", ""
}

type consentData struct {
	Client  string
	Account string
	Scopes  []string
	Code    string // that a device shows
	Typed   bool
	Fields  map[string]string // to be posted to the program
	Target  string
	Host    string // that receives the answer
	Local   bool   // it is the person's own machine
}

// showPage writes a page. Its form may be posted to the origin too, an address that was checked;
// "": to none.
func (h *Handler) showPage(w http.ResponseWriter, status int, page, title, origin string, d consentData) {
	h.pages.RenderPosting(
		w,
		status,
		page,
		web.View{
			Title:   title,
			Product: h.Tenant.Organization.DisplayName,
			Theme:   "tenant",
			Home:    "/myapps",
			Narrow:  true,
			Data:    d,
		},
		origin,
	)
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	err = h.Tenant.Refuse(r.Context(), h.actor(r, audit.Anonymous, ""), "Authorize application", "", err)
	code, status := refusal.CodeOf(err), http.StatusBadRequest
	text := "AADSTS" + strconv.Itoa(tenant.AADSTS(code)) + ": " + code.What() + "."
	if s := failed(code); s != 0 {
		h.Log.ErrorContext(r.Context(), "authorize", "request_id", web.RequestID(r), "error", err)
		status, text = s, "AADSTS"+strconv.Itoa(transient)+": "+transientText
	}
	h.showPage(w, status, "problem", "Sorry", "", consentData{Client: text, Code: web.RequestID(r)})
}

// authorize asks the person whether a program may act for them.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) {
	a, err := h.read(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if code, text := a.problem(r.URL.Query()); code != "" {
		h.redirectBack(w, r, a, url.Values{"error": {code}, "error_description": {text}})
		return
	}
	account, ok := h.account(w, r, a)
	if !ok {
		return
	}
	if app := a.client.Application; app != nil {
		if err := h.Tenant.MayUse(r.Context(), *app, tenant.UserID(account.ID)); err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	consented, err := h.consented(r, a, account)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if consented {
		h.allow(w, r, a, account)
		return
	}
	h.showPage(w, http.StatusOK, "consent", "Allow access?", a.redirect.Origin(), consentData{
		Client:  a.client.DisplayName,
		Account: account.Name,
		Scopes:  shownScopes(a.scopes),
		Host:    a.redirect.Authority(),
		Local:   a.redirect.Loopback(),
	})
}

// shownScopes are the permissions in the words of the page.
func shownScopes(scopes []string) (list []string) {
	for _, s := range scopes {
		if name := strings.TrimPrefix(s, graphResource+"/"); strings.HasSuffix(s, ".default") {
			list = append(list, "everything in Microsoft Graph that you may do yourself")
		} else if !slices.Contains(openID, s) {
			list = append(list, name)
		}
	}
	return list
}

// consent takes the person's answer.
func (h *Handler) consent(w http.ResponseWriter, r *http.Request) {
	a, err := h.read(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	account, ok := h.account(w, r, a)
	if !ok {
		return
	}
	code, text := a.problem(r.URL.Query())
	if code == "" && r.PostFormValue("answer") != "allow" {
		code, text = "access_denied", "AADSTS65004: The resource owner or authorization server denied the request."
	}
	if code != "" {
		h.redirectBack(w, r, a, url.Values{"error": {code}, "error_description": {text}})
		return
	}
	h.allow(w, r, a, account)
}

// consented says whether an administrator has already allowed what a program asks for: then the
// person is not asked. Who has a role or asks for all that there is (.default) is asked all the
// same: nobody lends a program an administrator's rights by a link.
func (h *Handler) consented(r *http.Request, a asked, account tenant.Account) (bool, error) {
	if account.Administrator || r.URL.Query().Get("prompt") == "consent" {
		return false, nil
	}
	if roles, err := h.Tenant.RolesOf(r.Context(), account.ID); err != nil || len(roles) > 0 {
		return false, err
	}
	var names []string
	for _, s := range a.scopes {
		name := strings.TrimPrefix(s, graphResource+"/")
		if !slices.Contains(openID, name) {
			names = append(names, name)
		}
	}
	return h.Tenant.Consented(r.Context(), a.client.ID, account.ID, names)
}

// allow gives a program a code.
func (h *Handler) allow(w http.ResponseWriter, r *http.Request, a asked, account tenant.Account) {
	g, err := h.Tenant.IssueGrant(
		r.Context(),
		tenant.Grant{
			Kind:        tenant.GrantCode,
			ClientID:    a.client.ID,
			Account:     account,
			Scopes:      a.scopes,
			RedirectURI: a.redirect.String(),
			Challenge:   a.challenge,
			Nonce:       a.nonce,
		},
	)
	if err == nil {
		err = h.Tenant.RecordGranted(
			r.Context(), h.actor(r, audit.User, account.Name), tenant.ActionConsentToApplication, string(a.client.ID),
		)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.redirectBack(w, r, a, url.Values{"code": {g.Secret.Reveal()}})
}

// redirectBack sends the browser back to the program, in the way that it asked for.
func (h *Handler) redirectBack(w http.ResponseWriter, r *http.Request, a asked, values url.Values) {
	if a.state != "" {
		values.Set("state", a.state)
	}
	if a.mode == "form_post" {
		fields := map[string]string{}
		for name := range values {
			fields[name] = values.Get(name)
		}
		h.showPage(w, http.StatusOK, "post", "Working…", a.redirect.Origin(),
			consentData{Client: a.client.DisplayName, Fields: fields, Target: a.redirect.String()})
		return
	}
	to := a.redirect.With(values)
	if a.mode == "fragment" {
		to = a.redirect.WithFragment(values)
	}
	http.Redirect(w, r, to, http.StatusFound) // #nosec G710 -- an address that the client registered
}

// deviceCode begins a sign-in that is finished on another device.
func (h *Handler) deviceCode(w http.ResponseWriter, r *http.Request) {
	if !h.form(w, r) {
		return
	}
	if !h.devices.Allow(web.Neighborhood(web.Address(r))) {
		h.answer(
			w, r, http.StatusTooManyRequests, "temporarily_unavailable", 90055,
			"There are too many requests. Try again in a moment.",
		)
		return
	}
	c, err := h.Tenant.Client(r.Context(), tenant.ClientID(r.PostForm.Get("client_id")))
	scopes := strings.Fields(r.PostForm.Get("scope"))
	if _, known := h.permissions(scopes); err == nil && (!known || len(scopes) == 0) {
		err = &refusal.Error{Code: tenant.ScopeInvalid}
	}
	if err == nil && !c.Public {
		err = &refusal.Error{
			Code:    tenant.ClientInvalid,
			Subject: string(c.ID),
			Detail:  "Only public clients may use device codes",
		}
	}
	var g tenant.IssuedGrant
	if err == nil {
		g, err = h.Tenant.IssueGrant(
			r.Context(),
			tenant.Grant{Kind: tenant.GrantDevice, ClientID: c.ID, Scopes: scopes, Address: web.Address(r)},
		)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	where := h.Tenant.URL + DevicePath
	writeJSON(
		w,
		http.StatusOK,
		map[string]any{
			"device_code":      g.Secret.Reveal(),
			"user_code":        g.UserCode,
			"verification_uri": where,
			"expires_in":       seconds(tenant.DeviceLifetime),
			"interval":         seconds(tenant.DeviceInterval),
			"message": "To sign in, use a web browser to open the page " + where + " and enter the code " +
				g.UserCode + " to authenticate.",
		},
	)
}

// devicePage asks for the code, then whether the program that shows it may act for the person.
func (h *Handler) devicePage(w http.ResponseWriter, r *http.Request) {
	account, ok := h.RequireAccount(w, r, DevicePath)
	if !ok {
		return
	}
	h.showPage(w, http.StatusOK, "device", "Enter code", "", consentData{Account: account.Name})
}

func (h *Handler) answerDevice(w http.ResponseWriter, r *http.Request) {
	account, ok := h.RequireAccount(w, r, DevicePath)
	if !ok {
		return
	}
	code := strings.ToUpper(strings.TrimSpace(r.PostFormValue("code")))
	d := consentData{Account: account.Name, Code: printable(code)}
	if !h.typed.Allow(string(account.ID)) {
		h.showPage(w, http.StatusTooManyRequests, "device", "Enter code", "", d)
		return
	}
	g, err := h.Tenant.PendingDevice(r.Context(), code)
	if refusal.CodeOf(err) == tenant.GrantInvalid {
		d.Typed = true
		h.showPage(w, http.StatusNotFound, "device", "Enter code", "", d)
		return
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	c, err := h.Tenant.Client(r.Context(), g.ClientID)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	d.Client, d.Scopes = c.DisplayName, shownScopes(g.Scopes)
	answer := r.PostFormValue("answer")
	if answer == "" {
		h.showPage(w, http.StatusOK, "consent", "Are you trying to sign in?", "", d)
		return
	}
	if err := h.Tenant.Answer(
		r.Context(), h.actor(r, audit.User, account.Name), code, account, answer == "allow",
	); err != nil {
		h.refuse(w, r, err)
		return
	}
	d.Typed = answer == "allow"
	h.showPage(w, http.StatusOK, "done", "Done", "", d)
}
