package web

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Entry is what a sign-in of an administrator has come to: what the browser is to keep, and for how
// long.
type Entry struct {
	Secret         string // of the session; empty: more is asked for
	Lifetime       time.Duration
	Ticket         string // to go on with; empty: the one that the browser has
	TicketLifetime time.Duration
	Known          string // of this browser from now on; empty: nothing changes
	KnownLifetime  time.Duration
}

// Waiting is what a sign-in waits for.
type Waiting struct {
	Password bool   // another password in place of a one-time one
	Rule     string // for passwords
	Codes    bool   // the code of an authenticator app
	Key      string // the answer of a security key to these options; empty: none can be used here
}

// Proof is what a person sends when a sign-in needs more than a password.
type Proof struct {
	Password       string // a new one
	Code, Response string // of an authenticator app, of a security key
}

const (
	ticketSuffix = "_ticket"
	knownSuffix  = "_known"
)

// deskPages are the pages that the desks of both halves share.
func deskPages(log *slog.Logger) *Pages {
	dir, err := fs.Sub(files, "desk")
	if err != nil {
		panic(err)
	}
	return NewPages(dir, log)
}

// enter lets an administrator in, or leads to the page that asks for more.
func (d *Desk) enter(w http.ResponseWriter, r *http.Request, e Entry, returnTo string) {
	if e.Known != "" {
		http.SetCookie(w, Cookie(d.URL, d.Cookie+knownSuffix, e.Known, e.KnownLifetime))
	}
	if e.Secret == "" {
		if e.Ticket != "" {
			http.SetCookie(w, Cookie(d.URL, d.Cookie+ticketSuffix, e.Ticket, e.TicketLifetime))
		}
		http.Redirect(w, r, d.Prefix+"/login/next?return="+url.QueryEscape(returnTo), http.StatusSeeOther)
		return
	}
	ClearCookie(w, d.URL, d.Cookie+ticketSuffix)
	if err := d.SignedInAnew(r, CookieValue(r, d.URL, d.Cookie)); err != nil { // the new one is open all the same
		d.Log.ErrorContext(r.Context(), "end the browser's earlier session", "request_id", RequestID(r), "error", err)
	}
	http.SetCookie(w, Cookie(d.URL, d.Cookie, e.Secret, e.Lifetime))
	http.Redirect(w, r, returnTo, http.StatusSeeOther) // #nosec G710 -- LocalPath keeps it on this site
}

func (d *Desk) mountNext(mux *http.ServeMux) {
	d.own = deskPages(d.Log)
	show := func(w http.ResponseWriter, r *http.Request) { d.next(w, r, http.StatusOK, "") }
	mux.Handle("GET "+d.Prefix+"/login/next", Guard(d.URL, http.HandlerFunc(show)))
	mux.Handle("POST "+d.Prefix+"/login/next", Guard(d.URL, http.HandlerFunc(d.takeProof)))
}

type nextData struct {
	Waiting
	Action, SignIn, ReturnTo, Command string
}

// next shows what a sign-in waits for.
func (d *Desk) next(w http.ResponseWriter, r *http.Request, status int, problem string) {
	returnTo := LocalPath(r.FormValue("return"), d.Prefix+"/")
	waiting, err := d.Administrators.Waits(r, CookieValue(r, d.URL, d.Cookie+ticketSuffix))
	if err != nil {
		d.begin(w, r, returnTo, err)
		return
	}
	title, page := "Verify your identity", "factor"
	if waiting.Password {
		title, page = "Set a new password", "newpassword"
	}
	d.own.Render(w, status, page, View{
		Title:   title,
		Product: d.Product,
		Theme:   d.Theme,
		Home:    d.Prefix + "/",
		Narrow:  true,
		Problem: problem,
		Data:    nextData{waiting, d.Prefix + "/login/next", d.Prefix + "/login", returnTo, d.Command},
	})
}

// begin leads back to the sign-in page, with what went wrong.
func (d *Desk) begin(w http.ResponseWriter, r *http.Request, returnTo string, err error) {
	if _, lines := Explain(err); len(lines) == 0 || d.unavailable(err) {
		d.failed(w, r, returnTo, err)
		return
	}
	ClearCookie(w, d.URL, d.Cookie+ticketSuffix)
	d.showSignIn(w, http.StatusUnauthorized, returnTo,
		"This sign-in has ended: it took too long, or there were too many wrong codes. Sign in again.")
}

// takeProof takes what the page of a sign-in has sent.
func (d *Desk) takeProof(w http.ResponseWriter, r *http.Request) {
	returnTo := LocalPath(r.PostFormValue("return"), d.Prefix+"/")
	if r.PostFormValue("password") != r.PostFormValue("again") {
		d.next(w, r, http.StatusBadRequest, "The two passwords do not match.")
		return
	}
	proof := Proof{r.PostFormValue("password"), strings.TrimSpace(r.PostFormValue("code")), r.PostFormValue("response")}
	e, err := d.Administrators.Prove(r, CookieValue(r, d.URL, d.Cookie+ticketSuffix), proof)
	if err == nil {
		d.enter(w, r, e, returnTo)
		return
	}
	switch _, lines := Explain(err); {
	case errors.Is(err, ErrBusy):
		d.next(w, r, http.StatusServiceUnavailable, Busy)
	case len(lines) == 0 || d.unavailable(err) || d.Administrators.Ended(err):
		d.begin(w, r, returnTo, err)
	case proof.Password == "":
		d.next(w, r, http.StatusUnauthorized, "That did not match. Try again. If you use an authenticator app, "+
			"wait for the next code. After several failed attempts, wait a few minutes.")
	default:
		d.next(w, r, http.StatusBadRequest, refusal.Sentence(lines[0]))
	}
}
