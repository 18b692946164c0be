package requestserver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestProgramsAskAndDecideForPeople: with the token of who allowed them, and nothing without.
func TestProgramsAskAndDecideForPeople(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := centertest.Serve(t)
	s.NoMFA()
	w := centertest.Requests(t, s.Center)
	program := func(u center.User) *adminapi.Person {
		if err := s.SetPassword(ctx, audit.SystemActor, u.ID, centertest.Password); err != nil {
			t.Fatal(err)
		}
		return &adminapi.Person{URL: s.URL, Token: s.ProgramToken(s.SignIn(u.UserName)), HTTP: s.HTTP.Client()}
	}
	ada, grace := program(w.Ada), program(w.Grace)
	var offers adminapi.AccessOffers
	if err := ada.Do(ctx, "ListAccessOffers", adminapi.None{}, &offers); err != nil || len(offers.Offers) != 1 ||
		offers.Offers[0].Accounts[0].ID != w.Account.ID || offers.Offers[0].LongestSeconds != 7200 {
		t.Fatalf("%+v, %v", offers, err)
	}
	ask := adminapi.RequestAccessInput{
		AccountID: w.Account.ID, PermissionSet: "Admin", Seconds: 3600, Reason: "The queue is stuck", Ticket: "OPS-1",
	}
	var made adminapi.AccessRequest
	err := ada.Do(ctx, "RequestAccess", ask, &made)
	if err != nil || made.State != "PENDING" || made.Ticket != "OPS-1" {
		t.Fatalf("%+v, %v", made, err)
	}
	var list adminapi.AccessRequests
	if err := grace.Do(ctx, "ListAccessRequests", adminapi.ListAccessRequestsInput{Open: true}, &list); err != nil ||
		len(list.Requests) != 1 || !list.Requests[0].WaitsForYou {
		t.Errorf("what waits for grace: %+v, %v", list, err)
	}
	it := adminapi.AccessRequestInput{RequestID: made.RequestID, Comment: "fine"}
	for _, c := range []struct {
		who       *adminapi.Person
		operation string
		in        any
		state     string // afterwards
		refused   string
	}{
		{ada, "ApproveAccess", it, "", "nobody decides on a request of their own"},
		{grace, "ReviewAccess", it, "", "there is nothing to review"},
		{grace, "ExtendAccess", it, "", "there is no such request"},
		{grace, "ApproveAccess", map[string]any{"RequestId": "x", "Force": true}, "", "the body is not the JSON"},
		{&adminapi.Person{URL: s.URL, Token: "no", HTTP: s.HTTP.Client()}, "ApproveAccess", it, "", "session"},
		{grace, "ApproveAccess", it, "ACTIVE", ""},
		{grace, "ApproveAccess", it, "", "nothing can be decided"},
		{ada, "ExtendAccess", adminapi.AccessRequestInput{
			RequestID: made.RequestID, Comment: "more", Seconds: 600,
		}, "ACTIVE", ""},
		{grace, "DenyAccess", it, "ACTIVE", ""},
		{ada, "EndAccess", it, "ENDED", ""},
	} {
		var out adminapi.AccessRequest
		err := c.who.Do(ctx, c.operation, c.in, &out)
		if (err == nil) != (c.refused == "") || (err != nil && !strings.Contains(err.Error(), c.refused)) ||
			out.State != c.state {
			t.Errorf("%s: %q, %v; want %q, %q", c.operation, out.State, err, c.state, c.refused)
		}
	}
	if w.Has(t) {
		t.Error("the access stays")
	}
}

// TestNoOperationIsForStrangers.
func TestNoOperationIsForStrangers(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	for _, operation := range []string{
		"ListAccessOffers", "ListAccessRequests", "RequestAccess", "ApproveAccess", "DenyAccess", "ReviewAccess",
		"EndAccess", "ExtendAccess", "ListOwnReviews", "DecideReview",
	} {
		status, body := s.Visitor().Send(http.MethodPost, s.URL+adminapi.PersonPath+operation, nil)
		if status != http.StatusUnauthorized || !strings.Contains(body, `"Reason"`) {
			t.Errorf("%s: %d %s", operation, status, body)
		}
	}
}
