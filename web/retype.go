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

// sameOrigin lets a form say to our own site from which page it comes.
var sameOrigin = []string{"same-origin"}

// from is the page of the desk that a form was sent from; "" where the browser does not say.
func (v Visit) from() string {
	if v.PostFormValue(sure) != "" {
		return v.askedFrom()
	}
	u, err := url.Parse(v.Referer())
	ours, broken := url.Parse(v.desk.URL)
	if err != nil || broken != nil || u.Host != ours.Host || !strings.HasPrefix(u.Path, v.desk.Prefix+"/") {
		return ""
	}
	return u.RequestURI()
}

// askedFrom is the page whose form a question was about.
func (v Visit) askedFrom() string {
	u, err := url.Parse(LocalPath(v.PostFormValue(askedFrom), ""))
	if err != nil || !strings.HasPrefix(u.Path, v.desk.Prefix+"/") {
		return ""
	}
	return u.RequestURI()
}

// Stay answers a form that only asked: it is shown again as it was typed, with a notice above it. A
// script may take the notice alone, and leave in place what is never shown again. Where the form
// cannot be found, the browser goes on to target.
func (v Visit) Stay(target, notice string) error {
	if v.retype(http.StatusOK, flash("good", "status", notice), nil) {
		return nil
	}
	return v.Done(target, notice)
}

// retype shows a form again, on its own page and with all that was typed but passwords and files,
// and a box above it. The focus is in the field that a refusal is about, or else at the box. It
// reports whether it could: the form may be gone, or the browser may not have said where it is.
func (v Visit) retype(status int, box *html.Node, refused error) bool {
	if v.Method != http.MethodPost || v.PostForm == nil || v.desk.mux == nil {
		return false
	}
	from, err := url.Parse(v.from())
	if err != nil || from.Path == "" {
		return false
	}
	page, headers := v.again(from)
	if page == nil {
		return false
	}
	form := v.sent(page, from)
	if form == nil {
		return false
	}
	fill(form, v.PostForm)
	for up := form.Parent; up != nil; up = up.Parent {
		if up.DataAtom == atom.Details {
			setAttribute(up, "open", "")
		}
	}
	for n := range page.Descendants() {
		turn(n, "autofocus", false)
	}
	focus := box
	if field, sure := atFault(form, refused); field != nil {
		setAttribute(box, "id", refusedID)
		setAttribute(field, "aria-describedby", refusedID)
		if sure {
			setAttribute(field, "aria-invalid", "true")
		}
		focus = field
	}
	turn(focus, "autofocus", true)
	form.InsertBefore(box, form.FirstChild)
	settle(page, from)
	var b bytes.Buffer
	if html.Render(&b, page) != nil {
		return false
	}
	for _, name := range []string{"Content-Type", "Content-Security-Policy"} {
		v.Header()[name] = headers[name]
	}
	v.WriteHeader(status)
	_, _ = v.ResponseWriter.Write(b.Bytes()) // the client has gone away
	return true
}

// again reads the page that a form was sent from, for the same administrator.
func (v Visit) again(from *url.URL) (page *html.Node, headers http.Header) {
	ask := v.Clone(v.Context())
	ask.Method = http.MethodGet
	ask.URL, ask.RequestURI = from, from.RequestURI()
	ask.Body, ask.ContentLength = http.NoBody, 0
	ask.Form, ask.PostForm = nil, nil
	ask.MultipartForm = nil
	kept := NewKept()
	v.desk.mux.ServeHTTP(kept, ask)
	if kept.Status != http.StatusOK || !strings.HasPrefix(kept.Header().Get("Content-Type"), "text/html") {
		return nil, nil
	}
	page, err := html.Parse(&kept.Body)
	if err != nil {
		return nil, nil
	}
	return page, kept.Header()
}

// sent finds the form: of those that are posted to the same address, the one that has most of what
// was sent. What a form sends without anybody typing it must be the same.
func (v Visit) sent(page *html.Node, from *url.URL) (form *html.Node) {
	most := 0
	for n := range page.Descendants() {
		if n.DataAtom != atom.Form || !posts(n, from, v.URL.Path) {
			continue
		}
		if has := has(n, v.PostForm); has > most {
			form, most = n, has
		}
	}
	return form
}

// posts says whether a form or one of its buttons posts to an address.
func posts(form *html.Node, from *url.URL, path string) bool {
	to := func(method, action string) bool {
		u, err := from.Parse(action)
		return err == nil && u.Path == path && strings.EqualFold(method, http.MethodPost)
	}
	action := attribute(form, "action")
	if to(attribute(form, "method"), action) {
		return true
	}
	for n := range form.Descendants() {
		if n.DataAtom == atom.Button &&
			to(attribute(n, "formmethod"), cmp.Or(attribute(n, "formaction"), action)) {
			return true
		}
	}
	return false
}

// has counts the fields of a form that were sent; 0 when it would have sent something else.
func has(form *html.Node, sent url.Values) (n int) {
	for field := range form.Descendants() {
		values, ok := sent[attribute(field, "name")]
		fixed := attribute(field, "type") == "hidden"
		same := slices.Contains(values, attribute(field, "value"))
		switch {
		case fixed && !same:
			return 0
		case ok && (same || !fixed && field.DataAtom != atom.Button):
			n++
		default:
		}
	}
	return n
}

// fill puts into a form what was typed. The values of fields that share a name come in their order.
func fill(form *html.Node, typed url.Values) {
	next := map[string]int{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		values, ok := typed[name]
		if name == "" || !ok && attribute(n, "type") != "checkbox" {
			continue
		}
		switch n.DataAtom {
		case atom.Input:
			fillInput(n, values, next)
		case atom.Textarea:
			for c := n.FirstChild; c != nil; c = n.FirstChild {
				n.RemoveChild(c)
			}
			// HTML drops a line break at the beginning
			n.AppendChild(&html.Node{Type: html.TextNode, Data: "\n" + values[0]})
		case atom.Select:
			for option := range n.Descendants() {
				if option.DataAtom == atom.Option {
					turn(option, "selected", slices.Contains(values, optionValue(option)))
				}
			}
		default:
		}
	}
}

// optionValue is what a form sends for an option: its text, when it has no value.
func optionValue(option *html.Node) string {
	for _, a := range option.Attr {
		if a.Key == "value" {
			return a.Val
		}
	}
	var text strings.Builder
	for n := range option.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func fillInput(n *html.Node, values []string, next map[string]int) {
	switch attribute(n, "type") {
	case "password", "file", "hidden", "submit":
	case "checkbox", "radio":
		value := attribute(n, "value")
		turn(n, "checked", slices.Contains(values, value) || value == "" && slices.Contains(values, "on"))
	default:
		name := attribute(n, "name")
		if next[name] < len(values) {
			setAttribute(n, "value", values[next[name]])
			next[name]++
		}
	}
}

// flash is a box of lines, which can have the focus: whoever reads or hears the page comes there
// first.
func flash(class, role string, lines ...string) *html.Node {
	element := func(a atom.Atom, attributes ...html.Attribute) *html.Node {
		return &html.Node{Type: html.ElementNode, DataAtom: a, Data: a.String(), Attr: attributes}
	}
	box := element(
		atom.Div, html.Attribute{Key: "class", Val: "flash " + class}, html.Attribute{Key: "role", Val: role},
		html.Attribute{Key: "tabindex", Val: "-1"},
	)
	for _, line := range lines {
		p := element(atom.P)
		p.AppendChild(&html.Node{Type: html.TextNode, Data: line})
		box.AppendChild(p)
	}
	return box
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func setAttribute(n *html.Node, key, value string) {
	turn(n, key, false)
	n.Attr = append(n.Attr, html.Attribute{Key: key, Val: value})
}

// turn sets or removes an attribute without a value.
func turn(n *html.Node, key string, on bool) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
	if on {
		n.Attr = append(n.Attr, html.Attribute{Key: key})
	}
}
