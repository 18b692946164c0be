package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

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
