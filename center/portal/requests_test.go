package portal_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// requestPortal serves a center where ada asks and grace decides, both signed in.
type requestPortal struct {
	*centertest.RequestWorld
	server     *centertest.Server
	ada, grace webtest.Visitor
	t          *testing.T
}

func newRequestPortal(t *testing.T) *requestPortal {
	t.Helper()
	s := centertest.Serve(t)
	s.NoMFA()
	p := &requestPortal{RequestWorld: centertest.Requests(t, s.Center), server: s, t: t}
	for _, u := range []center.User{p.Ada, p.Grace} {
		if err := s.SetPassword(context.Background(), audit.SystemActor, u.ID, centertest.Password); err != nil {
			t.Fatal(err)
		}
	}
	p.ada, p.grace = s.SignIn("ada"), s.SignIn("grace")
	return p
}

func (p *requestPortal) page() string { return p.server.URL + "/start/requests" }

// asks is what the form sends.
func (p *requestPortal) asks(length, reason string) url.Values {
	return url.Values{
		"what": {p.Policy.ID + "/" + p.Account.ID}, "length": {length}, "reason": {reason}, "ticket": {"OPS-1"},
	}
}

// target is where a form on a page leads that does something to a request.
func (p *requestPortal) target(page, deed string) string {
	p.t.Helper()
	found := regexp.MustCompile(`action="(/start/requests/[^"/]+/` + deed + `)"`).FindStringSubmatch(page)
	if found == nil {
		p.t.Fatalf("no form to %s on %s", deed, page)
	}
	return p.server.URL + found[1]
}

// TestSomebodyAsksAndAnotherApprovesInThePortal.
func TestSomebodyAsksAndAnotherApprovesInThePortal(t *testing.T) {
	t.Parallel()
	p := newRequestPortal(t)
	for _, text := range []string{"Admin in Production (111122223333)", "2 hours", "You have asked for nothing yet"} {
		if page := p.ada.Get(p.page()); !strings.Contains(page, text) || strings.Contains(page, "Waiting for you") {
			t.Errorf("no %q on %s", text, page)
		}
	}
	if page := p.grace.Get(p.page()); !strings.Contains(page, "There is nothing that you may ask for") {
		t.Errorf("who is not eligible sees %s", page)
	}
	p.ada.Does(p.page(), p.asks("1h0m0s", "The queue <b>is</b> stuck"), "The approvers decide")
	page := p.grace.Get(p.page())
	for _, text := range []string{
		"Waiting for you", "ada: Admin in Production", "&lt;b&gt;is&lt;/b&gt; stuck", "OPS-1",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("no %q on %s", text, page)
		}
	}
	if p.Has(t) {
		t.Error("the access is there")
	}
	p.grace.Does(p.target(page, "approve"), url.Values{"comment": {"fine"}}, "ada has Admin in Production until")
	if !p.Has(t) || !strings.Contains(p.ada.Get(p.server.PortalURL()), "Admin") {
		t.Error("the access is not there")
	}
	page = p.grace.Get(p.page())
	if strings.Contains(page, "Waiting for you") || !strings.Contains(page, "Open for others") {
		t.Errorf("afterwards grace sees %s", page)
	}
	page = p.ada.Get(p.page())
	p.ada.Does(p.target(page, "extend"), url.Values{"length": {"30m0s"}, "comment": {"more"}}, "asked for more time")
	p.grace.Does(p.target(p.grace.Get(p.page()), "approve"), nil, "ada has Admin")
	p.ada.Does(p.target(page, "end"), nil, "The access has ended")
	if p.Has(t) || strings.Contains(p.ada.Get(p.server.PortalURL()), ">Admin<") {
		t.Error("the access stays")
	}
}

// TestEmergenciesInThePortal: the access is there at once, and is reviewed.
func TestEmergenciesInThePortal(t *testing.T) {
	t.Parallel()
	p := newRequestPortal(t)
	form := p.asks("1h0m0s", "Everything burns")
	form.Set("emergency", "on")
	p.ada.Does(p.page(), form, "You have Admin in Production until")
	page := p.grace.Get(p.page())
	if !strings.Contains(page, "emergency") || !strings.Contains(page, "It was right") {
		t.Errorf("grace sees %s", page)
	}
	p.grace.Does(p.target(page, "wrong"), url.Values{"comment": {"a lamp"}}, "reviewed, and ended")
	if p.Has(t) {
		t.Error("the access stays")
	}
}

// TestTheFormForAccessRefuses: with a sentence, and what was typed stays.
func TestTheFormForAccessRefuses(t *testing.T) {
	t.Parallel()
	p := newRequestPortal(t)
	for name, c := range map[string]struct {
		change func(url.Values)
		status int
		text   string
	}{
		"without a reason": {func(f url.Values) {
			f.Set("reason", " ")
		}, http.StatusBadRequest, "say what the access is for"},
		"for too long": {func(f url.Values) {
			f.Set("length", "24h")
		}, http.StatusBadRequest, "allows 2h at most"},
		"for no length": {func(f url.Values) {
			f.Set("length", "long")
		}, http.StatusBadRequest, "Length"},
		"from the past": {func(f url.Values) {
			f.Set("start", "2020-01-01T00:00")
		}, http.StatusBadRequest, "would be over already"},
		"from whenever": {func(f url.Values) {
			f.Set("start", "soon")
		}, http.StatusBadRequest, "use a date and a time"},
		"for nothing": {func(f url.Values) {
			f.Del("what")
		}, http.StatusBadRequest, "Permission set ARN is missing."},
		"by no policy": {func(f url.Values) {
			f.Set("what", "none/111122223333")
		}, http.StatusForbidden, "policy lets this person ask"},
	} {
		form := p.asks("1h0m0s", "because I type well")
		c.change(form)
		status, page := p.ada.Send(http.MethodPost, p.page(), form)
		if status != c.status || !strings.Contains(page, c.text) ||
			!strings.Contains(page, `value="OPS-1"`) {
			t.Errorf("%s: %d, want %d and %q on %s", name, status, c.status, c.text, page)
		}
	}
	p.ada.Does(p.page(), p.asks("1h0m0s", "once"), "The approvers decide")
	status, page := p.ada.Send(http.MethodPost, p.page(), p.asks("1h0m0s", "twice"))
	if status != http.StatusConflict || !strings.Contains(page, "asked for this access already") {
		t.Errorf("twice: %d %s", status, page)
	}
	id := strings.Split(p.target(p.ada.Get(p.page()), "end"), "/")
	for deed, by := range map[string]webtest.Visitor{
		"approve": p.ada, "deny": p.ada, "right": p.grace, "extend": p.grace,
	} {
		address := p.page() + "/" + id[len(id)-2] + "/" + deed
		status, page := by.Send(http.MethodPost, address, url.Values{"length": {"1h"}})
		if status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", deed, status, page)
		}
	}
	p.server.Visitor().Send(http.MethodPost, p.page(), p.asks("1h0m0s", "a stranger's"))
	list, err := p.AccessRequests(context.Background(), center.AccessRequestQuery{Since: time.Now().Add(-time.Hour)})
	if err != nil || len(list) != 1 || list[0].State != center.AccessPending {
		t.Errorf("what was asked for: %+v, %v", list, err)
	}
}
