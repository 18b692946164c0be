package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestAPairMovesToPostgreSQLAndBack backs a connected pair up, restores both halves into
// PostgreSQL, serves from there, and goes back the same way. Nobody loses an id, a password or a
// token.
func TestAPairMovesToPostgreSQLAndBack(t *testing.T) {
	t.Parallel()
	folder, safe := t.TempDir(), t.TempDir()
	postgres := map[string]string{"center": sqldbtest.Postgres(t), "tenant": sqldbtest.Postgres(t)}
	d, stop := startDemo(t, "--data", folder)
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
	half := func(name string, args ...string) []string {
		if name == "tenant" {
			return append([]string{"tenant"}, args...)
		}
		return args
	}
	file := func(name string) string { return filepath.Join(safe, name) }
	for name := range postgres {
		good(half(name, "backup", file(name), "--data", folder)...)
	}
	people := good("export", "--data", folder)
	stop()
	key, err := os.ReadFile(filepath.Join(folder, datafolder.MasterKey)) // #nosec G304 -- the test's own
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir() // with another key, then with the right one
	for name, dsn := range postgres {
		bad("master.key", half(name, "restore", file(name), "--data", elsewhere, "--database", dsn)...)
		bad("no "+name, half(name, "backup", file("x"), "--data", elsewhere, "--database", dsn)...)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, datafolder.MasterKey), key, 0o600); err != nil {
		t.Fatal(err)
	}
	bad("other data", "restore", file("tenant"), "--data", elsewhere, "--database", postgres["center"])
	bad("other data", "tenant", "restore", file("center"), "--data", elsewhere, "--database", postgres["tenant"])
	for name, dsn := range postgres {
		good(half(name, "restore", file(name), "--data", elsewhere, "--database", dsn)...)
		bad("--force", half(name, "restore", file(name), "--data", elsewhere, "--database", dsn)...)
	}
	if now := good("export", "--database", postgres["center"]); now != people {
		t.Errorf("in PostgreSQL there are\n%s\nwant\n%s", now, people)
	}
	keyless := t.TempDir()
	for name, dsn := range postgres {
		good(half(name, "check", "--data", elsewhere, "--database", dsn)...)
		bad("master key", half(name, "check", "--data", keyless, "--database", dsn)...)
		bad("no "+name+"'s data", half(name, "check", "--data", keyless)...)
	}

	address := strings.TrimPrefix(d.Center.URL, "http://")
	served, end := startIn(
		t, noEnv, "serve", "--data", elsewhere, "--database", postgres["center"], "--listen", address,
	)
	at := of(t, d)
	if found, err := at.SCIM.List(context.Background(), "/Users", 1, 1); err != nil || found.TotalResults == nil ||
		*found.TotalResults != 23 {
		t.Errorf("the token of before sees %v users, %v: %s", found.TotalResults, err, served.err)
	}
	cli := newAWS(t, d)
	cli.Run(
		nil, "identitystore", "create-user", "--identity-store-id", d.Center.IdentityStoreID, "--user-name",
		"new@example.com", "--display-name", "New", "--name", "GivenName=N,FamilyName=N",
	)
	bad("nodes serve", "restore", file("center"), "--data", elsewhere, "--database", postgres["center"], "--force")
	good("backup", file("center again"), "--data", elsewhere, "--database", postgres["center"])
	end()

	back := t.TempDir()
	if err := os.WriteFile(filepath.Join(back, datafolder.MasterKey), key, 0o600); err != nil {
		t.Fatal(err)
	}
	good("restore", file("center again"), "--data", back)
	if now := good("export", "--data", back); strings.Count(now, "\n") != strings.Count(people, "\n")+1 ||
		!strings.Contains(now, "new@example.com") {
		t.Errorf("back in SQLite there are\n%s", now)
	}
	good("check", "--data", back)
	if out := good("tenant", "check", "--data", folder, "--json"); !strings.Contains(out, `"problems":[]`) {
		t.Errorf("check says %s", out)
	}
	good("tenant", "backup", file("tenant again"), "--database", postgres["tenant"])
	good("tenant", "restore", file("tenant again"), "--data", back)
	good("restore", file("center"), "--data", elsewhere, "--database", postgres["center"], "--force")
	if now := good("export", "--database", postgres["center"]); now != people {
		t.Errorf("restored once more there are\n%s\nwant\n%s", now, people)
	}
}
