package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// page is a terminal of some columns.
type page struct {
	*testing.T

	columns uint16
	program *os.File
	seen    *buffer
	shown   int
	tight   bool // only that nothing breaks
}

func longest(line string) (most int) {
	for word := range strings.FieldsSeq(line) {
		most = max(most, utf8.RuneCountInString(word))
	}
	return most
}

func newPage(t *testing.T, columns uint16) *page {
	t.Helper()
	person, program := openTerminal(t)
	size := unix.Winsize{Row: 24, Col: columns}
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		t.Fatal(err)
	}
	return &page{T: t, columns: columns, program: program, seen: screen(person)}
}

// fits runs a command, and fails where a line is wider than the terminal, unless one of its words
// takes half of it: ids and addresses are there to be copied.
func (p *page) fits(env map[string]string, args ...string) string {
	p.Helper()
	code := run(
		p.Context(), args, strings.NewReader(""), p.program, p.program,
		func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	)
	end := "[end of " + strconv.Itoa(p.shown) + "]"
	if _, err := p.program.WriteString(end); err != nil {
		p.Fatal(err)
	}
	wait(p.T, p.seen, end)
	text := p.seen.String()[p.shown:]
	p.shown += len(text)
	text = strings.ReplaceAll(strings.TrimSuffix(text, end), "\r\n", "\n")
	if code != exitDone {
		p.Errorf("%q: exit %d: %s", args, code, text)
	}
	if strings.ContainsAny(text, "\x1b\r") {
		p.Errorf("%q moves the cursor: %q", args, text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > int(p.columns) && longest(line) <= int(p.columns)/2 && !p.tight {
			p.Errorf("%q has a line of %d columns: %s", args, utf8.RuneCountInString(line), line)
		}
	}
	return text
}

// TestTheHelpOfEveryCommandFitsATerminal of 80 columns, and of 40.
func TestTheHelpOfEveryCommandFitsATerminal(t *testing.T) {
	t.Parallel()
	wide, narrow := newPage(t, 80), newPage(t, 40)
	for _, cmd := range allCommands() {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if text := wide.fits(nil, args...); !strings.Contains(text, "Flags:") {
			t.Errorf("%q says %s", args, text)
		}
		narrow.fits(nil, args...)
	}
}

// TestListsFitATerminal of 80 columns: no column is broken. Of 40 they are still shown.
func TestListsFitATerminal(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey,
		"AWS_REGION":            d.AWS.Region,
		"GATEHOUSE_CENTER_URL":  d.Center.URL,
	}
	for _, columns := range []uint16{80, 40} {
		p := newPage(t, columns)
		p.tight = columns < 80
		for _, list := range []string{
			"users list", "accounts list", "rules list", "roles list", "access-keys list", "scim-tokens list",
			"audit search", "access policy list", "access owner list", "access review list --as-administrator",
			"proof list", "settings show", "provisioning status", "identity-source show",
		} {
			p.fits(env, strings.Fields(list)...)
		}
		text := p.fits(env, "users", "show", d.People[0].UserName)
		if !strings.Contains(text, d.People[0].UserName) {
			t.Errorf("%s is not shown: %s", d.People[0].UserName, text)
		}
	}
}
