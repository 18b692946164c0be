package saml

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// AuthnRequest is a service provider's request to sign a person in.
type AuthnRequest struct {
	ID           string
	IssueInstant time.Time
	Issuer       string
	Destination  string
	ACSURL       string // may be empty: the default one
	NameIDFormat string // may be empty
	ForceAuthn   bool
	HasSubject   bool // Entra refuses requests that name a Subject
}

// RedirectURL is where to send the browser with this request (SAML bindings §3.4).
func (r AuthnRequest) RedirectURL(relayState string) (string, error) {
	e := etree.NewElement("samlp:AuthnRequest")
	e.CreateAttr("xmlns:samlp", nsProtocol)
	e.CreateAttr("xmlns:saml", nsAssertion)
	e.CreateAttr("ID", r.ID)
	e.CreateAttr("Version", "2.0")
	e.CreateAttr("IssueInstant", r.IssueInstant.UTC().Format(timeFormat))
	e.CreateAttr("Destination", r.Destination)
	e.CreateAttr("AssertionConsumerServiceURL", r.ACSURL)
	e.CreateAttr("ProtocolBinding", BindingPOST)
	e.CreateElement("saml:Issuer").SetText(r.Issuer)
	policy := e.CreateElement("samlp:NameIDPolicy")
	policy.CreateAttr("Format", r.NameIDFormat)
	data, err := write(e)
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
	q := u.Query()
	q.Set("SAMLRequest", param)
	if relayState != "" {
		q.Set("RelayState", relayState)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// ParseRedirect reads the SAMLRequest parameter of the HTTP-Redirect binding.
func ParseRedirect(param string) (AuthnRequest, error) {
	packed, err := decodeBase64(param)
	if err != nil {
		return AuthnRequest{}, err
	}
	data, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), MaxMessage+1))
	if err != nil || len(data) > MaxMessage {
		return AuthnRequest{}, errors.New("the SAMLRequest does not inflate, or is too large")
	}
	return ParseAuthnRequest(data)
}

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
	data, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\r", "", "\n", "").Replace(s))
	if err != nil || len(data) == 0 {
		return nil, errors.New("the message is not base64")
	}
	return data, nil
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
		ID: attr(root, "ID"), Issuer: text(child(root, nsAssertion, "Issuer")), Destination: attr(root, "Destination"),
		ACSURL: attr(root, "AssertionConsumerServiceURL"), ForceAuthn: attr(root, "ForceAuthn") == "true",
		NameIDFormat: attr(child(root, nsProtocol, "NameIDPolicy"), "Format"), HasSubject: len(children(root, nsAssertion, "Subject")) > 0,
	}
	if r.IssueInstant, err = parseTime(attr(root, "IssueInstant")); err != nil {
		return AuthnRequest{}, fmt.Errorf("IssueInstant: %w", err)
	}
	if r.ID == "" || r.Issuer == "" {
		return AuthnRequest{}, errors.New("the AuthnRequest has no ID or no Issuer")
	}
	if b := attr(root, "ProtocolBinding"); b != "" && b != BindingPOST {
		return AuthnRequest{}, errors.New("the response can only be sent with the HTTP-POST binding")
	}
	return r, nil
}

// ToRedirect turns the SAMLRequest field of the HTTP-POST binding into the parameter of the HTTP-Redirect binding.
func ToRedirect(field string) (string, error) {
	data, err := decodeBase64(field)
	if err != nil {
		return "", err
	}
	return deflate(data)
}

func deflate(data []byte) (string, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}
