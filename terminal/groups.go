package terminal

import (
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
