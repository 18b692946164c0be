package graphserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// Rehearsal is what makes this Graph as inconvenient as the real one, so that what is written
// against it is ready for that. Sources: "Throttling guidance", and what Terraform's provider waits
// for.
type Rehearsal struct {
	// Requests is how many requests are let through in ten seconds; the others are answered with
	// 429 and Retry-After. Zero: any number.
	Requests int
	// Lag is how long what was made cannot be seen yet: reading it is answered with 404, and lists
	// leave it out.
	Lag time.Duration

	began  time.Time // what was there before is no news
	mu     sync.Mutex
	since  time.Time
	passed int
}

const throttleWindow = 10 * time.Second //bound:none of the rehearsal

// admit lets a request through, or says how many seconds to wait.
func (l *Rehearsal) admit(now time.Time) (wait int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Requests == 0 {
		return 0
	}
	if now.Sub(l.since).Abs() >= throttleWindow { // or the clock was set back
		l.since, l.passed = now, 0
	}
	if l.passed++; l.passed <= l.Requests {
		return 0
	}
	return int((throttleWindow - now.Sub(l.since)).Seconds()) + 1
}

var errThrottled = &wireError{
	status:  http.StatusTooManyRequests,
	code:    "TooManyRequests",
	message: "Too many requests.",
}

// tooNew says whether something that was made then cannot be seen yet.
func (l *Rehearsal) tooNew(made, now time.Time) bool {
	return l.Lag > 0 && made.After(l.began) && now.Sub(made) < l.Lag
}

// notYetVisible answers 404 for what the path names and was made too recently.
func (h *Handler) notYetVisible(ctx context.Context, path string) error {
	if h.Rehearsal.Lag == 0 {
		return nil
	}
	collection, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, _, _ := strings.Cut(rest, "/")
	if id == "" || strings.Contains(id, "$") || strings.HasPrefix(id, "delta") {
		return nil
	}
	var made time.Time
	var err error
	switch collection {
	case "users":
		var u tenant.User
		u, err = h.Tenant.UserByIDOrName(ctx, id)
		made = u.CreatedAt
	case "groups":
		var g tenant.Group
		g, err = h.Tenant.Group(ctx, tenant.GroupID(id))
		made = g.CreatedAt
	case "applications", "servicePrincipals":
		var a tenant.Application
		a, err = h.Tenant.Application(ctx, tenant.AnyApplicationID(id))
		made = a.CreatedAt
	}
	if err == nil && !made.IsZero() && h.Rehearsal.tooNew(made, h.Tenant.Now()) {
		return &wireError{
			status: http.StatusNotFound,
			code:   "Request_ResourceNotFound",
			message: "Resource '" + id + "' does not exist or one of its queried reference-property objects are " +
				"not present.",
		}
	}
	return nil // what is wrong otherwise the call itself says
}

// getClock and moveClock are ours: the time of the tenant, and how to move it where that can be
// done.
func (h *Handler) getClock(context.Context, request) (int, any, error) {
	ahead := time.Duration(0)
	if h.Tenant.Clock != nil {
		ahead = h.Tenant.Clock.Ahead()
	}
	return http.StatusOK, object{
		"dateTime":     h.Tenant.Now().UTC().Format(time.RFC3339),
		"movable":      h.Tenant.Clock != nil,
		"aheadSeconds": int(ahead.Seconds()),
	}, nil
}

func (h *Handler) moveClock(ctx context.Context, r request) (int, any, error) {
	var in struct {
		ForwardSeconds float64 `json:"forwardSeconds"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if in.ForwardSeconds < 0 || in.ForwardSeconds > 1e9 {
		return 0, nil, badRequest("forwardSeconds must be a number of at least 0.")
	}
	if err := h.Tenant.MoveClock(ctx, r.by, time.Duration(in.ForwardSeconds*float64(time.Second))); err != nil {
		return 0, nil, err
	}
	return h.getClock(ctx, r)
}

// retryAfter writes the header that goes with 429.
func retryAfter(w http.ResponseWriter, seconds int) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
}
