package saml

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"
	"unicode"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// AuthnRequest is a service provider's request to sign a person in.
type AuthnRequest struct {
	ID           string
	IssueInstant time.Time
	Issuer       string
	Destination  string // where it was sent to; it may be empty where the request is not signed
	Signed       bool   // by a signature in the message, which is not verified
	ACSURL       string // may be empty: the default one
	Binding      string // by which the response is wanted; may be empty
	NameIDFormat string // may be empty
	ForceAuthn   bool
	IsPassive    bool     // nobody may be asked for anything
	Comparison   string   // of the contexts; empty: exact
	Contexts     []string // classes of authentication, one of which is wanted
	HasSubject   bool     // Entra refuses requests that name a Subject
}

func (r AuthnRequest) element() *etree.Element {
	e := etree.NewElement("samlp:AuthnRequest")
	e.CreateAttr("xmlns:samlp", nsProtocol)
	e.CreateAttr("xmlns:saml", nsAssertion)
	e.CreateAttr("ID", r.ID)
	e.CreateAttr("Version", "2.0")
	e.CreateAttr("IssueInstant", r.IssueInstant.UTC().Format(timeFormat))
	e.CreateAttr("Destination", r.Destination)
	e.CreateAttr("AssertionConsumerServiceURL", r.ACSURL)
	e.CreateAttr("ProtocolBinding", cmp.Or(r.Binding, BindingPOST))
	if r.ForceAuthn {
		e.CreateAttr("ForceAuthn", "true")
	}
	e.CreateElement("saml:Issuer").SetText(r.Issuer)
	policy := e.CreateElement("samlp:NameIDPolicy")
	policy.CreateAttr("Format", r.NameIDFormat)
	return e
}

// RedirectURL is where to send the browser with this request (SAML bindings §3.4). With a key the
// query is signed (§3.4.4.1).
func (r AuthnRequest) RedirectURL(relayState string, key *SigningKey) (string, error) {
	data, err := write(r.element())
	if err != nil {
		return "", err
	}
	param, err := deflate(data)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(r.Destination)
	if err != nil {
		return "", fmt.Errorf("the identity provider's sign-in URL: %w", err)
	}
	signed := "SAMLRequest=" + url.QueryEscape(param) // in this order, and as they are sent
	if relayState != "" {
		signed += "&RelayState=" + url.QueryEscape(relayState)
	}
	if key != nil {
		signed += "&SigAlg=" + url.QueryEscape(dsig.RSASHA256SignatureMethod)
		value, err := key.signQuery(signed)
		if err != nil {
			return "", err
		}
		signed += "&Signature=" + url.QueryEscape(value)
	}
	if u.RawQuery != "" {
		signed = u.RawQuery + "&" + signed
	}
	u.RawQuery = signed
	return u.String(), nil
}

// PostField is the SAMLRequest field of a form that the browser posts to the identity provider
// (SAML bindings §3.5). With a key the request is signed.
func (r AuthnRequest) PostField(key *SigningKey) (string, error) {
	e := r.element()
	if key != nil {
		signed, err := key.sign(e, 1) // after the Issuer, where the schema wants it
		if err != nil {
			return "", err
		}
		e = signed
	}
	data, err := write(e)
	return base64.StdEncoding.EncodeToString(data), err
}

// ParseRedirect reads the SAMLRequest parameter of the HTTP-Redirect binding.
func ParseRedirect(param string) (AuthnRequest, error) {
	data, err := inflate(param)
	if err != nil {
		return AuthnRequest{}, err
	}
	return ParseAuthnRequest(data)
}

// inflate unpacks a parameter of the HTTP-Redirect binding.
func inflate(param string) ([]byte, error) {
	packed, err := decodeBase64(param)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), MaxMessage+1))
	if err != nil || len(data) > MaxMessage {
		return nil, ErrDeflate
	}
	return data, nil
}

// Why a message is not read at all.
var (
	ErrEncoding = errors.New("the message is not base64")
	ErrDeflate  = errors.New("the message does not inflate, or is too large")
)

// ParsePOST reads the SAMLRequest field of the HTTP-POST binding.
func ParsePOST(field string) (AuthnRequest, error) {
	data, err := decodeBase64(field)
	if err != nil {
		return AuthnRequest{}, err
	}
	return ParseAuthnRequest(data)
}

func decodeBase64(s string) ([]byte, error) {
	if len(s) > base64.StdEncoding.EncodedLen(MaxMessage) {
		return nil, errors.New("the message is too large")
	}
	data, err := unspacedBase64(s)
	if err != nil || len(data) == 0 {
		return nil, ErrEncoding
	}
	return data, nil
}

// ValidID says whether a text can be an ID in XML, which is an NCName (XML Schema 2 §3.3.8): a
// letter or an underscore, and letters, digits, points, hyphens and underscores after it.
func ValidID(id string) bool {
	for i, c := range id {
		switch {
		case c == '_' || unicode.IsLetter(c):
		case i > 0 && (c == '-' || c == '.' || unicode.IsDigit(c) || unicode.Is(unicode.M, c)):
		default:
			return false
		}
	}
	return id != ""
}

// ParseAuthnRequest reads an AuthnRequest.
func ParseAuthnRequest(data []byte) (AuthnRequest, error) {
	root, err := parse(data, MaxMessage)
	if err != nil {
		return AuthnRequest{}, err
	}
	if !is(root, nsProtocol, "AuthnRequest") || attr(root, "Version") != "2.0" {
		return AuthnRequest{}, errors.New("the message is not a SAML 2.0 AuthnRequest")
	}
	r := AuthnRequest{
		ID:          attr(root, "ID"),
		Issuer:      text(child(root, nsAssertion, "Issuer")),
		Destination: attr(root, "Destination"),
		Signed: len(
			children(root, nsSignature, "Signature"),
		) > 0,
		ACSURL:     attr(root, "AssertionConsumerServiceURL"),
		Binding:    attr(root, "ProtocolBinding"),
		ForceAuthn: isTrue(attr(root, "ForceAuthn")),
		IsPassive:  isTrue(attr(root, "IsPassive")),
		NameIDFormat: attr(
			child(root, nsProtocol, "NameIDPolicy"), "Format",
		),
		HasSubject: len(children(root, nsAssertion, "Subject")) > 0,
	}
	if contexts := child(root, nsProtocol, "RequestedAuthnContext"); contexts != nil {
		r.Comparison = attr(contexts, "Comparison")
		for _, class := range children(contexts, nsAssertion, "AuthnContextClassRef") {
			r.Contexts = append(r.Contexts, text(class))
		}
	}
	if r.IssueInstant, err = parseTime(attr(root, "IssueInstant")); err != nil {
		return AuthnRequest{}, fmt.Errorf("IssueInstant: %w", err)
	}
	if r.ID == "" || r.Issuer == "" {
		return AuthnRequest{}, errors.New("the AuthnRequest has no ID or no Issuer")
	}
	return r, nil
}

// isTrue reads an xs:boolean.
func isTrue(s string) bool { return s == "true" || s == "1" }

// ToRedirect turns the SAMLRequest field of the HTTP-POST binding into the parameter of the
// HTTP-Redirect binding.
func ToRedirect(field string) (string, error) {
	data, err := decodeBase64(field)
	if err != nil {
		return "", err
	}
	return deflate(data)
}

// deflaters are used again: a new one clears most of a megabyte.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(io.Discard, flate.DefaultCompression) // the level is a valid one
	return w
}}

func deflate(data []byte) (string, error) {
	w, _ := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var packed bytes.Buffer
	w.Reset(&packed)
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}
