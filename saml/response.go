package saml

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml/xmlenc"
)

// Attribute is one attribute of an assertion, with its values.
type Attribute struct {
	Name       string
	NameFormat string // empty: not said
	Values     []string
	Structured bool // a value has elements in it, which Values leave out
}

// Statement is what an identity provider states about a person who signed in.
type Statement struct {
	Issuer       string
	Audience     string
	ACSURL       string
	InResponseTo string // empty: the identity provider started the sign-in
	NameID       string
	NameIDFormat string // empty: emailAddress
	Attributes   []Attribute
	AuthnInstant time.Time // when the session began
	SessionUntil time.Time // SessionNotOnOrAfter; zero: not said
	Class        string    // of the authentication; empty: by a password, as Entra says whatever it was
	Now          time.Time
	Validity     time.Duration     // of the assertion from Now on; 0: as Entra gives it
	Unsigned     bool              // the assertion
	EncryptFor   *x509.Certificate // of the service provider; nil: the assertion is not encrypted
	SignResponse bool
}

// The validity of an assertion as Entra gives it: observed in real responses, against what its
// documentation says.
const (
	validBefore = 5 * time.Minute  //bound:life a response of the tenant, before its time
	validAfter  = 60 * time.Minute //bound:life a response of the tenant
)

// Response writes a response whose assertion is signed with key, in the shape that Entra gives it:
// the protocol prefixed, assertion and signature in default namespaces. The response itself is
// signed where the statement says so.
func Response(s Statement, key SigningKey) ([]byte, error) {
	assertion, err := assertionElement(s), error(nil)
	if !s.Unsigned {
		if assertion, err = key.sign(assertion, 1); err != nil { // after the Issuer
			return nil, err
		}
	}
	if s.EncryptFor != nil {
		if assertion, err = encrypted(assertion, s.EncryptFor); err != nil {
			return nil, err
		}
	}
	root := responseElement("samlp:Response", s.ACSURL, s.Issuer, s.InResponseTo, s.Now)
	root.CreateElement("samlp:Status").CreateElement("samlp:StatusCode").CreateAttr("Value", statusSuccess)
	root.AddChild(assertion)
	if s.SignResponse {
		if root, err = key.sign(root, 1); err != nil {
			return nil, err
		}
	}
	return write(root)
}

// NoPassive writes the answer to a passive request that cannot be answered without asking the
// person: a signed response without an assertion (SAML core §3.2.2.2). Of the statement only what a
// response itself has is used.
func NoPassive(s Statement, key SigningKey) ([]byte, error) {
	root := responseElement("samlp:Response", s.ACSURL, s.Issuer, s.InResponseTo, s.Now)
	outer := root.CreateElement("samlp:Status").CreateElement("samlp:StatusCode")
	outer.CreateAttr("Value", statusResponder)
	outer.CreateElement("samlp:StatusCode").CreateAttr("Value", statusNoPassive)
	root, err := key.sign(root, 1)
	if err != nil {
		return nil, err
	}
	return write(root)
}

// responseElement is a response with nothing in it but its issuer. Without inResponseTo it is one
// that nobody has asked for.
func responseElement(name, destination, from, inResponseTo string, now time.Time) *etree.Element {
	root := etree.NewElement(name)
	root.CreateAttr("ID", NewID())
	root.CreateAttr("Version", "2.0")
	root.CreateAttr("IssueInstant", now.UTC().Format(timeFormat))
	root.CreateAttr("Destination", destination)
	if inResponseTo != "" {
		root.CreateAttr("InResponseTo", inResponseTo)
	}
	root.CreateAttr("xmlns:samlp", nsProtocol)
	issuer := root.CreateElement("Issuer")
	issuer.CreateAttr("xmlns", nsAssertion)
	issuer.SetText(from)
	return root
}

func assertionElement(s Statement) *etree.Element {
	validity, format := validAfter, FormatEmail
	if s.Validity > 0 {
		validity = s.Validity
	}
	if s.NameIDFormat != "" {
		format = s.NameIDFormat
	}
	now, end := s.Now.UTC(), s.Now.UTC().Add(validity).Format(timeFormat)
	a := etree.NewElement("Assertion")
	id := NewID()
	a.CreateAttr("ID", id)
	a.CreateAttr("IssueInstant", now.Format(timeFormat))
	a.CreateAttr("Version", "2.0")
	a.CreateAttr("xmlns", nsAssertion)
	a.CreateElement("Issuer").SetText(s.Issuer)

	subject := a.CreateElement("Subject")
	name := subject.CreateElement("NameID")
	name.CreateAttr("Format", format)
	name.SetText(s.NameID)
	confirmation := subject.CreateElement("SubjectConfirmation")
	confirmation.CreateAttr("Method", methodBearer)
	data := confirmation.CreateElement("SubjectConfirmationData")
	if s.InResponseTo != "" {
		data.CreateAttr("InResponseTo", s.InResponseTo)
	}
	data.CreateAttr("NotOnOrAfter", end)
	data.CreateAttr("Recipient", s.ACSURL)

	conditions := a.CreateElement("Conditions")
	conditions.CreateAttr("NotBefore", now.Add(-validBefore).Format(timeFormat))
	conditions.CreateAttr("NotOnOrAfter", end)
	conditions.CreateElement("AudienceRestriction").CreateElement("Audience").SetText(s.Audience)

	var statement *etree.Element // there must be an attribute in it (SAML core §2.7.3)
	for i, at := range s.Attributes {
		if i == 0 {
			statement = a.CreateElement("AttributeStatement")
		}
		e := statement.CreateElement("Attribute")
		e.CreateAttr("Name", at.Name)
		if at.NameFormat != "" {
			e.CreateAttr("NameFormat", at.NameFormat)
		}
		for _, v := range at.Values {
			e.CreateElement("AttributeValue").SetText(v)
		}
	}
	authn := a.CreateElement("AuthnStatement")
	authn.CreateAttr("AuthnInstant", s.AuthnInstant.UTC().Format(timeFormat))
	authn.CreateAttr("SessionIndex", id)
	if !s.SessionUntil.IsZero() {
		authn.CreateAttr("SessionNotOnOrAfter", s.SessionUntil.UTC().Format(timeFormat))
	}
	class := authn.CreateElement("AuthnContext").CreateElement("AuthnContextClassRef")
	class.SetText(cmp.Or(s.Class, ClassPassword))
	return a
}

// encrypted wraps an assertion for the holder of a certificate's key, by the algorithms that Entra
// uses: AES-256-CBC, and RSA-OAEP for its key. Source: "Configure Microsoft Entra SAML token
// encryption".
func encrypted(assertion *etree.Element, certificate *x509.Certificate) (*etree.Element, error) {
	plain, err := write(assertion)
	if err != nil {
		return nil, err
	}
	how := xmlenc.OAEP()
	how.BlockCipher, how.DigestMethod = xmlenc.AES256CBC, &xmlenc.SHA1
	data, err := how.Encrypt(certificate, plain, nil)
	if err != nil {
		return nil, fmt.Errorf("encrypt the assertion: %w", err)
	}
	data.CreateAttr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
	e := etree.NewElement("EncryptedAssertion")
	e.CreateAttr("xmlns", nsAssertion)
	e.AddChild(data)
	return e, nil
}
