package syncjobs_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// cluster is nodes of one tenant on one database, with one job whose target a test plays.
type cluster struct {
	tenants [2]*tenant.Tenant
	jobs    [2]*syncjobs.Runner
	job     tenant.Job
}

// newCluster makes nodes whose job provisions to a target.
func newCluster(t *testing.T, url string, target http.HandlerFunc) *cluster {
	t.Helper()
	ctx := context.Background()
	at := httptest.NewServer(target)
	t.Cleanup(at.Close)
	c := &cluster{}
	for i := range c.tenants {
		s, err := store.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		c.tenants[i] = tenanttest.On(t, s)
		if i > 0 {
			c.tenants[i].Sealer = c.tenants[0].Sealer
		}
		c.jobs[i] = syncjobs.New(c.tenants[i], slog.New(slog.DiscardHandler), at.Client())
	}
	tn := c.tenants[0]
	app, err := tn.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "App")
	if err != nil {
		t.Fatal(err)
	}
	address, token := at.URL+"/", "a token"
	everybody := true
	c.job, err = tn.CreateJobWith(
		ctx, tenanttest.Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate,
		tenant.JobSettings{BaseAddress: &address, SecretToken: &token, SyncAll: &everybody},
	)
	if err == nil {
		err = tn.StartJob(ctx, tenanttest.Actor, c.job.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) newUser(t *testing.T, name string) tenant.User {
	t.Helper()
	u, err := c.tenants[0].CreateUser(context.Background(), tenanttest.Actor, tenant.User{
		UserPrincipalName: name + "@northwind.example", DisplayName: name, GivenName: name, Surname: "X", Enabled: true,
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// nobody answers as a SCIM service in which nobody is found, and calls post before it creates
// somebody.
func nobody(post func()) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		if r.Method == http.MethodPost {
			post()
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"1"}`)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/1") {
			_, _ = io.WriteString(w, `{"id":"1"}`)
			return
		}
		_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],`+
			`"totalResults":0,"Resources":[]}`)
	}
}

// TestOneNodeAtATimeRunsAJob runs both nodes while people are made: nobody is made twice.
func TestOneNodeAtATimeRunsAJob(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	c := newCluster(t, sqldbtest.Postgres(t), nobody(func() {
		posts.Add(1)
		time.Sleep(20 * time.Millisecond) // the target takes its time
	}))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, r := range c.jobs {
		running.Go(func() { r.Run(ctx) })
	}
	const people = 20
	for i := range people {
		c.newUser(t, string(rune('a'+i)))
		c.jobs[i%2].Wake()
	}
	for deadline := time.Now().Add(30 * time.Second); posts.Load() < people && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond) // a poll
	}
	cancel()
	running.Wait()
	if posts.Load() != people {
		t.Errorf("%d people were created, of %d", posts.Load(), people)
	}
}

// TestANodeThatLostTheLeaseWritesNothing has the second node take the job over in the middle of a
// cycle of the first.
func TestANodeThatLostTheLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	posted, goOn := make(chan struct{}), make(chan struct{})
	c := newCluster(t, sqldbtest.Postgres(t), nobody(func() {
		posted <- struct{}{}
		<-goOn
	}))
	ada := c.newUser(t, "ada")
	ended := make(chan error, 1)
	go func() { ended <- c.jobs[0].RunJob(ctx, c.job) }()
	<-posted
	if _, of, err := c.tenants[1].TakeLease(ctx, c.job.ID, "other", true, lives); err != nil || of.Owner == "other" {
		t.Errorf("a lease is taken from a node that lives: %+v, %v", of, err)
	}
	before := c.link(t, ada)
	h, _, err := c.tenants[1].TakeLease(ctx, c.job.ID, "other", false, func(tenant.JobLease) bool { return true })
	if err != nil || h.Fence == 0 {
		t.Fatalf("the lease of a dead node cannot be taken: %+v, %v", h, err)
	}
	close(goOn)
	if err := <-ended; !errors.Is(err, tenant.ErrLeaseLost) {
		t.Errorf("the cycle ended with %v", err)
	}
	j, err := c.tenants[0].Job(ctx, c.job.ServicePrincipalID, c.job.ID)
	if err != nil || j.Last != nil || j.Watermark != "" {
		t.Errorf("the cycle was recorded: %+v, %q, %v", j.Last, j.Watermark, err)
	}
	if now := c.link(t, ada); now.TargetID != before.TargetID || now.TargetID != "" {
		t.Errorf("a link was written: %+v", now)
	}
	if err := errors.Join(c.tenants[1].BeatLease(ctx, h, 1, 2),
		c.tenants[1].KeepLease(ctx, h, tenant.LeaseFree, time.Time{})); err != nil {
		t.Errorf("the holder: %v", err)
	}
	if err := c.tenants[1].BeatLease(ctx, h, 1, 2); !errors.Is(err, tenant.ErrLeaseLost) {
		t.Errorf("who has given the lease back holds it: %v", err)
	}
}

func lives(tenant.JobLease) bool { return false }

func (c *cluster) link(t *testing.T, u tenant.User) (l tenant.Link) {
	t.Helper()
	err := c.tenants[0].Store.View(context.Background(), func(r tenant.Reader) (err error) {
		l, err = r.Link(c.job.ID, tenant.KindUser, tenant.PrincipalID(u.ID))
		if errors.Is(err, refusal.ErrNoRow) {
			err = nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestOnDemandWaitsForACycleElsewhere asks one node for one person while the other runs a cycle.
func TestOnDemandWaitsForACycleElsewhere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	posted, goOn := make(chan struct{}, 10), make(chan struct{})
	c := newCluster(t, sqldbtest.Postgres(t), nobody(func() {
		posted <- struct{}{}
		<-goOn
	}))
	ada := c.newUser(t, "ada")
	beating, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { c.jobs[0].Run(beating) })
	<-posted
	for i, r := range c.jobs {
		if _, _, ok := r.Progress(string(c.job.ID)); !ok {
			t.Errorf("node %d does not know that a cycle runs", i)
		}
	}
	what := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(ada.ID)}
	asked := make(chan error, 1)
	go func() {
		_, err := c.jobs[1].OnDemand(ctx, c.job, what, nil, false)
		asked <- err
	}()
	if err := <-asked; refusal.CodeOf(err) != tenant.ConcurrentChange {
		t.Errorf("while a cycle runs elsewhere: %v", err)
	}
	close(goOn)
	if x, err := c.jobs[1].OnDemand(ctx, c.job, what, nil, false); err != nil || x.Outcome() == "failure" {
		t.Errorf("afterwards: %+v, %v", x, err)
	}
	end()
	running.Wait()
	if len(posted) != 0 {
		t.Errorf("ada was created %d times more", len(posted))
	}
	for i, r := range c.jobs {
		if _, _, ok := r.Progress(string(c.job.ID)); ok {
			t.Errorf("node %d thinks that a cycle runs", i)
		}
	}
}

// TestBothNodesGoOnWhenTheDatabaseIsBack stops the database of two nodes, one of which has a job
// whose target does not answer.
func TestBothNodesGoOnWhenTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	var posts atomic.Int32
	answer := nobody(func() { posts.Add(1) })
	postgres := sqldbtest.NewServer(t)
	c := newCluster(t, postgres.URL(), func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		answer(w, r)
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, r := range c.jobs {
		running.Go(func() { r.Run(ctx) })
	}
	defer running.Wait()
	defer cancel()
	soon := func(what string, limit time.Duration, condition func() bool) {
		t.Helper()
		for began := time.Now(); !condition(); time.Sleep(10 * time.Millisecond) { // a poll
			if time.Since(began) > limit {
				t.Fatalf("%s: not within %s", what, limit)
			}
		}
	}
	holder := func() string {
		p, err := c.tenants[0].Pulse(ctx)
		if err != nil || len(p.Leases) == 0 || p.Leases[0].State != tenant.LeaseWaiting {
			return ""
		}
		return p.Leases[0].Owner
	}
	c.newUser(t, "ada")
	soon("ada", 10*time.Second, func() bool { return posts.Load() == 1 })
	down.Store(true)
	c.newUser(t, "bob")
	soon("a node that waits for the target", 10*time.Second, func() bool { return holder() != "" })
	soon("both nodes know which one", 3*time.Second, func() bool {
		is := holder()
		return is != "" && c.jobs[0].Standing(c.job.ID).Node == is && c.jobs[1].Standing(c.job.ID).Node == is
	})
	postgres.Stop(t)
	time.Sleep(4 * time.Second) // for as long as a lease lives without its beat
	postgres.Start(t)
	down.Store(false)
	soon("bob", 5*time.Second, func() bool { return posts.Load() == 2 })
	c.newUser(t, "eve")
	soon("eve", 5*time.Second, func() bool { return posts.Load() == 3 })
}

// TestWhenAJobIsDueIsNotForgotten: somebody has failed and is to be tried again soon. Whoever gives
// the job back without a look at that, for whatever reason, leaves the time to the other nodes.
func TestWhenAJobIsDueIsNotForgotten(t *testing.T) {
	t.Parallel()
	for name, gives := range map[string]func(t *testing.T, c *cluster, refuse *atomic.Bool, ada tenant.Mark){
		"on demand, while the target cannot be reached": func(
			t *testing.T, c *cluster, refuse *atomic.Bool, ada tenant.Mark,
		) {
			refuse.Store(true)
			if x, err := c.jobs[1].OnDemand(context.Background(), c.job, ada, nil, false); err != nil ||
				x.Outcome() != "failure" {
				t.Errorf("%+v, %v", x, err)
			}
		},
		"a node that is told to stop": func(t *testing.T, c *cluster, refuse *atomic.Bool, ada tenant.Mark) {
			refuse.Store(true)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = c.jobs[1].RunJob(ctx, c.job)
		},
		"a node that ends while it waits": func(t *testing.T, c *cluster, refuse *atomic.Bool, ada tenant.Mark) {
			refuse.Store(true)
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { c.jobs[1].Run(ctx) })
			for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
				if p, _ := c.tenants[0].Pulse(ctx); len(p.Leases) > 0 && p.Leases[0].State == tenant.LeaseWaiting {
					break
				}
				time.Sleep(20 * time.Millisecond) // a poll
			}
			cancel()
			running.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			var refuse atomic.Bool
			found := nobody(func() {})
			c := newCluster(t, sqldbtest.Postgres(t), func(w http.ResponseWriter, r *http.Request) {
				switch {
				case refuse.Load():
					panic(http.ErrAbortHandler)
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusInternalServerError)
				default:
					found(w, r)
				}
			})
			ada := c.newUser(t, "ada")
			if err := c.jobs[0].RunJob(ctx, c.job); err != nil {
				t.Fatal(err)
			}
			if link := c.link(t, ada); link.Failure == "" || link.RetryAt.IsZero() {
				t.Fatalf("ada has not failed: %+v", link)
			}
			gives(t, c, &refuse, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(ada.ID)})
			p, err := c.tenants[0].Pulse(ctx)
			if err != nil || len(p.Leases) != 1 || p.Leases[0].Owner != "" || p.Leases[0].Next.IsZero() ||
				time.Until(p.Leases[0].Next) > time.Minute {
				t.Errorf("%+v, %v", p.Leases, err)
			}
		})
	}
}
