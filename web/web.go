// Package web is what the pages of both halves share: the layout and components, the style sheet,
// the error page, and the middleware that gives every request an id, a time limit, safe headers and
// a line in the log.
//
// It knows neither half.
//
// It may import audit, authn, names and refusal.
package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
)

//go:embed static layout.html desk/*.html
var files embed.FS

// Info is what the middleware knows of a request.
type Info struct {
	ID      string
	Address string
}

type infoKey struct{}

// RequestID returns the id of the request, which the answer and every event carry.
func RequestID(r *http.Request) string { return info(r).ID }

// Address returns the client's IP address.
func Address(r *http.Request) string { return info(r).Address }

func info(r *http.Request) Info {
	if c, ok := r.Context().(*requestContext); ok {
		return c.info
	}
	i, _ := r.Context().Value(infoKey{}).(Info)
	return i
}

// Options are the settings of Middleware.
type Options struct {
	Log     *slog.Logger
	Proxies Proxies // those that say who the client is
	Secure  bool    // the public URL is https: tell browsers to stay with it
	Site    Site    // what answers in plain words become pages of; without a product, none does
	Observe Observe // told of each answer; nil: nobody is
	Trace   Trace   // follows each request; nil: nobody does
}

// requestTimeout bounds how long a handler may take.
const requestTimeout = 30 * time.Second //bound:wait the work of one request

// Headers that every answer carries. The lists are shared: Set replaces one, nothing changes it.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	noStore    = []string{"no-store"}
	strictTLS  = []string{"max-age=31536000"}
)

// Middleware wraps everything that a half serves.
func Middleware(next http.Handler, o Options) http.Handler {
	large, words := &places{}, newBare(o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		// ids in the order of time: the audit log is indexed by them
		i := Info{ID: uuid.Must(uuid.NewV7()).String(), Address: o.Proxies.client(r)}
		ctx := &requestContext{Context: r.Context(), info: i, deadline: started.Add(requestTimeout)}
		if end, ends := r.Context().Deadline(); ends && end.Before(ctx.deadline) {
			ctx.deadline = end
		}
		if o.Trace != nil {
			ctx.follow(w, r, o)
		}
		defer ctx.end()
		h := w.Header()
		h["X-Request-Id"] = []string{i.ID}
		h["X-Content-Type-Options"] = noSniff
		h["Referrer-Policy"] = noReferrer
		h["Cache-Control"] = noStore
		if o.Secure {
			h["Strict-Transport-Security"] = strictTLS
		}
		seen := &recorder{ResponseWriter: w, status: http.StatusOK, bare: words}
		defer func() {
			p := recover()
			if p == http.ErrAbortHandler { //nolint:errorlint // it is the value that net/http compares with
				defer panic(p)
			} else if p != nil {
				o.Log.ErrorContext(
					ctx, "panic", "request_id", i.ID, "panic", fmt.Sprint(p), "path",
					audit.Cut(r.URL.Path, audit.MaxText),
				)
				if !seen.wrote {
					http.Error(seen, "Internal error. Reference: "+i.ID, http.StatusInternalServerError)
				}
			}
			seen.release()
			if o.Observe != nil {
				of := ctx.named.of(r)
				o.Observe(of.door, of.operation, seen.status, time.Since(started))
			}
			if ctx.traced.End != nil {
				of := ctx.named.of(r)
				ctx.traced.End(of.door, of.operation, seen.status)
			}
			if o.Log.Enabled(ctx, slog.LevelDebug) { // the query is left out: it can carry SAML messages
				o.Log.DebugContext(
					ctx, "request", "request_id", i.ID, "method", r.Method, "path",
					audit.Cut(r.URL.Path, audit.MaxText), "status", seen.status, "duration", time.Since(started),
					"address", i.Address,
				)
			}
		}()
		r = r.WithContext(ctx)
		seen.request = r
		defer large.bounded(seen, r, i.Address)()
		next.ServeHTTP(seen, r)
	})
}

type recorder struct {
	http.ResponseWriter
	request *http.Request
	status  int
	wrote   bool
	bare    *bare
	held    *bytes.Buffer // an answer in plain words that becomes a page
}

func (r *recorder) WriteHeader(status int) {
	if status == http.StatusServiceUnavailable {
		r.later()
	}
	r.status, r.wrote = status, true
	if r.bare.takes(r.request, status, r.Header()) {
		r.held = &bytes.Buffer{}
		return
	}
	r.ResponseWriter.WriteHeader(status)
}

// later says when to come back. Browsers do so by themselves, to a page that they were to read.
// Source: HTML, "Refresh" (7.7 of its HTTP headers).
func (r *recorder) later() {
	if r.Header().Get("Retry-After") == "" {
		RetryLater(r)
	}
	if r.request.Method == http.MethodGet && strings.HasPrefix(r.Header().Get("Content-Type"), "text/html") {
		r.Header().Set("Refresh", "5")
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.wrote = true
	if r.held != nil {
		return r.hold(p), nil
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// NavItem is an entry of the side navigation.
type NavItem struct{ Label, URL string }

// Banner says what needs an administrator's attention, and where to fix it.
type Banner struct{ Text, Link, LinkText string }

// View is what a page is made of.
type View struct {
	Title   string
	Product string // shown in the top bar
	Theme   string // center or tenant
	Home    string // where the product's name leads
	Nav     []NavItem
	Active  string // URL of the current navigation entry
	// Sections are the parts of the settings, on the pages of one: that with the URL Section.
	Sections []NavItem
	Section  string
	User     string // who is signed in
	Account  string // where the user's name leads; empty: nowhere
	SignOut  string // where the sign-out form is posted
	Notice   string // shown once, at the top: what was just done
	Problem  string // shown at the top: what was refused, and what to do
	Banner   Banner // shown at the top of every page until the problem is fixed
	At       string // where the page can be opened, of one that answers a form
	Narrow   bool   // a small card, for sign-in and messages
	Mark     string // the site's; Render fills it in
	Data     any
}

// PortalPage is a page of a center's access portal: a small card, with the head that all its doors
// show. user is who is signed in; empty: nobody.
func PortalPage(user, title string, data any) View {
	return View{
		Title:   title,
		Product: "Gatehouse access portal",
		Theme:   "center",
		Home:    "/start",
		User:    user,
		Account: "/platform/account",
		SignOut: "/platform/logout",
		Narrow:  true,
		Data:    data,
	}
}

// Pages renders the pages of one door.
type Pages struct {
	byName map[string]func() *template.Template
	log    *slog.Logger
}

var functions = template.FuncMap{
	"asset":  func(name string) string { return StaticPath + name + "?v=" + assetVersion },
	"date":   func(t time.Time) template.HTML { return when(t, "2006-01-02 15:04 UTC") },
	"moment": func(t time.Time) template.HTML { return when(t, "2006-01-02 15:04:05 UTC") },
	"short": func(n int, s string) string {
		if r := []rune(s); len(r) > n {
			return string(r[:n]) + "…"
		}
		return s
	},
	"agent":   Agent,
	"counted": names.Counted,
	"base":    path.Base, // the last part of an ARN, which stands in addresses
	"hours": func(d time.Duration) string {
		text := strconv.FormatFloat(d.Hours(), 'f', -1, 64) + " hours"
		if d == time.Hour {
			text = "1 hour"
		}
		return text
	},
	"length": Length,
	"until":  func(t time.Time) int { return int(time.Until(t).Hours() / 24) },
}

// Length is a time as people say it, in whole minutes.
func Length(d time.Duration) string {
	for _, unit := range []struct {
		of        time.Duration
		one, many string
	}{{24 * time.Hour, "1 day", " days"}, {time.Hour, "1 hour", " hours"}, {time.Minute, "1 minute", " minutes"}} {
		if d == unit.of {
			return unit.one
		}
		if d > unit.of && d%unit.of == 0 {
			return strconv.FormatInt(int64(d/unit.of), 10) + unit.many
		}
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// when writes a time so that the script can show it in the reader's zone.
func when(t time.Time, layout string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	// #nosec G203 -- digits
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format(layout) + `</time>`)
}

// NewPages are the pages in dir, a folder of .html files that define "content". Files whose names
// begin with an underscore hold parts that all pages of the folder can use.
//
// A page is parsed when it is shown first: each is a tree of its own with the layout and the parts,
// and most processes show few of them. A broken one panics then, which a test finds.
func NewPages(dir fs.FS, log *slog.Logger) *Pages {
	p := &Pages{byName: map[string]func() *template.Template{}, log: log}
	names, err := fs.Glob(dir, "[^_]*.html")
	if err != nil {
		panic(err)
	}
	parts, err := fs.Glob(dir, "_*.html")
	if err != nil {
		panic(err)
	}
	layout := sync.OnceValue(func() *template.Template {
		return parse(parse(template.New("").Funcs(functions), files, "layout.html"), dir, parts...)
	})
	for _, name := range names {
		p.byName[strings.TrimSuffix(name, ".html")] = sync.OnceValue(func() *template.Template {
			return parse(template.Must(layout().Clone()), dir, name)
		})
	}
	return p
}

// indentation is for the readers of a template. Browsers do without it, and it is a third of a
// page. What stands in <pre> and <textarea> is data, and does not change.
var indentation = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\n[ \n]+`) })

// parse adds files to t.
func parse(t *template.Template, dir fs.FS, names ...string) *template.Template {
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			panic(err)
		}
		template.Must(t.New(path.Base(name)).Parse(indentation().ReplaceAllString(string(text), "\n")))
	}
	return t
}

// Render writes a page. Nothing is written before the template has run to its end.
func (p *Pages) Render(w http.ResponseWriter, status int, page string, v View) {
	p.RenderPosting(w, status, page, v, "")
}

// origin is scheme, host and port of an address with a plain host. What is in it is named in a
// header: nothing else may come along.
var origin = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(https?://[A-Za-z0-9._:\[\]-]+)([/?#]|$)`)
})

// RenderPosting is Render for a page whose form is posted to another site, at an address that was
// checked: the content security policy must name it.
func (p *Pages) RenderPosting(w http.ResponseWriter, status int, page string, v View, target string) {
	var b bytes.Buffer
	v.Mark = cmp.Or(v.Mark, mark(w))
	if err := p.byName[page]().ExecuteTemplate(&b, "layout.html", v); err != nil {
		p.log.ErrorContext(asked(w), "render", "page", page, "error", err)
		http.Error(w, "Internal error.", http.StatusInternalServerError)
		return
	}
	formAction := "'self'"
	if m := origin().FindStringSubmatch(target); m != nil {
		formAction += " " + m[1]
	}
	w.Header().Set(
		"Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "+
			"form-action "+formAction+"; frame-ancestors 'none'; base-uri 'none'",
	)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(labelled(yields(b.Bytes()))) // the client has gone away
}

// focused is what a notice has at the top of a page: the focus, for whoever has sent a form goes on
// from there.
var focused = []byte(` tabindex="-1" autofocus`)

// yields leaves the focus to the field of a page that wants it, such as that of a sign-in, which
// comes after the notice.
func yields(page []byte) []byte {
	if bytes.Count(page, []byte(" autofocus")) > 1 {
		return bytes.Replace(page, focused, nil, 1)
	}
	return page
}

// StaticPath is where the style sheet and the script are served.
const StaticPath = "/static/"

// assetVersion changes with the assets, so that they can be cached for good.
var assetVersion = func() string {
	h := sha256.New()
	for _, name := range []string{"static/style.css", "static/app.js"} {
		data, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}()

// MountStatic serves the style sheet, the script and the icon.
func MountStatic(mux *http.ServeMux) {
	server := http.FileServerFS(files)
	// by name: a wildcard would overlap with /{tenant}/…
	for _, name := range []string{"style.css", "app.js", "icon.svg"} {
		mux.HandleFunc("GET "+StaticPath+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			server.ServeHTTP(w, r)
		})
	}
}

// Guard protects pages: it refuses cross-origin writes, bounds bodies, and sends browsers that came
// by another name to the public URL, since cookies belong to one host name.
func Guard(publicURL string, next http.Handler) http.Handler {
	return guard(publicURL, maxForm, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var long *http.MaxBytesError
		if err := r.ParseForm(); errors.As(err, &long) { // its length was not announced
			tooLong(w, r, maxForm)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// tooLong refuses a form.
func tooLong(w http.ResponseWriter, r *http.Request, most int64) {
	text := fmt.Sprintf("The form is larger than %d KiB. Reference: %s", most>>10, RequestID(r))
	http.Error(w, text, http.StatusRequestEntityTooLarge)
}

func guard(publicURL string, most int64, next http.Handler) http.Handler {
	public, err := url.Parse(publicURL)
	if err != nil {
		panic(err)
	}
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.EqualFold(r.Host, public.Host) {
			// #nosec G710 -- to our own host
			http.Redirect(w, r, public.Scheme+"://"+public.Host+r.URL.RequestURI(), http.StatusFound)
			return
		}
		if r.ContentLength > most {
			tooLong(w, r, most)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		protected.ServeHTTP(w, r)
	})
}

const (
	maxForm   = 64 << 10 //bound:body a form
	maxUpload = 1 << 20  //bound:body a form of a signed-in administrator
)

// PNG is a picture of our own making as the address of an image.
func PNG(picture []byte) template.URL {
	// #nosec G203 -- our own image
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(picture))
}

// LocalPath returns target when it is a path on this site, and otherwise the fallback.
func LocalPath(target, fallback string) string {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(target, "/") ||
		strings.HasPrefix(target, "//") || strings.ContainsAny(target, "\\\r\n\t") {
		return fallback
	}
	return target
}

// Notices say on the next page what was just done. They travel in a cookie, not in the address,
// where anybody could write them.

const noticeCookie = "gatehouse_notice"

// maxNotice bounds a notice: browsers drop a cookie of more than 4,096 bytes, and with it all that
// it says.
const maxNotice = 2700 //bound:text bytes of a notice of what was done, on the next page

// SetNotice leaves a notice for the next page of a site at publicURL. Of one that is too long it is
// the beginning.
func SetNotice(w http.ResponseWriter, publicURL, text string) {
	if len(text) > maxNotice {
		text = strings.ToValidUTF8(text[:maxNotice-len("…")], "") + "…"
	}
	http.SetCookie(w, Cookie(publicURL, noticeCookie, base64.RawURLEncoding.EncodeToString([]byte(text)), time.Minute))
}

// TakeNotice returns the notice that was left, once.
func TakeNotice(w http.ResponseWriter, r *http.Request, publicURL string) string {
	text, err := base64.RawURLEncoding.DecodeString(CookieValue(r, publicURL, noticeCookie))
	if err != nil || len(text) == 0 {
		return ""
	}
	ClearCookie(w, publicURL, noticeCookie)
	return string(text)
}
