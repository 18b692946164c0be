package complete

import (
	"bytes"
	_ "embed" // the scripts
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// The scripts of cobra evaluate the words of the line, so that a key that completes a word could
// run a part of another one; in bash they need one more package, and names with blanks and signs
// end up without quotes.
var (
	//go:embed bash.sh
	bashScript string
	//go:embed fish.fish
	fishScript string
	//go:embed zsh.zsh
	zshScript string
)

const examples = `  gatehouse completion bash > ~/.gatehouse.bash   # in ~/.bashrc: . ~/.gatehouse.bash
  gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish
  gatehouse completion powershell > gatehouse.ps1
  gatehouse completion zsh > ~/.zfunc/_gatehouse`

// lineOfBash is the command that our script for bash asks.
const lineOfBash = "__bash"

// Scripts has the command completion print our own scripts where those of cobra do not do.
func Scripts(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		cmd.Example = examples
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() } // after the settings are read
		terminal.Examples(cmd)
	}
	for shell, script := range map[string]string{"bash": bashScript, "fish": fishScript, "zsh": zshScript} {
		cmd, _, err := root.Find([]string{"completion", shell})
		if err != nil || cmd.Name() != shell {
			continue
		}
		cmd.Long = strings.Replace(cmd.Long, `This script depends on the 'bash-completion' package.
If it is not installed already, you can install it via your OS's package manager.

`, "", 1)
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			text := script
			if plain, _ := cmd.Flags().GetBool("no-descriptions"); plain {
				text = strings.NewReplacer(`"$COMP_TYPE"`, "9", "__complete ", "__completeNoDesc ").Replace(text)
			}
			_, err := io.WriteString(cmd.OutOrStdout(), text)
			return err
		}
	}
	root.AddCommand(&cobra.Command{
		Use:   lineOfBash + " TYPE BREAKS LINE",
		Short: "Complete a line for bash", Hidden: true, Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return forBash(cmd, args[0] == listing, typed(args[2], args[1]))
		},
	})
}

// listing is the kind of completion that only lists. Source: bash, COMP_TYPE.
const listing = "63"

// line is what somebody has typed.
type line struct {
	words  []string // without quotes; the last one is to be completed
	before string   // what of that one bash does not replace
	quote  rune     // that is open
}

// typed reads a line as bash does. What bash replaces begins behind a quote and behind any of some
// characters that are not quoted.
func typed(text, breaks string) (l line) {
	var word strings.Builder
	escaped, begun := false, false
	runes := []rune(text)
	for i, r := range runes {
		blank := r == ' ' || r == '\t'
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && (l.quote == 0 ||
			l.quote == '"' && i+1 < len(runes) && strings.ContainsRune("\"\\$`", runes[i+1])):
			escaped, begun = true, true
		case l.quote == 0 && (r == '\'' || r == '"'):
			l.quote, begun = r, true
			l.before = word.String()
		case l.quote != 0 && r == l.quote:
			l.quote = 0
			l.before = word.String()
		case l.quote == 0 && blank:
			if begun {
				l.words = append(l.words, word.String())
			}
			word.Reset()
			l.before, begun = "", false
		default:
			word.WriteRune(r)
			begun = true
			if l.quote == 0 && strings.ContainsRune(breaks, r) {
				l.before = word.String()
			}
		}
	}
	l.words = append(l.words, word.String())
	return l
}

// forBash prints what bash is to do, then a line for each word: as it is to stand on the line.
func forBash(cmd *cobra.Command, listing bool, l line) error {
	if len(l.words) < 2 {
		return nil
	}
	var found bytes.Buffer
	root := cmd.Root()
	out := root.OutOrStdout()
	root.SetOut(&found)
	root.SetErr(io.Discard)
	root.SetArgs(append([]string{cobra.ShellCompRequestCmd}, l.words[1:]...))
	if err := root.ExecuteContext(cmd.Context()); err != nil {
		return err
	}
	begun, before := l.words[len(l.words)-1], l.before
	if strings.HasPrefix(begun, "-") && strings.Contains(begun, "=") { // only the value is offered
		begun = begun[strings.Index(begun, "=")+1:]
		before = before[min(len(before), len(l.words[len(l.words)-1])-len(begun)):]
	}
	lines := strings.Split(strings.TrimSpace(found.String()), "\n")
	fmt.Fprintln(out, strings.TrimPrefix(lines[len(lines)-1], ":"))
	for _, exactly := range []bool{true, false} {
		some := false
		for _, one := range lines[:len(lines)-1] {
			word, what, _ := strings.Cut(one, "\t")
			if !adminapi.Begins(word, begun) || !strings.HasPrefix(word, before) ||
				exactly && !strings.HasPrefix(word, begun) {
				continue
			}
			some = true
			word = quoted(word[len(before):], l.quote)
			if listing && what != "" {
				word += "  (" + what + ")"
			}
			fmt.Fprintln(out, word)
		}
		if some {
			break
		}
	}
	return nil
}

// quoted is a text that bash reads as it is, in a quote that is open already.
func quoted(text string, quote rune) string {
	switch quote {
	case '\'':
		return strings.ReplaceAll(text, "'", `'\''`)
	case '"': // an exclamation mark means the history also in these
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`", `!`, `"\!"`).Replace(text)
	}
	var out strings.Builder
	for i, r := range text {
		if strings.ContainsRune(" \t!\"#$&'()*;<>?[\\]^`{|}", r) || r == '~' && i == 0 {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}
