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
		"25 users and 6 groups. 24 people were given", "25 users and 6 groups. 0 people were given",
	} {
		if code, out, errOut := call(t, "", env, args...); code != exitDone || !strings.Contains(out, want) {
			t.Fatalf("%d %s%s, want %s", code, out, errOut, want)
		}
	}
	tn := openImported(t, folder)
	u, err := tn.User(context.Background(), "mei.tanaka@northwind.example")
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
	users := write(
		"users.csv",
		"\ufeffuserPrincipalName,displayName,givenName,surname,objectId,accountEnabled,telephoneNumber\nada@x.example,\"Lovelace, Ada\",Ada,Lovelace,11111111-1111-4111-8111-111111111111,True,+1\nbob@x.example,Bob,,,,FALSE,\n",
	)
	groups := write("groups.csv", "id,displayName\n,Engines\n,All\n")
	members := write(
		"members.csv",
		"group,member,memberId\nEngines,ADA@x.example,\nengines,,11111111-1111-4111-8111-111111111111\nAll,bob@x.example,\n",
	)
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
	if code, _, errOut := call(t, "", short, "tenant", "import", "--data", data, "--users", users); code != exitUsage ||
		!strings.Contains(errOut, "8 to 256 characters") {
		t.Errorf("%d %s", code, errOut)
	}
	for name, c := range map[string]struct{ users, members, want string }{
		"no name": {"userPrincipalName,displayName\n,x\n", "", "line 2: userPrincipalName or displayName"},
		"an unknown member": {
			"userPrincipalName,displayName\na@x,x\n", "group,member\nEngines,nobody@x\n",
			`"nobody@x" is not in the other files`,
		},
		"no CSV": {"a,\"b\n", "", "users2.csv"},
	} {
		args := []string{
			"tenant", "import", "--data", data, "--users", write("users2.csv", c.users), "--groups", groups,
		}
		if c.members != "" {
			args = append(args, "--members", write("members2.csv", c.members))
		}
		if code, _, errOut := call(t, "", nil, args...); code != exitFailed || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: %d %s", name, code, errOut)
		}
	}
	if code, _, errOut := call(t, "", nil, "tenant", "import", "--data", data); code != exitUsage ||
		!strings.Contains(errOut, "--login-url is missing") {
		t.Errorf("from nowhere: %d %s", code, errOut)
	}
	tn := openImported(t, data)
	ada, err := tn.User(context.Background(), "ada@x.example")
	if err != nil || ada.ID != "11111111-1111-4111-8111-111111111111" || ada.DisplayName != "Lovelace, Ada" ||
		ada.BusinessPhone != "+1" || !ada.Enabled {
		t.Errorf("%+v, %v", ada, err)
	}
	found, err := tn.GroupsByName(context.Background(), "engines")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if in, err := tn.Members(context.Background(), found[0].ID); err != nil || len(in) != 1 ||
		in[0].MemberID != ada.ID {
		t.Errorf("members %+v, %v", in, err)
	}
}

// TestAnotherLetterIsAnotherGroupOfFiles imports two groups whose names Unicode's lower case makes
// one.
func TestAnotherLetterIsAnotherGroupOfFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := write("users.csv", "userPrincipalName,displayName\nada@x.example,Ada\n")
	groups := write("groups.csv", "displayName\nKings\n\u212aings\n")
	members := write("members.csv", "group,member\nkings,ada@x.example\n")
	data := filepath.Join(folder, "data")
	if code, out, errOut := call(
		t, "", nil, "tenant", "import", "--data", data, "--users", users, "--groups", groups, "--members", members,
	); code != exitDone {
		t.Fatalf("%d %s%s", code, out, errOut)
	}
	tn := openImported(t, data)
	ctx := context.Background()
	for name, want := range map[string]int{"KINGS": 1, "\u212aings": 0} {
		found, err := tn.GroupsByName(ctx, name)
		if err != nil || len(found) != 1 {
			t.Fatalf("%q: %v, %v", name, found, err)
		}
		if in, err := tn.MembersAfter(ctx, found[0].ID, "", 10); err != nil || len(in) != want {
			t.Errorf("%q has %d members, want %d (%v)", name, len(in), want, err)
		}
	}
}
