package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

const rightPassword = "Correct horse 7!"

// twoNodes returns two centers on the same data, each with places of its own, whose clocks stand
// still, and the user ada.
func twoNodes(t *testing.T, test func(t *testing.T, nodes [2]*center.Center, ada center.User)) {
	for name, dsn := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "center.db") },
		"PostgreSQL": func(t *testing.T) string { return sqldbtest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			at := dsn(t)
			s := open(t, at)
			stores := [2]center.Store{s, s}
			if s.Shared() {
				stores[1] = open(t, at)
			}
			var nodes [2]*center.Center
			now := time.Now()
			for i := range nodes {
				nodes[i] = centertest.On(t, stores[i], "http://localhost")
				nodes[i].Now, nodes[i].Places = func() time.Time { return now }, authn.NewPlaces(4)
			}
			u, err := nodes[0].CreateUser(context.Background(), centertest.Actor, centertest.Person("ada"))
			if err == nil {
				err = nodes[0].SetPassword(context.Background(), centertest.Actor, u.ID, rightPassword)
			}
			if err != nil {
				t.Fatal(err)
			}
			test(t, nodes, u)
		})
	}
}

// TestWrongPasswordsAtOnceAreCountedBeforeTheyAreJudged: however many are sent at the same time, to
// however many nodes, five are looked at, as when they come one by one.
func TestWrongPasswordsAtOnceAreCountedBeforeTheyAreJudged(t *testing.T) {
	twoNodes(t, func(t *testing.T, nodes [2]*center.Center, _ center.User) {
		var all sync.WaitGroup
		for i := range 150 {
			all.Go(func() {
				from := audit.Actor{Kind: audit.Anonymous, Address: fmt.Sprintf("198.51.100.%d", i)}
				_, err := nodes[i%2].SignInUser(context.Background(), from, "ada", "a guess", "/", center.Browser{})
				switch refusal.CodeOf(err) {
				case center.SignInFailed, center.SignInLocked, center.SignInBusy:
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		events, err := nodes[0].Events(context.Background(), center.EventQuery{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		judged, locked := 0, 0
		for _, e := range events {
			if strings.Contains(e.Detail, "wrong password") && e.Code == center.SignInFailed.String() {
				judged++
			} else if e.Code == center.SignInLocked.String() {
				locked++
			}
		}
		if judged != 5 || locked == 0 {
			t.Errorf("%d of 150 wrong passwords were looked at, and %d came too early", judged, locked)
		}
	})
}

// TestOneCodeOpensOneSession: a code of an authenticator app, on eight sign-ins at the same time,
// is accepted once.
func TestOneCodeOpensOneSession(t *testing.T) {
	twoNodes(t, func(t *testing.T, nodes [2]*center.Center, ada center.User) {
		ctx := context.Background()
		e, err := nodes[0].Enrol(ctx, string(ada.ID), "ada")
		if err != nil {
			t.Fatal(err)
		}
		code := func(at time.Time) string {
			c, err := totp.GenerateCode(e.TOTP.Secret, at)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		in := center.NewDevice{Ticket: e.Ticket.Reveal(), Name: "Phone", Code: code(nodes[0].Now())}
		if err := nodes[0].FinishEnrolment(ctx, centertest.Actor, string(ada.ID), in); err != nil {
			t.Fatal(err)
		}
		later := nodes[0].Now().Add(time.Minute)
		nodes[0].Now, nodes[1].Now = func() time.Time { return later }, func() time.Time { return later }
		var tickets []string
		for i := range 8 {
			p, err := nodes[i%2].SignInUser(ctx, stranger, "ada", rightPassword, "/", center.Browser{})
			if err != nil || p.Step != center.StepFactor {
				t.Fatalf("%+v, %v", p, err)
			}
			tickets = append(tickets, p.Ticket.Reveal())
		}
		var opened, refused atomic.Int32
		var all sync.WaitGroup
		for i, ticket := range tickets {
			all.Go(func() {
				p, err := nodes[i%2].SignInWithCode(ctx, stranger, ticket, code(later), false, center.Browser{})
				switch c := refusal.CodeOf(err); {
				case err == nil && p.Session != "":
					opened.Add(1)
				case c == center.FactorRefused || c == center.SignInLocked:
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if opened.Load() != 1 || refused.Load() != 7 {
			t.Errorf("one code opened %d sessions, and was refused %d times", opened.Load(), refused.Load())
		}
	})
}

// TestWrongCodesAtOnceAreCountedAsTheyAreJudged: of codes that are guessed at the same time, on
// several sign-ins, five are looked at.
func TestWrongCodesAtOnceAreCountedAsTheyAreJudged(t *testing.T) {
	twoNodes(t, func(t *testing.T, nodes [2]*center.Center, ada center.User) {
		ctx := context.Background()
		e, err := nodes[0].Enrol(ctx, string(ada.ID), "ada")
		if err != nil {
			t.Fatal(err)
		}
		right, err := totp.GenerateCode(e.TOTP.Secret, nodes[0].Now())
		if err != nil {
			t.Fatal(err)
		}
		in := center.NewDevice{Ticket: e.Ticket.Reveal(), Name: "Phone", Code: right}
		if err := nodes[0].FinishEnrolment(ctx, centertest.Actor, string(ada.ID), in); err != nil {
			t.Fatal(err)
		}
		var tickets []string
		for range 8 {
			p, err := nodes[0].SignInUser(ctx, stranger, "ada", rightPassword, "/", center.Browser{})
			if err != nil {
				t.Fatal(err)
			}
			tickets = append(tickets, p.Ticket.Reveal())
		}
		var judged atomic.Int32
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				_, err := nodes[i%2].SignInWithCode(ctx, stranger, tickets[i%8], "nonsense", false, center.Browser{})
				if refusal.CodeOf(err) == center.FactorRefused {
					judged.Add(1)
				}
			})
		}
		all.Wait()
		if judged.Load() != 5 {
			t.Errorf("%d of 40 wrong codes were looked at", judged.Load())
		}
	})
}

// TestAttemptsForNobodyLeaveTheStoreWhole: mistakes with names that do not exist are counted in a
// few rows, which belong to nobody.
func TestAttemptsForNobodyLeaveTheStoreWhole(t *testing.T) {
	twoNodes(t, func(t *testing.T, nodes [2]*center.Center, _ center.User) {
		ctx := context.Background()
		for i := range 12 {
			_, err := nodes[0].SignInUser(ctx, stranger, fmt.Sprint("nobody", i%3), "a guess", "/", center.Browser{})
			if refusal.KindOf(err) != refusal.Unauthenticated {
				t.Fatal(err)
			}
		}
		checked, ok := nodes[0].Store.(interface {
			Check(context.Context, func(int)) ([]string, error)
		})
		if !ok {
			t.Fatal("the store cannot be checked")
		}
		if problems, err := checked.Check(ctx, func(int) {}); err != nil || len(problems) > 0 {
			t.Errorf("%q, %v", problems, err)
		}
	})
}
