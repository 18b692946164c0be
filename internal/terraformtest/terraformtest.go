// Package terraformtest runs the real Terraform with real providers, for our own tests.
//
// It imports nothing of ours.
package terraformtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Terraform runs the real Terraform in a directory of its own.
type Terraform struct {
	t         *testing.T
	path      string
	providers []string // their programs, until they run
	Dir       string
	Env       []string // the first command's is the providers' too
}

// mirrors are where machines without a registry have providers. Source: Terraform's documentation,
// "Implied Local Mirror Directories".
func mirrors() []string {
	home, _ := os.UserHomeDir()
	return []string{
		os.Getenv("TF_PLUGIN_CACHE_DIR"), filepath.Join(home, ".terraform.d/plugins"),
		"/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/tf-plugins",
	}
}

// New returns nil where Terraform or one of the providers of HashiCorp's is not installed, and says
// so: neither is a package of a distribution, and tests download nothing of that size.
func New(t *testing.T, providers ...string) *Terraform {
	t.Helper()
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Log("terraform is not installed: what it would do is not tried")
		return nil
	}
	var programs []string
	for _, name := range providers {
		found := ""
		for _, m := range mirrors() {
			all, _ := filepath.Glob(filepath.Join(
				m, "registry.terraform.io/hashicorp", name, "*/*/terraform-provider-"+name+"*",
			))
			if len(all) > 0 {
				found = all[len(all)-1]
			}
		}
		if found == "" {
			t.Logf("no mirror has Terraform's provider %s: %v", name, mirrors())
			return nil
		}
		programs = append(programs, found)
	}
	dir, home := t.TempDir(), t.TempDir()
	cli := filepath.Join(home, "cli.tfrc")
	if err := os.WriteFile(cli, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return &Terraform{t, path, programs, dir, []string{
		"HOME=" + home, "PATH=/usr/bin:/bin", "TF_CLI_CONFIG_FILE=" + cli, "TF_IN_AUTOMATION=1",
		"CHECKPOINT_DISABLE=1", "TF_INPUT=0", "AWS_EC2_METADATA_DISABLED=true",
		"GOGC=400", // each command makes the provider's schema anew: seconds of one processor
	}}
}

// attached is what a provider prints that commands are to find running.
var attached = regexp.MustCompile(`TF_REATTACH_PROVIDERS='\{(.*)\}'`)

// attach starts the providers once for all commands, each of which would start them several times:
// they are programs of 700 MB. It also needs no lock file and no init. Source: Terraform's
// documentation, "Debugging Providers".
func (tf *Terraform) attach() {
	tf.t.Helper()
	var running []string
	for _, program := range tf.providers {
		// a test's own context ends before it has cleaned up
		cmd := exec.CommandContext(context.Background(), program, "-debug") // #nosec G204 -- a provider of a mirror
		cmd.Env = tf.Env
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			tf.t.Fatal(err)
		}
		tf.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		lines := bufio.NewScanner(out)
		var said []string
		for said == nil && lines.Scan() {
			said = attached.FindStringSubmatch(lines.Text())
		}
		if said == nil {
			tf.t.Fatalf("%s does not say how it is reached: %v", program, lines.Err())
		}
		running = append(running, said[1])
		go func() { _, _ = io.Copy(io.Discard, out) }()
	}
	tf.providers = nil
	tf.Env = append(tf.Env, "TF_REATTACH_PROVIDERS={"+strings.Join(running, ",")+"}")
}

// Run runs a command, and returns what it printed and its exit code.
func (tf *Terraform) Run(args ...string) (string, int) {
	tf.t.Helper()
	if len(tf.providers) > 0 {
		tf.attach()
	}
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, tf.path, args...) // #nosec G204 -- the test's own arguments
	cmd.Dir, cmd.Env = tf.Dir, tf.Env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	tf.t.Logf("terraform %s: %s", strings.Join(args, " "), time.Since(began).Round(100*time.Millisecond))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tf.t.Fatalf("terraform %v: %v", args, err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// Must runs a command that must succeed.
func (tf *Terraform) Must(args ...string) string {
	tf.t.Helper()
	out, code := tf.Run(append(args, "-no-color")...)
	if code != 0 {
		tf.t.Fatalf("terraform %v: exit code %d: %s", args, code, out)
	}
	return out
}
