package center

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// RequestKey is a key that this center signs SAML messages with: requests to identity providers,
// made when signing is first switched on, or responses to AWS accounts or to an application, or ID
// tokens with, made when they are first needed.
type RequestKey struct {
	Certificate []byte // DER, self-signed
	SealedKey   string // PKCS #8
}

// keyReader reads the keys that the center signs with.
type keyReader interface {
	RequestKey() (RequestKey, error)
	FederationKey() (RequestKey, error)
	TokenKey() (RequestKey, error)
}

// keyWriter writes the keys that the center signs with.
type keyWriter interface {
	PutRequestKey(RequestKey) error
	PutFederationKey(RequestKey) error
	PutTokenKey(RequestKey) error
}

// requestKeyYears is how long the certificate is valid. Identity providers look at the key; few
// look at the end.
const requestKeyYears = 10

// requestKeyPurpose is what the private key is sealed for.
const requestKeyPurpose = "request-key"

// ErrNoRequestKey is returned where requests have never been signed.
var ErrNoRequestKey = errors.New("requests are not signed")

// SetRequests says how requests go to the identity provider in force: signed or not, by HTTP-POST
// or HTTP-Redirect. It fails with SourceNotConfigured, and with MetadataInvalid when the provider's
// metadata had no address for the binding.
func (c *Center) SetRequests(ctx context.Context, by audit.Actor, sign, post bool) error {
	var key RequestKey
	if sign { // ahead of the transaction, which should be short and may run more than once
		var err error
		if key, err = c.newRequestKey(); err != nil {
			return err
		}
	}
	return c.changeIdP(
		ctx,
		by,
		ActionUpdateExternalIdPConfigurationForDirectory,
		"",
		func(tx Tx, s *IdentitySource) (string, error) {
			if post && s.IdP.SignInPOST == "" {
				return s.IdP.EntityID, &refusal.Error{
					Code:   MetadataInvalid,
					Field:  "SingleSignOnService",
					Detail: "the metadata had no address for the HTTP-POST binding",
				}
			}
			if !post && s.IdP.SignInURL == "" {
				return s.IdP.EntityID, &refusal.Error{
					Code:   MetadataInvalid,
					Field:  "SingleSignOnService",
					Detail: "the metadata had no address for the HTTP-Redirect binding",
				}
			}
			s.IdP.SignRequests, s.IdP.UsePOST = sign, post
			if _, err := tx.RequestKey(); errors.Is(err, refusal.ErrNoRow) && sign {
				return s.IdP.EntityID, tx.PutRequestKey(key)
			}
			return s.IdP.EntityID, nil
		},
	)
}

// AllowIdPInitiated says whether a sign-in may be started at the identity provider, as AWS lets it
// be; otherwise a response must answer a request of this center. It holds for the identity
// providers to come, too. It fails with SourceNotConfigured.
func (c *Center) AllowIdPInitiated(ctx context.Context, by audit.Actor, allow bool) error {
	return c.changeIdP(
		ctx,
		by,
		ActionUpdateExternalIdPConfigurationForDirectory,
		"",
		func(_ Tx, s *IdentitySource) (string, error) {
			s.RequestedOnly = !allow
			return s.IdP.EntityID, nil
		},
	)
}

func (c *Center) newRequestKey() (RequestKey, error) {
	return c.newKey(requestKeyPurpose, c.Instance.IdentityStoreID)
}

// newKey makes a key, sealed for a purpose, with a certificate that names what signs.
func (c *Center) newKey(purpose, name string) (RequestKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSAKey)
	if err != nil {
		return RequestKey{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return RequestKey{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Gatehouse " + name},
		NotBefore:    c.now().Add(-5 * time.Minute),
		NotAfter:     c.now().AddDate(requestKeyYears, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return RequestKey{}, fmt.Errorf("make the certificate of signed requests: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	return RequestKey{Certificate: der, SealedKey: c.Sealer.Seal(purpose, plain)}, err
}

// Signer is a key that this center signs with, and its certificate.
type Signer struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
}

// KeyID names a key that signs tokens by its certificate.
func (s Signer) KeyID() string {
	return authn.Digest(base64.StdEncoding.EncodeToString(s.Certificate.Raw))[:16]
}

// FederationSigner returns the key that this center signs with as the identity provider of AWS
// accounts, and its certificate. The first call makes it.
func (c *Center) FederationSigner(ctx context.Context) (Signer, error) {
	return c.madeSigner(ctx, Reader.FederationKey, Tx.PutFederationKey)
}

// TokenSigner returns the key that this center signs ID tokens with. The first call makes it.
func (c *Center) TokenSigner(ctx context.Context) (Signer, error) {
	return c.madeSigner(ctx, Reader.TokenKey, Tx.PutTokenKey)
}

// madeSigner returns a key that is made when it is first needed.
func (c *Center) madeSigner(
	ctx context.Context, get func(Reader) (RequestKey, error), put func(Tx, RequestKey) error,
) (Signer, error) {
	var kept RequestKey
	read := func(r Reader) (err error) {
		kept, err = get(r)
		return err
	}
	err := c.Store.Get(ctx, read)
	if errors.Is(err, refusal.ErrNoRow) {
		var key RequestKey
		if key, err = c.newRequestKey(); err != nil {
			return Signer{}, err
		}
		err = c.Store.Update(ctx, func(tx Tx) error {
			err := read(tx)
			if errors.Is(err, refusal.ErrNoRow) { // nobody else has made one meanwhile
				kept, err = key, put(tx, key)
			}
			return err
		})
	}
	if err != nil {
		return Signer{}, err
	}
	return c.openSigner(kept)
}

// FederationEntityID is the entity id of this center as the identity provider of AWS accounts.
func (c *Center) FederationEntityID() string {
	return c.URL + "/platform/saml/aws/" + c.Instance.IdentityStoreID
}

// SAMLProviderName is the name under which AWS accounts know this center: AWSSSO_<16 hex
// digits>_DO_NOT_DELETE.
func (c *Center) SAMLProviderName() string {
	return "AWSSSO_" + strings.TrimPrefix(c.Instance.shortID(), "ssoins-") + "_DO_NOT_DELETE"
}

// RequestSigner returns the key that requests are signed with, and its certificate, or
// ErrNoRequestKey.
func (c *Center) RequestSigner(ctx context.Context) (Signer, error) {
	var kept RequestKey
	err := c.Store.Get(ctx, func(r Reader) (err error) {
		kept, err = r.RequestKey()
		return err
	})
	if errors.Is(err, refusal.ErrNoRow) {
		err = ErrNoRequestKey
	}
	if err != nil {
		return Signer{}, err
	}
	return c.openSigner(kept)
}

func (c *Center) openSigner(kept RequestKey) (Signer, error) {
	return c.openKey(requestKeyPurpose, kept)
}

// openKey opens a key that newKey has made for the same purpose.
func (c *Center) openKey(purpose string, kept RequestKey) (Signer, error) {
	plain, err := c.Sealer.Open(purpose, kept.SealedKey)
	if err != nil {
		return Signer{}, err
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return Signer{}, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return Signer{}, errors.New("the key of signed requests does not sign")
	}
	cert, err := x509.ParseCertificate(kept.Certificate)
	return Signer{signer, cert}, err
}
