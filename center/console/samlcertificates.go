package console

import (
	"context"
	"crypto/x509"
	"encoding/pem"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// certificateLine is a certificate of a SAML application as its page shows it.
type certificateLine struct {
	*x509.Certificate
	Thumbprint string
	Active     bool
}

func certificateLines(a center.Application) (list []certificateLine, err error) {
	for _, c := range a.SAMLCertificates() {
		parsed, err := x509.ParseCertificate(c.DER)
		if err != nil {
			return nil, err
		}
		list = append(list, certificateLine{parsed, center.Thumbprint(c.DER), c.Active})
	}
	return list, nil
}

// changeCertificates creates, activates or deletes a certificate of a SAML application.
func changeCertificates(p page) error {
	ctx, c := p.Context(), p.h.Center
	arn, thumbprint := p.applicationARN(), p.PostFormValue("thumbprint")
	page := applicationURL(arn)
	switch p.PostFormValue("do") {
	case "create":
		if _, err := c.CreateSAMLCertificate(ctx, p.by, arn); err != nil {
			return err
		}
		return p.Done(page, "A new certificate is created. Give it to the application, then make it active.")
	case "activate":
		question := web.Question{
			Title: "Sign with another certificate?",
			Lines: []string{
				"Thumbprint " + thumbprint + ".",
				"Nobody can sign in to the application while it does not trust this certificate.",
				"You can go back: the certificate that signs now stays until you delete it.",
			},
			Button: "Make it active",
		}
		if done, err := p.SureOf(question, func(ctx context.Context) error {
			_, err := c.ActivateSAMLCertificate(ctx, p.by, arn, thumbprint)
			return err
		}); !done {
			return err
		}
		return p.Done(page, "The certificate is active: the application's sign-ins are signed with it.")
	case "delete":
		question := web.Question{
			Title:  "Delete the certificate?",
			Lines:  []string{"Thumbprint " + thumbprint + ".", "Its key is lost, so that you cannot go back to it."},
			Button: "Delete the certificate",
		}
		if done, err := p.SureOf(question, func(ctx context.Context) error {
			_, err := c.DeleteSAMLCertificate(ctx, p.by, arn, thumbprint)
			return err
		}); !done {
			return err
		}
		return p.Done(page, "The certificate is deleted.")
	}
	return &refusal.Error{Code: center.InvalidRequest, Field: "do"}
}

// downloadSAMLCertificate sends a certificate: the one whose thumbprint is named, or else the one
// that signs for the application.
func downloadSAMLCertificate(p page) error {
	a, signer, err := p.h.Center.SAMLSigner(p.Context(), p.PathValue("id"))
	if err != nil {
		return err
	}
	der := signer.Certificate.Raw
	if wanted := p.URL.Query().Get("thumbprint"); wanted != "" {
		der = nil
		for _, c := range a.SAMLCertificates() {
			if center.Thumbprint(c.DER) == wanted {
				der = c.DER
			}
		}
		if der == nil {
			return &refusal.Error{Code: center.CertificateNotFound, Subject: wanted}
		}
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return p.Download("gatehouse-"+p.PathValue("id")+".pem", "application/x-pem-file", text)
}
