package center

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Explanation is an event with what to do about it.
type Explanation struct {
	audit.Event
	What   string // what happened, in general
	Remedy string // what to do; empty for what was granted
}

// Explain returns what was done and refused in one request, in the order in which it happened. The
// reference is what an error page shows, and every answer carries as its request id. It fails with
// RequestNotFound.
func (c *Center) Explain(ctx context.Context, reference string) ([]Explanation, error) {
	if reference == "" {
		return nil, &refusal.Error{Code: RequestNotFound}
	}
	events, err := c.Events(ctx, EventQuery{RequestID: reference})
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return c.counted(ctx, reference)
	}
	out := make([]Explanation, 0, len(events))
	for i := len(events) - 1; i >= 0; i-- {
		out = append(out, ExplainEvent(events[i]))
	}
	return out, nil
}

// counted returns what was refused in the minute of a reference and was only counted, without
// events of its own: the reference may be that of one of them, and there is no way to tell which.
// References hold their time (RFC 9562, section 5.7).
func (c *Center) counted(ctx context.Context, reference string) (out []Explanation, err error) {
	id, err := uuid.Parse(reference)
	if err != nil || id.Version() != 7 {
		return nil, &refusal.Error{Code: RequestNotFound, Subject: reference, Detail: "no event has this reference"}
	}
	if err := c.FlushRefusals(ctx, true); err != nil {
		return nil, err
	}
	minute := time.Unix(id.Time().UnixTime()).Truncate(time.Minute)
	events, err := c.Events(ctx, EventQuery{Since: minute, Before: minute.Add(time.Minute), Limit: maxInMinute})
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.Count == 0 {
			continue
		}
		x := ExplainEvent(e)
		x.What = "no event has this reference; so many requests were refused in its minute that some were " +
			"only counted, and this may be one of them. They were refused for: " + x.What
		if e.Action == audit.SeveralKinds {
			x.What += "various reasons"
		}
		out = append(out, x)
	}
	if len(out) == 0 {
		return nil, &refusal.Error{
			Code:    RequestNotFound,
			Subject: reference,
			Detail:  "no event has this reference, and every refusal of that minute has an event",
		}
	}
	return out, nil
}

// maxInMinute bounds the events of a minute among which those are that stand for many. On several
// nodes there are some of each.
const maxInMinute = 1000 //bound:list events of a minute that an explanation looks at

// ExplainEvent says what to do about an event.
func ExplainEvent(e audit.Event) Explanation {
	x := Explanation{Event: e}
	if e.Result != audit.Refused {
		return x
	}
	code := Refusals.Named(e.Code)
	x.What = code.What()
	x.Remedy = code.Remedy()
	if remedy, ok := checkRemedies[e.Check]; ok {
		x.Remedy = remedy
	}
	return x
}
