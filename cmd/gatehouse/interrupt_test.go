package main

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
)

// failing lets a number of requests through and fails every one after that, as if the program had been killed there.
type failing struct{ left int }

var errKilled = errors.New("killed here")

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.left--; f.left < 0 {
		return nil, errKilled
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestAnInterruptedConnectIsCompletedByTheNext kills connect at every single request, one after the other, on the same two halves. Each run goes
// on where the last one was stopped, and in the end everything is there once.
func TestAnInterruptedConnectIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	ctx := context.Background()
	attempt := func(requests int) error {
		client := &http.Client{Transport: &failing{requests}}
		plan, err := connect.Observe(ctx, connect.Config{
			Graph:    graph.NewClient(ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, client),
			Admin:    &adminapi.Client{URL: d.Center.URL, Region: d.Center.Region, AccessKeyID: d.AWS.AccessKeyID, SecretAccessKey: d.AWS.SecretAccessKey, HTTP: client},
			LoginURL: d.Tenant.URL + "/" + d.Tenant.TenantID, HTTP: client, AppName: "AWS", Groups: []string{"Engineering"}, Cert: "AWS",
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
