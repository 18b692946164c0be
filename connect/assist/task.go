// Package assist leads a person through what has to be done at a console that has no API: what to
// click, in the words of the screen, what to hand over, and what to bring back. A Page does it in
// the person's browser, a Terminal where there is none. A task is done when it is proved, never
// because the person says so, and it stays open until then.
//
// It knows nothing of what the tasks are about.
//
// It may import authn, inbound, terminal and web.
package assist

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Guide leads a person through what has no API. Do returns when the task is proved, or ctx ends.
type Guide interface {
	Do(context.Context, Task) error
}

// Task is something that a person does at a console.
type Task struct {
	Title  string
	Why    string
	Link   string   // to the page of the console
	Clicks []string // in the words of the screen
	Offer  *File    // to hand over at the console
	Copy   string   // a word for the clipboard
	Wants  []Want
	// Proved says whether the task is done. It is asked again and again; its error is shown to the
	// person, and ends nothing.
	Proved func(context.Context) (bool, error)
}

// File is one that a person hands over.
type File struct {
	Name string
	Data []byte
}

// Want is a value that a person brings back.
type Want struct {
	Name   string
	Label  string
	Secret bool // not to be shown
	File   bool // a file, or the text of one
	// Is says whether a file that has come into the download folder is meant. Nil: nobody looks
	// there.
	Is func(data []byte) bool
	// Take checks the value and keeps it. Its error tells the person what to do instead; a Partial
	// is none.
	Take func(ctx context.Context, value []byte) error
}

// Partial is what Take says of a value that is right and not all that is wanted: what is still to
// come, into the same field.
type Partial string

// Error implements error.
func (p Partial) Error() string { return string(p) }

const (
	maxValue = 1 << 20 //bound:body a value or a file that a person brings back from a console

	eagerFor   = 2 * time.Minute  //bound:wait a task to be proved soon, looking often
	eagerEach  = 2 * time.Second  //bound:wait the next look at whether a task is proved, at first
	calmEach   = 10 * time.Second //bound:wait the next look at whether a task is proved, later
	lookTime   = time.Minute      //bound:wait one look at whether a task is proved
	takeTime   = time.Minute      //bound:wait a value to be checked
	patienceOf = 12 * time.Hour   //bound:wait a person to do a task
)

// ErrPatience says that a task was not done for so long that nobody is there any more.
var ErrPatience = errors.New("nobody did it for twelve hours; what was done is kept: run the command again")

// prove waits until a task is proved. It looks again at each nudge. said gets what stands in the
// way, which may be nothing.
func prove(ctx context.Context, t Task, nudge <-chan struct{}, said func(error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patienceOf, fmt.Errorf("%s: %w", t.Title, ErrPatience))
	defer cancel()
	for began := time.Now(); ; {
		looking, stop := context.WithTimeout(ctx, lookTime)
		proved, err := t.Proved(looking)
		stop()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && proved:
			return nil
		}
		said(err)
		wait := eagerEach
		if time.Since(began) > eagerFor {
			wait = calmEach
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-nudge:
		case <-time.After(wait):
		}
	}
}

// take hands a value to a want, within bounds.
func take(ctx context.Context, w Want, value []byte) error {
	if len(value) > maxValue {
		return errors.New("it is larger than what is wanted could be")
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	return w.Take(ctx, value)
}
