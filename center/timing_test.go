package center_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// counting is a store that counts its transactions that write, and what they write.
type counting struct {
	center.Store
	updates, puts, events int
}

func (s *counting) Update(ctx context.Context, fn func(center.Tx) error) error {
	s.updates++
	return s.Store.Update(ctx, func(tx center.Tx) error { return fn(&countingTx{tx, s}) })
}

type countingTx struct {
	center.Tx
	s *counting
}

func (t *countingTx) PutPassword(p center.Password) error {
	t.s.puts++
	return t.Tx.PutPassword(p)
}

func (t *countingTx) AppendEvent(e audit.Event) error {
	t.s.events++
	return t.Tx.AppendEvent(e)
}

// TestANameThatDoesNotExistCostsTheSame: as many transactions and writes as one that does, attempt
// by attempt, also when both are made to wait. A durable write takes long enough to be measured
// from outside.
func TestANameThatDoesNotExistCostsTheSame(t *testing.T) {
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	now := time.Now()
	c.Now = func() time.Time { return now }
	if err := c.SetAdministrator(ctx, audit.SystemActor, "admin", goodPassword); err != nil {
		t.Fatal(err)
	}
	u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	if err == nil {
		err = c.SetPassword(ctx, centertest.Actor, u.ID, goodPassword)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &counting{Store: c.Store}
	c.Store = s
	cost := func(signIn func(audit.Actor) error, address string) [3]int {
		t.Helper()
		*s = counting{Store: s.Store}
		if err := signIn(
			audit.Actor{Kind: audit.Anonymous, Address: address},
		); refusal.KindOf(err) != refusal.Unauthenticated {
			t.Fatal(err)
		}
		return [3]int{s.updates, s.puts, s.events}
	}
	user := func(name string) func(audit.Actor) error {
		return func(by audit.Actor) error {
			_, err := c.SignInUser(ctx, by, name, "a guess", "/", center.Browser{})
			return err
		}
	}
	administrator := func(name string) func(audit.Actor) error {
		return func(by audit.Actor) error {
			_, err := c.SignInAdministrator(ctx, by, name, "a guess", "/", center.Browser{})
			return err
		}
	}
	for attempt := range 8 {
		for what, pair := range map[string][2]func(audit.Actor) error{
			"a user":           {user("ada"), user("nobody")},
			"an administrator": {administrator("admin"), administrator("root")},
		} {
			there, not := cost(pair[0], "192.0.2.1"), cost(pair[1], "192.0.2.2")
			if there != not || there[0] == 0 || there[1] != 1 {
				t.Errorf(
					"attempt %d at %s: %v (transactions, passwords, events) for a name that exists, %v for one "+
						"that does not",
					attempt,
					what,
					there,
					not,
				)
			}
		}
	}
}
