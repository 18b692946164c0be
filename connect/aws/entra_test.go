package aws_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
)

// entra stands before a tenant and is as Microsoft's is at times: it throttles, knows late what was
// just made, and refuses what nobody has consented to.
type entra struct {
	next http.RoundTripper

	mu       sync.Mutex
	denied   func(method, path string) bool
	answers  map[string]string // to what is read, by the end of the path
	throttle int               // every so many requests is told to come again; 0: none
	lag      time.Duration     // what was made is not found for so long
	asked    int
	made     time.Time
	tooOften int // requests that were throttled
}

func (e *entra) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/v1.0/") {
		return e.next.RoundTrip(r)
	}
	status, header, body := e.answer(r)
	if status == 0 {
		res, err := e.next.RoundTrip(r)
		if e.mu.Lock(); err == nil && r.Method == http.MethodPost && res.StatusCode == http.StatusCreated {
			e.made = time.Now()
		}
		e.mu.Unlock()
		return res, err
	}
	return &http.Response{
		StatusCode: status, Header: header, Request: r, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// answer is what Microsoft's says instead; a status of 0 leaves it to the tenant.
func (e *entra) answer(r *http.Request) (status int, header http.Header, body string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	header = http.Header{"Content-Type": {"application/json"}}
	for end, body := range e.answers {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, end) {
			return http.StatusOK, header, body
		}
	}
	switch e.asked++; {
	case e.throttle > 0 && e.asked%e.throttle == 0:
		e.tooOften++
		header.Set("Retry-After", "0.01")
		return http.StatusTooManyRequests, header, `{"error":{"code":"TooManyRequests"}}`
	case e.denied != nil && e.denied(r.Method, r.URL.Path):
		return http.StatusForbidden, header, `{"error":{"code":"Authorization_RequestDenied","message":` +
			`"Insufficient privileges to complete the operation."}}`
	case strings.Count(r.URL.Path, "/") > 3 && time.Since(e.made) < e.lag:
		return http.StatusNotFound, header, `{"error":{"code":"Request_ResourceNotFound"}}`
	}
	return 0, nil, ""
}

// throughEntra has a walk go through what Microsoft's side is at times.
func throughEntra(t *testing.T) (*walk, *entra) {
	t.Helper()
	w := newWalk(t)
	e := &entra{next: w.client.Transport}
	w.client = &http.Client{Transport: e}
	return w, e
}

// once says that everything is there once.
func (w *walk) once() {
	w.T.Helper()
	apps, err := graph.All[graph.ServicePrincipal](w.T.Context(), w.Client, "/servicePrincipals")
	if err != nil || len(apps) != 1 {
		w.T.Fatalf("applications %+v, %v", apps, err)
	}
	of := "/servicePrincipals/" + apps[0].ID
	jobs, err := graph.All[graph.SynchronizationJob](w.T.Context(), w.Client, of+"/synchronization/jobs")
	if err != nil || len(jobs) != 1 {
		w.T.Errorf("jobs %+v, %v", jobs, err)
	}
	assigned, err := graph.All[graph.AppRoleAssignment](w.T.Context(), w.Client, of+"/appRoleAssignedTo")
	if err != nil || len(assigned) != 2 {
		w.T.Errorf("assignments %+v, %v", assigned, err)
	}
}

// TestConsentIsMissingInTheMiddleOfEachStep: the error names the call, the permission and where it
// is given. The next run goes on, and in the end everything is there once.
func TestConsentIsMissingInTheMiddleOfEachStep(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	w.settle = 10 * time.Millisecond
	for _, c := range []struct{ method, part, permission string }{
		{http.MethodGet, "/users", "User.Read.All"},
		{http.MethodGet, "embers", "GroupMember.Read.All"},
		{http.MethodPost, "/instantiate", "Application.ReadWrite.All"},
		{http.MethodPatch, "/servicePrincipals/", "Application.ReadWrite.All"},
		{http.MethodPatch, "/applications/", "Application.ReadWrite.All"},
		{http.MethodPost, "/addTokenSigningCertificate", "Application.ReadWrite.All"},
		{http.MethodPost, "/appRoleAssignedTo", "AppRoleAssignment.ReadWrite.All"},
		{http.MethodPost, "/synchronization/jobs", "Synchronization.ReadWrite.All"},
		{http.MethodPost, "/validateCredentials", "Synchronization.ReadWrite.All"},
		{http.MethodPut, "/synchronization/secrets", "Synchronization.ReadWrite.All"},
		{http.MethodPost, "/start", "Synchronization.ReadWrite.All"},
	} {
		e.denied = func(method, path string) bool { return method == c.method && strings.Contains(path, c.part) }
		_, _, err := w.run(t.Context())
		for _, want := range []string{c.permission, "adminconsent?client_id=", "AllRoles", "run this again"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v, want %q", c.method, c.part, err, want)
			}
		}
	}
	e.denied = nil
	if result, _, err := w.run(t.Context()); err != nil || len(result.Open) > 0 {
		t.Fatalf("with all of them: %+v, %v", result.Open, err)
	}
	w.once()
}

// TestEntraThrottlesAndLearnsLate: requests are sent again when Entra says, and what was just made
// is asked for until it is known.
func TestEntraThrottlesAndLearnsLate(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	e.throttle, e.lag = 3, 50*time.Millisecond
	result, _, err := w.run(t.Context())
	if err != nil || len(result.Open) > 0 || e.tooOften == 0 {
		t.Fatalf("%d throttled, %+v, %v", e.tooOften, result.Open, err)
	}
	w.once()
}

// TestEntraDoesNotLearnInTime: the wait is bounded, and the next run finds what was made.
func TestEntraDoesNotLearnInTime(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	w.settle, e.lag = 50*time.Millisecond, time.Hour
	if _, _, err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Fatalf("it goes on: %v", err)
	}
	e.lag = 0
	if result, _, err := w.run(t.Context()); err != nil || len(result.Open) > 0 {
		t.Fatalf("the next run: %+v, %v", result.Open, err)
	}
	w.once()
}

// TestWithoutALicense: the plan says what groups need, and that the sign-in cannot be proved is no
// failure and has nobody wait.
func TestWithoutALicense(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	e.answers = map[string]string{"/subscribedSkus": `{"value":[]}`}
	e.denied = func(_, path string) bool { return strings.HasSuffix(path, "/auditLogs/signIns") }
	cfg, err := w.config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := connect.Observe(t.Context(), cfg)
	if err != nil || !strings.Contains(strings.Join(plan.Notes, "\n"), "no Entra ID P1: groups cannot be assigned") {
		t.Errorf("notes %q, %v", plan.Notes, err)
	}
	result, _, err := w.run(t.Context())
	if err != nil || len(result.Open) != 1 || !strings.Contains(result.Open[0], "Entra ID P1") {
		t.Fatalf("%q, %v", result.Open, err)
	}
	for _, title := range w.did {
		if title == "Sign in once" {
			t.Error("somebody was asked for what cannot be seen")
		}
	}
}
