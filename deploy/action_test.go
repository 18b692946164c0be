package deploy_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is action.yml. Source: "Metadata syntax for GitHub Actions".
type action struct {
	Name, Description, Author string
	Branding                  struct{ Icon, Color string }
	Inputs                    map[string]struct {
		Description, Default string
		Required             bool
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Name, If, Shell, Run string
			Env                      map[string]string
		}
	}
}

// readAction reads it; a field that GitHub does not know is a mistake.
func readAction(t *testing.T) (a action) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(read(t, "github-action/action.yml")))
	d.KnownFields(true)
	if err := d.Decode(&a); err != nil {
		t.Fatal(err)
	}
	if a.Runs.Using != "composite" || len(a.Runs.Steps) != 1 || a.Runs.Steps[0].Shell != "bash" {
		t.Fatalf("%+v", a.Runs)
	}
	for name, i := range a.Inputs {
		if i.Description == "" {
			t.Errorf("the input %s is not described", name)
		}
	}
	for name, o := range a.Outputs {
		if o.Description == "" || !strings.Contains(o.Value, "steps."+a.Runs.Steps[0].ID+".outputs."+name+" ") {
			t.Errorf("the output %s is no step's", name)
		}
	}
	return a
}

// runner runs the step of the action as GitHub's runner does.
type runner struct {
	temp string
	env  []string
}

// newRunner fills in the inputs; releases is where the action downloads.
func newRunner(t *testing.T, releases string, inputs map[string]string) (r runner, script string) {
	t.Helper()
	a := readAction(t)
	step := a.Runs.Steps[0]
	r.temp = t.TempDir()
	kind := map[string]string{"amd64": "X64", "arm64": "ARM64"}[runtime.GOARCH]
	r.env = append(os.Environ(), "RUNNER_OS=Linux", "RUNNER_ARCH="+kind, "RUNNER_TEMP="+r.temp)
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH"} {
		r.env = append(r.env, name+"="+r.temp+"/"+name)
		if err := os.WriteFile(r.temp+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expression := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`)
	for name, value := range step.Env {
		if m := expression.FindStringSubmatch(value); m != nil {
			if _, known := a.Inputs[m[1]]; !known {
				t.Errorf("there is no input %s", m[1])
			}
			value = a.Inputs[m[1]].Default
			if given, ok := inputs[m[1]]; ok {
				value = given
			}
		}
		if name == "RELEASES" {
			if value != "https://github.com/gatehouse-id/gatehouse/releases" {
				t.Errorf("it downloads from %s", value)
			}
			value = releases
		}
		r.env = append(r.env, name+"="+value)
	}
	if strings.Contains(step.Run, "${{") {
		t.Error("what somebody writes into an input becomes a part of the script")
	}
	return r, step.Run
}

// run is what the step printed. What it leaves running ends with the test, as with the job.
func (r runner) run(t *testing.T, script string) (out string, err error) {
	t.Helper()
	file := r.temp + "/step.sh"
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	// #nosec G204 -- as the runner does
	cmd := exec.Command("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", file)
	cmd.Env, cmd.Dir = r.env, r.temp
	printedTo, err := os.Create(r.temp + "/printed")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = printedTo, printedTo
	err = cmd.Run()
	t.Cleanup(func() {
		if text, err := os.ReadFile(r.temp + "/gatehouse.pid"); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				_ = syscall.Kill(pid, syscall.SIGTERM)
			}
		}
	})
	printed.WriteString(read(t, r.temp+"/printed"))
	return printed.String(), err
}

// downloads serves a release at the addresses that GitHub has for it.
func downloads(t *testing.T, folder string, spoil func([]byte) []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, "/download/"+version+"/")
		if !ok {
			name, ok = strings.CutPrefix(r.URL.Path, "/latest/download/")
		}
		text, err := os.ReadFile(filepath.Join(folder, filepath.Base(name))) // #nosec G304 -- of the release
		if !ok || err != nil {
			http.NotFound(w, r)
			return
		}
		if strings.HasSuffix(name, ".gz") && spoil != nil {
			text = spoil(text)
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestTheAction runs its step as GitHub's runner does, with a release; then a later step of the job
// asks the pair by the AWS CLI, with what the runner hands to it.
func TestTheAction(t *testing.T) {
	releases := downloads(t, made(t).here, nil)
	free := map[string]string{"center": "127.0.0.1:0", "tenant": "127.0.0.1:0", "version": version}
	r, script := newRunner(t, releases, free)
	out, err := r.run(t, script)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var demo struct {
		Center struct {
			InstanceARN string `json:"instance_arn"`
		}
		People []struct{}
	}
	line, ok := strings.CutPrefix(read(t, r.temp+"/GITHUB_OUTPUT"), "demo=")
	if err := json.Unmarshal([]byte(line), &demo); err != nil || !ok || len(demo.People) < 20 {
		t.Errorf("%v: %s", err, line)
	}
	later := slices.Concat(r.env, strings.Split(strings.TrimSpace(read(t, r.temp+"/GITHUB_ENV")), "\n"))
	later = append(later, "PATH="+strings.TrimSpace(read(t, r.temp+"/GITHUB_PATH"))+":/usr/bin:/bin", "HOME="+r.temp)
	// Debian's CLI is older than the variable with the endpoint, 2.13
	step := `
test "$(jq -r '.people | length' "$GATEHOUSE_DEMO")" -ge 20
gatehouse version
aws --endpoint-url "$AWS_ENDPOINT_URL" sso-admin list-instances
`
	cmd := exec.Command("bash", "-e", "-c", step)
	cmd.Env = later
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), demo.Center.InstanceARN) ||
		!strings.Contains(string(text), version) {
		t.Errorf("%v: %s", err, text)
	}
	// the newest release, and no variables
	delete(free, "version")
	free["aws-variables"] = "false"
	r, script = newRunner(t, releases, free)
	if out, err := r.run(t, script); err != nil || strings.Contains(read(t, r.temp+"/GITHUB_ENV"), "AWS_") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestWhatTheActionRefuses: each ends the step, and starts nothing.
func TestWhatTheActionRefuses(t *testing.T) {
	folder := made(t).here
	spoiled := func(text []byte) []byte { return append(bytes.Clone(text), 'x') }
	for name, c := range map[string]struct {
		spoil  func([]byte) []byte
		inputs map[string]string
		env    string
		want   string
	}{
		"a download that was changed": {spoil: spoiled, want: "FAILED"},
		"no such version":             {inputs: map[string]string{"version": "v9.9.9"}, want: "404"},
		"no such machine":             {env: "RUNNER_OS=Plan9", want: "no release for Plan9"},
		"an address that is refused":  {inputs: map[string]string{"center": "0.0.0.0:0"}, want: "has not started"},
		"a version that is a command": {inputs: map[string]string{"version": `$(touch pwned)`}, want: "curl: (3)"},
	} {
		r, script := newRunner(t, downloads(t, folder, c.spoil), c.inputs)
		r.env = append(r.env, c.env)
		out, err := r.run(t, script)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		_ = filepath.WalkDir(r.temp, func(path string, _ fs.DirEntry, _ error) error {
			if filepath.Base(path) == "pwned" {
				t.Errorf("%s: it was carried out", name)
			}
			return nil
		})
	}
}

// TestTheWorkflows: actionlint reads them, and the action that one of them uses; what they run is
// there.
func TestTheWorkflows(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	lint := []string{"tool", "-modfile=tools/actionlint/go.mod", "actionlint", "-no-color"}
	args := slices.Clone(lint)
	for _, file := range files {
		args = append(args, strings.TrimPrefix(file, "../"))
	}
	if out, err := outcome("go", args...); err != nil {
		t.Error(out)
	}
	scripts := regexp.MustCompile(`(?m)(?:^|\s)(scripts/\w+|\.ci/run)\b`)
	for _, file := range files {
		text := read(t, file)
		if !strings.Contains(text, "\npermissions:") || !strings.Contains(text, "timeout-minutes:") {
			t.Errorf("%s may do everything, or for hours", file)
		}
		for _, script := range scripts.FindAllStringSubmatch(text, -1) {
			if info, err := os.Stat("../" + script[1]); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%s runs %s: %v", file, script[1], err)
			}
		}
	}
	spoiled := filepath.Join(t.TempDir(), "spoiled.yml")
	text := strings.Replace(read(t, "../.github/workflows/ci.yml"), "timeout-minutes", "timeout-minuts", 1)
	if err := os.WriteFile(spoiled, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := outcome("go", append(lint, spoiled)...); err == nil {
		t.Errorf("actionlint takes %s", out)
	}
}

// TestTheModuleForTestcontainers runs its tests with the program of the release: what it reads of a
// container is what the program prints. `make lint` vets it.
func TestTheModuleForTestcontainers(t *testing.T) {
	folder := t.TempDir()
	output(t, "tar", "-xzf", released(t)(".tar.gz"), "-C", folder, "--strip-components=1")
	t.Setenv("GATEHOUSE_PROGRAM", folder+"/gatehouse")
	output(t, "go", "-C", "deploy/testcontainers", "test", "-vet=off", "-count=1", "./...")
}
