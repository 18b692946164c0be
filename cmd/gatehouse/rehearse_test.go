package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	centerstore "github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/rehearse"
)

// startRehearsal serves a copy until the test ends, and returns what the command printed.
func startRehearsal(t *testing.T, env map[string]string, args ...string) (out rehearse.Output, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	var errOut buffer
	ended := make(chan int, 1)
	go func() {
		code := run(
			ctx, append([]string{"rehearse", "--json", "--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0"}, args...),
			strings.NewReader(""), writer, &errOut, func(k string) (string, bool) { v, ok := env[k]; return v, ok },
		)
		_ = writer.Close()
		ended <- code
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("the rehearsal ended with %d: %s", code, errOut.String())
		}
	})
	t.Cleanup(stop)
	in := bufio.NewReader(reader)
	line, err := in.ReadBytes('\n')
	go func() { _, _ = io.Copy(io.Discard, in) }()
	if err == nil {
		err = json.Unmarshal(line, &out)
	}
	if err != nil {
		t.Fatalf("%v: %s%s", err, line, errOut.String())
	}
	return out, stop
}

// TestTomorrowsConnectionIsRehearsedTonight copies a center and a tenant that are not connected,
// with the ids that they have, and connects the copy. The originals are as they were. Connected as
// it was rehearsed, doctor says the same of them as of the copy; and a copy of the connected pair
// has the application with its job, and can be connected too.
func TestTomorrowsConnectionIsRehearsedTonight(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect", "--people", "120")
	folder := t.TempDir()
	env := map[string]string{
		"GATEHOUSE_CLIENT_SECRET": d.Tenant.ClientSecret, "AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID,
	}
	login := strings.TrimSuffix(d.Tenant.TokenURL, "/oauth2/v2.0/token")
	from := []string{
		"--from", d.Center.URL, "--graph-url", d.Tenant.GraphURL, "--login-url", login, "--client-id",
		d.Tenant.ClientID, "--data", folder,
	}
	once, stop := startRehearsal(t, env, append(from, "--no-serve")...)
	stop()
	out, _ := startRehearsal(t, env, from...) // nothing is left to copy
	if once.Entra["users"] != 120 || out.Entra["users"] != 120 || out.AWS.Counts["accounts"] != 4 ||
		out.AWS.Counts["permission sets"] != 3 || len(out.AWS.Unread) > 0 || len(out.EntraUnread) > 0 {
		t.Errorf("%+v", out)
	}
	if !strings.HasSuffix(out.LoginURL, "/"+d.Tenant.TenantID) {
		t.Errorf("the copied tenant has another id: %s, want %s", out.LoginURL, d.Tenant.TenantID)
	}
	sayWhatTheyAre(t, out.CenterURL, d.Center.URL, "ssoins-", "/start", "/console/", "/console/sign-in")
	id := d.Tenant.TenantID
	copied := strings.TrimSuffix(out.LoginURL, "/"+id)
	sayWhatTheyAre(t, copied, d.Tenant.URL, "the tenant "+id, "/login", "/admin/", "/myapps")
	own := map[string]string{
		"GATEHOUSE_CLIENT_SECRET": out.ClientSecret, "AWS_ACCESS_KEY_ID": out.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": out.SecretAccessKey,
	}
	sides := []string{
		"--center-url", out.CenterURL, "--graph-url", out.GraphURL, "--login-url", out.LoginURL, "--client-id",
		out.ClientID,
	}
	connect := append([]string{"connect", "--group", "Engineering"}, sides...)
	if code, text, errOut := call(t, "", own, append(connect, "--dry-run")...); code != exitChanges {
		t.Fatalf("%d %s%s", code, text, errOut)
	}
	plan, replay := filepath.Join(folder, "plan.json"), filepath.Join(folder, "replay.json")
	if code, text, errOut := call(t, "", own, append(connect, "--out", plan)...); code != exitChanges {
		t.Fatalf("%d %s%s", code, text, errOut)
	}
	connect = append([]string{"connect", "--apply", plan, "--accept"}, sides...)
	if code, text, errOut := call(t, "", own, append(connect, "--journal", replay)...); code != exitDone {
		t.Fatalf("%d %s%s", code, text, errOut)
	}
	for _, flag := range []string{"--center", "--tenant"} {
		code, _, errOut := call(t, "", env, append([]string{"rehearse", flag, "0.0.0.0:8090"}, from...)...)
		if code != exitFailed || !strings.Contains(errOut, "on this machine only") {
			t.Errorf("%s: %d %s", flag, code, errOut)
		}
	}
	there := []string{
		"--center-url", d.Center.URL, "--graph-url", d.Tenant.GraphURL, "--login-url", login, "--client-id",
		d.Tenant.ClientID,
	}
	connect = append([]string{"connect", "--apply", plan, "--rehearsed", replay, "--json"}, there...)
	code, text, errOut := call(t, "", env, append(connect, "--dry-run")...)
	if code != exitChanges || !strings.Contains(text, `"changes":10`) {
		t.Errorf("the original: %d %s%s", code, text, errOut)
	}
	if code, text, errOut := call(t, "", env, append(connect, "--accept")...); code != exitDone {
		t.Fatalf("%d %s%s", code, text, errOut)
	}
	if copied, original := diagnosis(t, own, sides), diagnosis(t, env, there); copied != original {
		t.Errorf("doctor says of the copy:\n%s\nand of the original:\n%s", copied, original)
	}
	from[len(from)-1] = t.TempDir()
	again, _ := startRehearsal(t, env, from...)
	if again.Entra["applications"] != 1 || again.Entra["provisioning jobs"] != 1 ||
		again.AWS.Counts["users"] == 0 ||
		!strings.Contains(strings.Join(again.NotCopied, " "), "the signing key of “AWS IAM Identity Center”") {
		t.Errorf("%+v", again)
	}
	own["GATEHOUSE_CLIENT_SECRET"], own["AWS_ACCESS_KEY_ID"] = again.ClientSecret, again.AccessKeyID
	own["AWS_SECRET_ACCESS_KEY"] = again.SecretAccessKey
	if code, text, errOut := call(
		t, "", own, "connect", "--group", "Engineering", "--center-url", again.CenterURL, "--graph-url",
		again.GraphURL, "--login-url", again.LoginURL, "--client-id", again.ClientID, "--accept",
	); code != exitDone {
		t.Errorf("%d %s%s", code, text, errOut)
	}
}

// sayWhatTheyAre looks at pages of a copy and of its original: each page of the copy, refusals too,
// says that it is one.
func sayWhatTheyAre(t *testing.T, copied, original, of string, paths ...string) {
	t.Helper()
	for _, path := range append(paths, "/no-such-page") {
		for _, url := range []string{copied, original} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", "text/html")
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			marked := strings.Contains(string(page), "A rehearsal of "+of)
			if err != nil || marked != (url == copied) {
				t.Errorf("%s%s: marked %v, %v:\n%s", url, path, marked, err, page)
			}
		}
	}
}

// diagnosis is what doctor finds, by check and by whom it is about.
func diagnosis(t *testing.T, env map[string]string, sides []string) string {
	t.Helper()
	_, text, errOut := call(t, "", env, append([]string{"doctor", "--json"}, sides...)...)
	var report struct {
		Findings []struct {
			Check, State, Fact string
			Subjects           []string
		}
	}
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatalf("%v: %s", err, errOut)
	}
	said, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

// TestAnOrganizationMovesForGood plans, asks, brings an organization into a data folder that the
// server of a center serves then, and brings what is new later. Another organization is refused.
func TestAnOrganizationMovesForGood(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--people", "60")
	folder := t.TempDir()
	env := map[string]string{
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey, "AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID,
	}
	bring := []string{"import", "--from", d.Center.URL, "--data", folder}
	code, text, errOut := call(t, "", env, append(bring, "--dry-run")...)
	if _, err := os.Stat(filepath.Join(folder, "center.db")); code != exitChanges || !os.IsNotExist(err) ||
		!strings.Contains(text, "Nothing is removed.") || !strings.Contains(text, "would not end here: it stays out") {
		t.Fatalf("dry run: %d %s%s %v", code, text, errOut, err)
	}
	if code, text, _ := call(t, "no\n", env, bring...); code != exitFailed || strings.Contains(text, "Brought") {
		t.Errorf("not accepted: %d %s", code, text)
	}
	code, text, errOut = call(t, "ACCEPT\n", env, bring...)
	if code != exitDone || !strings.Contains(text, "Brought") {
		t.Fatalf("%d %s%s", code, text, errOut)
	}
	if _, err := os.Stat(filepath.Join(folder, "import")); !os.IsNotExist(err) {
		t.Errorf("what was read is still there: %v", err)
	}
	if code, text, errOut := call(t, "", env, append(bring, "--dry-run")...); code != exitDone ||
		!strings.Contains(text, "Nothing to bring.") {
		t.Errorf("again: %d %s%s", code, text, errOut)
	}
	serving, err := centerstore.Open(t.Context(), filepath.Join(folder, "center.db"))
	if err != nil {
		t.Fatal(err)
	}
	code, _, errOut = call(t, "", env, append(bring, "--accept")...)
	if code != exitFailed || !strings.Contains(errOut, "no server may have it open") {
		t.Errorf("while a server has the data open: %d %s", code, errOut)
	}
	if err := serving.Close(); err != nil {
		t.Fatal(err)
	}
	if code, text, errOut := call(t, "", nil, "check", "--data", folder); code != exitDone {
		t.Errorf("check: %d %s%s", code, text, errOut)
	}
	other, _ := startDemo(t, "--no-connect", "--people", "3")
	env["AWS_SECRET_ACCESS_KEY"], env["AWS_ACCESS_KEY_ID"] = other.AWS.SecretAccessKey, other.AWS.AccessKeyID
	code, _, errOut = call(t, "", env, "import", "--from", other.Center.URL, "--data", folder, "--accept", "--json")
	if code != exitFailed || !strings.Contains(errOut, "instance") {
		t.Errorf("another organization: %d %s", code, errOut)
	}
	env["AWS_SECRET_ACCESS_KEY"], env["AWS_ACCESS_KEY_ID"] = d.AWS.SecretAccessKey, d.AWS.AccessKeyID
	code, _, errOut = call(t, "", env, "rehearse", "--from", d.Center.URL, "--data", folder, "--no-serve")
	if code != exitFailed || !strings.Contains(errOut, "holds something already") {
		t.Errorf("a rehearsal over a center that stays: %d %s", code, errOut)
	}
	for _, args := range [][]string{
		{"connect", "--journal", "x.json", "--rehearsed", "x.json"},
		{"import", "--from", d.Center.URL, "people.jsonl"}, {"import", "people.jsonl", "--accept"},
		{"import", "--from", d.Center.URL, "--json"}, {"import", "--from", "ftp://x"}, {"import"},
	} {
		if code, text, _ := call(t, "", env, args...); code != exitFailed {
			t.Errorf("%v: %d %s", args, code, text)
		}
	}
}
