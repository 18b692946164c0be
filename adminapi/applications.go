package adminapi

import (
	"context"
	"time"
)

// ApplicationInput names a custom application, by its ARN or by the last part of it. CertificateID
// is for the operations on one certificate.
type ApplicationInput struct {
	ApplicationArn string
	CertificateID  string `json:"CertificateId,omitempty"`
}

// ApplicationSAML is how people sign in to a custom SAML application.
type ApplicationSAML struct {
	ApplicationArn string
	Name           string
	ACSURL         string `json:"AcsUrl,omitempty"`
	Audience       string `json:",omitempty"`
	RelayState     string `json:",omitempty"`
	SessionMinutes int
	Subject        ApplicationMapping
	Mappings       []ApplicationMapping
	EntityID       string `json:"EntityId"` // of the center as the application's identity provider
	SignInURL      string `json:"SignInUrl"`
	MetadataURL    string `json:"MetadataUrl"`
	Certificates   []ApplicationCertificate
	Notes          []string `json:",omitempty"` // what an administrator should know about the metadata just read
}

// ApplicationMapping fills an attribute of an assertion, or its subject, which has no name.
type ApplicationMapping struct {
	Name   string `json:",omitempty"`
	Value  string // such as ${user:email}
	Format string `json:",omitempty"` // empty: unspecified
}

// ApplicationCertificate is a certificate of an application. The active one's key signs.
type ApplicationCertificate struct {
	CertificateID        string `json:"CertificateId"` // the SHA-256 thumbprint, in hexadecimal
	Active               bool
	NotAfter             time.Time
	X509CertificateInPem string
}

// UpdateApplicationSAML changes how people sign in to a custom SAML application; what is nil stays
// as it is. Metadata is the application's own, instead of ACSURL and Audience.
type UpdateApplicationSAML struct {
	ApplicationArn string
	Metadata       *string               `json:",omitzero"`
	ACSURL         *string               `json:"AcsUrl,omitzero"`
	Audience       *string               `json:",omitzero"`
	RelayState     *string               `json:",omitzero"`
	SessionMinutes *int                  `json:",omitzero"`
	Subject        *ApplicationMapping   `json:",omitzero"`
	Mappings       *[]ApplicationMapping `json:",omitzero"` // all of them
}

// ApplicationSAML returns how people sign in to an application.
func (c *Client) ApplicationSAML(ctx context.Context, arn string) (ApplicationSAML, error) {
	return call[ApplicationSAML](ctx, c, "DescribeApplicationSaml", ApplicationInput{ApplicationArn: arn})
}

// UpdateApplicationSAML changes what is not nil.
func (c *Client) UpdateApplicationSAML(ctx context.Context, in UpdateApplicationSAML) (ApplicationSAML, error) {
	return call[ApplicationSAML](ctx, c, "UpdateApplicationSaml", in)
}

// CreateApplicationCertificate makes a certificate that signs nothing before it is made active.
func (c *Client) CreateApplicationCertificate(ctx context.Context, arn string) (ApplicationSAML, error) {
	return call[ApplicationSAML](
		ctx, c, "CreateApplicationInstanceCertificate", ApplicationInput{ApplicationArn: arn},
	)
}

// ActivateApplicationCertificate makes a certificate the one that signs.
func (c *Client) ActivateApplicationCertificate(ctx context.Context, in ApplicationInput) (ApplicationSAML, error) {
	return call[ApplicationSAML](ctx, c, "UpdateApplicationInstanceActiveCertificate", in)
}

// DeleteApplicationCertificate removes a certificate that does not sign.
func (c *Client) DeleteApplicationCertificate(ctx context.Context, in ApplicationInput) (ApplicationSAML, error) {
	return call[ApplicationSAML](ctx, c, "DeleteApplicationInstanceCertificate", in)
}
