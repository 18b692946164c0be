package examples

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// calls is what the AWS provider calls for each type of resource: the operation that makes it, and
// what it exports of the answer.
var calls = map[string]struct {
	service, operation string
	exports            map[string]string // attribute: path in the answer
}{
	"aws_identitystore_user":             {"identitystore", "create-user", map[string]string{"user_id": "UserId"}},
	"aws_identitystore_group":            {"identitystore", "create-group", map[string]string{"group_id": "GroupId"}},
	"aws_identitystore_group_membership": {"identitystore", "create-group-membership", nil},
	"aws_ssoadmin_permission_set": {
		"sso-admin", "create-permission-set", map[string]string{"arn": "PermissionSet.PermissionSetArn"},
	},
	"aws_ssoadmin_managed_policy_attachment": {"sso-admin", "attach-managed-policy-to-permission-set", nil},
	"aws_ssoadmin_account_assignment":        {"sso-admin", "create-account-assignment", nil},
}

// terraform applies the example's file without Terraform and its provider, which no registry here
// has: it evaluates the resources in the order of the file and makes each by the call of the API.
type terraform struct {
	t        *testing.T
	env      []string
	endpoint string
	context  *hcl.EvalContext
	made     map[string]int // resources by type
}

func (tf *terraform) aws(service, operation string, input any) cty.Value {
	tf.t.Helper()
	data, err := json.Marshal(input)
	if err != nil {
		tf.t.Fatal(err)
	}
	out := run(tf.t, ".", tf.env, "aws", service, operation, "--cli-input-json", string(data),
		"--endpoint-url", tf.endpoint, "--output", "json")
	if out == "" {
		return cty.EmptyObjectVal
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		tf.t.Fatalf("aws %s %s: %v: %s", service, operation, err, out)
	}
	return toCty(answer)
}

func toCty(v any) cty.Value {
	switch v := v.(type) {
	case map[string]any:
		object := map[string]cty.Value{}
		for name, member := range v {
			object[name] = toCty(member)
		}
		return cty.ObjectVal(object)
	case []any:
		var list []cty.Value
		for _, member := range v {
			list = append(list, toCty(member))
		}
		return cty.TupleVal(list)
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	}
	return cty.StringVal(fmt.Sprint(v))
}

// evaluate is the value of an expression, each being what for_each gives.
func (tf *terraform) evaluate(e hcl.Expression, each map[string]cty.Value) cty.Value {
	tf.t.Helper()
	context := tf.context.NewChild()
	context.Variables = each
	value, problems := e.Value(context)
	if problems.HasErrors() {
		tf.t.Fatal(problems)
	}
	return value
}

// camel turns Terraform's name of an argument into the API's: instance_arn, InstanceArn.
func camel(name string) string {
	var out strings.Builder
	up := true
	for _, r := range name {
		if r == '_' {
			up = true
			continue
		}
		if up {
			r = unicode.ToUpper(r)
		}
		up = false
		out.WriteRune(r)
	}
	return out.String()
}

// input is the request for a resource's body.
func (tf *terraform) input(kind string, body *hclsyntax.Body, each map[string]cty.Value) map[string]any {
	in := map[string]any{}
	for name, attribute := range body.Attributes {
		if name == "for_each" {
			continue
		}
		value := tf.evaluate(attribute.Expr, each)
		switch {
		case name == "member_id":
			in["MemberId"] = map[string]any{"UserId": value.AsString()}
		case value.Type() == cty.Bool:
			in[camel(name)] = value.True()
		default:
			in[camel(name)] = value.AsString()
		}
	}
	for _, block := range body.Blocks {
		inner := tf.input(kind, block.Body, each)
		if block.Type == "name" {
			in["Name"] = inner
			continue
		}
		list, _ := in[camel(block.Type)].([]any)
		in[camel(block.Type)] = append(list, inner)
	}
	return in
}

// resource makes what a block of the file asks for, once for each key of for_each.
func (tf *terraform) resource(block *hclsyntax.Block) map[string]cty.Value {
	tf.t.Helper()
	kind := block.Labels[0]
	call, ok := calls[kind]
	if !ok {
		tf.t.Fatalf("nothing is known of %s", kind)
	}
	all := map[string]cty.Value{}
	for key, value := range tf.evaluate(block.Body.Attributes["for_each"].Expr, nil).AsValueMap() {
		each := map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{
			"key": cty.StringVal(key), "value": value,
		})}
		answer := tf.aws(call.service, call.operation, tf.input(kind, block.Body, each))
		exported := map[string]cty.Value{}
		for attribute, path := range call.exports {
			value := answer
			for name := range strings.SplitSeq(path, ".") {
				value = value.GetAttr(name)
			}
			exported[attribute] = value
		}
		all[key] = cty.ObjectVal(exported)
		tf.made[kind]++
	}
	return all
}

// locals evaluates the locals of a block in an order in which each knows those that it names.
func (tf *terraform) locals(body *hclsyntax.Body) {
	tf.t.Helper()
	known := map[string]cty.Value{}
	waiting := maps.Clone(body.Attributes)
	for len(waiting) > 0 {
		before := len(waiting)
		for name, attribute := range waiting {
			ready := !slices.ContainsFunc(attribute.Expr.Variables(), func(traversal hcl.Traversal) bool {
				if traversal.RootName() != "local" {
					return false
				}
				step, ok := traversal[1].(hcl.TraverseAttr)
				return ok && known[step.Name] == cty.NilVal
			})
			if ready {
				known[name] = tf.evaluate(attribute.Expr, nil)
				tf.context.Variables["local"] = cty.ObjectVal(known)
				delete(waiting, name)
			}
		}
		if len(waiting) == before {
			tf.t.Fatalf("locals that need each other: %v", slices.Sorted(maps.Keys(waiting)))
		}
	}
}

func TestTheTerraformExample(t *testing.T) {
	file, problems := hclparse.NewParser().ParseHCLFile("terraform/main.tf")
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	d := startDemo(t)
	tf := &terraform{
		t:        t,
		env:      environment(t, d.awsVariables()...),
		endpoint: d.Center.URL,
		made:     map[string]int{},
		context: &hcl.EvalContext{
			Variables: map[string]cty.Value{},
			Functions: map[string]function.Function{"join": stdlib.JoinFunc, "merge": stdlib.MergeFunc},
		},
	}
	tf.context.Variables["var"] = cty.ObjectVal(map[string]cty.Value{
		"center_url": cty.StringVal(d.Center.URL),
		"accounts": cty.MapVal(map[string]cty.Value{
			"staging":    cty.StringVal(d.Accounts[0].ID),
			"production": cty.StringVal(d.Accounts[1].ID),
		}),
	})
	resources := map[string]map[string]cty.Value{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		switch block.Type {
		case "provider":
			endpoints := block.Body.Blocks[0].Body.Attributes
			if got := tf.evaluate(endpoints["ssoadmin"].Expr, nil).AsString(); got != d.Center.URL {
				t.Errorf("the provider's endpoint is %s", got)
			}
		case "data":
			instance := tf.aws(
				"sso-admin", "list-instances", map[string]any{},
			).GetAttr("Instances").Index(cty.NumberIntVal(0))
			tf.context.Variables["data"] = cty.ObjectVal(map[string]cty.Value{
				block.Labels[0]: cty.ObjectVal(map[string]cty.Value{block.Labels[1]: cty.ObjectVal(map[string]cty.Value{
					"arns":               cty.TupleVal([]cty.Value{instance.GetAttr("InstanceArn")}),
					"identity_store_ids": cty.TupleVal([]cty.Value{instance.GetAttr("IdentityStoreId")}),
				})}),
			})
		case "locals":
			tf.locals(block.Body)
		case "resource":
			kind := block.Labels[0]
			if resources[kind] == nil {
				resources[kind] = map[string]cty.Value{}
			}
			resources[kind][block.Labels[1]] = cty.ObjectVal(tf.resource(block))
			tf.context.Variables[kind] = cty.ObjectVal(resources[kind])
		}
	}
	want := map[string]int{
		"aws_identitystore_user": 3, "aws_identitystore_group": 3, "aws_identitystore_group_membership": 4,
		"aws_ssoadmin_permission_set": 3, "aws_ssoadmin_managed_policy_attachment": 3,
		"aws_ssoadmin_account_assignment": 5,
	}
	if !maps.Equal(tf.made, want) {
		t.Errorf("made %v, want %v", tf.made, want)
	}
	var statuses struct{ AccountAssignmentsCreationStatus []struct{ Status string } }
	out := run(t, ".", tf.env, "aws", "sso-admin", "list-account-assignment-creation-status",
		"--endpoint-url", d.Center.URL, "--instance-arn", d.Center.InstanceARN, "--filter", "Status=FAILED", "--output",
		"json")
	if err := json.Unmarshal([]byte(out), &statuses); err != nil || len(statuses.AccountAssignmentsCreationStatus) > 0 {
		t.Errorf("assignments that failed: %s, %v", out, err)
	}
}

// demo is what the test reads of `gatehouse demo --json`.
type demo struct {
	Center struct {
		URL         string `json:"url"`
		InstanceARN string `json:"instance_arn"`
	} `json:"center"`
	AWS struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
		Region          string `json:"region"`
	} `json:"aws"`
	Accounts []struct {
		ID string `json:"id"`
	} `json:"accounts"`
}

func (d demo) awsVariables() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + d.AWS.SecretAccessKey, "AWS_REGION=" + d.AWS.Region,
		"AWS_DEFAULT_REGION=" + d.AWS.Region, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
	}
}

// startDemo starts the demo unconnected, so that the console's directory is the center's own.
func startDemo(t *testing.T) (d demo) {
	t.Helper()
	cmd := command(".", environment(t), "gatehouse",
		"demo", "--json", "--no-connect", "--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo: %v", err)
		}
	})
	if err := json.NewDecoder(out).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}
