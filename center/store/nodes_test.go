package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// federate gives a center an identity provider and a user.
func federate(t *testing.T, c *center.Center) {
	t.Helper()
	centertest.Federate(t, c, "https://idp")
	if _, err := c.CreateUser(
		context.Background(), centertest.Actor, centertest.Person("ada@example.com"),
	); err != nil {
		t.Fatal(err)
	}
}

var stranger = audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}

func assertion(id string) center.VerifiedAssertion {
	return center.VerifiedAssertion{
		Issuer:      "https://idp",
		ID:          id,
		NameID:      "ada@example.com",
		UsableUntil: time.Now().Add(time.Hour),
	}
}

// TestNodesAgreeOnSignIns: two nodes on one PostgreSQL take an assertion once between them, however
// often and at the same time it arrives, and what one ends has ended on the other.
func TestNodesAgreeOnSignIns(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	nodes := []*center.Center{
		centertest.On(t, open(t, dsn), "http://127.0.0.1"), centertest.On(t, open(t, dsn), "http://127.0.0.1"),
	}
	federate(t, nodes[0])
	for _, id := range []string{"a1", "a2", "a3"} {
		var opened, replayed atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				switch _, _, _, err := nodes[i%2].SignInWithAssertion(
					ctx, stranger, assertion(id), center.Browser{},
				); refusal.CodeOf(err) {
				case refusal.None:
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
	if _, err := nodes[1].PortalUser(ctx, secret.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
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
	if _, _, _, err := c.SignInWithAssertion(
		ctx, stranger, assertion("a"), center.Browser{},
	); refusal.CodeOf(err) != center.AssertionReplayed {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := c.PortalUser(ctx, secret.Reveal()); err != nil {
		t.Errorf("the session after a restart: %v", err)
	}
}

// TestASignInGoesOnAtAnotherNode: password at one node, registration at the other, and the next
// sign-in the other way round.
func TestASignInGoesOnAtAnotherNode(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	a, b := centertest.On(t, open(t, dsn), "http://localhost"), centertest.On(t, open(t, dsn), "http://localhost")
	now := time.Now()
	a.Now, b.Now = func() time.Time { return now }, func() time.Time { return now }
	u, err := a.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	if err == nil {
		err = b.SetPassword(ctx, centertest.Actor, u.ID, "Correct horse 7!")
	}
	if err != nil {
		t.Fatal(err)
	}
	code := func(secret string) string {
		t.Helper()
		c, err := totp.GenerateCode(secret, now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	p, err := a.SignInUser(ctx, stranger, "ada", "Correct horse 7!", "/start", center.Browser{})
	if err != nil || p.Step != center.StepRegister {
		t.Fatalf("%+v, %v", p, err)
	}
	e, err := b.EnrolSigningIn(ctx, p.Ticket.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if p, err = b.SignInWithNewDevice(
		ctx, stranger, p.Ticket.Reveal(),
		center.NewDevice{Ticket: e.Ticket.Reveal(), Name: "Phone", Code: code(e.TOTP.Secret)}, center.Browser{},
	); err != nil ||
		p.Session == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	now = now.Add(time.Minute)
	if p, err = b.SignInUser(ctx, stranger, "ada", "Correct horse 7!", "/start", center.Browser{}); err != nil ||
		p.Step != center.StepFactor {
		t.Fatalf("%+v, %v", p, err)
	}
	var opened atomic.Int32
	var all sync.WaitGroup
	for i := range 6 { // the same code at the same time: it is used once
		all.Go(func() {
			if p, err := []*center.Center{
				a, b,
			}[i%2].SignInWithCode(
				ctx, stranger, p.Ticket.Reveal(), code(e.TOTP.Secret), false, center.Browser{},
			); err == nil &&
				p.Session != "" {
				opened.Add(1)
			}
		})
	}
	all.Wait()
	if opened.Load() != 1 {
		t.Errorf("one code opened %d sessions", opened.Load())
	}
}

// TestARuleIsDeletedWhileAnotherNodeAppliesIt: who deletes it hears that it is deleted, and nothing
// of it is left.
func TestARuleIsDeletedWhileAnotherNodeAppliesIt(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	a, b := centertest.On(t, open(t, dsn), "http://localhost"), centertest.On(t, open(t, dsn), "http://localhost")
	u, e1 := a.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	set, e2 := a.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Admin"})
	tag := center.Tag{Key: "env", Value: "prod"}
	var accounts []center.Account
	for i := range 20 {
		id := fmt.Sprintf("%012d", i+1)
		accounts = append(accounts, center.Account{ID: id, Name: id, Tags: []center.Tag{tag}, Imported: true})
	}
	if err := errors.Join(e1, e2, a.PutAccounts(ctx, centertest.Actor, accounts)); err != nil {
		t.Fatal(err)
	}
	over, stop := context.WithCancel(ctx)
	var applying sync.WaitGroup
	applying.Go(func() {
		for over.Err() == nil {
			if err := b.ApplyAssignmentRules(ctx, audit.SystemActor); err != nil {
				t.Error(err)
			}
		}
	})
	for range 8 {
		rule, err := a.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
			Tag: &tag, PermissionSetARN: set.ARN, PrincipalType: center.PrincipalUser, PrincipalID: string(u.ID),
		})
		if err == nil {
			err = a.DeleteAssignmentRule(ctx, centertest.Actor, rule.ID)
		}
		if err != nil {
			t.Error(err)
		}
	}
	stop()
	applying.Wait()
	rules, e1 := a.AssignmentRules(ctx)
	left, e2 := a.Assignments(ctx, center.AssignmentQuery{})
	if err := errors.Join(e1, e2); err != nil || len(rules) > 0 || len(left) > 0 {
		t.Errorf("left of the rules: %d, of what they assigned: %d, %v", len(rules), len(left), err)
	}
}
