package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

func TestTheTenantsTokens(t *testing.T) {
	t.Parallel()
	at := tenanttest.Serve(t)
	client, err := at.CreateClient(context.Background(), audit.SystemActor, "test")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(form url.Values) (int, map[string]any) {
		res, err := http.PostForm(at.TokenURL(), form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		var body map[string]any
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, body
	}
	good := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {string(client.ID)},
		"client_secret": {client.Secret.Reveal()},
		"scope":         {"https://graph.microsoft.com/.default"},
	}
	status, body := ask(good)
	token, _ := body["access_token"].(string)
	if status != http.StatusOK || body["token_type"] != "Bearer" || body["expires_in"] != 3599.0 {
		t.Fatalf("%d %v", status, body)
	}
	for name, c := range map[string]struct {
		key, value, code string
		number           float64
	}{
		"a wrong secret":   {"client_secret", "wrong", "invalid_client", 7000215},
		"another client":   {"client_id", "00000000-0000-0000-0000-000000000000", "unauthorized_client", 700016},
		"another grant":    {"grant_type", "password", "unsupported_grant_type", 70003},
		"another scope":    {"scope", "https://graph.microsoft.com/User.Read", "invalid_scope", 1002012},
		"another resource": {"scope", "https://vault.azure.net/.default", "invalid_resource", 500011},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		form.Set(c.key, c.value)
		status, body := ask(form)
		numbers, _ := body["error_codes"].([]any)
		if status < 400 || body["error"] != c.code || len(numbers) != 1 || numbers[0] != c.number ||
			!strings.HasPrefix(fmt.Sprint(body["error_description"]), fmt.Sprintf("AADSTS%.0f: ", c.number)) {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	header, payload, _ := strings.Cut(token, ".")
	for name, bearer := range map[string]string{
		"none":            "",
		"garbage":         "x.y.z",
		"a changed token": header + "." + "A" + payload,
		"no signature":    token[:strings.LastIndex(token, ".")+1],
	} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, at.GraphURL()+"/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), "InvalidAuthenticationToken") {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
}
