// Package terminal is how a command talks to a person: it escapes text that other programs wrote,
// so that it cannot harm the terminal, draws progress if somebody is watching, and reads passwords
// without echo. It also reads a command's settings from its flags, the environment and a file,
// refuses files that are none, ends a command by Ctrl-C with a sentence, fits help to the terminal,
// and says which version a program is.
//
// It may import names.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// Writer writes text to a person's terminal. What could move the cursor, set a title or a
// clipboard, or show text in another order than it is in, is written as its code, as JSON does it:
// names, reasons and answers of other servers come from outside, and this is the one place that all
// commands print through. Lines and tabs stay.
type Writer struct {
	mu     sync.Mutex
	to     io.Writer
	screen *screen // where progress is drawn too; nil, if nobody is watching
	held   []byte  // the beginning of a character, or a carriage return, of which the rest has not come yet
}

// NewWriter returns a writer to a stream.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write implements io.Writer.
func (e *Writer) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := p
	if len(e.held) > 0 {
		text = append(e.held, p...)
		e.held = nil
	}
	whole := len(text) - unfinished(text)
	e.held = append(e.held, text[whole:]...)
	if err := e.screen.print(e.to, escaped(string(text[:whole]), "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is held back, and takes progress away: nothing else comes.
func (e *Writer) Flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.screen.print(e.to, escaped(string(e.held), "\n\t")) // the terminal has gone away
	e.screen.end()
	e.held = nil
}

// unfinished is how many bytes at the end may be the beginning of something longer.
func unfinished(text []byte) int {
	if n := len(text); n > 0 && text[n-1] == '\r' {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				return n
			}
			break
		}
	}
	return 0
}

// escaped is a text whose characters that are not to be seen are written as their codes, but for
// those that are allowed and for line ends of two characters.
func escaped(text, allowed string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return hidden(r) && !strings.ContainsRune(allowed, r) }) {
		return text
	}
	var out strings.Builder
	for i, r := range text {
		switch {
		case !hidden(r), strings.ContainsRune(allowed, r),
			r == '\r' && strings.HasPrefix(text[i:], "\r\n") && strings.Contains(allowed, "\n"):
			out.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// hidden says that a character does something else than being seen: control characters (C0, C1),
// formats (directions, joiners, marks of no width, tags), separators of lines and paragraphs, and
// what is no UTF-8.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == utf8.RuneError
}

// Inline is a text of one line: one with line ends in it could pass for several.
func Inline(v any) string { return escaped(fmt.Sprint(v), "") }

// Paragraph is an error whose lines after the first stand in, so that none of them, which another
// server may have written, passes for one of ours.
func Paragraph(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n    ") }

// Is says whether a stream, or the one behind a Writer, is a person's terminal.
func Is(stream any) bool {
	if w, ok := stream.(*Writer); ok {
		stream = w.to
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) // #nosec G115 -- file descriptors are small
}

// raw is the stream behind a Writer: for progress bars, which move the cursor.
func raw(stream io.Writer) io.Writer {
	if w, ok := stream.(*Writer); ok {
		return w.to
	}
	return stream
}

// AskPassword asks for a password, twice and without an echo, until it fulfils the rule; an empty
// one is returned too.
func AskPassword(
	ctx context.Context, from io.Reader, to io.Writer, what string, check func(string) error,
) (string, error) {
	for {
		password, err := readPassword(ctx, from, to, what+": ")
		if err != nil || password == "" {
			return "", err
		}
		if err := check(password); err != nil {
			fmt.Fprintf(to, "%v.\n", err)
			continue
		}
		repeated, err := readPassword(ctx, from, to, "Repeat the password: ")
		if err != nil {
			return "", err
		}
		if repeated == password {
			return password, nil
		}
		fmt.Fprintln(to, "The passwords do not match.")
	}
}

// AskSecret asks for something that is not to be seen, without an echo.
func AskSecret(ctx context.Context, from io.Reader, to io.Writer, what string) (string, error) {
	return readPassword(ctx, from, to, what+": ")
}

// readPassword reads a line without an echo. The terminal is as it was afterwards, also when ctx
// ends first.
func readPassword(ctx context.Context, from io.Reader, to io.Writer, prompt string) (string, error) {
	in, ok := from.(*os.File)
	if !ok {
		return "", errors.New("the standard input is not a terminal")
	}
	fd := int(in.Fd()) // #nosec G115 -- file descriptors are small
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(to, prompt)
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{string(text), err}
	}()
	select {
	case l := <-read:
		fmt.Fprintln(to)
		return l.text, l.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}
