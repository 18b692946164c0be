package assist

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// Terminal leads a person by questions at the terminal: over SSH, or where there is no browser.
type Terminal struct {
	In  io.Reader
	Out io.Writer
	// Folder gets the files that the person hands over; empty is the current one.
	Folder string

	mu    sync.Mutex
	lines *bufio.Reader
}

// Do implements Guide.
func (d *Terminal) Do(ctx context.Context, t Task) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lines == nil {
		d.lines = bufio.NewReader(d.In)
	}
	if err := d.describe(t); err != nil {
		return err
	}
	for _, w := range t.Wants {
		if err := d.want(ctx, t, w); err != nil {
			return err
		}
	}
	waiting := ""
	err := prove(ctx, t, nil, func(problem error) {
		text := "Waiting for the proof that it is done."
		if problem != nil {
			text = problem.Error()
		}
		if text != waiting {
			fmt.Fprintln(d.Out, "  "+terminal.Inline(text))
		}
		waiting = text
	})
	if err == nil {
		fmt.Fprintln(d.Out, "  Done: "+terminal.Inline(t.Title))
	}
	return err
}

// describe prints what to do, and puts the file there that is to be handed over.
func (d *Terminal) describe(t Task) error {
	fmt.Fprintf(d.Out, "\n%s\n  %s\n", terminal.Inline(t.Title), terminal.Inline(t.Why))
	n := 0
	line := func(text string) {
		n++
		fmt.Fprintf(d.Out, "  %d. %s\n", n, terminal.Inline(text))
	}
	if t.Link != "" {
		line("Open " + t.Link)
	}
	if t.Offer != nil {
		folder, err := filepath.Abs(d.Folder)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, filepath.Base(t.Offer.Name))
		if err := authn.WritePrivate(path, t.Offer.Data); err != nil {
			return fmt.Errorf("write the file that you hand over: %w", err)
		}
		line("Copy the prepared file to where your browser runs, such as with scp: " + path)
	}
	for _, click := range t.Clicks {
		line(click)
	}
	fmt.Fprintln(d.Out)
	return nil
}

// want asks for a value until it is taken, or the task is proved without it.
func (d *Terminal) want(ctx context.Context, t Task, w Want) error {
	for {
		value, err := d.ask(ctx, w)
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s: nothing more was typed; run this again at a terminal", t.Title)
		case err != nil:
			return err
		}
		if len(value) == 0 { // perhaps it is done already
			if proved, err := t.Proved(ctx); err == nil && proved {
				return nil
			}
			continue
		}
		fmt.Fprintln(d.Out, "  Checking …")
		if err = take(ctx, w, value); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fmt.Fprintln(d.Out, "  "+terminal.Inline(err))
	}
}

func (d *Terminal) ask(ctx context.Context, w Want) ([]byte, error) {
	label := "  " + terminal.Inline(w.Label)
	switch {
	case w.Secret:
		text, err := terminal.AskSecret(ctx, d.In, d.Out, label+" (it is not shown)")
		return []byte(strings.TrimSpace(text)), err
	case w.File:
		fmt.Fprint(d.Out, label+". Paste it and press Enter twice, or give the path of the file: ")
	default:
		fmt.Fprint(d.Out, label+": ")
	}
	read := make(chan func() ([]byte, error), 1)
	go func() {
		value, err := d.read(w.File)
		read <- func() ([]byte, error) { return value, err }
	}()
	select {
	case result := <-read:
		return result()
	case <-ctx.Done():
		fmt.Fprintln(d.Out)
		return nil, context.Cause(ctx)
	}
}

// read reads a line. Of a file, or of what was in one, it reads lines up to an empty one.
func (d *Terminal) read(several bool) ([]byte, error) {
	var all strings.Builder
	for {
		line, err := d.line()
		if err != nil && line == "" {
			if all.Len() > 0 && errors.Is(err, io.EOF) {
				err = nil
			}
			return []byte(all.String()), err
		}
		line = strings.TrimSpace(line)
		if several && all.Len() == 0 {
			if data, ok := contents(line); ok {
				return data, nil
			}
		}
		if all.WriteString(line); !several || line == "" {
			return []byte(strings.TrimSpace(all.String())), nil
		}
		all.WriteByte('\n')
		if all.Len() > maxValue {
			return nil, errors.New("it is larger than what is wanted could be")
		}
	}
}

// line reads one line, of no more than a value may have.
func (d *Terminal) line() (string, error) {
	var line strings.Builder
	for line.Len() <= maxValue {
		part, err := d.lines.ReadSlice('\n')
		line.Write(part)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line.String(), err
		}
	}
	return "", errors.New("it is larger than what is wanted could be")
}

// contents is what a file has, when a text is the path of one.
func contents(path string) ([]byte, bool) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxValue {
		return nil, false
	}
	data, err := os.ReadFile(path) // #nosec G304 -- the person names it
	return data, err == nil
}
