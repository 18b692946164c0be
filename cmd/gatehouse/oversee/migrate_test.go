package oversee_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/internal/terraformtest"
)

// migrating is a center with a user and a group, with names that look like expressions, who are to
// be entitled.
func migrating(t *testing.T) (o *office, s *centertest.Server, user, group string) {
	t.Helper()
	o, s = newOffice(t)
	ada := s.NewPerson("ada@example.com")
	set := s.Assigned(ada, "111122223333", "Admin")
	g, e1 := s.CreateGroup(t.Context(), centertest.Actor, center.Group{DisplayName: `Platform ${x} %{y} "z"`})
	_, e2 := s.CreateAssignment(t.Context(), centertest.Actor, center.Assignment{
		AccountID: "111122223333", PermissionSetARN: set.ARN, PrincipalType: center.PrincipalGroup,
		PrincipalID: string(g.ID),
	})
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	return o, s, string(ada.ID), string(g.ID)
}

// TestTerraformTakesAMigration: the real Terraform refuses nothing of it but two types of resources
// that its provider has not got yet. With something else in their place it is applied, against the
// center in AWS's place, and finds the user and the group by their names.
func TestTerraformTakesAMigration(t *testing.T) {
	t.Parallel()
	o, s, user, group := migrating(t)
	out := o.want("aws_accountaccess_application", "access", "migrate", "--to", "account-access", "--terraform")
	if testing.Short() {
		return
	}
	tf := terraformtest.New(t, "aws")
	if tf == nil {
		return
	}
	write := func(name string, content any) {
		t.Helper()
		text, err := json.Marshal(content)
		if err == nil {
			err = os.WriteFile(filepath.Join(tf.Dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	type object = map[string]any
	write("main.tf.json", json.RawMessage(out))
	said, _ := tf.Run("validate", "-json")
	var valid struct {
		Diagnostics []struct{ Severity, Summary, Detail string }
	}
	if err := json.Unmarshal([]byte(said), &valid); err != nil {
		t.Fatal(err, said)
	}
	for _, d := range valid.Diagnostics {
		if d.Severity == "error" && (d.Summary != "Invalid resource type" ||
			!strings.Contains(d.Detail, "aws_accountaccess_")) {
			t.Errorf("Terraform refuses %+v", d)
		}
	}

	var plan struct {
		Provider, Data, Output object
		Resource               map[string]map[string]object
	}
	out = strings.ReplaceAll(out, "aws_accountaccess_application.this.arn", "terraform_data.this.output")
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		t.Fatal(err)
	}
	application := plan.Resource["aws_accountaccess_application"]["this"]
	stand := object{"this": object{"input": application["identity_center_instance_arn"]}}
	for name, e := range plan.Resource["aws_accountaccess_entitlement"] {
		stand[name] = object{"input": e}
	}
	write("main.tf.json", object{
		"provider": plan.Provider, "data": plan.Data, "output": plan.Output,
		"resource": object{"terraform_data": stand},
	})
	admin := s.Admin()
	write("override.tf.json", object{"provider": object{"aws": object{
		"access_key": admin.AccessKeyID, "secret_key": admin.SecretAccessKey,
		"endpoints": object{"ssoadmin": s.URL, "identitystore": s.URL, "sts": s.URL},
	}}})
	tf.Must("apply", "-auto-approve")
	state := tf.Must("show", "-json")
	for _, text := range []string{user, group, s.Instance.ARN, "account-access.amazonaws.com"} {
		if !strings.Contains(state, text) {
			t.Errorf("no %s in %s", text, state)
		}
	}
}

// TestCloudFormationTakesAMigration: moto's CloudFormation, which nobody here wrote, has no account
// access. With a parameter of SSM in the place of each resource, whose value is what the resource
// has, it makes the stack: every reference leads to who is meant, and the output is the statement.
func TestCloudFormationTakesAMigration(t *testing.T) {
	t.Parallel()
	o, s, user, group := migrating(t)
	out := o.want("AWS::AccountAccess::Application", "access", "migrate", "--to", "account-access", "--cloudformation")
	moto := centertest.Moto(t)
	type object = map[string]any
	var template struct {
		AWSTemplateFormatVersion string
		Outputs                  object
		Parameters               map[string]struct{ Type, Description string }
		Resources                map[string]object
	}
	if err := json.Unmarshal([]byte(out), &template); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"Application": s.Instance.ARN}
	for name, r := range template.Resources {
		parts := []any{object{"Ref": "InstanceArn"}}
		if e, ok := r["Properties"].(object)["Entitlement"].(object); ok {
			role := e["PrincipalRole"].(object)
			who := role["Principal"].(object)["IdentityCenter"].(object)
			id, of := user, who["UserId"]
			if of == nil {
				id, of = group, who["GroupId"]
			}
			parts = []any{role["RoleArn"], of}
			values[name] = "arn:aws:iam::111122223333:role/Admin " + id
		}
		template.Resources[name] = object{"Type": "AWS::SSM::Parameter", "Properties": object{
			"Name": name, "Type": "String", "Value": object{"Fn::Join": []any{" ", parts}},
		}}
	}
	text, err := json.Marshal(template)
	file := filepath.Join(t.TempDir(), "account-access.json")
	if err := errors.Join(err, os.WriteFile(file, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	aws := centertest.NewAWSCLI(t, moto, "us-east-1", "AKIAIOSFODNN7EXAMPLE", "secret")
	create := []string{
		"cloudformation", "create-stack", "--stack-name", "access", "--template-body", "file://" + file, "--parameters",
	}
	for name, p := range template.Parameters {
		value := s.Instance.ARN
		switch {
		case strings.Contains(p.Description, "ada@"):
			value = user
		case strings.Contains(p.Description, "Platform"):
			value = group
		}
		create = append(create, "ParameterKey="+name+",ParameterValue="+value)
	}
	aws.Run(nil, create...)
	for name, want := range values {
		var made struct{ Parameter struct{ Value string } }
		if aws.Run(&made, "ssm", "get-parameter", "--name", name); made.Parameter.Value != want {
			t.Errorf("%s is %q, and not %q", name, made.Parameter.Value, want)
		}
	}
	var stacks struct {
		Stacks []struct {
			Outputs []struct{ OutputValue string }
		}
	}
	aws.Run(&stacks, "cloudformation", "describe-stacks", "--stack-name", "access")
	var statement struct {
		Condition struct{ StringEquals map[string]string }
	}
	if len(stacks.Stacks) != 1 || len(stacks.Stacks[0].Outputs) != 1 ||
		json.Unmarshal([]byte(stacks.Stacks[0].Outputs[0].OutputValue), &statement) != nil ||
		statement.Condition.StringEquals["aws:SourceArn"] != "Application" {
		t.Errorf("the output is %+v", stacks)
	}
}
