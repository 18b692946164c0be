package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// provision brings one object into line, and remembers and logs how it went.
func (c *cycle) provision(ctx context.Context, o candidate) error {
	began := time.Now()
	link, err := c.Memory.Link(ctx, o.Ref)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	known, manager := err == nil, link.Manager
	link.Ref = o.Ref
	failedBefore, linkedBefore := link.Failure != "", link.TargetID != ""
	refreshed := c.reread(&link, o)
	done, err := c.carryOut(ctx, o, &link, c.plan(o, link))
	if stop := stops(err); stop != nil {
		return stop
	}
	if c.postpone(o, err) {
		return nil
	}
	c.judge(&link, err)
	link.Manager = o.Manager
	entry := c.entry(o, link.TargetID, done, err, time.Since(began))
	c.tell(entry)
	c.note(o, link)
	c.report(1)
	switch {
	case err == nil && !known && link.TargetID == "" && done.code == "":
		return nil // never seen, and not to be seen
	case err == nil && (done.action == Delete || link.TargetID == ""):
		return c.Memory.Forget(ctx, o.Ref, entry)
	case err == nil && done.action == Other && !failedBefore && linkedBefore && done.code == "" && !refreshed &&
		manager == o.Manager:
		return nil // nothing has changed
	}
	return c.Memory.Keep(ctx, link, entry)
}

// note remembers what an object at the target is called, for the log, and whether there is a
// manager to be sent or removed.
func (c *cycle) note(o candidate, link Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if link.TargetID == "" {
		return
	}
	c.names[link.TargetID] = o.Name
	if o.Manager != "" || link.Sent[managerPath] != "" {
		c.managed[o.Ref] = true
	}
}

func (c *cycle) named(ids []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, len(ids))
	for i, id := range ids {
		if names[i] = c.names[id]; names[i] == "" {
			names[i] = id
		}
	}
	return names
}

// postpone puts an object aside whose name somebody else has for now.
func (c *cycle) postpone(o candidate, err error) bool {
	var p *scim.Problem
	var t *taken
	conflict := errors.As(err, &t) || (errors.As(err, &p) && p.Status == http.StatusConflict)
	if !c.putOff || !conflict {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conflicts = append(c.conflicts, o)
	return true
}

// judge notes in a link how an attempt went, and when the next one is due.
func (c *cycle) judge(link *Link, err error) {
	if err == nil {
		link.Failure = ""
		link.Tries = 0
		link.RetryAt = time.Time{}
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

// carryOut sends what the plan says and returns what was really done: a planned creation may turn
// out to be an update.
func (c *cycle) carryOut(ctx context.Context, o candidate, link *Link, s step) (step, error) {
	if s.unfit != nil {
		return s, s.unfit
	}
	switch s.action {
	case Create:
		return c.matchOrCreate(ctx, o, link, s)
	case Update, Disable:
		err := c.patch(ctx, o.Kind, link.TargetID, c.Dialect.patch(s.changes)...)
		if gone(err) { // somebody deleted it at the target: match again
			*link = Link{Ref: o.Ref}
			if again := c.plan(o, *link); again.action == Create {
				return c.matchOrCreate(ctx, o, link, again)
			}
			return step{action: Other, reason: "it is not at the target any more"}, nil
		}
		if err == nil {
			link.Sent = s.sent
		}
		return s, err
	case Delete:
		err := c.send(ctx, func() error { return c.Target.Delete(ctx, o.Kind.path()+"/"+link.TargetID) })
		if gone(err) {
			err = nil
		}
		return s, err
	}
	return s, nil
}

// send sends a request that changes something, unless this is a dry run.
func (c *cycle) send(ctx context.Context, request func() error) error {
	if c.DryRun {
		return context.Cause(ctx)
	}
	return c.retry(ctx, request)
}

func (c *cycle) patch(ctx context.Context, kind Kind, targetID string, ops ...scim.Operation) error {
	return c.send(ctx, func() error { return c.Target.Patch(ctx, kind.path()+"/"+targetID, ops...) })
}

func gone(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// matchOrCreate looks for an object with a matching value and takes it over, or creates one. That
// makes a cycle that was interrupted between sending and remembering do the right thing the next
// time. Matching attributes are tried one after the other, until one finds something.
func (c *cycle) matchOrCreate(ctx context.Context, o candidate, link *Link, s step) (step, error) {
	unasked := ""
	for _, attribute := range o.keys() {
		found, asked, err := c.find(ctx, o.Kind, attribute, s.sent[attribute])
		if err == nil {
			found, err = c.withoutFreed(ctx, o, attribute, found)
		}
		switch {
		case err != nil:
			return s, err
		case len(found) > 1:
			return s, &duplicate{attribute, s.sent[attribute]}
		case len(found) == 1:
			return c.adopt(ctx, o, link, found[0])
		case !asked && unasked == "":
			unasked = attribute
		}
	}
	err := c.create(ctx, o, link, s)
	// somebody has made it since the target was listed
	if p := new(scim.Problem); unasked != "" && errors.As(err, &p) && p.Status == http.StatusConflict {
		if found, again := c.ask(ctx, o.Kind, unasked, s.sent[unasked]); again == nil && len(found) == 1 {
			return c.adopt(ctx, o, link, found[0])
		}
	}
	return s, err
}

func (c *cycle) create(ctx context.Context, o candidate, link *Link, s step) error {
	created := scim.Resource{"id": "new:" + o.ID} // of a dry run
	err := c.send(ctx, func() (err error) {
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

// withoutFreed leaves out what belongs to another object of the source and has been given another
// value in this cycle: the target was listed before, or this is a dry run. It fails with taken when
// that object still has the value.
func (c *cycle) withoutFreed(
	ctx context.Context, o candidate, attribute string, found []scim.Resource,
) (left []scim.Resource, err error) {
	for _, r := range found {
		owner, err := c.Memory.Owner(ctx, o.Kind, r.String("id"))
		if errors.Is(err, ErrUnknown) || (err == nil && owner == o.Ref) {
			left = append(left, r)
			continue
		}
		if err != nil {
			return nil, err
		}
		link, err := c.Memory.Link(ctx, owner)
		if err != nil {
			return nil, err
		}
		if fold(link.Sent[attribute]) == fold(o.creating[attribute]) {
			return nil, &taken{attribute, o.creating[attribute]}
		}
	}
	return left, nil
}

// taken means that the object that matches is another source object's.
type taken struct{ attribute, value string }

func (t *taken) Error() string {
	return "the object at the target whose " + t.attribute + " is " + t.value +
		" belongs to another object of the source"
}

// notOurs means that an object is at the target which a careful engine must not touch.
type notOurs struct{ what, name, remedy string }

func (n *notOurs) Error() string {
	return "the target has " + n.what + " " + n.name + " already, which was not made from this source; " + n.remedy
}

// controlTower begins the names of the groups that AWS Control Tower makes and needs. Source: AWS
// Control Tower, "IAM Identity Center groups".
const controlTower = "AWS"

// adopt takes an existing object over: what differs from what is wanted is sent.
func (c *cycle) adopt(ctx context.Context, o candidate, link *Link, found scim.Resource) (step, error) {
	there := map[string]string{}
	for path := range o.creating {
		if v := valueAt(found, path); v != "" {
			there[path] = v
		}
	}
	ours := o.creating["externalId"] != "" && there["externalId"] == o.creating["externalId"]
	s := step{action: Update, changes: difference(there, o.creating), sent: o.creating, reason: "taken over"}
	what := strings.ToLower(string(o.Kind))
	switch {
	case ours:
		s.reason = "found again"
	case c.Careful && o.Kind == Group && strings.HasPrefix(found.String("displayName"), controlTower):
		return s, &notOurs{
			what, o.Name,
			"groups of AWS Control Tower are never touched: rename the one at the source, or take it out of scope",
		}
	case c.Careful && !c.Adopt:
		return s, &notOurs{
			what, o.Name, "look at the difference, then take it over with --adopt, or take it out of scope",
		}
	}
	id := found.String("id")
	if len(s.changes) == 0 {
		s.action, s.reason = Other, "RedundantExport"
	} else if err := c.patch(ctx, o.Kind, id, c.Dialect.patch(s.changes)...); err != nil {
		return s, err
	}
	link.TargetID = id
	link.Sent = maps.Clone(s.sent)
	link.Adopted = !ours
	if manager := valueAt(found, managerPath); manager != "" {
		link.Sent[managerPath] = manager
	}
	c.mu.Lock()
	c.found[o.Ref] = true
	c.mu.Unlock()
	return s, nil
}

// managers sends who the managers of users are: of those that the cycle looks at, and of those
// whose manager is at the target only now, or anew.
func (c *cycle) managers(ctx context.Context, users []candidate) error {
	if c.Mappings.Users == nil || !c.Mappings.Users.Maps(managerPath) {
		return nil
	}
	if !c.result.Initial && !c.Reread { // else everybody is looked at
		looked := map[Ref]bool{}
		for _, u := range users {
			looked[u.Ref] = true
		}
		for _, u := range users {
			reports, err := c.reportsOf(ctx, u.Ref)
			if err != nil {
				return err
			}
			for _, link := range reports {
				if looked[link.Ref] {
					continue
				}
				o, err := c.Source.Object(ctx, link.Ref)
				if err != nil {
					return fmt.Errorf("read the source: %w", err)
				}
				looked[link.Ref] = true
				report := evaluate(ctx, o, c.Mappings.Users)
				c.note(report, link)
				users = append(users, report)
			}
		}
	}
	return c.each(ctx, c.withManager(users), c.manager)
}

// reportsOf lists the links of those at the target who have another manager there than they should.
func (c *cycle) reportsOf(ctx context.Context, boss Ref) (list []Link, err error) {
	link, err := c.Memory.Link(ctx, boss)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return nil, nil
	}
	if err == nil {
		list, err = c.Memory.Reports(ctx, boss.ID)
	}
	return slices.DeleteFunc(
		list, func(l Link) bool { return l.TargetID == "" || l.Sent[managerPath] == link.TargetID },
	), err
}

func (c *cycle) withManager(users []candidate) (list []candidate) {
	for _, u := range users {
		if c.managed[u.Ref] && u.mapping.Maps(managerPath) && u.inScope && u.Active {
			list = append(list, u)
		}
	}
	return list
}

// manager sends a user's manager, once both are at the target.
func (c *cycle) manager(ctx context.Context, o candidate) error {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
		return nil
	}
	if err != nil {
		return err
	}
	var boss Link
	if o.Manager != "" {
		if boss, err = c.Memory.Link(ctx, Ref{User, o.Manager}); err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
	}
	change := Change{managerPath, link.Sent[managerPath], boss.TargetID}
	// one who is out of scope is neither sent nor taken away
	if change.Old == change.New || (o.Manager != "" && boss.TargetID == "") {
		return nil
	}
	err = c.patch(ctx, User, link.TargetID, c.Dialect.patch([]Change{change})...)
	if stop := stops(err); stop != nil {
		return stop
	}
	shown := Change{change.Path, c.named([]string{change.Old})[0], c.named([]string{change.New})[0]}
	done := step{action: Update, changes: []Change{shown}, reason: "manager"}
	if err != nil {
		c.judge(&link, err)
	} else {
		link.Sent = maps.Clone(link.Sent)
		if link.Sent[managerPath] = change.New; change.New == "" {
			delete(link.Sent, managerPath)
		}
	}
	e := c.entry(o, link.TargetID, done, err, 0)
	c.tell(e)
	return c.Memory.Keep(ctx, link, e)
}

func (c *cycle) withMembers(groups []candidate) (list []candidate) {
	for _, g := range groups {
		if g.mapping.Maps(membersPath) && g.inScope {
			list = append(list, g)
		}
	}
	return list
}

// members brings a group's members into line, in batches, remembering after each batch what is
// done.
func (c *cycle) members(ctx context.Context, o candidate) error {
	link, err := c.Memory.Link(ctx, o.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && link.TargetID == "") {
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
	if c.Reread || c.found[o.Ref] {
		now, err := c.membersNow(ctx, o, link, wanted)
		if stop := stops(err); stop != nil {
			return stop
		}
		if err != nil {
			c.judge(&link, err)
			e := c.entry(o, link.TargetID, step{action: Update, reason: "compare members"}, err, 0)
			c.tell(e)
			return c.Memory.Keep(ctx, link, e)
		}
		link.Members = now
	}
	if ok, err := c.changeMembers(ctx, o, &link, "Add", without(wanted, link.Members)); err != nil || !ok {
		return err // what failed waits for the next cycle, and the rest with it
	}
	_, err = c.changeMembers(ctx, o, &link, "Remove", without(link.Members, wanted))
	return err
}

// saveEach is after how many batches a link is remembered. What was sent since is sent again after
// a crash, which changes nothing.
const saveEach = 32 //bound:none how often, not how much

// changeMembers adds or removes members in batches, and remembers now and then what is done: the
// link of a large group is large. It returns false when the target refused.
func (c *cycle) changeMembers(
	ctx context.Context, o candidate, link *Link, op string, ids []string,
) (ok bool, err error) {
	before, sent := link.Members, 0
	var entries []Entry
	for batch := range slices.Chunk(ids, MaxMembers) {
		began := time.Now()
		err := c.patch(ctx, Group, link.TargetID, c.Dialect.members(op, batch)...)
		stop := stops(err)
		if stop == nil {
			e := c.entry(o, link.TargetID, step{action: Update, reason: op + " members"}, err, time.Since(began))
			switch {
			case err != nil:
				c.judge(link, err)
			case op == "Add":
				e.Added = c.named(batch)
			default:
				e.Removed = c.named(batch)
			}
			c.tell(e)
			entries = append(entries, e)
		}
		if err == nil {
			sent += len(batch)
		}
		if err != nil || sent == len(ids) || len(entries) == saveEach {
			if op == "Add" {
				link.Members = slices.Concat(before, ids[:sent])
			} else {
				link.Members = without(before, ids[:sent])
			}
			if kept := c.Memory.Keep(context.WithoutCancel(ctx), *link, entries...); kept != nil {
				return false, kept
			}
			entries = nil
		}
		if err != nil {
			return false, stop
		}
	}
	return true, nil
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

// retry sends a request at the target's pace, and again while the target throttles or fails: a few
// times, each after a longer pause.
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
		case p.Status < http.StatusInternalServerError || p.Status == http.StatusNotImplemented || try == maxTries:
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
