package web

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// settle makes a page that answers a form one of the address at which it can be opened: its links
// and forms lead on from there, and a script shows that address, so that reloading the page sends
// nothing a second time.
func settle(page *html.Node, at *url.URL) {
	for n := range page.Descendants() {
		switch n.DataAtom {
		case atom.A:
			if to := attribute(n, "href"); strings.HasPrefix(to, "?") {
				setAttribute(n, "href", at.Path+to)
			}
		case atom.Form:
			if attribute(n, "action") == "" {
				setAttribute(n, "action", at.Path)
			}
		case atom.Body:
			setAttribute(n, "data-at", at.RequestURI())
		default:
		}
	}
}
