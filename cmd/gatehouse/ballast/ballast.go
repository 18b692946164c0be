// Package ballast holds memory that nobody touches, so that the garbage collector runs less often.
//
// Go prepares packages in the order of what they import. This one imports next to nothing, so that
// it comes before those that make megabytes: the collector runs when the ballast is taken, with
// nothing else to look at, and not again before the program is ready.
//
// It imports nothing of ours.
package ballast

import "os"

// size makes the garbage collector run after some 30 MiB of garbage at the least.
const size = 24 << 20 //bound:none a setting of the garbage collector

// Held counts as in use to the garbage collector, which runs when the heap is twice what is in use.
// That is little here at first, and each request makes garbage, so that it would run a hundred
// times a second under load.
//
// The demo is looked at by one person, beside other programs: it has no ballast, and less garbage.
var Held = heldBy(os.Args)

func heldBy(args []string) []byte {
	if len(args) > 1 && args[1] == "demo" {
		return nil
	}
	return make([]byte, size)
}
