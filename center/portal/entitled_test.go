package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAnExistingRoleIsOpenedByWhoIsEntitled: it stands beside permission sets, is found, opens in
// the console and gives keys, without a profile that would not work.
func TestAnExistingRoleIsOpenedByWhoIsEntitled(t *testing.T) {
	t.Parallel()
	s, v, ada := newPortal(t)
	const role = "arn:aws:iam::222233334444:role/ops/Reader"
	keys := func(v webtest.Visitor, role string) (int, string) {
		return v.Send(http.MethodPost, s.URL+"/start/roles/credentials", url.Values{"role": {role}})
	}
	if page := v.Get(s.PortalURL()); strings.Contains(page, "Existing roles") {
		t.Errorf("before: %s", page)
	}
	if status, page := keys(v, role); status != http.StatusForbidden {
		t.Errorf("before: %d %s", status, page)
	}
	s.Entitled(ada, role)
	for query, found := range map[string]bool{
		"": true, "?q=reader": true, "?q=222233334444": true, "?q=builder": false,
	} {
		if page := v.Get(s.PortalURL() + query); strings.Contains(page, role) != found {
			t.Errorf("%q: found is %v on %s", query, !found, page)
		}
	}
	status, page := keys(v, role)
	if status != http.StatusOK || !strings.Contains(page, "[222233334444_Reader]") ||
		!strings.Contains(page, "aws login") || strings.Contains(page, "sso_role_name") {
		t.Errorf("keys: %d %s", status, page)
	}
	console := s.URL + "/start/console?account_id=222233334444&role_name=" + url.QueryEscape(role)
	if status, page = v.Send(http.MethodGet, console, nil); status != http.StatusOK ||
		!strings.Contains(page, "SAMLResponse") {
		t.Errorf("the console: %d %s", status, page)
	}
	for _, other := range []string{strings.Replace(role, "Reader", "Writer", 1), "Builder", ""} {
		if status, page := keys(v, other); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", other, status, page)
		}
	}
	if _, page := keys(s.Visitor(), role); strings.Contains(page, "AWS_SESSION_TOKEN") {
		t.Errorf("a stranger is shown %s", page)
	}
}

// TestAnAccountSaysWhatItIsFor: in the list, where a role is opened, in the link to it and in the
// configuration; to those who have a role there, and nobody else.
func TestAnAccountSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	s, v, ada := newPortal(t)
	const role = "arn:aws:iam::222233334444:role/ops/Reader"
	s.Entitled(ada, role)
	for account, name := range map[string]string{"111122223333": "Live & kicking", "222233334444": "Staging"} {
		if err := s.PutAccountLabel(t.Context(), centertest.Actor, center.AccountLabel{
			Place: center.Place{AccountID: account}, Environment: name, Color: "red",
		}); err != nil {
			t.Fatal(err)
		}
	}
	const badge = `class="badge environment red" title="Environment">`
	page := v.Get(s.PortalURL())
	for _, name := range []string{"Live &amp; kicking", "Staging"} {
		if !strings.Contains(page, badge+name+"<") {
			t.Errorf("no %q on %s", name, page)
		}
	}
	for path, name := range map[string]string{
		"/start/link?account_id=111122223333&role_name=Builder":                     "Live &amp; kicking",
		"/start/console?account_id=111122223333&role_name=Builder":                  "Live &amp; kicking",
		"/start/console?account_id=222233334444&role_name=" + url.QueryEscape(role): "Staging",
		"/start/link?account_id=222233334444&role_name=" + url.QueryEscape(role):    "Staging",
	} {
		if page := v.Get(s.URL + path); !strings.Contains(page, badge+name+"<") {
			t.Errorf("%s: no %q on %s", path, name, page)
		}
	}
	_, page = v.Send(http.MethodPost, s.URL+"/start/accounts/111122223333/roles/Builder/credentials", url.Values{})
	if !strings.Contains(page, badge) || !strings.Contains(page, "# environment: Live &amp; kicking (red)") {
		t.Errorf("access keys: %s", page)
	}
	config := v.Get(s.URL + "/start/config")
	if !strings.Contains(config, "]\n# environment: Live & kicking (red)\nsso_session") {
		t.Errorf("the configuration is %s", config)
	}
	if err := s.PutAccount(t.Context(), centertest.Actor, center.Account{ID: "333344445555", Name: "X"}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutAccountLabel(t.Context(), centertest.Actor, center.AccountLabel{
		Place: center.Place{AccountID: "333344445555"}, Environment: "Secret",
	}); err != nil {
		t.Fatal(err)
	}
	page = v.Get(s.URL + "/start/link?account_id=333344445555&role_name=Builder")
	if strings.Contains(page, "Secret") {
		t.Errorf("somebody without a role is told: %s", page)
	}
}
