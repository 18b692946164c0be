package server_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/orgserver"
	"github.com/gatehouse-id/gatehouse/center/sso"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/center/ssooidc"
	"github.com/gatehouse-id/gatehouse/center/sts"
)

var update = flag.Bool("update", false, "write docs/sso-admin.md")

// model is what a module of the AWS SDK for Go says of a service: its schemas, its validators and
// its enums, which are generated from the service model. The modules have no bounds and patterns.
type model struct {
	module, version, api string // version is the module's
	operations           map[string]operationOfModel
	shapes               map[string]*shapeOfModel
}

type operationOfModel struct{ input, output string }

type shapeOfModel struct {
	kind     string
	members  map[string]string // names of shapes, by the names on the wire
	required []string
	enum     []string
}

var (
	schemaLine = regexp.MustCompile(
		`var _?\w+ = smithy\.NewSchema\(smithy\.ShapeID\{\s*Namespace: "[^"]+",\s*Name: +"(\w+)",\s*\}, smithy\.ShapeType(\w+)`,
	)
	memberLine    = regexp.MustCompile(`\w+ = _?(\w+)\.AddMember\("(\w+)", ([\w.]+)(.*)\)\n`)
	onTheWire     = regexp.MustCompile(`HTTP(?:Query|Header)\{Name: "([^"]+)"`)
	versionLine   = regexp.MustCompile(`NewServiceSchema\(_\w+, "([^"]+)"\)`)
	operationLine = regexp.MustCompile(`NewOperationSchema\(schemas\.(\w+), (?:schemas\.)?(\w+), (?:schemas\.)?(\w+)\)`)
	validatorLine = regexp.MustCompile(`(?s)\nfunc validate(?:Op)?\w+\(v \*?(?:types\.)?(\w+)\) error \{(.*?)\n\}`)
	requiredLine  = regexp.MustCompile(`NewErrParamRequired\("(\w+)"\)`)
	enumLine      = regexp.MustCompile(`\t\w+ +(\w+) += "([^"]+)"`)
)

// read reads the model of a module in the version that is in use.
func read(t *testing.T, name string) model {
	t.Helper()
	m := model{module: "github.com/aws/aws-sdk-go-v2/service/" + name}
	out, err := exec.Command( // #nosec G204 -- a module of go.mod
		"go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", m.module,
	).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", m.module, err)
	}
	dir := ""
	if _, err := fmt.Sscan(string(out), &m.version, &dir); err != nil {
		t.Fatal(err)
	}
	file := func(path string) string {
		data, err := os.ReadFile(filepath.Join(dir, path)) // #nosec G304 -- of the module
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(data)
	}
	m.readSchemas(file("schemas/schemas.go"))
	inputs, err := filepath.Glob(filepath.Join(dir, "api_op_*.go"))
	if err != nil || len(inputs) == 0 {
		t.Fatalf("%s has no operations: %v", m.module, err)
	}
	m.operations = map[string]operationOfModel{}
	for _, path := range inputs {
		name := filepath.Base(path)
		found := operationLine.FindStringSubmatch(file(name))
		if found == nil {
			t.Fatalf("%s: %s has no operation", m.module, name)
		}
		m.operations[found[1]] = operationOfModel{found[2], found[3]}
	}
	m.readValidators(file("validators.go"))
	for _, found := range enumLine.FindAllStringSubmatch(file("types/enums.go"), -1) {
		if s := m.shapes[found[1]]; s != nil {
			s.enum = append(s.enum, found[2])
		}
	}
	return m
}

// readValidators reads which members are required.
func (m *model) readValidators(text string) {
	for _, found := range validatorLine.FindAllStringSubmatch(text, -1) {
		name, isInput := strings.CutSuffix(found[1], "Input")
		if op, ok := m.operations[name]; ok && isInput {
			name = op.input
		} else {
			name = found[1]
		}
		s := m.shapes[name]
		for _, required := range requiredLine.FindAllStringSubmatch(found[2], -1) {
			if s != nil {
				s.required = append(s.required, required[1])
			}
		}
	}
}

func (m *model) readSchemas(text string) {
	m.shapes = map[string]*shapeOfModel{}
	for _, found := range schemaLine.FindAllStringSubmatch(text, -1) {
		m.shapes[found[1]] = &shapeOfModel{kind: found[2], members: map[string]string{}}
	}
	for _, found := range memberLine.FindAllStringSubmatch(text, -1) {
		s, name := m.shapes[found[1]], found[2]
		if wire := onTheWire.FindStringSubmatch(found[4]); wire != nil {
			name = wire[1]
		}
		if s != nil && s.kind != "Enum" {
			s.members[name] = strings.TrimPrefix(found[3], "_")
		}
	}
	if found := versionLine.FindStringSubmatch(text); found != nil {
		m.api = found[1]
	}
}

// kindsOfModel are the kinds that a value of a door's shape may have in the model.
var kindsOfModel = map[awsapi.Kind][]string{
	awsapi.Document:  {"Document"},
	awsapi.String:    {"String", "Enum"},
	awsapi.Integer:   {"Integer"},
	awsapi.Number:    {"Double", "Timestamp", "Long", "Float"},
	awsapi.Boolean:   {"Boolean"},
	awsapi.Structure: {"Structure", "Union"},
	awsapi.List:      {"List"},
	awsapi.Map:       {"Map"},
}

// compare lists how a door's shape differs from the model's.
func (m *model) compare(at, name string, has *awsapi.Shape) (differences []string) {
	kind := strings.TrimPrefix(name, "smithyprelude.")
	want := m.shapes[name]
	if want != nil {
		kind = want.kind
	}
	if has == nil {
		return []string{at + " is not known"}
	}
	if !slices.Contains(kindsOfModel[has.Kind], kind) {
		return []string{fmt.Sprintf("%s is a %s in the model", at, kind)}
	}
	if want == nil {
		return nil
	}
	switch has.Kind {
	case awsapi.Structure:
		for _, member := range slices.Sorted(maps.Keys(want.members)) {
			differences = append(differences, m.compare(at+"."+member, want.members[member], has.Members[member])...)
		}
		for _, member := range slices.Sorted(maps.Keys(has.Members)) {
			if want.members[member] == "" {
				differences = append(differences, at+"."+member+" is not in the model")
			}
		}
		differences = append(differences, differ(at+" requires", want.required, has.Required)...)
	case awsapi.List:
		return m.compare(at+"[]", want.members["member"], has.Of)
	case awsapi.Map:
		return append(
			m.compare(at+".key", want.members["key"], has.Key),
			m.compare(at+".value", want.members["value"], has.Of)...,
		)
	case awsapi.String:
		return differ(at+" may be", want.enum, has.Enum)
	default:
	}
	return differences
}

// differ compares two sets of words.
func differ(what string, want, has []string) []string {
	want, has = slices.Clone(want), slices.Clone(has)
	slices.Sort(want)
	slices.Sort(has)
	if slices.Equal(want, has) {
		return nil
	}
	return []string{fmt.Sprintf("%s %v, in the model %v", what, has, want)}
}

// fields are the names on the wire of a type's fields, also of those of embedded types.
func fields(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			continue
		case name == "":
			name = f.Name
		}
		all[name] = f.Type
	}
	return all
}

// answers lists the members of an answer that the door never gives. What a type does not say is not
// looked at.
func (m *model) answers(at, name string, has reflect.Type) (never []string) {
	for has.Kind() == reflect.Pointer || has.Kind() == reflect.Slice {
		has = has.Elem()
	}
	want := m.shapes[name]
	for want != nil && want.kind == "List" {
		want = m.shapes[want.members["member"]]
	}
	if want == nil || want.kind != "Structure" || has.Kind() != reflect.Struct {
		return nil
	}
	given := fields(has)
	for _, member := range slices.Sorted(maps.Keys(want.members)) {
		if given[member] == nil {
			never = append(never, at+"."+member)
		} else {
			never = append(never, m.answers(at+"."+member, want.members[member], given[member])...)
		}
	}
	return never
}

// known is what a door knows of a service.
type known struct {
	module string
	inputs map[string]*awsapi.Shape
	output map[string]reflect.Type
	// some says that the door is to have some operations only.
	some bool
	// named says that of the members only the names are known.
	named bool
}

func ofService(module string, s awsapi.Service) known {
	k := known{module: module, inputs: map[string]*awsapi.Shape{}, output: map[string]reflect.Type{}}
	for _, op := range s.Operations {
		k.inputs[op.Name], k.output[op.Name] = op.Input, op.Output
	}
	return k
}

// ofNames is what is known where a door has no shapes.
func ofNames(module string, inputs map[string][]string) known {
	k := known{module: module, inputs: map[string]*awsapi.Shape{}, named: true}
	for name, members := range inputs {
		k.inputs[name] = awsapi.StructureOf(awsapi.Members{})
		for _, member := range members {
			k.inputs[name].Members[member] = &awsapi.Shape{}
		}
	}
	return k
}

// doors are the AWS services of a center.
func doors() []known {
	none := &center.Center{}
	organizations := ofService("organizations", (&orgserver.Handler{Center: none}).Service())
	organizations.some = true
	portal := map[string][]string{}
	for name, parameters := range sso.Parameters {
		portal[name] = append(slices.Clone(parameters), "x-amz-sso_bearer_token")
	}
	programs := map[string][]string{}
	for name, in := range ssooidc.Inputs {
		programs[name] = slices.Collect(maps.Keys(fields(in)))
	}
	oidc := ofNames("ssooidc", programs)
	tokens := known{module: "sts", inputs: map[string]*awsapi.Shape{}}
	for name, op := range (&sts.Handler{Center: none}).Service().Operations {
		tokens.inputs[name] = op.Input
	}
	return []known{
		ofService("ssoadmin", (&ssoadmin.Handler{Center: none}).Service()),
		ofService("identitystore", (&identitystore.Handler{Center: none}).Service()),
		ofNames("sso", portal), oidc, organizations, tokens,
	}
}

// differences compares a door with the model.
func (k known) differences(m model) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(m.operations)) {
		input, ok := k.inputs[name]
		switch op := m.operations[name]; {
		case !ok && k.some:
		case !ok:
			list = append(list, name+" is not known")
		case k.named && m.shapes[op.input] != nil:
			list = append(list, differ(
				name+" knows", slices.Collect(maps.Keys(m.shapes[op.input].members)),
				slices.Collect(maps.Keys(input.Members)),
			)...)
		case !k.named && op.input == "nil":
			list = append(list, differ(name+" knows", nil, slices.Collect(maps.Keys(input.Members)))...)
		case !k.named:
			list = append(list, m.compare(name, op.input, input)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.inputs)) {
		if _, ok := m.operations[name]; !ok {
			list = append(list, name+" is not in the model")
		}
	}
	return list
}

// neverAnswered are members of answers that a center has nothing for: there is no KMS, nothing
// fails slowly, some lists have one page only, and accounts are known without their history.
var neverAnswered = []string{
	"ssoadmin CreateInstance.InstanceArn",
	"ssoadmin DescribeApplicationProvider.DisplayData.IconUrl",
	"ssoadmin DescribeApplicationProvider.ResourceServerConfig",
	"ssoadmin DescribeInstance.EncryptionConfigurationDetails.EncryptionStatusReason",
	"ssoadmin DescribeInstance.EncryptionConfigurationDetails.KmsKeyArn",
	"ssoadmin DescribeInstance.StatusReason",
	"ssoadmin DescribeInstanceAccessControlAttributeConfiguration.StatusReason",
	"ssoadmin ListApplicationAuthenticationMethods.NextToken",
	"ssoadmin ListApplicationGrants.NextToken",
	"ssoadmin ListApplicationProviders.ApplicationProviders.DisplayData.IconUrl",
	"ssoadmin ListApplicationProviders.ApplicationProviders.ResourceServerConfig",
	"ssoadmin ListInstances.Instances.StatusReason",
	"ssoadmin ListInstances.NextToken",
	"ssoadmin ListTagsForResource.NextToken",
	"identitystore ListIdentityStores.NextToken",
	"organizations DescribeAccount.Account.JoinedMethod",
	"organizations DescribeAccount.Account.JoinedTimestamp",
	"organizations DescribeOrganization.Organization.AvailablePolicyTypes.Status",
	"organizations DescribeOrganization.Organization.AvailablePolicyTypes.Type",
	"organizations ListAWSServiceAccessForOrganization.NextToken",
	"organizations ListAccounts.Accounts.JoinedMethod",
	"organizations ListAccounts.Accounts.JoinedTimestamp",
	"organizations ListAccountsForParent.Accounts.JoinedMethod",
	"organizations ListAccountsForParent.Accounts.JoinedTimestamp",
	"organizations ListParents.NextToken",
	"organizations ListRoots.NextToken",
	"organizations ListRoots.Roots.PolicyTypes.Status",
	"organizations ListRoots.Roots.PolicyTypes.Type",
	"organizations ListTagsForResource.NextToken",
}

// TestTheDoorsKnowTheModels compares every AWS door with the SDK's modules: operations, members,
// kinds, required members and enums, and the members of answers. `make models` runs it with the
// newest modules, for which docs/sso-admin.md was not written.
func TestTheDoorsKnowTheModels(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("# Operations of AWS's services\n\nMade from the code by `go test ./center/server -run " +
		"TestTheDoorsKnowTheModels -update`. Each input is compared with the SDK's\nmodule: its members, their " +
		"kinds, which of them are required, and enums. The modules have no bounds and patterns; those come from the\n" +
		"API reference. `make models` compares with the newest modules, prints each difference, and fails when " +
		"there is one.\n")
	var never []string
	for _, door := range doors() {
		m := read(t, door.module)
		for _, difference := range door.differences(m) {
			t.Errorf("%s %s: %s", door.module, m.version, difference)
		}
		door.document(&doc, m)
		for _, name := range slices.Sorted(maps.Keys(door.output)) {
			never = append(never, m.answers(door.module+" "+name, m.operations[name].output, door.output[name])...)
		}
	}
	for _, member := range never {
		if !slices.Contains(neverAnswered, member) {
			t.Errorf("%s is never answered", member)
		}
	}
	for _, member := range neverAnswered {
		if !slices.Contains(never, member) {
			t.Errorf("%s is answered, or is not in the model", member)
		}
	}
	if os.Getenv("GATEHOUSE_MODELS") == "newest" {
		return
	}
	const path = "../../docs/sso-admin.md"
	if *update {
		if err := os.WriteFile(path, []byte(doc.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != doc.String() {
		t.Errorf("%s is not what the code is (%v): go test ./center/server -run %s -update", path, err, t.Name())
	}
}

// document writes the table of a service.
func (k known) document(doc *strings.Builder, m model) {
	fmt.Fprintf(doc, "\n## %s\n\nModel %s of `service/%s` %s: %d of %d operations answer.\n\n",
		k.module, m.api, k.module, m.version, len(k.inputs), len(m.operations))
	doc.WriteString("| operation | required | in pages |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(k.inputs)) {
		var required []string
		if s := m.shapes[m.operations[name].input]; s != nil {
			required = s.required
		}
		pages := ""
		for _, member := range []string{"MaxResults", "max_result"} {
			if k.inputs[name].Members[member] != nil {
				pages = "yes"
			}
		}
		fmt.Fprintf(doc, "| %s | %s | %s |\n", name, strings.Join(required, ", "), pages)
	}
}
