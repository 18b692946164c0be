package connect_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// settingUp is the first change of an application that this run has made: its id is known by then.
func settingUp(r *http.Request) bool {
	return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/servicePrincipals/")
}

// TestAnApplicationThatARunHasAskedForIsFound by the next run, and undo deletes it if its id is
// known, also when somebody has renamed it. Where the answer was lost, one of another name may be
// somebody else's, and undo leaves all: the gallery proposes the name to everybody.
func TestAnApplicationThatARunHasAskedForIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at            func(*http.Request) bool
		undo, renamed bool
		left          int
	}{
		"unanswered, by the next run":          {instantiating, false, false, 1},
		"unanswered, renamed, by the next run": {instantiating, false, true, 2},
		"unanswered, by undo":                  {instantiating, true, false, 1},
		"unanswered, renamed, by undo":         {instantiating, true, true, 1},
		"known, renamed, by the next run":      {settingUp, false, true, 1},
		"known, by undo":                       {settingUp, true, false, 0},
		"known, renamed, by undo":              {settingUp, true, true, 0},
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
				if _, err := m.undoes(); err != nil || len(o.principals()) != test.left {
					t.Errorf("after undo there are %+v, %v", o.principals(), err)
				}
				return
			}
			if err := m.connect(http.DefaultTransport, false); err != nil {
				t.Fatal(err)
			}
			if all := o.principals(); len(all) != test.left {
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
// whose making was not answered.
func TestAColleaguesApplicationIsNotTaken(t *testing.T) {
	t.Parallel()
	for name, meets := range map[string]func(o other, m remembering, colleague func()) error{
		"by the same run": func(_ other, m remembering, colleague func()) error {
			return m.connect(&inItsPlace{instantiating, colleague}, false)
		},
		"by the next run": func(_ other, m remembering, colleague func()) error {
			m.dies(instantiating, false, false)
			colleague()
			return m.connect(http.DefaultTransport, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			o := other{m.Ends, t}
			if err := meets(o, m, func() { o.application("AWS staging") }); err != nil {
				t.Fatal(err)
			}
			all := o.principals()
			for _, sp := range all {
				if colleagues := sp.DisplayName == "AWS staging"; colleagues != (len(sp.ServicePrincipalNames) == 1) {
					t.Errorf("%q has %q", sp.DisplayName, sp.ServicePrincipalNames)
				}
			}
			if len(all) != 2 {
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
