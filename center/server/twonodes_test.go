package server_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// pair are two nodes on one PostgreSQL. The clock of the second one is two minutes slow.
type pair struct {
	*testing.T
	*centertest.RequestWorld
	nodes  [2]*centertest.Server
	tokens map[string]string
	four   center.RequestPolicy // needs two approvals
}

func newPair(t *testing.T) *pair {
	t.Helper()
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	p := &pair{T: t, tokens: map[string]string{}}
	for i := range p.nodes {
		s, err := store.Open(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		p.nodes[i] = centertest.ServeOn(t, s, func(c *center.Center) {
			c.Now = func() time.Time { return time.Now().Add(-time.Duration(i) * 2 * time.Minute) }
		})
	}
	p.nodes[0].NoMFA()
	p.RequestWorld = centertest.Requests(t, p.nodes[0].Center)
	policy := p.NewPolicy("Four eyes")
	policy.Approvals, policy.Place = 2, center.Place{Tag: &center.Tag{Key: "eyes", Value: "four"}}
	four, err := p.nodes[1].CreateRequestPolicy(ctx, centertest.Actor, policy)
	p.four = four
	for i := range 30 {
		err = errors.Join(err, p.nodes[1].PutAccount(ctx, centertest.Actor, center.Account{
			ID: fmt.Sprintf("2222333344%02d", i), Name: fmt.Sprint("A", i), Tags: []center.Tag{*policy.Tag},
		}))
	}
	for _, u := range []center.User{p.Ada, p.Grace, p.Linus} {
		err = errors.Join(err, p.nodes[0].SetPassword(ctx, audit.SystemActor, u.ID, centertest.Password))
		if err != nil {
			t.Fatal(err)
		}
		p.tokens[u.UserName] = p.nodes[0].ProgramToken(p.nodes[0].SignIn(u.UserName))
	}
	return p
}

// as calls an operation for somebody at one of the nodes.
func (p *pair) as(who string, node int, operation string, in any) (r adminapi.AccessRequest, err error) {
	person := adminapi.Person{URL: p.nodes[node].URL, Token: p.tokens[who], HTTP: p.nodes[node].HTTP.Client()}
	return r, person.Do(p.Context(), operation, in, &r)
}

// is fails unless a request is in a state.
func (p *pair) is(state center.AccessState) func(adminapi.AccessRequest, error) adminapi.AccessRequest {
	p.Helper()
	return func(r adminapi.AccessRequest, err error) adminapi.AccessRequest {
		p.Helper()
		if err != nil || r.State != string(state) {
			p.Fatalf("%s %s, %v; want it %s", r.RequestID, r.State, err, state)
		}
		return r
	}
}

func (p *pair) refused(words string) func(adminapi.AccessRequest, error) {
	p.Helper()
	return func(r adminapi.AccessRequest, err error) {
		p.Helper()
		if err == nil || !strings.Contains(err.Error(), words) {
			p.Errorf("%s %s, %v; want %q", r.RequestID, r.State, err, words)
		}
	}
}

func (p *pair) asks(account int) adminapi.RequestAccessInput {
	return adminapi.RequestAccessInput{
		AccountID: fmt.Sprintf("2222333344%02d", account), PermissionSet: "Admin", Seconds: 1800,
		Reason: "It is stuck.",
	}
}

// held are Ada's assignments.
func (p *pair) held() int {
	p.Helper()
	list, err := p.nodes[0].Assignments(p.Context(), center.AssignmentQuery{HeldBy: p.Ada.ID})
	if err != nil {
		p.Fatal(err)
	}
	return len(list)
}

// TestRequestsAtTwoNodes: what people do one after the other at either node, and back again.
func TestRequestsAtTwoNodes(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	about := func(r adminapi.AccessRequest, seconds int64) adminapi.AccessRequestInput {
		return adminapi.AccessRequestInput{RequestID: r.RequestID, Comment: "so", Seconds: seconds}
	}
	r := p.is(center.AccessPending)(p.as("ada", 0, "RequestAccess", p.asks(0)))
	p.refused("their own")(p.as("ada", 1, "ApproveAccess", about(r, 0)))
	p.refused("asked for this access already")(p.as("ada", 1, "RequestAccess", p.asks(0)))
	p.atOnce(func(who string, node int) error {
		_, err := p.as(who, node, "ApproveAccess", about(r, 0))
		return err
	}, "grace", "linus")
	p.refused("nothing can be decided")(p.as("grace", 1, "ApproveAccess", about(r, 0))) // sent once more
	if p.held() != 1 {
		t.Fatalf("%d assignments after two approvals", p.held())
	}
	ends := p.is(center.AccessActive)(p.as("ada", 1, "ExtendAccess", about(r, 600))).EndsAt
	p.is(center.AccessActive)(p.as("grace", 0, "DenyAccess", about(r, 0)))
	p.is(center.AccessActive)(p.as("ada", 0, "ExtendAccess", about(r, 600)))
	p.is(center.AccessActive)(p.as("grace", 1, "ApproveAccess", about(r, 0)))
	now := p.is(center.AccessActive)(p.as("linus", 0, "ApproveAccess", about(r, 0)))
	if now.EndsAt.Sub(ends) != 10*time.Minute {
		t.Errorf("it ends at %s, and ended at %s before", now.EndsAt, ends)
	}
	if p.nodes[1].DeletePermissionSet(t.Context(), centertest.Actor, p.Set.ARN) == nil {
		t.Error("the permission set is deleted while a window is open")
	}
	p.is(center.AccessEnded)(p.as("ada", 1, "EndAccess", about(r, 0)))
	p.refused("nothing can be decided")(p.as("ada", 0, "EndAccess", about(r, 0)))
	if p.held() != 0 {
		t.Fatal("the access stays")
	}
	again := p.is(center.AccessPending)(p.as("ada", 1, "RequestAccess", p.asks(0)))
	p.is(center.AccessPending)(p.as("grace", 0, "ApproveAccess", about(again, 0)))
	m, err := p.nodes[1].MembershipOf(t.Context(), p.Approvers.ID, p.Grace.ID)
	if err := errors.Join(err, p.nodes[1].DeleteMembership(t.Context(), centertest.Actor, m.ID)); err != nil {
		t.Fatal(err)
	}
	p.is(center.AccessPending)(p.as("linus", 1, "ApproveAccess", about(again, 0))) // hers counts no more
	p.refused("not among the approvers")(p.as("grace", 0, "DenyAccess", about(again, 0)))
	if p.held() != 0 {
		t.Error("one approval of two is enough")
	}
	centertest.Check(t, p.nodes[1].Center)
}

// atOnce has people do something at the same time, at the nodes in turns.
func (p *pair) atOnce(do func(who string, node int) error, people ...string) {
	p.Helper()
	var all sync.WaitGroup
	failed := make([]error, len(people))
	for i, who := range people {
		all.Go(func() { failed[i] = do(who, i%2) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		p.Fatal(err)
	}
}

var refusedAgain = regexp.MustCompile("limit|asked for this access already")

// TestSomebodyAsksAThousandTimesAtTwoNodes: for many accounts at once, and never more are open than
// may be.
func TestSomebodyAsksAThousandTimesAtTwoNodes(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			for n := range 33 {
				_, err := p.as("ada", (i+n)%2, "RequestAccess", p.asks(i))
				if err != nil && !refusedAgain.MatchString(err.Error()) {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	list, err := p.nodes[1].Admin().AccessRequests(t.Context(), adminapi.ListAccessRequestsInput{Open: true})
	if err != nil || len(list) != 10 {
		t.Errorf("%d are open, %v", len(list), err)
	}
	centertest.Check(t, p.nodes[0].Center)
}
