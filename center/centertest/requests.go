package centertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// RequestWorld is a center in which people may ask for access: Ada is an engineer, Grace and Linus
// approve, and so does Ada, though not for herself.
type RequestWorld struct {
	*center.Center
	Ada, Grace, Linus    center.User
	Engineers, Approvers center.Group
	Set                  center.PermissionSet
	Account              center.Account
	Policy               center.RequestPolicy // two hours at the most, one approval
}

// Requests fills a center with people, an account, and a policy for requests.
func Requests(t testing.TB, c *center.Center) *RequestWorld {
	t.Helper()
	ctx := context.Background()
	w := &RequestWorld{Center: c, Account: center.Account{ID: "111122223333", Name: "Production"}}
	var failed [8]error
	for i, who := range []*center.User{&w.Ada, &w.Grace, &w.Linus} {
		name := []string{"ada", "grace", "linus"}[i]
		u := Person(name)
		u.DisplayName = []string{"Ada Lovelace", "Grace Hopper", "Linus Pauling"}[i]
		u.Emails = []center.Value{{Value: name + "@example.com", Type: "work", Primary: true}}
		*who, failed[i] = c.CreateUser(ctx, Actor, u)
	}
	w.Engineers, failed[3] = c.CreateGroup(ctx, Actor, center.Group{DisplayName: "Engineers"}, w.Ada.ID)
	w.Approvers, failed[4] = c.CreateGroup(
		ctx, Actor, center.Group{DisplayName: "Approvers"}, w.Grace.ID, w.Linus.ID, w.Ada.ID,
	)
	w.Set, failed[5] = c.CreatePermissionSet(ctx, Actor, center.PermissionSet{Name: "Admin"})
	failed[6] = c.PutAccount(ctx, Actor, w.Account)
	w.Policy, failed[7] = c.CreateRequestPolicy(ctx, Actor, w.NewPolicy("Production"))
	if err := errors.Join(failed[:]...); err != nil {
		t.Fatal(err)
	}
	return w
}

// NewPolicy is a policy as it is asked for.
func (w *RequestWorld) NewPolicy(name string) center.RequestPolicy {
	return center.RequestPolicy{
		Name: name, Eligible: w.Engineers.ID, Approvers: w.Approvers.ID, PermissionSetARN: w.Set.ARN,
		Place: center.Place{AccountID: w.Account.ID}, Longest: 2 * time.Hour, Approvals: 1, Emergency: true,
	}
}

// By is a person who acts.
func (w *RequestWorld) By(u center.User) audit.Actor {
	return audit.Actor{Kind: audit.User, Name: u.UserName, Address: "127.0.0.1", RequestID: "test-request"}
}

// Ask is what Ada asks for when she needs nothing special.
func (w *RequestWorld) Ask() center.AccessAsk {
	return center.AccessAsk{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, Length: time.Hour, Reason: "The queue is stuck.",
	}
}

// Has says whether Ada has the role, by the assignments that AWS's API shows.
func (w *RequestWorld) Has(t testing.TB) bool {
	t.Helper()
	list, e1 := w.Assignments(context.Background(), center.AssignmentQuery{HeldBy: w.Ada.ID})
	roles, e2 := w.RolesOf(context.Background(), w.Ada.ID, w.Account.ID)
	if err := errors.Join(e1, e2); err != nil || (len(list) > 0) != (len(roles) > 0) {
		t.Fatalf("assignments %v, roles %v: %v", list, roles, err)
	}
	return len(list) > 0
}

// accessRequests checks what is kept of requests for access, of policies and of notices.
func accessRequests(t *testing.T, s center.Store) {
	tag := center.Tag{Key: "k", Value: "v"}
	policy := center.RequestPolicy{ID: "p1", Name: "Production", Longest: time.Hour, Place: center.Place{Tag: &tag}}
	pending := center.AccessRequest{
		ID: "r1", UserID: "u1", Approvers: "g1", State: center.AccessPending, CreatedAt: at(1), ExpiresAt: at(50),
	}
	active := center.AccessRequest{
		ID: "r2", UserID: "u2", Approvers: "g2", State: center.AccessActive, CreatedAt: at(2), StartedAt: at(20),
		EndsAt: at(40),
	}
	over := center.AccessRequest{ID: "r3", UserID: "u1", Approvers: "g1", State: center.AccessEnded, CreatedAt: at(3)}
	unreviewed := over
	unreviewed.ID, unreviewed.Emergency = "r4", true
	unreviewed.StartedAt, unreviewed.CreatedAt = at(4), at(4)
	mail := center.Notice{ID: "n1", Channel: center.ByMail, Due: at(10), Request: pending}
	post := center.Notice{ID: "n2", Channel: center.ByWebhook, Due: at(12)}
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutRequestPolicy(policy), tx.PutRequestPolicy(center.RequestPolicy{ID: "p2"}),
			tx.DeleteRequestPolicy("p2"),
			tx.PutAccessRequest(pending), tx.PutAccessRequest(active), tx.PutAccessRequest(over),
			tx.PutAccessRequest(unreviewed), tx.PutNotice(mail), tx.PutNotice(post),
			tx.PutRequestWebhook(center.RequestWebhook{URL: "https://hook.example"}),
		)
	})
	view(t, s, func(r center.Reader) error {
		kept, e1 := r.RequestPolicy("p1")
		all, e2 := r.RequestPolicies()
		if len(all) != 1 || kept.Name != policy.Name || *kept.Tag != *policy.Tag || kept.Longest != time.Hour {
			t.Errorf("policies %+v, %+v", kept, all)
		}
		_, err := r.RequestPolicy("p2")
		wantNoRow(t, "a deleted policy", err)
		selected(t, r)
		one, e3 := r.AccessRequest("r2")
		if !one.EndsAt.Equal(at(40)) || one.State != center.AccessActive {
			t.Errorf("a request %+v", one)
		}
		n, e4 := r.NextNotice(center.ByMail, at(10), at(99))
		if n.ID != "n1" || n.Request.ID != "r1" {
			t.Errorf("the next notice is %+v", n)
		}
		_, err = r.NextNotice(center.ByWebhook, at(11), at(99))
		wantNoRow(t, "a notice that is not due", err)
		ahead, e8 := r.NextNotice(center.ByWebhook, at(10), at(11))
		if ahead.ID != "n2" {
			t.Errorf("of what a clock has noted that was ahead, next is %+v", ahead)
		}
		known, e7 := r.Notice("n2")
		if known.ID != "n2" || known.Channel != center.ByWebhook {
			t.Errorf("the notice by its id is %+v", known)
		}
		_, err = r.Notice("n3")
		wantNoRow(t, "a notice that is not there", err)
		count, e5 := r.CountNotices()
		hook, e6 := r.RequestWebhook()
		if count != 2 || hook.URL != "https://hook.example" {
			t.Errorf("%d notices, webhook %+v", count, hook)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, e8)
	})
	dueByTheClock(t, s)
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.DeleteAccessRequests(at(60), 10), tx.DeleteNotice("n1"), tx.DeleteRequestWebhook(),
		)
	})
	view(t, s, func(r center.Reader) error {
		list, err := r.AccessRequests(center.AccessRequestQuery{})
		if got := idsOf(list); !slices.Equal(got, []string{"r4", "r2", "r1"}) {
			t.Errorf("after what is over was deleted: %v", got)
		}
		_, none := r.RequestWebhook()
		wantNoRow(t, "the webhook", none)
		return err
	})
}

// selected checks which requests are found.
func selected(t *testing.T, r center.Reader) {
	t.Helper()
	for what, c := range map[string]struct {
		q    center.AccessRequestQuery
		want []string
	}{
		"all":        {center.AccessRequestQuery{}, []string{"r4", "r3", "r2", "r1"}},
		"live":       {center.AccessRequestQuery{Live: true}, []string{"r4", "r2", "r1"}},
		"of a user":  {center.AccessRequestQuery{UserID: "u1", Live: true}, []string{"r4", "r1"}},
		"since":      {center.AccessRequestQuery{UserID: "u1", Since: at(3)}, []string{"r4", "r3"}},
		"before":     {center.AccessRequestQuery{Before: "r3", Limit: 1}, []string{"r2"}},
		"to decide":  {center.AccessRequestQuery{Approvers: []center.GroupID{"g2"}, Live: true}, []string{"r2"}},
		"of nobody":  {center.AccessRequestQuery{Approvers: []center.GroupID{}}, nil},
		"by nothing": {center.AccessRequestQuery{UserID: "u3"}, nil},
	} {
		list, err := r.AccessRequests(c.q)
		if got := idsOf(list); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v (%v)", what, got, c.want, err)
		}
	}
}

func idsOf(list []center.AccessRequest) (all []string) {
	for _, r := range list {
		all = append(all, r.ID)
	}
	return all
}

// dueByTheClock: a process that is alone goes by its own clock, and those that share a database by
// that of the database, whatever their own say.
func dueByTheClock(t *testing.T, s center.Store) {
	t.Helper()
	view(t, s, func(r center.Reader) error {
		now, e1 := r.Clock(at(40))
		due, e2 := r.DueAccessRequests(at(40), 10)
		later, e3 := r.DueAccessRequests(at(60), 1)
		switch {
		case s.Shared() && (time.Since(now).Abs() > time.Minute || len(due) != 2):
			t.Errorf("the clock that is shared says %s, due are %+v", now, due)
		case !s.Shared() && (!now.Equal(at(40)) || len(due) != 1 || due[0].ID != "r2"):
			t.Errorf("the clock says %s, due are %+v", now, due)
		case len(later) != 1 || later[0].ID != "r2": // due for longest
			t.Errorf("due later: %+v", later)
		}
		opened, e4 := r.AccessOpenedAfter(at(3), 5)
		none, e5 := r.AccessOpenedAfter(at(20), 5)
		if got := idsOf(append(opened, none...)); !slices.Equal(got, []string{"r2"}) {
			t.Errorf("open since later are %v", got)
		}
		return errors.Join(e1, e2, e3, e4, e5)
	})
}

// ProgramToken lets a program act for somebody who is signed in, as `aws sso login` does, and
// returns its access token.
func (s *Server) ProgramToken(v webtest.Visitor) string {
	s.t.Helper()
	post := func(path string, in map[string]any) (out map[string]any) {
		body, err := json.Marshal(in)
		if err != nil {
			s.t.Fatal(err)
		}
		answer, err := s.HTTP.Client().Post(s.URL+path, "application/json", bytes.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || answer.StatusCode != http.StatusOK {
			s.t.Fatalf("%s: %s %v, %v", path, answer.Status, out, err)
		}
		return out
	}
	program := post("/client/register", map[string]any{
		"clientName": "cli", "clientType": "public", "scopes": []string{"sso:account:access"},
	})
	who := map[string]any{
		"clientId": program["clientId"], "clientSecret": program["clientSecret"], "startUrl": s.PortalURL(),
	}
	device := post("/device_authorization", who)
	code, _ := device["userCode"].(string)
	v.Does(s.URL+"/start/device", url.Values{"user_code": {code}, "decision": {"allow"}}, "")
	delete(who, "startUrl")
	who["grantType"] = "urn:ietf:params:oauth:grant-type:device_code"
	who["deviceCode"] = device["deviceCode"]
	token, _ := post("/token", who)["accessToken"].(string)
	return token
}
