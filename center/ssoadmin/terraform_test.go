package ssoadmin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// terraform runs the real Terraform with the AWS provider in a directory of its own.
type terraform struct {
	t    *testing.T
	path string
	dir  string
	env  []string
}

// mirrors are where machines without a registry have providers. Source: Terraform's documentation,
// "Implied Local Mirror Directories".
func mirrors() []string {
	home, _ := os.UserHomeDir()
	return []string{
		os.Getenv("TF_PLUGIN_CACHE_DIR"), filepath.Join(home, ".terraform.d/plugins"),
		"/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/tf-plugins",
	}
}

// newTerraform returns nil where Terraform or the provider is not installed, and says so: neither
// is a package of a distribution, and tests download nothing of that size.
func newTerraform(t *testing.T, endpoint string, key center.OpenedKey) *terraform {
	t.Helper()
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Log("terraform is not installed: what it would do is not tried")
		return nil
	}
	var provider string
	for _, m := range mirrors() {
		found, _ := filepath.Glob(filepath.Join(m, "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*"))
		if len(found) > 0 {
			provider = found[len(found)-1]
		}
	}
	if provider == "" {
		t.Logf("no mirror has Terraform's AWS provider: %v", mirrors())
		return nil
	}
	dir := t.TempDir()
	// an override needs no lock file and no init, which read the provider's 700 MB again and again
	settings := `provider_installation {
	dev_overrides { "hashicorp/aws" = ` + strconv.Quote(filepath.Dir(provider)) + ` }
}`
	cli := filepath.Join(dir, "cli.tfrc")
	if err := os.WriteFile(cli, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return &terraform{t, path, dir, []string{
		"HOME=" + dir, "PATH=/usr/bin:/bin", "TF_CLI_CONFIG_FILE=" + cli, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
		"TF_INPUT=0",
		"GOGC=400", // each command makes the provider's schema anew: seconds of one processor
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=" + key.ID,
		"AWS_SECRET_ACCESS_KEY=" + key.SecretAccessKey.Reveal(), "TF_VAR_center_url=" + endpoint,
		"TF_VAR_account=111122223333",
	}}
}

// run runs a command, and returns what it printed and its exit code.
func (tf *terraform) run(args ...string) (string, int) {
	tf.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, tf.path, args...) // #nosec G204 -- the test's own arguments
	cmd.Dir, cmd.Env = tf.dir, tf.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	tf.t.Logf("terraform %s: %s", args[0], time.Since(began).Round(100*time.Millisecond))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tf.t.Fatalf("terraform %v: %v", args, err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that must succeed.
func (tf *terraform) must(args ...string) string {
	tf.t.Helper()
	out, code := tf.run(append(args, "-no-color")...)
	if code != 0 {
		tf.t.Fatalf("terraform %v: exit code %d: %s", args, code, out)
	}
	return out
}

// TestTerraform goes through every resource and data source that the AWS provider has for
// sso-admin and identitystore: apply, an empty plan, changes, an import of everything into an empty
// state that changes nothing, destroy.
func TestTerraform(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("Terraform takes a minute")
	}
	s := centertest.Serve(t)
	ctx := context.Background()
	key, err := s.CreateAccessKey(ctx, audit.SystemActor, "terraform", center.RoleAdministrator)
	if err == nil {
		err = s.PutAccount(ctx, audit.SystemActor, center.Account{ID: "111122223333", Name: "Production"})
	}
	if err != nil {
		t.Fatal(err)
	}
	tf := newTerraform(t, s.URL, key)
	if tf == nil {
		return
	}
	config, err := os.ReadFile("testdata/terraform/main.tf")
	if err == nil {
		err = os.WriteFile(filepath.Join(tf.dir, "main.tf"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	const step, all = "-auto-approve", "-parallelism=30" // the provider waits more than it works
	tf.must("apply", step, all)
	tf.seen(map[string]any{"user": "Ada Lovelace", "group": true, "users": 2.0, "groups": 1.0, "members": 1.0,
		"duration": "PT60M", "sets": 2.0, "application": "Wiki", "assigned": 1.0, "of_ada": 2.0, "providers": 2.0})
	if out, code := tf.run("plan", "-no-color", "-detailed-exitcode"); code != 0 {
		t.Errorf("the plan after the apply is not empty (exit code %d): %s", code, out)
	}
	tf.env = append(tf.env, "TF_VAR_changed=true")
	tf.must("apply", step, all)
	tf.seen(map[string]any{"user": "Ada King", "group": true, "users": 2.0, "groups": 1.0, "members": 1.0,
		"duration": "PT120M", "sets": 2.0, "application": "Wiki 2", "assigned": 1.0, "of_ada": 1.0, "providers": 2.0})
	n := tf.importAll()
	out := tf.must("apply", step) // a plan over everything, as it was read
	if want := fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed", n); !strings.Contains(out, want) {
		t.Errorf("the import of what is there does not end in %q: %s", want, out)
	}
	tf.must("destroy", step, all)
	users, e1 := s.Users(ctx, center.UserQuery{})
	groups, e2 := s.Groups(ctx, center.GroupQuery{})
	sets, e3 := s.PermissionSets(ctx, center.PermissionSetQuery{})
	applications, e4 := s.Applications(ctx, "", 0)
	if err := errors.Join(e1, e2, e3, e4); err != nil || len(users)+len(groups)+len(sets)+len(applications) > 0 {
		t.Errorf("what is left: %v %v %v %v, %v", users, groups, sets, applications, err)
	}
}

// seen checks what the data sources saw.
func (tf *terraform) seen(want map[string]any) {
	tf.t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(tf.must("output", "-json", "seen")), &got); err != nil {
		tf.t.Fatal(err)
	}
	for k, v := range want {
		if got[k] != v {
			tf.t.Errorf("the data source of %s saw %v, want %v", k, got[k], v)
		}
	}
}

// importAll forgets the state, and has the next apply import every resource that stood in it.
func (tf *terraform) importAll() (n int) {
	tf.t.Helper()
	path := filepath.Join(tf.dir, "terraform.tfstate")
	data, err := os.ReadFile(path) // #nosec G304 -- the test's own
	if err != nil {
		tf.t.Fatal(err)
	}
	var state struct {
		Resources []struct {
			Mode, Type, Name string
			Instances        []struct{ Attributes struct{ ID string } }
		}
	}
	if err := json.Unmarshal(data, &state); err != nil {
		tf.t.Fatal(err)
	}
	var blocks strings.Builder
	for _, r := range state.Resources {
		if r.Mode == "managed" {
			n++
			id := strconv.Quote(r.Instances[0].Attributes.ID)
			fmt.Fprintf(&blocks, "import {\n  to = %s.%s\n  id = %s\n}\n", r.Type, r.Name, id)
		}
	}
	if err := errors.Join(
		os.Remove(path), os.WriteFile(filepath.Join(tf.dir, "import.tf"), []byte(blocks.String()), 0o600),
	); err != nil {
		tf.t.Fatal(err)
	}
	return n
}
