package web

import (
	"bytes"
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

// forms takes out those that would be refused. Settings stay, as they can be read.
func (o offering) forms(page *html.Node) {
	for _, form := range elements(page, func(n *html.Node) bool {
		return n.DataAtom == atom.Form && strings.EqualFold(attribute(n, "method"), http.MethodPost)
	}) {
		if o.allows(http.MethodPost, attribute(form, "action")) {
			continue
		}
		buttons := elements(form, func(n *html.Node) bool { return n.DataAtom == atom.Button })
		gets := func(n *html.Node) bool { return attribute(n, "formmethod") == "get" }
		fields := elements(form, isField)
		switch {
		case slices.ContainsFunc(buttons, gets): // it asks for a file too
			setAttribute(form, "method", "get")
			removeAll(slices.DeleteFunc(buttons, gets))
		case len(fields) > 0 && closest(form, atom.Details) == nil:
			form.DataAtom, form.Data = atom.Fieldset, "fieldset"
			form.Attr = slices.DeleteFunc(form.Attr, func(a html.Attribute) bool { return a.Key != "class" })
			setAttribute(form, "disabled", "")
			removeAll(buttons)
		default:
			remove(form)
		}
	}
}

// remove takes out a form, and what was there for it alone.
func remove(form *html.Node) {
	at := form.Parent
	at.RemoveChild(form)
	for at.Parent != nil && (at.DataAtom == atom.Details || at.DataAtom == atom.Section || at.DataAtom == atom.Div) {
		if len(elements(at, says)) > 0 {
			return
		}
		up := at.Parent
		up.RemoveChild(at)
		at = up
	}
}

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
