package connect_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/graphmodel"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
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

// config is how connect federates a pair, by way of a client.
func config(e pairtest.Ends, client *http.Client, groups ...string) connect.Config {
	ctx := context.Background()
	checked := *client
	checked.Transport = graphmodel.Transport(e.T, cmp.Or(client.Transport, http.DefaultTransport))
	client = &checked
	admin := *e.Admin
	admin.HTTP = client
	return connect.Config{
		Graph: graph.NewClient(
			ctx, e.Tenant.GraphURL, e.Tenant.TokenURL, e.Tenant.ClientID, e.Tenant.ClientSecret, client,
		),
		Center:   &admin,
		LoginURL: e.AuthorityURL(),
		HTTP:     client,
		AppName:  "AWS IAM Identity Center",
		Groups:   groups,
		Cert:     "AWS IAM Identity Center",
		PollEach: time.Millisecond,
		Settle:   5 * time.Second,
	}
}

// TestAnInterruptedConnectIsCompletedByTheNext kills connect at every single request, one after the
// other, on the same two halves. Each run goes on where the last one was stopped, and in the end
// everything is there once. Where runs remember, no token is left of any of them.
func TestAnInterruptedConnectIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		folder string
		tokens int
	}{"forgetful": {"", 2}, "remembering": {t.TempDir(), 1}} {
		t.Run(name, func(t *testing.T) { t.Parallel(); connectInterrupted(t, test.folder, test.tokens) })
	}
}

func connectInterrupted(t *testing.T, folder string, most int) {
	t.Helper()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	attempt := func(requests int) error {
		cfg := config(e, &http.Client{Transport: &failing{requests}}, "Engineering")
		cfg.Folder = folder
		plan, err := connect.Observe(ctx, cfg)
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
	apps, err := graph.All[graph.ServicePrincipal](ctx, e.Client, "/servicePrincipals")
	if err != nil || len(apps) != 1 || len(apps[0].KeyCredentials) > 4 {
		t.Errorf("applications %+v, %v; want one, with no more than one certificate too many", apps, err)
	}
	tenants, err := e.Admin.Tenants(ctx)
	if err != nil || len(tenants) != 1 {
		t.Fatalf("endpoints %+v, %v", tenants, err)
	}
	tokens, err := e.Admin.BearerTokens(ctx, tenants[0].TenantID)
	if err != nil || len(tokens) > most {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
	directory, err := e.Admin.DescribeDirectory(ctx)
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
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	client := &http.Client{Transport: &forgetful{}}
	plan, err := connect.Observe(ctx, config(e, client, "Finance"))
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

// TestARevokedTokenQuarantinesTheJobUntilConnectMendsIt: connect makes another token, and what
// waited arrives.
func TestARevokedTokenQuarantinesTheJobUntilConnectMendsIt(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ctx := context.Background()
	tenants, err := e.Admin.Tenants(ctx)
	if err != nil || len(tenants) != 1 {
		t.Fatal(tenants, err)
	}
	tokens, err := e.Admin.BearerTokens(ctx, tenants[0].TenantID)
	if err != nil || len(tokens) != 1 || tokens[0].LastUsedTime == nil {
		t.Fatalf("tokens %+v, %v", tokens, err)
	}
	if err := e.Admin.DeleteBearerToken(ctx, tenants[0].TenantID, tokens[0].TokenID); err != nil {
		t.Fatal(err)
	}
	mei := e.User("mei.tanaka@northwind.example")
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Waiting"}, nil)
	job := "/servicePrincipals/" + e.Tenant.ServicePrincipalID + "/synchronization/jobs/" + e.Tenant.JobID
	status := func() (j graph.SynchronizationJob) { e.Change(http.MethodGet, job, nil, &j); return j }
	e.Soon("quarantine", func() bool { return status().Status.Code == "Quarantine" })
	if q := status().Status.Quarantine; q.Error.Code != "SystemForCrossDomainIdentityManagementInvalidCredentials" {
		t.Errorf("quarantine %+v", q.Error)
	}

	plan, err := connect.Observe(ctx, config(e, http.DefaultClient, "Engineering", "Platform Engineering"))
	if err == nil {
		err = plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	}
	if err == nil {
		_, err = plan.Verify(ctx, func(int, int) {})
	}
	if err != nil {
		t.Fatalf("connect does not mend it: %v", err)
	}
	tokens, err = e.Admin.BearerTokens(ctx, tenants[0].TenantID)
	if err != nil || len(tokens) != 1 {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
	e.Soon("the job is active again", func() bool { return status().Status.Code == "Active" })
	e.SCIM.Token = plan.State.SCIMToken
	if u := e.Find("/Users", "userName", mei.UserPrincipalName); u.String("title") != "Waiting" {
		t.Errorf("what waited did not arrive: %+v", u)
	}
}

// TestTwoApplicationsDoNotProvisionOneCenter: each would undo what the other does.
func TestTwoApplicationsDoNotProvisionOneCenter(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ctx := context.Background()
	tenants, err := e.Admin.Tenants(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := e.Admin.BearerTokens(ctx, tenants[0].TenantID)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Admin.DeleteBearerToken(ctx, tenants[0].TenantID, tokens[0].TokenID); err != nil {
		t.Fatal(err) // so that connect has something to mend
	}
	var other graph.ApplicationServicePrincipal
	e.Change(
		http.MethodPost, "/applicationTemplates/"+graph.AWSTemplateID+"/instantiate",
		map[string]string{"displayName": "Somebody else's"}, &other,
	)
	sync := "/servicePrincipals/" + other.ServicePrincipal.ID + "/synchronization"
	e.Change(http.MethodPost, sync+"/jobs", graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, nil)
	e.Change(http.MethodPut, sync+"/secrets", graph.Secrets{Value: []graph.KeyValue{
		{Key: graph.KeyBaseAddress, Value: strings.TrimRight(tenants[0].ScimEndpoint, "/")},
		{Key: graph.KeySecretToken, Value: "t"},
	}}, nil)
	plan, err := connect.Observe(ctx, config(e, http.DefaultClient, "Finance"))
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	if err == nil || !strings.Contains(err.Error(), `"Somebody else's"`) || !strings.Contains(err.Error(), "--name") {
		t.Errorf("it goes on: %v", err)
	}
	if tokens, err := e.Admin.BearerTokens(ctx, tenants[0].TenantID); err != nil || len(tokens) != 0 {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
}
