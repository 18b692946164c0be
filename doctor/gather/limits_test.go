package gather_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/time/rate"

	"github.com/gatehouse-id/gatehouse/doctor/gather"
)

// limited answers as AWS does, and takes twenty requests a second for each operation of
// identitystore, and for sso-admin together; two a second of CloudTrail.
type limited struct {
	mu        sync.Mutex
	groups    int
	buckets   map[string]*rate.Limiter
	throttled []string
}

func (l *limited) take(api string, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets[api] == nil {
		l.buckets[api] = rate.NewLimiter(rate.Limit(most), most)
	}
	allowed := l.buckets[api].Allow()
	if !allowed {
		l.throttled = append(l.throttled, api)
	}
	return allowed
}

func (l *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	operation := target[strings.LastIndexByte(target, '.')+1:]
	api, most := operation, 20
	switch {
	case strings.HasPrefix(target, "SWBExternalService"):
		api = "sso-admin"
	case operation == "LookupEvents":
		most = 2
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if !l.take(api, most) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
		return
	}
	var out any = map[string]any{}
	switch operation {
	case "ListInstances":
		out = map[string]any{"Instances": []any{map[string]string{
			"InstanceArn": "arn:aws:sso:::instance/ssoins-0000000000000000", "IdentityStoreId": "d-0000000000",
			"OwnerAccountId": "100000000001", "Status": "ACTIVE",
		}}}
	case "ListGroups":
		list := make([]any, l.groups)
		for i := range list {
			list[i] = map[string]string{"GroupId": fmt.Sprintf("g-%d", i), "DisplayName": fmt.Sprint(i),
				"IdentityStoreId": "d"}
		}
		out = map[string]any{"Groups": list}
	case "ListUsers":
		out = map[string]any{"Users": []any{}}
	case "ListGroupMemberships":
		out = map[string]any{"GroupMemberships": []any{}}
	case "ListPermissionSets":
		out = map[string]any{"PermissionSets": []string{}}
	case "LookupEvents":
		out = map[string]any{"Events": []any{}}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// TestGatheringKeepsToAWSsLimits reads the members of groups against a stub that holds AWS's
// published limits: it is throttled by none. How long it takes is told.
func TestGatheringKeepsToAWSsLimits(t *testing.T) {
	stub := &limited{groups: 160, buckets: map[string]*rate.Limiter{}}
	server := httptest.NewServer(stub)
	defer server.Close()
	began := time.Now()
	facts, err := gather.Gather(context.Background(), gather.Config{AWS: &aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	}})
	took := time.Since(began)
	if err != nil || len(facts.AWS.Groups) != stub.groups {
		t.Fatalf("%v, %d groups, unread %v", err, len(facts.AWS.Groups), facts.Unread)
	}
	if len(stub.throttled) > 0 {
		t.Errorf("requests were throttled: %v", stub.throttled)
	}
	allowed := time.Duration(stub.groups) * time.Second / 20
	t.Logf("%d groups took %s; the limits allow %s", stub.groups, took, allowed)
}
