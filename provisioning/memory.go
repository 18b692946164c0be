package provisioning

import (
	"context"
	"errors"
	"time"
)

// Link is what the memory keeps of an object: where it is at the target, and what was last sent.
type Link struct {
	Ref
	TargetID string            // empty: not created yet
	Adopted  bool              // it was at the target before
	Sent     map[string]string // SCIM path → value, active included
	Manager  string            // of a user: the source id of the manager, when last seen
	Members  []string          // of a group: target ids
	Held     []string          // of a group: target ids of those whose membership is not given back
	Former   string            // of a user: the target id before the memory was restored, if it is another one now
	HeldOff  bool              // of a user: is not enabled, or made anew, before somebody says so
	Failure  string            // why the last attempt failed; empty: it did not
	Wants    []string          // what it is to have that only one may, where it failed for good
	Tries    int               // how often it has failed in a row
	RetryAt  time.Time         // when it is retried although nothing has changed
	Asked    time.Duration     // for how long it is left alone, since the target takes no more requests
	Doubt    *Doubt            // nil: what the target has is known
	Since    time.Time         // since when the target is not known to have what it should; zero: it is
	Batch    string            // the last batch of which this link has the outcome
	Left     time.Time         // when a user left a target that cannot be told so; zero: did not, or is back
	Counted  bool              // it was let through to be disabled or deleted, and is not yet
	Staged   bool              // it was told of that it is held back, since too many are to go
}

// LeftAhead says whether a user has left by a clock that was ahead: nobody knows when that was.
func (l Link) LeftAhead(now time.Time) bool { return l.Left.Sub(now) > skew }

// Memory remembers between cycles. What it has returned from must survive a crash: what was begun,
// and may have been sent, is found out afterwards.
type Memory interface {
	Watermark(ctx context.Context) (string, error)
	// SetWatermark remembers how far the source was read. compared says that all of it was compared
	// with what the target has.
	SetWatermark(ctx context.Context, watermark string, compared bool) error
	// Link returns ErrUnknown for an object that was never seen.
	Link(ctx context.Context, ref Ref) (Link, error)
	// Owner returns which object is linked to one at the target, or ErrUnknown.
	Owner(ctx context.Context, kind Kind, targetID string) (Ref, error)
	// Reports lists the links of the users whose Manager is one.
	Reports(ctx context.Context, manager string) ([]Link, error)
	// Keep keeps a link and the entries of the log that belong to it, all or nothing.
	Keep(ctx context.Context, link Link, entries ...Entry) error
	// Forget removes a link and keeps the entries.
	Forget(ctx context.Context, ref Ref, entries ...Entry) error
	// Begin keeps what is about to be sent, before it is, and forgets the batches that are over;
	// End forgets those that are over; Begun lists those that are not.
	Begin(ctx context.Context, b Batch, over ...string) error
	End(ctx context.Context, over ...string) error
	Begun(ctx context.Context) ([]Batch, error)
	// Failed lists the objects whose last attempt failed, or that are in doubt, and when each is to
	// be looked at again; Known lists all that have a link.
	Failed(ctx context.Context) ([]Failing, error)
	Known(ctx context.Context) ([]Ref, error)
}

// Failing is an object whose last attempt failed.
type Failing struct {
	Ref
	RetryAt time.Time
	Now     bool     // it is to be tried although its time has not come
	Early   bool     // it may be tried a moment before its time, together with others
	Counted bool     // as its link has it
	Wants   []string // as its link has it
}

// ErrUnknown is returned by Memory.Link for an object that was never seen.
var ErrUnknown = errors.New("never seen")
