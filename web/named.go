package web

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Observe is told of each answer: by which door, to which operation, with which status, and how
// long it took. Door and operation are from what is mounted, and never what somebody has sent.
type Observe func(door, operation string, status int, took time.Duration)

// named is what a request asks for.
type named struct{ door, operation string }

type namedKey struct{}

// Name says what a request asks for, where the address does not: a door and an operation that it
// knows.
func Name(ctx context.Context, door, operation string) {
	if n, ok := ctx.Value(namedKey{}).(*named); ok && n.operation == "" { // of a batch, the batch
		n.door, n.operation = door, operation
	}
}

// of is what was asked for: what a door has said, or else the pattern that the address meets, whose
// first part that is no wildcard is the door.
func (n *named) of(r *http.Request) named {
	switch {
	case n.operation != "":
		return *n
	case r.Pattern == "":
		return named{"none", "none"}
	}
	if known, ok := patterns.Load(r.Pattern); ok {
		of, _ := known.(named)
		return of
	}
	of := named{"root", identifier().ReplaceAllString(r.Pattern, "{id}")} // of the tenant, which is one
	_, path, _ := strings.Cut(of.operation, "/")
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part[0] != '{' {
			of.door = part
			break
		}
	}
	patterns.Store(r.Pattern, of)
	return of
}

var (
	patterns   sync.Map // what patterns are called, which are as many as are mounted
	identifier = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	})
)
