package repair_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"

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
	for range 2 { // the second finds two tokens in use
		spoil(t, e)
		before := tokens(t, e)
		inUse := len(before) == 2 && before[0].LastUsedTime != nil && before[1].LastUsedTime != nil
		if why := apply(t, sides, save(e)); (why != "") != inUse {
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

// TestATokenThatEndsSoonIsRenewed: it works still, which is no reason to leave it alone.
func TestATokenThatEndsSoonIsRenewed(t *testing.T) {
	t.Parallel()
	for name, waiting := range map[string]bool{"the only one": false, "a newer one is not saved": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pairtest.Start(t)
			e.Forward(355 * 24 * time.Hour)
			now := time.Now().Add(355 * 24 * time.Hour)
			proves(t, e) // the job uses the token
			if waiting {
				if _, err := e.Admin.CreateBearerToken(t.Context(), tokens(t, e)[0].TenantID, ""); err != nil {
					t.Fatal(err)
				}
			}
			old := doctor.EndingToken(tokens(t, e), now)
			if old == nil {
				t.Fatalf("none of %+v ends soon", tokens(t, e))
			}
			sides := repair.Sides{Graph: e.Client, Admin: e.Admin, Wait: time.Millisecond}.Of(doctor.Facts{Now: now})
			for range 2 { // the second leaves the new one alone
				if why := apply(t, sides, save(e)); why != "" {
					t.Fatal(why)
				}
				after := tokens(t, e)
				if len(after) != 2 || doctor.EndingToken(after, now) != nil {
					t.Errorf("the tokens are %+v", after)
				}
			}
			proves(t, e)
		})
	}
}

// TestATokenThatDoesNotHelpStays: the center refuses the tenant's address, and no token changes
// that. The one that was saved is not deleted.
func TestATokenThatDoesNotHelpStays(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	spoil(t, e)
	before, yes := tokens(t, e), true
	_, err := identitystore.NewFromConfig(e.AWSConfig()).UpdateIdentityStore(
		t.Context(), &identitystore.UpdateIdentityStoreInput{
			IdentityStoreId: &e.Center.IdentityStoreID,
			NetworkConfiguration: &types.NetworkConfiguration{
				VpceAccessRequired: &yes, ScimAllowSourceIps: []string{"192.0.2.0/24"},
				ApiAllowSourceIps: []string{"127.0.0.1"},
			},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	sides := repair.Sides{Graph: e.Client, Admin: e.Admin, Wait: time.Millisecond}
	if why := apply(t, sides, save(e)); !strings.Contains(why, "Test Connection") {
		t.Errorf("it says %q", why)
	}
	after := tokens(t, e)
	if len(after) != len(before)+1 {
		t.Fatalf("of %+v became %+v", before, after)
	}
	if err := e.Admin.OpenNetworks(t.Context()); err != nil {
		t.Fatal(err)
	}
	proves(t, e)
}

// saving keeps what is sent to be saved.
type saving struct {
	next http.RoundTripper
	sent graph.Secrets
}

func (s *saving) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/secrets") {
		body, err := r.GetBody()
		if err == nil {
			err = json.NewDecoder(body).Decode(&s.sent)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.next.RoundTrip(r)
}

// TestANewTokenLeavesTheOtherSettings: Microsoft's documentation says that a PUT replaces the whole
// list, and the protection against accidental deletions is in it. The tenant here merges it, so
// what is sent is looked at.
func TestANewTokenLeavesTheOtherSettings(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const protects = `{"DeleteThresholdEnabled":true,"DeleteThresholdValue":5}`
	if err := e.Client.Do(t.Context(), http.MethodPut,
		"/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/synchronization/secrets",
		graph.Secrets{Value: []graph.KeyValue{
			{Key: graph.KeyBaseAddress, Value: e.Center.SCIMEndpoint}, {Key: graph.KeySecretToken, Value: "lost"},
			{Key: graph.KeyNotification, Value: protects},
		}}, nil); err != nil {
		t.Fatal(err)
	}
	client := *e.Client.HTTP
	watched := &saving{next: client.Transport}
	client.Transport = watched
	sides := repair.Sides{Graph: &graph.Client{BaseURL: e.Client.BaseURL, HTTP: &client}, Admin: e.Admin}
	if why := apply(t, sides, save(e)); why != "" {
		t.Fatal(why)
	}
	proves(t, e)
	values := map[string]string{}
	for _, kv := range watched.sent.Value {
		values[kv.Key] = kv.Value
	}
	token := values[graph.KeySecretToken]
	if !strings.Contains(values[graph.KeyNotification], `"DeleteThresholdValue":5`) || strings.Trim(token, "*") == "" {
		t.Errorf("saved is %+v", watched.sent)
	}
}

func save(e pairtest.Ends) doctor.Repair {
	return doctor.Repair{
		Action: doctor.SaveToken, With: map[string]string{"servicePrincipalId": e.Tenant.ServicePrincipalID},
	}
}

// proves tests the connection with what the job has saved.
func proves(t *testing.T, e pairtest.Ends) {
	t.Helper()
	if err := e.Client.Do(t.Context(), http.MethodPost, e.JobPath()+"/validateCredentials",
		graph.ValidateCredentials{UseSavedCredentials: true}, nil); err != nil {
		t.Errorf("the saved token does not work: %v", err)
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
	go func() { ended <- apply(t, first, save(e)) }()
	<-slow.saving
	other := make(chan string, 1)
	go func() { other <- apply(t, second, save(e)) }()
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
	proves(t, e)
}

// TestWhatSomebodyHasChangedIsNotOverwritten: the plan was made of something else. What is so
// already is no failure, and reply URLs that others have added stay.
func TestWhatSomebodyHasChangedIsNotOverwritten(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	sides := repair.Sides{Graph: e.Client, Admin: e.Admin}
	sp := "/servicePrincipals/" + e.Tenant.ServicePrincipalID
	var principal graph.ServicePrincipal
	e.Change(http.MethodGet, sp, nil, &principal)
	apps, err := graph.All[graph.Application](t.Context(), e.Client, "/applications"+
		graph.Filter("appId", principal.AppID))
	if err != nil || len(apps) != 1 {
		t.Fatal(apps, err)
	}
	with := func(more ...string) map[string]string {
		m := map[string]string{"servicePrincipalId": principal.ID, "applicationId": apps[0].ID, "was": "what it was"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	for _, r := range []doctor.Repair{
		{Action: doctor.SetIdentifier, With: with(), Values: []string{"https://new.example"}},
		{Action: doctor.SetSignOnURL, With: with("loginUrl", "https://new.example/start")},
		{Action: doctor.NewCertificate, With: with("until", "2030-01-01")},
	} {
		if why := apply(t, sides, r); !strings.Contains(why, "somebody has changed that") {
			t.Errorf("%s: %q", r.Action, why)
		}
	}
	for _, r := range []doctor.Repair{
		{Action: doctor.SetIdentifier, With: with(), Values: apps[0].IdentifierURIs},
		{Action: doctor.SetSignOnURL, With: with("loginUrl", *principal.LoginURL)},
		{Action: doctor.AddReplyURLs, With: with(), Values: []string{"https://new.example/acs"}},
	} {
		if why := apply(t, sides, r); why != "" {
			t.Errorf("%s: %q", r.Action, why)
		}
	}
	var now graph.Application
	e.Change(http.MethodGet, "/applications/"+apps[0].ID, nil, &now)
	if want := len(apps[0].Web.RedirectURIs) + 1; len(now.Web.RedirectURIs) != want ||
		strings.Join(now.IdentifierURIs, " ") != strings.Join(apps[0].IdentifierURIs, " ") {
		t.Errorf("the application has %q and %q", now.IdentifierURIs, now.Web.RedirectURIs)
	}
}
