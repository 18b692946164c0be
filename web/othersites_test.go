package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

func TestPagesResistOtherSites(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	admin := e.Administrator()
	req, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, e.Center.URL+"/console/accounts",
		strings.NewReader("id=999999999999&name=Evil"),
	)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := admin.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a cross-site POST was answered with %d", res.StatusCode)
	}
	status, page := admin.Send(http.MethodGet, e.Center.URL+"/console/accounts", nil)
	if status != http.StatusOK || strings.Contains(page, "Evil") {
		t.Error("the cross-site POST had its way")
	}
	for _, address := range []string{e.Center.ConsoleURL, e.Center.PortalURL, e.Tenant.AdminCenterURL} {
		res, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") ||
			!strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", address, csp)
		}
	}
	status, _ = webtest.New(t, nil).Send(http.MethodGet, e.Center.URL+"/console/users", nil)
	if status != http.StatusOK {
		t.Errorf("without a session: %d, want the sign-in page", status)
	}
	// Nothing tells a name that exists from one that does not.
	attempt := func(name, password string) (int, string) {
		form := url.Values{"username": {name}, "password": {password}}
		return webtest.New(t, nil).Send(http.MethodPost, e.Center.URL+"/console/login", form)
	}
	for range 7 {
		status, page = attempt(e.Pair.Admin.UserName, "wrong")
		otherStatus, otherPage := attempt("nobody", "wrong")
		if status != http.StatusUnauthorized || status != otherStatus || page != otherPage {
			t.Fatalf("%d for a name that exists, %d for one that does not, or the pages differ", status, otherStatus)
		}
	}
}

// TestAnAddressOfTheOtherSiteLeadsThere: to the tenant by which people sign in, and nowhere else.
func TestAnAddressOfTheOtherSiteLeadsThere(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v := webtest.New(t, nil)
	for path, want := range map[string]string{
		"/admin/users":                  e.Tenant.URL + "/admin/users",
		"/admin/users?return=//evil":    e.Tenant.URL + "/admin/users",
		"/admin/%2e%2e//evil.example/":  e.Tenant.URL + "/admin/",
		"/admin@evil.example/":          e.Tenant.URL + "/admin@evil.example/",
		"/login/%22%3E%3Cscript%3Ex%3C": e.Tenant.URL + "/login/%22%3E%3Cscript%3Ex%3C",
		"/nothing":                      "",
	} {
		page := v.Do(http.MethodGet, e.Center.URL+path, nil, "Accept: text/html,application/xhtml+xml")
		_, link, _ := strings.Cut(page.Text, `<a class="button" href="`)
		link, _, _ = strings.Cut(link, `"`)
		if page.Status != http.StatusNotFound || !strings.HasPrefix(link, want) ||
			want == "" && link != "/start" {
			t.Errorf("%s: %d, leads to %q, want %q", path, page.Status, link, want)
		}
	}
	sent := v.Do(http.MethodPost, e.Center.URL+"/admin/users", nil, "Accept: text/html,application/xhtml+xml")
	if strings.Contains(sent.Text, e.Tenant.URL) {
		t.Errorf("what is posted leads on: %s", sent.Text)
	}
}
