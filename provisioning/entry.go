package provisioning

import (
	"errors"
	"net/http"
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
		Changes:  done.changes,
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

func (c *cycle) tell(e Entry) {
	if c.OnEntry != nil {
		c.OnEntry(e)
	}
}

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
		return "NotAdopted"
	case !errors.As(err, &p), p.Status/100 == 3: // a redirect is not followed
		return "WebExceptionProtocolError"
	}
	switch {
	case p.Status == http.StatusBadRequest:
		return "SystemForCrossDomainIdentityManagementBadRequest"
	case p.Status == http.StatusConflict:
		return "EntryConflict"
	case p.Status == http.StatusNotFound:
		return "InvalidAnchor"
	case p.Status == http.StatusTooManyRequests:
		return "TooManyRequests"
	case p.Status == http.StatusUnprocessableEntity:
		return "UnprocessableEntity"
	case p.Status == http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case p.Status == http.StatusNotImplemented:
		return "NotImplemented"
	case p.Status >= 500:
		return "InternalServerError"
	}
	return "SystemForCrossDomainIdentityManagementServiceIncompatible"
}
