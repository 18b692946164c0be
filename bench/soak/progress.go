package main

import (
	"fmt"
	"os"
	"time"
)

// progress is one line that is renewed on a terminal, and a line each ten seconds elsewhere.
type progress struct {
	terminal bool
	last     time.Time
	shown    string
}

func newProgress() *progress {
	info, err := os.Stdout.Stat()
	return &progress{terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (p *progress) line(text string) {
	p.shown = text
	if p.terminal {
		fmt.Print("\r\x1b[K" + text)
		return
	}
	if time.Since(p.last) >= 10*time.Second {
		p.last = time.Now()
		fmt.Println(text)
	}
}

func (p *progress) end() {
	if p.terminal {
		fmt.Println()
		return
	}
	fmt.Println(p.shown)
	p.last = time.Time{}
}
