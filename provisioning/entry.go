package provisioning

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// entry is an entry of the log. It counts the outcome, of each object once: its manager and its
// members come after its attributes.
func (c *cycle) entry(o candidate, target string, done step, failure error, took time.Duration) Entry {
	e := Entry{
		Time:     c.Now(),
		Cycle:    c.result.Cycle,
		Ref:      o.Ref,
		Name:     o.Name,
		TargetID: target,
		Action:   done.action,
		Outcome:  Success,
		Code:     done.code,
		Reason:   done.reason,
		Changes:  o.told(done.changes),
		Duration: took,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	counter := map[Action]*int{
		Create:  &c.result.Created,
		Update:  &c.result.Updated,
		Disable: &c.result.Disabled,
		Delete:  &c.result.Deleted,
	}[done.action]
	switch {
	case failure != nil:
		e.Outcome = Failure
		e.Code = errorCode(failure)
		e.Reason = failure.Error()
		var f *foreseen
		if errors.As(failure, &f) {
			e.Attribute, e.Holder = f.attribute, f.holder
		}
		counter = &c.result.Failed
	case counter == nil:
		e.Outcome = Skipped
		c.result.Skipped++
		return e
	}
	if !c.counted[o.Ref] || failure != nil {
		*counter++
		c.counted[o.Ref] = true
	}
	return e
}

// redactedValue is what the log says instead of a value. Source: Redact.
const redactedValue = "[Redact]"

// told are changes as the log has them: without the values that an expression redacts.
func (o candidate) told(changes []Change) []Change {
	for i, c := range changes {
		if o.mapping == nil || !o.mapping.Redacted(c.Path) {
			continue
		}
		out := slices.Clone(changes)
		for k := i; k < len(out); k++ {
			out[k] = o.redacted(out[k])
		}
		return out
	}
	return changes
}

func (o candidate) redacted(c Change) Change {
	if o.mapping.Redacted(c.Path) {
		for _, value := range []*string{&c.Old, &c.New} {
			if *value != "" {
				*value = redactedValue
			}
		}
	}
	return c
}

func (c *cycle) tell(e Entry) {
	if c.OnEntry != nil && len(c.told([]Entry{e})) > 0 {
		c.OnEntry(e)
	}
}

// notAdopted is our own code of what is at the target and is not taken over.
const notAdopted = "NotAdopted"

// errorCode is Entra's code for a failure. Source: provisioning logs page.
func errorCode(err error) string {
	var p *scim.Problem
	var d *duplicate
	var n *notOurs
	var u *unfit
	var t *taken
	switch {
	case errors.As(err, &t):
		return "DuplicateSourceEntries"
	case errors.As(err, &u):
		return u.code
	case errors.As(err, &d):
		return "DuplicateTargetEntries"
	case errors.As(err, &n):
		return notAdopted
	case !errors.As(err, &p), p.Status/100 == 3: // a redirect is not followed
		return "WebExceptionProtocolError"
	}
	switch {
	case isConflict(err):
		return "EntryConflict"
	case p.Status == http.StatusBadRequest:
		return "SystemForCrossDomainIdentityManagementBadRequest"
	case p.Status == http.StatusNotFound:
		return "InvalidAnchor"
	case p.Status == http.StatusTooManyRequests:
		return "TooManyRequests"
	case p.Status == http.StatusUnprocessableEntity:
		return "UnprocessableEntity"
	case p.Status == http.StatusForbidden:
		return "InsufficientRights"
	case p.Status == http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case p.Status == http.StatusNotImplemented:
		return "NotImplemented"
	case p.Status >= 500:
		return "InternalServerError"
	}
	return "SystemForCrossDomainIdentityManagementServiceIncompatible"
}
