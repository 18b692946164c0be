package assist

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// HasBrowser says whether a browser of the person's own can show a page of this machine: not over
// SSH, and not where nothing has a screen.
func HasBrowser(env func(string) (string, bool)) bool {
	set := func(name string) bool {
		value, ok := env(name)
		return ok && value != ""
	}
	switch {
	case set("BROWSER"):
		return true
	case set("SSH_CONNECTION") || set("SSH_TTY"):
		return false
	case runtime.GOOS == "windows", runtime.GOOS == "darwin":
		return true
	}
	return set("DISPLAY") || set("WAYLAND_DISPLAY")
}

// redirection leads a browser to an address that must not stand on a command line, where every
// user of the machine reads it.
const redirection = `<!doctype html><meta charset="utf-8"><title>Gatehouse</title>` +
	`<meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=%s">`

// OpenBrowser has the person's browser open an address, by way of a file that only the person may
// read. done removes it.
func OpenBrowser(ctx context.Context, env func(string) (string, bool), address string) (done func(), err error) {
	base := os.TempDir()
	if _, err := os.Stat("/snap/bin"); err == nil { // browsers there see no temporary files, but those at home
		if home, err := os.UserHomeDir(); err == nil {
			base = home
		}
	}
	dir, err := os.MkdirTemp(base, "gatehouse-connect-") // for its owner only
	if err != nil {
		return func() {}, err
	}
	done = func() { _ = os.RemoveAll(dir) }
	name := filepath.Join(dir, "open.html")
	if err := os.WriteFile(name, fmt.Appendf(nil, redirection, html.EscapeString(address)), 0o600); err != nil {
		return done, err
	}
	command := []string{"xdg-open", name}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", name}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", name}
	}
	if own, ok := env("BROWSER"); ok && own != "" {
		command = []string{own, name}
	}
	// it stays when the command ends
	ctx = context.WithoutCancel(ctx)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) // #nosec G204 -- the person's own browser
	if err := cmd.Start(); err != nil {
		return done, err
	}
	go func() { _ = cmd.Wait() }() // whether a page has opened, its script says
	return done, nil
}
