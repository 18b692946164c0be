package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// openImported opens the tenant in a folder, of which nobody else has it.
func openImported(t *testing.T, folder string) *tenant.Tenant {
	t.Helper()
	tn, err := openTenant(context.Background(), &half{data: folder, url: "http://127.0.0.1"}, noEnv, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tn.Store.Close() })
	return tn
}

func TestATenantIsFilledFromGraph(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	folder := t.TempDir()
	env := map[string]string{
		"GATEHOUSE_CLIENT_SECRET":   d.Tenant.ClientSecret,
		"GATEHOUSE_PERSON_PASSWORD": "a long password",
	}
	args := []string{
		"tenant", "import", "--data", folder, "--from", d.Tenant.GraphURL, "--login-url",
		strings.TrimSuffix(d.Tenant.TokenURL, "/oauth2/v2.0/token"), "--client-id", d.Tenant.ClientID,
	}
	for _, want := range []string{
		"25 users and 6 groups. 24 users got", "25 users and 6 groups. 0 users got",
	} {
		if code, out, errOut := call(t, "", env, args...); code != exitDone || !strings.Contains(out, want) {
			t.Fatalf("%d %s%s, want %s", code, out, errOut, want)
		}
	}
	tn := openImported(t, folder)
	u, err := tn.UserByIDOrName(context.Background(), "mei.tanaka@northwind.example")
	if err != nil || u.JobTitle != "Platform Engineer" || u.ManagerID == "" {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := tn.SignInUser(
		context.Background(), audit.Actor{Kind: audit.Anonymous}, "mei.tanaka@northwind.example", "a long password",
		"", false,
	); err != nil {
		t.Errorf("sign-in: %v", err)
	}
}

func TestATenantIsFilledFromFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := write("users.csv", "userPrincipalName,displayName\nada@x.example,Ada\nbob@x.example,Bob\n")
	groups := write("groups.csv", "id,displayName\n,Engines\n,All\n")
	members := write("members.csv", "group,member\nEngines,ada@x.example\n")
	data := filepath.Join(folder, "data")
	for range 2 { // what is there is found again
		code, out, errOut := call(
			t, "", nil, "tenant", "import", "--data", data, "--users", users, "--groups", groups, "--members",
			members,
		)
		if code != exitDone || !strings.Contains(out, "2 users and 2 groups") {
			t.Fatalf("%d %s%s", code, out, errOut)
		}
	}
	short := map[string]string{"GATEHOUSE_PERSON_PASSWORD": "short"} // the rule of every other door
	code, _, errOut := call(t, "", short, "tenant", "import", "--data", data, "--users", users)
	if code != exitFailed ||
		!strings.Contains(errOut, "8 to 256 characters") {
		t.Errorf("%d %s", code, errOut)
	}
	if code, _, errOut := call(t, "", nil, "tenant", "import", "--data", data); code != exitFailed ||
		!strings.Contains(errOut, "--login-url is missing") {
		t.Errorf("from nowhere: %d %s", code, errOut)
	}
}
