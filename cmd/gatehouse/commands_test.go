package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// withoutJSON are commands that have nothing to tell a program, with the reason.
var withoutJSON = map[string]string{
	"gatehouse":                       "prints its help",
	"gatehouse completion":            "prints its help",
	"gatehouse completion bash":       "prints a script",
	"gatehouse completion fish":       "prints a script",
	"gatehouse completion powershell": "prints a script",
	"gatehouse completion zsh":        "prints a script",
	"gatehouse profiles":              "prints its help",
	"gatehouse rotate":                "prints its help",
	"gatehouse serve":                 "runs until it is told to end, and logs JSON",
	"gatehouse tenant":                "runs until it is told to end, and logs JSON",
}

// TestEveryCommandHasExamplesAndJSON walks all commands.
func TestEveryCommandHasExamplesAndJSON(t *testing.T) {
	t.Parallel()
	found := 0
	for _, c := range allCommands() {
		if c.Hidden {
			continue
		}
		found++
		name := c.CommandPath()
		if !strings.Contains(c.Example, name) {
			t.Errorf("%s --help has no example of it", name)
		}
		for _, call := range callsIn(c.Example) {
			if err := understood(call); err != nil {
				t.Errorf("an example of %s is refused: %v: %q", name, err, call)
			}
		}
		if _, excepted := withoutJSON[name]; (c.Flag("json") != nil) == excepted {
			t.Errorf("%s has --json: %v, and is excepted: %v", name, !excepted, excepted)
		}
	}
	if found < 100 {
		t.Errorf("only %d commands", found)
	}
}

// TestTheDocsCallCommandsThatExist understands every call that stands in a block of the docs.
func TestTheDocsCallCommandsThatExist(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md", "../../UPGRADING.md", "../../examples/README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "```") {
			if i%2 == 0 || strings.HasPrefix(block, "yaml") || strings.HasPrefix(block, "go") {
				continue
			}
			for _, call := range callsIn(block) {
				found++
				if err := understood(call); err != nil {
					t.Errorf("%s: %v: %q", filepath.Base(page), err, call)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d calls", found)
	}
}

// allCommands are the root and all below it.
func allCommands() []*cobra.Command {
	w := &world{in: &bytes.Buffer{}, out: &bytes.Buffer{}, err: &bytes.Buffer{}, env: noEnv}
	all := []*cobra.Command{w.rootCommand()}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

// word is a word of a shell, with its quotes, a comment, or what ends a command.
var word = regexp.MustCompile(`'[^']*'|"[^"]*"|#.*|&&|[|;&()]|2?>>? *\S+|< *\S+|(?:[^\s'"|;&()<>]|<[A-Z_]+>)+|\n`)

// callsIn are the words of each call of gatehouse in a text as one types it.
func callsIn(text string) (calls [][]string) {
	var now []string
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, w := range append(word.FindAllString(text, -1), "\n") {
		switch {
		case w == "\n", w == "&&", strings.ContainsAny(w[:1], "#|;&()"):
			calls, now = append(calls, now), nil
		case strings.ContainsAny(w[:1], "<>"), strings.HasPrefix(w, "2>"):
		case w == "…" && (len(now) == 0 || !strings.HasPrefix(now[len(now)-1], "--")): // some are left out
		default:
			now = append(now, strings.Trim(w, `'"`))
		}
	}
	kept := calls[:0]
	for _, call := range calls {
		if len(call) > 1 && call[0] == "gatehouse" {
			kept = append(kept, call[1:])
		}
	}
	return kept
}

// understood says what the program would refuse about a call, before it runs.
func understood(call []string) error {
	root := allCommands()[0]
	cmd, args, err := root.Find(call)
	if err != nil {
		return err
	}
	if err = cmd.ParseFlags(args); err != nil {
		return cmd.FlagErrorFunc()(cmd, err)
	}
	args = slices.DeleteFunc(cmd.Flags().Args(), func(s string) bool { return s == "…" }) // flags left out
	if err := cmd.ValidateArgs(args); err != nil {
		return err
	}
	if cmd.PreRunE != nil {
		err = cmd.PreRunE(cmd, args)
	}
	missing := errors.Join(err, cmd.ValidateRequiredFlags())
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.String() == "" {
			missing = errors.Join(missing, fmt.Errorf("--%s is empty", f.Name))
		}
	})
	return missing
}
