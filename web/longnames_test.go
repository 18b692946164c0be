package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestLongNamesAreRefusedAtTheDoor sends names of 1 MB to every form that a stranger can reach.
func TestLongNamesAreRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	for _, form := range []struct{ address, field string }{
		{e.Center.URL + "/platform/login", "username"}, {e.Center.URL + "/platform/forgot", "username"},
		{e.Center.URL + "/console/login", "username"}, {e.Center.URL + "/platform/login/code", "code"},
		{e.Tenant.URL + "/login", "loginfmt"}, {e.Tenant.URL + "/admin/login", "username"},
		{e.Tenant.URL + "/common/oauth2/v2.0/token", "client_id"},
		{e.Tenant.URL + "/common/oauth2/v2.0/devicecode", "client_id"},
		{e.Center.URL + "/platform/saml/acs/x", "SAMLResponse"},
	} {
		body := form.field + "=" + strings.Repeat("x", 1<<20)
		for _, length := range []int64{int64(len(body)), -1} {
			req, err := http.NewRequestWithContext(
				t.Context(),
				http.MethodPost,
				form.address,
				io.MultiReader(strings.NewReader(body)),
			)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				if strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "reset") {
					continue // it was cut off while it was sent
				}
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode < 400 || res.StatusCode >= 500 || len(answer) > 16<<10 {
				t.Errorf(
					"%s with length %d was answered with %d, %d bytes",
					form.address,
					length,
					res.StatusCode,
					len(answer),
				)
			}
		}
	}
}
