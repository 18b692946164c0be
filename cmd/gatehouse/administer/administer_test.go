package administer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// office is where somebody calls the commands, with a key of a center that serves.
type office struct {
	*testing.T
	env map[string]string
}

func newOffice(t *testing.T) (*office, *centertest.Server) {
	t.Helper()
	s := centertest.Serve(t)
	admin := s.Admin()
	return &office{t, map[string]string{
		"AWS_REGION":            admin.Region,
		"AWS_ACCESS_KEY_ID":     admin.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": admin.SecretAccessKey,
		"CENTER_URL":            admin.URL,
	}}, s
}

// call runs a command line; typed is what the person types.
func (o *office) call(typed string, line ...string) (out, said string, err error) {
	o.Helper()
	var shown, told bytes.Buffer
	err = o.run(o.Context(), typed, &shown, &told, line...)
	if err == nil && shown.Len()+told.Len() == 0 {
		o.Errorf("%v says nothing", line)
	}
	if err == nil && slices.Contains(line, "--json") {
		for d := json.NewDecoder(bytes.NewReader(shown.Bytes())); ; {
			var v any
			if e := d.Decode(&v); e == io.EOF {
				break
			} else if e != nil {
				o.Fatalf("%v prints what is no JSON: %v: %s", line, e, shown.String())
			}
		}
	}
	return shown.String(), told.String(), err
}

// run is call for a command that goes on until ctx ends.
func (o *office) run(ctx context.Context, typed string, shown, told io.Writer, line ...string) error {
	return o.reads(ctx, strings.NewReader(typed), shown, told, line...)
}

func (o *office) reads(ctx context.Context, typed io.Reader, shown, told io.Writer, line ...string) error {
	world := administer.World{In: typed, Out: shown, Err: told,
		Env: func(name string) (string, bool) { v, ok := o.env[name]; return v, ok }}
	root := &cobra.Command{Use: "gatehouse", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(o.commands(world)...)
	root.SetOut(shown)
	root.SetErr(told)
	root.SetArgs(append(line, "--center-url", o.env["CENTER_URL"]))
	return root.ExecuteContext(ctx)
}

func (o *office) commands(world administer.World) []*cobra.Command {
	return administer.Commands(world, administer.Explainer{
		Flags:  func(*cobra.Command) {},
		Person: func(*cobra.Command, string, bool) error { return errors.New("nobody asked for a person") },
	})
}

// want runs a command line that must work, and looks for words in what it printed.
func (o *office) want(words string, line ...string) string {
	o.Helper()
	out, said, err := o.call("", line...)
	if err != nil || !strings.Contains(out+said, words) {
		o.Errorf("%v: %v; want %q in %q and %q", line, err, words, out, said)
	}
	return out
}

func TestACenterIsAdministeredFromTheCommandLine(t *testing.T) {
	o, s := newOffice(t)
	file := filepath.Join(t.TempDir(), "accounts.csv")
	if err := os.WriteFile(file, []byte("id,name,email\n111122223333,Production,p@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.want("Production", "accounts", "import", file, "--dry-run")
	if out := o.want("", "accounts", "list"); strings.Contains(out, "Production") {
		t.Errorf("a dry run has written: %s", out)
	}
	o.want("Production", "accounts", "import", file)
	o.want("p@example.com", "accounts", "list")
	if err := s.PutAccounts(t.Context(), centertest.Actor, []center.Account{
		{ID: "444455556666", Name: "Test", Tags: []center.Tag{{Key: "a=b", Value: "c"}}},
	}); err != nil {
		t.Fatal(err)
	}
	o.want(`"a=b"=c`, "accounts", "list")

	var key struct {
		AccessKeyID string `json:"AccessKeyId"`
	}
	made := o.want("", "access-keys", "create", "terraform", "--role", "read-only", "--json")
	if err := json.Unmarshal([]byte(made), &key); err != nil || key.AccessKeyID == "" {
		t.Fatalf("the new key is %q, %v", made, err)
	}
	o.want("terraform", "access-keys", "list")
	o.want("disabled", "access-keys", "disable", "Terraform")
	o.want("", "access-keys", "create", "terraform")
	o.refused("use one of", "", "access-keys", "delete", "terraform") // two have the name
	o.want("deleted", "access-keys", "delete", key.AccessKeyID)
	o.want("deleted", "access-keys", "delete", "terraform")
	o.refused("no such access key", "", "access-keys", "delete", "terraform")

	s.SCIM(center.ProfileAWS) // automatic provisioning is on
	token := strings.TrimSpace(o.want("only once", "scim-tokens", "create"))
	if len(token) < 20 {
		t.Errorf("the token is %q", token)
	}
	o.want("never", "scim-tokens", "list")
	o.want("AWSTemplateFormatVersion", "roles", "template", "111122223333")
	o.want("", "rules", "list")
	o.want("Users sign in at", "identity-source", "show")

	event := s.LastEvent()
	o.want(event.Action, "explain", event.Actor.RequestID)
}

// TestRulesSayWhoHasWhatByName: a person reads names, and a program has both.
func TestRulesSayWhoHasWhatByName(t *testing.T) {
	o, s := newOffice(t)
	set, e1 := s.CreatePermissionSet(t.Context(), centertest.Actor, center.PermissionSet{Name: "Reader"})
	u, e2 := s.CreateUser(t.Context(), centertest.Actor, centertest.Person("ada@example.com"))
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	o.want("Reader", "rules", "create", "--tag", "env=prod", "--permission-set", "Reader", "--user", "ada@example.com")
	if out := o.want("Reader", "rules", "list"); !strings.Contains(out, "USER ada@example.com") ||
		strings.Contains(out, set.ARN) {
		t.Errorf("it is %s", out)
	}
	var rules []adminapi.Rule
	err := json.Unmarshal([]byte(o.want("", "rules", "list", "--json")), &rules)
	if err != nil || len(rules) != 1 || rules[0].PrincipalID != string(u.ID) || rules[0].PermissionSetARN != set.ARN ||
		rules[0].PrincipalName != "ada@example.com" || rules[0].PermissionSetName != "Reader" {
		t.Errorf("as JSON %+v, %v", rules, err)
	}
}

// TestWhatFailsPrintsNothing: a program that reads what a command prints takes none of it for an
// answer. The center knows the key of no command here.
func TestWhatFailsPrintsNothing(t *testing.T) {
	o, _ := newOffice(t)
	o.env["AWS_SECRET_ACCESS_KEY"] = "another"
	failed := 0
	for _, line := range o.lines() {
		for _, flags := range [][]string{nil, {"--json"}} {
			var shown, told bytes.Buffer
			if err := o.run(t.Context(), "", &shown, &told, append(line, flags...)...); err == nil {
				continue // it asks no center
			}
			if failed++; shown.Len() > 0 {
				t.Errorf("%v %v prints %q", line, flags, shown.String())
			}
		}
	}
	if failed < 60 {
		t.Errorf("only %d failed", failed)
	}
}

// lines are all commands, with as many arguments as they take.
func (o *office) lines() (all [][]string) {
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		for _, c := range cmd.Commands() {
			walk(c, append(slices.Clip(path), c.Name()))
		}
		for n := range 3 {
			given := slices.Repeat([]string{"nothing"}, n)
			if !cmd.HasSubCommands() && cmd.Args != nil && cmd.Args(cmd, given) == nil {
				all = append(all, append(slices.Clip(path), given...))
				return
			}
		}
	}
	root := &cobra.Command{}
	root.AddCommand(o.commands(administer.World{})...)
	walk(root, nil)
	return all
}

func TestMistakesOfUsageAreToldApart(t *testing.T) {
	o, _ := newOffice(t)
	for want, line := range map[string][]string{
		"takes no arguments":          {"accounts", "list", "more"},
		"takes a file":                {"accounts", "import"},
		"exactly one of --unit":       {"rules", "create"},
		"use cloudformation":          {"roles", "template", "111122223333", "--format", "yaml"},
		"use on or off":               {"identity-source", "idp-initiated", "perhaps"},
		"takes an access key's name":  {"access-keys", "delete"},
		"a reference or a user princ": {"explain"},
	} {
		var usage terminal.UsageError
		if _, _, err := o.call("", line...); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; want a mistake of usage with %q", line, err, want)
		}
	}
	o.env["AWS_SECRET_ACCESS_KEY"] = ""
	var usage terminal.UsageError
	if _, _, err := o.call("", "accounts", "list"); !errors.As(err, &usage) {
		t.Errorf("without a secret: %v", err)
	}
}

// TestAChangeAsksForAWord types the wrong word: the center refuses, and nothing changes.
// TestANameThatIsMistyped: the center's nearest one is offered, and where none answers, how to name
// another.
func TestANameThatIsMistyped(t *testing.T) {
	t.Parallel()
	o, s := newOffice(t)
	s.NewPerson("ada@example.com")
	if err := s.PutAccounts(t.Context(), centertest.Actor, []center.Account{
		{ID: "111122223333", Name: "Production"},
	}); err != nil {
		t.Fatal(err)
	}
	o.refused("did you mean ada@example.com?", "", "users", "show", "ada@exmple.com")
	o.refused("did you mean ada@example.com?", "", "users", "show", "qda@example.com")
	o.refused("did you mean Production?", "", "roles", "list", "--account", "Prodction")
	o.refused("did you mean Production?", "", "roles", "list", "--account", "rPoduction")
	for i := range 120 { // more than the center lists at once
		who := centertest.Person(fmt.Sprintf("adam.%03d@example.com", i))
		if _, err := s.CreateUser(t.Context(), centertest.Actor, who); err != nil {
			t.Fatal(err)
		}
	}
	o.refused("did you mean adam.119@example.com?", "", "users", "show", "adam.119@exmple.com")
	if _, _, err := o.call("", "users", "show", "zzz"); err == nil || strings.Contains(err.Error(), "mean") {
		t.Errorf("a name like no other: %v", err)
	}
	o.env["CENTER_URL"] = "http://127.0.0.1:1"
	o.refused("does the center run at", "", "users", "list")
}

func TestAChangeAsksForAWord(t *testing.T) {
	o, _ := newOffice(t)
	_, said, err := o.call("yes\n", "identity-source", "undo")
	if err == nil || !strings.Contains(said, "Type ") {
		t.Errorf("undo said %q, %v", said, err)
	}
}
