package terminal

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// asks says when somebody is asked, who types nothing.
type asks chan struct{}

// Write implements io.Writer.
func (a asks) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "ACCEPT") {
		close(a)
	}
	return len(p), nil
}

// TestWhoEndsAProgramThatAsksHasChangedNothing, whatever the command does afterwards.
func TestWhoEndsAProgramThatAsksHasChangedNothing(t *testing.T) {
	typed, end := io.Pipe()
	asked := make(asks)
	root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(&cobra.Command{Use: "connect", RunE: func(*cobra.Command, []string) error {
		return Confirm(typed, asked, "ACCEPT")
	}})
	root.SetArgs([]string{"connect"})
	ctx, stop := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		stop(told{syscall.SIGINT})
	}()
	e := Endings{
		After:   map[string]string{"connect": "What is said to be done above is kept."},
		Answers: func(error) bool { return false },
	}
	_, err := e.Execute(ctx, root, []string{"connect"})
	var cut Interrupted
	if !errors.As(err, &cut) || cut.After != nothingChanged {
		t.Errorf("it says %v", err)
	}
	_ = end.Close()
}
