package connect_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// writesTo says whether the job has an address saved.
func (o other) writesTo(address string) bool {
	o.t.Helper()
	var saved graph.Secrets
	o.Change(http.MethodGet, "/servicePrincipals/"+o.Tenant.ServicePrincipalID+"/synchronization/secrets", nil, &saved)
	return slices.ContainsFunc(saved.Value, func(kv graph.KeyValue) bool {
		return kv.Key == graph.KeyBaseAddress && kv.Value == address
	})
}

// TestAJobThatWritesElsewhereSinceTheTokenStaysSo: at AWS a person may take hours for the token,
// and somebody has another center provisioned by the job meanwhile. The token that nobody needs
// goes.
func TestAJobThatWritesElsewhereSinceTheTokenStaysSo(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*http.Request) bool{
		"before the token": func(r *http.Request) bool {
			return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/servicePrincipals")
		},
		"while it is made": makingToken,
		"while the job is stopped": func(r *http.Request) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pause")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := other{pairtest.Start(t), t}
			way := pairtest.NewWay(t, o.SCIM.BaseURL)
			somebody := &meanwhile{at: at}
			cfg := config(o.Ends, &http.Client{Transport: somebody}, "Engineering")
			cfg.SyncAll = true
			plan, err := connect.Observe(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			somebody.do = func() { o.PutSecrets(way.URL) }
			err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
			if somebody.do != nil || !errors.Is(err, connect.ErrChanged) || !o.writesTo(way.URL) {
				t.Errorf("it writes to another center: %v, %v", o.writesTo(way.URL), err)
			}
			if tokens := o.accessTokens(); len(tokens) != 1 {
				t.Errorf("the access tokens are %q", tokens)
			}
		})
	}
}

func (o other) accessTokens() (ids []string) {
	o.t.Helper()
	tokens, err := o.Admin.BearerTokens(o.t.Context(), o.scimTenant())
	if err != nil {
		o.t.Fatal(err)
	}
	for _, x := range tokens {
		ids = append(ids, x.TokenID)
	}
	return ids
}

// TestATokenRotationLooksBeforeItMakesOne: nobody is asked for a token of a job that writes to
// another center.
func TestATokenRotationLooksBeforeItMakesOne(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t), t}
	way := pairtest.NewWay(t, o.SCIM.BaseURL)
	asked := false
	client := &http.Client{Transport: &meanwhile{makingToken, func() { asked = true }}}
	rotation, err := connect.ObserveTokenRotation(t.Context(), config(o.Ends, client), 0)
	if err != nil {
		t.Fatal(err)
	}
	o.PutSecrets(way.URL)
	err = rotation.Apply(t.Context(), func(int, bool) {})
	if asked || !errors.Is(err, connect.ErrChanged) || !o.writesTo(way.URL) {
		t.Errorf("a token was made: %v, %v", asked, err)
	}
}

// TestAnUndoOfWhatIsAwayGoesOn: the identity provider before comes back, so the endpoint would stay
// and the job's token go. Somebody has disabled automatic provisioning since the plan.
func TestAnUndoOfWhatIsAwayGoesOn(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
	o.change()
	if err := o.run(func(other) {}); err != nil {
		t.Fatal(err)
	}
	err := o.undoes(func(o other) {
		id := o.scimTenant()
		for _, token := range o.accessTokens() {
			if err := o.Admin.DeleteBearerToken(t.Context(), id, token); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Admin.DeleteTenant(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}, connect.UndoOptions{})
	if is := o.inForce(); err != nil || is != otherIssuer {
		t.Errorf("the identity provider is %q, %v", is, err)
	}
	at := "/servicePrincipals/" + o.principals()[0].ID
	jobs, failed := graph.All[graph.SynchronizationJob](t.Context(), o.Client, at+"/synchronization/jobs")
	if failed != nil || len(jobs) != 0 {
		t.Errorf("there are the jobs %+v, %v", jobs, failed)
	}
}

// staleJob is a tenant whose replicas do not know for some looks a job that was just made.
type staleJob struct {
	made  bool
	looks int
}

func (s *staleJob) RoundTrip(r *http.Request) (*http.Response, error) {
	s.made = s.made || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/synchronization/jobs")
	if s.made && s.looks > 0 && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/synchronization/jobs/") {
		s.looks--
		return &http.Response{
			StatusCode: http.StatusNotFound, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"error":{"code":"Request_ResourceNotFound","message":"no"}}`)),
		}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestAJobThatThisRunHasMadeIsAwaited: the application was there before, and the tenant answers a
// little old. Nobody else is blamed for that.
func TestAJobThatThisRunHasMadeIsAwaited(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	other{m.Ends, t}.application(appName)
	tenant := &staleJob{looks: 3}
	if err := m.connect(tenant, false); err != nil || tenant.looks != 0 {
		t.Errorf("%d looks left, %v", tenant.looks, err)
	}
}
