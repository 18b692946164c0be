package samlidp_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/internal/realsp"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestRealApplicationsSignPeopleIn: their own metadata is uploaded, they ask and are answered, and
// the portal opens them. Who is not assigned stays out.
func TestRealApplicationsSignPeopleIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		realsp.Kind
		signs bool
		shows string
	}{
		"SimpleSAMLphp":              {realsp.SimpleSAMLphp, false, "lovelace@example.com"},
		"SimpleSAMLphp, which signs": {realsp.SimpleSAMLphp, true, "lovelace@example.com"},
		"mod_auth_mellon":            {realsp.Mellon, true, "who is signed in sees this"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t)
			p := realsp.Start(t, c.Kind, realsp.Options{
				Issuer:   a.identityProvider().EntityID,
				Metadata: webtest.New(t, nil).Get(a.URL + "/saml/metadata/" + a.id),
				Signs:    c.signs,
			})
			address := p.Private
			if page := uploadTo(t, a.admin, a.page+"/saml", p.Metadata); !strings.Contains(page, "settings are saved") {
				t.Fatalf("its metadata: %s\n%s", page, p.Metadata)
			}
			const saved = "The SAML settings are saved."
			a.admin.Does(a.page+"/saml/mapping", url.Values{
				"name": {"mail"}, "value": {"${user:email}"}, "format": {"basic"},
			}, saved)
			a.admin.Does(a.page+"/saml/response", url.Values{"minutes": {"60"}, "relaystate": {address}}, saved)

			v := a.Visitor()
			page := v.Do(http.MethodGet, address, nil)
			if !strings.Contains(page.Text, `name="password"`) {
				t.Fatalf("the center does not ask: %s %s", page.URL, page.Text)
			}
			_, text := v.Send(http.MethodPost, a.URL+"/platform/login", url.Values{
				"username": {"ada@example.com"}, "password": {centertest.Password},
				"return": {page.URL.Query().Get("return")},
			})
			a.arrives(v, text, c.shows)

			again := a.SignIn("ada@example.com") // who opens the application in the portal
			opened := again.Get(a.URL + "/saml/assertion/" + a.id)
			action, form := again.Form(opened, "SAMLResponse")
			plain, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
			if err != nil {
				t.Fatal(err)
			}
			twin := strings.Replace(string(plain), "lovelace@", "eve@", 1)
			form.Set("SAMLResponse", base64.StdEncoding.EncodeToString([]byte(twin)))
			if got := a.Visitor().Do(http.MethodPost, action, form); strings.Contains(got.Text, c.shows) ||
				strings.Contains(got.Text, "eve@") || twin == string(plain) {
				t.Errorf("a response that was tampered with: %d %s", got.Status, got.Text)
			}
			a.arrives(again, opened, c.shows)

			a.NewPerson("eve")
			if eve := a.SignIn("eve").Do(http.MethodGet, address, nil); eve.Status != http.StatusForbidden ||
				!strings.Contains(eve.Text, "not assigned to you") {
				t.Errorf("who is not assigned: %d %s", eve.Status, eve.Text)
			}
		})
	}
}

// arrives sends a response on and wants what only people see who are signed in.
func (a application) arrives(v webtest.Visitor, page, shows string) {
	a.t.Helper()
	action, form := v.Form(page, "SAMLResponse")
	got := v.Do(http.MethodPost, action, form)
	name, mail := got.Header.Get("X-Name"), got.Header.Get("X-Mail") // of Apache
	if got.Status != http.StatusOK || !strings.Contains(got.Text, shows) ||
		name+mail != "" && (name != "ada@example.com" || mail != "lovelace@example.com") {
		a.t.Fatalf("at %s: %d %v %s", action, got.Status, got.Header, got.Text)
	}
}

func uploadTo(t *testing.T, v webtest.Visitor, address, file string) string {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "metadata.xml")
	if err == nil {
		_, err = io.WriteString(part, file)
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
