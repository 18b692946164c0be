package main

import "github.com/gatehouse-id/gatehouse/terminal"

// What scripts/release stamps with -ldflags "-X main.version=…".
var version, commit, date string

// stamp is this program's version.
func stamp() terminal.Version { return terminal.Stamped(version, commit, date) }
