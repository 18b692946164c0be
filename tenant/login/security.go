package login

import (
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
}

// security shows a person's sign-in methods.
func (h *Handler) security(w http.ResponseWriter, r *http.Request) {
	in, ok := h.RequireUser(w, r, "/security-info")
	if ok {
		h.showSecurity(w, r, in.User, http.StatusOK, "")
	}
}

func (h *Handler) showSecurity(w http.ResponseWriter, r *http.Request, u tenant.User, status int, problem string) {
	var d securityData
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
	in, ok := h.RequireUser(w, r, "/security-info")
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
		http.Redirect(w, r, "/security-info", http.StatusSeeOther)
	case failed(err):
		h.fail(w, r, "change the sign-in methods", err)
	default:
		h.showSecurity(
			w, r, u, http.StatusBadRequest,
			"That did not work: "+code.What()+". What to do: "+code.Remedy()+".",
		)
	}
}
