package portal_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestOwnersReviewInThePortal: an owner sees what is theirs, with what removing means, and decides;
// nobody else sees it, and nobody confirms their own.
func TestOwnersReviewInThePortal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := centertest.Serve(t)
	s.NoMFA()
	w := centertest.Requests(t, s.Center)
	assign := func(of center.PrincipalType, id string) error {
		_, err := w.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: of, PrincipalID: id,
		})
		return err
	}
	e1 := assign(center.PrincipalUser, string(w.Ada.ID))
	e2 := assign(center.PrincipalUser, string(w.Grace.ID))
	e3 := w.PutAccessOwner(ctx, centertest.Actor, center.AccessOwner{
		AccountID: w.Account.ID, Owner: center.Principal{Type: center.PrincipalUser, ID: string(w.Grace.ID)},
	})
	v, e4 := w.StartAccessReview(ctx, centertest.Actor, center.AccessReview{
		Name: "Quarter", Deadline: s.Now().Add(48 * time.Hour), EndUnconfirmed: true,
	})
	e5 := s.SetPassword(ctx, audit.SystemActor, w.Grace.ID, centertest.Password)
	e7 := s.SetPassword(ctx, audit.SystemActor, w.Ada.ID, centertest.Password)
	if err := errors.Join(e1, e2, e3, e4, e5, e7); err != nil {
		t.Fatal(err)
	}
	at := s.URL + "/start/reviews"
	grace := s.SignIn("grace")
	page := grace.Get(at)
	for _, text := range []string{"Quarter", "2 wait for you", "ada", "Never used.", "The assignment", "then ends"} {
		if !strings.Contains(strings.ReplaceAll(page, "the assignment", "The assignment"), text) {
			t.Errorf("no %q on %s", text, page)
		}
	}
	say := func(verdict string, lines ...string) (int, string) {
		return grace.Send(http.MethodPost, at+"/"+v.ID, url.Values{"line": lines, "verdict": {verdict}})
	}
	for _, c := range []struct {
		verdict string
		lines   []string
		status  int
		text    string
	}{
		{"confirm", []string{"0002"}, http.StatusForbidden, "Nobody confirms access of their own"},
		{"burn", []string{"0001"}, http.StatusBadRequest, "Verdict: use CONFIRM"},
		{"confirm", nil, http.StatusBadRequest, "ame a line"},
		{"remove", []string{"0001"}, http.StatusOK, "1 removed."},
		{"restore", []string{"0001"}, http.StatusOK, "1 given back."},
		{"confirm", []string{"0001"}, http.StatusOK, "1 confirmed."},
	} {
		if status, page := say(c.verdict, c.lines...); status != c.status || !strings.Contains(page, c.text) {
			t.Errorf("%s %v: %d %s", c.verdict, c.lines, status, page)
		}
	}
	ada := s.SignIn("ada")
	if page := ada.Get(at); strings.Contains(page, "Quarter") || !strings.Contains(page, "Nothing is yours") {
		t.Errorf("somebody else sees %s", page)
	}
	form := url.Values{"line": {"0001"}, "verdict": {"remove"}}
	if status, page := ada.Send(http.MethodPost, at+"/"+v.ID, form); status != http.StatusForbidden {
		t.Errorf("somebody else removes: %d %s", status, page)
	}
}
