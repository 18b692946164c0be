package login_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAPersonRegistersASecondFactor by the security page: it is asked for at the next sign-in,
// until it is deleted.
func TestAPersonRegistersASecondFactor(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	const name = "grace@northwind.example"
	s.NewPerson(name)
	security := s.URL + "/security-info"
	enter := func(password string) (webtest.Visitor, webtest.Page) {
		v := s.Visitor()
		form := url.Values{"loginfmt": {name}, "passwd": {password}, "return": {"/security-info"}}
		return v, v.Do(http.MethodPost, s.URL+"/login", form)
	}
	if _, page := enter("wrong"); page.Status != http.StatusUnauthorized ||
		!strings.Contains(page.Text, `name="passwd"`) {
		t.Errorf("a wrong password: %d %s", page.Status, page.Text)
	}
	v, page := enter(tenanttest.Password)
	if !strings.Contains(page.Text, "<h1>Security info</h1>") {
		t.Fatalf("the password alone leads to %s", page.Text)
	}
	secret := strings.ReplaceAll(
		webtest.Match(t, page.Text, regexp.MustCompile(`<code id="secret">([^<]+)</code>`)), " ", "",
	)
	ticket := webtest.Match(t, page.Text, regexp.MustCompile(`value="app">\s*<input[^>]*name="ticket" value="([^"]+)"`))
	code := func(ahead time.Duration) string {
		code, err := totp.GenerateCode(secret, time.Now().Add(ahead))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	form := url.Values{"do": {"app"}, "ticket": {ticket}, "code": {"000000"}}
	if status, page := v.Send(http.MethodPost, security, form); status != http.StatusBadRequest ||
		!strings.Contains(page, "That did not work") {
		t.Errorf("a wrong code registers an app: %d %s", status, page)
	}
	form.Set("code", code(0))
	v.Does(security, form, "Delete the authenticator app")
	key := url.Values{"do": {"key"}, "ticket": {"x"}, "response": {"{}"}, "name": {"Key"}}
	if status, _ := v.Send(http.MethodPost, security, key); status != http.StatusBadRequest {
		t.Errorf("a key without a key: %d", status)
	}

	second, page := enter(tenanttest.Password)
	action, form := second.Form(page.Text, "ticket")
	if action != "/login/factor" || second.Do(http.MethodGet, security, nil).URL.Path == "/security-info" {
		t.Fatalf("the password alone opens %s with %s", security, page.Text)
	}
	form.Set("code", "000000")
	if status, page := second.Send(http.MethodPost, s.URL+action, form); status != http.StatusUnauthorized ||
		!strings.Contains(page, "Verify your identity") {
		t.Errorf("a wrong code: %d %s", status, page)
	}
	form.Set("code", code(30*time.Second))
	second.Does(s.URL+action, form, "<h1>Security info</h1>")

	v.Does(security, url.Values{"do": {"delete"}}, "<h1>Security info</h1>")
	if _, page := enter(tenanttest.Password); !strings.Contains(page.Text, "<h1>Security info</h1>") {
		t.Errorf("after the app is deleted: %s", page.Text)
	}
	v.Send(http.MethodPost, s.URL+"/logout", nil)
	if page := v.Do(http.MethodGet, security, nil); strings.Contains(page.Text, "<h1>Security info</h1>") {
		t.Error("signing out ends nothing")
	}
}
