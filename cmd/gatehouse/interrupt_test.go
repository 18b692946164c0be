package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
)

// failing lets a number of requests through and fails every one after that, as if the program had
// been killed there.
type failing struct{ left int }

var errKilled = errors.New("killed here")

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.left--; f.left < 0 {
		return nil, errKilled
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestAnInterruptedConnectIsCompletedByTheNext kills connect at every single request, one after the
// other, on the same two halves. Each run goes on where the last one was stopped, and in the end
// everything is there once.
func TestAnInterruptedConnectIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	ctx := context.Background()
	attempt := func(requests int) error {
		client := &http.Client{Transport: &failing{requests}}
		plan, err := connect.Observe(ctx, connect.Config{
			Graph: graph.NewClient(
				ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, client,
			),
			Admin: &adminapi.Client{
				URL:             d.Center.URL,
				Region:          d.Center.Region,
				AccessKeyID:     d.AWS.AccessKeyID,
				SecretAccessKey: d.AWS.SecretAccessKey,
				HTTP:            client,
			},
			LoginURL: d.Tenant.URL + "/" + d.Tenant.TenantID, HTTP: client, AppName: "AWS",
			Groups: []string{"Engineering"}, Cert: "AWS",
		})
		if err != nil {
			return err
		}
		if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
			return err
		}
		_, err = plan.Verify(ctx, func(int, int) {})
		return err
	}
	runs := 0
	for requests := 1; ; requests++ {
		err := attempt(requests)
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("after %d requests: %v", requests, err)
		}
		if runs++; runs > 200 {
			t.Fatal("connect never completes")
		}
	}
	e := newEnds(t, d)
	apps, err := graph.All[graph.ServicePrincipal](ctx, e.graph, "/servicePrincipals")
	if err != nil || len(apps) != 1 || len(apps[0].KeyCredentials) > 4 {
		t.Errorf("applications %+v, %v; want one, with no more than one certificate too many", apps, err)
	}
	tenants, err := e.admin.Tenants(ctx)
	if err != nil || len(tenants) != 1 {
		t.Fatalf("endpoints %+v, %v", tenants, err)
	}
	tokens, err := e.admin.BearerTokens(ctx, tenants[0].TenantID)
	if err != nil || len(tokens) > 2 {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
	directory, err := e.admin.DescribeDirectory(ctx)
	if err != nil || directory.UserCount != 7 || directory.GroupCount != 1 {
		t.Errorf("directory %+v, %v; want the seven engineers and their group", directory, err)
	}
	t.Logf("completed after %d interruptions", runs)
}

// forgetful stands for replicas of a directory that learn late: the first requests about a new
// application are answered with 404.
type forgetful struct {
	made    bool
	answers int
}

func (f *forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	about := strings.Contains(r.URL.Path, "/applications/") || strings.Contains(r.URL.Path, "/servicePrincipals/") ||
		strings.Contains(r.URL.Path, "/federationmetadata/")
	if f.made && about {
		if f.answers++; f.answers%3 != 0 { // two of three replicas do not know it
			return &http.Response{
				StatusCode: http.StatusNotFound,
				Header:     http.Header{},
				Request:    r,
				Body:       io.NopCloser(strings.NewReader(`{"error":{"code":"Request_ResourceNotFound"}}`)),
			}, nil
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	f.made = f.made || strings.HasSuffix(r.URL.Path, "/instantiate")
	return res, err
}

func TestConnectWaitsForADirectoryThatLearnsLate(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	ctx := context.Background()
	client := &http.Client{Transport: &forgetful{}}
	plan, err := connect.Observe(ctx, connect.Config{
		Graph: graph.NewClient(
			ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, client,
		),
		Admin: &adminapi.Client{
			URL:             d.Center.URL,
			Region:          d.Center.Region,
			AccessKeyID:     d.AWS.AccessKeyID,
			SecretAccessKey: d.AWS.SecretAccessKey,
		},
		LoginURL: d.Tenant.URL + "/" + d.Tenant.TenantID, HTTP: client, AppName: "AWS", Groups: []string{"Finance"},
		Cert: "AWS", PollEach: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	result, err := plan.Verify(ctx, func(int, int) {})
	if err != nil || result.Users != 3 || result.Groups != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}
