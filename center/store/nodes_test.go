package store_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// federate gives a center an identity provider and a user.
func federate(t *testing.T, c *center.Center) {
	t.Helper()
	centertest.Federate(t, c, "https://idp")
	if _, err := c.CreateUser(context.Background(), centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
}

var stranger = audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}

func assertion(id string) center.VerifiedAssertion {
	return center.VerifiedAssertion{ID: id, NameID: "ada@example.com", UsableUntil: time.Now().Add(time.Hour)}
}

// TestNodesAgreeOnSignIns: two nodes on one PostgreSQL take an assertion once between them, however often and at the same time it arrives, and what one
// ends has ended on the other.
func TestNodesAgreeOnSignIns(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	nodes := []*center.Center{centertest.On(t, open(t, dsn), "http://127.0.0.1"), centertest.On(t, open(t, dsn), "http://127.0.0.1")}
	federate(t, nodes[0])
	for _, id := range []string{"a1", "a2", "a3"} {
		var opened, replayed atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				switch _, _, _, err := nodes[i%2].SignInWithAssertion(ctx, stranger, assertion(id), center.Browser{}); center.CodeOf(err) {
				case "":
					if err == nil {
						opened.Add(1)
					} else {
						t.Error(err)
					}
				case center.AssertionReplayed:
					replayed.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if opened.Load() != 1 || replayed.Load() != 7 {
			t.Errorf("%d sessions, %d replays of one assertion", opened.Load(), replayed.Load())
		}
	}
	secret, _, _, err := nodes[0].SignInWithAssertion(ctx, stranger, assertion("a4"), center.Browser{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := nodes[1].PortalUser(ctx, secret.Reveal())
	if err != nil {
		t.Fatalf("a session of one node on the other: %v", err)
	}
	if err := nodes[0].SetUserActive(ctx, centertest.Actor, u.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[1].PortalUser(ctx, secret.Reveal()); center.CodeOf(err) != center.SessionInvalid {
		t.Errorf("it outlives its user on the other node: %v", err)
	}
}

// TestAnAssertionIsUsedOnceAcrossARestart.
func TestAnAssertionIsUsedOnceAcrossARestart(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "center.db"), context.Background()
	s, err := store.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	c := centertest.On(t, s, "http://127.0.0.1")
	federate(t, c)
	secret, _, _, err := c.SignInWithAssertion(ctx, stranger, assertion("a"), center.Browser{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	c = centertest.On(t, open(t, path), "http://127.0.0.1")
	if _, _, _, err := c.SignInWithAssertion(ctx, stranger, assertion("a"), center.Browser{}); center.CodeOf(err) != center.AssertionReplayed {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := c.PortalUser(ctx, secret.Reveal()); err != nil {
		t.Errorf("the session after a restart: %v", err)
	}
}
