package center

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1" // #nosec G505 -- names of certificates only
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// IdPCertificate is a certificate whose key may sign for the identity provider in force.
type IdPCertificate struct {
	Thumbprint string // SHA-256, in hexadecimal
	SHA1       string // as Entra ID shows it: SHA-1, in upper-case hexadecimal
	Subject    string
	NotBefore  time.Time
	NotAfter   time.Time
}

// Bounds of certificates. Source for the file: user guide, limits (2,500 characters); the number is
// ours.
const (
	maxCertificate    = 2500 //bound:text a certificate of the identity provider, in bytes
	maxCertificates   = 10   //bound:rows certificates of the identity provider
	minRSAKey         = 2048 //bound:none the smallest key that is trusted, in bits
	certificateEnding = "CERTIFICATE"
)

// DeleteConfirmation is the word that a person types before a certificate is deleted.
const DeleteConfirmation = "DELETE"

// ReadCertificate reads one certificate, PEM or DER, and returns it as DER. It fails with
// CertificateInvalid.
func ReadCertificate(data []byte) ([]byte, error) {
	if len(data) > maxCertificate {
		return nil, &refusal.Error{Code: CertificateInvalid, Detail: "longer than 2,500 characters"}
	}
	if block, rest := pem.Decode(data); block != nil {
		if block.Type != certificateEnding || len(bytes.TrimSpace(rest)) > 0 {
			return nil, &refusal.Error{Code: CertificateInvalid, Detail: "use one certificate and nothing else"}
		}
		data = block.Bytes
	}
	cert, err := x509.ParseCertificate(data)
	if err != nil { // as in metadata: base64 without PEM's lines around it
		plain := strings.Join(strings.Fields(string(data)), "")
		if der, decoding := base64.StdEncoding.DecodeString(plain); decoding == nil {
			cert, err = x509.ParseCertificate(der)
		}
	}
	switch {
	case err != nil && strings.Contains(err.Error(), "negative serial number"):
		return nil, &refusal.Error{
			Code:   CertificateInvalid,
			Detail: "its serial number is negative, which RFC 5280 §4.1.2.2 does not allow: have the provider renew it",
		}
	case err != nil:
		return nil, &refusal.Error{Code: CertificateInvalid, Detail: "neither PEM nor DER nor base64"}
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSAKey {
			return nil, &refusal.Error{Code: CertificateInvalid, Detail: "the RSA key is shorter than 2048 bits"}
		}
	case *ecdsa.PublicKey:
	default:
		return nil, &refusal.Error{
			Code: CertificateInvalid,
			Detail: "it has a key of the kind " + cert.PublicKeyAlgorithm.String() +
				", which no accepted signature is made with: use RSA or ECDSA",
		}
	}
	return cert.Raw, nil
}

// Thumbprint names a certificate, given as DER.
func Thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// CertificateList shows the certificates, those that end first at the front. One that cannot be
// read is shown as ended.
func (i IdPConfiguration) CertificateList() []IdPCertificate {
	list := make([]IdPCertificate, 0, len(i.Certificates))
	for _, der := range i.Certificates {
		sum := sha1.Sum(der) // #nosec G401 -- a name to compare with Entra ID's, not a protection
		c := IdPCertificate{Thumbprint: Thumbprint(der), SHA1: strings.ToUpper(hex.EncodeToString(sum[:]))}
		if cert, err := x509.ParseCertificate(der); err == nil {
			c.Subject = cert.Subject.String()
			c.NotBefore = cert.NotBefore
			c.NotAfter = cert.NotAfter
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b IdPCertificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return list
}

// ImportIdPCertificate adds a certificate (DER) to the identity provider in force. All of them are
// accepted at once, so that the provider can roll over. An existing one is not an error. It fails
// with SourceNotConfigured or CertificateInvalid.
func (c *Center) ImportIdPCertificate(ctx context.Context, by audit.Actor, der []byte) error {
	return c.changeIdP(ctx, by, ActionImportExternalIdPCertificate, "", func(_ Tx, s *IdentitySource) (string, error) {
		return Thumbprint(der), s.IdP.addCertificate(der)
	})
}

// ImportIdPCertificatesOf adds the certificates that newer metadata of the identity provider in
// force has, and what there is to know about it; what is there already stays. It fails with
// SourceNotConfigured, CertificateInvalid, and MetadataInvalid for another provider's metadata.
func (c *Center) ImportIdPCertificatesOf(ctx context.Context, by audit.Actor, newer IdPConfiguration) error {
	return c.changeIdP(ctx, by, ActionImportExternalIdPCertificate, "", func(_ Tx, s *IdentitySource) (string, error) {
		if newer.EntityID != s.IdP.EntityID {
			return newer.EntityID, &refusal.Error{
				Code:   MetadataInvalid,
				Detail: fmt.Sprintf("it is the metadata of %q, not of %q", newer.EntityID, s.IdP.EntityID),
			}
		}
		thumbprints := make([]string, 0, len(newer.Certificates))
		for _, der := range newer.Certificates {
			thumbprints = append(thumbprints, Thumbprint(der))
			if err := s.IdP.addCertificate(der); err != nil {
				return Thumbprint(der), err
			}
		}
		s.IdP.Notes = newer.Notes // what was to be known of the file before may be so no longer
		return strings.Join(thumbprints, ", "), nil
	})
}

func (i *IdPConfiguration) addCertificate(der []byte) error {
	if i.hasCertificate(der) {
		return nil
	}
	if len(i.Certificates) >= maxCertificates {
		return &refusal.Error{Code: CertificateInvalid, Detail: "there are already ten: delete one first"}
	}
	i.Certificates = append(slices.Clone(i.Certificates), der)
	return nil
}

// DeleteIdPCertificate takes a certificate away: responses that its key signed are refused from now
// on. It fails with ConfirmationMissing unless confirmation is the word DELETE, with
// CertificateNotFound, and with LastCertificate.
func (c *Center) DeleteIdPCertificate(ctx context.Context, by audit.Actor, thumbprint, confirmation string) error {
	return c.changeIdP(ctx, by, ActionDeleteExternalIdPCertificate, "", func(_ Tx, s *IdentitySource) (string, error) {
		idp := s.IdP
		left := slices.DeleteFunc(
			slices.Clone(idp.Certificates), func(der []byte) bool { return Thumbprint(der) == thumbprint },
		)
		switch {
		case confirmation != DeleteConfirmation:
			return thumbprint, &refusal.Error{Code: ConfirmationMissing, Detail: "enter the word " + DeleteConfirmation}
		case len(left) == len(idp.Certificates):
			return thumbprint, &refusal.Error{Code: CertificateNotFound, Subject: thumbprint}
		case len(left) == 0:
			return thumbprint, &refusal.Error{Code: LastCertificate}
		}
		idp.Certificates = left
		return thumbprint, nil
	})
}

func (i IdPConfiguration) hasCertificate(der []byte) bool {
	return slices.ContainsFunc(i.Certificates, func(have []byte) bool { return bytes.Equal(have, der) })
}

// changeIdP changes the identity provider in force, or what is kept beside it. edit gets a copy and
// names what the audit event is about. It fails with SourceNotConfigured where there is none;
// subject is what the event is about then.
func (c *Center) changeIdP(
	ctx context.Context, by audit.Actor, action Action, subject string,
	edit func(Tx, *IdentitySource) (string, error),
) error {
	return c.change(ctx, by, action, func(tx Tx) (string, error) {
		s, err := currentSource(tx)
		if err != nil {
			return subject, err
		}
		if s.IdP == nil {
			return subject, &refusal.Error{Code: SourceNotConfigured}
		}
		idp := *s.IdP
		s.IdP = &idp
		subject, err := edit(tx, &s)
		if err != nil {
			return subject, err
		}
		return subject, tx.PutIdentitySource(s)
	})
}
