package provisioning

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// matching is the attribute by which an object that is not linked yet is looked for at the target.
var matching = map[Kind]string{User: "userName", Group: "displayName"}

// step is what to do with one object: the plan, made before anything is sent.
type step struct {
	action Action
	ops    []scim.Operation
	sent   map[string]string // what the target has afterwards
	reason string            // why nothing is done
}

// plan compares what is wanted with what was last sent.
func plan(o Object, link Link, linked bool) step {
	wanted := wantedAttributes(o)
	switch {
	case !linked && (o.Gone || !o.InScope):
		return step{action: Other, reason: "NotEffectivelyEntitled"}
	case !linked && !o.Active:
		return step{action: Other, reason: "NotEffectivelyEntitled: disabled users are not created"}
	case !linked:
		return step{action: Create, sent: wanted}
	case o.Gone, !o.InScope && o.Kind == Group:
		return step{action: Delete}
	case !o.InScope || !o.Active:
		if link.Sent["active"] == "False" {
			return step{action: Other, reason: "RedundantExport"}
		}
		sent := map[string]string{}
		for k, v := range link.Sent {
			sent[k] = v
		}
		sent["active"] = "False"
		return step{action: Disable, ops: []scim.Operation{operation("Replace", "active", "False")}, sent: sent}
	}
	if ops := difference(link.Sent, wanted); len(ops) > 0 {
		return step{action: Update, ops: ops, sent: wanted}
	}
	return step{action: Other, reason: "RedundantExport"}
}

// wantedAttributes adds active to a user's attributes and leaves empty values out.
func wantedAttributes(o Object) map[string]string {
	wanted := map[string]string{}
	for k, v := range o.Attributes {
		if v != "" {
			wanted[k] = v
		}
	}
	if o.Kind == User {
		wanted["active"] = "True"
	}
	return wanted
}

// difference is the operations that turn sent into wanted, in a stable order. An attribute that has no value any more is removed, which
// Entra does not do; the manager is a reference with a phase of its own.
func difference(sent, wanted map[string]string) (ops []scim.Operation) {
	for _, path := range sortedKeys(wanted) {
		if old, had := sent[path]; !had {
			ops = append(ops, operation("Add", path, wanted[path]))
		} else if old != wanted[path] {
			ops = append(ops, operation("Replace", path, wanted[path]))
		}
	}
	for _, path := range sortedKeys(sent) {
		if _, keeps := wanted[path]; !keeps && path != managerPath {
			ops = append(ops, scim.Operation{Op: "Remove", Path: removable(path)})
		}
	}
	return ops
}

// removable is the path to remove: for the value of a list's entry the whole entry, since one without a value makes no sense.
func removable(path string) string {
	if entry, ok := strings.CutSuffix(path, "].value"); ok {
		return entry + "]"
	}
	return path
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func operation(op, path string, value any) scim.Operation {
	data, _ := json.Marshal(value) // texts and lists of texts always encode
	return scim.Operation{Op: op, Path: path, Value: data}
}

// provision brings one object into line, and remembers and logs how it went.
func (c *cycle) provision(ctx context.Context, o Object) error {
	began := time.Now()
	link, err := c.Memory.Link(ctx, o.Ref)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	known := err == nil
	link.Ref = o.Ref
	failedBefore := link.Failure != ""
	s := plan(o, link, link.TargetID != "")
	action, err := c.carryOut(ctx, o, &link, s)
	if stop := stops(err); stop != nil {
		return stop
	}
	c.judge(&link, err)
	entry := c.entry(o, link.TargetID, action, s.reason, err, time.Since(began))
	c.report(1)
	switch {
	case err == nil && !known && link.TargetID == "":
		return nil // never seen, and not to be seen
	case err == nil && (action == Delete || link.TargetID == ""):
		return c.Memory.Forget(ctx, o.Ref, entry)
	case err == nil && action == Other && !failedBefore:
		return nil // nothing has changed
	}
	return c.Memory.Keep(ctx, link, entry)
}

// judge notes in a link how an attempt went, and when the next one is due.
func (c *cycle) judge(link *Link, err error) {
	if err == nil {
		link.Failure, link.Tries, link.RetryAt = "", 0, time.Time{}
		return
	}
	link.Failure, link.Tries = err.Error(), link.Tries+1
	link.RetryAt = c.Now().Add(min(firstEscrow<<min(link.Tries-1, 20), maxEscrow))
}

// stops returns the errors that end the cycle: no more credentials, or told to stop.
func stops(err error) error {
	var refused *CredentialsError
	if errors.As(err, &refused) || errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// carryOut sends what the plan says and returns what was really done: a planned creation may turn out to be an update.
func (c *cycle) carryOut(ctx context.Context, o Object, link *Link, s step) (Action, error) {
	target := o.Kind.path() + "/" + link.TargetID
	switch s.action {
	case Create:
		return c.matchOrCreate(ctx, o, link, s)
	case Update, Disable:
		err := c.retry(ctx, func() error { return c.Target.Patch(ctx, target, s.ops...) })
		if gone(err) { // somebody deleted it at the target: match again
			*link = Link{Ref: o.Ref}
			if again := plan(o, *link, false); again.action == Create {
				return c.matchOrCreate(ctx, o, link, again)
			}
			return Other, nil
		}
		if err == nil {
			keepManager(link, s.sent)
		}
		return s.action, err
	case Delete:
		err := c.retry(ctx, func() error { return c.Target.Delete(ctx, target) })
		if gone(err) {
			err = nil
		}
		return Delete, err
	case Other:
	}
	return Other, nil
}

// keepManager sets what was sent, without forgetting the manager, which is sent apart.
func keepManager(link *Link, sent map[string]string) {
	if m, ok := link.Sent[managerPath]; ok {
		sent[managerPath] = m
	}
	link.Sent = sent
}

func gone(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// matchOrCreate looks for an object with the matching value and takes it over, or creates one. That makes a cycle that was interrupted
// between sending and remembering do the right thing the next time.
func (c *cycle) matchOrCreate(ctx context.Context, o Object, link *Link, s step) (Action, error) {
	attribute := matching[o.Kind]
	found, asked, err := c.find(ctx, o.Kind, s.sent[attribute])
	switch {
	case err != nil:
		return Create, err
	case len(found) > 1:
		return Create, &duplicate{attribute, s.sent[attribute]}
	case len(found) == 1:
		return c.adopt(ctx, o, link, s, found[0])
	}
	err = c.create(ctx, o, link, s)
	if p := new(scim.Problem); !asked && errors.As(err, &p) && p.Status == http.StatusConflict { // somebody has made it since the target was listed
		if found, again := c.ask(ctx, o.Kind, s.sent[attribute]); again == nil && len(found) == 1 {
			return c.adopt(ctx, o, link, s, found[0])
		}
	}
	return Create, err
}

func (c *cycle) create(ctx context.Context, o Object, link *Link, s step) error {
	var created scim.Resource
	err := c.retry(ctx, func() (err error) {
		created, err = c.Target.Create(ctx, o.Kind.path(), resource(o.Kind, s.sent))
		return err
	})
	if err != nil {
		return err
	}
	if link.TargetID = created.String("id"); link.TargetID == "" {
		return &scim.Problem{Status: http.StatusCreated, Detail: "the answer to the creation has no id"}
	}
	link.Sent = s.sent
	return nil
}

type duplicate struct{ attribute, value string }

func (d *duplicate) Error() string {
	return "the target has several objects whose " + d.attribute + " is " + d.value
}

// adopt takes an existing object over: it sends what is wanted, whatever the target has now.
func (c *cycle) adopt(ctx context.Context, o Object, link *Link, s step, found scim.Resource) (Action, error) {
	id := found.String("id")
	var ops []scim.Operation
	for _, path := range sortedKeys(s.sent) {
		if found.String(path) != s.sent[path] { // equal texts are not sent again; lists and parts always are
			ops = append(ops, operation("Replace", path, s.sent[path]))
		}
	}
	if len(ops) > 0 {
		if err := c.retry(ctx, func() error { return c.Target.Patch(ctx, o.Kind.path()+"/"+id, ops...) }); err != nil {
			return Update, err
		}
	}
	link.TargetID, link.Sent = id, s.sent
	return Update, nil
}

const enterprisePrefix = scim.EnterpriseURN + ":"

// resource builds the body of a creation from paths: name.givenName, emails[type eq "work"].value, URN:department.
func resource(kind Kind, attributes map[string]string) scim.Resource {
	schemas := []string{scim.GroupURN}
	if kind == User {
		schemas = []string{scim.UserURN, scim.EnterpriseURN}
	}
	r := scim.Resource{"schemas": schemas, "meta": map[string]any{"resourceType": string(kind)}}
	for path, value := range attributes {
		list, rest, isList := strings.Cut(path, `[type eq "`)
		object, sub, isSub := strings.Cut(path, ".")
		switch {
		case path == "active":
			r[path] = value == "True"
		case strings.HasPrefix(path, enterprisePrefix):
			set(r, scim.EnterpriseURN, strings.TrimPrefix(path, enterprisePrefix), value)
		case isList:
			kind, attribute, _ := strings.Cut(rest, `"].`)
			entry, ok := r[list].([]any)
			if !ok {
				entry = []any{map[string]any{"type": kind, "primary": true}}
				r[list] = entry
			}
			entry[0].(map[string]any)[attribute] = value
		case isSub:
			set(r, object, sub, value)
		default:
			r[path] = value
		}
	}
	return r
}

func set(r scim.Resource, object, sub, value string) {
	m, ok := r[object].(map[string]any)
	if !ok {
		m = map[string]any{}
		r[object] = m
	}
	m[sub] = value
}

const managerPath = enterprisePrefix + "manager"

// manager sends a user's manager, once both are at the target.
func (c *cycle) manager(ctx context.Context, o Object) error {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return nil
	}
	if err != nil {
		return err
	}
	boss, err := c.Memory.Link(ctx, Ref{User, o.Manager})
	if errors.Is(err, ErrUnknown) || (err == nil && (boss.TargetID == "" || link.Sent[managerPath] == boss.TargetID)) {
		return nil
	}
	if err != nil {
		return err
	}
	err = c.retry(ctx, func() error {
		return c.Target.Patch(ctx, User.path()+"/"+link.TargetID, operation("Add", managerPath, boss.TargetID))
	})
	if stop := stops(err); stop != nil {
		return stop
	}
	if err != nil {
		c.judge(&link, err)
		return c.Memory.Keep(ctx, link, c.entry(o, link.TargetID, Update, "manager", err, 0))
	}
	if link.Sent == nil {
		link.Sent = map[string]string{}
	}
	link.Sent[managerPath] = boss.TargetID
	return c.Memory.Keep(ctx, link)
}

// members brings a group's members into line, in batches, remembering after each batch what is done.
func (c *cycle) members(ctx context.Context, o Object) error {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") || o.Gone || !o.InScope {
		return nil
	}
	if err != nil {
		return err
	}
	var wanted []string
	for _, id := range o.Members {
		m, err := c.Memory.Link(ctx, Ref{User, id})
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if m.TargetID != "" {
			wanted = append(wanted, m.TargetID)
		}
	}
	add, remove := without(wanted, link.Members), without(link.Members, wanted)
	for _, change := range []struct {
		op  string
		ids []string
	}{{"Add", add}, {"Remove", remove}} {
		for batch := range slices.Chunk(change.ids, MaxMembers) {
			began := time.Now()
			err := c.sendMembers(ctx, link.TargetID, change.op, batch)
			if stop := stops(err); stop != nil {
				return stop
			}
			if err == nil && change.op == "Add" {
				link.Members = append(link.Members, batch...)
			} else if err == nil {
				link.Members = without(link.Members, batch)
			} else {
				c.judge(&link, err)
			}
			if err := c.Memory.Keep(ctx, link, c.entry(o, link.TargetID, Update, change.op+" members", err, time.Since(began))); err != nil {
				return err
			}
			if err != nil {
				return nil // the rest waits for the next cycle
			}
		}
	}
	return nil
}

func (c *cycle) sendMembers(ctx context.Context, group, op string, ids []string) error {
	values := make([]map[string]string, len(ids))
	for i, id := range ids {
		values[i] = map[string]string{"value": id}
	}
	return c.retry(ctx, func() error {
		return c.Target.Patch(ctx, Group.path()+"/"+group, operation(op, "members", values))
	})
}

// without returns the ids of list that are not in other, in their order.
func without(list, other []string) []string {
	drop := make(map[string]bool, len(other))
	for _, id := range other {
		drop[id] = true
	}
	var out []string
	for _, id := range list {
		if !drop[id] {
			out = append(out, id)
		}
	}
	return out
}

// retry sends a request at the target's pace, and again while the target throttles or fails: a few times, each after a longer pause.
func (c *cycle) retry(ctx context.Context, send func() error) error {
	wait := 200 * time.Millisecond
	for try, throttled := 1, 1; ; {
		if err := c.pace.enter(ctx); err != nil {
			return err
		}
		began := time.Now()
		err := credentials(send())
		c.pace.leave(began, err)
		var p *scim.Problem
		switch {
		case err == nil || !errors.As(err, &p):
			return err
		case throttles(p.Status) && throttled < maxThrottled: // the pace waits
			throttled++
			continue
		case p.Status < http.StatusInternalServerError || try == maxTries:
			return err
		}
		try++
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// entry is an entry of the log. It counts the outcome.
func (c *cycle) entry(o Object, target string, action Action, reason string, failure error, took time.Duration) Entry {
	e := Entry{Time: c.Now(), Cycle: c.result.Cycle, Ref: o.Ref, Name: o.Name, TargetID: target, Action: action, Outcome: Success, Reason: reason, Duration: took}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case failure != nil:
		e.Outcome, e.Code, e.Reason = Failure, errorCode(failure), failure.Error()
		c.result.Failed++
	case action == Create:
		c.result.Created++
	case action == Update:
		c.result.Updated++
	case action == Disable:
		c.result.Disabled++
	case action == Delete:
		c.result.Deleted++
	default:
		e.Outcome = Skipped
		c.result.Skipped++
	}
	return e
}

// errorCode is Entra's code for a failure. Source: provisioning logs page.
func errorCode(err error) string {
	var p *scim.Problem
	var d *duplicate
	switch {
	case errors.As(err, &d):
		return "DuplicateTargetEntries"
	case !errors.As(err, &p):
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
	case p.Status >= 500:
		return "InternalServerError"
	}
	return "SystemForCrossDomainIdentityManagementServiceIncompatible"
}
