package main

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestClaimsAndSigningOptions(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	admin := administrator(t, d, d.Tenant.URL+"/admin")
	app := d.Tenant.URL + "/admin/apps/" + d.Tenant.ApplicationID + "/saml"
	const mei = "mei.tanaka@northwind.example"
	e.change(http.MethodPatch, "/users/"+mei, map[string]any{"employeeId": "E00003", "department": "R<D"}, nil)
	response := func() string {
		t.Helper()
		_, form := newVisitor(t).response(d, d.Center.PortalURL, mei)
		data, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	admin.does(app+"/claims", url.Values{"do": {"claim"}, "name": {"costcenter"}, "expression": {`Join("-", [department], [employeeId])`}}, "The SAML settings are saved")
	admin.does(app+"/claims", url.Values{"do": {"claim"}, "name": {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"}, "source": {"displayName"}}, "The SAML settings are saved")
	admin.does(app+"/claims", url.Values{"do": {"signing"}, "signing": {"both"}}, "The SAML settings are saved")
	text := response()
	if !strings.Contains(text, `identity/claims/costcenter"><AttributeValue>R&lt;D-E00003<`) || !strings.Contains(text, `identity/claims/name"><AttributeValue>Mei Tanaka<`) || strings.Count(text, "SignatureValue>") != 4 {
		t.Errorf("the response is %s", text)
	}
	v := newVisitor(t)
	acs, form := v.response(d, d.Center.PortalURL, mei)
	if status, page := v.send(http.MethodPost, acs, form); !strings.Contains(page, "Platform Engineering") && !strings.Contains(page, "Development") {
		t.Errorf("the center answers a response that is signed twice with %d %s", status, page)
	}
	admin.does(app+"/claims", url.Values{"do": {"nameid"}, "attribute": {"employeeId"}, "format": {"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"}}, "The SAML settings are saved")
	if text := response(); !strings.Contains(text, `<NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">E00003</NameID>`) {
		t.Errorf("the NameID in %s", text)
	}
	for want, form := range map[string]url.Values{
		"is restricted": {"do": {"claim"}, "name": {"http://schemas.microsoft.com/identity/claims/tenantid"}, "source": {"mail"}}, "stands twice": {"do": {"claim"}, "name": {"costcenter"}, "source": {"mail"}},
		"at character": {"do": {"claim"}, "name": {"x"}, "expression": {"Join("}}, "cannot be made of": {"do": {"nameid"}, "attribute": {"jobTitle"}}, "signing option": {"do": {"signing"}, "signing": {"none"}},
	} {
		admin.does(app+"/claims", form, want)
	}

	// A certificate is rolled over.
	page := admin.does(app+"/certificates", url.Values{"do": {"new"}}, "A new certificate is there")
	thumbprints := regexp.MustCompile(`name="thumbprint" value="([0-9A-F]{40})"`).FindStringSubmatch(page)
	if thumbprints == nil {
		t.Fatalf("the new certificate is not on the page: %s", page)
	}
	before := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response())[1]
	admin.does(app+"/certificates", url.Values{"do": {"activate"}, "thumbprint": thumbprints[1:2]}, "The certificate is active")
	if after := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response())[1]; after == before {
		t.Error("the old certificate still signs")
	}
	admin.does(app+"/certificates", url.Values{"do": {"delete"}, "thumbprint": thumbprints[1:2]}, "make another one active first")
	// Once the active certificate has expired, another valid one signs.
	e.forward(4 * 365 * 24 * 3600e9)
	admin = administrator(t, d, d.Tenant.URL+"/admin")
	admin.does(app+"/certificates", url.Values{"do": {"new"}}, "A new certificate is there")
	if after := regexp.MustCompile(`<X509Certificate>([^<]+)<`).FindStringSubmatch(response()); after == nil || after[1] == before {
		t.Errorf("no other certificate signs: %v", after)
	}
}
