// Package oversee has the commands that say who has what, and that end and prove the end of it.
// They are flags and words; what they do is the API's.
//
// It may import adminapi, authn, center/proof, cmd/gatehouse/administer, outbound and terminal.
package oversee

import (
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
)

// World is what a command sees of the world outside.
type World struct{ administer.World }

// Add adds all commands of this package to root. Labels stand under the command accounts, which is
// there.
func Add(root *cobra.Command, of administer.World) {
	w := World{of}
	root.AddCommand(w.revoke(), w.proof(), w.leavers(), w.access(), w.accountAccess())
	for _, there := range root.Commands() {
		if there.Name() == "accounts" {
			there.AddCommand(w.labels())
		}
	}
}
