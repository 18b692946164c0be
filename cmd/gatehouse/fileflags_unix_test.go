//go:build unix

package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// argumentsOf are those of commands whose words in the help do not tell them.
var argumentsOf = map[string][]string{
	"gatehouse sessions end": {"user", "session"},
}

// TestANamedPipeIsNoFile gives one to each flag and argument of each command that takes a file: the
// command would wait for somebody at its other side without an end.
func TestANamedPipeIsNoFile(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(args ...string) {
		t.Helper()
		code, out, said := call(t, "", nil, args...)
		if code != exitFailed || out != "" || !strings.Contains(said, pipe+" is a named pipe: name a file") {
			t.Errorf("%q: exit %d, out %q, said %q", args, code, out, said)
		}
	}
	found := 0
	for _, cmd := range allCommands() {
		path, words := strings.Fields(cmd.CommandPath())[1:], strings.Fields(cmd.Use)[1:]
		args, set := argumentsOf[cmd.CommandPath()]
		if !set {
			args = stubs(words, "x")
		}
		args = append(slices.Clone(path), args...)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			args := args
			if terminal.NamesFile(f) {
				found++
				if f.Name == "certificate" { // which stands in the place of the argument
					args = append(slices.Clone(path), "--issuer", "x", "--sign-in-url", "https://x")
				}
				refused(append(slices.Clone(args), "--"+f.Name, pipe)...)
			}
		})
		for i, word := range words {
			if strings.Contains(word, "FILE") {
				found++
				given := stubs(words, "x")
				given[i] = pipe
				refused(append(slices.Clone(path), given...)...)
			}
		}
		unmarked(t, cmd)
	}
	if found < 40 {
		t.Errorf("only %d flags and arguments take a file", found)
	}
	for _, name := range []string{"GATEHOUSE_CONFIG", "GATEHOUSE_TLS_CERT", "GATEHOUSE_SMTP_SERVER_FILE"} {
		code, _, said := call(t, "", map[string]string{name: pipe}, "serve", "--data", t.TempDir())
		if code != exitFailed || !strings.Contains(said, "is a named pipe: name a file") {
			t.Errorf("%s: exit %d, said %q", name, code, said)
		}
	}
	for path, want := range map[string]string{filepath.Dir(pipe): "is a folder", "/dev/zero": "is a device"} {
		_, _, said := call(t, "", nil, "accounts", "import", path)
		if !strings.Contains(said, path+" "+want+": name a file") {
			t.Errorf("%s: said %q", path, said)
		}
	}
}

// stubs are as many words as a command takes; those that stand in brackets are left out.
func stubs(words []string, each string) (given []string) {
	for _, word := range words {
		if !strings.HasPrefix(word, "[") && !strings.HasPrefix(word, "-") || word == "[FILE]" {
			given = append(given, each)
		}
	}
	return given
}

var speaksOfFiles = regexp.MustCompile(`^(?:an? |the )?(?:[A-Z]+ |configuration )?file (?:with|of|that)|\bthis file`)

// unmarked finds flags that take a file, and of which the program does not know it.
func unmarked(t *testing.T, cmd *cobra.Command) {
	t.Helper()
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && speaksOfFiles.MatchString(f.Usage) && !terminal.NamesFile(f) {
			t.Errorf("%s --%s: write `file` where its help says that it takes a file", cmd.CommandPath(), f.Name)
		}
	})
}
