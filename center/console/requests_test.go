package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestPoliciesAndRequestsInTheConsole: an administrator makes a policy, sees what is asked for,
// ends it, says where notices go, and deletes the policy.
func TestPoliciesAndRequestsInTheConsole(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := centertest.Serve(t)
	w := centertest.Requests(t, s.Center)
	v := s.Console()
	at := func(path string) string { return s.URL + "/console/" + path }
	form := url.Values{
		"name": {"Four <eyes>"}, "eligible": {"engineers"}, "approvers": {"Approvers"}, "set": {w.Set.ARN},
		"account": {w.Account.ID}, "longest": {"30m0s"}, "approvals": {"2"}, "emergency": {"on"},
	}
	page := v.Does(at("request-policies"), form, "The policy is created")
	for _, text := range []string{"Four &lt;eyes&gt;", "two of them", "30 minutes", "in Production"} {
		if !strings.Contains(page, text) {
			t.Errorf("no %q on %s", text, page)
		}
	}
	for field, c := range map[string]struct{ wrong, said string }{
		"eligible": {"nobody", "What to do"}, "approvers": {"", "What to do"}, "set": {"x", "What to do"},
		"account": {"999999999999", "What to do"}, "longest": {"1s", "Longest"}, "approvals": {"3", "Approvals"},
		"name": {"", "Name is missing."},
	} {
		bad := url.Values{}
		for k, values := range form {
			bad[k] = values
		}
		bad.Set("name", "another")
		bad.Set(field, c.wrong)
		if status, page := v.Send(http.MethodPost, at("request-policies"), bad); status < 400 || status >= 500 ||
			!strings.Contains(page, c.said) {
			t.Errorf("%s=%q: %d %s", field, c.wrong, status, page)
		}
	}
	ask := w.Ask()
	ask.Emergency = true
	r, err := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, ask)
	if err != nil || !w.Has(t) {
		t.Fatalf("%+v, %v", r, err)
	}
	page = v.Get(at("requests"))
	for _, text := range []string{"ada", "Admin in Production", "The queue is stuck.", "emergency, to be reviewed"} {
		if !strings.Contains(page, text) {
			t.Errorf("no %q on %s", text, page)
		}
	}
	v.Does(at("requests/"+r.ID+"/end"), nil, "ada no longer has Admin in Production")
	if w.Has(t) {
		t.Error("the access stays")
	}
	if r, err := w.AccessRequest(ctx, r.ID); err != nil || r.EndedBy != centertest.AdminName ||
		r.State != center.AccessEnded {
		t.Errorf("%+v, %v", r, err)
	}
	v.Does(at("requests/webhook"), url.Values{"url": {"https://hooks.example.com/x"}}, "not shown again")
	if page = v.Get(at("requests")); !strings.Contains(page, "https://hooks.example.com/x") ||
		strings.Contains(page, "not shown again") {
		t.Errorf("the webhook: %s", page)
	}
	v.Does(at("requests/webhook/disable"), nil, "Notices are posted nowhere")
	id := webtest.Match(t, page, regexp.MustCompile(`name="id" value="([^"]+)"`))
	v.IsSure(at("request-policies/delete"), url.Values{"id": {id}}, "The policy is deleted")
}

// TestTheDashboardHasALineOnAccess: it counts who administers without asking and what is asked for,
// and says how long approvals take.
func TestTheDashboardHasALineOnAccess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := centertest.Serve(t)
	w := centertest.Requests(t, s.Center)
	v := s.Console()
	wants := func(tiles ...string) {
		t.Helper()
		page := v.Get(s.URL + "/console/")
		for _, tile := range tiles {
			if !strings.Contains(page, tile) {
				t.Errorf("no %q on %s", tile, page)
			}
		}
	}
	wants("<strong>0</strong>Standing", "<strong>0</strong>Requests", "<strong>–</strong>Median")
	set, e1 := w.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Root"})
	e2 := w.AttachManagedPolicy(ctx, centertest.Actor, set.ARN, "arn:aws:iam::aws:policy/AdministratorAccess")
	_, e3 := w.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: set.ARN, PrincipalType: center.PrincipalGroup,
		PrincipalID: string(w.Approvers.ID),
	})
	r, e4 := w.RequestAccess(ctx, w.By(w.Ada), w.Ada.ID, w.Ask())
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		t.Fatal(err)
	}
	wants("<strong>3</strong>Standing", "<strong>1</strong>Requests", "<strong>–</strong>Median")
	if _, err := w.ApproveAccess(ctx, w.By(w.Grace), w.Grace.ID, r.ID, ""); err != nil {
		t.Fatal(err)
	}
	wants("<strong>1</strong>Requests", "<strong>&lt; 1 min</strong>Median")
}
