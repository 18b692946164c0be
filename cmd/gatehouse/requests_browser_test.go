package main

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// countedClicks counts what a person does in a browser.
type countedClicks struct {
	browser
	n int
}

func (c *countedClicks) press(selector string) {
	c.t.Helper()
	c.n++
	c.leave(selector)
}

// TestPeopleAskForAccessInABrowser: an administrator makes a policy, Ada asks with two clicks from
// her accounts, and Grace approves with two; the pages are right for those who cannot see them, and
// on a phone.
func TestPeopleAskForAccessInABrowser(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	ctx, by := context.Background(), audit.SystemActor
	w := centertest.Requests(t, s.center)
	settings, err := s.center.SignInSettings(ctx)
	settings.MFA = center.MFANever
	if err := errors.Join(
		err, s.center.UpdateSignInSettings(ctx, by, settings),
		s.center.SetAdministrator(ctx, by, "admin", centertest.Password),
		s.center.SetPassword(ctx, by, w.Ada.ID, centertest.Password),
		s.center.SetPassword(ctx, by, w.Grace.ID, centertest.Password),
		s.center.PutAccount(ctx, by, center.Account{ID: "222233334444", Name: "Staging"}),
	); err != nil {
		t.Fatal(err)
	}
	signIn := func(name string) *countedClicks {
		b := browser{t, newUndrawnBrowser(t, s.hosts)}
		b.login(s.center.PortalURL(), map[string]string{"username": name, "password": centertest.Password})
		b.sees("AWS accounts")
		return &countedClicks{browser: b}
	}
	admin := browser{t, newUndrawnBrowser(t, s.hosts)}
	admin.login(
		s.center.ConsoleURL()+"requests", map[string]string{"username": "admin", "password": centertest.Password},
	)
	admin.unfold()
	admin.submit(`form[action="/console/request-policies"]`, "button", map[string]string{
		"name": "Staging", "eligible": "Engineers", "approvers": "Approvers", "account": "222233334444",
		"approvals": "2",
	})
	admin.sees("The policy is created")

	ada, grace := signIn("ada"), signIn("grace")
	ada.press(`nav a[href="/start/requests"]`)
	ada.fill(`form[action="/start/requests"]`, map[string]string{"reason": "The queue is stuck", "ticket": "OPS-4711"})
	ada.screenshot("requests-ask")
	ada.press(`form[action="/start/requests"] button`)
	ada.sees("The approvers decide")
	if ada.n != 2 {
		t.Errorf("asking takes %d clicks", ada.n)
	}
	ada.accessible("a request that waits")
	grace.press(`nav a[href="/start/requests"]`)
	grace.sees("Waiting for you")
	grace.screenshot("requests-decide")
	grace.phone("requests-decide-phone")
	grace.accessible("what waits for an approver")
	grace.press(`button[formaction$="/approve"]`)
	grace.sees("ada has Admin in Production until")
	if grace.n != 2 || !w.Has(t) {
		t.Errorf("approving takes %d clicks, and ada has it: %v", grace.n, w.Has(t))
	}
	ada.open(s.center.PortalURL() + "/requests")
	ada.sees("open")
	ada.screenshot("requests-open")
	admin.open(s.center.ConsoleURL() + "requests")
	admin.sees("The queue is stuck")
	admin.screenshot("requests-console")
	admin.phone("requests-console-phone")
	admin.accessible("requests in the console")
	ada.press(`form[action$="/end"] button`)
	ada.sees("The access has ended")
	if w.Has(t) {
		t.Error("the access stays")
	}
}
