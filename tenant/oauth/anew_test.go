package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestProgramsMayWantANewSignIn: a program that sends prompt=login or max_age relies on it.
func TestProgramsMayWantANewSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask   url.Values
		since time.Duration // the browser's sign-in
		anew  bool
	}{
		"nothing is asked":        {nil, 20 * time.Hour, false},
		"prompt=login":            {url.Values{"prompt": {"login"}}, time.Second, true},
		"prompt=login consent":    {url.Values{"prompt": {"login consent"}}, time.Second, true},
		"max_age that is kept":    {url.Values{"max_age": {"3600"}}, 59 * time.Minute, false},
		"max_age that has passed": {url.Values{"max_age": {"3600"}}, 61 * time.Minute, true},
		"max_age=0":               {url.Values{"max_age": {"0"}}, time.Second, true},
		"a seal of somebody else": {url.Values{"prompt": {"login"}, "asked": {"v1.AAAA"}}, time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.signIn(ada)
			o.now = o.now.Add(c.since)
			at := o.asking(c.ask)
			if a := o.post(at, url.Values{"answer": {"allow"}}); strings.Contains(a.Location, "code=") == c.anew {
				t.Fatalf("allowed without a look at it: %d %s", a.Status, a.Location)
			}
			a := o.get(at)
			if sent := a.Status == http.StatusSeeOther && strings.HasPrefix(a.Location, "/login?"); sent != c.anew {
				t.Fatalf("%d to %q", a.Status, a.Location)
			}
			if !c.anew {
				return
			}
			to, err := url.Parse(a.Location)
			if err != nil {
				t.Fatal(err)
			}
			back := to.Query().Get("return")
			if a := o.get(back); a.Status != http.StatusSeeOther {
				t.Errorf("back without a sign-in: %d", a.Status)
			}
			o.now = o.now.Add(time.Second)
			o.signIn(ada)
			o.now = o.now.Add(time.Minute)
			if a := o.post(back, url.Values{"answer": {"allow"}}); !strings.Contains(a.Location, "code=") {
				t.Errorf("after a new sign-in: %d %s", a.Status, a.Location)
			}
		})
	}
}

// TestAnEndedFamilyStaysEndedWhenTheClockIsMoved: access tokens live by the real time.
func TestAnEndedFamilyStaysEndedWhenTheClockIsMoved(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.Clock = &tenant.Clock{}
	o.Now = o.Clock.Now
	o.signIn(ada)
	code := o.code()
	tokens := o.redeem(code).json(t)
	o.refused("a code twice", o.redeem(code), 70000)
	if err := o.MoveClock(t.Context(), system, 30*time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := o.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.signIn(ada)
	o.code()
	if o.works(tokens) {
		t.Error("the tokens of an ended family work again")
	}
}
