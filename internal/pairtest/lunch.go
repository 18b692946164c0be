package pairtest

import (
	"io"
	"strings"
)

// Accepts is the terminal of somebody who is asked for ACCEPT, and types it when others have done
// something.
func Accepts(others func()) io.Reader { return &lunch{others, strings.NewReader("ACCEPT\n")} }

type lunch struct {
	others func() // nil: they have
	typed  io.Reader
}

// Read implements io.Reader.
func (l *lunch) Read(p []byte) (int, error) {
	if l.others != nil {
		l.others()
		l.others = nil
	}
	return l.typed.Read(p)
}
