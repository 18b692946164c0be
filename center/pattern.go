package center

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when a text comes first: counts of hundreds take
// a state each, and few processes need many of them.
type pattern func() *regexp.Regexp

func newPattern(text string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (p pattern) match(text string) bool { return p().MatchString(text) }
