package login_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestASecondFactorIsDemanded of everybody, or of people with a directory role: whoever has none
// gets nowhere until they have registered one.
func TestASecondFactorIsDemanded(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	ctx := context.Background()
	const grace, joe = "grace@northwind.example", "joe@northwind.example"
	u := s.NewPerson(grace)
	s.NewPerson(joe)
	if _, err := s.AssignRole(ctx, tenanttest.Actor, u.ID, tenant.GlobalReader); err != nil {
		t.Fatal(err)
	}
	enter := func(name string) (webtest.Visitor, webtest.Page) {
		v := s.Visitor()
		form := url.Values{"loginfmt": {name}, "passwd": {tenanttest.Password}, "return": {"/myapps"}}
		return v, v.Do(http.MethodPost, s.URL+"/login", form)
	}
	demand := func(d tenant.Demand) {
		t.Helper()
		if err := s.SetSecurityDefaults(ctx, tenanttest.Actor, tenant.SecurityDefaults{Factor: d}); err != nil {
			t.Fatal(err)
		}
	}
	const asked = "requires a second method"
	demand(tenant.DemandAdministrators)
	if _, page := enter(joe); page.URL.Path != "/myapps" {
		t.Errorf("somebody without a role is led to %s", page.URL)
	}
	v, page := enter(grace)
	if page.URL.Path != "/security-info" || !strings.Contains(page.Text, asked) {
		t.Fatalf("somebody with a role is led to %s: %s", page.URL, page.Text)
	}
	for _, path := range []string{"/myapps", "/devicelogin"} {
		if page := v.Do(http.MethodGet, s.URL+path, nil); page.URL.Path != "/security-info" {
			t.Errorf("%s is open without a second factor", path)
		}
	}
	admin := s.Visitor()
	_, text := admin.Send(http.MethodPost, s.URL+"/admin/login",
		url.Values{"username": {grace}, "password": {tenanttest.Password}})
	if !strings.Contains(text, "must register a second factor") {
		t.Errorf("the admin center without a second factor: %s", text)
	}
	secret := strings.ReplaceAll(
		webtest.Match(t, page.Text, regexp.MustCompile(`<code id="secret">([^<]+)</code>`)), " ", "",
	)
	ticket := webtest.Match(t, page.Text, regexp.MustCompile(`value="app">\s*<input[^>]*name="ticket" value="([^"]+)"`))
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"do": {"app"}, "ticket": {ticket}, "code": {code}}
	if page := v.Do(http.MethodPost, page.URL.String(), form); page.URL.Path != "/myapps" {
		t.Errorf("with the second factor it goes on to %s: %s", page.URL, page.Text)
	}

	demand(tenant.DemandEverybody)
	if _, page := enter(joe); page.URL.Path != "/security-info" {
		t.Errorf("security defaults: somebody without a role is led to %s", page.URL)
	}
	demand(tenant.DemandNobody)
	if _, page := enter(joe); page.URL.Path != "/myapps" {
		t.Errorf("without a demand they are led to %s", page.URL)
	}
}
