package iam_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/iam"
	"github.com/gatehouse-id/gatehouse/internal/terraformtest"
)

// denialOf is the denial of a person with an awkward name in roles of two accounts, of which moto
// is the second.
func denialOf(t *testing.T) iam.Denial {
	t.Helper()
	policy, err := center.DenyRevoked([]center.RoleRevocation{{Name: "ada+${aws:username}%{x}@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	return iam.Denial{Policy: policy, Roles: map[string][]string{
		"999988887777": {"Elsewhere"}, "123456789012": {"Reader", "Writer"},
	}}
}

// TestTheDenialIsDeployedWithCloudFormation: one template adds the policy to the roles of the
// stack's own account, word for word, and deleting the stack takes it back.
func TestTheDenialIsDeployedWithCloudFormation(t *testing.T) {
	t.Parallel()
	d := denialOf(t)
	template, err := d.CloudFormation()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "deny.json")
	if err := os.WriteFile(file, template, 0o600); err != nil {
		t.Fatal(err)
	}
	aws := centertest.NewAWSCLI(t, centertest.Moto(t), "us-east-1", "AKIAIOSFODNN7EXAMPLE", "secret")
	for _, role := range d.Roles["123456789012"] {
		aws.Run(nil, "iam", "create-role", "--role-name", role, "--assume-role-policy-document", "{}")
	}
	aws.Run(nil, "cloudformation", "create-stack", "--stack-name", "deny", "--template-body", "file://"+file,
		"--capabilities", "CAPABILITY_IAM")
	for _, role := range d.Roles["123456789012"] {
		var got struct{ PolicyDocument json.RawMessage }
		aws.Run(&got, "iam", "get-role-policy", "--role-name", role, "--policy-name", "GatehouseRevokedSessions")
		if !sameJSON(t, got.PolicyDocument, []byte(d.Policy)) {
			t.Errorf("%s has %s, want %s", role, got.PolicyDocument, d.Policy)
		}
	}
	aws.Run(nil, "cloudformation", "delete-stack", "--stack-name", "deny")
	aws.Fails("NoSuchEntity", "iam", "get-role-policy", "--role-name", "Reader", "--policy-name",
		"GatehouseRevokedSessions")
}

// TestTheDenialIsDeployedWithTerraform: the same by the real Terraform.
func TestTheDenialIsDeployedWithTerraform(t *testing.T) {
	t.Parallel()
	d := denialOf(t)
	text, err := d.Write("terraform")
	if err != nil {
		t.Fatal(err)
	}
	moto := centertest.Moto(t)
	tf := terraformtest.New(t, "aws")
	if tf == nil {
		return
	}
	provider := `{"provider":{"aws":{"region":"us-east-1","access_key":"AKIAIOSFODNN7EXAMPLE","secret_key":"secret",` +
		`"endpoints":{"iam":"` + moto + `","sts":"` + moto + `"}}}}`
	for name, content := range map[string]string{"deny.tf.json": string(text), "provider.tf.json": provider} {
		if err := os.WriteFile(filepath.Join(tf.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	aws := centertest.NewAWSCLI(t, moto, "us-east-1", "AKIAIOSFODNN7EXAMPLE", "secret")
	for _, role := range d.Roles["123456789012"] {
		aws.Run(nil, "iam", "create-role", "--role-name", role, "--assume-role-policy-document", "{}")
	}
	if out, code := tf.Run("apply", "-auto-approve"); code != 0 || !strings.Contains(out, "2 added") {
		t.Fatalf("apply: %d %s", code, out)
	}
	var got struct{ PolicyDocument json.RawMessage }
	aws.Run(&got, "iam", "get-role-policy", "--role-name", "Writer", "--policy-name", "GatehouseRevokedSessions")
	if !sameJSON(t, got.PolicyDocument, []byte(d.Policy)) {
		t.Errorf("the role has %s, want %s", got.PolicyDocument, d.Policy)
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}
