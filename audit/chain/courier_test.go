package chain_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit/chain"
)

// readOnly is a store that takes no writes while it is away.
type readOnly struct {
	database
	away *atomic.Bool
}

func (s readOnly) Update(ctx context.Context, fn func(chain.Log) error) error {
	if s.away.Load() {
		return errors.New("the database takes no writes")
	}
	return s.database.Update(ctx, fn)
}

// keeping is an outlet that keeps what it gets, and does something when it has it.
type keeping struct {
	mu         sync.Mutex
	deliveries int
	all        strings.Builder
	then       func(deliveries int)
}

func (k *keeping) Deliver(_ context.Context, parcels []chain.Parcel) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.deliveries++
	for _, p := range parcels {
		k.all.WriteString(p.Line.Doc)
	}
	k.then(k.deliveries)
	return nil
}

func (d database) note(t *testing.T, id string) (doc string) {
	t.Helper()
	if err := d.View(t.Context(), func(l chain.Log) (err error) {
		doc, err = l.EventNote(id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestNodesHandOverOnceAfterAnOutage: a node has handed events over, and the database takes no note
// of it for longer than another node waits. Once it does, the first has the time to say so.
func TestNodesHandOverOnceAfterAnOutage(t *testing.T) {
	each(t, func(t *testing.T, open func(t *testing.T) database) {
		t.Parallel()
		d := open(t)
		if !d.Shared() {
			return // one process has it
		}
		k := d.keeper(t, func() time.Time { return first.Add(time.Hour) })
		for _, runs := range []bool{false, true} {
			from := int(map[bool]int64{true: 5}[runs])
			if err := errors.Join(d.append(many(from, from+5)...), k.Append(t.Context(), false)); err != nil {
				t.Fatal(err)
			}
			var away atomic.Bool
			to := &keeping{then: func(int) { away.Store(true) }}
			node := func(name string, patience time.Duration) *chain.Courier {
				return &chain.Courier{
					Store: readOnly{d, &away}, Sealer: sealer(t), Name: "to", Node: name, Shared: true, Outlet: to,
					Patience: patience, Log: slog.New(slog.DiscardHandler),
				}
			}
			if runs {
				d.outlast(t, node("a", 0), node("b", 0), &away, `"Position":10`)
			} else {
				a, b := node("a", 0), node("b", time.Nanosecond)
				if err := a.Work(t.Context()); err == nil {
					t.Fatal("it could note how far it has come")
				}
				e1, e2 := b.Work(t.Context()), b.Work(t.Context())
				away.Store(false)
				if e3 := b.Work(t.Context()); e1 != nil || e2 == nil || e3 != nil {
					t.Errorf("the other node: %v, %v, %v", e1, e2, e3)
				}
				if err := errors.Join(a.Work(t.Context()), b.Work(t.Context()), b.Work(t.Context())); err != nil {
					t.Error(err)
				}
			}
			if to.deliveries != 1 {
				t.Errorf("runs %t: handed over %d times", runs, to.deliveries)
			}
		}
	})
}

// outlast has two nodes run through an outage in which the first has failed often, until the note
// has a text in it.
func (d database) outlast(t *testing.T, a, b *chain.Courier, away *atomic.Bool, text string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var both sync.WaitGroup
	defer both.Wait()
	defer stop()
	both.Go(func() { a.Run(ctx) })
	for a.Failures.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	both.Go(func() { b.Run(ctx) })
	for a.Failures.Load() < 6 {
		time.Sleep(time.Millisecond)
	}
	away.Store(false)
	for end := time.Now().Add(time.Minute); !strings.Contains(d.note(t, "way/to"), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the note is %s", d.note(t, "way/to"))
		}
	}
}

// TestAReceiverGetsWhatAStandbyHasInstead: a receiver has events which the database then loses, as
// a standby does that is promoted without them. Others get their positions, and the receiver gets
// these too: whether the node could note how far it had come or not.
func TestAReceiverGetsWhatAStandbyHasInstead(t *testing.T) {
	each(t, func(t *testing.T, open func(t *testing.T) database) {
		for what, noted := range map[string]bool{"the note fails": false, "the note is written": true} {
			d := open(t)
			k := d.keeper(t, func() time.Time { return first.Add(time.Hour) })
			if err := errors.Join(d.append(many(0, 5)...), k.Append(t.Context(), false)); err != nil {
				t.Fatal(err)
			}
			head := d.note(t, "head")
			if err := errors.Join(d.append(many(5, 10)...), k.Append(t.Context(), false)); err != nil {
				t.Fatal(err)
			}
			promoted := func() {
				d.change(t, fmt.Sprintf(`DELETE FROM events WHERE time >= %d`, first.UnixMilli()+5),
					`DELETE FROM event_blocks WHERE number > 1`)
				k := d.keeper(t, func() time.Time { return first.Add(time.Hour) })
				if err := errors.Join(
					d.Update(t.Context(), func(l chain.Log) error { return l.PutEventNote("head", head) }),
					d.append(many(20, 25)...), k.Append(t.Context(), false),
				); err != nil {
					t.Error(err)
				}
			}
			var away atomic.Bool
			to := &keeping{then: func(deliveries int) {
				switch {
				case deliveries > 1:
				case noted:
					promoted()
				default:
					away.Store(true)
				}
			}}
			c := &chain.Courier{
				Store: readOnly{d, &away}, Sealer: sealer(t), Name: "to", Node: "a", Shared: true, Outlet: to,
				Log: slog.New(slog.DiscardHandler),
			}
			if err := c.Work(t.Context()); (err == nil) != noted {
				t.Errorf("%s: %v", what, err)
			}
			if !noted {
				away.Store(false)
				promoted()
			}
			if err := errors.Join(c.Work(t.Context()), c.Work(t.Context())); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			for _, e := range many(20, 25) {
				if !strings.Contains(to.all.String(), e.id) {
					t.Errorf("%s: the receiver has %s", what, to.all.String())
					break
				}
			}
		}
	})
}
