package samlidp_test

import (
	"encoding/base64"
	"encoding/pem"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/internal/realsp"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// registered is an application of the tenant's for a real service provider.
type registered struct {
	pairtest.Ends
	id, appID, principal string
}

// register makes an application as programs do, and assigns it to a person.
func register(t *testing.T, e pairtest.Ends, person string) registered {
	t.Helper()
	var app struct{ ID, AppID string }
	e.Change(http.MethodPost, "/applications", map[string]any{"displayName": "Wiki", "appRoles": []any{}}, &app)
	var principal struct{ ID string }
	e.Change(http.MethodPost, "/servicePrincipals", map[string]any{
		"appId": app.AppID, "preferredSingleSignOnMode": "saml",
	}, &principal)
	var certificate struct{ Thumbprint string }
	e.Change(http.MethodPost, "/servicePrincipals/"+principal.ID+"/addTokenSigningCertificate", map[string]any{
		"displayName": "CN=Wiki",
	}, &certificate)
	e.Change(http.MethodPatch, "/servicePrincipals/"+principal.ID, map[string]any{
		"preferredTokenSigningKeyThumbprint": certificate.Thumbprint,
	}, nil)
	e.Change(http.MethodPost, "/servicePrincipals/"+principal.ID+"/appRoleAssignedTo", map[string]any{
		"principalId": e.User(person).ID, "resourceId": principal.ID,
		"appRoleId": "00000000-0000-0000-0000-000000000000",
	}, nil)
	return registered{e, app.ID, app.AppID, principal.ID}
}

// TestRealApplicationsOfTheTenant: SimpleSAMLphp and mod_auth_mellon sign people in at the tenant,
// by plain and by encrypted assertions, and sign them out again; none takes a response that was
// tampered with.
func TestRealApplicationsOfTheTenant(t *testing.T) {
	t.Parallel()
	const mei = "mei.tanaka@northwind.example"
	for name, c := range map[string]struct {
		realsp.Kind
		encrypted bool
		signing   string
	}{
		"SimpleSAMLphp":                       {realsp.SimpleSAMLphp, false, ""},
		"SimpleSAMLphp, encrypted":            {realsp.SimpleSAMLphp, true, "both"},
		"mod_auth_mellon":                     {realsp.Mellon, false, "both"},
		"mod_auth_mellon, encrypted":          {realsp.Mellon, true, ""},
		"mod_auth_mellon, encrypted response": {realsp.Mellon, true, "response"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pairtest.Start(t, gatehousetest.Unconnected())
			a := register(t, e, mei)
			browser := webtest.New(t, nil)
			p := realsp.Start(t, c.Kind, realsp.Options{
				Issuer: "https://sts.windows.net/" + e.Tenant.TenantID + "/",
				Metadata: browser.Get(e.Tenant.URL + "/" + e.Tenant.TenantID +
					"/federationmetadata/2007-06/federationmetadata.xml?appid=" + a.appID),
				Signs: true, Encrypted: c.encrypted,
			})
			a.trust(p, c.encrypted, c.signing)
			acs, form := e.Response(browser, p.Private, mei)
			plain, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
			if err != nil || strings.Contains(string(plain), "<EncryptedAssertion") != c.encrypted ||
				strings.Contains(string(plain), mei) == c.encrypted {
				t.Fatalf("the response: %v %s", err, plain)
			}
			arrives := func(v webtest.Visitor, form url.Values) (bool, webtest.Page) {
				got := v.Do(http.MethodPost, acs, form)
				if got.Status == http.StatusOK {
					got = v.Do(http.MethodGet, p.Private, nil)
				}
				known := got.Header.Get("X-Mail") == mei || strings.Contains(got.Text, mei)
				return known && got.URL.Host == strings.TrimPrefix(p.Base, "http://"), got
			}
			for what, twin := range twins(string(plain)) {
				if what == "unsigned" && c.encrypted && c.signing == "both" {
					continue // the signature that is left is encrypted with the assertion
				}
				other := url.Values{
					"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(twin))},
					"RelayState":   form["RelayState"],
				}
				stranger := webtest.New(t, nil)
				if ok, got := arrives(stranger, other); ok {
					t.Errorf("%s: %d %s", what, got.Status, got.Text)
				}
			}
			if ok, got := arrives(browser, form); !ok {
				t.Fatalf("the sign-in: %d %v %s\n%s", got.Status, got.Header, got.Text, plain)
			}
			// Entra's answer has another issuer than its assertions, which SimpleSAMLphp looks
			// past and mod_auth_mellon refuses; the person is signed out all the same.
			want := map[string]int{"SimpleSAMLphp": http.StatusOK, "mod_auth_mellon": http.StatusBadRequest}[c.Name]
			if out := browser.Do(http.MethodGet, p.SignOut, nil); out.Status != want {
				t.Errorf("the sign-out: %d %s %s", out.Status, out.URL, out.Text)
			}
			if again := browser.Do(http.MethodGet, p.Private, nil); !strings.Contains(again.Text, `name="loginfmt"`) {
				t.Errorf("after the sign-out: %s %s", again.URL, again.Text)
			}
		})
	}
}

// trust tells the tenant what the service provider's metadata says.
func (a registered) trust(p *realsp.Program, encrypted bool, signing string) {
	a.T.Helper()
	sp, err := saml.ParseServiceProvider([]byte(p.Metadata))
	if err != nil {
		a.T.Fatal(err)
	}
	object := "/applications/" + a.id
	a.Change(http.MethodPatch, object, map[string]any{
		"identifierUris": []string{sp.EntityID},
		"web":            map[string]any{"redirectUris": sp.ACSURLs, "logoutUrl": signOutURL(a.T, p.Metadata)},
	}, nil)
	if encrypted {
		const key = "0d1f2a3b-0000-4000-8000-000000000001"
		block, _ := pem.Decode(p.Certificate)
		a.Change(http.MethodPatch, object, map[string]any{"keyCredentials": []any{map[string]any{
			"usage": "Encrypt", "type": "AsymmetricX509Cert", "keyId": key, "key": block.Bytes,
		}}}, nil)
		a.Change(http.MethodPatch, object, map[string]any{"tokenEncryptionKeyId": key}, nil)
	}
	a.TenantAdministrator().Does(
		a.Tenant.URL+"/admin/apps/"+a.id+"/saml/claims", url.Values{"do": {"signing"}, "signing": {signing}},
		"The SAML settings are saved",
	)
}

// signOutURL is where the service provider takes the answer to its request for a sign-out.
func signOutURL(t testing.TB, metadata string) string {
	t.Helper()
	service := regexp.MustCompile(`SingleLogoutService[^>]*HTTP-Redirect"[^>]*?Location="([^"]+)"`)
	return webtest.Match(t, metadata, service)
}

// twins are a response as somebody on the way could change it.
func twins(response string) map[string]string {
	list := map[string]string{
		"unsigned":     regexp.MustCompile(`(?s)<Signature .*?</Signature>`).ReplaceAllString(response, ""),
		"another name": strings.ReplaceAll(response, "mei.tanaka@", "elena.popescu@"),
		"no end":       regexp.MustCompile(`NotOnOrAfter="2`).ReplaceAllString(response, `NotOnOrAfter="3`),
	}
	if strings.Contains(response, "<EncryptedAssertion") {
		parts := strings.Split(response, "CipherValue>") // the key's and the data's are the second and the fourth
		for name, i := range map[string]int{"another key": 1, "other data": 3} {
			changed := slices.Clone(parts)
			letter := map[bool]string{true: "B", false: "A"}[changed[i][100] == 'A']
			changed[i] = changed[i][:100] + letter + changed[i][101:]
			list[name] = strings.Join(changed, "CipherValue>")
		}
	}
	maps.DeleteFunc(list, func(_, twin string) bool { return twin == response })
	return list
}
