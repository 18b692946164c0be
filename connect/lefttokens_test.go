package connect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// dying is a program that is killed at a request: nothing is sent after it.
type dying struct {
	at   func(*http.Request) bool
	lost bool // the request at which it dies arrives, and its answer does not
	dead bool
}

func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.dead {
		return nil, errKilled
	}
	if d.dead = d.at(r); d.dead && d.lost {
		if res, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = res.Body.Close()
		}
	}
	if d.dead {
		return nil, errKilled
	}
	return http.DefaultTransport.RoundTrip(r)
}

func puttingSecrets(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/synchronization/secrets")
}

func makingToken(r *http.Request) bool {
	return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".CreateBearerToken")
}

func deletingToken(r *http.Request) bool {
	return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DeleteBearerToken")
}

// remembering is a pair whose runs on this machine remember.
type remembering struct {
	pairtest.Ends
	t      *testing.T
	folder string
}

// connect connects, with everybody in scope or who is assigned.
func (m remembering) connect(transport http.RoundTripper, all bool) error {
	cfg := config(m.Ends, &http.Client{Transport: transport}, "Engineering")
	cfg.Folder, cfg.SyncAll = m.folder, all
	plan, err := connect.Observe(m.t.Context(), cfg)
	if err == nil {
		err = plan.Apply(m.t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if err == nil {
		_, err = plan.Verify(m.t.Context(), func(int, int) {})
	}
	return err
}

// dies connects, and is killed.
func (m remembering) dies(at func(*http.Request) bool, lost, all bool) {
	m.t.Helper()
	if err := m.connect(&dying{at: at, lost: lost}, all); !errors.Is(err, errKilled) {
		m.t.Fatalf("it is not killed: %v", err)
	}
}

func (m remembering) tokens() []adminapi.BearerToken {
	m.t.Helper()
	tenants, err := m.Admin.Tenants(m.t.Context())
	if err != nil || len(tenants) != 1 {
		m.t.Fatal(tenants, err)
	}
	tokens, err := m.Admin.BearerTokens(m.t.Context(), tenants[0].TenantID)
	if err != nil {
		m.t.Fatal(err)
	}
	return tokens
}

// hasOne fails unless there is one token, which is the job's, and nothing is remembered.
func (m remembering) hasOne() {
	m.t.Helper()
	health, err := connect.ObserveHealth(m.t.Context(), config(m.Ends, http.DefaultClient))
	tokens := m.tokens()
	if err != nil || len(tokens) != 1 || health.Condition == connect.Broken {
		m.t.Errorf("%d tokens, and the connection is %+v, %v", len(tokens), health, err)
	}
	if left, _ := filepath.Glob(filepath.Join(m.folder, "*")); len(left) > 0 {
		m.t.Errorf("runs remember still: %v", left)
	}
}

// TestNoTokenOfAKilledRunIsInTheWay: AWS has room for two, and a run that dies leaves one that only
// it has used. The next runs delete what nobody has, and never what the tenant may have saved.
func TestNoTokenOfAKilledRunIsInTheWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at         []func(*http.Request) bool
		lost, over bool // over: a connection that works is changed
	}{
		"a first one, before they are saved":    {at: []func(*http.Request) bool{puttingSecrets, puttingSecrets}},
		"a first one, not knowing if they were": {at: []func(*http.Request) bool{puttingSecrets}, lost: true},
		"a first one, not knowing their ids": {
			at: []func(*http.Request) bool{makingToken, makingToken}, lost: true,
		},
		"a change, before it is saved": {
			at: []func(*http.Request) bool{puttingSecrets, puttingSecrets}, over: true,
		},
		"a change, not knowing if it was":   {at: []func(*http.Request) bool{puttingSecrets}, lost: true, over: true},
		"a change, before the old one goes": {at: []func(*http.Request) bool{deletingToken}, over: true},
		"a change, not knowing its id":      {at: []func(*http.Request) bool{makingToken}, lost: true, over: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			if test.over {
				if err := m.connect(http.DefaultTransport, false); err != nil {
					t.Fatal(err)
				}
			}
			for _, at := range test.at {
				if test.over {
					m.Forward(2 * time.Minute) // the center records the uses of a token once a minute
				}
				m.dies(at, test.lost, test.over)
			}
			m.Forward(2 * time.Minute)
			if err := m.connect(http.DefaultTransport, test.over); err != nil {
				t.Fatal(err)
			}
			m.hasOne()
		})
	}
}

// unreachable is a tenant that cannot reach AWS's side: its own words about it.
type unreachable struct{}

func (unreachable) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/validateCredentials") {
		return http.DefaultTransport.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":` +
			`"SystemForCrossDomainIdentityManagementCredentialValidationUnavailable",` +
			`"message":"the provisioning endpoint did not accept the credentials: it cannot be reached"}}`)),
	}, nil
}

// TestAnOutageEndsNoToken: that the tenant cannot reach the center says nothing about which token
// it has.
func TestAnOutageEndsNoToken(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
	m.Forward(2 * time.Minute)
	m.dies(puttingSecrets, true, true)
	before := m.tokens()
	m.Forward(2 * time.Minute)
	err := m.connect(unreachable{}, true)
	if err == nil || !strings.Contains(err.Error(), "whether the tenant can reach the center") {
		t.Errorf("it is %v", err)
	}
	if now := m.tokens(); len(now) != 2 || now[0].TokenID != before[0].TokenID || now[1].TokenID != before[1].TokenID {
		t.Errorf("the tokens are %+v, and were %+v", now, before)
	}
	m.Forward(2 * time.Minute)
	if err := m.connect(http.DefaultTransport, true); err != nil {
		t.Fatal(err)
	}
	m.hasOne()
}

// TestATokenThatIsRefusedMakesRoom: what a killed run had only tested, and the center refuses what
// the tenant has.
func TestATokenThatIsRefusedMakesRoom(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
	first := m.tokens()[0]
	if err := m.Admin.DeleteBearerToken(t.Context(), first.TenantID, first.TokenID); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m.Forward(2 * time.Minute)
		m.dies(puttingSecrets, false, false)
	}
	m.Forward(2 * time.Minute)
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
}

// replacing is a tenant whose secrets a PUT replaces, whichever way a real one goes: what is left
// out of it is gone.
type replacing struct{ t *testing.T }

func (p replacing) RoundTrip(r *http.Request) (*http.Response, error) {
	if !puttingSecrets(r) {
		return http.DefaultTransport.RoundTrip(r)
	}
	var in graph.Secrets
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		p.t.Error(err)
	}
	gone := []graph.KeyValue{
		{Key: graph.KeyBaseAddress}, {Key: graph.KeySecretToken}, {Key: graph.KeySyncAll, Value: "false"},
		{Key: graph.KeySkipOutOfScope, Value: "False"}, {Key: graph.KeyNotification, Value: "{}"},
	}
	body, err := json.Marshal(graph.Secrets{Value: gone}.With(in.Value...))
	if err != nil {
		p.t.Error(err)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return http.DefaultTransport.RoundTrip(r)
}

// TestNothingSavedIsLostWhereAPutReplaces: connect, repair and rotate send what they found.
func TestNothingSavedIsLostWhereAPutReplaces(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	client := &http.Client{Transport: replacing{t}}
	if err := m.connect(client.Transport, true); err != nil {
		t.Fatal(err)
	}
	sps, err := graph.All[graph.ServicePrincipal](t.Context(), m.Client, "/servicePrincipals")
	if err != nil || len(sps) != 1 {
		t.Fatal(sps, err)
	}
	path := "/servicePrincipals/" + sps[0].ID + "/synchronization/secrets"
	const settings = `{"Enabled":true,"Recipients":"a@example.com","DeleteThresholdEnabled":true,` +
		`"DeleteThresholdValue":7}`
	m.Change(http.MethodPut, path, graph.Secrets{Value: []graph.KeyValue{
		{Key: graph.KeyNotification, Value: settings}, {Key: graph.KeySkipOutOfScope, Value: "True"},
	}}, nil)
	saved := func() graph.Secrets { var s graph.Secrets; m.Change(http.MethodGet, path, nil, &s); return s }
	want := saved()
	cfg := config(m.Ends, client)
	rotation, err := connect.ObserveTokenRotation(t.Context(), cfg, 0)
	if err == nil {
		err = rotation.Apply(t.Context(), func(int, bool) {})
	}
	if now := saved(); err != nil || !slices.Equal(now.Value, want.Value) {
		t.Errorf("after rotate %+v, before %+v, %v", now, want, err)
	}
	if err := m.Admin.RevokeTokens(t.Context(), m.tokens()[0].TenantID); err != nil {
		t.Fatal(err)
	}
	plan, err := connect.ObserveRepair(t.Context(), cfg)
	if err == nil {
		err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if now := saved(); err != nil || !slices.Equal(now.Value, want.Value) {
		t.Errorf("after repair %+v, before %+v, %v", now, want, err)
	}
	m.hasOne()
}

// TestAColleaguesNewTokenStays: it was made when a run asked for one and got no answer.
func TestAColleaguesNewTokenStays(t *testing.T) {
	t.Parallel()
	for name, all := range map[string]bool{"connect finds nothing to do": false, "connect changes settings": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			if err := m.connect(http.DefaultTransport, false); err != nil {
				t.Fatal(err)
			}
			m.Forward(2 * time.Minute)
			m.dies(makingToken, false, true)
			key, err := m.Admin.CreateAccessKey(t.Context(), "colleague", "administrator")
			if err != nil {
				t.Fatal(err)
			}
			colleague := *m.Admin
			colleague.AccessKeyID, colleague.SecretAccessKey = key.AccessKeyID, key.SecretAccessKey
			fresh, err := colleague.CreateBearerToken(t.Context(), m.tokens()[0].TenantID, "")
			if err != nil {
				t.Fatal(err)
			}
			err = m.connect(http.DefaultTransport, all)
			if all && (err == nil || !strings.Contains(err.Error(), fresh.TokenID)) || !all && err != nil {
				t.Errorf("it is %v", err)
			}
			if now := m.tokens(); len(now) != 2 || now[1].TokenID != fresh.TokenID {
				t.Errorf("the tokens are %+v; want %s among them", now, fresh.TokenID)
			}
		})
	}
}

// TestATokenThatIsTheJobsAgainStays: a run died before it deleted what it had replaced, and the
// tenant's backup, or a person, brought that back.
func TestATokenThatIsTheJobsAgainStays(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*rotating) error{
		"connect": func(r *rotating) error {
			return remembering{r.Ends, r.t, r.folder}.connect(http.DefaultTransport, false)
		},
		"rotate": func(r *rotating) error {
			_, err := r.run(connect.ObserveTokenRotation, http.DefaultClient, 30*24*time.Hour)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRotating(t)
			r.folder = t.TempDir()
			first := r.tokens()[0]
			r.forward(2 * time.Minute)
			_, err := r.run(connect.ObserveTokenRotation, &http.Client{Transport: &dying{at: deletingToken}}, 0)
			if !errors.Is(err, errKilled) {
				t.Fatalf("it is not killed: %v", err)
			}
			r.PutSecrets(r.Center.SCIMEndpoint)
			r.forward(2 * time.Minute)
			if err := next(r); err != nil {
				t.Error(err)
			}
			if now := r.tokens(); len(now) != 1 || now[0] != first {
				t.Errorf("the tokens are %v; want %s", now, first)
			}
			if err := r.works(); err != nil {
				t.Errorf("the job has no token: %v", err)
			}
		})
	}
}

// outage is a tenant that saves the secrets, loses its answer, and answers whatever follows with
// 401: a sign-in ends meanwhile.
type outage struct{ puts int }

func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	if !puttingSecrets(r) {
		return http.DefaultTransport.RoundTrip(r)
	}
	status := http.StatusUnauthorized
	if o.puts++; o.puts == 1 {
		status = http.StatusServiceUnavailable
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Retry-After": {"0.001"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"e","message":"no"}}`)),
	}, nil
}

// TestASavedTokenOutlivesALaterRefusal: the request was carried out before it was refused.
func TestASavedTokenOutlivesALaterRefusal(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	r.folder = t.TempDir()
	r.forward(2 * time.Minute)
	_, err := r.run(connect.ObserveTokenRotation, &http.Client{Transport: &outage{}}, 0)
	var refused *graph.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Errorf("it is %v", err)
	}
	if err := r.works(); err != nil {
		t.Fatalf("the job has no token: %v", err)
	}
	r.forward(2 * time.Minute)
	if _, err := r.run(connect.ObserveTokenRotation, http.DefaultClient, 0); err != nil {
		t.Fatal(err)
	}
	if now := r.tokens(); len(now) != 1 {
		t.Errorf("the tokens are %v", now)
	}
	if err := r.works(); err != nil {
		t.Errorf("the job has no token: %v", err)
	}
}
