package ssoadmin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/internal/terraformtest"
)

type terraformer struct {
	*terraformtest.Terraform

	t *testing.T
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
	tf := terraformer{terraformtest.New(t, "aws"), t}
	if tf.Terraform == nil {
		return
	}
	tf.Env = append(tf.Env, "AWS_ACCESS_KEY_ID="+key.ID, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey.Reveal(),
		"TF_VAR_center_url="+s.URL, "TF_VAR_account=111122223333")
	config, err := os.ReadFile("testdata/terraform/main.tf")
	if err == nil {
		err = os.WriteFile(filepath.Join(tf.Dir, "main.tf"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	const step, all = "-auto-approve", "-parallelism=30" // the provider waits more than it works
	tf.Must("apply", step, all)
	tf.seen(map[string]any{"user": "Ada Lovelace", "group": true, "users": 2.0, "groups": 1.0, "members": 1.0,
		"duration": "PT60M", "sets": 2.0, "application": "Wiki", "assigned": 1.0, "of_ada": 2.0, "providers": 2.0})
	if out, code := tf.Run("plan", "-no-color", "-detailed-exitcode"); code != 0 {
		t.Errorf("the plan after the apply is not empty (exit code %d): %s", code, out)
	}
	tf.Env = append(tf.Env, "TF_VAR_changed=true")
	tf.Must("apply", step, all)
	tf.seen(map[string]any{"user": "Ada King", "group": true, "users": 2.0, "groups": 1.0, "members": 1.0,
		"duration": "PT120M", "sets": 2.0, "application": "Wiki 2", "assigned": 1.0, "of_ada": 1.0, "providers": 2.0})
	n := tf.importAll()
	out := tf.Must("apply", step) // a plan over everything, as it was read
	if want := fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed", n); !strings.Contains(out, want) {
		t.Errorf("the import of what is there does not end in %q: %s", want, out)
	}
	tf.Must("destroy", step, all)
	users, e1 := s.Users(ctx, center.UserQuery{})
	groups, e2 := s.Groups(ctx, center.GroupQuery{})
	sets, e3 := s.PermissionSets(ctx, center.PermissionSetQuery{})
	applications, e4 := s.Applications(ctx, "", 0)
	if err := errors.Join(e1, e2, e3, e4); err != nil || len(users)+len(groups)+len(sets)+len(applications) > 0 {
		t.Errorf("what is left: %v %v %v %v, %v", users, groups, sets, applications, err)
	}
}

// seen checks what the data sources saw.
func (tf terraformer) seen(want map[string]any) {
	tf.t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(tf.Must("output", "-json", "seen")), &got); err != nil {
		tf.t.Fatal(err)
	}
	for k, v := range want {
		if got[k] != v {
			tf.t.Errorf("the data source of %s saw %v, want %v", k, got[k], v)
		}
	}
}

// importAll forgets the state, and has the next apply import every resource that stood in it.
func (tf terraformer) importAll() (n int) {
	tf.t.Helper()
	path := filepath.Join(tf.Dir, "terraform.tfstate")
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
		os.Remove(path), os.WriteFile(filepath.Join(tf.Dir, "import.tf"), []byte(blocks.String()), 0o600),
	); err != nil {
		tf.t.Fatal(err)
	}
	return n
}
