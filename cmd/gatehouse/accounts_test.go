package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestAccountsAreImportedFromFiles(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"GATEHOUSE_CENTER_URL":  d.Center.URL,
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	list := func() map[string]adminapi.Account {
		t.Helper()
		code, out, errOut := call(t, "", env, "accounts", "list", "--json")
		var all []adminapi.Account
		if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil {
			t.Fatalf("exit %d, %v: %s %s", code, err, out, errOut)
		}
		byID := map[string]adminapi.Account{}
		for _, a := range all {
			byID[a.ID] = a
		}
		return byID
	}
	organization := file(
		"org.json",
		`{"Accounts":[{"Id":"222233334444","Arn":"arn:x","Name":"Production",
			"Email":"aws-production@northwind.example","Status":"SUSPENDED","JoinedMethod":"CREATED"},
			{"Id":"555566667777","Name":"New","Email":"new@example.com","Status":"ACTIVE"}]}`,
	)
	code, out, errOut := call(t, "", env, "accounts", "import", organization, "--dry-run")
	if code != 0 || !strings.Contains(out, "add") || !strings.Contains(out, "change") || len(list()) != 4 {
		t.Errorf("dry run: exit %d: %s %s", code, out, errOut)
	}
	if code, _, errOut := call(t, "", env, "accounts", "import", organization); code != 0 {
		t.Errorf("import: exit %d: %s", code, errOut)
	}
	if all := list(); len(all) != 5 || all["222233334444"].Status != adminapi.AccountSuspended ||
		all["555566667777"].Email != "new@example.com" {
		t.Errorf("after the import %+v", all)
	}
	if code, out, _ := call(t, "", env, "accounts", "import", organization, "--json"); code != 0 ||
		strings.TrimSpace(out) != "[]" {
		t.Errorf("the same import again: exit %d: %s", code, out)
	}
	if code, _, errOut := call(t, "Id,Name\n123,Small\n", env, "accounts", "import", "-"); code != 0 ||
		list()["000000000123"].Name != "Small" {
		t.Errorf("an id without its zeros: exit %d: %s", code, errOut)
	}

	// A suspended account is shown, and opens nothing.
	c := pairtest.NewCommandLine(of(t, d))
	status, page := c.Send(http.MethodGet, d.Center.PortalURL+"?q=Production", nil)
	if status != http.StatusOK || !strings.Contains(page, "suspended") ||
		strings.Contains(page, "/start/accounts/222233334444/") {
		t.Errorf("the suspended account in the portal: %d %s", status, page)
	}
	if status, page = c.Send(
		http.MethodPost, d.Center.URL+"/start/accounts/222233334444/roles/AdministratorAccess/credentials",
		url.Values{},
	); status != http.StatusForbidden {
		t.Errorf("keys of a suspended account: %d %s", status, page)
	}

	for name, path := range map[string]string{
		"no columns": file(
			"a.csv", "x,y\n1,2\n",
		),
		"no id": file("b.csv", "id,name\nabc,X\n"), "no name": file("c.csv", "id,name\n123456789012,\n"),
		"nothing": file("d.csv", "id,name\n"), "no JSON": file("e.json", "{"), "no file": filepath.Join(dir, "none"),
	} {
		if code, _, errOut := call(t, "", env, "accounts", "import", path); code != exitFailed || errOut == "" {
			t.Errorf("%s: exit %d: %s", name, code, errOut)
		}
	}
	if len(list()) != 6 {
		t.Errorf("a broken file has changed something: %+v", list())
	}
}
