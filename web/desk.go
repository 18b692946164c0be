package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Desk is a site's pages for administrators: a sign-in page, and pages for those who have signed
// in. Both halves have one; what differs is in its fields.
type Desk struct {
	URL     string // the site's public URL
	Prefix  string // of all its paths, such as /console
	Cookie  string // the session cookie's name
	Product string
	Theme   string
	Command string // that looks after the administrators on the data folder
	Nav     []NavItem
	// Settings are the sections of the settings, each a page of its own. The first is where the
	// navigation's entry leads.
	Settings []NavItem
	Pages    *Pages // must have login, message and what Render is asked for
	Log      *slog.Logger
	own      *Pages // those that both halves share
	mux      *http.ServeMux
	alone    chan struct{} // is full while somebody makes what is shown once
	presses  Presses

	// Session returns the administrator behind a session's secret; "" when the session is not
	// valid.
	Session func(ctx context.Context, secret string) (name string, err error)
	// SignIn checks a password, and opens a session or says what it waits for. known is of a
	// browser that somebody has signed in with before. It fails with ErrRefused, and with ErrBusy
	// when the password was not looked at.
	SignIn func(r *http.Request, name, password, known string) (Entry, error)
	// Administrators is what the half does for and with its administrators.
	Administrators Administrators
	// SignedInAnew ends the session that the browser had before.
	SignedInAnew func(r *http.Request, secret string) error
	// SignOut ends a session.
	SignOut func(r *http.Request, name, secret string) error
	// Banner says what needs attention, on every page; nil where nothing ever does.
	Banner func(ctx context.Context, name string) Banner
	// Admits is what an administrator may ask for, by which pages are offered; nil, or a function
	// that is nil: everything.
	Admits func(ctx context.Context, name string) (May, error)
}

// Visit is one request of a signed-in administrator.
type Visit struct {
	http.ResponseWriter
	*http.Request
	Admin string
	desk  *Desk
	may   May    // nil: everything
	at    string // see At
}

// Header disambiguates: a Visit embeds both a writer and a request.
func (v Visit) Header() http.Header { return v.ResponseWriter.Header() }

// WrongPassword is what everybody is told whose sign-in is refused, whatever the reason: that a
// name is locked would tell that it exists.
const WrongPassword = "The user name or password is incorrect. After several failed attempts, wait a few " +
	"minutes before you try again."

// ErrRefused is what a sign-in fails with that a half refuses. The person is not told why.
var ErrRefused = errors.New("the sign-in is refused")

// ErrBusy is what a sign-in fails with when so many passwords are being checked that this one was
// not looked at.
var ErrBusy = errors.New("too many passwords are being checked")

// Busy is what people are told then. It does not say what was wrong with what they sent: mostly
// nobody has looked at it.
const Busy = "Too many people are signing in at the moment, and this attempt was turned away. Try again in a few " +
	"seconds."

// Unavailable is what people are told when the database cannot be reached, or its disk is full.
const Unavailable = "The service is not available at the moment. It comes back by itself: try again in a few seconds."

// UnavailableTitle is the title of a page that says so. Middleware has a page that was only read
// load itself again.
const UnavailableTitle = "Back in a moment"

// RetryLater tells a program when to retry. Middleware does so for every answer with 503. Source:
// RFC 9110, 10.2.3.
func RetryLater(w http.ResponseWriter) { w.Header().Set("Retry-After", "3") }

// Message is what the page "message" shows.
type Message struct {
	Title          string
	Lines          []string
	Reference      string
	Link, LinkText string
}

// NotGranted tells somebody whom a program has sent to the portal that this did not work: text, or
// that it is to be tried again where the status says so.
func NotGranted(status int, reference, text string) Message {
	title := "That did not work"
	if status == http.StatusServiceUnavailable {
		title, text = UnavailableTitle, Unavailable
	}
	return Message{
		Title: title, Lines: []string{text}, Reference: reference, Link: "/start", LinkText: "Go to the portal",
	}
}

// MountSignIn adds the sign-in and sign-out of the desk to mux.
func (d *Desk) MountSignIn(mux *http.ServeMux) {
	d.mux, d.alone = mux, make(chan struct{}, 1)
	mux.Handle("GET "+d.Prefix+"/login", Guard(d.URL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.showSignIn(w, http.StatusOK, LocalPath(r.URL.Query().Get("return"), d.Prefix+"/"), "")
	})))
	mux.Handle("POST "+d.Prefix+"/login", Guard(d.URL, http.HandlerFunc(d.signIn)))
	d.mountNext(mux)
	d.mountAdministrators(mux)
	mux.Handle("POST "+d.Prefix+"/logout", d.Handle(func(v Visit) error {
		if err := d.SignOut(v.Request, v.Admin, CookieValue(v.Request, d.URL, d.Cookie)); err != nil {
			return err
		}
		ClearCookie(v.ResponseWriter, d.URL, d.Cookie)
		http.Redirect(v.ResponseWriter, v.Request, d.Prefix+"/login", http.StatusSeeOther)
		return nil
	}))
}

func (d *Desk) showSignIn(w http.ResponseWriter, status int, returnTo, problem string) {
	d.Pages.Render(
		w,
		status,
		"login",
		View{
			Title:   "Sign in",
			Product: d.Product,
			Theme:   d.Theme,
			Home:    d.Prefix + "/",
			Narrow:  true,
			Problem: problem,
			Data:    struct{ ReturnTo string }{returnTo},
		},
	)
}

func (d *Desk) signIn(w http.ResponseWriter, r *http.Request) {
	returnTo := LocalPath(r.PostFormValue("return"), d.Prefix+"/")
	e, err := d.SignIn(
		r, r.PostFormValue("username"), r.PostFormValue("password"), CookieValue(r, d.URL, d.Cookie+knownSuffix),
	)
	switch {
	case errors.Is(err, ErrBusy):
		d.showSignIn(w, http.StatusServiceUnavailable, returnTo, Busy)
	case errors.Is(err, ErrRefused):
		d.showSignIn(w, http.StatusUnauthorized, returnTo, WrongPassword)
	case err != nil:
		d.failed(w, r, returnTo, err)
	default:
		d.enter(w, r, e, returnTo)
	}
}

// failed shows the sign-in page after what was nobody's fault but ours.
func (d *Desk) failed(w http.ResponseWriter, r *http.Request, returnTo string, err error) {
	d.Log.ErrorContext(r.Context(), "sign-in failed", "request_id", RequestID(r), "error", err)
	status, problem := http.StatusInternalServerError, "Something went wrong on our side."
	if d.unavailable(err) {
		status, problem = http.StatusServiceUnavailable, Unavailable
	}
	d.showSignIn(w, status, returnTo, problem+" Reference: "+RequestID(r))
}

// unavailable says whether an error is the machine's and may pass.
func (d *Desk) unavailable(err error) bool {
	status, _ := Explain(err)
	return status == http.StatusServiceUnavailable
}

// Handle runs fn for a signed-in administrator and shows its error; others are sent to sign in.
func (d *Desk) Handle(fn func(Visit) error) http.Handler {
	return guard(d.URL, maxUpload, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := d.Session(r.Context(), CookieValue(r, d.URL, d.Cookie))
		if err == nil && name == "" {
			target := d.Prefix + "/"
			if r.Method == http.MethodGet {
				target = r.URL.RequestURI()
			}
			http.Redirect(w, r, d.Prefix+"/login?return="+url.QueryEscape(target), http.StatusSeeOther)
			return
		}
		w.Header()["Referrer-Policy"] = sameOrigin
		d.presses.Once(w, r, CookieValue(r, d.URL, d.Cookie), func(w http.ResponseWriter) {
			v := Visit{w, everyAsFile(r), name, d, nil, ""}
			if err == nil && d.Admits != nil {
				v.may, err = d.Admits(r.Context(), name)
			}
			if err == nil {
				err = fn(v)
			}
			if err != nil {
				v.fail(err)
			}
		})
	}))
}

func (v Visit) view(title, active string, data any) View {
	d := v.desk
	var banner Banner
	if d.Banner != nil {
		banner = d.Banner(v.Context(), v.Admin)
	}
	notice := TakeNotice(v.ResponseWriter, v.Request, d.URL)
	problem, failed := strings.CutPrefix(notice, problemMark)
	if failed {
		notice = ""
	} else {
		problem = ""
	}
	section, sections := "", []NavItem(nil)
	if slices.ContainsFunc(d.Settings, func(s NavItem) bool { return s.URL == active }) {
		section, sections = active, d.Settings
		active = d.settings()
	}
	return View{
		Title:    title,
		Product:  d.Product,
		Theme:    d.Theme,
		Home:     d.Prefix + "/",
		Nav:      opened(d.Nav, v.may),
		Active:   active,
		Sections: opened(sections, v.may),
		Section:  section,
		User:     v.Admin,
		Account:  d.Prefix + "/account",
		SignOut:  d.Prefix + "/logout",
		Notice:   notice,
		Problem:  problem,
		Banner:   banner,
		At:       v.at,
		Data:     data,
	}
}

// At is the visit whose answer to a form is shown at the address of a page: what is shown once has
// no address, and reloading it sends nothing a second time.
func (v Visit) At(address string) Visit {
	v.at = address
	return v
}

// Render writes a page. active is the URL of the navigation entry that it belongs to.
func (v Visit) Render(name, title, active string, data any) error {
	v.offer(v.desk.Pages, http.StatusOK, name, v.view(title, active, data))
	return nil
}

// Done goes on to a page and says there what was done.
func (v Visit) Done(target, notice string) error {
	SetNotice(v.ResponseWriter, v.desk.URL, notice)
	http.Redirect(v.ResponseWriter, v.Request, target, http.StatusSeeOther)
	return nil
}

// Moved leads from the address that a page had before to the one that it has.
func (v Visit) Moved(target string) error {
	http.Redirect(v.ResponseWriter, v.Request, target, http.StatusSeeOther)
	return nil
}

// Failed goes on to a page and says there what was not done, and why.
func (v Visit) Failed(target, problem string) error {
	return v.Done(target, problemMark+problem)
}

// problemMark begins a notice of what was not done.
const problemMark = "!"

// Download sends a file.
func (v Visit) Download(name, contentType string, data []byte) error {
	v.Header().Set("Content-Type", contentType)
	v.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = v.ResponseWriter.Write(data) // the client has gone away
	return nil
}

// fail shows a refusal with what happened and what to do, above the form that was refused where
// that can be; an administrator may know the reason. Of any other error only the reference is told.
func (v Visit) fail(err error) {
	m := Message{
		Title:     "That did not work",
		Reference: RequestID(v.Request),
		Link:      cmp.Or(v.from(), v.desk.Prefix+"/"),
		LinkText:  "Back",
	}
	status, lines := Explain(err)
	if len(lines) > 0 {
		lines = append([]string{refusal.Sentence(lines[0])}, lines[1:]...)
	}
	if len(lines) > 0 &&
		v.retype(status, flash("bad", "alert", append(slices.Clone(lines), "Reference: "+m.Reference)...), err) {
		return
	}
	if len(lines) == 0 {
		v.desk.Log.ErrorContext(
			v.Context(), "request failed", "request_id", m.Reference, "path", v.URL.Path, "error", err,
		)
		status, lines = http.StatusInternalServerError, []string{
			"Something went wrong on our side. The log has the reason under this reference.",
		}
	}
	m.Lines = lines
	if status == http.StatusServiceUnavailable {
		m.Title = UnavailableTitle
	}
	v.offer(v.desk.Pages, status, "message", v.view(m.Title, "", m))
}
