package graphserver

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// maxWindows bounds how often one request looks through a part of the log for what its filter
// selects. The next page goes on from there; it may be that a page is empty.
const maxWindows = 4 //bound:list parts of the audit log that one request of Graph looks through

// eventLog is a log that is made of the events of the audit log.
type eventLog struct {
	resource *resource
	time     string // the property that the log is in order of
	narrow   func(c *graph.Condition, f *audit.Filter)
	show     func(audit.Event) object
}

// answerLog answers a page of a log. The store filters as far as it can; the rest of the condition
// is applied to what it gives.
func (h *Handler) answerLog(ctx context.Context, r request, l eventLog) (int, any, error) {
	o, err := options(r, l.resource)
	if err != nil {
		return 0, nil, err
	}
	q, at, err := l.query(o)
	if err != nil {
		return 0, nil, err
	}
	page := graph.Page[object]{
		Context: h.Tenant.GraphURL() + "/$metadata#" + strings.TrimPrefix(r.URL.Path, root+"/"), Value: []object{},
	}
	for window := 1; ; window++ {
		p, err := h.Tenant.FindEvents(ctx, q, at)
		if err != nil {
			return 0, nil, err
		}
		for _, e := range p.Events {
			if len(page.Value) == o.top {
				page.NextLink = h.nextOfLog(r, at)
				return http.StatusOK, page, nil
			}
			at = at.Behind(e)
			if x := l.show(e); o.selects(x) {
				page.Value = append(page.Value, o.shape(x, nil))
			}
		}
		if at = p.Next; at == (audit.Place{}) {
			return http.StatusOK, page, nil
		}
		if window >= maxWindows || len(page.Value) == o.top {
			page.NextLink = h.nextOfLog(r, at)
			return http.StatusOK, page, nil
		}
	}
}

// query is what the store can select and order by itself.
func (l eventLog) query(o query) (q audit.Query, at audit.Place, err error) {
	for _, by := range o.orderBy {
		if by.property != l.time || len(o.orderBy) > 1 {
			return q, at, unsupported("Unsupported sort property '" + by.property + "' for '" +
				l.resource.errorName() + "'.")
		}
		q.OldestFirst = !by.descending
	}
	if o.after != "" {
		var ok bool
		if at, ok = audit.ParsePlace(o.after); !ok {
			return q, at, badRequest("Invalid Skip Token")
		}
	}
	q.Limit = o.top
	if o.narrows() {
		q.Limit = scanSize
	}
	var to time.Time
	if q.From, to = o.condition.Between(l.time); !to.IsZero() {
		q.To = to.Add(time.Second) // objects have whole seconds
	}
	q.From = q.From.Truncate(time.Second)
	q.ID, _ = o.condition.Equals("id")
	reference, _ := o.condition.Equals("correlationId")
	q.Reference = strings.ToLower(reference)
	l.narrow(o.condition, &q.Filter)
	return q, at, nil
}

func (h *Handler) nextOfLog(r request, at audit.Place) string {
	options := r.URL.Query()
	options.Set("$skiptoken", skipToken(r, at.String()))
	return h.Tenant.URL + r.URL.Path + "?" + encode(options)
}

// person narrows to a name. Names that are not plain are compared in another way.
func person(c *graph.Condition, property string, f *audit.Filter) {
	name, _ := c.Equals(property)
	if strings.IndexFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		f.Person = name
	}
}

// signIns is the sign-in log. Source: signIn resource type.
func (h *Handler) signIns(ctx context.Context, r request) (int, any, error) {
	return h.answerLog(ctx, r, eventLog{
		signInType(), "createdDateTime",
		func(c *graph.Condition, f *audit.Filter) {
			f.Actions = tenant.SignInActions
			person(c, "userPrincipalName", f)
			address, _ := c.Equals("ipAddress")
			f.Address = strings.ToLower(address)
		},
		func(e audit.Event) object { return signInObject(tenant.SignInOf(e)) },
	})
}

func signInObject(s tenant.SignIn) object {
	status := object{"errorCode": float64(s.AADSTS), "failureReason": "Other.", "additionalDetails": nil}
	if s.Reason != "" {
		status["failureReason"] = s.Reason
	}
	app := s.Application
	if app == "" {
		app = "My Apps"
	}
	return object{
		"id":                  s.ID,
		"createdDateTime":     s.Time.UTC().Format(time.RFC3339),
		"userPrincipalName":   s.PrincipalName(),
		"userDisplayName":     s.User,
		"appDisplayName":      app,
		"ipAddress":           s.Address,
		"clientAppUsed":       "Browser",
		"correlationId":       s.RequestID,
		"isInteractive":       true,
		"resourceDisplayName": app,
		"status":              status,
	}
}

// directoryAudits is the audit log. Source: directoryAudit resource type.
func (h *Handler) directoryAudits(ctx context.Context, r request) (int, any, error) {
	return h.answerLog(ctx, r, eventLog{
		auditType(), "activityDateTime",
		func(c *graph.Condition, f *audit.Filter) {
			f.Action, _ = c.Equals("activityDisplayName")
			person(c, "initiatedBy/user/userPrincipalName", f)
			if result, ok := c.Equals("result"); ok && strings.EqualFold(result, "success") {
				f.Result = audit.Granted
			} else if ok && strings.EqualFold(result, "failure") {
				f.Result = audit.Refused
			}
		},
		auditObject,
	})
}

func auditObject(e audit.Event) object {
	result, by := "success", object{
		"user": nil,
		"app":  object{"displayName": e.Actor.Name, "servicePrincipalName": nil},
	}
	if e.Result != audit.Granted {
		result = "failure"
	}
	if e.Actor.Kind == audit.User || e.Actor.Kind == audit.Administrator {
		by = object{"app": nil, "user": object{"userPrincipalName": e.Actor.Name, "ipAddress": e.Actor.Address}}
	}
	return object{
		"id":                  e.ID,
		"activityDateTime":    e.Time.UTC().Format(time.RFC3339),
		"activityDisplayName": e.Action,
		"result":              result,
		"resultReason":        e.Detail,
		"correlationId":       e.Actor.RequestID,
		"initiatedBy":         by,
		"targetResources":     []object{{"displayName": e.Subject}},
		"loggedByService":     "Core Directory",
	}
}

// auditSample has what an entry says of a person and what it says of a program.
func auditSample() object {
	by := func(kind audit.Kind) object { return auditObject(audit.Event{Actor: audit.Actor{Kind: kind}}) }
	person, program := by(audit.User), by(audit.Application)
	person["initiatedBy"].(object)["app"] = program["initiatedBy"].(object)["app"]
	return person
}
