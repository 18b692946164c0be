package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestNoRequestToAWSEndsInAPage: whoever mistakes a tenant for AWS is told so in AWS's form, since
// a verifier of identities takes any 200 for a yes.
func TestNoRequestToAWSEndsInAPage(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	for _, path := range []string{
		"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=00", "/", "/v1.0/users", "/admin", "/login",
		"/nowhere",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
			res, err := s.HTTP.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if kind := res.Header.Get("Content-Type"); res.StatusCode < 400 || !strings.Contains(kind, "xml") {
				t.Errorf("%s %s: %d %s", method, path, res.StatusCode, kind)
			}
		}
	}
}
