package sso_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestUnknownInputOfThePortalAPIs: the doors of `aws sso login` and of what it is for.
func TestUnknownInputOfThePortalAPIs(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v := webtest.New(t, nil)
	refused := func(what string, r *http.Request, words ...string) {
		t.Helper()
		res, err := v.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), word) {
				t.Errorf("%s: %d %s, want 400 and %q", what, res.StatusCode, text, word)
			}
		}
	}
	request := func(method, path, body string) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, e.Center.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Header.Set("X-Amz-Sso_bearer_token", "x")
		return r
	}
	for path, body := range map[string]string{
		"/client/register": `{"clientName":"x","clientType":"public",
			"applicationArn":"arn:aws:sso::1:application/x"}`,
		"/device_authorization": `{"clientId":"x","clientSecret":"y","startUrl":"z","userHint":"w"}`,
		"/token":                `{"clientId":"x","clientSecret":"y","grantType":"refresh_token","dpop":"z"}`,
	} {
		refused(path, request(http.MethodPost, path, body), "invalid_request", "is not known")
	}
	refused("a name twice", request(http.MethodPost, "/token", `{"grantType":"a","grantType":"b"}`), "invalid_request")
	for path, want := range map[string]string{
		"GET /assignment/accounts?max_results=1":                                    "max_results",
		"GET /assignment/roles?account_id=111122223333&role=x":                      "role",
		"GET /federation/credentials?account_id=1&role_name=x&duration_seconds=900": "duration_seconds",
		"GET /federation/credentials?account_id=1&account_id=2&role_name=x":         "duplicate parameter: account_id",
		"GET /federation/credentials?account_id=1&role_name=%zz":                    "cannot be read",
		"POST /logout?everywhere=true":                                              "everywhere",
	} {
		method, path, _ := strings.Cut(path, " ")
		refused(path, request(method, path, ""), "InvalidRequestException", want)
	}
}
