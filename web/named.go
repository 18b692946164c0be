package web

import (
	"context"
	"net/http"
	"strings"
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
func (n *named) of(r *http.Request) (door, operation string) {
	if n.operation != "" {
		return n.door, n.operation
	}
	if r.Pattern == "" {
		return "none", "none"
	}
	_, path, _ := strings.Cut(r.Pattern, "/")
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part[0] != '{' {
			return part, r.Pattern
		}
	}
	return "root", r.Pattern
}
