package terraform_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/terraformtest"
	"github.com/gatehouse-id/gatehouse/terraform"
)

// export reads an organization and writes it into a folder.
func (o *organization) export(dir string, people bool) terraform.Summary {
	o.t.Helper()
	read, err := terraform.Read(o.ctx, terraform.Source{SDK: o.cfg, Unlimited: true, People: people})
	if err != nil {
		o.t.Fatal(err)
	}
	read.Endpoint = o.URL
	s, err := terraform.Write(dir, read, terraform.Options{People: people})
	return must(o.t, s, err)
}

// TestThePlanOfAnExportImportsAndChangesNothing has the real Terraform import everything that an
// organization has, and finds nothing to change, before and after.
func TestThePlanOfAnExportImportsAndChangesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("Terraform takes a minute")
	}
	o := newOrganization(t)
	o.fill()
	dir := filepath.Join(t.TempDir(), "export")
	s := o.export(dir, false)
	tf := terraformtest.New(t, "aws")
	if tf == nil {
		return
	}
	tf.Dir = dir
	tf.Env = append(tf.Env, "AWS_ACCESS_KEY_ID="+o.key.ID, "AWS_SECRET_ACCESS_KEY="+o.key.SecretAccessKey.Reveal())
	if out, code := tf.Run("fmt", "-check", "-diff"); code != 0 {
		t.Errorf("the files are not as terraform fmt writes them: %s", out)
	}
	n := 0
	for _, times := range s.Resources {
		n += times
	}
	out := tf.Must("apply", "-auto-approve", "-parallelism=30")
	if want := fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed", n); !strings.Contains(out, want) {
		t.Errorf("the apply does not end in %q: %s", want, out)
	}
	imports, err := filepath.Glob(filepath.Join(dir, "import_*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range imports {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	// looked up by name, provisioned users and groups must have the ids that are written
	if out, code := tf.Run("plan", "-no-color", "-detailed-exitcode", "-var=look_up_principals=true"); code != 0 {
		t.Errorf("the plan after it is not empty (exit code %d): %s", code, out)
	}
}

// TestAnExportIsMadeAgainElsewhere: without its import blocks it makes the same in another center.
func TestAnExportIsMadeAgainElsewhere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("Terraform takes a minute")
	}
	old, another := newOrganization(t), newOrganization(t)
	old.fill()
	another.accounts()
	dir := filepath.Join(t.TempDir(), "export")
	want := old.export(dir, true)
	tf := terraformtest.New(t, "aws")
	if tf == nil {
		return
	}
	imports, err := filepath.Glob(filepath.Join(dir, "import_*.tf"))
	for _, file := range must(t, imports, err) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	tf.Dir = dir
	tf.Env = append(
		tf.Env, "AWS_ACCESS_KEY_ID="+another.key.ID, "AWS_SECRET_ACCESS_KEY="+another.key.SecretAccessKey.Reveal(),
		"TF_VAR_center_url="+another.URL, "TF_VAR_instance_arn="+*another.instance,
		"TF_VAR_identity_store_id="+*another.storeID,
	)
	tf.Must("apply", "-auto-approve", "-parallelism=30")
	moved := filepath.Join(t.TempDir(), "moved")
	got := another.export(moved, true)
	if !maps.Equal(got.Resources, want.Resources) {
		t.Errorf("it made %v of %v", got.Resources, want.Resources)
	}
	before, after := files(t, dir), files(t, moved)
	words := func(text string) []string { // Terraform sends the members of a policy in another order
		return slices.Sorted(slices.Values(strings.Fields(text)))
	}
	for name, text := range before { // these name nothing by id
		if (strings.HasPrefix(name, "permission_set_") || strings.HasPrefix(name, "groups_")) &&
			!slices.Equal(words(text), words(after[name])) {
			t.Errorf("%s was %s and is %s", name, text, after[name])
		}
	}
}
