// Package oversee has the commands that say who has what, and that end and prove the end of it.
// They are flags and words; what they do is the API's.
//
// It may import adminapi, center/proof, cmd/gatehouse/administer, outbound and terminal.
package oversee

import (
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
)

// World is what a command sees of the world outside.
type World struct{ administer.World }

// Commands are all commands of this package.
func Commands(of administer.World) []*cobra.Command {
	w := World{of}
	return []*cobra.Command{w.revoke(), w.proof(), w.leavers(), w.access(), w.accountAccess()}
}
