package connect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// replica is one of a tenant's that is behind: to a read it says at the first looks what was so
// before, as Graph does for seconds or minutes.
type replica struct {
	reads  func(*http.Request) bool
	status int // of what it says; 0: 200
	says   []byte
	looks  int  // how often
	all    bool // it says so of changes too
}

func (x *replica) RoundTrip(r *http.Request) (*http.Response, error) {
	if x.looks == 0 || r.Method != http.MethodGet && !x.all || !x.reads(r) {
		return http.DefaultTransport.RoundTrip(r)
	}
	x.looks--
	status := x.status
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Request: r, Body: io.NopCloser(bytes.NewReader(x.says)),
	}, nil
}

// at is about reads of a path without a query.
func at(path string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, path) }
}

// said is what the tenant says of a path now.
func (o other) said(path string) []byte {
	o.t.Helper()
	var text json.RawMessage
	o.Change(http.MethodGet, path, nil, &text)
	return text
}

// TestAReplicaThatIsBehindIsNotSomebodysChange: what a run or the one before it has written is told
// late, or in another order. Who looks again finds it, and goes on.
func TestAReplicaThatIsBehindIsNotSomebodysChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unconnected bool
		behind      func(other, *replica) // before the plan is made
		all         bool                  // the plan changes the job's settings
	}{
		"the identifier": {unconnected: true, behind: func(o other, x *replica) {
			id := o.application(appName).Application.ID
			x.reads, x.says = at("/applications/"+id), o.said("/applications/"+id)
			sp, err := o.Admin.ServiceProvider(o.t.Context())
			if err != nil {
				o.t.Fatal(err)
			}
			o.identifier(o.applications()[0], sp.EntityID)
		}},
		"the reply URLs": {unconnected: true, behind: func(o other, x *replica) {
			id := o.application(appName).Application.ID
			x.reads, x.says = at("/applications/"+id), o.said("/applications/"+id)
			o.replies(id, "https://one.example/acs", "https://two.example/acs")
		}},
		"the reply URLs in another order": {unconnected: true, behind: func(o other, x *replica) {
			id := o.application(appName).Application.ID
			o.replies(id, "https://two.example/acs", "https://one.example/acs")
			x.looks, x.says = -1, o.said("/applications/"+id) // until the run has changed them
			x.reads = func(r *http.Request) bool {
				return at("/applications/"+id)(r) && len(o.applications()[0].IdentifierURIs) == 0
			}
			o.replies(id, "https://one.example/acs", "https://two.example/acs")
		}},
		"the sign-on URL": {unconnected: true, behind: func(o other, x *replica) {
			at2 := "/servicePrincipals/" + o.application(appName).ServicePrincipal.ID
			x.reads, x.says = at(at2), o.said(at2)
			o.Change(http.MethodPatch, at2, map[string]any{"loginUrl": "https://elsewhere.example/start"}, nil)
		}},
		"the application": {unconnected: true, behind: func(o other, x *replica) {
			id := o.application(appName).Application.ID
			x.reads, x.status = at("/applications/"+id), http.StatusNotFound
			x.says = []byte(`{"error":{"code":"Request_ResourceNotFound","message":"not here"}}`)
		}},
		"that the job is on": {all: true, behind: func(o other, x *replica) {
			o.Change(http.MethodPost, o.JobPath()+"/pause", nil, nil)
			x.reads, x.says = at(o.JobPath()), o.said(o.JobPath())
			o.Change(http.MethodPost, o.JobPath()+"/start", nil, nil)
		}},
		"that there is a job": {all: true, behind: func(o other, x *replica) {
			x.reads, x.status = at(o.JobPath()), http.StatusNotFound
			x.says = []byte(`{"error":{"code":"SynchronizationJobNotFound","message":"not here"}}`)
		}},
		"where the job writes": {all: true, behind: func(o other, x *replica) {
			secrets := "/servicePrincipals/" + o.Tenant.ServicePrincipalID + "/synchronization/secrets"
			x.reads = at(secrets)
			x.says = []byte(`{"value":[{"key":"BaseAddress","value":"https://old.example/scim/v2"}]}`)
		}},
		"at the proof, the identifier": {unconnected: true, behind: func(o other, x *replica) {
			id := o.application(appName).Application.ID
			says := o.said("/applications/" + id)
			x.reads, x.says = func(r *http.Request) bool {
				return at("/applications/"+id)(r) && len(o.applications()[0].IdentifierURIs) > 0
			}, says
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var how []gatehousetest.Option
			if test.unconnected {
				how = append(how, gatehousetest.Unconnected())
			}
			m := remembering{pairtest.Start(t, how...), t, t.TempDir()}
			x := &replica{looks: 3}
			test.behind(other{m.Ends, t}, x)
			looks := x.looks
			x.looks = 0
			cfg := config(m.Ends, &http.Client{Transport: x}, "Engineering")
			cfg.Folder, cfg.SyncAll = m.folder, test.all
			plan, err := connect.Observe(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			x.looks = looks
			if err := plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); err != nil {
				t.Fatal(err)
			}
			if _, err := plan.Verify(t.Context(), func(int, int) {}); err != nil || x.looks > 0 {
				t.Errorf("%d looks are left, %v", x.looks, err)
			}
			m.hasOne()
		})
	}
}

func (o other) replies(id string, urls ...string) {
	o.t.Helper()
	o.Change(http.MethodPatch, "/applications/"+id, map[string]any{"web": map[string]any{"redirectUris": urls}}, nil)
}

// TestMetadataThatIsBehindIsNotUploaded: until the tenant publishes the certificate that an
// application signs with, it has others there, such as those of the whole tenant.
func TestMetadataThatIsBehindIsNotUploaded(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	o := other{m.Ends, t}
	made := o.application(appName)
	sp := "/servicePrincipals/" + made.ServicePrincipal.ID
	var first graph.KeyCredential
	o.Change(http.MethodPost, sp+"/addTokenSigningCertificate", map[string]any{"displayName": "CN=Early",
		"endDateTime": time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339)}, &first)
	o.Change(http.MethodPatch, sp, map[string]any{"preferredTokenSigningKeyThumbprint": first.Thumbprint}, nil)
	address := o.AuthorityURL() + "/federationmetadata/2007-06/federationmetadata.xml?appid=" + made.Application.AppID
	w := httptest.NewRecorder()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	if _, err := io.Copy(w, res.Body); err != nil {
		t.Fatal(err)
	}
	o.Change(http.MethodPatch, sp, map[string]any{"preferredTokenSigningKeyThumbprint": nil}, nil)
	x := &replica{reads: at("/federationmetadata.xml"), says: w.Body.Bytes(), looks: 3}
	if err := m.connect(x, false); err != nil || x.looks > 0 {
		t.Errorf("%d looks are left, %v", x.looks, err)
	}
	m.hasOne()
}

// TestAnUndoBelievesNoReplicaThatIsBehind: what was just made is not away because one does not know
// it yet. An undo that took it for that would forget it, and leave it there.
func TestAnUndoBelievesNoReplicaThatIsBehind(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	m.dies(settingUp, false, false)
	o := other{m.Ends, t}
	x := &replica{
		reads: at("/applications/" + o.applications()[0].ID), status: http.StatusNotFound, looks: 3,
		says: []byte(`{"error":{"code":"Request_ResourceNotFound","message":"not here"}}`),
	}
	cfg := config(m.Ends, &http.Client{Transport: x})
	cfg.Folder = m.folder
	back, err := connect.ObserveUndo(t.Context(), cfg, connect.UndoOptions{DeleteApplication: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); err != nil || x.looks > 0 {
		t.Errorf("%d looks are left, %v", x.looks, err)
	}
	if left := o.principals(); len(left) > 0 {
		t.Errorf("there are %+v still", left)
	}
}

// TestWhoEndsARunIsToldOfNobodysChange: what was not looked at again is not believed.
func TestWhoEndsARunIsToldOfNobodysChange(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
	id := o.application(appName).Application.ID
	x := &replica{looks: -1, says: o.said("/applications/" + id)}
	ctx, stop := context.WithCancel(t.Context())
	x.reads = func(r *http.Request) bool {
		is := at("/applications/" + id)(r)
		if is {
			time.AfterFunc(100*time.Millisecond, stop)
		}
		return is
	}
	o.replies(id, "https://one.example/acs")
	plan, err := connect.Observe(ctx, config(o.Ends, &http.Client{Transport: x}))
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	if !errors.Is(err, context.Canceled) || errors.Is(err, connect.ErrChanged) {
		t.Errorf("it says %v", err)
	}
}

// TestAnUndoBelievesNoReplicaAboutAJob that was made minutes ago, of an application however old.
func TestAnUndoBelievesNoReplicaAboutAJob(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t), t}
	o.Forward(30 * 24 * time.Hour)
	looked, most := 0, time.Duration(0)
	x := &replica{
		reads: at(o.JobPath()), status: http.StatusNotFound,
		says: []byte(`{"error":{"code":"SynchronizationJobNotFound","message":"not here"}}`), looks: 3,
	}
	cfg := config(o.Ends, &http.Client{Transport: x})
	cfg.Now = func() time.Time { return time.Now().Add(30 * 24 * time.Hour) }
	cfg.LooksAgain = func(_, m time.Duration) { looked, most = looked+1, m }
	back, err := connect.ObserveUndo(t.Context(), cfg, connect.UndoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x.all = true
	if err := back.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); err != nil || x.looks > 0 {
		t.Errorf("%d looks are left, %v", x.looks, err)
	}
	if looked < 3 || most != cfg.Settle {
		t.Errorf("whoever waits was told %d times, of %s", looked, most)
	}
	jobs, err := graph.All[graph.SynchronizationJob](
		t.Context(), o.Client, "/servicePrincipals/"+o.Tenant.ServicePrincipalID+"/synchronization/jobs",
	)
	if err != nil || len(jobs) > 0 {
		t.Errorf("there are %+v still, %v", jobs, err)
	}
}
