package saml

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// SigningKey is an identity provider's key with its self-signed certificate.
type SigningKey struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
}

// NewSigningKey makes an RSA-2048 key, and certifies it.
func NewSigningKey(now, end time.Time) (SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return SigningKey{}, err
	}
	return Certify(key, now, end)
}

// Certify makes a certificate for a key as Entra makes them: three years, subject and issuer
// "CN=Microsoft Azure Federated SSO Certificate" (entra addTokenSigningCertificate reference).
func Certify(key *rsa.PrivateKey, now, end time.Time) (SigningKey, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return SigningKey{}, err
	}
	name := pkix.Name{CommonName: "Microsoft Azure Federated SSO Certificate"}
	template := &x509.Certificate{
		SerialNumber:       serial,
		Subject:            name,
		Issuer:             name,
		NotBefore:          now.Add(-5 * time.Minute),
		NotAfter:           end,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return SigningKey{}, fmt.Errorf("make the signing certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return SigningKey{key, cert}, err
}

// sign returns a copy of e with an enveloped RSA-SHA256 signature at the child position at.
func (k SigningKey) sign(e *etree.Element, at int) (*etree.Element, error) {
	ctx, err := dsig.NewSigningContext(k.Key, [][]byte{k.Certificate.Raw})
	if err != nil {
		return nil, err
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	ctx.Prefix = "" // Entra writes signatures without a prefix
	if err := ctx.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		return nil, err
	}
	signature, err := ctx.ConstructSignature(e, true)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	signed := e.Copy()
	signed.InsertChildAt(at, signature)
	return signed, nil
}

// signQuery signs a query of the HTTP-Redirect binding as it is sent, by RSA-SHA256 (SAML bindings
// §3.4.4.1).
func (k SigningKey) signQuery(query string) (string, error) {
	digest := sha256.Sum256([]byte(query))
	value, err := k.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign the query: %w", err)
	}
	return base64.StdEncoding.EncodeToString(value), nil
}
