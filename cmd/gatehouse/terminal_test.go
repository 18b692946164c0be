package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// hostile is a text as a stranger would like an administrator's terminal to print it: a clipboard,
// a cleared screen, C1 controls, another direction, a line of its own, a character of no width, a
// tag, and what is no UTF-8.
const hostile = "\x1b]52;c;cm0gLXJm\a\x1b[2J\u009b31m\u202egnp.\u2066\u2028\u200b\u00ad\ufeff\U000e0041\r\n  why  " +
	"     nothing\xff\x7f"

// harmless fails when a text has what hostile is made of.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") {
		if terminal.Inline(string(r)) != string(r) && r != '\n' && r != '\t' {
			t.Errorf("%s has %U: %q", what, r, text)
			return
		}
	}
	if strings.Contains(text, "\n  why       nothing") {
		t.Errorf("%s has a line that a stranger wrote: %q", what, text)
	}
}

// TestAStrangersNameReachesNoTerminal sends user names with escape sequences, and has the refusals
// explained, as the page asks the administrator to.
func TestAStrangersNameReachesNoTerminal(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"AWS_REGION":            d.AWS.Region,
		"GATEHOUSE_CENTER_URL":  d.Center.URL,
	}
	for _, name := range []string{
		hostile, strings.ToValidUTF8(hostile, ""), "\u202egro.elpmaxe@ada\u200b", "\u009b2J",
	} {
		resp, err := http.PostForm(
			d.Center.URL+"/platform/login",
			url.Values{"username": {"a" + name + "b"}, "password": {"wrong"}},
		)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		reference := resp.Header.Get("X-Request-Id")
		code, out, errOut := call(t, "", env, "explain", reference)
		if code != exitDone || !strings.Contains(out, "CredentialVerification Refused") {
			t.Fatalf("explain: %d %s%s", code, out, errOut)
		}
		harmless(t, "explain", out)
		code, out, _ = call(t, "", env, "explain", reference, "--json")
		var list []map[string]any
		if err := json.Unmarshal([]byte(out), &list); code != exitDone || err != nil || len(list) == 0 {
			t.Errorf("explain --json: %d, %v: %s", code, err, out)
		}
		harmless(t, "explain --json", out)
	}
	code, _, errOut := call(t, "", env, "explain", hostile)
	if code != exitFailed {
		t.Errorf("explain of a text: %d", code)
	}
	harmless(t, "the error of explain", errOut)
}

// TestAnotherServersErrorReachesNoTerminal has a target and a directory answer with escape
// sequences.
func TestAnotherServersErrorReachesNoTerminal(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(
			map[string]string{
				"__type":            "ValidationException",
				"message":           hostile,
				"error":             hostile,
				"error_description": hostile,
				"detail":            hostile,
			},
		)
	}))
	t.Cleanup(server.Close)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":       "AKIA",
		"AWS_SECRET_ACCESS_KEY":   "s",
		"AWS_REGION":              "us-east-1",
		"GATEHOUSE_CENTER_URL":    server.URL,
		"GATEHOUSE_CLIENT_SECRET": "s",
		"GATEHOUSE_SCIM_TOKEN":    "s",
	}
	for _, args := range [][]string{
		{"explain", "019abcde-0123-7abc-8def-0123456789ab"}, {"accounts", "list"}, {"access-keys", "list"},
		{"roles", "list"}, {"scim-tokens", "list"}, {"rules", "list"},
		{
			"sync", "--graph-url", server.URL, "--login-url", server.URL, "--client-id", "c", "--to", server.URL,
			"--dry-run",
		},
		{"connect", "--graph-url", server.URL, "--login-url", server.URL, "--client-id", "c"},
		{hostile}, {"explain", "--" + strings.ToValidUTF8(hostile, "")},
	} {
		code, out, errOut := call(t, "", env, args...)
		if code == exitDone || errOut == "" {
			t.Errorf("%q: %d %s%s", args, code, out, errOut)
		}
		harmless(t, fmt.Sprintf("the output of %q", args[0]), out)
		harmless(t, fmt.Sprintf("the error of %q", args[0]), errOut)
	}
}
