package admincenter

import (
	"encoding/pem"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// claimsNamespace is that of claims whose name is given without one. Source: additional claims in
// the portal.
const claimsNamespace = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

// claimNames are those that the form of a claim proposes. Source for the last ones: "Attributes for
// access control" of IAM Identity Center.
var claimNames = []struct{ Name, For string }{
	{claimsNamespace + "emailaddress", "email"}, {claimsNamespace + "givenname", "first name"},
	{claimsNamespace + "name", "user principal name"}, {claimsNamespace + "surname", "last name"},
	{claimsNamespace + "upn", "user principal name"}, {claimsNamespace + "employeeid", "employee ID"},
	{accessControl + "CostCenter", "AWS: attribute for access control"},
	{accessControl + "Department", "AWS: attribute for access control"},
}

const accessControl = "https://aws.amazon.com/SAML/Attributes/AccessControl:"

// ClaimNames are those that the form of a claim proposes.
func (samlData) ClaimNames() []struct{ Name, For string } { return claimNames }

// saveClaims changes the NameID, the additional claims or the signing option.
func saveClaims(p page) error {
	do := p.PostFormValue("do")
	var encryption []byte
	if text := strings.TrimSpace(p.PostFormValue("certificate")); do == "encryption" && text != "" {
		var err error
		if encryption, err = certificatePEM(text); err != nil {
			return err
		}
	}
	return p.editSAML(samlSaved(""), func(a *tenant.Application) {
		switch do {
		case "nameid":
			a.NameID = tenant.NameIDSource{Attribute: p.PostFormValue("attribute"), Format: p.PostFormValue("format")}
		case "encryption":
			a.Encryption, a.EncryptionKey = encryption, tenant.EncryptionKey{}
		case "signing":
			a.Signing = tenant.Signing(p.PostFormValue("signing"))
		case "claim":
			name := strings.TrimSpace(p.PostFormValue("name"))
			if !strings.Contains(name, "/") {
				name = claimsNamespace + name
			}
			source := strings.TrimSpace(p.PostFormValue("expression"))
			if source == "" {
				source = "[" + p.PostFormValue("source") + "]"
			}
			a.Claims = append(a.Claims, tenant.Claim{Name: name, Source: source})
		case "delete-claim":
			a.Claims = slices.DeleteFunc(
				a.Claims, func(c tenant.Claim) bool { return c.Name == p.PostFormValue("name") },
			)
		}
	})
}

// downloadCertificate hands out a signing certificate, active or not, so that the service provider
// has the next one before it signs. Source: the portal's "Certificate (Base64)", which is PEM, and
// "Certificate (Raw)".
func downloadCertificate(p page) error {
	a, err := p.app()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(a.Keys, func(k tenant.SigningKey) bool { return k.Thumbprint == p.PathValue("thumbprint") })
	if at < 0 {
		return &refusal.Error{Code: tenant.SigningKeyNotFound, Subject: p.PathValue("thumbprint")}
	}
	der := a.Keys[at].Certificate
	name := "certificate-" + a.Keys[at].Thumbprint[:8] + ".cer"
	if p.FormValue("format") == "raw" {
		return p.Download(name, "application/pkix-cert", der)
	}
	return p.Download(
		name, "application/x-x509-ca-cert", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	)
}

// saveCertificate adds, activates or deletes a signing certificate. The active one cannot be
// deleted.
func saveCertificate(p page) error {
	t := p.h.Tenant
	thumbprint, notice := p.PostFormValue("thumbprint"), "The certificate is deleted."
	var made tenant.SigningKey
	switch p.PostFormValue("do") {
	case "new":
		var err error
		if made, err = p.newSigningKey(); err != nil {
			return err
		}
		notice = "A new certificate is created. Give it to the service provider before you make it active."
	case "activate":
		notice = "The certificate is active."
	case "delete":
	default:
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: "unknown action"}
	}
	a, err := t.UpdateApplication(p.Context(), p.by, p.applicationID(), func(a *tenant.Application) error {
		switch {
		case made.ID != "":
			a.Keys = append(a.Keys, made)
		case p.PostFormValue("do") == "activate":
			a.ActiveThumbprint = thumbprint
		case thumbprint == a.ActiveThumbprint:
			return &refusal.Error{
				Code:    tenant.InvalidValue,
				Subject: "certificate",
				Detail:  "the active one cannot be deleted: make another one active first",
			}
		default:
			a.Keys = slices.DeleteFunc(a.Keys, func(k tenant.SigningKey) bool { return k.Thumbprint == thumbprint })
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.Done("/admin/apps/"+string(a.ID)+"/saml", notice)
}
