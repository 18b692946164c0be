package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// askedParameter remembers in the URL that the browser comes back to, sealed, when the person was
// asked to sign in again.
const askedParameter = "asked"

// account is who signs in to a program: of the browser's session, or of a new one where the program
// wants that. Without ok the browser has been sent to sign in.
func (h *Handler) account(w http.ResponseWriter, r *http.Request, a asked) (tenant.Account, bool) {
	account, ok := h.RequireAccount(w, r, r.URL.RequestURI())
	if !ok {
		return account, false
	}
	q := r.URL.Query()
	request := "oauth/" + authn.Digest(
		strings.Join([]string{string(a.client.ID), a.redirect.String(), a.state, a.nonce, a.challenge}, "\n"),
	)
	if h.fresh(q, h.Tenant.AskedAt(request, q.Get(askedParameter)), account.SignedInAt) {
		return account, true
	}
	mark, err := h.Tenant.SealAsked(r.Context(), request)
	if err != nil {
		h.refuse(w, r, err)
		return account, false
	}
	q.Set(askedParameter, mark)
	back := *r.URL
	back.RawQuery = q.Encode()
	to := url.Values{"return": {back.RequestURI()}, "login_hint": {account.Name}}
	http.Redirect(w, r, "/login?"+to.Encode(), http.StatusSeeOther)
	return account, false
}

// fresh says whether a sign-in is as new as a program wants it: begun after the person was asked
// for it (prompt=login), or not longer ago than max_age. Source: OpenID Connect Core, 3.1.2.1.
func (h *Handler) fresh(q url.Values, askedAt, signedInAt time.Time) bool {
	if slices.Contains(strings.Fields(q.Get("prompt")), "login") && (askedAt.IsZero() || signedInAt.Before(askedAt)) {
		return false
	}
	seconds, err := strconv.Atoi(q.Get("max_age"))
	if err != nil { // none was sent: its form was checked
		return true
	}
	if !askedAt.IsZero() && !signedInAt.Before(askedAt) { // a new one: it may be a while until the person allows
		return true
	}
	since := h.Tenant.Now().Sub(signedInAt) // of a clock that was ahead, nobody knows when that was
	return since >= -tenant.ClockSlack && since <= time.Duration(seconds)*time.Second
}
