package center

import (
	"context"
	"path"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// SAMLCertificate is a certificate of a custom SAML application.
type SAMLCertificate struct {
	DER    []byte
	Active bool // its key signs
}

// SAMLCertificates are those of the application: the one that signs, and the one that waits for its
// turn or had it. There are none before somebody asks for the first.
func (a Application) SAMLCertificates() (list []SAMLCertificate) {
	if a.SAMLKey != nil {
		list = append(list, SAMLCertificate{a.SAMLKey.Certificate, true})
	}
	if a.SAMLSpareKey != nil {
		list = append(list, SAMLCertificate{a.SAMLSpareKey.Certificate, false})
	}
	return list
}

// CreateSAMLCertificate makes a new key of a custom SAML application with its certificate. It signs
// nothing before it is made active, so that the application can be told of it first. There is one
// such key at a time. It fails with ApplicationNotFound, and with SpareCertificate. Source: user
// guide, "Rotate a certificate".
func (c *Center) CreateSAMLCertificate(ctx context.Context, by audit.Actor, arn string) (a Application, err error) {
	key, err := c.newKey(applicationKeyPurpose+arn, path.Base(arn)) // ahead of the transaction
	if err != nil {
		return a, err
	}
	return c.changeSAMLKeys(ctx, by, ActionCreateApplicationCertificate, arn, func(a *Application) error {
		switch {
		case a.SAMLKey == nil:
			a.SAMLKey = &key
		case a.SAMLSpareKey != nil:
			return &refusal.Error{Code: SpareCertificate, Subject: Thumbprint(a.SAMLSpareKey.Certificate)}
		default:
			a.SAMLSpareKey = &key
		}
		return nil
	})
}

// ActivateSAMLCertificate makes a key the one that signs. The one before stays, and can be made
// active again. It fails with ApplicationNotFound and CertificateNotFound.
func (c *Center) ActivateSAMLCertificate(
	ctx context.Context, by audit.Actor, arn, thumbprint string,
) (Application, error) {
	return c.changeSAMLKeys(ctx, by, ActionActivateApplicationCertificate, arn, func(a *Application) error {
		switch {
		case a.SAMLKey != nil && Thumbprint(a.SAMLKey.Certificate) == thumbprint:
			return nil
		case a.SAMLSpareKey == nil || Thumbprint(a.SAMLSpareKey.Certificate) != thumbprint:
			return &refusal.Error{Code: CertificateNotFound, Subject: thumbprint}
		}
		a.SAMLKey, a.SAMLSpareKey = a.SAMLSpareKey, a.SAMLKey
		return nil
	})
}

// DeleteSAMLCertificate removes a key that does not sign. It fails with ApplicationNotFound,
// CertificateNotFound, and with LastCertificate for the one that does.
func (c *Center) DeleteSAMLCertificate(
	ctx context.Context, by audit.Actor, arn, thumbprint string,
) (Application, error) {
	return c.changeSAMLKeys(ctx, by, ActionDeleteApplicationCertificate, arn, func(a *Application) error {
		switch {
		case a.SAMLKey != nil && Thumbprint(a.SAMLKey.Certificate) == thumbprint:
			return &refusal.Error{Code: LastCertificate, Subject: thumbprint, Detail: "it is the one that signs"}
		case a.SAMLSpareKey == nil || Thumbprint(a.SAMLSpareKey.Certificate) != thumbprint:
			return &refusal.Error{Code: CertificateNotFound, Subject: thumbprint}
		}
		a.SAMLSpareKey = nil
		return nil
	})
}

func (c *Center) changeSAMLKeys(
	ctx context.Context, by audit.Actor, action Action, arn string, edit func(*Application) error,
) (a Application, err error) {
	err = c.change(ctx, by, action, func(tx Tx) (string, error) {
		if a, err = tx.Application(arn); err != nil {
			return arn, refusal.IfNoRow(err, ApplicationNotFound, arn)
		}
		if !a.TakesSAML() {
			return arn, &refusal.Error{Code: ApplicationNotFound, Subject: arn}
		}
		if err := edit(&a); err != nil {
			return arn, err
		}
		return arn, tx.PutApplication(a)
	})
	return a, err
}
