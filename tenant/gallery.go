package tenant

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // #nosec G505 -- thumbprints name certificates; nothing is trusted for them
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Gallery is the entries of the application gallery. Source: Microsoft Graph tutorials for this
// application.
var Gallery = []Template{{
	ID:           "21ed01d2-ec13-4e9e-86c1-cd546719ebc4",
	DisplayName:  "AWS IAM Identity Center (successor to AWS Single Sign-On)",
	Publisher:    "Amazon Web Services, Inc.",
	Description:  "Manage access to AWS accounts and applications for the people of this directory.",
	SyncTemplate: "aWSSingleSignon",
}}

// NonGallery is what applications are made from that the gallery has not. Source:
// applicationTemplate: instantiate.
var NonGallery = Template{
	ID:           "8adf8e6e-67b2-4cf2-a259-e3dc5476c621",
	DisplayName:  "Custom",
	Description:  "An application that the gallery does not have, with SAML and SCIM.",
	SyncTemplate: "scim",
}

// GalleryRoles are the app roles of the gallery entry. The first is what people are given. Source:
// two tenants, 2021 and 2024.
var GalleryRoles = []Role{
	{ID: "8774f594-1d59-4279-b9d9-59ef09a23530", DisplayName: "User", Description: "User"},
	{ID: "e7f1a7f3-9eda-48e0-9963-bd67bf531afd", DisplayName: "msiam_access", Description: "msiam_access"},
}

// FindTemplate returns a gallery entry by id, or TemplateNotFound.
func FindTemplate(id string) (Template, error) {
	for _, t := range append([]Template{NonGallery}, Gallery...) {
		if t.ID == id {
			return t, nil
		}
	}
	return Template{}, &refusal.Error{Code: TemplateNotFound, Subject: id}
}

// SearchGallery returns the entries whose name or publisher contains the text, ignoring letter
// case.
func SearchGallery(text string) (found []Template) {
	for _, t := range Gallery {
		if strings.Contains(strings.ToLower(t.DisplayName+" "+t.Publisher), strings.ToLower(text)) {
			found = append(found, t)
		}
	}
	return found
}

// Thumbprint is how Entra names a certificate: the SHA-1 of its DER form in upper-case hexadecimal.
func Thumbprint(der []byte) string {
	sum := sha1.Sum(der) // #nosec G401 -- a name, not a protection
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// NewSigningKey makes the stored form of a signing certificate.
func (t *Tenant) NewSigningKey(key *rsa.PrivateKey, certificate *x509.Certificate, displayName string) SigningKey {
	thumbprint := Thumbprint(certificate.Raw)
	return SigningKey{
		ID:          t.NewID(),
		DisplayName: displayName,
		Thumbprint:  thumbprint,
		Certificate: certificate.Raw,
		SealedKey: t.SealKey(
			thumbprint, x509.MarshalPKCS1PrivateKey(key),
		),
		NotBefore: certificate.NotBefore.UTC(),
		NotAfter:  certificate.NotAfter.UTC(),
	}
}

// Signer is a key that signs for an application, and its certificate.
type Signer struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
}

// Signer returns what signs for an application, or SigningKeyMissing.
func (t *Tenant) Signer(a Application) (Signer, error) {
	k, err := a.SigningKeyOf(t.Now())
	if err != nil {
		return Signer{}, err
	}
	der, err := t.OpenKey(k)
	if err != nil {
		return Signer{}, fmt.Errorf("open the signing key of %s: %w", a.DisplayName, err)
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return Signer{}, err
	}
	certificate, err := x509.ParseCertificate(k.Certificate)
	return Signer{key, certificate}, err
}

// tokenSignerYears is how long the certificate of the key that signs tokens is valid. Its end has
// no meaning: Entra ID's keys roll without notice.
const tokenSignerYears = 20

// TokenSigner is the key that signs tokens, with a certificate as Entra ID's federation metadata
// has it. It is kept nowhere: the key and the day on which the tenant was made say all that is in
// it, and RSA's PKCS #1 v1.5 signatures are the same each time.
func (t *Tenant) TokenSigner() (Signer, error) {
	public := x509.MarshalPKCS1PublicKey(&t.TokenKey.PublicKey)
	digest := sha256.Sum256(public)
	name := pkix.Name{CommonName: "accounts.accesscontrol.windows.net"}
	template := &x509.Certificate{
		SerialNumber:       new(big.Int).SetBytes(digest[:15]),
		Subject:            name,
		Issuer:             name,
		NotBefore:          t.Organization.CreatedAt,
		NotAfter:           t.Organization.CreatedAt.AddDate(tokenSignerYears, 0, 0),
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, t.TokenKey.Public(), t.TokenKey)
	if err != nil {
		return Signer{}, fmt.Errorf("make the certificate of the tenant's key: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return Signer{t.TokenKey, certificate}, err
}
