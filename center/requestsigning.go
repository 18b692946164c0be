package center

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// RequestKey is the key with which requests to identity providers are signed. It is made when signing is first switched on.
type RequestKey struct {
	Certificate []byte // DER, self-signed
	SealedKey   string // PKCS #8
}

// requestKeyYears is how long the certificate is valid. Identity providers look at the key; few look at the end.
const requestKeyYears = 10

// ErrNoRequestKey is returned where requests have never been signed.
var ErrNoRequestKey = errors.New("requests are not signed")

// SetRequests says how requests go to the identity provider in force: signed or not, by HTTP-POST or HTTP-Redirect. It fails with SourceNotConfigured, and
// for HTTP-POST with MetadataInvalid when the provider's metadata had no address for it.
func (c *Center) SetRequests(ctx context.Context, by audit.Actor, sign, post bool) error {
	var key RequestKey
	if sign { // ahead of the transaction, which should be short and may run more than once
		var err error
		if key, err = c.newRequestKey(); err != nil {
			return err
		}
	}
	return c.changeIdP(ctx, by, "UpdateExternalIdPConfigurationForDirectory", "", func(tx Tx, s *IdentitySource) (string, error) {
		if post && s.IdP.SignInPOST == "" {
			return s.IdP.EntityID, &Error{Code: MetadataInvalid, Field: "SingleSignOnService", Detail: "the metadata had no address for the HTTP-POST binding"}
		}
		s.IdP.SignRequests, s.IdP.UsePOST = sign, post
		if _, err := tx.RequestKey(); errors.Is(err, ErrNoRow) && sign {
			return s.IdP.EntityID, tx.PutRequestKey(key)
		}
		return s.IdP.EntityID, nil
	})
}

func (c *Center) newRequestKey() (RequestKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSAKey)
	if err != nil {
		return RequestKey{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return RequestKey{}, err
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "Gatehouse " + c.Instance.IdentityStoreID}, NotBefore: c.now().Add(-5 * time.Minute), NotAfter: c.now().AddDate(requestKeyYears, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return RequestKey{}, fmt.Errorf("make the certificate of signed requests: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	return RequestKey{Certificate: der, SealedKey: c.Sealer.Seal("request-key", plain)}, err
}

// RequestSigner returns the key that requests are signed with, and its certificate, or ErrNoRequestKey.
func (c *Center) RequestSigner(ctx context.Context) (crypto.Signer, *x509.Certificate, error) {
	var kept RequestKey
	err := c.Store.Get(ctx, func(r Reader) (err error) {
		kept, err = r.RequestKey()
		return err
	})
	if errors.Is(err, ErrNoRow) {
		err = ErrNoRequestKey
	}
	if err != nil {
		return nil, nil, err
	}
	plain, err := c.Sealer.Open("request-key", kept.SealedKey)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New("the key of signed requests does not sign")
	}
	cert, err := x509.ParseCertificate(kept.Certificate)
	return signer, cert, err
}
