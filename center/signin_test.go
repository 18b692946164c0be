package center_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestWrongPasswordsDelayButNeverLockOutForEver moves the clock by hand: after a few mistakes even
// the right password is refused, for a time that grows and ends by itself.
func TestWrongPasswordsDelayButNeverLockOutForEver(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	ctx, nobody := context.Background(), audit.Actor{Kind: audit.Anonymous}
	const right = "The right 1 password!"
	if err := c.SetAdministrator(ctx, audit.SystemActor, "admin", right); err != nil {
		t.Fatal(err)
	}
	attempt := func(password string, want refusal.Code) {
		t.Helper()
		if _, err := c.SignInAdministrator(
			ctx, nobody, "Admin", password, "", center.Browser{},
		); refusal.CodeOf(err) != want {
			t.Fatalf("at %s: %v, want %q", now.Format(time.TimeOnly), err, want)
		}
	}
	for range 5 {
		attempt("wrong", center.SignInFailed)
	}
	attempt(right, center.SignInLocked)
	now = now.Add(time.Second)
	attempt("wrong", center.SignInFailed) // looked at again, and the next wait is longer
	now = now.Add(time.Second)
	attempt(right, center.SignInLocked)
	now = now.Add(time.Second)
	attempt(right, refusal.None)
	attempt("wrong", center.SignInFailed) // a success forgets the mistakes
	attempt(right, refusal.None)
	for range 40 { // whatever happens, five minutes are enough
		attempt("wrong", center.SignInFailed)
		now = now.Add(5 * time.Minute)
	}
	attempt(right, refusal.None)

	events, err := c.Events(ctx, center.EventQuery{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range events {
		seen[e.Code] = true
	}
	if !seen[center.SignInLocked.String()] || !seen[center.SignInFailed.String()] {
		t.Errorf("the audit log has only %v", seen)
	}
}

// TestASAMLSignInNeedsItsRequestAndIsUsedOnce: what takes memory to check, checked where the memory
// is.
func TestASAMLSignInNeedsItsRequestAndIsUsedOnce(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	ctx, by := context.Background(), audit.Actor{Kind: audit.Anonymous}
	centertest.Federate(t, c, "https://idp")
	if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{"browser": "", "other": ""}
	request := func() string {
		r, err := c.StartAuthnRequest(ctx, kept["browser"], "/start", false)
		if err != nil {
			t.Fatal(err)
		}
		kept["browser"] = r.Outstanding.Reveal()
		return r.ID
	}
	attempt := func(what string, a center.VerifiedAssertion, browser string, want refusal.Code) {
		t.Helper()
		a.UsableUntil = now.Add(time.Hour)
		if _, _, _, err := c.SignInWithAssertion(
			ctx, by, a, center.Browser{Outstanding: kept[browser]},
		); refusal.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	old := request()
	now = now.Add(center.AuthnRequestLifetime)
	attempt(
		"an old request",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: "ada@example.com", InResponseTo: old},
		"browser", center.RequestUnknown,
	)
	attempt(
		"a request that nobody made",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: "ada@example.com", InResponseTo: "_x"},
		"browser", center.RequestUnknown,
	)
	attempt(
		"another browser",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: "ada@example.com", InResponseTo: request()},
		"other", center.RequestUnknown,
	)
	attempt(
		"an unknown user",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: "eve@example.com", InResponseTo: request()},
		"browser", center.UserNotFound,
	)
	for _, name := range []string{
		"adA@e\u0130xample.com", "ad\u0430@example.com", "ada@ex\u212bmple.com", "ada@example.com\u200b",
	} {
		attempt(
			"another letter",
			center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: name, InResponseTo: request()},
			"browser", center.UserNotFound,
		)
	}
	if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("mike@example.com")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mi\u212ae@example.com", "m\u0130ke@example.com"} {
		attempt(
			"a letter that lower case makes another",
			center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: name, InResponseTo: request()},
			"browser", center.UserNotFound,
		)
	}
	id := request()
	attempt(
		"a good one",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: "ADA@example.com", InResponseTo: id},
		"browser", refusal.None,
	)
	attempt(
		"the assertion again",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: "ada@example.com", InResponseTo: request()},
		"browser", center.AssertionReplayed,
	)
	now = now.Add(23 * time.Hour) // a clock goes ahead for a moment, while what has expired is removed
	if err := c.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-23 * time.Hour)
	attempt(
		"the assertion after a clock was ahead",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a", NameID: "ada@example.com", InResponseTo: request()},
		"browser", center.AssertionReplayed,
	)
	attempt(
		"the request again",
		center.VerifiedAssertion{Issuer: "https://idp", ID: "b", NameID: "ada@example.com", InResponseTo: id},
		"browser", center.RequestUnknown,
	)

	end := now.Add(10 * time.Minute)
	secret, _, _, err := c.SignInWithAssertion(
		ctx,
		by,
		center.VerifiedAssertion{
			Issuer:              "https://idp",
			ID:                  "c",
			NameID:              "ada@example.com",
			UsableUntil:         end,
			SessionNotOnOrAfter: end,
		},
		center.Browser{},
	)
	if err != nil {
		t.Fatal(err)
	}
	now = end.Add(-time.Second)
	if _, err := c.PortalUser(ctx, secret.Reveal()); err != nil {
		t.Errorf("before the provider's end of the session: %v", err)
	}
	now = end
	if _, err := c.PortalUser(ctx, secret.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("after the provider's end of the session: %v", err)
	}
}

// TestABrowserKeepsItsRequests: in several tabs, sealed, for ten minutes, and not without end.
// Nothing is kept for strangers.
func TestABrowserKeepsItsRequests(t *testing.T) {
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	by := audit.Actor{Kind: audit.Anonymous}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	centertest.Federate(t, c, "https://idp")
	if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	kept, ids := "planted.nonsense", []string{}
	for range 5 {
		r, err := c.StartAuthnRequest(ctx, kept, "/start?tab="+fmt.Sprint(len(ids)), false)
		if err != nil {
			t.Fatal(err)
		}
		kept, ids = r.Outstanding.Reveal(), append(ids, r.ID)
	}
	if len(kept) > 2500 {
		t.Errorf("a cookie of %d bytes", len(kept))
	}
	for i, want := range []refusal.Code{
		center.RequestUnknown, refusal.None, refusal.None, refusal.None, refusal.None,
	} { // the oldest of five is forgotten
		a := center.VerifiedAssertion{
			Issuer:       "https://idp",
			ID:           fmt.Sprint("a", i),
			NameID:       "ada@example.com",
			InResponseTo: ids[i],
			UsableUntil:  now.Add(time.Hour),
		}
		_, _, to, err := c.SignInWithAssertion(ctx, by, a, center.Browser{Outstanding: kept})
		if refusal.CodeOf(err) != want || (err == nil && to != "/start?tab="+fmt.Sprint(i)) {
			t.Errorf("tab %d: to %q, %v; want %q", i, to, err, want)
		}
	}
	r, err := c.StartAuthnRequest(ctx, kept, "/start", false)
	if err != nil {
		t.Fatal(err)
	}
	first := "A"
	if strings.HasPrefix(r.Outstanding.Reveal(), first) {
		first = "B"
	}
	altered := first + r.Outstanding.Reveal()[1:]
	a := center.VerifiedAssertion{
		Issuer:       "https://idp",
		ID:           "b",
		NameID:       "ada@example.com",
		InResponseTo: r.ID,
		UsableUntil:  now.Add(time.Hour),
	}
	for what, outstanding := range map[string]string{
		"altered":          altered,
		"none":             "",
		"another center's": strings.Repeat("x", 300),
		"without end":      strings.Repeat("x.", 100_000) + r.Outstanding.Reveal(),
	} {
		if _, _, _, err := c.SignInWithAssertion(
			ctx, by, a, center.Browser{Outstanding: outstanding},
		); refusal.CodeOf(err) != center.RequestUnknown {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestGuessingFromElsewhereKeepsNoAdministratorOut: mistakes in a browser where the administrator
// has signed in before are counted apart from those of strangers.
func TestGuessingFromElsewhereKeepsNoAdministratorOut(t *testing.T) {
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	nobody := audit.Actor{Kind: audit.Anonymous}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	const right = "The right 1 password!"
	if err := c.SetAdministrator(ctx, audit.SystemActor, "admin", right); err != nil {
		t.Fatal(err)
	}
	signIn := func(password, known string, want refusal.Code) (keep string) {
		t.Helper()
		p, err := c.SignInAdministrator(ctx, nobody, "admin", password, "", center.Browser{Known: known})
		if refusal.CodeOf(err) != want {
			t.Fatalf("%v, want %q", err, want)
		}
		return p.Known.Reveal()
	}
	mine := signIn(right, "", refusal.None)
	for range 5 {
		signIn("a guess", "", center.SignInFailed)
	}
	signIn(right, "", center.SignInLocked)
	if again := signIn(right, mine, refusal.None); mine == "" || again != "" {
		t.Errorf("the browser was given %q, then %q", mine, again)
	}
	for range 5 {
		signIn("a mistake", mine, center.SignInFailed)
	}
	signIn(right, mine, center.SignInLocked)
}

// TestTheIdentityProviderMakesNoAdministrator: whom it names as an administrator is named is a
// user, whose session opens the portal and never the console.
func TestTheIdentityProviderMakesNoAdministrator(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	ctx, by := context.Background(), audit.Actor{Kind: audit.Anonymous}
	centertest.Federate(t, c, "https://idp")
	if err := c.SetAdministrator(ctx, audit.SystemActor, "root", "Correct-horse-9"); err != nil {
		t.Fatal(err)
	}
	signIn := func(id string) (string, error) {
		a := center.VerifiedAssertion{
			Issuer:      "https://idp",
			ID:          id,
			NameID:      "root",
			UsableUntil: time.Now().Add(time.Hour),
		}
		secret, _, _, err := c.SignInWithAssertion(ctx, by, a, center.Browser{})
		return secret.Reveal(), err
	}
	if _, err := signIn("a"); refusal.CodeOf(err) != center.UserNotFound {
		t.Errorf("an administrator who is no user: %v", err)
	}
	if _, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("root")); err != nil {
		t.Fatal(err)
	}
	secret, err := signIn("b")
	if err != nil {
		t.Fatal(err)
	}
	if u, err := c.PortalUser(ctx, secret); err != nil || u.UserName != "root" {
		t.Errorf("the portal: %+v, %v", u, err)
	}
	if name, err := c.ConsoleAdministrator(ctx, secret); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the console was opened to %q: %v", name, err)
	}
}

// TestANameIDIsAnEmailAddress has the names that identity providers send.
func TestANameIDIsAnEmailAddress(t *testing.T) {
	for name, ok := range map[string]bool{
		"ada@example.com":          true,
		"ada+admin@example.com":    true,
		"ada":                      false,
		"Ada <ada@example.com>":    false,
		"<ada@example.com>":        false,
		"ada@example.com (Ada)":    false,
		"ada@example.com, b@c.com": false,
		" ada@example.com":         false,
		"":                         false,
	} {
		if err := center.CheckNameID(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
