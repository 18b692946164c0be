package adminserver

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
)

func (h *Handler) describeApplicationSAML(
	ctx context.Context, _ awsapi.Caller, in adminapi.ApplicationInput,
) (adminapi.ApplicationSAML, error) {
	arn, err := h.applicationNamed(ctx, in.ApplicationArn)
	if err != nil {
		return adminapi.ApplicationSAML{}, err
	}
	a, err := h.Center.Application(ctx, arn)
	return h.applicationSAML(a, err)
}

func (h *Handler) applicationSAML(a center.Application, err error) (out adminapi.ApplicationSAML, _ error) {
	if err == nil && !a.TakesSAML() {
		err = &refusal.Error{Code: center.ApplicationNotFound, Subject: a.ARN}
	}
	if err != nil {
		return out, err
	}
	s := center.SAMLApplication{Subject: center.DefaultSubject, SessionDuration: time.Hour}
	if a.SAML != nil {
		s = *a.SAML
	}
	address := h.Center.URL + center.SAMLPath + a.ID()
	out = adminapi.ApplicationSAML{
		ApplicationArn: a.ARN, Name: a.Name, ACSURL: s.ACSURL, Audience: s.Audience, RelayState: s.RelayState,
		SessionMinutes: int(s.SessionDuration / time.Minute),
		Subject:        adminapi.ApplicationMapping(s.Subject),
		Mappings:       []adminapi.ApplicationMapping{},
		EntityID:       address, SignInURL: address,
		MetadataURL:  h.Center.URL + center.SAMLMetadataPath + a.ID(),
		Certificates: []adminapi.ApplicationCertificate{},
	}
	for _, m := range s.Mappings {
		out.Mappings = append(out.Mappings, adminapi.ApplicationMapping(m))
	}
	for _, c := range a.SAMLCertificates() {
		certificate, err := x509.ParseCertificate(c.DER)
		if err != nil {
			return out, err
		}
		out.Certificates = append(out.Certificates, adminapi.ApplicationCertificate{
			CertificateID: center.Thumbprint(c.DER), Active: c.Active, NotAfter: certificate.NotAfter.UTC(),
			X509CertificateInPem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER})),
		})
	}
	return out, nil
}

func mappingFrom(m adminapi.ApplicationMapping) center.AttributeMapping {
	if m.Format == "" {
		m.Format = "unspecified"
	}
	return center.AttributeMapping(m)
}

func (h *Handler) updateApplicationSAML(
	ctx context.Context, who awsapi.Caller, in adminapi.UpdateApplicationSAML,
) (adminapi.ApplicationSAML, error) {
	arn, err := h.applicationNamed(ctx, in.ApplicationArn)
	if err != nil {
		return adminapi.ApplicationSAML{}, err
	}
	var notes []string
	if in.Metadata != nil {
		sp, err := saml.ParseServiceProvider([]byte(*in.Metadata))
		if err == nil && (in.ACSURL != nil || in.Audience != nil) {
			return adminapi.ApplicationSAML{}, &refusal.Error{Code: center.InvalidValue, Field: "Metadata",
				Detail: "give the metadata, or the address and the audience"}
		}
		if err != nil {
			return adminapi.ApplicationSAML{}, &refusal.Error{
				Code: center.InvalidValue, Field: "Metadata", Detail: err.Error(),
			}
		}
		in.ACSURL, in.Audience = &sp.ACSURLs[0], &sp.EntityID
		if note := saml.Expired(sp.ValidUntil, h.Center.Now()); note != "" {
			notes = []string{note}
		}
	}
	err = h.Center.ConfigureSAML(ctx, awsdoor.Actor(who), center.ActionUpdateApplicationServiceProvider, arn,
		func(s *center.SAMLApplication) {
			set(&s.ACSURL, in.ACSURL)
			set(&s.Audience, in.Audience)
			set(&s.RelayState, in.RelayState)
			if m := in.SessionMinutes; m != nil {
				s.SessionDuration = time.Duration(max(1, min(*m, 100_000))) * time.Minute
			}
			if in.Subject != nil {
				s.Subject = mappingFrom(*in.Subject)
			}
			if in.Mappings != nil {
				s.Mappings = nil
				for _, m := range *in.Mappings {
					s.Mappings = append(s.Mappings, mappingFrom(m))
				}
			}
		})
	if err != nil {
		return adminapi.ApplicationSAML{}, err
	}
	a, err := h.Center.Application(ctx, arn)
	out, err := h.applicationSAML(a, err)
	out.Notes = notes
	return out, err
}

func (h *Handler) createApplicationCertificate(
	ctx context.Context, who awsapi.Caller, in adminapi.ApplicationInput,
) (adminapi.ApplicationSAML, error) {
	arn, err := h.applicationNamed(ctx, in.ApplicationArn)
	if err != nil {
		return adminapi.ApplicationSAML{}, err
	}
	a, err := h.Center.CreateSAMLCertificate(ctx, awsdoor.Actor(who), arn)
	return h.applicationSAML(a, err)
}

func (h *Handler) activateApplicationCertificate(
	ctx context.Context, who awsapi.Caller, in adminapi.ApplicationInput,
) (adminapi.ApplicationSAML, error) {
	arn, err := h.applicationNamed(ctx, in.ApplicationArn)
	if err != nil {
		return adminapi.ApplicationSAML{}, err
	}
	a, err := h.Center.ActivateSAMLCertificate(ctx, awsdoor.Actor(who), arn, in.CertificateID)
	return h.applicationSAML(a, err)
}

func (h *Handler) deleteApplicationCertificate(
	ctx context.Context, who awsapi.Caller, in adminapi.ApplicationInput,
) (adminapi.ApplicationSAML, error) {
	arn, err := h.applicationNamed(ctx, in.ApplicationArn)
	if err != nil {
		return adminapi.ApplicationSAML{}, err
	}
	a, err := h.Center.DeleteSAMLCertificate(ctx, awsdoor.Actor(who), arn, in.CertificateID)
	return h.applicationSAML(a, err)
}
