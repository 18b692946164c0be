package saml

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// minRSA is the smallest RSA key that is trusted, in bits.
const minRSA = 2048 //bound:none the smallest key that is trusted, in bits

// signingCertificates reads the certificates of a role's keys for signing, each once, and says
// which cannot be used and why.
func signingCertificates(role *etree.Element) (list []*x509.Certificate, ignored []string) {
	number := 0
	for _, key := range children(role, nsMetadata, "KeyDescriptor") {
		if use := attr(key, "use"); use != "" && use != "signing" {
			continue
		}
		count := 0
		for _, info := range children(key, nsSignature, "KeyInfo") {
			for _, data := range children(info, nsSignature, "X509Data") {
				for _, c := range children(data, nsSignature, "X509Certificate") {
					number, count = number+1, count+1
					cert, err := readCertificate(text(c))
					if err != nil {
						ignored = append(ignored, fmt.Sprintf("certificate %d%s", number, err))
					} else if !slices.ContainsFunc(list, cert.Equal) {
						list = append(list, cert)
					}
				}
			}
		}
		if count == 0 {
			number++
			ignored = append(ignored, fmt.Sprintf("key %d has no X509Certificate", number))
		}
	}
	return list, ignored
}

// readCertificate reads an X509Certificate. The error goes on where the certificate has been named.
func readCertificate(s string) (*x509.Certificate, error) {
	// XML signature §4.4.4 wants base64 alone. Armour around it says nothing that could be misread.
	s = strings.TrimPrefix(s, "-----BEGIN CERTIFICATE-----")
	s = strings.TrimSuffix(s, "-----END CERTIFICATE-----")
	der, err := unspacedBase64(s)
	if err != nil {
		return nil, errors.New(" is not base64")
	}
	if len(der) == 0 {
		return nil, errors.New(" is empty")
	}
	cert, err := x509.ParseCertificate(der)
	switch {
	case err != nil && strings.Contains(err.Error(), "negative serial number"):
		return nil, fmt.Errorf(
			" (SHA-256 %x) has a negative serial number, which certificates must not have (RFC 5280 §4.1.2.2)",
			sha256.Sum256(der),
		)
	case err != nil:
		return nil, fmt.Errorf(" cannot be read: %s", strings.TrimPrefix(err.Error(), "x509: "))
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return nil, fmt.Errorf(
				" (%s) has an RSA key of %d bits: at least %d are needed", cert.Subject, key.N.BitLen(), minRSA,
			)
		}
	case *ecdsa.PublicKey:
	default:
		return nil, fmt.Errorf(
			" (%s) has a key of the kind %s, which no accepted signature is made with: use RSA or ECDSA",
			cert.Subject, cert.PublicKeyAlgorithm,
		)
	}
	return cert, nil
}
