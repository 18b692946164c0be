package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// rowsOf are how many rows of a center's data are looked at.
func rowsOf(t *testing.T, folder string) (rows int) {
	t.Helper()
	s, err := store.OpenBeside(t.Context(), filepath.Join(folder, datafolder.Center))
	if err == nil {
		_, err = s.Check(t.Context(), func(n int) { rows = n })
		err = errors.Join(err, s.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestDataIsBackedUpRestoredExportedImportedAndChecked works on a center's data by the commands,
// while its server runs.
func TestDataIsBackedUpRestoredExportedImportedAndChecked(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), t.TempDir()
	d, stop := startDemo(t, "--data", folder)
	data := filepath.Join(folder, "center")
	if _, err := os.Stat(filepath.Join(data, datafolder.Center)); err != nil {
		data = folder
	}
	good := func(args ...string) string {
		t.Helper()
		code, out, errOut := call(t, "", nil, args...)
		if code != exitDone {
			t.Fatalf("%s: %d %s %s", args, code, out, errOut)
		}
		return out
	}
	bad := func(want string, args ...string) {
		t.Helper()
		if code, out, errOut := call(t, "", nil, args...); code == exitDone || !strings.Contains(errOut, want) {
			t.Errorf("%s: %d %s %s, want a failure with %q", args, code, out, errOut, want)
		}
	}
	backup, people := filepath.Join(elsewhere, "backup.db"), filepath.Join(elsewhere, "people.jsonl")
	if out := good("check", "--data", data, "--json"); !strings.Contains(out, `"problems":[]`) {
		t.Errorf("the check while serving: %s", out)
	}
	good("backup", backup, "--data", data)
	bad("already exists", "backup", backup, "--data", data)
	bad("has no center's data", "backup", filepath.Join(elsewhere, "x"), "--data", elsewhere)
	good("export", people, "--data", data)
	lines := strings.Split(strings.TrimSpace(good("export", "--data", data)), "\n")
	if len(lines) != 29 { // 23 users and 6 groups
		t.Errorf("%d lines, want 29", len(lines))
	}
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup's mode: %v, %v", info.Mode(), err)
	}
	target := &scim.Client{BaseURL: d.Center.SCIMEndpoint, Token: d.Center.SCIMToken}
	late, err := target.Create(
		context.Background(),
		"/Users",
		scim.Resource{
			"userName":    "late@example.com",
			"displayName": "Late",
			"name":        map[string]any{"givenName": "L", "familyName": "L"},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	bad("in use", "restore", backup, "--data", data, "--force")
	bad("in use", "import", people, "--data", data)
	stop()

	bad("--force", "restore", backup, "--data", data)
	good("restore", backup, "--data", data, "--force")
	if out, rows := good("check", "--data", data, "--json"), rowsOf(t, data); rows < 29 ||
		!strings.Contains(out, fmt.Sprintf(`"rows":%d}`, rows)) {
		t.Errorf("the check of %d rows: %s", rows, out)
	}
	if strings.Contains(good("export", "--data", data), late["id"].(string)) {
		t.Error("who was made after the backup is there after the restore")
	}
	fresh := t.TempDir()
	bad("master.key", "restore", backup, "--data", fresh)
	if err := os.WriteFile(backup+".broken", []byte("SQLite format 3\x00 but not really"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad("not a backup", "restore", backup+".broken", "--data", data, "--force")

	// Import into another center, twice.
	good("import", people, "--data", fresh, "--dry-run")
	if out := good("import", people, "--data", fresh, "--json"); !strings.Contains(out, `"created":29`) {
		t.Errorf("imported %s", out)
	}
	if out := good("import", people, "--data", fresh, "--json"); !strings.Contains(out, `"left":29`) ||
		!strings.Contains(out, `"created":0`) {
		t.Errorf("imported again: %s", out)
	}
	if out := good("import", people, "--data", fresh, "--update", "--json"); !strings.Contains(out, `"updated":29`) {
		t.Errorf("imported again to update: %s", out)
	}
	if a, b := namesOf(
		t, lines,
	), namesOf(t, strings.Split(strings.TrimSpace(good("export", "--data", fresh)), "\n")); a != b {
		t.Errorf("what was exported and imported is\n%s\nit was\n%s", b, a)
	}
	if err := os.WriteFile(
		people,
		[]byte(
			lines[0]+
				"\nnonsense\n{\"schemas\":[\"urn:x\"]}\n{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"a b\"}\n",
		),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
	bad("3 lines could not be imported", "import", people, "--data", fresh)
}

// namesOf is what exported lines say, in an order of its own and without ids and times.
func namesOf(t *testing.T, lines []string) string {
	t.Helper()
	names := map[string]string{}
	var resources []map[string]any
	for _, line := range lines {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if n, ok := r["userName"].(string); ok {
			names[r["id"].(string)] = n
		}
		resources = append(resources, r)
	}
	var out []string
	for _, r := range resources {
		id, _ := r["id"].(string)
		delete(r, "meta")
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.ReplaceAll(string(text), id, "ID")
		for id, name := range names {
			line = strings.ReplaceAll(line, id, name)
		}
		// in any order
		line = regexp.MustCompile(`"members":\[(.*?)\]`).ReplaceAllStringFunc(line, func(s string) string {
			parts := strings.Split(s, "},")
			return fmt.Sprint(len(parts), " members of ", len(s), " characters")
		})
		out = append(out, line)
	}
	return strings.Join(sorted(out), "\n")
}

func sorted(list []string) []string {
	m := map[string]string{}
	for _, s := range list {
		m[s] = s
	}
	return slices.Sorted(maps.Keys(m))
}

// TestAccessKeysAndTokensByTheRealCLI administers keys and tokens with gatehouse, and uses them
// with the aws CLI and over SCIM.
func TestAccessKeysAndTokensByTheRealCLI(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	env, _ := connectArgs(d)
	gatehouse := func(args ...string) string {
		t.Helper()
		code, out, errOut := call(t, "", env, append(args, "--center-url", d.Center.URL)...)
		if code != exitDone {
			t.Fatalf("%s: %d %s %s", args, code, out, errOut)
		}
		return out
	}
	var made struct{ AccessKeyID, SecretAccessKey string }
	if err := json.Unmarshal(
		[]byte(gatehouse("access-keys", "create", "auditor", "--role", "read-only", "--json")), &made,
	); err != nil {
		t.Fatal(err)
	}
	reader := d
	reader.AWS.AccessKeyID, reader.AWS.SecretAccessKey = made.AccessKeyID, made.SecretAccessKey
	cli := newAWS(t, reader)
	cli.Run(nil, "identitystore", "list-users", "--identity-store-id", d.Center.IdentityStoreID)
	cli.Fails(
		"AccessDeniedException", "identitystore", "create-group", "--identity-store-id", d.Center.IdentityStoreID,
		"--display-name", "x",
	)
	cli.Fails(
		"AccessDeniedException", "sso-admin", "create-permission-set", "--instance-arn", d.Center.InstanceARN,
		"--name", "x",
	)
	if out := gatehouse("access-keys", "list"); !regexp.MustCompile(
		`auditor +read-only +Active +20\d\d-\d\d-\d\d \d\d:\d\d +\S+ 127\.0\.0\.1`,
	).MatchString(out) {
		t.Errorf("the last use is not shown: %s", out)
	}
	gatehouse("access-keys", "disable", made.AccessKeyID)
	cli.Fails(
		"UnrecognizedClientException", "identitystore", "list-users", "--identity-store-id", d.Center.IdentityStoreID,
	)
	gatehouse("access-keys", "enable", made.AccessKeyID)
	cli.Run(nil, "identitystore", "list-users", "--identity-store-id", d.Center.IdentityStoreID)
	gatehouse("access-keys", "delete", made.AccessKeyID)
	cli.Fails(
		"UnrecognizedClientException", "identitystore", "list-users", "--identity-store-id", d.Center.IdentityStoreID,
	)
	if code, _, errOut := call(
		t, "", env, "access-keys", "delete", d.AWS.AccessKeyID, "--center-url", d.Center.URL,
	); code == exitDone ||
		!strings.Contains(errOut, "last enabled access key") {
		t.Errorf("the last administrator's key: %d %s", code, errOut)
	}

	// Rotation without a gap: the old token works until it is deleted, the new one at once.
	ctx := context.Background()
	find := func(token string) error {
		_, err := (&scim.Client{BaseURL: d.Center.SCIMEndpoint, Token: token}).Find(ctx, "/Users", "userName", "nobody")
		return err
	}
	token := strings.TrimSpace(gatehouse("scim-tokens", "create", "--profile", "standard"))
	if err := errors.Join(find(token), find(d.Center.SCIMToken)); err != nil {
		t.Errorf("with two tokens: %v", err)
	}
	var tokens []struct {
		TokenID, Profile, LastUsedAddress string
	}
	if err := json.Unmarshal([]byte(gatehouse("scim-tokens", "list", "--json")), &tokens); err != nil ||
		len(tokens) != 2 {
		t.Fatalf("tokens %+v, %v", tokens, err)
	}
	for _, k := range tokens {
		if k.LastUsedAddress != "127.0.0.1" {
			t.Errorf("the token %+v shows no last use", k)
		}
		if k.Profile == "aws" {
			gatehouse("scim-tokens", "delete", k.TokenID)
		}
	}
	if find(d.Center.SCIMToken) == nil || find(token) != nil {
		t.Error("the old token lives on, or the new one died with it")
	}
}

// TestMetricsTellOfExpiry reads what Prometheus would, and refuses an address that others can
// reach.
func TestMetricsTellOfExpiry(t *testing.T) {
	t.Parallel()
	if code, _, errOut := call(
		t, "", nil, "serve", "--data", t.TempDir(), "--listen", webtest.FreeAddress(t), "--metrics", "0.0.0.0:9",
	); code != exitFailed ||
		!strings.Contains(errOut, "loopback") {
		t.Errorf("metrics for everyone: %d %s", code, errOut)
	}
	at := webtest.FreeAddress(t)
	startCommand(t, "serve", "--data", t.TempDir(), "--listen", webtest.FreeAddress(t), "--metrics", at)
	res, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), "gatehouse_store_up 1") {
		t.Errorf("metrics: %v %s", err, body)
	}
}
