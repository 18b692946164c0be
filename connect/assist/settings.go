package assist

import (
	"io"

	"github.com/spf13/cobra"
)

// Settings are how a person at a command is led.
type Settings struct {
	noBrowser bool
	page      *Page
}

// Flags adds the flag.
func (s *Settings) Flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(
		&s.noBrowser, "no-browser", false, "say in the terminal what to do at AWS's console, instead of on a page",
	)
}

// Guide is a page where there is a browser, and the terminal elsewhere.
func (s *Settings) Guide(in io.Reader, out io.Writer, env func(string) (string, bool)) Guide {
	if s.noBrowser || !HasBrowser(env) {
		return &Terminal{In: in, Out: out}
	}
	s.page = NewPage(Options{Env: env, Out: out, Downloads: DownloadFolder(env)})
	return s.page
}

// Close shows on the page, if one was opened, how the command has ended.
func (s *Settings) Close(err error, lines ...string) {
	switch {
	case s.page == nil:
	case err != nil:
		s.page.Close(true, "Not finished", err.Error(), "What was done is kept. Run the command again to go on.")
	default:
		s.page.Close(false, "Done", lines...)
	}
}
