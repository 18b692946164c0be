package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/term"
)

// Table prints rows below a header, whose columns have a tab between. On a terminal that is too
// narrow for it, each row becomes a paragraph with a line for each column that has something:
// nothing is cut off, since ids are there to be copied, and no line is broken.
func Table(out io.Writer, header string, rows [][]any) error {
	return table(out, width(out), header, rows)
}

// width is how many columns the terminal has; 0 where nobody looks at one.
func width(out io.Writer) int {
	f, ok := raw(out).(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd())) // #nosec G115 -- file descriptors are small
	if err != nil {
		return 0
	}
	return columns
}

const gap = 2 // blanks between two columns

func table(out io.Writer, columns int, header string, rows [][]any) error {
	names := strings.Split(header, "\t")
	widest := make([]int, len(names))
	for i, name := range names {
		widest[i] = len(name)
		for _, row := range rows {
			if i < len(row) {
				widest[i] = max(widest[i], utf8.RuneCountInString(Inline(row[i])))
			}
		}
	}
	total := gap * (len(names) - 1)
	for _, w := range widest {
		total += w
	}
	switch {
	case columns == 0 || total <= columns:
	case len(rows) == 0:
		_, err := io.WriteString(out, flow(strings.Join(names, "  "), "", columns))
		return err
	default:
		return paragraphs(out, names, rows)
	}
	t := tabwriter.NewWriter(out, 0, 4, gap, ' ', 0)
	fmt.Fprintln(t, header)
	for _, row := range rows {
		line := make([]string, len(row))
		for i, text := range row {
			line[i] = Inline(text)
		}
		fmt.Fprintln(t, strings.Join(line, "\t"))
	}
	return t.Flush()
}

func paragraphs(out io.Writer, names []string, rows [][]any) error {
	widest := 0
	for _, name := range names {
		widest = max(widest, len(name))
	}
	var text strings.Builder
	for n, row := range rows {
		if n > 0 {
			text.WriteByte('\n')
		}
		for i, cell := range row[:min(len(row), len(names))] {
			if shown := Inline(cell); shown != "" {
				fmt.Fprintf(&text, "%-*s  %s\n", widest, names[i], shown)
			}
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// Meant asks for the known name that is nearest to another, as the end of a sentence; it is empty
// where none is near.
func Meant(name string, known []string) string { return meant(name, known, "") }
