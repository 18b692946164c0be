package repair_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// apply carries one action out and returns why it failed.
func apply(t *testing.T, s repair.Sides, r doctor.Repair) string {
	t.Helper()
	done, err := repair.Apply(context.Background(), s, []doctor.Repair{r}, func(repair.Outcome) {})
	if err != nil || len(done) != 1 {
		t.Fatalf("%v %v", done, err)
	}
	return done[0].Failed
}

// TestASideThatWasNotNamedIsNotChanged: every action says so, and none fails in another way.
func TestASideThatWasNotNamedIsNotChanged(t *testing.T) {
	for _, a := range doctor.Actions() {
		if why := apply(t, repair.Sides{}, doctor.Repair{Action: a}); why != "that side was not named" {
			t.Errorf("%s: %s", a, why)
		}
	}
	if why := apply(t, repair.Sides{}, doctor.Repair{Action: "guess"}); !strings.Contains(why, "guess") {
		t.Errorf("an action that nobody knows: %s", why)
	}
}

// TestATokenInUseMakesNoRoom: only what ended or was never used is deleted for a new token.
func TestATokenInUseMakesNoRoom(t *testing.T) {
	e := pairtest.Start(t)
	sides := repair.Sides{Graph: e.Client, Admin: e.Admin}
	save := doctor.Repair{
		Action: doctor.SaveToken, With: map[string]string{"servicePrincipalId": e.Tenant.ServicePrincipalID},
	}
	for range 2 { // the second finds two tokens in use
		spoil(t, e)
		before := tokens(t, e)
		inUse := len(before) == 2 && before[0].LastUsedTime != nil && before[1].LastUsedTime != nil
		if why := apply(t, sides, save); (why != "") != inUse {
			t.Fatalf("with %+v: %s", before, why)
		}
		if after := tokens(t, e); len(after) != 2 || after[0].LastUsedTime == nil || after[1].LastUsedTime == nil {
			t.Errorf("the tokens are %+v", after)
		}
	}
	if why := apply(t, sides, doctor.Repair{
		Action: doctor.SaveToken, With: map[string]string{"servicePrincipalId": "nobody"},
	}); why == "" {
		t.Error("an application that is not there is repaired")
	}
}

// spoil saves a token in the job that the center does not know.
func spoil(t *testing.T, e pairtest.Ends) {
	t.Helper()
	if err := e.Client.Do(t.Context(), http.MethodPut,
		"/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/synchronization/secrets",
		graph.Secrets{Value: []graph.KeyValue{
			{Key: graph.KeyBaseAddress, Value: e.Center.SCIMEndpoint}, {Key: graph.KeySecretToken, Value: "lost"},
		}}, nil); err != nil {
		t.Fatal(err)
	}
}

func tokens(t *testing.T, e pairtest.Ends) []adminapi.BearerToken {
	t.Helper()
	tenants, err := e.Admin.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := e.Admin.BearerTokens(t.Context(), tenants[0].TenantID)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// held holds back the request that saves a token, until let is closed.
type held struct {
	next        http.RoundTripper
	saving, let chan struct{}
	once        sync.Once
}

func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/secrets") {
		h.once.Do(func() { close(h.saving) })
		<-h.let
	}
	return h.next.RoundTrip(r)
}

// looking counts how often somebody looks at the tokens.
type looking struct{ looks chan struct{} }

func (l looking) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "ListBearerTokens") {
		select {
		case l.looks <- struct{}{}:
		default:
		}
	}
	return res, err
}

// TestTwoRepairsAtOnceLeaveATokenThatWorks: one has made a token and not saved it yet, when the
// other finds that nobody has used it.
func TestTwoRepairsAtOnceLeaveATokenThatWorks(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	spoil(t, e)
	save := doctor.Repair{
		Action: doctor.SaveToken, With: map[string]string{"servicePrincipalId": e.Tenant.ServicePrincipalID},
	}
	facts := doctor.Facts{Now: time.Now()}
	first := repair.Sides{Graph: e.Client, Admin: e.Admin}.Of(facts)
	client := *e.Client.HTTP
	slow := &held{next: client.Transport, saving: make(chan struct{}), let: make(chan struct{})}
	client.Transport = slow
	first.Graph = &graph.Client{BaseURL: e.Client.BaseURL, HTTP: &client}
	admin := *e.Admin
	second := repair.Sides{Graph: e.Client, Admin: &admin}.Of(facts)
	looks := make(chan struct{}, 3)
	admin.HTTP = &http.Client{Transport: looking{looks}}

	ended := make(chan string, 2)
	go func() { ended <- apply(t, first, save) }()
	<-slow.saving
	other := make(chan string, 1)
	go func() { other <- apply(t, second, save) }()
	why, early := "", false
	for n := 0; n < 3 && !early; n++ { // it waits, or it has gone on
		select {
		case <-looks:
		case why = <-other:
			early = true
		}
	}
	close(slow.let)
	if !early {
		why = <-other
	}
	if one := <-ended; one != "" || why != "" {
		t.Errorf("one says %q, the other %q", one, why)
	}
	jobs, err := graph.All[graph.SynchronizationJob](
		t.Context(), e.Client, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/synchronization/jobs",
	)
	if err != nil || len(jobs) != 1 {
		t.Fatal(jobs, err)
	}
	if err := e.Client.Do(t.Context(), http.MethodPost, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+
		"/synchronization/jobs/"+jobs[0].ID+"/validateCredentials",
		graph.ValidateCredentials{UseSavedCredentials: true}, nil); err != nil {
		t.Errorf("the saved token does not work: %v", err)
	}
}
