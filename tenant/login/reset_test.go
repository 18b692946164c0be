package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestResettingAPasswordSignsOut: at the tenant whoever was signed in has to sign in again, with
// the new password.
func TestResettingAPasswordSignsOut(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const name = "mei.tanaka@northwind.example"
	mei := e.Tenant.URL + "/admin/users/" + e.User(name).ID
	admin := e.TenantAdministrator()
	v := webtest.New(t, nil)
	signedIn := func() bool {
		t.Helper()
		_, page := v.Send(http.MethodGet, e.Tenant.URL+"/myapps", nil)
		return !strings.Contains(page, "loginfmt")
	}
	signIn := func(password string) {
		t.Helper()
		v.Send(
			http.MethodPost, e.Tenant.URL+"/login",
			url.Values{"loginfmt": {name}, "passwd": {password}, "return": {"/myapps"}},
		)
	}
	if signIn(e.People[0].Password); !signedIn() {
		t.Fatal("nobody is signed in")
	}
	admin.Does(mei+"/password", url.Values{"password": {"short"}}, "8 to 256 characters")
	if !signedIn() {
		t.Error("a password that is refused signs out")
	}
	admin.Does(mei+"/password", url.Values{"password": {"another long password"}}, "The password is set.")
	if signedIn() {
		t.Error("still signed in after the reset")
	}
	if signIn(e.People[0].Password); signedIn() {
		t.Error("the old password is good")
	}
	if signIn("another long password"); !signedIn() {
		t.Error("the new password is not good")
	}
	admin.Does(mei+"/revoke", nil, "All sessions and the refresh tokens of programs are revoked")
	if signedIn() {
		t.Error("still signed in after the sessions were revoked")
	}
}
