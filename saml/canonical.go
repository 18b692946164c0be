package saml

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// nsXML is what the prefix xml means wherever it stands. Source: Namespaces in XML 1.0 §3.
const nsXML = "http://www.w3.org/XML/1998/namespace"

// maxNamespaces bounds how many declarations of namespaces may hold at one place.
const maxNamespaces = 200 //bound:list declarations of namespaces that hold at one place of a SAML message

// binding is a declaration of a namespace, with those that it stands inside of.
type binding struct {
	prefix, uri string // the prefix of the default namespace is empty
	outer       *binding
	count       int
}

// find returns what a prefix means; "" where it is not declared, which for the default namespace
// means none.
func (b *binding) find(prefix string) string {
	for ; b != nil; b = b.outer {
		if b.prefix == prefix {
			return b.uri
		}
	}
	return ""
}

func (b *binding) bind(prefix, uri string) *binding {
	count := 1
	if b != nil {
		count += b.count
	}
	return &binding{prefix, uri, b, count}
}

// declared says which prefix an attribute declares, if it is a declaration.
func declared(a etree.Attr) (prefix string, ok bool) {
	switch {
	case a.Space == "xmlns":
		return a.Key, true
	case a.Space == "" && a.Key == "xmlns":
		return "", true
	}
	return "", false
}

// scopeOf has the declarations that hold inside an element.
func scopeOf(e *etree.Element) *binding {
	if e == nil {
		return nil
	}
	return scopeOf(e.Parent()).enter(e)
}

func (b *binding) enter(e *etree.Element) *binding {
	for _, a := range e.Attr {
		if prefix, ok := declared(a); ok {
			b = b.bind(prefix, a.Value)
		}
	}
	return b
}

// canonicalization is how an element is written to be signed.
type canonicalization struct {
	prefixes  string // PrefixList of InclusiveNamespaces
	inclusive bool   // every declaration that holds is written, whether it is used or not
	comments  bool   // are written
}

// canonicalizer writes one document.
type canonicalizer struct {
	canonicalization
	out      bytes.Buffer
	declares []string       // prefixes that are declared wherever they hold
	without  *etree.Element // is left out
}

// canonical writes an element by Exclusive XML Canonicalization 1.0, which is what signatures are
// made of (https://www.w3.org/TR/xml-exc-c14n/ §3), or by Canonical XML 1.0 or 1.1 (§2), as some
// sign. without is an element in it to be left out, or nil. Of documents that scan has accepted,
// nothing else needs to be known: no DTD, no processing instructions, no sections. Attributes of
// the namespace xml that stand around the element are not handed down, as Canonical XML does: who
// signs so is refused.
func canonical(e *etree.Element, how canonicalization, without *etree.Element) ([]byte, error) {
	c := canonicalizer{canonicalization: how, declares: strings.Fields(how.prefixes), without: without}
	for i, p := range c.declares {
		if p == "#default" {
			c.declares[i] = ""
		}
	}
	err := c.element(e, scopeOf(e.Parent()), nil)
	return c.out.Bytes(), err
}

// element writes an element. Of the declarations around it, written are those that the output has.
func (c *canonicalizer) element(e *etree.Element, around, written *binding) error {
	scope := around.enter(e)
	if scope != nil && scope.count > maxNamespaces {
		return errors.New("too many namespaces are declared")
	}
	used := []string{e.Space}
	var attributes []etree.Attr
	for _, a := range e.Attr {
		if _, ok := declared(a); ok {
			continue
		}
		attributes = append(attributes, a)
		if a.Space != "" {
			used = append(used, a.Space)
		}
	}
	for _, prefix := range used {
		if prefix != "" && prefix != "xml" && scope.find(prefix) == "" {
			return fmt.Errorf("the namespace prefix %s is not declared", prefix)
		}
	}
	c.out.WriteByte('<')
	c.out.WriteString(e.FullTag())
	used = append(used, c.declares...)
	if c.inclusive {
		for b := scope; b != nil; b = b.outer {
			used = append(used, b.prefix)
		}
	}
	slices.Sort(used)
	for _, prefix := range slices.Compact(used) {
		uri := scope.find(prefix)
		// Not what the output says already, and never that there is no default namespace where
		// there is none around it either.
		if prefix == "xml" || uri == written.find(prefix) {
			continue
		}
		written = written.bind(prefix, uri)
		c.out.WriteString(" xmlns")
		if prefix != "" {
			c.out.WriteByte(':')
			c.out.WriteString(prefix)
		}
		c.value(uri)
	}
	c.attributes(attributes, scope)
	c.out.WriteByte('>')
	for _, child := range e.Child {
		switch child := child.(type) {
		case *etree.CharData:
			_, _ = textEscapes.WriteString(&c.out, child.Data)
		case *etree.Element:
			if child == c.without {
				continue
			}
			if err := c.element(child, scope, written); err != nil {
				return err
			}
		case *etree.Comment:
			if c.comments { // as they stand (Canonical XML 1.0 §2.3)
				c.out.WriteString("<!--" + child.Data + "-->")
			}
		}
	}
	c.out.WriteString("</")
	c.out.WriteString(e.FullTag())
	c.out.WriteByte('>')
	return nil
}

// attributes writes attributes, ordered by their namespaces' names and their own (Canonical XML 1.0
// §2.2).
func (c *canonicalizer) attributes(list []etree.Attr, scope *binding) {
	space := func(a etree.Attr) string {
		switch a.Space {
		case "": // no prefix means no namespace, not the default one
			return ""
		case "xml":
			return nsXML
		}
		return scope.find(a.Space)
	}
	slices.SortStableFunc(list, func(a, b etree.Attr) int {
		if order := strings.Compare(space(a), space(b)); order != 0 {
			return order
		}
		return strings.Compare(a.Key, b.Key)
	})
	for _, a := range list {
		c.out.WriteByte(' ')
		c.out.WriteString(a.FullKey())
		c.value(a.Value)
	}
}

func (c *canonicalizer) value(s string) {
	c.out.WriteString(`="`)
	_, _ = valueEscapes.WriteString(&c.out, s)
	c.out.WriteByte('"')
}

// What is written otherwise than it reads. Source: Canonical XML 1.0 §2.3.
var (
	textEscapes  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	valueEscapes = strings.NewReplacer(
		"&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;",
	)
)
