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
		x.What = "no event has this reference; so many requests were refused in its minute that this one, " +
			"if it was one of them, was only counted. They were: " + x.What
		if e.Action == audit.SeveralKinds {
			x.What += "refused for various reasons"
		}
		out = append(out, x)
	}
	if len(out) == 0 {
		return nil, &refusal.Error{Code: RequestNotFound, Subject: reference,
			Detail: "no event has this reference, and no refusals were only counted in its minute"}
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

// checkRemedies says what to do about a response that failed a check, by the names of the checks
// that the sign-in door makes.
var checkRemedies = map[string]string{
	"encoding": "look for a proxy or a plug-in that rewrites forms between the identity provider and " +
		"this center",
	"document": "the message is not a plain SAML response; if nobody plays tricks, update the identity " +
		"provider's software",
	"status": "the identity provider itself has refused the sign-in: its own sign-in log says why",
	"one-assertion": "the identity provider must send exactly one assertion; if it did, somebody has tampered " +
		"with the response",
	"not-encrypted": "turn assertion (token) encryption off for this application in the identity provider",
	"signature": "the identity provider signs with another certificate than those kept here: download its " +
		"metadata again and add the certificate in Settings. If it is the same, the response was altered on its way",
	"algorithm": "set the application's signing algorithm to SHA-256 in the identity provider, and leave " +
		"canonicalization at its default",
	"size": "have the identity provider send fewer attributes, or fewer values such as group names",
	"destination": "set the application's reply URL (assertion consumer service) in the identity provider to " +
		"the expected value",
	"recipient": "set the application's reply URL (assertion consumer service) in the identity provider to " +
		"the expected value",
	"audience": "set the application's identifier (entity ID, audience) in the identity provider to the " +
		"expected value",
	"issuer": "the metadata kept here is another identity provider's or another tenant's: upload that " +
		"of this application",
	"time": "the clocks of the identity provider and of this machine differ: synchronize both (NTP). " +
		"Three minutes are allowed for",
	"in-response-to": "the response answers another request than it says: start the sign-in again, and look for " +
		"tampering if it goes on",
	"bearer":  "the identity provider must confirm the subject as a bearer: this is its default",
	"version": "the identity provider must speak SAML 2.0",
	"subject": "the identity provider must name the user in the assertion's subject",
	"name-id": "set the application's name identifier in the identity provider to the format " +
		"emailAddress, and to the value that is the user name here",
	"response-version": "the identity provider must speak SAML 2.0: its response says another version",
	"issue-instant": "the identity provider says that it made the response more than an hour ago, or in the " +
		"future: start the sign-in again; if it goes on, synchronize the clocks of both (NTP)",
	"condition": "the identity provider puts a condition into its assertions that this center does not know " +
		"or must not meet: take it out of the application's settings there",
	"validity": "shorten the lifetime of assertions (tokens) for this application in the identity " +
		"provider: a day at the most, and an hour is plenty",
	"authn-statement": "the identity provider must say in an AuthnStatement that and when the user signed in: " +
		"this is its default",
	"authn-instant": "the identity provider says that the user signed in in the future: synchronize the clocks of " +
		"both (NTP). Three minutes are allowed for",
	"idp-initiated": "sign-in that the identity provider starts is switched off here: start at the access portal, " +
		"or allow it in Settings or with gatehouse identity-source idp-initiated on",
	"fresh": "have the identity provider honour ForceAuthn for this application, and say in AuthnInstant " +
		"when the user signed in",
	"attributes": "attributes for access control: at most 50, each once, each with one plain value. Change the " +
		"claims that the identity provider sends",
}
