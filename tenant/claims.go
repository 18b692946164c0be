package tenant

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Signing says what of a SAML response is signed. Source: signing options of the SAML certificate.
type Signing string

// The options.
const (
	SignAssertion Signing = "" // Entra's default
	SignResponse  Signing = "response"
	SignBoth      Signing = "both"
)

// NameIDSource is where the NameID comes from and how it is marked. The zero value is Entra's
// default: the user principal name, as an email address.
type NameIDSource struct {
	Attribute string // one of NameIDAttributes; empty: userPrincipalName
	Format    string // a URN of SAML; empty: emailAddress
}

// NameIDAttributes are what a NameID can be made of. Source: claims mapping policy reference,
// NameID; objectId stands for the pairwise id of persistent ones.
var NameIDAttributes = []string{
	"userPrincipalName", "mail", "mailNickname", "employeeId", "telephoneNumber", "objectId", "extensionAttribute1",
	"extensionAttribute2", "extensionAttribute3",
}

// The formats of which a NameID is made in a way of its own.
const (
	formatPersistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	formatTransient   = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	formatUnspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
)

// NameIDFormats are the formats that an application can be given. Source: saml-core, 8.3.
var NameIDFormats = []string{
	"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", formatPersistent, formatUnspecified,
	"urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName",
}

// Claim is an attribute of the assertion beyond those that are always there; one of the same name
// replaces that.
type Claim struct {
	Name   string // with its namespace
	Source string // an expression, as in attribute mappings: [department], "constant", Join(…)
}

// maxClaims bounds them: our own choice.
const maxClaims = 50 //bound:list claims of an application

// maxClaimName bounds the name of a claim with its namespace, in bytes.
const maxClaimName = 512 //bound:text the name of a claim, in bytes

// restrictedClaims cannot be set. Source: claims mapping policy reference, "Restricted claim set"
// for SAML.
var restrictedClaims = []string{
	"http://schemas.microsoft.com/identity/claims/objectidentifier",
	"http://schemas.microsoft.com/identity/claims/tenantid",
	"http://schemas.microsoft.com/identity/claims/identityprovider",
	"http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
	"http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
}

// checkClaims refuses claims that cannot be issued.
func (a Application) checkClaims() error {
	invalid := func(subject, detail string) error {
		return &refusal.Error{Code: InvalidValue, Subject: subject, Detail: detail}
	}
	switch a.Signing {
	case SignAssertion, SignResponse, SignBoth:
	default:
		return invalid("signing option", "use the assertion, the response or both")
	}
	if len(a.Encryption) > 0 {
		if c, err := x509.ParseCertificate(a.Encryption); err != nil || c.PublicKeyAlgorithm != x509.RSA {
			return invalid("token encryption certificate", "use an X.509 certificate with an RSA key")
		}
	}
	if len(a.Claims) > maxClaims {
		return invalid("claims", "at most 50")
	}
	if a.NameID.Attribute != "" && !contains(NameIDAttributes, a.NameID.Attribute) {
		return invalid("NameID", "it cannot be made from "+a.NameID.Attribute)
	}
	if a.NameID.Format != "" && !contains(NameIDFormats, a.NameID.Format) {
		return invalid("NameID", "there is no format "+a.NameID.Format)
	}
	seen := map[string]bool{}
	for _, c := range a.Claims {
		switch err := mapping.Parse(c.Source); {
		case c.Name == "" || len(c.Name) > maxClaimName:
			return invalid("claim", "use a name of 1 to 512 characters")
		case seen[strings.ToLower(c.Name)]:
			return invalid("claim", "duplicate name "+c.Name)
		case contains(restrictedClaims, c.Name):
			return invalid("claim", c.Name+" is restricted")
		case err != nil:
			return invalid("claim", c.Name+": "+err.Error())
		case mapping.OnlyProvisions(c.Source) != "":
			return invalid("claim", c.Name+": "+mapping.OnlyProvisions(c.Source)+" is a function of provisioning only")
		}
		seen[strings.ToLower(c.Name)] = true
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

// NameIDOf is the NameID of a user for an application, and its format: that which the request asks
// for, else the application's. It fails with NameIDMissing when the user has no value of the
// attribute. Source: SAML protocol page, NameIDPolicy.
func (a Application) NameIDOf(u User, requested string) (value, format string, err error) {
	switch {
	case requested == formatTransient: // another one each time
		return "_" + authn.NewSecret(16), requested, nil
	// the same one each time, and another one at each application
	case requested == formatPersistent && a.NameID.Format != formatPersistent:
		pair := sha256.Sum256([]byte(string(u.ID) + "/" + string(a.ID)))
		return base64.RawURLEncoding.EncodeToString(pair[:]), requested, nil
	case requested == "" || requested == formatUnspecified:
		requested = a.NameID.Format
	}
	name := a.NameID.Attribute
	if name == "" || name == "userPrincipalName" {
		name = "originalUserPrincipalName" // a guest's keeps #EXT# in tokens, other than in provisioning
	}
	if value = u.Attribute(name).Text(); value == "" {
		return "", "", &refusal.Error{
			Code:    NameIDMissing,
			Subject: u.UserPrincipalName,
			Detail:  "the user has no " + name,
		}
	}
	return value, requested, nil
}

// ClaimsOf are the values of an application's own claims for a user, in their order. Those without
// a value are left out, and so are those whose expression fails, which the error says.
func (a Application) ClaimsOf(ctx context.Context, u User) (claims []struct {
	Name   string
	Values []string
}, err error,
) {
	var failed []error
	for _, c := range a.Claims {
		v, err := mapping.Evaluate(ctx, c.Source, u.Attribute)
		if err != nil {
			failed = append(failed, fmt.Errorf("the claim %s: %w", c.Name, err))
		}
		if err == nil && len(v) > 0 && v.Text() != "" {
			claims = append(claims, struct {
				Name   string
				Values []string
			}{c.Name, v})
		}
	}
	return claims, errors.Join(failed...)
}
