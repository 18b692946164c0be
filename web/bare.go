package web

import (
	"cmp"
	"context"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Site is what a page needs to say of the site it belongs to.
type Site struct {
	Product string // shown in the top bar
	Theme   string // center or tenant
	Home    string // where people begin
	Desk    string // where administrators begin; their pages are below it
	Mark    string // said at the top of every page: the site is not what it seems; empty: it is
	// Wrong is what the site knows of an address that it does not have, or does not answer by the
	// method, status says which; nil: nothing more than that.
	Wrong func(r *http.Request, status int) (Wrong, bool)
}

// Wrong is what a site says of an address that nobody should have come to.
type Wrong struct {
	Title string
	Lines []string // for people
	// Link is where people can go on; empty: at the start page.
	Link, LinkText string
	// Status, Answer and ContentType are for programs, in the form of their protocol.
	Status      int
	Answer      any // as JSON
	ContentType string
}

// maxBare is what is kept of an answer that becomes a page.
const maxBare = 4 << 10 //bound:text an answer in a program's form that becomes a page

// bare turns answers in plain words, or in a program's form, into pages: what the router, a guard,
// a bound or an API says to a browser that opens a page. Programs get what their protocol has.
type bare struct {
	site  Site
	pages *Pages
}

// takes says whether an answer with these headers may become another one.
func (b *bare) takes(r *http.Request, status int, header http.Header) bool {
	if b == nil || status < http.StatusBadRequest || r.Method == http.MethodHead {
		return false
	}
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	switch kind {
	case "text/plain":
		return forPeople(r) || b.site.Wrong != nil && ofAddress(status)
	case "application/json", "application/scim+json", "application/xml", "text/xml":
		return Opens(r)
	default:
		return false
	}
}

// ofAddress says whether a status is about the address, and not about what was sent there.
func ofAddress(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed
}

// forPeople says whether whoever asks can show a page.
func forPeople(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// Opens says whether a browser asks, to show what comes. Programs in Java take pages by default and
// pictures too, and want their protocol's answer all the same.
func Opens(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return accept == "text/html" ||
		strings.HasPrefix(accept, "text/html,") && strings.Contains(accept, "application/xhtml+xml")
}

// write writes the answer that stands for one that was held.
func (b *bare) write(w http.ResponseWriter, r *http.Request, status int, words string) {
	var wrong Wrong
	known := false
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if b.site.Wrong != nil && kind == "text/plain" && ofAddress(status) {
		wrong, known = b.site.Wrong(r, status)
	}
	w.Header().Del("Content-Length")
	if !forPeople(r) || wrong.Answer != nil && !Opens(r) {
		program(w, status, words, wrong)
		return
	}
	home := b.site.Home
	if strings.HasPrefix(r.URL.Path, b.site.Desk) {
		home = b.site.Desk
	}
	m := Message{
		Title:     http.StatusText(status),
		Lines:     []string{sentence(words)},
		Reference: RequestID(r),
		Link:      home,
		LinkText:  "Go to the start page",
	}
	switch {
	case known:
		m = Message{
			Title: wrong.Title, Lines: wrong.Lines,
			Link: cmp.Or(wrong.Link, m.Link), LinkText: cmp.Or(wrong.LinkText, m.LinkText),
		}
		status = cmp.Or(wrong.Status, status)
	case kind != "text/plain":
		m.Title, m.Lines = "This address is for programs", []string{
			"It answered: " + sentence(said(words)),
			"What to do: begin at the start page. The address of an API belongs into the settings of a program, " +
				"which sends what the API asks for.",
		}
	default:
		m.addressed(status, w.Header().Get("Allow"), r.Method)
	}
	b.pages.Render(w, status, "bare", View{
		Title:   m.Title,
		Product: b.site.Product,
		Theme:   b.site.Theme,
		Home:    home,
		Narrow:  true,
		Mark:    b.site.Mark,
		Data:    m,
	})
}

// program writes an answer in the form of a program's protocol, or in plain words.
func program(w http.ResponseWriter, status int, words string, wrong Wrong) {
	if data, err := json.Marshal(wrong.Answer); err == nil && wrong.Answer != nil {
		w.Header().Set("Content-Type", cmp.Or(wrong.ContentType, "application/json"))
		status, words = cmp.Or(wrong.Status, status), string(data)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(words)) // the client has gone away
}

// addressed says what the router's words mean, and the words of a mistake of ours.
func (m *Message) addressed(status int, allowed, method string) {
	switch status {
	case http.StatusNotFound: // nothing is recorded of it that a reference could lead to
		m.Reference = ""
		m.Title = "Page not found"
		m.Lines = []string{
			"There is no page at this address. What to do: check the address, or begin at the start page.",
		}
	case http.StatusMethodNotAllowed:
		m.Reference = ""
		m.Title = "This address cannot be opened like this"
		m.Lines = []string{
			"It answers " + allowed + ", and your browser sent " + method +
				". What to do: begin at the start page, and use the links and buttons there.",
		}
	case http.StatusInternalServerError:
		m.Title = "Something went wrong"
		m.Lines = []string{"What to do: try again. If it stays, give an administrator the reference."}
	}
}

// messageInXML is where AWS's answers in XML have their words.
var messageInXML = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)<Message>(.*?)</Message>`) })

// said are the words of an answer in a program's form.
func said(answer string) string {
	var x struct {
		Error       any    `json:"error"` // a name, or an object
		Description string `json:"error_description"`
		Message     string `json:"message"`
		Detail      string `json:"detail"`
	}
	if m := messageInXML().FindStringSubmatch(answer); m != nil {
		return html.UnescapeString(m[1])
	}
	if json.Unmarshal([]byte(answer), &x) != nil {
		return "an error that only programs can read"
	}
	name, _ := x.Error.(string)
	inner, _ := x.Error.(map[string]any)
	of, _ := inner["message"].(string)
	return cmp.Or(x.Description, of, x.Message, x.Detail, name, "an error without a word")
}

// mark is that of the site that an answer is of.
func mark(w http.ResponseWriter) string {
	if r := recorded(w); r != nil && r.bare != nil {
		return r.bare.site.Mark
	}
	return ""
}

// asked is the context of the request that is answered.
func asked(w http.ResponseWriter) context.Context {
	if r := recorded(w); r != nil && r.request != nil {
		return r.request.Context()
	}
	return context.Background()
}

// recorded is what records an answer; nil: nothing does.
func recorded(w http.ResponseWriter) *recorder {
	for {
		switch x := w.(type) {
		case *recorder:
			return x
		case interface{ Unwrap() http.ResponseWriter }:
			w = x.Unwrap()
		default:
			return nil
		}
	}
}

// sentence is words that begin with a capital letter and end with a period. The reference, which
// stands on its own on the page, is taken out.
func sentence(words string) string {
	words, _, _ = strings.Cut(strings.TrimSpace(words), " Reference: ")
	return refusal.Sentence(words)
}

// hold keeps an answer until its end.
func (r *recorder) hold(p []byte) int {
	if left := maxBare - r.held.Len(); left > 0 {
		r.held.Write(p[:min(left, len(p))])
	}
	return len(p)
}

// release writes the answer that stands for one that was held.
func (r *recorder) release() {
	if r.held == nil {
		return
	}
	words := r.held.String()
	r.held = nil
	r.bare.write(&counted{r.ResponseWriter, r}, r.request, r.status, words)
}

// counted lets the recorder know of the status that stands for another.
type counted struct {
	http.ResponseWriter
	seen *recorder
}

func (c *counted) WriteHeader(status int) {
	c.seen.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// newBare has the pages of a site; none for a site without a name.
func newBare(o Options) *bare {
	if o.Site.Product == "" {
		return nil
	}
	return &bare{site: o.Site, pages: deskPages(o.Log)}
}
