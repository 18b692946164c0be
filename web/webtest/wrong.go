package webtest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// browser is what a browser accepts that opens a page. Source: what Chromium 156 sends.
const browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// wayBack is a link or a button within the site.
var wayBack = regexp.MustCompile(`(?s)<main.*(<a [^>]*href="/|<a [^>]*href="http|<button)`)

// WantPages sends a stranger's browser to every route, by each method and with more than fits: what
// is refused is a page that has a title, a landmark, a heading and a way back. It returns how many
// were refused.
func (v Visitor) WantPages(site string, routes []string) (refused int) {
	v.T.Helper()
	v = v.Stays()
	large := url.Values{"x": {strings.Repeat("x", 2<<20)}}
	seen := map[string]bool{}
	for _, route := range routes {
		_, path, ok := strings.Cut(route, " ")
		if !ok {
			path = route
		}
		path = wildcard.ReplaceAllString(strings.TrimSuffix(path, "{$}"), "nothing")
		if seen[path] || !strings.HasPrefix(path, "/") {
			continue
		}
		seen[path] = true
		for _, method := range []string{
			http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		} {
			form := url.Values{}
			if method == http.MethodPost && len(seen)%10 == 0 {
				form = large
			}
			refused += v.wantPage(method, site+path, form)
		}
	}
	return refused
}

// wantPage says whether a request was refused, which must be by a page.
func (v Visitor) wantPage(method, address string, form url.Values) int {
	v.T.Helper()
	page := v.Do(method, address, form, browser)
	if page.Status < http.StatusBadRequest {
		return 0
	}
	kind := page.Header.Get("Content-Type")
	if !strings.HasPrefix(kind, "text/html") || strings.Count(page.Text, "<h1") != 1 ||
		!strings.Contains(page.Text, "<title>") || !strings.Contains(page.Text, "<main") ||
		!wayBack.MatchString(page.Text) {
		_, main, _ := strings.Cut(page.Text, "<body")
		v.T.Errorf("%s %s: %d %s: %s", method, address, page.Status, kind, main)
	}
	return 1
}
