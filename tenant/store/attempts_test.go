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
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

const (
	name          = "ada@northwind.example"
	rightPassword = "Correct horse 7!"
)

var stranger = audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}

// twoNodes returns two tenants on the same data, each with places of its own, whose clocks stand
// still, and the user ada.
func twoNodes(t *testing.T, test func(t *testing.T, nodes [2]*tenant.Tenant, ada tenant.User)) {
	for kind, dsn := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "tenant.db") },
		"PostgreSQL": func(t *testing.T) string { return sqldbtest.Postgres(t) },
	} {
		t.Run(kind, func(t *testing.T) {
			at := dsn(t)
			s := open(t, at)
			stores := [2]tenant.Store{s, s}
			if kind == "PostgreSQL" {
				stores[1] = open(t, at)
			}
			var nodes [2]*tenant.Tenant
			now := time.Now()
			for i := range nodes {
				nodes[i] = tenanttest.On(t, stores[i])
				nodes[i].Now, nodes[i].Places = func() time.Time { return now }, authn.NewPlaces(4)
			}
			u := tenant.User{UserPrincipalName: name, DisplayName: "Ada", Enabled: true}
			u, err := nodes[0].CreateUser(context.Background(), tenanttest.Actor, u, "")
			if err == nil {
				err = nodes[0].SetPassword(context.Background(), tenanttest.Actor, u.ID, rightPassword)
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
	twoNodes(t, func(t *testing.T, nodes [2]*tenant.Tenant, _ tenant.User) {
		var all sync.WaitGroup
		for i := range 150 {
			all.Go(func() {
				from := audit.Actor{Kind: audit.Anonymous, Address: fmt.Sprintf("198.51.100.%d", i)}
				_, err := nodes[i%2].SignInUser(context.Background(), from, name, "a guess", "", false)
				switch refusal.CodeOf(err) {
				case tenant.SignInFailed, tenant.SignInLocked, tenant.SignInBusy:
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		events, err := nodes[0].Events(context.Background(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		judged, locked := 0, 0
		for _, e := range events {
			if strings.Contains(e.Detail, "wrong password") && e.Code == tenant.SignInFailed.String() {
				judged++
			} else if e.Code == tenant.SignInLocked.String() {
				locked++
			}
		}
		if judged != 5 || locked == 0 {
			t.Errorf("%d of 150 wrong passwords were looked at, and %d came too early", judged, locked)
		}
	})
}

// app registers an authenticator app and returns what it shows at a time.
func app(t *testing.T, tn *tenant.Tenant, u tenant.User) func(time.Time) string {
	t.Helper()
	made, err := tn.NewAuthenticator(u.Account())
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(made.Secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err == nil {
		err = tn.AddAuthenticator(
			context.Background(),
			audit.Actor{Kind: audit.User, Name: name},
			u.Account(),
			made.Ticket,
			code(tn.Now()),
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func tickets(t *testing.T, nodes [2]*tenant.Tenant) (list []string) {
	t.Helper()
	for i := range 8 {
		e, err := nodes[i%2].SignInUser(context.Background(), stranger, name, rightPassword, "", false)
		if err != nil || e.Challenge.Ticket == "" {
			t.Fatalf("%+v, %v", e, err)
		}
		list = append(list, e.Challenge.Ticket)
	}
	return list
}

// TestOneCodeOpensOneSession: a code of an authenticator app, on eight sign-ins at the same time,
// is accepted once.
func TestOneCodeOpensOneSession(t *testing.T) {
	twoNodes(t, func(t *testing.T, nodes [2]*tenant.Tenant, ada tenant.User) {
		code := app(t, nodes[0], ada)
		later := nodes[0].Now().Add(time.Minute)
		nodes[0].Now, nodes[1].Now = func() time.Time { return later }, func() time.Time { return later }
		var opened, refused atomic.Int32
		var all sync.WaitGroup
		for i, ticket := range tickets(t, nodes) {
			all.Go(func() {
				e, err := nodes[i%2].VerifyFactor(
					context.Background(), stranger, ticket, code(later), "", tenant.Browser{},
				)
				switch c := refusal.CodeOf(err); {
				case err == nil && e.Session != "":
					opened.Add(1)
				case c == tenant.FactorWrong || c == tenant.SignInLocked:
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
	twoNodes(t, func(t *testing.T, nodes [2]*tenant.Tenant, ada tenant.User) {
		app(t, nodes[0], ada)
		waiting := tickets(t, nodes)
		var judged atomic.Int32
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				_, err := nodes[i%2].VerifyFactor(
					context.Background(),
					stranger,
					waiting[i%8],
					"nonsense",
					"",
					tenant.Browser{},
				)
				if refusal.CodeOf(err) == tenant.FactorWrong {
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

// TestGuessingFromElsewhereLocksNobodyOut: the owner's browser is counted apart, for people and for
// administrators, also with the second factor.
func TestGuessingFromElsewhereLocksNobodyOut(t *testing.T) {
	twoNodes(t, func(t *testing.T, nodes [2]*tenant.Tenant, ada tenant.User) {
		ctx, tn := context.Background(), nodes[0]
		if err := tn.SetAdministrator(ctx, audit.SystemActor, "admin", rightPassword); err != nil {
			t.Fatal(err)
		}
		for who, signIn := range map[string]func(password, known string) (tenant.Entry, error){
			"a person": func(password, known string) (tenant.Entry, error) {
				return tn.SignInUser(ctx, stranger, name, password, known, false)
			},
			"an administrator": func(password, known string) (tenant.Entry, error) {
				return tn.SignInAdministrator(ctx, stranger, "admin", password, tenant.Browser{Known: known})
			},
		} {
			e, err := signIn(rightPassword, "")
			if err != nil || e.Known == "" {
				t.Fatalf("%s: %+v, %v", who, e, err)
			}
			for range 8 {
				if _, err := signIn("a guess", ""); err == nil {
					t.Fatal("a guess was right")
				}
			}
			if _, err := signIn(rightPassword, ""); refusal.CodeOf(err) != tenant.SignInLocked {
				t.Errorf("%s, in a browser that is not known: %v", who, err)
			}
			if again, err := signIn(rightPassword, e.Known.Reveal()); err != nil || again.Session == "" ||
				again.Known != "" {
				t.Errorf("%s, in a known browser: %+v, %v", who, again, err)
			}
			for range 5 {
				_, _ = signIn("a mistake", e.Known.Reveal())
			}
			if _, err := signIn(rightPassword, e.Known.Reveal()); refusal.CodeOf(err) != tenant.SignInLocked {
				t.Errorf("%s, after mistakes in the known browser: %v", who, err)
			}
		}
	})
}
