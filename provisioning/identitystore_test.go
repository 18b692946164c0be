package provisioning_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
			for _, what := range []fault{diesAfter, answerLost, outageAfter} {
				for when := 1; ; when++ {
					m := x.tell(t, steps, when, what)
					runs++
					if t.Failed() {
						t.Fatalf("at line %d: %s", when, what)
					}
					if m.line < when { // the tale is over before
						break
					}
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}
