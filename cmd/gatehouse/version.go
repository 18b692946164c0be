package main

import (
	"sync"

	"github.com/gatehouse-id/gatehouse/terminal"
)

// What scripts/release stamps with -ldflags "-X main.version=…".
var version, commit, date string

// stamp is this program's version. What Go says of the build names each module, and is read once.
var stamp = sync.OnceValue(func() terminal.Version { return terminal.Stamped(version, commit, date) })
