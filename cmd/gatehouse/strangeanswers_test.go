package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	someToken = `{"access_token":"a token","token_type":"Bearer","expires_in":3600}`
	proxyPage = "<html><head><title>Sign in\x1b[31m to Corporate Proxy</title></head></html>"
	endedKey  = `{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are ` +
		`expired. Trace ID: 1 Correlation ID: 2"}`
)

// answering is a Graph and its sign-in, of which each request is answered so: "" leaves it to an
// empty one.
func answering(t *testing.T, answer func(*http.Request) (status int, kind, body string)) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, kind, body := answer(r)
		if body == "" || strings.HasPrefix(r.URL.Path, "/scim/") {
			status, kind = http.StatusOK, "application/json"
			body = `{"value":[],"totalResults":0,"Resources":[]}`
			if isToken(r) {
				body = someToken
			}
		}
		body = strings.ReplaceAll(body, "SELF", "http://"+r.Host+r.URL.Path)
		w.Header().Set("Content-Type", kind)
		if status/100 == 3 {
			w.Header().Set("Location", "https://elsewhere.example/path?with=secrets")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return []string{
		"--login-url", server.URL + "/a-tenant", "--client-id", "a client", "--graph-url", server.URL + "/v1.0",
	}
}

func isToken(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/token") }

// TestWhatAnswersInsteadOfMicrosoft: what stands between a person and the tenant is named by what
// it is, with what to do, by each command in the same words.
func TestWhatAnswersInsteadOfMicrosoft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(*http.Request) (int, string, string)
		want   []string
	}{
		{
			"an expired secret",
			func(r *http.Request) (int, string, string) {
				if isToken(r) {
					return http.StatusUnauthorized, "application/json", endedKey
				}
				return 0, "", ""
			},
			[]string{"sign", "AADSTS7000222", "Make a new client secret"},
		},
		{
			"a proxy's page instead of a token",
			func(r *http.Request) (int, string, string) {
				if isToken(r) {
					return http.StatusForbidden, "text/html", proxyPage
				}
				return 0, "", ""
			},
			[]string{"sign in", `answered 403 with a web page, "Sign in`, "A proxy or a sign-in page stands between"},
		},
		{
			"a proxy's page instead of Graph",
			func(r *http.Request) (int, string, string) {
				if isToken(r) {
					return 0, "", ""
				}
				return http.StatusOK, "text/html", proxyPage
			},
			[]string{`a web page, "Sign in`, "Something else than Microsoft Graph answers"},
		},
		{
			"a redirect",
			func(r *http.Request) (int, string, string) {
				if isToken(r) {
					return 0, "", ""
				}
				return http.StatusFound, "text/html", "<a>"
			},
			[]string{"302", "it leads to https://elsewhere.example, which is not followed"},
		},
		{
			"the same page for ever",
			func(r *http.Request) (int, string, string) {
				if isToken(r) || r.URL.Path != "/v1.0/users" && !strings.HasSuffix(r.URL.Path, "/delta") {
					return 0, "", ""
				}
				return http.StatusOK, "application/json", `{"value":[],"@odata.nextLink":"SELF?again"}`
			},
			[]string{"the same page again and again"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			flags := answering(t, c.answer)
			env := map[string]string{"GATEHOUSE_CLIENT_SECRET": "a secret", "GATEHOUSE_SCIM_TOKEN": "a token"}
			code, out, errOut := call(t, "", env, append([]string{"doctor"}, flags...)...)
			told := map[string]string{"doctor": out + errOut}
			if code == exitDone {
				t.Errorf("doctor's exit code is %d: %s", code, out)
			}
			flags[4] = "--from"
			to := strings.Replace(flags[5], "v1.0", "scim/v2", 1)
			_, out, errOut = call(t, "", env, append([]string{"sync", "--to", to, "--dry-run"}, flags...)...)
			told["sync"] = out + errOut
			for command, text := range told {
				for _, want := range c.want {
					if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
						t.Errorf("%s does not say %q: %s", command, want, text)
					}
				}
				if strings.Contains(text, "\x1b") || strings.Contains(text, "with=secrets") {
					t.Errorf("%s says %q", command, text)
				}
			}
		})
	}
}

// TestALostAnswerOfGraphIsAskedForAgain: a gateway that gives up, and a connection that breaks in
// the middle of an answer, end no command that reads for minutes.
func TestALostAnswerOfGraphIsAskedForAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	flags := answering(t, func(r *http.Request) (int, string, string) {
		if r.URL.Path != "/v1.0/users" {
			return 0, "", ""
		}
		switch asked.Add(1) {
		case 1:
			return http.StatusGatewayTimeout, "text/html", "<html><title>504</title>"
		case 2:
			panic(http.ErrAbortHandler)
		}
		return 0, "", ""
	})
	env := map[string]string{"GATEHOUSE_CLIENT_SECRET": "a secret"}
	_, out, errOut := call(t, "", env, append([]string{"doctor"}, flags...)...)
	if asked.Load() != 3 || strings.Contains(out, "graph:users") {
		t.Errorf("asked %d times: %s%s", asked.Load(), out, errOut)
	}
}

// TestASignInThatFailsIsTriedOnce: doctor asks for ten things at once, and a person must not be
// asked ten times to sign in.
func TestASignInThatFailsIsTriedOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	flags := answering(t, func(r *http.Request) (int, string, string) {
		if !isToken(r) {
			return 0, "", ""
		}
		asked.Add(1)
		return http.StatusUnauthorized, "application/json", endedKey
	})
	env := map[string]string{"GATEHOUSE_CLIENT_SECRET": "a secret"}
	_, out, _ := call(t, "", env, append([]string{"doctor"}, flags...)...)
	if asked.Load() != 1 || strings.Count(out, "AADSTS7000222") != 1 {
		t.Errorf("signed in %d times: %s", asked.Load(), out)
	}
}
