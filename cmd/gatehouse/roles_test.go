package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestAnAccountsRolesAreMadeFromATemplate deploys the template at moto, by the real aws CLI, and
// looks at what it made.
func TestAnAccountsRolesAreMadeFromATemplate(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"GATEHOUSE_CENTER_URL":  d.Center.URL,
	}
	own := newAWS(t, d)
	var sets struct{ PermissionSets []string }
	own.Run(
		&sets, "sso-admin", "list-permission-sets-provisioned-to-account", "--instance-arn", d.Center.InstanceARN,
		"--account-id", "333344445555",
	)
	for _, set := range sets.PermissionSets {
		own.Run(
			nil, "sso-admin", "put-inline-policy-to-permission-set", "--instance-arn", d.Center.InstanceARN,
			"--permission-set-arn", set, "--inline-policy",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*",
				"Resource":"arn:aws:s3:::${aws:PrincipalTag/team}-*"}]}`,
		)
	}
	code, template, errOut := call(t, "", env, "roles", "template", "333344445555", "--role-path", "/gatehouse/")
	var cfn struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal([]byte(template), &cfn); code != 0 || err != nil || len(cfn.Resources) != 4 ||
		cfn.Resources["Provider"].Type != "AWS::IAM::SAMLProvider" {
		t.Fatalf("exit %d, %v: %s%s", code, err, template, errOut)
	}
	code, text, errOut := call(t, "", env, "roles", "template", "333344445555", "--format", "terraform")
	var tf struct {
		Resource map[string]map[string]map[string]any `json:"resource"`
	}
	if err := json.Unmarshal([]byte(text), &tf); code != 0 || err != nil || len(tf.Resource["aws_iam_role"]) != 3 ||
		len(tf.Resource["aws_iam_role_policy_attachment"]) < 3 ||
		!strings.Contains(text, "$${aws:PrincipalTag/team}") {
		t.Errorf("exit %d, %v: %s%s", code, err, text, errOut)
	}
	if code, _, errOut := call(t, "", env, "roles", "template", "999999999999"); code != exitFailed ||
		!strings.Contains(errOut, "not in the center") {
		t.Errorf("an unknown account: exit %d: %s", code, errOut)
	}
	if code, _, _ := call(t, "", env, "roles", "template", "333344445555", "--format", "pulumi"); code != exitFailed {
		t.Errorf("an unknown format: exit %d", code)
	}

	// moto does not attach managed policies by CloudFormation either: that they are named is all
	// that can be seen.
	if arns, _ := cfn.Resources["Role1"].Properties["ManagedPolicyArns"].([]any); len(arns) != 1 ||
		!strings.HasPrefix(arns[0].(string), "arn:aws:iam::aws:policy/") {
		t.Errorf("the policies of the first role are %v", cfn.Resources["Role1"].Properties)
	}
	moto := centertest.Moto(t)
	file := filepath.Join(t.TempDir(), "roles.json")
	// moto knows no SAML providers in CloudFormation: it is left out, and the roles trust its ARN
	// as text.
	delete(cfn.Resources, "Provider")
	kept, err := json.Marshal(map[string]any{"Resources": cfn.Resources})
	if err != nil {
		t.Fatal(err)
	}
	trusting := strings.ReplaceAll(string(kept), `{"Ref":"Provider"}`, `"arn:aws:iam::333344445555:saml-provider/x"`)
	if err := os.WriteFile(file, []byte(trusting), 0o600); err != nil {
		t.Fatal(err)
	}
	aws := newAWS(t, d)
	aws.Endpoint = moto
	aws.Run(
		nil, "cloudformation", "create-stack", "--stack-name", "gatehouse", "--template-body", "file://"+file,
		"--capabilities", "CAPABILITY_NAMED_IAM",
	)
	var stacks struct {
		Stacks []struct{ StackStatus string }
	}
	aws.Run(&stacks, "cloudformation", "describe-stacks", "--stack-name", "gatehouse")
	if len(stacks.Stacks) != 1 || stacks.Stacks[0].StackStatus != "CREATE_COMPLETE" {
		t.Fatalf("the stack is %+v", stacks)
	}
	name := cfn.Resources["Role1"].Properties["RoleName"].(string)
	var got struct {
		Role struct {
			Path                     string
			MaxSessionDuration       int
			AssumeRolePolicyDocument json.RawMessage
		}
	}
	aws.Run(&got, "iam", "get-role", "--role-name", name)
	if got.Role.Path != "/gatehouse/" || got.Role.MaxSessionDuration != 43200 ||
		!strings.Contains(string(got.Role.AssumeRolePolicyDocument), "sts:AssumeRoleWithSAML") {
		t.Errorf("the role is %+v", got.Role)
	}
	var inline struct{ PolicyNames []string }
	aws.Run(&inline, "iam", "list-role-policies", "--role-name", name)
	if len(inline.PolicyNames) != 1 || inline.PolicyNames[0] != "AwsSSOInlinePolicy" {
		t.Errorf("inline policies are %+v", inline)
	}
}
