package examples

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestTheCIExample runs the step Test of the workflow as the runner would: a shell in the folder,
// with the program on the path.
func TestTheCIExample(t *testing.T) {
	data, err := os.ReadFile("ci/sso.yml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Name, Uses, Run string }
		}
	}
	if err := yaml.Unmarshal(data, &workflow); err != nil {
		t.Fatal(err)
	}
	var test, install string
	for _, step := range workflow.Jobs["test"].Steps {
		switch step.Name {
		case "Test":
			test = step.Run
		case "Install Gatehouse":
			install = step.Run
		}
	}
	if test == "" || install != "go install github.com/gatehouse-id/gatehouse/cmd/gatehouse@latest" {
		t.Fatalf("the steps are %+v", workflow.Jobs["test"].Steps)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("ci")); err != nil {
		t.Fatal(err)
	}
	env := environment(t)
	if out := run(t, dir, env, "bash", "-e", "-c", test); !strings.HasPrefix(out, "ok: ") {
		t.Errorf("the test printed %q", out)
	}
	if _, err := os.Stat(dir + "/gatehouse.log"); err == nil {
		t.Error("the log is left after a success")
	}
	// A test that fails makes the step fail, and leaves the log.
	if err := command(dir, env, "bash", "-e", "-c", "./with-gatehouse false").Run(); err == nil {
		t.Error("a failing command makes no failing step")
	}
	if _, err := os.Stat(dir + "/gatehouse.log"); err != nil {
		t.Error(err)
	}
}
