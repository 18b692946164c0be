package terminal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/names"
)

// UsageError is a mistake in how a command was called: the program ends with a code of its own.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong.
func (e UsageError) Unwrap() error { return e.Err }

// NoArgs refuses arguments as a mistake of usage. Below a command that has commands of its own, an
// argument is one that is not there.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(append(known, c.Name()), c.Aliases...)
		}
	}
	if len(known) == 0 {
		return UsageError{fmt.Errorf("%q takes no arguments, but got %q", cmd.CommandPath(), args[0])}
	}
	return UsageError{fmt.Errorf("%q has no command %q%s", cmd.CommandPath(), args[0], meant(args[0], known, ""))}
}

// FlagError says what is wrong with a flag, which flag may be meant, and what it takes. It is for
// cobra.Command.SetFlagErrorFunc.
func FlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		name := unknown.GetSpecifiedName()
		return UsageError{fmt.Errorf("%q has no flag --%s%s", cmd.CommandPath(), name, meant(name, known, "--"))}
	case errors.As(err, &invalid) && kinds[invalid.GetFlag().Value.Type()] != "":
		return UsageError{fmt.Errorf("--%s: %w", invalid.GetFlag().Name, badValue(err))}
	}
	return UsageError{err}
}

// badValue says what a flag takes instead, where pflag tells of a function that could not read it.
func badValue(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		if wants := kinds[invalid.GetFlag().Value.Type()]; wants != "" {
			return fmt.Errorf("%q: use %s", invalid.GetValue(), wants)
		}
	}
	return err
}

// kinds are what flags take, by pflag's names of their types.
var kinds = map[string]string{
	"bool":     "true or false",
	"duration": "a length of time such as 30s, 5m or 8h",
	"float64":  "a number",
	"int":      "a whole number",
	"int64":    "a whole number",
	"uint":     "a whole number from 0",
}

// meant asks for the known name that is nearest, if one is near.
func meant(name string, known []string, prefix string) string {
	if near := names.Nearest(name, known); near != "" {
		return "; did you mean " + prefix + near + "?"
	}
	return ""
}

// OneArg demands exactly one argument, and says what it is.
func OneArg(what string) cobra.PositionalArgs { return Args(what, 1) }

// Args demands exactly so many arguments, and says what they are.
func Args(what string, n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return UsageError{errors.New(names.Counted(
				"%q takes %s, but got %d {argument|arguments}", cmd.CommandPath(), what, len(args),
			))}
		}
		return nil
	}
}

// ParseSpan reads a length of time as people write it: like time.ParseDuration, and in days, such
// as 30d.
func ParseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is no length of time: use days such as 30d, or hours such as 8h", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no length of time: use days such as 30d, or hours such as 8h", text)
	}
	return d, nil
}

// Span is a length of time as ParseSpan reads it, in whole minutes.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// Tail is the end of a text that is too wide for a column.
func Tail(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return "…" + string(r[len(r)-width+1:])
	}
	return text
}

const maxTyped = 1 << 10 //bound:body what a person types at the terminal

// Ask asks a question and reads one line.
func Ask(in io.Reader, out io.Writer, question string) (string, error) {
	fmt.Fprint(out, question)
	line, err := bufio.NewReader(io.LimitReader(in, maxTyped)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(line), nil
}

// ErrNotConfirmed is the error where somebody has not typed the word that was asked for.
var ErrNotConfirmed = errors.New("not confirmed; nothing was changed")

// asked is how many words are asked for: whoever is told to end there has changed nothing.
var asked atomic.Int32

// Confirm asks for a word, and fails with ErrNotConfirmed where another one is typed.
func Confirm(in io.Reader, out io.Writer, word string) error {
	asked.Add(1)
	defer asked.Add(-1)
	typed, err := Ask(in, out, "Type "+word+" to continue: ")
	if err == nil && typed != word {
		err = ErrNotConfirmed
	}
	return err
}

// Counted is a text with numbers in it, in which what is counted has the form that its number asks
// for; see names.Counted.
func Counted(format string, args ...any) string { return names.Counted(format, args...) }
