package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	door "github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// newStore is a real center's identity store, with AWS's own client.
func newStore(t *testing.T) *target {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	x := &target{center: c}
	handler := &awsapi.Handler{
		Verify: &awsapi.Verifier{
			Region: "us-east-1",
			Now:    time.Now,
			Lookup: func(ctx context.Context, id, _ string) (awsapi.Credential, error) {
				key, err := c.AccessKeySecret(ctx, id)
				return awsapi.Credential{Secret: key.SecretAccessKey.Reveal(), Caller: awsapi.Caller{
					AccessKeyID: id, Principal: key.Principal, Role: string(key.Role),
				}}, err
			},
		},
		Services:  []awsapi.Service{(&door.Handler{Center: c}).Service()},
		Log:       slog.New(slog.DiscardHandler),
		RequestID: func(*http.Request) string { return "11111111-2222-3333-4444-555555555555" },
		Address:   func(*http.Request) string { return "127.0.0.1" },
		Used:      func(context.Context, awsapi.Caller, string) {},
	}
	x.door = handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		x.requests = append(x.requests, operation)
		n, trouble := len(x.requests), x.trouble
		x.mu.Unlock()
		if trouble == nil || !trouble(n, r, w) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	key, err := c.CreateAccessKey(context.Background(), centertest.Actor, "sync", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	x.store, err = identitystore.Open(context.Background(), identitystore.Config{
		SDK: aws.Config{
			Region: "us-east-1", BaseEndpoint: &server.URL,
			Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), ""),
		},
		StoreID: c.Instance.IdentityStoreID,
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// storeMappings are the default ones without external ids, which a store does not take.
var storeMappings = sync.OnceValues(func() (provisioning.Mappings, error) {
	return provisioning.Compile(identitystore.Mappings(mapping.Default("rule")))
})

// TestWhateverDiesAnIdentityStoreBecomesEqual is TestWhateverDiesBothSidesBecomeEqual for an
// identity store, once with people who are deleted at once, and once with people who are kept for
// an hour.
func TestWhateverDiesAnIdentityStoreBecomesEqual(t *testing.T) {
	t.Parallel()
	for name, steps := range tales {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newStore(t)
			x.grace = time.Hour
			if len(name)%2 == 0 {
				x.grace = 0
			}
			runs := 0
			for i, what := range []fault{diesAfter, answerLost} {
				for when := 1 + i%stride(); ; when += stride() {
					m := x.tell(t, steps, when, what)
					runs++
					if t.Failed() {
						t.Fatalf("at line %d: %s", when, what)
					}
					if m.lines() < when { // the tale is over before
						break
					}
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}

// TestAKillTakesNobodyOver: a careful engine is killed in its first cycle, and finds afterwards
// what it has made itself, but not who was there before.
func TestAKillTakesNobodyOver(t *testing.T) {
	t.Parallel()
	x := newStore(t)
	ctx := context.Background()
	d := newDirectory(user("ada"), user("bob"))
	for when := 1; ; when++ {
		x.misbehave(nil)
		x.empty(t)
		there, err := x.center.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com"))
		if err != nil {
			t.Fatal(err)
		}
		m := &mortal{Volatile: provisioning.NewVolatile(), at: x, when: when, what: diesAfter}
		now := time.Now().Add(time.Hour) // ada was there long before
		x.center.Now = func() time.Time { return now }
		x.misbehave(m.trouble)
		_, _ = x.mortal(t, d, m, &now)
		lines := m.lines()
		m.expect(0, diesAfter)
		m.revive()
		now = now.Add(time.Minute)
		_, err = x.mortal(t, d, m, &now)
		ada, bob := m.link(t, "ada"), m.link(t, "bob")
		if err != nil || ada.TargetID != "" || bob.TargetID == "" || bob.Adopted || bob.Failure != "" {
			t.Fatalf("at line %d: %v, ada is %+v, bob is %+v", when, err, ada, bob)
		}
		if u, err := x.center.User(ctx, there.ID); err != nil || u.Version != there.Version {
			t.Fatalf("at line %d: who was there has changed: %+v, %v", when, u, err)
		}
		x.center.Now = time.Now
		if lines < when {
			return
		}
	}
}

func (m *mortal) link(t *testing.T, id string) provisioning.Link {
	t.Helper()
	l, err := m.Link(context.Background(), provisioning.Ref{Kind: provisioning.User, ID: id})
	if err != nil && !errors.Is(err, provisioning.ErrUnknown) {
		t.Fatal(err)
	}
	return l
}

// TestAListThatChangesWhileItIsRead: somebody deletes and makes people between two pages, and the
// place where a list goes on is refused. Nobody is made twice, and nothing is taken for lost.
func TestAListThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	x, m := newStore(t), newMemory()
	ctx := context.Background()
	var all []entry
	for i := range 250 {
		all = append(all, user(fmt.Sprintf("u%03d", i)))
	}
	c := &company{users: all}
	sync := func(l *told) provisioning.Result {
		t.Helper()
		result, err := x.sync(t, c, m, func(e *provisioning.Engine) {
			e.Target = x.store
			e.Reread, e.Careful = true, true
			e.Mappings, _ = storeMappings()
			e.OnEntry = l.tell
		})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	sync(&told{})
	for name, trouble := range map[string]func(n int, w http.ResponseWriter) bool{
		"people come and go": func(n int, _ http.ResponseWriter) bool {
			users, err := x.center.Users(ctx, center.UserQuery{Limit: 1, Offset: 40})
			if err == nil {
				err = x.center.DeleteUser(ctx, centertest.Actor, users[0].ID)
			}
			if err == nil {
				p := centertest.Person(fmt.Sprintf("x%d@example.com", n))
				_, err = x.center.CreateUser(ctx, centertest.Actor, p)
			}
			if err != nil {
				t.Error(err)
			}
			return false
		},
		"a token has run out": func(_ int, w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"ValidationException","Message":"The token has expired"}`))
			return true
		},
	} {
		lists := 0
		x.misbehave(func(n int, r *http.Request, w http.ResponseWriter) bool {
			if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListUsers") {
				return false
			}
			lists++
			return lists == 2 && trouble(n, w)
		})
		var l told
		first := sync(&l)
		x.misbehave(nil)
		if first.Created > 1 || first.Failed+first.Deleted+first.Disabled > 0 {
			t.Errorf("%s: %+v %v", name, first, l.lines())
		}
		sync(&told{}) // whoever was deleted behind the reader's back
		if again := sync(&l); again.Exported()+again.Failed > 0 {
			t.Errorf("%s: it does not come to rest: %+v", name, again)
		}
	}
	users, err := x.center.Users(ctx, center.UserQuery{})
	if ours := slices.DeleteFunc(users, func(u center.User) bool { return u.UserName[0] == 'x' }); err != nil ||
		len(ours) != 250 {
		t.Errorf("there are %d people, %v", len(ours), err)
	}
}
