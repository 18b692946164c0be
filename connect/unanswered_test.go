package connect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// settingUp is the first change of an application that this run has made: its id is known by then.
func settingUp(r *http.Request) bool {
	return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/servicePrincipals/")
}

// TestAnApplicationThatARunHasAskedForIsFound by the next run, and undo deletes it, also when
// somebody has renamed it: by its id, and where the answer was lost, by its mark.
func TestAnApplicationThatARunHasAskedForIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at            func(*http.Request) bool
		undo, renamed bool
	}{
		"unanswered, by the next run":          {instantiating, false, false},
		"unanswered, renamed, by the next run": {instantiating, false, true},
		"unanswered, by undo":                  {instantiating, true, false},
		"unanswered, renamed, by undo":         {instantiating, true, true},
		"known, renamed, by the next run":      {settingUp, false, true},
		"known, by undo":                       {settingUp, true, false},
		"known, renamed, by undo":              {settingUp, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			o := other{m.Ends, t}
			m.dies(test.at, true, false)
			app := o.applications()[0]
			if test.renamed {
				o.Change(http.MethodPatch, "/applications/"+app.ID, map[string]any{"displayName": "Renamed"}, nil)
			}
			if test.undo {
				if _, err := m.undoes(); err != nil || len(o.principals()) != 0 {
					t.Errorf("after undo there are %+v, %v", o.principals(), err)
				}
				return
			}
			if err := m.connect(http.DefaultTransport, false); err != nil {
				t.Fatal(err)
			}
			if all := o.applications(); len(all) != 1 || all[0].ServiceManagementReference != nil {
				t.Errorf("the applications are %+v", all)
			}
			m.hasOne()
		})
	}
}

// undoes takes back what runs that share the folder have done.
func (m remembering) undoes() (notes string, err error) {
	m.t.Helper()
	cfg := config(m.Ends, http.DefaultClient)
	cfg.Folder = m.folder
	back, err := connect.ObserveUndo(m.t.Context(), cfg, connect.UndoOptions{DeleteApplication: true})
	if err != nil {
		return "", err
	}
	return strings.Join(back.Notes, "\n"), back.Apply(m.t.Context(), connect.Confirmation, func(int, bool) {})
}

// unavailable says that the tenant is not available.
func unavailable(r *http.Request, after string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {after}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"serviceNotAvailable","message":"later"}}`)),
	}
}

// inItsPlace does not carry out a request, once, and has somebody do something instead.
type inItsPlace struct {
	at func(*http.Request) bool
	do func()
}

func (x *inItsPlace) RoundTrip(r *http.Request) (*http.Response, error) {
	if x.do == nil || !x.at(r) {
		return http.DefaultTransport.RoundTrip(r)
	}
	x.do()
	x.do = nil
	return unavailable(r, "0.001"), nil
}

// TestAColleaguesApplicationIsNotTaken for the one that a run has asked for at that moment, and
// whose making was not answered, also where it has the name that the gallery proposes to everybody.
func TestAColleaguesApplicationIsNotTaken(t *testing.T) {
	t.Parallel()
	same := func(_ other, m remembering, colleague func()) error {
		return m.connect(&inItsPlace{instantiating, colleague}, false)
	}
	next := func(_ other, m remembering, colleague func()) error {
		m.dies(instantiating, false, false)
		colleague()
		return m.connect(http.DefaultTransport, false)
	}
	for name, test := range map[string]struct {
		meets func(other, remembering, func()) error
		named string
		stops bool // for somebody to look
	}{
		"by the same run":                   {same, "AWS staging", false},
		"by the next run":                   {next, "AWS staging", false},
		"of the same name, by the same run": {same, appName, true},
		"of the same name, by the next run": {next, appName, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			o := other{m.Ends, t}
			var colleagues string
			err := test.meets(o, m, func() { colleagues = o.application(test.named).ServicePrincipal.ID })
			if test.stops != errors.Is(err, connect.ErrChanged) || !test.stops && err != nil {
				t.Fatal(err)
			}
			all := o.principals()
			for _, sp := range all {
				if (sp.ID == colleagues) != (len(sp.ServicePrincipalNames) == 1) {
					t.Errorf("%q (the colleague's: %v) has %q", sp.DisplayName, sp.ID == colleagues,
						sp.ServicePrincipalNames)
				}
			}
			if want := map[bool]int{false: 2, true: 1}[test.stops]; len(all) != want {
				t.Errorf("the applications are %+v", all)
			}
		})
	}
}

// TestAnUndoLeavesAColleaguesApplication of the name that the gallery proposes to everybody, made
// when a run had asked for one without an answer. It says when, and by which id it is found.
func TestAnUndoLeavesAColleaguesApplication(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	o := other{m.Ends, t}
	m.dies(instantiating, false, false)
	made := o.application(appName).ServicePrincipal.ID
	notes, err := m.undoes()
	if err != nil || len(o.principals()) != 1 {
		t.Errorf("%d applications are left, %v", len(o.principals()), err)
	}
	for _, want := range []string{made, "made on 20", "an earlier run asked for one on 20", "nobody can tell"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
}

// late is a tenant whose replicas do not know for a while what was made. It says once that it is
// not available, though it has done what it was asked.
type late struct {
	makes, lists func(*http.Request) bool
	empty        string       // what the list says meanwhile
	knows        func() bool  // whether they know it
	asked        atomic.Int32 // how often it was asked to make one
}

func (x *late) RoundTrip(r *http.Request) (*http.Response, error) {
	if x.asked.Load() > 0 && x.lists(r) && !x.knows() {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(x.empty)),
		}, nil
	}
	if !x.makes(r) {
		return http.DefaultTransport.RoundTrip(r)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if x.asked.Add(1) == 1 && err == nil {
		_ = res.Body.Close()
		return unavailable(r, "0.001"), nil
	}
	return res, err
}

func listingApplications(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/servicePrincipals")
}

// ends is about requests of a method whose path ends so.
func ends(method, path string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, path) }
}

// TestWhatATenantKnowsLateIsNotMadeTwice: it says that it is not available, has done it, and its
// lists do not have it at the first looks, also after the time that it has named.
func TestWhatATenantKnowsLateIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]*late{
		"application": {makes: instantiating, lists: listingApplications, empty: `{"value":[]}`},
		"certificate": {
			makes: ends(http.MethodPost, "/addTokenSigningCertificate"),
			lists: func(r *http.Request) bool {
				return strings.HasPrefix(r.URL.Query().Get("$select"), "keyCredentials,")
			},
			empty: `{"keyCredentials":[]}`,
		},
		"job": {
			makes: ends(http.MethodPost, "/synchronization/jobs"),
			lists: ends(http.MethodGet, "/synchronization/jobs"), empty: `{"value":[]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			looks := 0
			x.knows = func() bool { looks++; return looks > 5 }
			if err := m.connect(x, false); err != nil || x.asked.Load() != 1 {
				t.Errorf("asked %d times, %v", x.asked.Load(), err)
			}
			m.hasOne()
		})
	}
}

// TestTheNextRunWaitsForWhatTheTenantKnowsLate: the answer to the making was lost a moment ago.
func TestTheNextRunWaitsForWhatTheTenantKnowsLate(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	m.dies(instantiating, true, false)
	knowing := time.Now().Add(time.Second)
	x := &late{
		makes: func(*http.Request) bool { return false }, lists: listingApplications, empty: `{"value":[]}`,
		knows: func() bool { return time.Now().After(knowing) },
	}
	x.asked.Store(1)
	if err := m.connect(x, false); err != nil {
		t.Fatal(err)
	}
	if all := (other{m.Ends, t}).principals(); len(all) != 1 {
		t.Errorf("the applications are %+v", all)
	}
	m.hasOne()
}

// nameless is a tenant whose lists do not have the identifiers of applications yet.
type nameless struct{ t *testing.T }

func (x nameless) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !listingApplications(r) {
		return res, err
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	var list struct {
		Value []map[string]any `json:"value"`
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		x.t.Error(err)
	}
	for _, sp := range list.Value {
		sp["servicePrincipalNames"] = []any{sp["appId"]}
	}
	data, err := json.Marshal(list)
	if err != nil {
		x.t.Error(err)
	}
	res.Header.Del("Content-Length")
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	return res, nil
}

// TestAnApplicationIsRememberedUntilTheTenantListsItsIdentifier: until then nothing else tells
// whose it is, and somebody renames it.
func TestAnApplicationIsRememberedUntilTheTenantListsItsIdentifier(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	o := other{m.Ends, t}
	renamed := map[string]any{"displayName": "Renamed"}
	for _, tenant := range []http.RoundTripper{nameless{t}, nameless{t}, http.DefaultTransport} {
		if err := m.connect(tenant, false); err != nil || len(o.principals()) != 1 {
			t.Fatalf("the applications are %+v, %v", o.principals(), err)
		}
		o.Change(http.MethodPatch, "/applications/"+o.applications()[0].ID, renamed, nil)
	}
	m.hasOne()
}
