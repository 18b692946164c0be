package terminal

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Counter counts on a terminal what is done, where nobody knows how much there is; elsewhere it
// shows nothing.
func Counter(stream io.Writer, what string) *progressbar.ProgressBar {
	out := raw(stream)
	if !Is(stream) {
		out = io.Discard
	}
	// The library's own goroutine, which turns the spinner between two counts, reads the bar
	// without its lock: it is not started.
	return progressbar.NewOptions64(
		-1, progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(what), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
	)
}

// Bar returns a function that draws on a terminal how much of something is done; elsewhere it does
// nothing.
func Bar(stream io.Writer, title string) func(done, total int) {
	if !Is(stream) {
		return func(int, int) {}
	}
	out := raw(stream)
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		if bar == nil {
			bar = progressbar.NewOptions(
				total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(" "+Inline(title)),
				progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
				progressbar.OptionThrottle(50*time.Millisecond),
			)
		}
		bar.ChangeMax(max(total, 1))
		_ = bar.Set(done) // a bar that cannot be drawn is no failure
		if done >= total {
			_ = bar.Finish()
		}
	}
}
