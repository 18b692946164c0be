package admincenter_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// atFault finds the field that a page says is wrong, and where the focus is.
var atFault = regexp.MustCompile(`<(?:input|textarea|select) name="(\w+)"[^>]*aria-invalid="true"[^>]*autofocus`)

// TestTheFieldThatIsWrongIsSaid: in forms with several, whatever the rule calls it.
func TestTheFieldThatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	at, v := e.Tenant.URL, e.TenantAdministrator()
	const mei = "mei.tanaka@northwind.example"
	long := strings.Repeat("x", 300)
	const users = "/admin/users"
	user, app := users+"/"+e.User(mei).ID, "/admin/apps/"+e.Tenant.ApplicationID
	person := func(field, value string) url.Values {
		form := url.Values{"upn": {"linus@northwind.example"}, "display": {"Linus"}, "given": {""}, "surname": {""},
			"mail": {""}, "title": {""}, "department": {""}, "password": {"a long password"}}
		form.Set(field, value)
		return form
	}
	_, hidden := v.Form(v.Get(at+"/admin/clients"), "seen")
	target := regexp.MustCompile(`name="url" value="([^"]+)"`).FindStringSubmatch(v.Get(at + app + "/provisioning"))[1]
	for _, x := range []struct {
		page, path, field string
		form              url.Values
	}{
		{users, users, "upn", person("upn", "linus@nowhere@nowhere")},
		{users, users, "upn", person("upn", mei)},
		{users, users, "display", person("display", "")},
		{users, users, "given", person("given", long)},
		{users, users, "title", person("title", long)},
		{users, users, "password", person("password", "short")},
		{user, user, "title", url.Values{"upn": {mei}, "display": {"Mei"}, "title": {long}}},
		{"/admin/groups", "/admin/groups", "display", url.Values{"display": {long}, "description": {"x"}}},
		{"/admin/groups", "/admin/groups", "description", url.Values{
			"display": {"x"}, "description": {strings.Repeat("x", 1025)}}},
		{"/admin/clients", "/admin/clients", "name", url.Values{"name": {long}, "certificate": {""}, "redirect": {""}}},
		{"/admin/clients", "/admin/clients", "certificate", url.Values{
			"name": {"x"}, "certificate": {"none"}, "redirect": {""}}},
		{"/admin/clients", "/admin/clients", "redirect", url.Values{
			"name": {"x"}, "certificate": {""}, "public": {"true"}, "redirect": {"ftp://x"}}},
		{app + "/saml", app + "/saml", "replies", url.Values{
			"identifier": {"urn:x"}, "replies": {"http://x.example"}, "signon": {""}}},
		{app + "/saml", app + "/saml", "signon", url.Values{
			"identifier": {"urn:x"}, "replies": {"https://x.example"}, "signon": {"ftp://x"}}},
		{app + "/provisioning", app + "/provisioning", "url", url.Values{
			"url": {"ftp://x"}, "token": {"secret"}, "email": {""}, "do": {"save"}}},
		{app + "/provisioning", app + "/provisioning", "email", url.Values{
			"url": {target}, "token": {""}, "email": {"nobody"}, "do": {"save"}}},
		{app + "/provisioning", app + "/provisioning", "threshold", url.Values{
			"url": {target}, "token": {""}, "email": {""}, "do": {"save"},
			"prevent": {"true"}, "threshold": {"many"}}},
	} {
		if x.path == "/admin/clients" {
			x.form.Set("seen", hidden.Get("seen"))
		}
		page := v.Do(http.MethodPost, at+x.path, x.form, "Referer: "+at+x.page)
		found := atFault.FindStringSubmatch(page.Text)
		if page.Status < 400 || page.Status > 499 || found == nil || found[1] != x.field {
			says := strings.Index(page.Text, `role="alert"`)
			t.Errorf("%s of %s: %d, found %v: %.300s", x.field, x.path, page.Status, found, page.Text[max(says, 0):])
		}
	}
}
