package connect_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// markless is a tenant that takes no reference with an application that is asked for, as one of an
// earlier release.
type markless struct {
	next    http.RoundTripper
	refused int
}

func (x *markless) RoundTrip(r *http.Request) (*http.Response, error) {
	if !instantiating(r) {
		return x.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !bytes.Contains(body, []byte("serviceManagementReference")) {
		return x.next.RoundTrip(r)
	}
	x.refused++
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"Request_BadRequest","message":"no such property"}}`)),
	}, nil
}

// TestATenantThatTakesNoMarkIsConnected. Whose an application is whose making it has not answered
// nobody can tell: it stays, and the run that finds it names it.
func TestATenantThatTakesNoMarkIsConnected(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	x := &markless{next: &dying{at: instantiating, lost: true}}
	if err := m.connect(x, false); err == nil || x.refused != 1 {
		t.Fatalf("it refused %d times, %v", x.refused, err)
	}
	lost := other{m.Ends, t}.principals()
	if len(lost) != 1 {
		t.Fatalf("the applications are %+v", lost)
	}
	cfg := config(m.Ends, &http.Client{Transport: &markless{next: http.DefaultTransport}}, "Engineering")
	cfg.Folder = m.folder
	plan, err := connect.Observe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(plan.Notes, "\n")
	if !strings.Contains(notes, lost[0].ID) || !strings.Contains(notes, "asked without a mark") {
		t.Errorf("the plan does not say of %s why it stays:\n%s", lost[0].ID, notes)
	}
	if err := plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	for _, sp := range (other{m.Ends, t}).principals() {
		if (sp.ID == lost[0].ID) != (len(sp.ServicePrincipalNames) == 1) {
			t.Errorf("%s has %q", sp.ID, sp.ServicePrincipalNames)
		}
	}
	m.hasOne()
}

// TestAPlanSaysWhyAnApplicationIsTaken that does not have the center's identifier yet.
func TestAPlanSaysWhyAnApplicationIsTaken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(other)
		words  string
	}{
		"by its name": {func(o other) { o.application(appName) }, "use another --name"},
		"a run's on another machine": {
			func(o other) { o.elsewhere().dies(settingUp, false, false) }, "on another machine",
		},
		"without an answer elsewhere": {
			func(o other) { o.elsewhere().dies(instantiating, true, false) }, "on another machine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			o := other{m.Ends, t}
			test.before(o)
			plan, err := connect.Observe(t.Context(), config(m.Ends, http.DefaultClient))
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(plan.Notes, "\n")
			if !strings.Contains(notes, o.principals()[0].ID) || !strings.Contains(notes, test.words) {
				t.Errorf("the notes do not say %q:\n%s", test.words, notes)
			}
			if err := m.connect(http.DefaultTransport, false); err != nil || len(o.principals()) != 1 {
				t.Errorf("the applications are %+v, %v", o.principals(), err)
			}
			m.hasOne()
		})
	}
}

// elsewhere is a machine of its own.
func (o other) elsewhere() remembering { return remembering{o.Ends, o.t, o.t.TempDir()} }

// TestAnApplicationOfARunForAnotherCenterStays: the gallery proposes one name for all centers, and
// that run has not set its application up yet.
func TestAnApplicationOfARunForAnotherCenterStays(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	o := other{m.Ends, t}
	cfg := config(m.Ends, &http.Client{Transport: &dying{at: settingUp}}, "Engineering")
	cfg.Center = copied{cfg.Center.(*adminapi.Client), "d-9999999999"}
	plan, err := connect.Observe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {}); !errors.Is(err, errKilled) {
		t.Fatalf("it is not killed: %v", err)
	}
	theirs := o.principals()[0].ID
	plan, err = connect.Observe(t.Context(), config(m.Ends, http.DefaultClient))
	if err != nil || !strings.Contains(strings.Join(plan.Notes, "\n"), theirs+"), which a run for another center") {
		t.Errorf("the plan notes %q, %v", plan.Notes, err)
	}
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
	if all := o.principals(); len(all) != 2 {
		t.Errorf("the applications are %+v", all)
	}
	for _, sp := range o.principals() {
		if (sp.ID == theirs) != (len(sp.ServicePrincipalNames) == 1) {
			t.Errorf("%s has %q", sp.ID, sp.ServicePrincipalNames)
		}
	}
}

// strict is a tenant whose policy asks for a reference of each application.
type strict struct{ refused int }

func (x *strict) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPatch {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !bytes.Contains(body, []byte(`"serviceManagementReference":null`)) {
		return http.DefaultTransport.RoundTrip(r)
	}
	x.refused++
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"ServiceManagementReferenceRequired","message":` +
			`"ServiceManagementReference field is required for Update, but is missing in the request."}}`)),
	}, nil
}

// TestATenantThatAsksForAReferenceIsConnected: it keeps ours, and the next run has nothing to do.
func TestATenantThatAsksForAReferenceIsConnected(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	x := &strict{}
	if err := m.connect(x, false); err != nil || x.refused == 0 {
		t.Fatalf("it refused %d times, %v", x.refused, err)
	}
	m.hasOne()
	apps := other{m.Ends, t}.applications()
	if len(apps) != 1 || apps[0].ServiceManagementReference == nil {
		t.Errorf("the applications are %+v", apps)
	}
	plan, err := connect.Observe(t.Context(), config(m.Ends, &http.Client{Transport: x}, "Engineering"))
	if err != nil || plan.Pending() != 0 {
		t.Errorf("the next run: %+v, %v", plan, err)
	}
}
