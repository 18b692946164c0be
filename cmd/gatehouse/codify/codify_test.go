package codify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/codify"
	"github.com/gatehouse-id/gatehouse/terraform"
)

var errDiffers = errors.New("differs")

// run runs the command with the key of a role, and returns what it printed.
func run(t *testing.T, s *centertest.Server, role center.KeyRole, args ...string) (string, error) {
	t.Helper()
	key, err := s.CreateAccessKey(context.Background(), audit.SystemActor, "t", role)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": key.SecretAccessKey.Reveal()}
	var out bytes.Buffer
	other := &cobra.Command{
		Use: "export", SilenceErrors: true, SilenceUsage: true, Args: cobra.MaximumNArgs(1),
		RunE: func(*cobra.Command, []string) error { out.WriteString("other"); return nil },
	}
	other.Flags().Bool("json", false, "")
	cmd := codify.Extend(other, administer.World{Out: &out, Err: &out, Env: func(k string) (string, bool) {
		v, ok := env[k]
		return v, ok
	}}, errDiffers)
	cmd.SetArgs(append([]string{"--center-url", s.URL}, args...))
	err = cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestACenterIsExportedByItsAPI(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	ctx := context.Background()
	p, err := s.CreatePermissionSet(ctx, audit.SystemActor, center.PermissionSet{Name: "Operator"})
	if err != nil {
		t.Fatal(p, err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if out, err := run(t, s, center.RoleReadOnly, "--terraform", dir, "--dry-run"); !errors.Is(err, errDiffers) ||
		!strings.Contains(out, "would change") {
		t.Errorf("a dry run: %v, %s", err, out)
	}
	out, err := run(t, s, center.RoleReadOnly, "--terraform", dir, "--json")
	var summary terraform.Summary
	if err != nil || json.Unmarshal([]byte(out), &summary) != nil ||
		summary.Resources["aws_ssoadmin_permission_set"] != 1 {
		t.Errorf("the export: %v, %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "permission_set_Operator.tf")); err != nil {
		t.Error(err)
	}
	if out, err := run(t, s, center.RoleReadOnly, "--terraform", dir, "--dry-run"); err != nil {
		t.Errorf("a dry run when nothing changed: %v, %s", err, out)
	}
	if out, err := run(t, s, center.RoleReadOnly); err != nil || out != "other" {
		t.Errorf("without --terraform: %v, %s", err, out)
	}
	for _, args := range [][]string{
		{"--people"}, {"--force"}, {"--from", "aws"}, {"--dry-run"}, {"--terraform", dir, "file"},
		{"--terraform", dir, "--from", "azure"},
	} {
		if out, err := run(t, s, center.RoleReadOnly, args...); err == nil || errors.Is(err, errDiffers) {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}
