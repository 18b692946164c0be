package provisioning

import (
	"context"
	"errors"
	"fmt"
)

// reading is what was read of a list so far. A target may ignore both the number and the cursor of
// a page, and give the first one again and again, or an end that is none.
type reading struct {
	ids   map[string]bool
	total int // how many there are, as the target says; 0: it does not
	idle  int // pages with nothing new
}

// maxIdle is how many pages of a list may have nothing new, one after the other: some are empty, or
// come once more when a target is asked by cursor after it was asked by number.
const maxIdle = 10 //bound:depth pages of a list of a target with nothing new, one after the other

// maxListed is more than any target has: one that lists without an end is not listed.
const maxListed = 1_000_000 //bound:list objects of a kind that a sync lists at its target

// add notes a page. It fails with ErrNoPages where the list goes on without getting further.
func (l *reading) add(p Page) error {
	if l.ids == nil {
		l.ids = map[string]bool{}
	}
	before := len(l.ids)
	for _, r := range p.Resources {
		l.ids[r.String("id")] = true
	}
	if p.Total > 0 {
		l.total = p.Total
	}
	if l.idle++; len(l.ids) > before {
		l.idle = 0
	}
	if p.Next != "" && (l.idle > maxIdle || len(l.ids) > maxListed) {
		return ErrNoPages
	}
	return nil
}

// missing is how many the target has, as it says, and has not given. A few are none: they were
// deleted meanwhile, or moved from one page to another.
func (l *reading) missing() int {
	if n := l.total - len(l.ids); n > max(l.total/100, 1) {
		return n
	}
	return 0
}

// tellUnlisted says where a comparison has not seen all that the target has. Nobody who is known is
// taken for absent because of that, since the target is asked for each of them; but whom nobody
// knows there, nobody sees.
func (c *cycle) tellUnlisted(ctx context.Context, kind Kind, there *roster, err error) error {
	some := map[Kind]string{User: "users", Group: "groups"}[kind]
	reason := "the target does not list its " + some
	switch {
	case !c.Reread || (err != nil && !errors.Is(err, ErrNoPages)):
		return nil
	case err == nil && there.missing == 0:
		return nil
	case err == nil:
		reason = fmt.Sprintf("the target says that it has %d more %s than it lists", there.missing, some)
	}
	return c.say(ctx, Entry{
		Time: c.Now(), Cycle: c.result.Cycle, Ref: Ref{Kind: kind}, Name: "all " + some, Action: Other,
		Outcome: Skipped, Code: "ListUnread",
		Reason: reason + ": what it has besides those of this job was not seen; look there whether anybody has " +
			"access who should not",
	})
}

// say logs what changes nothing that is remembered.
func (c *cycle) say(ctx context.Context, e Entry) error {
	c.tell(e)
	return c.forget(ctx, Ref{Kind: e.Ref.Kind}, e)
}

// unlessPages is an error, unless it says that a target does not list in pages.
func unlessPages(err error) error {
	if errors.Is(err, ErrNoPages) {
		return nil
	}
	return err
}
