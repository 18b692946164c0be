package ssooidc_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestParametersThatChangeTheMeaningAreRefused: what is there twice, and what this door does not
// do.
func TestParametersThatChangeTheMeaningAreRefused(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.signIn()
	good := func() url.Values {
		return url.Values{"client_id": {d.id}, "redirect_uri": {"http://127.0.0.1:7/cb"}, "state": {"s"},
			"response_type": {"code"}, "scopes": {"sso:account:access"}, "code_challenge_method": {"S256"},
			"code_challenge": {challengeOf("a-verifier-which-is-longer-than-forty-three-characters")}}
	}
	harmless := good()
	for name, value := range map[string]string{
		"unknown":       "x",
		"response_mode": "query",
		"prompt":        "consent",
		"resource":      "",
	} {
		harmless.Set(name, value)
	}
	if status, body, to := d.page(http.MethodGet, "/authorize?"+harmless.Encode(), nil); status != http.StatusOK {
		t.Fatalf("a good request: %d %s %s", status, to, body)
	}
	for _, c := range []struct{ name, value, want string }{
		{"state", "other", "invalid_request"},
		{"scopes", "sso:account:access", "invalid_request"},
		{"code_challenge", "other", "invalid_request"},
		{"unknown=x&unknown", "y", "invalid_request"},
		{"scope", "sso:account:access", "invalid_request"},
		{"response_mode", "form_post", "invalid_request"},
		{"response_mode", "fragment", "invalid_request"},
		{"prompt", "none", "invalid_request"},
		{"prompt", "login", "invalid_request"},
		{"max_age", "0", "invalid_request"},
		{"resource", "https://other.example", "invalid_request"},
		{"request", "e30.e30.", "request_not_supported"},
		{"request_uri", "https://other.example", "request_uri_not_supported"},
		{"registration", "{}", "registration_not_supported"},
	} {
		q := good().Encode() + "&" + c.name + "=" + url.QueryEscape(c.value)
		if _, _, to := d.page(http.MethodGet, "/authorize?"+q, nil); !strings.Contains(to, "error="+c.want+"&") {
			t.Errorf("%s=%s: sent to %q", c.name, c.value, to)
		}
		form, err := url.ParseQuery(q + "&decision=allow")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, to := d.page(http.MethodPost, "/authorize", form); !strings.Contains(to, "error="+c.want+"&") {
			t.Errorf("%s=%s in the form: sent to %q", c.name, c.value, to)
		}
	}
	short := good()
	short.Set("code_challenge", "short")
	plain := good()
	plain.Set("code_challenge_method", "plain")
	for _, q := range []url.Values{short, plain} {
		if _, _, to := d.page(http.MethodGet, "/authorize?"+q.Encode(), nil); !strings.Contains(
			to,
			"error=invalid_request&",
		) {
			t.Errorf("%v: sent to %q", q, to)
		}
	}
	for _, name := range []string{"client_id", "redirect_uri"} { // nobody who could be told is known
		q := good()
		q.Add(name, q.Get(name))
		if status, _, to := d.page(http.MethodGet, "/authorize?"+q.Encode(), nil); status != http.StatusBadRequest ||
			to != "" {
			t.Errorf("%s twice: %d, sent to %q", name, status, to)
		}
	}
}

// TestAMemberThatIsThereTwiceIsRefused, at each operation of the API.
func TestAMemberThatIsThereTwiceIsRefused(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, path := range []string{"/client/register", "/device_authorization", "/token"} {
		name := map[bool]string{true: "clientName", false: "clientId"}[path == "/client/register"]
		body := `{"` + name + `":"a","` + name + `":"b"}`
		req, err := http.NewRequestWithContext(
			context.Background(),
			http.MethodPost,
			d.URL+path,
			io.NopCloser(strings.NewReader(body)),
		)
		if err != nil {
			t.Fatal(err)
		}
		if status, got, _ := d.send(req); status != http.StatusBadRequest ||
			!strings.Contains(got, `"invalid_request"`) {
			t.Errorf("%s: %d %s", path, status, got)
		}
	}
}
