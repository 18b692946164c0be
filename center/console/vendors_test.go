package console_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// upload sends a file as the settings page does.
func upload(t *testing.T, v webtest.Visitor, address string, file []byte) string {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "metadata.xml")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	res, err := v.Client.Post(address, w.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// weakCertificate has a key that is too short to be trusted.
func weakCertificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// TestAProviderThatTakesOnlyHTTPPOST is uploaded as a file in UTF-16, with a key beside the good
// one that is too short: requests go to it by HTTP-POST, and the page names the key.
func TestAProviderThatTakesOnlyHTTPPOST(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	admin := e.Administrator()
	settings := e.Center.URL + "/console/settings"
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	descriptor := func(certificate string) string {
		return `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>` +
			`<X509Certificate>` + certificate + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
	}
	const sso = "https://vendor.onelogin.com/trust/saml2/http-post/sso/1"
	text := "\ufeff\r\n" +
		`<?xml version="1.0" encoding="UTF-8"?><EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` +
		`<EntityDescriptor xmlns:xml="http://www.w3.org/XML/1998/namespace" ` +
		`entityID="https://app.onelogin.com/saml/metadata/1">` +
		`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
		descriptor(weakCertificate(t)) + descriptor(base64.StdEncoding.EncodeToString(key.Certificate.Raw)) +
		`<SingleSignOnService Binding="` + saml.BindingPOST + `" Location="` + sso +
		`"/></IDPSSODescriptor></EntityDescriptor></EntitiesDescriptor>`
	var file []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		file = append(file, byte(unit), byte(unit>>8)) // #nosec G115 -- both halves
	}
	page := upload(t, admin, settings+"/identity-source", file)
	if !strings.Contains(page, "app.onelogin.com") || !strings.Contains(page, "RSA key of 1024 bits") {
		t.Fatalf("the review: %s", page)
	}
	action, form := admin.Form(page, "id")
	form.Set("confirmation", "ACCEPT")
	if page = admin.Does(e.Center.URL+action, form, "is now the external identity provider"); !strings.Contains(page,
		sso) {
		t.Error("the settings do not show where requests go")
	}
	admin.Does(settings+"/requests", url.Values{"binding": {"redirect"}}, "no address for the HTTP-Redirect binding")
	admin.Does(settings+"/requests", url.Values{"binding": {"post"}, "sign": {"on"}}, "Saved.")
	_, page = webtest.New(t, nil).Send(http.MethodGet, e.Center.URL+"/platform/login", nil)
	if !strings.Contains(page, `action="`+sso+`"`) || !strings.Contains(page, `name="SAMLRequest"`) {
		t.Errorf("the sign-in is not posted to it: %s", page)
	}
	for want, bad := range map[string]string{
		"web page":        "<!DOCTYPE html><title>Sign in</title>",
		"SPSSODescriptor": strings.ReplaceAll(text, "IDPSSODescriptor", "SPSSODescriptor"),
		"no signing certificate": strings.ReplaceAll(text, "<KeyDescriptor use=\"signing\"",
			"<KeyDescriptor use=\"encryption\""),
		"More Actions": strings.ReplaceAll(text, saml.BindingPOST,
			"urn:oasis:names:tc:SAML:2.0:bindings:SOAP"),
		"http-post binding instead of": strings.ReplaceAll(text, "https://vendor.onelogin.com",
			"http://vendor.onelogin.com"),
		"download the metadata from the": "<EntityDescriptor/>",
	} {
		if page := upload(t, admin, settings+"/identity-source", []byte(bad)); !strings.Contains(
			strings.ToLower(page), strings.ToLower(want),
		) || strings.Contains(page, "Federation Metadata XML") {
			t.Errorf("want %q on %s", want, page)
		}
	}
	_, whole := webtest.New(t, nil).Send(
		http.MethodGet, e.Tenant.URL+"/"+e.Tenant.TenantID+"/federationmetadata/2007-06/federationmetadata.xml", nil,
	)
	if page := upload(t, admin, settings+"/identity-source", []byte(whole)); !strings.Contains(page, "?appid=") {
		t.Errorf("nothing warns of the tenant's own metadata: %s", page)
	}
}
