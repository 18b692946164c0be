package graphserver

import (
	"cmp"
	"crypto/sha1" // #nosec G505 -- it identifies a certificate
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// encryptionKey is a certificate for token encryption. What else clients send of it the certificate
// says itself.
type encryptionKey struct {
	Usage string `json:"usage"`
	Key   []byte `json:"key"` // DER in base64

	Type                string `json:"type"`
	DisplayName         string `json:"displayName"`
	KeyID               string `json:"keyId"`
	CustomKeyIdentifier string `json:"customKeyIdentifier"`
	StartDateTime       string `json:"startDateTime"`
	EndDateTime         string `json:"endDateTime"`
}

// setEncryption sets the certificate that tokens are encrypted with: there is one.
func setEncryption(a *tenant.Application, keys []encryptionKey) error {
	before := a.EncryptionKey
	a.Encryption, a.EncryptionKey = nil, tenant.EncryptionKey{}
	if len(keys) > 1 {
		return badRequest("Gatehouse keeps one application key: the certificate that tokens are encrypted with.")
	}
	for _, k := range keys {
		if !strings.EqualFold(k.Usage, "Encrypt") {
			return badRequest("Gatehouse keeps only application keys with the usage Encrypt.")
		}
		a.Encryption = k.Key
		a.EncryptionKey = tenant.EncryptionKey{ID: cmp.Or(k.KeyID, uuid.NewString()), DisplayName: k.DisplayName}
		// A key that is only uploaded encrypts nothing until it is chosen.
		a.EncryptionKey.Unused = before.Unused || before.ID != a.EncryptionKey.ID
	}
	return nil
}

// encryptionKeyID is the key of an application that tokens are encrypted with, if they are.
func encryptionKeyID(a tenant.Application) *string {
	keys := encryptionToWire(a)
	if len(keys) == 0 || a.EncryptionKey.Unused {
		return nil
	}
	return &keys[0].KeyID
}

// encryptWith chooses the key that tokens are encrypted with, or none. Source: "Configure Microsoft
// Entra SAML token encryption", by Graph.
func encryptWith(a *tenant.Application, id given[*string]) error {
	switch {
	case !id.sent:
		return nil
	case id.value == nil || *id.value == "":
		a.EncryptionKey.Unused = len(a.Encryption) > 0
		return nil
	}
	if keys := encryptionToWire(*a); len(keys) == 0 || !strings.EqualFold(keys[0].KeyID, *id.value) {
		return badRequest("The tokenEncryptionKeyId is not the keyId of a key credential with the usage Encrypt.")
	}
	a.EncryptionKey.Unused = false
	return nil
}

// encryptionToWire is the certificate that tokens are encrypted with, as it is read.
func encryptionToWire(a tenant.Application) []graph.KeyCredential {
	c, err := x509.ParseCertificate(a.Encryption)
	if err != nil {
		return []graph.KeyCredential{}
	}
	thumbprint := sha1.Sum(a.Encryption) //nolint:gosec // it identifies a certificate, as Graph's does
	return []graph.KeyCredential{{
		CustomKeyIdentifier: base64.StdEncoding.EncodeToString(thumbprint[:]),
		DisplayName:         cmp.Or(a.EncryptionKey.DisplayName, c.Subject.String()),
		StartDateTime:       c.NotBefore,
		EndDateTime:         c.NotAfter,
		KeyID:               cmp.Or(a.EncryptionKey.ID, uuid.NewSHA1(uuid.NameSpaceOID, a.Encryption).String()),
		Type:                "AsymmetricX509Cert",
		Usage:               "Encrypt",
		Key:                 base64.StdEncoding.EncodeToString(a.Encryption),
	}}
}
