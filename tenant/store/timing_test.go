package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// counting is a store that counts its transactions that write, and what they write.
type counting struct {
	tenant.Store
	updates, puts, events int
}

func (s *counting) Update(ctx context.Context, fn func(tenant.Tx) error) error {
	s.updates++
	return s.Store.Update(ctx, func(tx tenant.Tx) error { return fn(&countingTx{tx, s}) })
}

type countingTx struct {
	tenant.Tx
	s *counting
}

func (t *countingTx) PutPassword(p tenant.Password) error {
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
	ctx := context.Background()
	s := &counting{Store: open(t, filepath.Join(t.TempDir(), "tenant.db"))}
	tn := tenanttest.On(t, s)
	now := time.Now()
	tn.Now = func() time.Time { return now }
	_, err := tn.CreateUser(
		ctx,
		tenanttest.Actor,
		tenant.User{UserPrincipalName: name, DisplayName: "Ada", Enabled: true},
		rightPassword,
	)
	if err == nil {
		err = tn.SetAdministrator(ctx, audit.SystemActor, "admin", rightPassword)
	}
	if err != nil {
		t.Fatal(err)
	}
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
			_, err := tn.SignInUser(ctx, by, name, "a guess", "", false)
			return err
		}
	}
	administrator := func(name string) func(audit.Actor) error {
		return func(by audit.Actor) error {
			_, err := tn.SignInAdministrator(ctx, by, name, "a guess", tenant.Browser{})
			return err
		}
	}
	for attempt := range 8 {
		for what, pair := range map[string][2]func(audit.Actor) error{
			"a person":         {user(name), user("nobody@northwind.example")},
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
