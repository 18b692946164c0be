package complete_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/access"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/complete"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// shell asks the program for values as the scripts of cobra do, and returns the lines of the
// answer.
func shell(t *testing.T, env map[string]string, line ...string) []string {
	t.Helper()
	var out, said bytes.Buffer
	world := administer.World{In: strings.NewReader(""), Out: &out, Err: &said,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	root := &cobra.Command{Use: "gatehouse"}
	terminal.Settings(root, world.Env)
	root.AddCommand(administer.Commands(world, administer.Explainer{Flags: func(*cobra.Command) {}})...)
	root.AddCommand(access.Command(world))
	complete.Scripts(root)
	complete.Values(root, world)
	root.SetOut(&out)
	root.SetErr(&said)
	root.SetArgs(append([]string{"__complete"}, line...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestWordsAreCompletedFromTheRunningCenter(t *testing.T) {
	s := centertest.Serve(t)
	ctx, by := t.Context(), centertest.Actor
	u, err := s.CreateUser(ctx, by, centertest.Person("ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateGroup(ctx, by, center.Group{DisplayName: "Adepts of AWS"}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutAccounts(ctx, by, []center.Account{
		{ID: "111122223333", Name: "Production", Email: "p@example.com"},
	}); err != nil {
		t.Fatal(err)
	}
	admin := s.Admin()
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     admin.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": admin.SecretAccessKey,
		"AWS_REGION":            admin.Region,
		"GATEHOUSE_CENTER_URL":  admin.URL,
	}
	const files, nothing, noFiles = ":0", ":4", ":4"
	for _, each := range []struct {
		line []string
		want []string
	}{
		{[]string{"users", "disable", "a"}, []string{"ada@example.com\t" + string(u.ID), noFiles}},
		{[]string{"users", "disable", "zz"}, []string{nothing}},
		{[]string{"users", "disable", "ada@example.com", ""}, []string{nothing}},
		{[]string{"roles", "template", "pro"}, []string{"Production\t111122223333", noFiles}},
		{[]string{"roles", "list", "--account", "1111"}, []string{"111122223333\tProduction", noFiles}},
		{[]string{"rules", "create", "--group", "ade"}, nil},
		{[]string{"rules", "create", "--user", "ad"}, []string{"ada@example.com\t" + string(u.ID), noFiles}},
		{[]string{"access", "policy", "create", "--account", "P"}, []string{"Production\t111122223333", noFiles}},
		{[]string{"access-keys", "create", "x", "--role", ""}, []string{
			"administrator", "user-administrator", "read-only", noFiles,
		}},
		{[]string{"users", "list", "--log-level", ""}, []string{"debug", "info", "warn", "error", noFiles}},
		{[]string{"accounts", "import", ""}, []string{files}},
	} {
		got := shell(t, env, each.line...)
		if each.want == nil { // a group's id is not known beforehand
			if len(got) != 2 || !strings.HasPrefix(got[0], "Adepts of AWS\t") {
				t.Errorf("%q is completed with %q", each.line, got)
			}
			continue
		}
		if !slices.Equal(got, each.want) {
			t.Errorf("%q is completed with %q, want %q", each.line, got, each.want)
		}
	}
}

func TestNothingIsOfferedWithoutACenter(t *testing.T) {
	door := httptest.NewServer(http.NotFoundHandler())
	defer door.Close()
	for name, env := range map[string]map[string]string{
		"no access key": {"GATEHOUSE_CENTER_URL": door.URL},
		"no center": {
			"GATEHOUSE_CENTER_URL": door.URL, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x",
		},
	} {
		if got := shell(t, env, "users", "disable", "a"); !slices.Equal(got, []string{":4"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestEveryCommandHasAManualPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	root := &cobra.Command{Use: "gatehouse"}
	root.AddCommand(complete.Manual(), administer.Commands(administer.World{}, administer.Explainer{
		Flags: func(*cobra.Command) {},
	})[0])
	root.SetArgs([]string{"man", dir})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "gatehouse-accounts-import.1"))
	if err != nil || !bytes.Contains(page, []byte("Add and change accounts from a file")) {
		t.Errorf("%s, %v", page, err)
	}
}
