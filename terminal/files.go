package terminal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fileWord is the word that stands for the value of a flag in its help, if that is a file:
// "write the plan to this `file`".
const fileWord = "file"

// NamesFile says whether the value of a flag is the name of a file.
func NamesFile(f *pflag.Flag) bool {
	word, _ := pflag.UnquoteUsage(f)
	return word == fileWord
}

// files refuses flags and arguments that name something that is there and is no file. A command
// that opened a named pipe would wait without an end for somebody at the other side of it.
func files(cmd *cobra.Command, args []string) error {
	var mistakes []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if NamesFile(f) {
			if err := CheckFile(f.Value.String()); err != nil {
				mistakes = append(mistakes, fmt.Errorf("--%s: %w", f.Name, err))
			}
		}
	})
	words := strings.Fields(cmd.Use) // the first is the command's name
	for i, arg := range args {
		if i+1 < len(words) && strings.Contains(words[i+1], "FILE") {
			mistakes = append(mistakes, CheckFile(arg))
		}
	}
	if err := errors.Join(mistakes...); err != nil {
		return UsageError{err}
	}
	return nil
}

// CheckFile refuses the name of something that is there and is no file. What the program has open
// already, such as what a shell writes for <(command), is taken; so is nothing, as /dev/null.
func CheckFile(path string) error {
	if path == "" || path == "-" || path == os.DevNull || strings.HasPrefix(path, "/dev/std") ||
		strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/") {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil { // whoever opens it says more
		return nil //nolint:nilerr // the same
	}
	what := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	default:
		what = "a device"
	}
	return fmt.Errorf("%s is %s: name a file", path, what)
}
