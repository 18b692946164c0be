package terminal

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Group is a part of a command's help.
type Group struct {
	Title    string
	Commands string // their names, with a blank between
}

// Arrange puts the commands below root into groups. What is in none is shown at the end. It panics
// for a name that is no command, which a test of the help finds.
func Arrange(root *cobra.Command, groups []Group) {
	byName := map[string]*cobra.Command{}
	for _, c := range root.Commands() {
		byName[c.Name()] = c
	}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.Title, Title: g.Title + ":"})
		for name := range strings.FieldsSeq(g.Commands) {
			byName[name].GroupID = g.Title
		}
	}
}

// Examples gives each command that has no examples those of the nearest command above it that call
// it: they stand once, where the commands of a group are shown together.
func Examples(root *cobra.Command) {
	for _, c := range root.Commands() {
		for above := c.Parent(); c.Example == "" && above != nil; above = above.Parent() {
			c.Example = examplesOf(c.CommandPath(), above.Example)
		}
	}
	for _, c := range root.Commands() { // of those above there are some now
		Examples(c)
	}
}

// examplesOf are the examples that call a command. One that goes on in the next line ends in a
// backslash.
func examplesOf(command, examples string) string {
	var found []string
	var one string
	for line := range strings.Lines(examples) {
		if one += line; strings.HasSuffix(strings.TrimSpace(line), `\`) {
			continue
		}
		if calls(one, command) {
			found = append(found, strings.TrimRight(one, "\n"))
		}
		one = ""
	}
	return strings.Join(found, "\n")
}

// calls says whether an example calls a command: its words stand there one after the other, the
// first perhaps behind a bracket.
func calls(example, command string) bool {
	words := strings.Fields(strings.ReplaceAll(example, "(", " "))
	wanted := strings.Fields(command)
	for i := range words {
		if len(words)-i >= len(wanted) && slices.Equal(words[i:i+len(wanted)], wanted) {
			return true
		}
	}
	return false
}
