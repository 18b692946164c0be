// Package saml is SAML 2.0 on the wire, the web browser single sign-on profile of it: metadata of
// both sides, the AuthnRequest, and the signed Response. Both halves speak it: the center as
// service provider, the tenant as identity provider.
//
// Everything that decides whether a message is trusted is here, the verification of XML signatures
// included. Only Verify makes an Assertion, so holding one means that it was checked. It is
// read only from the bytes that the signature covers.
//
// It has no storage and no policy.
//
// It imports nothing of ours.
package saml

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"
)

// Namespaces and identifiers. Sources: SAML core, bindings and metadata 2.0.
const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"

	BindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	BindingPOST     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

	FormatEmail       = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	FormatUnspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	FormatPersistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	FormatTransient   = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

	statusSuccess   = "urn:oasis:names:tc:SAML:2.0:status:Success"
	statusResponder = "urn:oasis:names:tc:SAML:2.0:status:Responder"
	statusNoPassive = "urn:oasis:names:tc:SAML:2.0:status:NoPassive" // #nosec G101 -- a URN
	methodBearer    = "urn:oasis:names:tc:SAML:2.0:cm:bearer"        // #nosec G101 -- a URN

	// The classes of a sign-in by password, and of any.
	ClassPassword          = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"                   // #nosec G101 -- a URN
	ClassPasswordProtected = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport" // #nosec G101 -- a URN
	ClassUnspecified       = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
)

// Limits of messages. Source for metadata: user guide, limits (75,000 characters).
const (
	MaxMetadata = 75_000    //bound:text metadata of the other side, in characters
	MaxMessage  = 256 << 10 //bound:body a SAML message
	maxNameID   = 256       //bound:text a NameID, in bytes
	maxElements = 10_000    //bound:depth elements of a SAML message
	maxDepth    = 64        //bound:depth nesting of a SAML message
	maxAttrs    = 200       //bound:list attributes of an element of a SAML message
)

// timeFormat is xs:dateTime with milliseconds in UTC, as Entra writes it.
const timeFormat = "2006-01-02T15:04:05.000Z"

// NewID returns an XML ID: an underscore and 128 random bits. Entra refuses ids that begin with a
// digit.
func NewID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return "_" + hex.EncodeToString(b)
}

// parse reads a document after scan has refused everything that different parsers read differently,
// and refuses duplicate attributes and ids.
func parse(data []byte, limit int) (*etree.Element, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some write a byte order mark
	if len(data) > limit {
		return nil, fmt.Errorf("the document is longer than %d bytes", limit)
	}
	// Before a tree is built: an element of four bytes takes some hundred as a node.
	if bytes.Count(data, []byte("<")) > maxElements {
		return nil, errors.New("the document has too many elements")
	}
	// One line break is one character before anything else is read (XML 1.0 §2.11). This also makes
	// the copy that scan may write to.
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if err := scan(data); err != nil {
		return nil, err
	}
	root, err := reread(data)
	if err != nil {
		return nil, err
	}
	return root, checkElement(root, map[string]bool{})
}

// reread builds the tree of what scan has accepted, or canonical has written, so that it is
// well-formed to its end. Duplicate attributes are kept to be refused: parsers differ in which one
// counts.
func reread(data []byte) (*etree.Element, error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{MaxDepth: maxDepth, PreserveDuplicateAttrs: true}
	if err := doc.ReadFromBytes(data); err != nil || doc.Root() == nil {
		return nil, errMalformed
	}
	return doc.Root(), nil
}

// checkElement refuses duplicate attributes and duplicate ids anywhere. A signature names what it
// covers by an id: of two elements with that id the verifier may take one and the reader the other.
// Signers spell the attribute in three ways.
//
// It also refuses declarations of the two reserved namespaces, but for the one that says what is so
// without it, which Shibboleth's files have (Namespaces in XML 1.0 §3).
func checkElement(e *etree.Element, ids map[string]bool) error {
	if len(e.Attr) > maxAttrs {
		return errors.New("an element has too many attributes")
	}
	names := map[string]bool{}
	for _, a := range e.Attr {
		if prefix, ok := declared(a); ok && (prefix == "xmlns" || a.Value == "http://www.w3.org/2000/xmlns/" ||
			(prefix == "xml") != (a.Value == nsXML)) {
			return errors.New("a reserved namespace is declared: xml and xmlns mean what they mean everywhere")
		}
		if names[a.FullKey()] {
			return errors.New("an element has a duplicate attribute")
		}
		names[a.FullKey()] = true
		if a.Key == "ID" || a.Key == "Id" || a.Key == "id" {
			if ids[a.Value] {
				return errors.New("two elements have the same ID")
			}
			ids[a.Value] = true
		}
	}
	for _, child := range e.ChildElements() {
		if err := checkElement(child, ids); err != nil {
			return err
		}
	}
	return nil
}

// is says whether e is the element of this namespace and local name.
func is(e *etree.Element, space, tag string) bool {
	return e != nil && e.Tag == tag && e.NamespaceURI() == space
}

// children returns the direct children of this namespace and local name.
func children(e *etree.Element, space, tag string) (list []*etree.Element) {
	if e == nil {
		return nil
	}
	for _, c := range e.ChildElements() {
		if is(c, space, tag) {
			list = append(list, c)
		}
	}
	return list
}

// child returns the only direct child of this name, or nil when there is none or more than one.
func child(e *etree.Element, space, tag string) *etree.Element {
	if list := children(e, space, tag); len(list) == 1 {
		return list[0]
	}
	return nil
}

// text is the whole text of an element: comments inside do not cut it short. Canonicalization drops
// comments, so that anybody can put one into a signed name without breaking the signature: a reader
// of the first text alone would see admin@example.com in admin@example.com<!-- -->.evil.example
// (CVE-2017-11427, and others found with it).
func text(e *etree.Element) string {
	if e == nil {
		return ""
	}
	var b bytes.Buffer
	for _, t := range e.Child {
		if c, ok := t.(*etree.CharData); ok {
			b.WriteString(c.Data)
		}
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// attr returns the attribute of this name that is in no namespace: SAML has no others, and one of
// another namespace means something else.
func attr(e *etree.Element, name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time", s)
	}
	return t.UTC(), nil
}

// write serializes an element as a document of its own, without an XML declaration. Line ends and
// tabs are written so that whoever reads them finds what was signed (XML 1.0 §2.11 and §3.3.3).
func write(e *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.SetRoot(e)
	return doc.WriteToBytes()
}
