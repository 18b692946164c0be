package terminal

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// narrowest is how many columns the help takes at least: words are not broken.
const narrowest = 30

// FitHelp has the help of a command, and of all below it, keep to the width of the terminal.
func FitHelp(root *cobra.Command) {
	whole := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		out := cmd.OutOrStdout()
		columns := width(out)
		if columns == 0 {
			whole(cmd, args)
			return
		}
		var text bytes.Buffer
		cmd.SetOut(&text)
		whole(cmd, args)
		cmd.SetOut(out)
		_, _ = io.WriteString(out, fit(text.String(), max(columns, narrowest))) // nobody reads it
	})
}

var (
	// entry is a line of a list: a name of a command or a flag, blanks, and what it is.
	entry = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^( +\S.*?  +|  [a-z][\w-]* +)(\S.*)`) })
	// further are the lines after the first of what a flag is.
	further = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\n {20,}`) })
	// heading stands above a part of the help.
	heading = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z][A-Za-z -]{2,45}:$`) })
	// remark is what stands behind an example.
	remark = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^( +)(\S.*?) +(# .*)$`) })
)

// fit breaks the lines of a help that are wider than the terminal: sentences flow on, lists keep
// their second column, and a command that is called goes on behind a backslash.
func fit(text string, columns int) string {
	var out strings.Builder
	examples, flowing := false, ""
	end := func() {
		if flowing != "" {
			out.WriteString(flow(flowing, "", columns))
			flowing = ""
		}
	}
	for line := range strings.Lines(further().ReplaceAllString(text, " ")) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' && !heading().MatchString(line) && !examples {
			flowing = strings.TrimLeft(flowing+" "+line, " ")
			continue
		}
		end()
		if line != "" && line[0] != ' ' {
			examples = line == "Examples:"
		}
		switch {
		case utf8.RuneCountInString(line) <= columns:
			out.WriteString(line + "\n")
		case examples:
			out.WriteString(example(line, columns))
		default:
			out.WriteString(item(line, columns))
		}
	}
	end()
	return out.String()
}

// item breaks a line of a list: the second column stays one, or begins in a line of its own.
func item(line string, columns int) string {
	hanging := strings.Repeat(" ", len(line)-len(strings.TrimLeft(line, " "))+2)
	m := entry().FindStringSubmatch(line)
	switch {
	case m == nil:
		return flow(line, hanging, columns)
	case utf8.RuneCountInString(m[1]) <= columns/2:
		return flow(line, strings.Repeat(" ", utf8.RuneCountInString(m[1])), columns)
	}
	return flow(strings.TrimRight(m[1], " "), hanging, columns) + flow(hanging+m[2], hanging, columns)
}

// flow breaks a text at blanks; lines after the first hang.
func flow(text, hanging string, columns int) string {
	var out strings.Builder
	for {
		runes := []rune(text)
		if len(runes) <= columns {
			return out.String() + text + "\n"
		}
		indent := len(text) - len(strings.TrimLeft(text, " "))
		at := strings.LastIndex(string(runes[:columns+1]), " ")
		if at <= indent { // one word that is wider than the terminal
			if at = strings.Index(text[indent:], " ") + indent; at < indent {
				return out.String() + text + "\n"
			}
		}
		fmt.Fprintln(&out, strings.TrimRight(text[:at], " "))
		text = hanging + strings.TrimLeft(text[at:], " ")
	}
}

// example breaks a call of a command before one of its words, so that it can be copied as it is. A
// remark behind it stands above it.
func example(line string, columns int) string {
	above := ""
	if m := remark().FindStringSubmatch(line); m != nil {
		above = flow(m[1]+m[3], m[1]+"# ", columns)
		line = m[1] + m[2]
	}
	var out strings.Builder
	out.WriteString(above)
	quoted := ""
	for utf8.RuneCountInString(line) > columns {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		at := -1
		for i, r := range line {
			switch {
			case quoted != "":
				if string(r) == quoted {
					quoted = ""
				}
			case r == '\'' || r == '"':
				quoted = string(r)
			case r == ' ' && i > indent && (at < 0 || utf8.RuneCountInString(line[:i])+2 <= columns):
				at = i // the first, at least: words are not broken
			}
		}
		if quoted = ""; at < 0 {
			break
		}
		fmt.Fprintf(&out, "%s \\\n", strings.TrimRight(line[:at], " "))
		line = "      " + strings.TrimLeft(line[at:], " ")
	}
	return out.String() + line + "\n"
}
