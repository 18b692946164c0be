package terminal_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// program has one command with settings, and says what they are.
func program(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	var name, said string
	var groups []string
	root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
	run := &cobra.Command{Use: "run", RunE: func(cmd *cobra.Command, _ []string) error {
		said = name + " " + strings.Join(groups, "+")
		_, err := terminal.Logger(cmd, io.Discard, slog.LevelInfo)
		return err
	}}
	run.Flags().StringVar(&name, "the-name", "nobody", "")
	run.Flags().StringArrayVar(&groups, "group", nil, "")
	root.AddCommand(run)
	terminal.Settings(root, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	root.SetArgs(append([]string{"run"}, args...))
	err := root.ExecuteContext(t.Context())
	return said, err
}

func TestFlagsGoBeforeTheEnvironmentAndThatBeforeTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte("the-name: file\ngroup: [a, 'b, \"c\"']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"nobody ":            {},
		"file a+b, \"c\"":    {nil, []string{"--config", file}},
		"environ a+b, \"c\"": {map[string]string{"GATEHOUSE_THE_NAME": "environ", "GATEHOUSE_CONFIG": file}, nil},
		"flag c, d+e": {
			map[string]string{"GATEHOUSE_THE_NAME": "environ"},
			[]string{"--the-name", "flag", "--group", "c, d", "--group", "e"},
		},
		`nobody Sales, EMEA+"Data"`: {map[string]string{"GATEHOUSE_GROUP": "Sales, EMEA\n\"Data\"\n"}, nil},
		"nobody a\nb+c":             {map[string]string{"GATEHOUSE_GROUP": `["a\nb", "c"]`}, nil},
	} {
		if said, err := program(t, c.env, c.args...); err != nil || said != want {
			t.Errorf("%v %v: %q, %v; want %q", c.env, c.args, said, err, want)
		}
	}
}

func TestMistakesInSettingsAreOfUsage(t *testing.T) {
	t.Parallel()
	in := func(text string) []string {
		file := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--config", file}
	}
	for want, args := range map[string][]string{
		`unknown setting "nam"`:                  in("nam: x\n"),
		"is not YAML":                            in("- x\n"),
		"no such file":                           {"--config", "/does/not/exist"},
		"use debug, info, warn or error":         {"--log-level", "loud"},
		`--log-format "xml": use text or json`:   {"--log-format", "xml"},
		`log-level "much": use debug, info, war`: in("log-level: much\n"),
	} {
		var usage terminal.UsageError
		if _, err := program(t, nil, args...); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; want %q", args, err, want)
		}
	}
}

// TestTheLogIsTextOrJSON: what no person watches is for programs.
func TestTheLogIsTextOrJSON(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"": `"msg":"hello"`, "json": `"msg":"hello"`, "text": "msg=hello"} {
		var out bytes.Buffer
		cmd := &cobra.Command{Use: "program"}
		terminal.Settings(cmd, func(string) (string, bool) { return "", false })
		if err := cmd.ParseFlags([]string{"--log-format", format}); err != nil {
			t.Fatal(err)
		}
		log, err := terminal.Logger(cmd, &out, slog.LevelWarn)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("quiet")
		log.Warn("hello")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "quiet") {
			t.Errorf("%q: %s", format, out.String())
		}
	}
}
