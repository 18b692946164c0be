package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// distributed opens a store on a database that behaves as distributed ones do: any statement, and
// any commit, may ask for a restart of its transaction, and there are no notifications.
func distributed(t *testing.T, dsn string) center.Store {
	t.Helper()
	var opened atomic.Bool
	s := open(t, sqldbtest.Proxy(t, dsn, func(sql string) sqldbtest.Fault {
		if !opened.Load() || strings.HasPrefix(sql, "SET ") || sql == "rollback" || rand.IntN(20) > 0 {
			return sqldbtest.Pass
		}
		return sqldbtest.Restart
	}))
	opened.Store(true)
	return s
}

// TestNodesOnADistributedDatabase: two nodes make, change and delete the same at the same time, and
// every name is given once, every change recorded once, and nothing refers to what is gone.
func TestNodesOnADistributedDatabase(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	nodes := []*center.Center{
		centertest.On(t, distributed(t, dsn), "http://localhost"),
		centertest.On(t, distributed(t, dsn), "http://localhost"),
	}
	g, err := nodes[0].CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Everybody"})
	if err != nil {
		t.Fatal(err)
	}
	const people = 9
	var made, joined, removed atomic.Int32
	var all sync.WaitGroup
	for w := range 4 {
		c := nodes[w%2]
		all.Go(func() {
			for i := range people {
				u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person(fmt.Sprintf("person%d@example.com", i)))
				if refusal.CodeOf(err) == center.UserNameTaken {
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				made.Add(1)
				_, err = c.CreateMembership(ctx, centertest.Actor, g.ID, u.ID)
				if err == nil {
					joined.Add(1)
				}
				if err == nil && i%3 == 0 {
					if err = c.DeleteUser(ctx, centertest.Actor, u.ID); err == nil {
						removed.Add(1)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	users, e1 := nodes[0].CountUsers(ctx, center.UserQuery{})
	members, e2 := nodes[1].CountMemberships(ctx, center.MembershipQuery{GroupID: g.ID})
	// A check has more statements than one in twenty of which may fail.
	found, e3 := open(t, dsn).(*store.Store).Check(ctx, func(int) {})
	events, e4 := nodes[1].Events(ctx, center.EventQuery{Limit: 1000})
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		t.Fatal(err)
	}
	if made.Load() < people || joined.Load() != made.Load() {
		t.Errorf("%d people are made, and %d join", made.Load(), joined.Load())
	}
	if left := int(made.Load() - removed.Load()); users != left || members != left || len(found) > 0 {
		t.Errorf("%d users and %d members, want %d; %q", users, members, left, found)
	}
	granted := map[string]int{}
	for _, e := range events {
		if e.Result == audit.Granted {
			granted[e.Action]++
		}
	}
	for action, want := range map[string]int32{
		"CreateUser": made.Load(), "CreateGroupMembership": joined.Load(), "DeleteUser": removed.Load(),
	} {
		if granted[action] != int(want) {
			t.Errorf("%d events of %s, want %d: %v", granted[action], action, want, granted)
		}
	}
}
