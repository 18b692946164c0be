package login

import (
	"errors"
	"html/template"
	"net/http"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// securityData is a person's sign-in methods, and what another one is registered with.
type securityData struct {
	HasApp             bool
	Keys               []web.OwnDevice
	Secret, AppTicket  string
	QR                 template.URL
	KeyOptions, Ticket string
	Demanded           bool // a second factor, before the person gets anywhere
}

// securityPath is where people register second factors.
const securityPath = "/security-info"

// requireOwner is RequireUser for the page on which a person registers a second factor who must.
func (h *Handler) requireOwner(w http.ResponseWriter, r *http.Request) (tenant.SignedIn, bool) {
	in, err := h.User(r)
	if err == nil || errors.Is(err, errMustRegister) {
		return in, true
	}
	return h.RequireUser(w, r, securityPath)
}

// security shows a person's sign-in methods.
func (h *Handler) security(w http.ResponseWriter, r *http.Request) {
	in, ok := h.requireOwner(w, r)
	if ok {
		h.showSecurity(w, r, in, http.StatusOK, "")
	}
}

func (h *Handler) showSecurity(w http.ResponseWriter, r *http.Request, in tenant.SignedIn, status int, problem string) {
	u, d := in.User, securityData{Demanded: in.MustRegister}
	factors, err := h.Tenant.Factors(r.Context(), u.Account().ID)
	if err == nil {
		d.HasApp = factors.SealedSecret != ""
		for _, k := range factors.Keys {
			d.Keys = append(d.Keys, web.OwnDevice{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt})
		}
		var key tenant.KeyOffer
		key, err = h.Tenant.NewKey(r.Context(), u.Account())
		d.KeyOptions, d.Ticket = key.Options, key.Ticket
	}
	if err == nil {
		var app tenant.AuthenticatorOffer
		app, err = h.Tenant.NewAuthenticator(u.Account())
		d.Secret, d.AppTicket = app.Secret, app.Ticket
		d.QR = web.PNG(app.QR)
	}
	if err != nil {
		h.fail(w, r, "show the sign-in methods", err)
		return
	}
	v := h.view("Security info", d)
	v.Narrow = false
	v.User = u.DisplayName
	v.SignOut = "/logout"
	v.Problem = problem
	h.pages.Render(w, status, "security", v)
}

// changeSecurity registers or deletes a sign-in method.
func (h *Handler) changeSecurity(w http.ResponseWriter, r *http.Request) {
	in, ok := h.requireOwner(w, r)
	if !ok {
		return
	}
	u := in.User
	by := audit.Actor{Kind: audit.User, Name: u.UserPrincipalName, Address: web.Address(r), RequestID: web.RequestID(r)}
	var err error
	switch r.PostFormValue("do") {
	case "app":
		err = h.Tenant.AddAuthenticator(
			r.Context(), by, u.Account(), r.PostFormValue("ticket"), r.PostFormValue("code"),
		)
	case "key":
		err = h.Tenant.AddKey(
			r.Context(), by, u.Account(), r.PostFormValue("ticket"), r.PostFormValue("response"),
			r.PostFormValue("name"),
		)
	case "delete":
		err = h.Tenant.RemoveFactor(r.Context(), by, u.Account(), r.PostFormValue("key"))
	}
	switch code := refusal.CodeOf(err); {
	case err == nil:
		to := web.LocalPath(r.FormValue("return"), securityPath)
		http.Redirect(w, r, to, http.StatusSeeOther) // #nosec G710 -- LocalPath keeps it on this site
	case failed(err):
		h.fail(w, r, "change the sign-in methods", err)
	default:
		h.showSecurity(
			w, r, in, http.StatusBadRequest,
			"That did not work: "+code.What()+". What to do: "+code.Remedy()+".",
		)
	}
}
