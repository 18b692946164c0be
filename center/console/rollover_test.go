package console_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/saml"
)

// TestTheSigningCertificateIsRolledByThePages: the next certificate is made and downloaded at the
// tenant, added at the center, made active, and the old one deleted; people sign in all the time.
func TestTheSigningCertificateIsRolledByThePages(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const who = "amara.okafor@northwind.example"
	admin, tenant := e.Administrator(), e.TenantAdministrator()
	settings := e.Center.URL + "/console/settings"
	signOn := e.Tenant.URL + "/admin/apps/" + e.Tenant.ApplicationID + "/saml"
	download := regexp.MustCompile(`href="(/admin/apps/[^"]+/saml/certificates/([0-9A-F]{40})\?format=base64)"`)
	oldPrint := download.FindStringSubmatch(tenant.Get(signOn))[2]

	page := tenant.Does(signOn+"/certificates", url.Values{"do": {"new"}}, "A new certificate is created.")
	var file, nextPrint string
	for _, link := range download.FindAllStringSubmatch(page, -1) {
		if link[2] != oldPrint {
			file, nextPrint = tenant.Get(e.Tenant.URL+link[1]), link[2]
		}
	}
	if !strings.HasPrefix(file, "-----BEGIN CERTIFICATE-----") {
		t.Fatalf("the next certificate: %q", file)
	}
	e.SignIn(who)
	page = admin.Does(settings+"/certificates", url.Values{"certificate": {file}}, "Added:")
	if !strings.Contains(page, nextPrint) || !strings.Contains(page, oldPrint) {
		t.Error("the console does not show both by the tenant's thumbprints")
	}
	tenant.Does(signOn+"/certificates", url.Values{"do": {"activate"}, "thumbprint": {nextPrint}}, "is active")
	e.SignIn(who)
	block, rest := pem.Decode([]byte(file))
	if block == nil || len(rest) > 0 || !strings.Contains(tenant.Get(signOn), center.Thumbprint(block.Bytes)) {
		t.Fatalf("the tenant does not show the center's thumbprint of %s", file)
	}
	raw := tenant.Get(e.Tenant.URL + "/admin/apps/" + e.Tenant.ApplicationID + "/saml/certificates/" + nextPrint +
		"?format=raw")
	if raw != string(block.Bytes) {
		t.Error("Raw is not the certificate")
	}
	if status, _ := tenant.Send(http.MethodGet, signOn+"/certificates/00", nil); status != http.StatusNotFound {
		t.Errorf("a certificate that is not there: %d", status)
	}
}

// withKey is an identity provider's metadata with one more signing certificate.
func withKey(metadata string, certificate *x509.Certificate) string {
	descriptor := `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>` +
		`<X509Certificate>` + base64.StdEncoding.EncodeToString(certificate.Raw) + `</X509Certificate>` +
		`</X509Data></KeyInfo></KeyDescriptor>`
	return strings.Replace(metadata, "<SingleLogoutService", descriptor+"<SingleLogoutService", 1)
}

// TestCertificatesAreTakenFromNewerMetadata: "Add a certificate" takes the provider's metadata too,
// and of it the certificates only.
func TestCertificatesAreTakenFromNewerMetadata(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	admin, settings := e.Administrator(), e.Center.URL+"/console/settings"
	metadata := e.TenantAdministrator().Get(
		e.Tenant.URL + "/admin/apps/" + e.Tenant.ApplicationID + "/saml/federationmetadata.xml",
	)
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	newer := withKey(metadata, key.Certificate)
	newer = strings.ReplaceAll(newer, "/saml2\"", "/elsewhere\"")
	if page := upload(t, admin, settings+"/certificates", []byte(newer)); !strings.Contains(page, "Added:") ||
		!strings.Contains(page, center.Thumbprint(key.Certificate.Raw)) || strings.Contains(page, "/elsewhere") {
		t.Errorf("the newer metadata: %s", page)
	}
	foreign := regexp.MustCompile(`entityID="[^"]+"`).ReplaceAllString(newer, `entityID="https://idp.example/"`)
	for what, file := range map[string]string{
		"it is the metadata of": foreign,
		"did not work":          "<nothing/>",
		"neither PEM nor DER":   "nothing",
	} {
		if page := upload(t, admin, settings+"/certificates", []byte(file)); !strings.Contains(page, what) {
			t.Errorf("want %q on %s", what, page)
		}
	}
	e.SignIn("amara.okafor@northwind.example")
}
