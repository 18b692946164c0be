package provisioning

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// baton is a lock with which one may wait, for the target or for a place in the pace: whoever waits
// for it is known to wait, which a mutex does not tell a test that has a clock of its own.
type baton chan struct{}

func newBaton() baton   { return make(baton, 1) }
func (b baton) Lock()   { b <- struct{}{} }
func (b baton) Unlock() { <-b }

// door is what a cycle knows of whether the target lets it in.
type door struct {
	mu     baton
	tested bool // it did when the cycle began
	takes  bool // it has carried out what was asked for
	shut   int  // requests that it has forbidden since it carried one out, of objects that had not failed
	// requests that it has put off for long since it carried one out: changes of objects that had
	// not failed, and others
	off   map[bool]int
	brief int         // requests that it has put off for a minute at most, since the cycle began
	asked atomic.Bool // whether somebody who is put off for a moment, again and again, is alone
	// why nothing is asked any more in this cycle; without the lock, which somebody may hold who
	// waits for a place in the pace
	gone atomic.Pointer[silence]
}

// maxForbidden is how many requests a target may forbid, one after the other, before that is taken
// for a refusal of the credentials: a token may be good for reading only.
const maxForbidden = 10 //bound:depth requests that a target forbids, before a cycle ends

// knock is Test in a cycle, for who concludes nothing for the cycle from it.
func (c *cycle) knock(ctx context.Context) error {
	return c.retry(ctx, func() error { return Test(ctx, c.Target, c.NewID()) })
}

// test is knock, and notes whether the target lets the cycle in.
func (c *cycle) test(ctx context.Context) error {
	err := c.knock(ctx)
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.door.tested = err == nil
	return err
}

// accepted notes that the target has carried out what was asked for.
func (c *cycle) accepted() {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.door.shut, c.door.takes = 0, true
}

// changing is in the context of requests that change an object: whether its last attempt failed,
// or the last one that is known of all of it. What it is forbidden once more says nothing of the
// credentials: ten people whom a service protects would keep all others waiting for ever. Nor does
// what is put off once more.
type changing struct{}

func remembering(ctx context.Context, link *Link) context.Context {
	return context.WithValue(ctx, changing{}, link.failed())
}

// maxOff is how many requests a target may put off for long, one after the other, before that is
// taken to be said to all.
const maxOff = 4 //bound:depth requests that a target puts off for long, before a cycle ends

// patient is how often a request waits for what is meant for all, before the target is asked once
// more whether that is so. Others may have taken its turn.
const patient = 3 //bound:depth answers that are taken to be meant for all

// putOff is the answer to a request that the target has put off for long, while it answers others.
type putOff struct{ error }

// Unwrap returns the answer.
func (p *putOff) Unwrap() error { return p.error }

func isPutOff(err error) bool { return errors.As(err, new(*putOff)) }

// alike says that an answer is about one object only as long as not too many get the same: that one
// has got it is remembered, or those who get it would be new ones in each cycle.
func alike(err error) bool {
	p := new(scim.Problem)
	return isPutOff(err) || (stops(err) == nil && errors.As(err, &p) && p.Status == http.StatusForbidden)
}

// notNow says whether a target that wants a request later means that one only, such as the changes
// of one person, or all of them. Then all wait, for a minute at most, or the cycle ends, and who
// runs it waits. Else the object waits, and keeps nobody else from coming or going. That a target
// which answers is not available for long (503) is a guess of somebody in between, and counts for
// nothing. After a few, all are meant, unless a request has waited for that, again and again.
func (c *cycle) notNow(ctx context.Context, began time.Time, waited bool, err error) error {
	c.door.mu.Lock()
	defer c.door.mu.Unlock() // one asks at a time
	if gone := c.left(); gone != nil {
		return gone
	}
	soon := waitsFor(err)
	if soon && c.pace.rests(began) { // it was said to all meanwhile
		return err
	}
	if alone := c.isAlone(ctx, soon); c.door.tested && (alone || waited) {
		again := c.testAgain(ctx, soon)
		if stop := stops(again); stop != nil {
			return stop
		}
		if p := new(scim.Problem); !MayPass(again) && errors.As(err, &p) {
			if p.Status != http.StatusTooManyRequests {
				p.RetryAfter = 0
			}
			return &putOff{err}
		}
		if !soon {
			err = again // what one is told is not told all
		}
	}
	if soon {
		c.pace.rest(began, err)
	}
	if soon && !c.pace.silent(err) {
		return err
	}
	gone := &silence{err}
	c.door.gone.Store(gone)
	return gone
}

// isAlone says whether so few requests were put off that each may be meant alone. A target that
// limits all changes, and nothing else, takes some in between: of those that wait for a minute at
// most, none is forgotten.
func (c *cycle) isAlone(ctx context.Context, soon bool) bool {
	if soon {
		c.door.brief++
		return c.door.brief < maxOff
	}
	failed, changes := ctx.Value(changing{}).(bool)
	if c.door.off == nil {
		c.door.off = map[bool]int{}
	}
	if !failed {
		c.door.off[changes]++
	}
	return c.door.off[changes] < maxOff
}

// sleepsOn says whether a request that alone was put off is sent again when its time has come, and
// whoever sends it waits: it only reads, such as a list that goes on from page to page. What
// changes an object is sent again by a later cycle.
func (c *cycle) sleepsOn(ctx context.Context, err error) bool {
	_, changes := ctx.Value(changing{}).(bool)
	return !changes && !c.scouts && Asked(err) <= MaxPause
}

// isSilent says whether a target that has taken nothing for a while, and wants to be asked again in
// a moment each time, means one object only: then the others go on, and that one is tried soon. It
// is asked so once in a cycle.
func (c *cycle) isSilent(ctx context.Context, began time.Time, err error) error {
	if !isBrief(err) || c.door.asked.Swap(true) {
		return &silence{err}
	}
	return c.notNow(ctx, began, false, err)
}

// leavesAlone says whether a comparison that nobody has asked for leaves an object alone, of which
// the target takes no more requests for a while. Then not everything is compared.
func (c *cycle) leavesAlone(link Link) bool {
	wait := link.RetryAt.Sub(c.Now())
	if !c.Reread || !c.Unasked || link.Asked == 0 || wait <= 0 || wait > max(link.Asked, MaxPause) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = true
	return true
}

// testAgain is Test in notNow. It may meet a moment in which the target throttles or fails, which
// is an answer when all wait no longer than that.
func (c *cycle) testAgain(ctx context.Context, once bool) (err error) {
	wait := firstWait
	for try := 1; ; try++ {
		if err := c.pace.enter(ctx, c.main != nil); err != nil {
			return err
		}
		began := time.Now()
		err := Test(ctx, c.Target, c.NewID())
		c.pace.leave(began, err)
		if once || !MayPass(err) || away(err) || timedOut(err) || ctx.Err() != nil || try == maxTries {
			return err
		}
		if err := c.wait(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

// answered notes that the target has carried a request out.
func (c *cycle) answered(ctx context.Context) {
	_, changes := ctx.Value(changing{}).(bool)
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	delete(c.door.off, changes)
}

// left is why nothing is asked any more; nil: it is.
func (c *cycle) left() error {
	if gone := c.door.gone.Load(); gone != nil {
		return gone
	}
	return nil
}

// refusal says whether an answer is about the credentials, and so about everybody, or about one
// object: a service may protect its owner, or a firewall dislike a name. A target that has let the
// cycle in, and does so once more, has forbidden that one request only.
func (c *cycle) refusal(ctx context.Context, err error) error {
	p := new(scim.Problem)
	if known := new(CredentialsError); errors.As(err, &known) || !errors.As(err, &p) ||
		p.Status != http.StatusForbidden {
		return credentials(err)
	}
	c.door.mu.Lock()
	defer c.door.mu.Unlock() // one asks at a time
	if failed, _ := ctx.Value(changing{}).(bool); !failed {
		c.door.shut++
	}
	if !c.door.tested || c.door.shut >= maxForbidden {
		return credentials(err)
	}
	if enter := c.pace.enter(ctx, c.main != nil); enter != nil {
		return enter
	}
	began := time.Now()
	again := Test(ctx, c.Target, c.NewID())
	c.pace.leave(began, again)
	if stop := stops(again); stop != nil {
		return stop
	}
	return err
}
