package complete

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// Manual is the command that writes the manual pages of all commands into a folder. Packages are
// made with it, so the help does not list it.
func Manual() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages of all commands into a folder",
		Hidden: true,
		Args:   terminal.OneArg("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(filepath.Clean(args[0]), 0o755); err != nil { //nolint:gosec // all may read manuals
				return err
			}
			cmd.Root().DisableAutoGenTag = true // which would make each build another one
			return doc.GenManTree(cmd.Root(), &doc.GenManHeader{
				Section: "1", Source: "Gatehouse", Manual: "Gatehouse manual",
			}, args[0])
		},
	}
}
