package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// planned is an object with what is to be done about it.
type planned struct {
	candidate
	link  Link
	known bool // there was a link
	open  bool // it is in doubt
	step
}

// planned plans what is to be done about one object.
func (c *cycle) planned(ctx context.Context, o candidate) (planned, bool, error) {
	link, err := c.Memory.Link(ctx, o.Ref)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return planned{}, false, err
	}
	if c.leavesAlone(link) || c.holdsBack(o.Ref) {
		c.report(1)
		return planned{}, false, nil
	}
	p := planned{candidate: o, link: link, known: err == nil, open: link.Doubt.open(c.Now())}
	p.link.Ref = o.Ref
	if c.doubts && link.TargetID != "" {
		p.link.Doubt = suspicion(link.Doubt)
		p.open = true
	}
	p.step = c.plan(o, link)
	if c.compares(p.link) { // as the target has it, which is put into the link when it is its turn
		p.step = step{action: Update}
	}
	return p, true, nil
}

// intent implements work. Keys are told of whatever may be created: one who is not at the target
// any more is.
func (p planned) intent() (Intent, bool) {
	i := Intent{Ref: p.Ref, Keys: p.identity()}
	return i, p.open || (p.unfit == nil && p.action != Other)
}

// identity is what an object is found by when nobody knows whether it was created.
func (o candidate) identity() map[string]string {
	keys := map[string]string{}
	for _, path := range append(o.mapping.Matching(), externalID) {
		if v := o.creating[path]; v != "" {
			keys[path] = v
		}
	}
	return keys
}

// provision brings one object into line, and remembers and logs how it went.
func (c *cycle) provision(ctx context.Context, p planned, batch string) error {
	began := time.Now()
	o, link := c.holds(p.candidate, p.link), p.link
	if c.compares(link) && c.compared[o.Kind] && c.listed(link) == nil {
		link.Doubt = suspicion(link.Doubt)
	}
	failedBefore, linkedBefore := link.failed(), link.TargetID != ""
	doubtful := link.Doubt.open(c.Now())
	link.Batch = batch
	err := c.settle(ctx, o, &link)
	if doubtful && c.deaf(o.Kind) {
		c.shake(o.Ref)
	}
	if err == nil {
		c.release(ctx, o, link)
	}
	refreshed := err == nil && c.reread(&link, o)
	link.HeldOff = o.away
	c.givesBack(&link)
	done := c.plan(o, link)
	if err == nil {
		err = cmp.Or(c.heldOff(o, &link), c.isStillThere(ctx, o, p.link))
	}
	if err == nil {
		done, err = c.carryOut(ctx, o, &link, done)
	}
	made := err == nil && done.action == Create
	if was := p.link.TargetID; was != "" && c.wasLost(o.Ref, was) && !made {
		link.Doubt = link.Doubt.lost(c.Now(), c.sentKeys(p.link), p.link.Members)
	}
	if stop := stops(err); stop != nil {
		if link.Doubt != nil {
			return errors.Join(stop, c.keepLast(ctx, link))
		}
		return stop
	}
	alone := len(c.withMembers([]candidate{o})) == 0 || link.TargetID == "" // nobody will send its members
	if err == nil && alone {
		link.Doubt = link.Doubt.resent(c.Now(), nil)
	}
	if c.postpone(o, err) {
		if !doubtful && link.Doubt == p.link.Doubt {
			return nil
		}
		link.Tries = max(link.Tries, 1) // whether it is at the target is known only now
		return c.keep(ctx, link)
	}
	if err = c.explained(ctx, o, link, err); err != nil {
		c.misnamed(ctx, o, link)
	}
	c.judge(&link, err)
	link.Wants = o.wants(err)
	link.Staged = false
	link.Counted = err != nil && (link.Counted || done.action == Disable || done.action == Delete)
	if o.leaves() && c.hurry(&link, err) {
		c.tryMeanwhile(link)
	}
	link.Manager = o.Manager
	sent := done.action != Other || link.TargetID != p.link.TargetID
	switch rest := !alone || c.managerFollows(o, link); {
	case err != nil:
	case (failedBefore || doubtful) && sent && o.isBack() && (rest || o.Kind == User):
		c.bring(&link)
	case !rest:
		link.Tries = 0 // else whether all of it has succeeded is known after the manager, or the members
	}
	link.HeldOff = link.HeldOff && err != nil
	news := failedBefore || doubtful || refreshed || p.link.Manager != o.Manager || !linkedBefore
	return c.conclude(ctx, p, link, done, err, news, began)
}

// conclude tells how it went with one object, and remembers it. news says that something is to be
// remembered although nothing was sent.
func (c *cycle) conclude(
	ctx context.Context, p planned, link Link, done step, failure error, news bool, began time.Time,
) error {
	target, made := link.TargetID, failure == nil && done.action == Create
	if failure == nil && done.action == Delete {
		c.lose(p.Ref, target)
		link = Link{Ref: p.Ref, Doubt: link.Doubt.deleted(target), Batch: link.Batch}
	}
	entry := c.entry(p.candidate, target, done, failure, time.Since(began))
	c.tell(entry)
	c.note(p.candidate, link, failure == nil && done.action != Other, made)
	c.report(1)
	switch {
	case p.leaves() && len(p.link.Wants) > 0 && repeats(link, failure):
		return c.keep(ctx, link)
	case failure != nil:
	case !p.known && link.TargetID == "" && done.code == "":
		// A memory of everybody who is not in scope would be as large as the source.
		return nil // never seen, and not to be seen
	case link.TargetID == "" && link.Doubt == nil:
		return c.forget(ctx, p.Ref, entry)
	case done.action == Other && link.TargetID != "" && done.code == "" && !news:
		return nil // nothing has changed
	}
	return c.keep(ctx, link, entry)
}

// repeats says whether a refusal need not be in the log once more. Who is to lose access is tried
// each minute: a target that refuses that for good would fill the log. After a while it is there as
// often as if the pauses grew, and once a day.
func repeats(link Link, refused error) bool {
	const few = 16
	const day = int(24 * time.Hour / MaxPause)
	n := link.Tries
	return refused != nil && !MayPass(refused) && n > few && n&(n-1) != 0 && n%day != 0
}

// explained adds to a conflict who has what the object was to get: few targets say so.
func (c *cycle) explained(ctx context.Context, o candidate, link Link, err error) error {
	if f := new(foreseen); !isConflict(err) || errors.As(err, &f) {
		return err
	}
	var rules Rules
	if unread := c.retry(ctx, func() (err error) {
		rules, err = c.Target.Rules(ctx)
		return err
	}); unread != nil {
		return err
	}
	wanted := resource(o.Kind, o.creating)
	for _, path := range rules.Unique[o.Kind] {
		value := uniqueValue(wanted, path)
		if value == "" {
			continue
		}
		found, unread := c.ask(ctx, o.Kind, path, value)
		for _, r := range found {
			other := r.String("id") != link.TargetID && key(path, uniqueValue(r, path)) == key(path, value)
			if h := holderOf(o.Kind, r); unread == nil && other {
				return fmt.Errorf("%w (%s)", err, h.conflict(o.Kind, path, value).why)
			}
		}
	}
	return err
}

// shake notes that the memberships of a user may have ended at the target.
func (c *cycle) shake(ref Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shaken[ref] = true
}

// note remembers what an object at the target is called, for the log, whether it was just written,
// and whether there is a manager to be sent or removed.
func (c *cycle) note(o candidate, link Link, written, made bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if link.TargetID == "" {
		return
	}
	c.names[link.TargetID] = o.Name
	c.seen[link.TargetID] = c.seen[link.TargetID] || written
	c.made[o.Ref] = c.made[o.Ref] || made
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
	var t *taken
	held := errors.As(err, &t) || isConflict(err)
	if !c.putOff || !held {
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
		link.Failure, link.Asked = "", 0
		link.RetryAt = time.Time{}
		return
	}
	link.Failure, link.Tries = err.Error(), link.Tries+1
	link.RetryAt = c.Now().Add(Pause(link.Tries, err))
	if link.Asked = LeftAlone(err); isBrief(err) {
		link.Asked = 0
	}
	if !MayPass(err) {
		link.Wants = noName // which provision knows better
		return
	}
	link.Wants = nil
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fell(err, time.Now())
}

// fell notes that an object has failed in a way that may pass. When the target is asked again,
// those say of whom it takes nothing, and not those whom it has put off and who know when. c.mu is
// held.
func (c *cycle) fell(err error, at time.Time) {
	if c.result.Silent == nil || !isPutOff(err) {
		c.result.Silent, c.result.SilentAt = err, at
	}
}

// hurry lets what takes access away be tried again within a minute, and soon if it has failed in a
// way that may pass. It says whether it may. A target that wants to be asked again in a moment is,
// for as long as it says so.
func (c *cycle) hurry(link *Link, err error) bool {
	if err == nil {
		return false
	}
	if !MayPass(err) {
		link.RetryAt = c.Now().Add(MaxPause)
		return false
	}
	soon := c.Now().Add(max(hurriedPause, Asked(err)))
	if (link.Tries <= hurriedTries || isBrief(err)) && link.RetryAt.After(soon) {
		link.RetryAt = soon
	}
	return true
}

// stops returns the errors that end the cycle: no more credentials, no more answers, or told to
// stop.
func stops(err error) error {
	var refused *CredentialsError
	var none *silence
	if errors.As(err, &refused) || errors.As(err, &none) || errors.Is(err, context.Canceled) {
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
		err := c.update(ctx, link, s.changes)
		if isNotFound(err) {
			if err := c.isGone(ctx, *link, err); err != nil {
				return s, err
			}
			// somebody deleted it at the target: match again
			c.lose(o.Ref, link.TargetID)
			*link = c.unlinked(*link)
			if again := c.plan(o, *link); again.action == Create {
				return c.matchOrCreate(ctx, o, link, again)
			}
			return step{action: Other, reason: "it no longer exists at the target"}, nil
		}
		if err != nil && s.action == Disable && c.deaf(o.Kind) { // some memberships may have ended
			link.Doubt = link.Doubt.doubted(c.Now(), Intent{Ref: o.Ref})
		}
		if err == nil {
			link.Sent = s.sent
			if link.Left = (time.Time{}); s.action == Disable && c.deaf(o.Kind) {
				link.Left = c.Now()
			}
		}
		return s, err
	case Delete:
		err := c.send(ctx, link, Intent{}, func() error { return c.Target.Delete(ctx, o.Kind, link.TargetID) })
		if isNotFound(err) {
			if err = c.isGone(ctx, *link, err); err == nil {
				c.lose(o.Ref, link.TargetID)
			}
		}
		return s, err
	}
	return s, nil
}

// send sends a request that changes something, and may be sent again, unless this is a dry run.
// When a try of it has no answer, the object, its names, or some members are in doubt: also when
// another try was answered, since the first one may still be under way.
func (c *cycle) send(ctx context.Context, link *Link, what Intent, request func() error) error {
	unsure, err := c.tries(remembering(ctx, link), request)
	if err == nil {
		c.accepted()
	}
	if unsure {
		link.Doubt = link.Doubt.doubted(c.Now(), what)
		link.Doubt.Looked = err == nil
	}
	return err
}

func (c *cycle) update(ctx context.Context, link *Link, changes []Change) error {
	return c.send(ctx, link, Intent{Keys: c.newKeys(*link, changes)}, func() error {
		return c.Target.Update(ctx, link.Kind, link.TargetID, changes, link.Sent)
	})
}

func (c *cycle) changeAtTarget(ctx context.Context, link *Link, op string, ids []string) error {
	return c.send(ctx, link, Intent{Members: ids}, func() error {
		return c.Target.ChangeMembers(ctx, link.TargetID, op == "Add", ids)
	})
}

func isNotFound(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && (p.Status == http.StatusNotFound || p.Status == http.StatusGone)
}

// retry sends a request that changes nothing, as tries does.
func (c *cycle) retry(ctx context.Context, send func() error) error {
	_, err := c.tries(ctx, send)
	return err
}

// tries sends a request that may be sent again, at the target's pace, and again while the target
// throttles or fails: a few times, each after a longer pause. unsure says that a try has no answer.
func (c *cycle) tries(ctx context.Context, send func() error) (unsure bool, err error) {
	wait := firstWait
	for try, waits := 1, 1; ; {
		err := c.once(ctx, waits > patient, send)
		unsure = unsure || uncertain(err)
		var silent *scim.Unanswered
		switch {
		case isPutOff(err) && waits == 1 && c.sleepsOn(ctx, err): // nobody else waits
			waits++
			if err := c.wait(ctx, max(firstWait, Asked(err))); err != nil {
				return unsure, err
			}
			continue
		case err == nil || stops(err) != nil || isPutOff(err) || c.scouts:
			return unsure, err
		case throttled(err) && waits < maxThrottled: // the pace waits
			waits++
			continue
		case !MayPass(err) || garbled(err) || misdirected(err) || try == maxTries:
			return unsure, err
		case errors.As(err, &silent) && (try > 1 || timedOut(err)): // it would keep others waiting
			return unsure, err
		}
		try++
		if err := c.wait(ctx, wait); err != nil {
			return unsure, err
		}
		wait *= 2
	}
}

// firstWait is how long after a failure a request is sent again, the first time.
const firstWait = 200 * time.Millisecond //bound:none the shortest pause

// once sends a request at the target's pace. No connection is worth one more try; then nobody is
// there. waited says that the target has put it off before, several times.
func (c *cycle) once(ctx context.Context, waited bool, send func() error) error {
	for try := 1; ; try++ {
		if err := c.pace.enter(ctx, c.main != nil); err != nil {
			return err
		}
		if gone := c.left(); gone != nil {
			c.pace.pass()
			return gone
		}
		began := time.Now()
		err := send()
		if c.pace.leave(began, err); err == nil {
			c.answered(ctx)
			return nil
		}
		if !MayPass(err) {
			return c.refusal(ctx, err)
		}
		var silent *scim.Unanswered
		unsent := errors.As(err, &silent) && !silent.Sent
		switch {
		case ctx.Err() != nil:
			return err
		case unsent && try < maxDials:
			if err := c.wait(ctx, firstWait); err != nil {
				return err
			}
		case unsent:
			return &silence{err}
		case away(err):
			return c.notNow(ctx, began, waited, err)
		case c.pace.silent(err):
			return c.isSilent(ctx, began, err)
		default:
			return err
		}
	}
}

// maxDials is how often a connection is tried.
const maxDials = 3 //bound:depth tries of a connection of the sync in one cycle

// wait waits between two tries.
func (c *cycle) wait(ctx context.Context, wait time.Duration) error {
	if c.sleep != nil {
		return c.sleep(ctx, wait)
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func throttled(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && throttles(p)
}

// garbled says that the target has done something, and does not say what.
func garbled(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && p.Status/100 == 2
}

// isConflict says that somebody else has what only one may. Some services say so by the type only.
func isConflict(err error) bool {
	var p *scim.Problem
	return errors.As(err, &p) && (p.Status == http.StatusConflict ||
		(p.Status == http.StatusBadRequest && p.Type == scim.Uniqueness))
}

func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// forget has the memory forget an object.
func (c *cycle) forget(ctx context.Context, ref Ref, entries ...Entry) error {
	err := c.Memory.Forget(ctx, ref, entries...)
	if err != nil {
		c.unkept.Store(true)
	}
	c.moved(ref, "")
	return err
}

// moved notes where a user is at the target now.
func (c *cycle) moved(ref Ref, targetID string) {
	if c.main != nil {
		c.main.moved(ref, targetID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, asked := c.targets[ref]; asked {
		c.targets[ref] = targetID
	}
}

// target is where a user is at the target; "" when nowhere.
func (c *cycle) target(ctx context.Context, ref Ref) (string, error) {
	c.mu.Lock()
	id, asked := c.targets[ref]
	c.mu.Unlock()
	if asked {
		return id, nil
	}
	link, err := c.Memory.Link(ctx, ref)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return "", err
	}
	c.formerly(link)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.targets[ref] = link.TargetID
	return link.TargetID, nil
}
