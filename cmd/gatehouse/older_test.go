package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sso"

	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestTheDataOfAnOlderReleaseIsTakenOver: three schemas later, what that release handed out still
// opens (passwords, tokens, keys, the SCIM token that the tenant keeps sealed), provisioning goes
// on, and nothing in the data is wrong. scripts/older-data made the folder.
func TestTheDataOfAnOlderReleaseIsTakenOver(t *testing.T) {
	t.Parallel()
	folder := olderData(t)
	lasting(t, filepath.Join(folder, "center.db"))
	var was demoOutput
	text, err := os.ReadFile(filepath.Join(folder, "older.json")) // #nosec G304 -- ours
	if err := errors.Join(err, json.Unmarshal(text, &was)); err != nil {
		t.Fatal(err)
	}
	checks := [][]string{{"check", "--data", folder}, {"tenant", "check", "--data", folder}}
	for _, args := range checks {
		code, _, said := call(t, "", nil, args...)
		if code != exitFailed || !strings.Contains(said, "older release of gatehouse; start this release once") {
			t.Errorf("%q before the start: %d %s", args, code, said)
		}
	}

	_, stop := startDemo(t, "--data", folder, "--center", host(was.Center.URL), "--tenant", host(was.Tenant.URL))
	both := of(t, was)
	both.Administrator()
	both.TenantAdministrator()
	line := pairtest.NewCommandLine(both)
	in, _ := line.Device(line.Register("sso:account:access"), "allow")
	token := line.Tokens(in).AccessToken
	account, role := line.AnyRole(token)
	if _, err := line.SSO.GetRoleCredentials(t.Context(), &sso.GetRoleCredentialsInput{
		AccessToken: token, AccountId: &account, RoleName: &role,
	}); err != nil {
		t.Error(err)
	}
	if set, err := both.Admin.DescribeDirectory(t.Context()); err != nil {
		t.Errorf("the key of the admin API: %+v, %v", set, err)
	}
	id := both.User(pairtest.Amara).ID
	both.Change(http.MethodPatch, "/users/"+id, map[string]any{"jobTitle": "Upgrader"}, nil)
	both.Soon("a change after the upgrade", func() bool {
		return both.Find("/Users", "userName", pairtest.Amara)["title"] == "Upgrader"
	})
	stop()
	for _, args := range checks {
		if code, out, said := call(t, "", nil, args...); code != exitDone || !strings.Contains(out, " 0 problems") {
			t.Errorf("%q after the upgrade: %d %s %s", args, code, out, said)
		}
	}
}

// olderData is a folder with the data of a demo of that release.
func olderData(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", "testdata/older.tar.gz", "-C", folder).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	return folder
}

// TestOnlyTheOwnerOfOlderDataChangesIt: a start that is refused, since the folder is another one's
// or the master key is not the one of the data, leaves the schema for the release that serves it.
func TestOnlyTheOwnerOfOlderDataChangesIt(t *testing.T) {
	t.Parallel()
	for file, half := range map[string]string{datafolder.Center: "serve", datafolder.Tenant: "tenant"} {
		folder := olderData(t)
		in := func(name string) string { return filepath.Join(folder, name) }
		before := schemaOf(t, in(file))
		key, err := os.ReadFile(in(datafolder.MasterKey)) // #nosec G304 -- ours
		if err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSuffix(file, ".db") + ".id"
		for _, c := range []struct {
			name, text, says string
		}{
			{id, "another", "the database has the data of another " + strings.TrimSuffix(file, ".db")},
			{datafolder.MasterKey, "b3RoZXIga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMhISE=", "not the master key"},
		} {
			write := func(text string) {
				t.Helper()
				if err := os.WriteFile(in(c.name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(c.text)
			said := refused(t, noEnv, half, "--listen", "127.0.0.1:0", "--data", folder)
			if !strings.Contains(said, c.says) {
				t.Errorf("%s with another %s said %s", half, c.name, said)
			}
			if after := schemaOf(t, in(file)); after != before {
				t.Errorf("%s with another %s brought the schema from %d to %d", half, c.name, before, after)
			}
			if c.name == id {
				err = os.Remove(in(id))
			} else {
				write(string(key))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		_, stop := startIn(t, noEnv, half, "--listen", "127.0.0.1:0", "--data", folder)
		stop()
		if after := schemaOf(t, in(file)); after <= before {
			t.Errorf("%s with what is right left the schema %d", half, after)
		}
	}
}

// schemaOf reads the version of the schema of an SQLite file.
func schemaOf(t *testing.T, file string) (version int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err == nil {
		err = db.QueryRow("SELECT MAX(version_id) FROM goose_db_version").Scan(&version)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return version
}

// lasting lets the SCIM token of a database end in another century: it was good for a year when the
// data was made.
func lasting(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err == nil {
		_, err = db.Exec("UPDATE bearer_tokens SET doc = json_set(doc, '$.ExpiresAt', '2199-01-01T00:00:00Z')")
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestAnOlderProgramRefusesNewerData, on SQLite, and says what to do.
func TestAnOlderProgramRefusesNewerData(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, stop := startDemo(t, "--data", folder, "--people", "1", "--no-connect")
	stop()
	for file, args := range map[string][]string{"center.db": {"serve"}, "tenant.db": {"tenant"}} {
		db, err := sql.Open("sqlite", filepath.Join(folder, file))
		if err == nil {
			_, err = db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--data", folder, "--listen", "127.0.0.1:0")
		code, _, said := call(t, "", nil, args...)
		if code != exitFailed || !strings.Contains(said, "start that release, or restore a backup (schema 999") {
			t.Errorf("%q: %d %s", args, code, said)
		}
	}
}

// host is the address in a URL.
func host(url string) string {
	_, address, _ := strings.Cut(url, "://")
	return address
}
