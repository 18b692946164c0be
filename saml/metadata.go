package saml

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/beevik/etree"
)

// ServiceProvider is what an identity provider learns from a service provider's metadata.
type ServiceProvider struct {
	EntityID string
	ACSURLs  []string    // HTTP-POST; the default first
	Key      *SigningKey // of signed requests; nil: they are not signed. Only its certificate is written

	ValidUntil time.Time // zero: it does not say. It is read only
}

// IdentityProvider is what a service provider learns from an identity provider's metadata.
type IdentityProvider struct {
	EntityID     string
	SignInURL    string // HTTP-Redirect; may be empty where SignInPOST is not
	SignInPOST   string // HTTP-POST; may be empty where SignInURL is not
	Certificates []*x509.Certificate
	NameIDFormat string   // of subjects; empty: persistent. It is written only
	Ignored      []string // keys of the metadata that are not among Certificates, with the reason why

	ValidUntil time.Time // zero: it does not say. It is read only
}

// ServiceProviderMetadata writes a service provider's metadata. Signed assertions are wanted.
func ServiceProviderMetadata(sp ServiceProvider) ([]byte, error) {
	root := etree.NewElement("md:EntityDescriptor")
	root.CreateAttr("xmlns:md", nsMetadata)
	root.CreateAttr("entityID", sp.EntityID)
	role := root.CreateElement("md:SPSSODescriptor")
	role.CreateAttr("AuthnRequestsSigned", strconv.FormatBool(sp.Key != nil))
	role.CreateAttr("WantAssertionsSigned", "true")
	role.CreateAttr("protocolSupportEnumeration", nsProtocol)
	if sp.Key != nil {
		keyDescriptor(role, *sp.Key)
	}
	role.CreateElement("md:NameIDFormat").SetText(FormatEmail)
	for i, url := range sp.ACSURLs {
		acs := role.CreateElement("md:AssertionConsumerService")
		acs.CreateAttr("Binding", BindingPOST)
		acs.CreateAttr("Location", url)
		acs.CreateAttr("index", fmt.Sprint(i))
		if i == 0 {
			acs.CreateAttr("isDefault", "true")
		}
	}
	return document(root, false)
}

func document(root *etree.Element, byteOrderMark bool) ([]byte, error) {
	body, err := write(root)
	if err != nil {
		return nil, err
	}
	head := `<?xml version="1.0" encoding="utf-8"?>`
	if byteOrderMark {
		head = "\ufeff" + head
	}
	return append([]byte(head), body...), nil
}

// FederationMetadata writes an identity provider's metadata as Entra does: with a byte order mark,
// signed with the application's own key, the two WS-Federation roles first, so that importers meet
// what the real service sends. wsfed is the WS-Federation endpoint.
func FederationMetadata(idp IdentityProvider, wsfed string, key SigningKey) ([]byte, error) {
	root := etree.NewElement("EntityDescriptor")
	root.CreateAttr("ID", NewID())
	root.CreateAttr("entityID", idp.EntityID)
	root.CreateAttr("xmlns", nsMetadata)
	for _, role := range []string{"SecurityTokenServiceType", "ApplicationServiceType"} {
		r := root.CreateElement("RoleDescriptor")
		r.CreateAttr("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
		r.CreateAttr("xmlns:fed", "http://docs.oasis-open.org/wsfed/federation/200706")
		r.CreateAttr("xsi:type", "fed:"+role)
		r.CreateAttr("protocolSupportEnumeration", "http://docs.oasis-open.org/wsfed/federation/200706")
		keyDescriptor(r, key)
		address := r.CreateElement("fed:PassiveRequestorEndpoint").CreateElement("wsa:EndpointReference")
		address.CreateAttr("xmlns:wsa", "http://www.w3.org/2005/08/addressing")
		address.CreateElement("wsa:Address").SetText(wsfed)
	}
	role := root.CreateElement("IDPSSODescriptor")
	role.CreateAttr("protocolSupportEnumeration", nsProtocol)
	keyDescriptor(role, key)
	for _, s := range []struct{ tag, binding, location string }{
		{"SingleLogoutService", BindingRedirect, idp.SignInURL},
		{"SingleSignOnService", BindingRedirect, idp.SignInURL},
		{"SingleSignOnService", BindingPOST, idp.SignInPOST},
	} {
		e := role.CreateElement(s.tag)
		e.CreateAttr("Binding", s.binding)
		e.CreateAttr("Location", s.location)
	}
	signed, err := key.sign(root, 0)
	if err != nil {
		return nil, err
	}
	return document(signed, true)
}

// IdentityProviderMetadata writes an identity provider's metadata plainly: for the IAM service of
// AWS, and for applications.
func IdentityProviderMetadata(idp IdentityProvider, key SigningKey) ([]byte, error) {
	root := etree.NewElement("md:EntityDescriptor")
	root.CreateAttr("xmlns:md", nsMetadata)
	root.CreateAttr("entityID", idp.EntityID)
	role := root.CreateElement("md:IDPSSODescriptor")
	role.CreateAttr("WantAuthnRequestsSigned", "false")
	role.CreateAttr("protocolSupportEnumeration", nsProtocol)
	keyDescriptor(role, key)
	role.CreateElement("md:NameIDFormat").SetText(cmp.Or(idp.NameIDFormat, FormatPersistent))
	for _, s := range []struct{ binding, location string }{
		{BindingRedirect, idp.SignInURL}, {BindingPOST, idp.SignInPOST},
	} {
		if s.location != "" {
			sso := role.CreateElement("md:SingleSignOnService")
			sso.CreateAttr("Binding", s.binding)
			sso.CreateAttr("Location", s.location)
		}
	}
	return document(root, false)
}

func keyDescriptor(role *etree.Element, key SigningKey) {
	tag := "KeyDescriptor"
	if role.Space != "" {
		tag = role.Space + ":" + tag
	}
	k := role.CreateElement(tag)
	k.CreateAttr("use", "signing")
	info := k.CreateElement("KeyInfo")
	info.CreateAttr("xmlns", nsSignature)
	info.CreateElement(
		"X509Data",
	).CreateElement("X509Certificate").SetText(base64.StdEncoding.EncodeToString(key.Certificate.Raw))
}
