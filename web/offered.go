package web

import (
	"bytes"
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// May says what somebody may ask of a desk: by a method, at an address.
type May func(method, address string) bool

// opened are the entries of a navigation that lead somewhere.
func opened(items []NavItem, may May) []NavItem {
	if may == nil {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), func(x NavItem) bool { return !may(http.MethodGet, x.URL) })
}

// offer writes a page without what somebody would be refused: a page offers what it opens, and no
// more. Templates need not say any of this.
func (v Visit) offer(pages *Pages, status int, name string, view View) {
	if v.may == nil && view.At == "" {
		pages.Render(v.ResponseWriter, status, name, view)
		return
	}
	view.Mark = mark(v.ResponseWriter)
	kept := NewKept()
	pages.Render(kept, status, name, view)
	page, err := html.Parse(&kept.Body)
	var b bytes.Buffer
	if at, wrong := url.Parse(view.At); err == nil && wrong == nil && view.At != "" {
		settle(page, at)
	}
	if err == nil && v.may != nil {
		o := offering{may: v.may, at: v.URL}
		o.forms(page)
		o.links(page)
	}
	if err == nil {
		err = html.Render(&b, page)
	}
	if err != nil { // neither fails on what a template has written
		v.desk.Log.ErrorContext(v.Context(), "leave out what is not offered", "page", name, "error", err)
		http.Error(v.ResponseWriter, "Internal error.", http.StatusInternalServerError)
		return
	}
	for _, header := range []string{"Content-Type", "Content-Security-Policy"} {
		v.Header()[header] = kept.Header()[header]
	}
	v.WriteHeader(kept.Status)
	_, _ = v.ResponseWriter.Write(b.Bytes()) // the client has gone away
}

// offering takes out of a page what is refused to whoever looks at it.
type offering struct {
	may May
	at  *url.URL
}

func (o offering) allows(method, address string) bool {
	u, err := o.at.Parse(address)
	return err != nil || u.Host != o.at.Host || o.may(method, u.Path)
}

// refuses says whether what a form or one of its buttons sends would be refused.
func (o offering) refuses(form, sender *html.Node) bool {
	address := cmp.Or(attribute(sender, "formaction"), attribute(form, "action"))
	return sends(form, sender) && !o.allows(http.MethodPost, address)
}

// sends says whether a form, or one of its buttons, posts.
func sends(form, sender *html.Node) bool {
	return strings.EqualFold(cmp.Or(attribute(sender, "formmethod"), attribute(form, "method")), http.MethodPost)
}

// forms takes out those that would be refused, and those of their buttons. Settings stay, as they
// can be read.
func (o offering) forms(page *html.Node) {
	for _, form := range elements(page, func(n *html.Node) bool { return n.DataAtom == atom.Form }) {
		refused := func(n *html.Node) bool { return o.refuses(form, n) }
		buttons := elements(form, func(n *html.Node) bool { return n.DataAtom == atom.Button })
		left := slices.DeleteFunc(slices.Clone(buttons), refused)
		if len(left) == len(buttons) && (len(buttons) > 0 || !refused(form)) {
			continue
		}
		posts := func(n *html.Node) bool { return sends(form, n) }
		fields := elements(form, isField)
		switch {
		case slices.ContainsFunc(left, posts):
			removeAll(slices.DeleteFunc(buttons, func(n *html.Node) bool { return slices.Contains(left, n) }))
		case len(left) > 0 && posts(form): // it asks for a file too
			setAttribute(form, "method", "get")
			removeAll(slices.DeleteFunc(buttons, func(n *html.Node) bool { return slices.Contains(left, n) }))
		case len(fields) > 0 && posts(form) && closest(form, atom.Details) == nil:
			form.DataAtom, form.Data = atom.Fieldset, "fieldset"
			form.Attr = slices.DeleteFunc(form.Attr, func(a html.Attribute) bool { return a.Key != "class" })
			setAttribute(form, "disabled", "")
			removeAll(buttons)
		default: // a search is there for what is done to those whom it finds
			remove(form)
		}
	}
}

// remove takes out a form, and what was there for it alone. A heading goes with its section.
func remove(form *html.Node) {
	gone := form
	for at := form.Parent; at.Parent != nil; at = at.Parent {
		frame := at.DataAtom == atom.Details || at.DataAtom == atom.Section || at.DataAtom == atom.Div
		if !frame || slices.ContainsFunc(elements(at, says), func(n *html.Node) bool { return !within(n, gone) }) {
			break
		}
		if at.DataAtom != atom.Div || len(elements(at, heads)) == 0 {
			gone = at
		}
	}
	gone.Parent.RemoveChild(gone)
}

// within says whether an element is another, or below it.
func within(n, other *html.Node) bool {
	for n != nil && n != other {
		n = n.Parent
	}
	return n != nil
}

// heads says whether an element is the heading of a part of a page.
func heads(n *html.Node) bool { return n.DataAtom == atom.H2 || n.DataAtom == atom.H3 }

// says says whether an element is more than a heading or a frame.
func says(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Form, atom.Fieldset, atom.Table, atom.P, atom.Dl, atom.Ul, atom.Ol, atom.Pre, atom.A, atom.Input,
		atom.H1, atom.Details, atom.Svg:
		return true
	default:
		return false
	}
}

// isField says whether an element of a form can be read.
func isField(n *html.Node) bool {
	return n.DataAtom == atom.Select || n.DataAtom == atom.Textarea ||
		n.DataAtom == atom.Input && attribute(n, "type") != "hidden"
}

// links leaves the words of those that would be refused, and of a button nothing.
func (o offering) links(page *html.Node) {
	for _, a := range elements(page, func(n *html.Node) bool {
		return n.DataAtom == atom.A && attribute(n, "href") != "" && !o.allows(http.MethodGet, attribute(n, "href"))
	}) {
		if slices.Contains(strings.Fields(attribute(a, "class")), "button") {
			a.Parent.RemoveChild(a)
			continue
		}
		for c := a.FirstChild; c != nil; c = a.FirstChild {
			a.RemoveChild(c)
			a.Parent.InsertBefore(c, a)
		}
		a.Parent.RemoveChild(a)
	}
}

// elements are those below one that are of a kind.
func elements(of *html.Node, kind func(*html.Node) bool) (list []*html.Node) {
	for n := range of.Descendants() {
		if n.Type == html.ElementNode && kind(n) {
			list = append(list, n)
		}
	}
	return list
}

func removeAll(list []*html.Node) {
	for _, n := range list {
		n.Parent.RemoveChild(n)
	}
}

// closest is the nearest element of a kind around another; nil: there is none.
func closest(n *html.Node, kind atom.Atom) *html.Node {
	for up := n.Parent; up != nil; up = up.Parent {
		if up.DataAtom == kind {
			return up
		}
	}
	return nil
}
