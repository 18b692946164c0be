package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// patience is how long a command that was told to end may take, before the program ends without it.
const patience = 700 * time.Millisecond //bound:wait the end of a command that was told to end

// Interrupted is the end of a command that was told to end before it was done.
type Interrupted struct {
	Signal syscall.Signal
	After  string // what was done, and how to go on
	Beside error  // what went wrong besides
}

func (e Interrupted) Error() string {
	if e.Beside != nil {
		return fmt.Sprintf("interrupted: %s.\n%s", e.Beside, e.After)
	}
	return "interrupted. " + e.After
}

// Code is the exit code that shells know: 130 after Ctrl-C.
func (e Interrupted) Code() int { return 128 + int(e.Signal) }

// told is why a context ended.
type told struct{ signal syscall.Signal }

func (t told) Error() string { return t.signal.String() }

// Is says that the context was canceled: requests end with the cause instead.
func (told) Is(target error) bool { return target == context.Canceled }

// UntilTold ends when the program is told to end. A second signal ends the program at once: signals
// are given back to the system before anybody can see that the end has begun.
func UntilTold() context.Context {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals)
		number, _ := s.(syscall.Signal)
		end(told{number})
	}()
	return ctx
}

// Endings are what commands leave that are told to end, by their paths without the program's name.
type Endings struct {
	Serving  string            // commands that run until then, and end by themselves
	Watching string            // commands that may go on without an end, and have then done what they were for
	After    map[string]string // what was done, and how to go on
	Reading  string            // last words of commands that change nothing
	Answers  func(error) bool  // says that an error is a command's answer: it was done
}

// Execute runs a command. One that is told to end by a signal, and is no server, ends within a
// second: it may wait for somebody who types, or for an answer of another program.
func (e Endings) Execute(ctx context.Context, root *cobra.Command, args []string) (*cobra.Command, error) {
	ended := make(chan end, 1)
	go func() {
		called, err := root.ExecuteContextC(ctx)
		ended <- end{called, err}
	}()
	select {
	case x := <-ended:
		return x.called, e.judge(ctx, x)
	case <-ctx.Done():
	}
	called, _, _ := root.Find(args) // it runs, so it is found
	late := make(<-chan time.Time)
	if by := signalOf(ctx); by != 0 && !listed(e.Serving, pathBelow(called)) {
		late = time.After(patience)
	}
	select {
	case x := <-ended:
		return x.called, e.judge(ctx, x)
	case <-late:
		return called, e.judge(ctx, end{called, context.Canceled})
	}
}

// end is how a command has ended.
type end struct {
	called *cobra.Command
	err    error
}

// signalOf is the signal by which a program was told to end; 0 if it was not.
func signalOf(ctx context.Context) syscall.Signal {
	var by told
	errors.As(context.Cause(ctx), &by)
	return by.signal
}

// judge returns Interrupted for a command that a signal has kept from its end.
func (e Endings) judge(ctx context.Context, x end) error {
	by, path := signalOf(ctx), pathBelow(x.called)
	watched := by == syscall.SIGINT && listed(e.Watching, path)
	if by == 0 || x.err == nil && !watched || x.err != nil && e.Answers(x.err) {
		return x.err
	}
	cut := Interrupted{Signal: by, After: e.after(path)}
	if asked.Load() > 0 {
		cut.After = nothingChanged
	}
	if x.err != nil && !errors.Is(x.err, context.Canceled) {
		cut.Beside = x.err
	}
	return cut
}

const nothingChanged = "Nothing was changed."

func pathBelow(cmd *cobra.Command) string {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	return path
}

// listed says whether a list of paths, with commas between, has one.
func listed(list, path string) bool {
	for one := range strings.SplitSeq(list, ", ") {
		if one == path {
			return true
		}
	}
	return false
}

func (e Endings) after(path string) string {
	if text := e.After[path]; text != "" {
		return text
	}
	if listed(e.Reading, path[strings.LastIndex(path, " ")+1:]) {
		return nothingChanged
	}
	return "It may have been done already: look before you do it again."
}
