package web

import (
	"errors"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// refusedID is of the box that says what is wrong with a field.
const refusedID = "refused"

// shortName is the least of a field's name that stands for a longer one of a rule.
const shortName = 3 //bound:none it only says what is alike

// ruleName is of a field whose name is not that which the rules have for it.
const ruleName = "data-attribute"

// atFault is the field of a form that a refusal is about; nil: none, or nobody knows which. A rule
// names an attribute, such as name.familyName, of which a form may have the beginning, or which it
// says of a field; or it names what it did not find, which is what was typed. Of a form with one
// field to type in, it is that one, but nobody is sure.
func atFault(form *html.Node, refused error) (field *html.Node, sure bool) {
	var about interface {
		About() (field, subject string)
	}
	if !errors.As(refused, &about) {
		return nil, false
	}
	path, subject := about.About()
	whole := plain(path)
	wanted := whole[strings.LastIndexByte(whole, '.')+1:]
	var named, typed, last *html.Node
	most, texts := 0, 0
	for n := range form.Descendants() {
		if !isField(n) || attribute(n, "name") == "" {
			continue
		}
		if whole != "" && plain(attribute(n, ruleName)) == whole {
			return n, true
		}
		name := plain(attribute(n, "name"))
		if len(name) > most && (name == wanted || len(name) >= shortName && strings.HasPrefix(wanted, name)) {
			named, most = n, len(name)
		}
		if isText(n) {
			last = n
			texts++
		}
		if typed == nil && subject != "" && strings.EqualFold(subject, strings.TrimSpace(value(n))) {
			typed = n
		}
	}
	switch {
	case named != nil:
		return named, true
	case typed != nil:
		return typed, true
	case texts == 1:
		return last, false
	default:
		return nil, false
	}
}

// isText says whether a field is one to type in.
func isText(n *html.Node) bool {
	switch attribute(n, "type") {
	case "checkbox", "radio", "file", "submit":
		return false
	default:
		return n.DataAtom != atom.Select
	}
}

// plain is a name without what two writers of it do differently.
func plain(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

// value is what a field was filled with.
func value(field *html.Node) string {
	if field.DataAtom == atom.Textarea && field.FirstChild != nil {
		return field.FirstChild.Data
	}
	return attribute(field, "value")
}
