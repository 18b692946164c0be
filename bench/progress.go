package main

import (
	"fmt"
	"os"
	"strconv"
)

// say prints a line on standard error about what is done now, since parts of a run take minutes.
// Figures go to standard output.
func (s settings) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, s.part+": "+format+"\n", args...)
}

// sayRound says which round of a measurement begins, of which there are s.rounds.
func (s settings) sayRound(what string, round int) { s.sayRoundOf(what, round, s.rounds) }

func (s settings) sayRoundOf(what string, round, rounds int) {
	s.say("%s, round %d of %d", what, round+1, rounds)
}

// thousands writes a number as people read it: 10,000.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
