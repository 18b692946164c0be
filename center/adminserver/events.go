package adminserver

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Bounds of LookupEvents. A request looks at a part of the log, in the order of time, which an
// index has; the rest is for the token that it answers with.
const (
	eventsLookedAt = 1000 //bound:list events of the audit log that one request looks at
	maxEventPage   = 500  //bound:list events of a page of LookupEvents
	eventPage      = 50   //bound:none a page, unless asked for otherwise
)

func (h *Handler) lookupEvents(
	ctx context.Context, _ awsapi.Caller, in adminapi.SearchEvents,
) (adminapi.EventPage, error) {
	out := adminapi.EventPage{Events: []adminapi.Event{}}
	q, err := eventQuery(in)
	if err != nil {
		return out, err
	}
	most := cmp.Or(in.MaxResults, eventPage)
	if err := h.Center.FlushRefusals(ctx, true); err != nil {
		return out, err
	}
	events, err := h.Center.Events(ctx, q)
	if err != nil {
		return out, err
	}
	if len(events) == 0 {
		return out, nil
	}
	// fewer than the limit may not be the end: what is read at once is bounded in bytes
	last := lastMoment(events)
	for i, e := range events {
		// a page ends between two moments, since its token is one
		if between := i > 0 && e.Time.UnixMilli() != events[i-1].Time.UnixMilli(); between &&
			(len(out.Events) >= most || i >= last) {
			out.NextToken = strconv.FormatInt(events[i-1].Time.UnixMilli(), 10)
			return out, nil
		}
		if wanted(in, e) {
			out.Events = append(out.Events, showEvent(center.ExplainEvent(e)))
		}
	}
	out.NextToken = strconv.FormatInt(events[0].Time.UnixMilli(), 10) // all are of one moment
	return out, nil
}

// lastMoment is where the events of the last moment begin: there may be more of them.
func lastMoment(events []audit.Event) int {
	i := len(events) - 1
	for i > 0 && events[i-1].Time.UnixMilli() == events[len(events)-1].Time.UnixMilli() {
		i--
	}
	return i
}

func eventQuery(in adminapi.SearchEvents) (center.EventQuery, error) {
	// there is no event before that; with it they come in the order of time
	q := center.EventQuery{RequestID: in.Reference, Since: time.UnixMilli(1), Limit: eventsLookedAt}
	if in.MaxResults < 0 || in.MaxResults > maxEventPage {
		return q, &refusal.Error{Code: center.InvalidValue, Field: "MaxResults", Detail: "use 1 to 500"}
	}
	if r := in.Result; r != "" && r != audit.Granted && r != audit.Refused {
		return q, &refusal.Error{Code: center.InvalidValue, Field: "Result", Detail: "use Granted or Refused"}
	}
	if in.StartTime != nil {
		q.Since = *in.StartTime
	}
	if in.EndTime != nil {
		q.Before = *in.EndTime
	}
	if in.NextToken != "" {
		ms, err := strconv.ParseInt(in.NextToken, 10, 64)
		if err != nil {
			return q, &refusal.Error{Code: center.InvalidValue, Field: "NextToken"}
		}
		if before := time.UnixMilli(ms); q.Before.IsZero() || before.Before(q.Before) {
			q.Before = before
		}
	}
	return q, nil
}

func wanted(in adminapi.SearchEvents, e audit.Event) bool {
	has := func(text, part string) bool {
		return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
	}
	return has(e.Actor.Name, in.ActorName) && has(e.Subject, in.Subject) &&
		(in.EventName == "" || strings.EqualFold(e.Action, in.EventName)) &&
		(in.Result == "" || e.Result == in.Result) &&
		(in.SourceIPAddress == "" || e.Actor.Address == in.SourceIPAddress)
}

func showEvent(x center.Explanation) adminapi.Event {
	return adminapi.Event{
		EventTime:       x.Time,
		EventName:       x.Action,
		Subject:         x.Subject,
		ActorType:       string(x.Actor.Kind),
		ActorName:       x.Actor.Name,
		SourceIPAddress: x.Actor.Address,
		Result:          x.Result,
		ErrorCode:       x.Code,
		What:            x.What,
		Detail:          x.Detail,
		Remedy:          x.Remedy,
		Check:           x.Check,
		Expected:        x.Want,
		Received:        x.Got,
		Reference:       x.Actor.RequestID,
		Count:           x.Count,
	}
}

func (h *Handler) explainReference(
	ctx context.Context, _ awsapi.Caller, in adminapi.ReferenceInput,
) (adminapi.Events, error) {
	list, err := h.Center.Explain(ctx, in.Reference)
	out := adminapi.Events{Events: []adminapi.Event{}}
	for _, x := range list {
		out.Events = append(out.Events, showEvent(x))
	}
	return out, err
}
