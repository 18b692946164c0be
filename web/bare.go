package web

import (
	"context"
	"net/http"
	"strings"
)

// Site is what a page needs to say of the site it belongs to.
type Site struct {
	Product string // shown in the top bar
	Theme   string // center or tenant
	Home    string // where people begin
	Desk    string // where administrators begin; their pages are below it
	Mark    string // said at the top of every page: the site is not what it seems; empty: it is
}

// maxBare is what is kept of an answer in plain words.
const maxBare = 1 << 10 //bound:text an answer in plain words that becomes a page

// bare turns answers in plain words into pages: what the router, a guard or a bound say to a
// browser that opens a page. Programs get the words.
type bare struct {
	site  Site
	pages *Pages
}

// takes says whether an answer with these headers is one in plain words to a browser.
func (b *bare) takes(r *http.Request, status int, header http.Header) bool {
	return b != nil && status >= http.StatusBadRequest && r.Method != http.MethodHead &&
		strings.HasPrefix(header.Get("Content-Type"), "text/plain") &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// write writes the page for an answer.
func (b *bare) write(w http.ResponseWriter, r *http.Request, status int, words string) {
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
			"It answers " + w.Header().Get("Allow") + ", and your browser sent " + r.Method +
				". What to do: begin at the start page, and use the links and buttons there.",
		}
	case http.StatusInternalServerError:
		m.Title = "Something went wrong"
		m.Lines = []string{"What to do: try again. If it stays, give an administrator the reference."}
	}
	w.Header().Del("Content-Length")
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
	if words == "" {
		return ""
	}
	return strings.TrimSuffix(capital(words), ".") + "."
}

// hold keeps an answer in plain words until its end.
func (r *recorder) hold(p []byte) int {
	if left := maxBare - r.held.Len(); left > 0 {
		r.held.Write(p[:min(left, len(p))])
	}
	return len(p)
}

// release writes the page for an answer that was held.
func (r *recorder) release() {
	if r.held == nil {
		return
	}
	words := r.held.String()
	r.held = nil
	r.bare.write(r.ResponseWriter, r.request, r.status, words)
}

// newBare has the pages of a site; none for a site without a name.
func newBare(o Options) *bare {
	if o.Site.Product == "" {
		return nil
	}
	return &bare{site: o.Site, pages: deskPages(o.Log)}
}
