package center_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

func TestAnAdministratorsSecondFactorAndTheAlert(t *testing.T) {
	d := newDirectory(t)
	principal := center.AdministratorPrincipal("root")
	d.must(d.SetAdministrator(d.ctx, audit.SystemActor, "root", goodPassword))
	signIn := func(want center.Step, code string, refused refusal.Code) {
		t.Helper()
		p, err := d.SignInAdministrator(d.ctx, fromHome, "Root", goodPassword, "", center.Browser{})
		d.must(err)
		if p.Step != want {
			t.Fatalf("the password led to %q, want %q", p.Step, want)
		}
		if want == center.StepFactor {
			p, err = d.SignInWithCode(d.ctx, fromHome, p.Ticket.Reveal(), code, false, center.Browser{Console: true})
		}
		if refusal.CodeOf(err) != refused || (refused == refusal.None) != (p.Session != "") {
			t.Fatalf("%+v, %v, want %q", p, err, refused)
		}
	}
	signIn(center.StepDone, "", refusal.None)
	e, err := d.Enrol(d.ctx, principal, "root")
	d.must(err)
	d.must(
		d.FinishEnrolment(
			d.ctx, audit.Actor{Kind: audit.Administrator, Name: "root"}, principal,
			center.NewDevice{Ticket: e.Ticket.Reveal(), Name: "Phone", Code: d.code(e.TOTP.Secret)},
		),
	)
	signIn(center.StepFactor, "", center.FactorRefused)
	d.now = d.now.Add(time.Minute)
	signIn(center.StepFactor, d.code(e.TOTP.Secret), refusal.None)
	alerts := func() (n int) {
		t.Helper()
		events, err := d.Events(d.ctx, center.EventQuery{Limit: 100})
		d.must(err)
		for _, e := range events {
			if e.Action == "BreakGlassAdministratorUsed" && e.Actor.Name == "root" {
				n++
			}
		}
		return n
	}
	if n := alerts(); n != 0 {
		t.Errorf("%d alerts while users sign in here", n)
	}
	centertest.Federate(t, d.Center, "https://idp")
	d.now = d.now.Add(time.Minute)
	signIn(center.StepFactor, d.code(e.TOTP.Secret), refusal.None)
	if n := alerts(); n != 1 {
		t.Errorf("%d alerts while users sign in elsewhere, want one", n)
	}
	d.signIn(fromHome, center.Browser{}, "", center.SignInFailed) // their passwords rest
}
