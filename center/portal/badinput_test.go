package portal_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// asked has Ada ask in the portal, and returns where Grace approves.
func (p *requestPortal) asked() (approve string) {
	p.t.Helper()
	p.ada.Does(p.page(), p.asks("1h0m0s", "The queue is stuck"), "The approvers decide")
	return p.target(p.grace.Get(p.page()), "approve")
}

// TestAnApproverWhoLeavesApprovesNothing: with the page open, by the group or altogether; and what
// they have approved of two approvals counts no more.
func TestAnApproverWhoLeavesApprovesNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	outOfGroup := func(p *requestPortal, u center.User) {
		m, err := p.MembershipOf(ctx, p.Approvers.ID, u.ID)
		if err == nil {
			err = p.DeleteMembership(ctx, centertest.Actor, m.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, leave := range map[string]func(p *requestPortal){
		"the group": func(p *requestPortal) { outOfGroup(p, p.Grace) },
		"disabled": func(p *requestPortal) {
			if err := p.SetUserActive(ctx, centertest.Actor, p.Grace.ID, false); err != nil {
				t.Fatal(err)
			}
		},
		"deleted": func(p *requestPortal) {
			if err := p.DeleteUser(ctx, centertest.Actor, p.Grace.ID); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newRequestPortal(t)
			approve := p.asked()
			leave(p)
			_, page := p.grace.Send(http.MethodPost, approve, url.Values{"comment": {"fine"}})
			if p.Has(t) || strings.Contains(page, "ada has Admin") {
				t.Errorf("she approves: %s", page)
			}
		})
	}
	p := newRequestPortal(t)
	two := p.NewPolicy("Two")
	two.Approvals = 2
	if err := p.DeleteRequestPolicy(ctx, centertest.Actor, p.Policy.ID); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.Policy, err = p.CreateRequestPolicy(ctx, centertest.Actor, two); err != nil {
		t.Fatal(err)
	}
	approve := p.asked()
	p.grace.Does(approve, nil, "Somebody else must approve too")
	outOfGroup(p, p.Grace)
	if err := p.server.SetPassword(ctx, centertest.Actor, p.Linus.ID, centertest.Password); err != nil {
		t.Fatal(err)
	}
	linus := p.server.SignIn("linus")
	linus.Does(approve, nil, "Somebody else must approve too")
	if p.Has(t) {
		t.Error("an approval of somebody who has left counts")
	}
}

// TestAPermissionSetStaysWhileAWindowIsOpen, and goes afterwards with its policies.
func TestAPermissionSetStaysWhileAWindowIsOpen(t *testing.T) {
	t.Parallel()
	p := newRequestPortal(t)
	p.grace.Does(p.asked(), nil, "ada has Admin")
	admin := p.server.Console()
	gone := url.Values{"arn": {p.Set.ARN}, "sure": {"yes"}}
	remove := p.server.URL + "/console/permission-sets/delete"
	if status, page := admin.Send(http.MethodPost, remove, gone); status != http.StatusConflict || !p.Has(t) {
		t.Errorf("while it is open: %d %s", status, page)
	}
	p.ada.Does(p.target(p.ada.Get(p.page()), "end"), nil, "The access has ended")
	p.ada.Does(p.page(), p.asks("30m0s", "Once more"), "The approvers decide")
	admin.Does(remove, gone, "deleted")
	page := p.ada.Get(p.page())
	if !strings.Contains(page, "There is nothing that you may ask for") || !strings.Contains(page, "denied") {
		t.Errorf("what waited: %s", page)
	}
}

// TestTwoApproveAtOnceInThePortal: one of them does it, and the other is told.
func TestTwoApproveAtOnceInThePortal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newRequestPortal(t)
	if err := p.server.SetPassword(ctx, centertest.Actor, p.Linus.ID, centertest.Password); err != nil {
		t.Fatal(err)
	}
	linus := p.server.SignIn("linus")
	approve := p.asked()
	answers := make([]int, 6)
	var all sync.WaitGroup
	for i, v := range []webtest.Visitor{p.grace, linus, p.grace, linus, p.grace, linus} {
		all.Go(func() { answers[i], _ = v.Send(http.MethodPost, approve, nil) })
	}
	all.Wait()
	count := map[int]int{}
	for _, status := range answers {
		count[status]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusConflict] != 5 {
		t.Errorf("the answers are %v", answers)
	}
	events, err := p.Events(ctx, center.EventQuery{})
	done := 0
	for _, e := range events {
		if e.Action == "ApproveAccess" && e.Code == "" {
			done++
		}
	}
	if err != nil || done != 1 || !p.Has(t) {
		t.Errorf("it was approved %d times, %v", done, err)
	}
}

// TestSomebodyAsksAgainAndAgainInThePortal is told why that goes no further, and nobody else
// suffers from it.
func TestSomebodyAsksAgainAndAgainInThePortal(t *testing.T) {
	t.Parallel()
	p := newRequestPortal(t)
	told := map[int]int{}
	text := ""
	for range 120 {
		var status int
		status, text = p.ada.Send(http.MethodPost, p.page(), p.asks("1h0m0s", "The queue is stuck"))
		told[status]++
	}
	if told[http.StatusOK] != 1 || told[http.StatusConflict] != 119 || !strings.Contains(text, "What to do:") {
		t.Errorf("the answers: %v; the last %s", told, text)
	}
	if page := p.grace.Get(p.page()); strings.Count(page, "ada: Admin in Production") != 1 {
		t.Errorf("grace sees %s", page)
	}
}

// TestWhoIsNotAllowedGetsNoAccessInThePortal, whatever is sent: for oneself, again, from another
// site, for longer, elsewhere, without being eligible.
func TestWhoIsNotAllowedGetsNoAccessInThePortal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := newRequestPortal(t)
	if err := p.PutAccount(ctx, centertest.Actor, center.Account{ID: "222233334444", Name: "Other"}); err != nil {
		t.Fatal(err)
	}
	form := func(change ...string) url.Values {
		f := p.asks("1h0m0s", "The queue is stuck")
		for i := 0; i < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return f
	}
	for name, f := range map[string]url.Values{
		"an account that the policy is not for": form("what", p.Policy.ID+"/222233334444"),
		"a policy that is not there":            form("what", "x/"+p.Account.ID),
		"no policy":                             form("what", "/"+p.Account.ID),
		"nothing":                               form("what", ""),
		"longer than the policy lets":           form("length", "2h0m1s"),
		"a negative time":                       form("length", "-1h"),
		"no time":                               form("length", ""),
		"no reason":                             form("reason", " "),
		"a start that is over":                  form("start", "2020-01-01T00:00"),
		"a start far ahead":                     form("start", "2099-01-01T00:00"),
	} {
		if status, page := p.ada.Send(http.MethodPost, p.page(), f); status < 400 || status > 429 {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	if status, page := p.grace.Send(http.MethodPost, p.page(), form()); status != http.StatusForbidden {
		t.Errorf("who is not eligible: %d %s", status, page)
	}
	approve := p.asked() // Ada is among the approvers
	if status, page := p.ada.Send(http.MethodPost, approve, nil); status != http.StatusForbidden || p.Has(t) {
		t.Errorf("for oneself: %d %s", status, page)
	}
	stranger, err := http.NewRequestWithContext(ctx, http.MethodPost, approve, nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger.Header.Set("Origin", "https://evil.example")
	stranger.Header.Set("Sec-Fetch-Site", "cross-site")
	if res, err := p.grace.Client.Do(stranger); err != nil || res.StatusCode != http.StatusForbidden || p.Has(t) {
		t.Errorf("from another site: %v, %v", res, err)
	} else if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if status, page := p.grace.Send(http.MethodGet, approve, nil); status != http.StatusMethodNotAllowed || p.Has(t) {
		t.Errorf("by a link that is only opened: %d %s", status, page)
	}
	p.grace.Does(approve, nil, "ada has Admin")
	before, err := p.AccessRequests(ctx, center.AccessRequestQuery{})
	if err != nil || len(before) != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	// Once approved, nothing of it changes by asking again, nor for more without an approval.
	p.ada.Send(http.MethodPost, p.page(), form("reason", "Something else", "length", "2h0m0s"))
	extend := p.target(p.ada.Get(p.page()), "extend")
	for _, length := range []string{"-30m", "0s", "1000h", "x"} {
		if status, page := p.ada.Send(http.MethodPost, extend, url.Values{
			"length": {length}, "comment": {"more"},
		}); status != http.StatusBadRequest {
			t.Errorf("more time, %s: %d %s", length, status, page)
		}
	}
	if status, page := p.grace.Send(http.MethodPost, extend, url.Values{
		"length": {"10m"}, "comment": {"more"},
	}); status < 400 {
		t.Errorf("more time for somebody else: %d %s", status, page)
	}
	p.ada.Does(extend, url.Values{"length": {"10m"}, "comment": {"more"}}, "asked for more time")
	if status, page := p.ada.Send(http.MethodPost, approve, nil); status != http.StatusForbidden {
		t.Errorf("one's own extension: %d %s", status, page)
	}
	after, err := p.AccessRequest(ctx, before[0].ID)
	if err != nil || !after.EndsAt.Equal(before[0].EndsAt) || after.Reason != before[0].Reason {
		t.Errorf("it is %+v, %v; before %+v", after, err, before[0])
	}
	p.grace.Does(strings.TrimSuffix(approve, "approve")+"deny", nil, "denied")
	p.ada.Does(p.target(p.ada.Get(p.page()), "end"), nil, "The access has ended")
	if status, page := p.grace.Send(http.MethodPost, approve, nil); status != http.StatusConflict || p.Has(t) {
		t.Errorf("the approval once more: %d %s", status, page)
	}
}
