package aws

import (
	"context"
)

// Guide leads a person through what has no API. Do returns when the task is proved, or ctx ends.
type Guide interface {
	Do(context.Context, Task) error
}

// Task is something that a person does at the console.
type Task struct {
	Title  string
	Why    string
	Link   string   // to the page of the console
	Clicks []string // in the words of the screen
	Offer  *File    // to drop at the console
	Copy   string   // a word for the clipboard
	Wants  []Want
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
	// Is says whether a file that has come into the download folder is meant. Nil: the folder is
	// not looked at.
	Is func(data []byte) bool
	// Take checks the value and keeps it. Its error tells the person what to do instead.
	Take func(ctx context.Context, value []byte) error
}
