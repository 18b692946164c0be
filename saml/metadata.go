package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// ServiceProvider is what an identity provider learns from a service provider's metadata.
type ServiceProvider struct {
	EntityID string
	ACSURLs  []string    // HTTP-POST; the default first
	Key      *SigningKey // of signed requests; nil: they are not signed. Only its certificate is written
}

// IdentityProvider is what a service provider learns from an identity provider's metadata.
type IdentityProvider struct {
	EntityID     string
	SignInURL    string // HTTP-Redirect
	SignInPOST   string // HTTP-POST; may be empty
	Certificates []*x509.Certificate
}

// minRSA is the smallest RSA key that is trusted, in bits.
const minRSA = 2048 //bound:none the smallest key that is trusted, in bits

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

// ParseServiceProvider reads a service provider's metadata.
func ParseServiceProvider(data []byte) (ServiceProvider, error) {
	root, err := parse(data, MaxMetadata)
	if err != nil {
		return ServiceProvider{}, fmt.Errorf("read the metadata: %w", err)
	}
	if !is(root, nsMetadata, "EntityDescriptor") {
		return ServiceProvider{}, errors.New("the metadata's root is not an EntityDescriptor")
	}
	sp := ServiceProvider{EntityID: attr(root, "entityID")}
	for _, role := range children(root, nsMetadata, "SPSSODescriptor") {
		for _, acs := range children(role, nsMetadata, "AssertionConsumerService") {
			if attr(acs, "Binding") != BindingPOST {
				continue
			}
			if attr(acs, "isDefault") == "true" {
				sp.ACSURLs = append([]string{attr(acs, "Location")}, sp.ACSURLs...)
			} else {
				sp.ACSURLs = append(sp.ACSURLs, attr(acs, "Location"))
			}
		}
	}
	switch {
	case sp.EntityID == "":
		return ServiceProvider{}, errors.New("the metadata has no entityID")
	case len(sp.ACSURLs) == 0:
		return ServiceProvider{}, errors.New(
			"the metadata has no AssertionConsumerService with the HTTP-POST binding; is it a service provider's?",
		)
	}
	return sp, nil
}

// ParseIdentityProvider reads an identity provider's metadata. Only signing keys of the
// IDPSSODescriptor count: Entra's document has WS-Federation roles with keys of their own. A
// signature over the document is not judged, since the administrator who uploads it is who vouches
// for it.
func ParseIdentityProvider(data []byte) (IdentityProvider, error) {
	root, err := parse(data, MaxMetadata)
	if err != nil {
		return IdentityProvider{}, fmt.Errorf("read the metadata: %w", err)
	}
	if !is(root, nsMetadata, "EntityDescriptor") {
		return IdentityProvider{}, errors.New("the metadata's root is not an EntityDescriptor")
	}
	role := child(root, nsMetadata, "IDPSSODescriptor")
	if role == nil {
		return IdentityProvider{}, errors.New("the metadata has no IDPSSODescriptor; is it an identity provider's?")
	}
	idp := IdentityProvider{EntityID: attr(root, "entityID")}
	for _, s := range children(role, nsMetadata, "SingleSignOnService") {
		switch attr(s, "Binding") {
		case BindingRedirect:
			idp.SignInURL = attr(s, "Location")
		case BindingPOST:
			idp.SignInPOST = attr(s, "Location")
		}
	}
	for _, key := range children(role, nsMetadata, "KeyDescriptor") {
		if use := attr(key, "use"); use != "" && use != "signing" {
			continue
		}
		certs, err := keyCertificates(key)
		if err != nil {
			return IdentityProvider{}, err
		}
		idp.Certificates = append(idp.Certificates, certs...)
	}
	switch {
	case idp.EntityID == "":
		return IdentityProvider{}, errors.New("the metadata has no entityID")
	case idp.SignInURL == "":
		return IdentityProvider{}, errors.New("the metadata has no SingleSignOnService with the HTTP-Redirect binding")
	case len(idp.Certificates) == 0:
		return IdentityProvider{}, errors.New("the metadata has no signing certificate")
	}
	return idp, nil
}

func keyCertificates(key *etree.Element) (certs []*x509.Certificate, err error) {
	for _, info := range children(key, nsSignature, "KeyInfo") {
		for _, data := range children(info, nsSignature, "X509Data") {
			for _, c := range children(data, nsSignature, "X509Certificate") {
				der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text(c)), ""))
				if err != nil {
					return nil, errors.New("a certificate in the metadata is not base64")
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return nil, errors.New("a certificate in the metadata cannot be read")
				}
				if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
					return nil, fmt.Errorf("a certificate in the metadata has an RSA key of less than %d bits", minRSA)
				}
				certs = append(certs, cert)
			}
		}
	}
	return certs, nil
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

// IdentityProviderMetadata writes an identity provider's metadata plainly: what the IAM service of
// AWS reads of it.
func IdentityProviderMetadata(idp IdentityProvider, key SigningKey) ([]byte, error) {
	root := etree.NewElement("md:EntityDescriptor")
	root.CreateAttr("xmlns:md", nsMetadata)
	root.CreateAttr("entityID", idp.EntityID)
	role := root.CreateElement("md:IDPSSODescriptor")
	role.CreateAttr("WantAuthnRequestsSigned", "false")
	role.CreateAttr("protocolSupportEnumeration", nsProtocol)
	keyDescriptor(role, key)
	role.CreateElement("md:NameIDFormat").SetText(FormatPersistent)
	sso := role.CreateElement("md:SingleSignOnService")
	sso.CreateAttr("Binding", BindingRedirect)
	sso.CreateAttr("Location", idp.SignInURL)
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
