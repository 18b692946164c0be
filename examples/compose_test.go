package examples

import (
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composeFile is what the test reads of compose.yaml.
type composeFile struct {
	Services map[string]struct {
		Build struct {
			Context    string
			Dockerfile string
		}
		User        string
		Command     []string
		Environment map[string]string
		Volumes     []string
		ReadOnly    bool `yaml:"read_only"`
	}
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	data, err := os.ReadFile("compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file composeFile
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTheComposeExample runs what the containers would run: prepare, the command lines of the
// compose file with their environment and volumes, seed and connect. There are no containers here,
// so names and ports become this machine's.
func TestTheComposeExample(t *testing.T) {
	file := readCompose(t)
	if names := slices.Sorted(maps.Keys(file.Services)); !slices.Equal(names, []string{"center", "connect", "tenant"}) {
		t.Fatalf("services %q", names)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("compose")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, environment(t), "./prepare")
	run(t, dir, environment(t), "./prepare") // once more changes nothing
	ports := map[string]string{"8443": freePort(t), "8444": freePort(t)}
	here := func(text string) string {
		for from, to := range ports {
			text = strings.ReplaceAll(text, ":"+from, ":"+to)
		}
		// Only this machine can reach them: that is also what lets the tenant ask this machine.
		text = strings.Replace(text, "--listen=:", "--listen=127.0.0.1:", 1)
		return strings.NewReplacer("id.localhost", "localhost", "login.localhost", "localhost").Replace(text)
	}
	// start is the command of a service, its volumes mapped to folders.
	start := func(name string) (env, args []string) {
		service := file.Services[name]
		if !service.ReadOnly || service.User != "${GATEHOUSE_UID}:${GATEHOUSE_GID}" {
			t.Errorf("%s may write its image, or is somebody else: %+v", name, service)
		}
		mapped := func(text string) string {
			for _, volume := range service.Volumes {
				parts := strings.Split(volume, ":")
				text = regexp.MustCompile("(^|=)"+parts[1]+"\\b").ReplaceAllString(
					text, "${1}"+filepath.Join(dir, parts[0]),
				)
			}
			return here(text)
		}
		env = environment(t)
		for key, value := range service.Environment {
			if value != "" {
				env = append(env, key+"="+mapped(value))
			}
		}
		for _, arg := range service.Command {
			args = append(args, mapped(arg))
		}
		return env, args
	}
	for name, port := range map[string]string{"center": "8443", "tenant": "8444"} {
		env, args := start(name)
		serve(t, "127.0.0.1:"+ports[port], command(dir, env, "gatehouse", args...))
	}
	if out := run(t, dir, environment(t), "./seed"); !strings.Contains(out, "ada@example.com") {
		t.Errorf("seed printed %q", out)
	}
	// In place of `docker compose run --rm connect`: the service's command, its environment from
	// ours.
	env, args := start("connect")
	for i, arg := range args {
		args[i] = "'" + arg + "'"
	}
	script := "#!/bin/sh\n[ \"$1\" = connect ] && exec gatehouse " + strings.Join(args, " ") + "\n"
	if err := os.WriteFile(dir+"/run", []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	out := run(t, dir, append(env, "COMPOSE=./run"), "./connect")
	if !strings.Contains(out, "Counts: 1 user and 1 group") || !strings.Contains(out, "Connected.") {
		t.Errorf("connect printed %s", out)
	}
}

// TestTheImageHasWhatItsDockerfileCopies reads the Dockerfile, which nothing here can build: each
// file that it copies from the repository is there and not ignored, and the build is a static
// program's.
func TestTheImageHasWhatItsDockerfileCopies(t *testing.T) {
	for name, service := range readCompose(t).Services {
		dockerfile := path.Join("compose", service.Build.Context, service.Build.Dockerfile)
		if dockerfile != "../examples/compose/Dockerfile" && dockerfile != "examples/compose/Dockerfile" {
			t.Errorf("%s is built from %s", name, dockerfile)
		}
		if _, err := os.Stat(path.Join("..", service.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
	}
	dockerfile, err := os.ReadFile("compose/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := os.ReadFile("compose/Dockerfile.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	copies := regexp.MustCompile(`(?m)^COPY ([^-\n].*) \S+$`).FindAllSubmatch(dockerfile, -1)
	if len(copies) < 3 {
		t.Errorf("%d lines that copy", len(copies))
	}
	for _, line := range copies {
		for name := range strings.FieldsSeq(string(line[1])) {
			if _, err := os.Stat(filepath.Join("..", name)); err != nil {
				t.Error(err)
			}
			if name != "." && !strings.Contains(string(ignored), "\n!"+name+"\n") {
				t.Errorf("Dockerfile.dockerignore keeps %s out", name)
			}
		}
	}
	if !strings.Contains(string(dockerfile), "CGO_ENABLED=0") ||
		!strings.Contains(string(dockerfile), ":nonroot\n") {
		t.Error("the image is not of a static program and a user without rights")
	}
	// What the program embeds is in the build's context.
	embedded := embeddedFiles(t)
	if len(embedded) < 20 {
		t.Errorf("%d embedded files", len(embedded))
	}
	for _, file := range embedded {
		if !strings.Contains(string(ignored), "\n!**/*"+filepath.Ext(file)+"\n") {
			t.Errorf("Dockerfile.dockerignore keeps %s out, which is embedded", file)
		}
	}
}

// embeddedFiles lists the files of this module that the program embeds, as the compiler sees them.
func embeddedFiles(t *testing.T) (files []string) {
	t.Helper()
	const format = `{{if .Module}}{{if .Module.Main}}{{range .EmbedFiles}}{{$.ImportPath}}/{{.}} {{end}}{{end}}{{end}}`
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", format, "./cmd/gatehouse")
	list.Dir = ".."
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}
