package gather_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/gather"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// microsoft answers what a tenant of ours does not have.
type microsoft struct {
	next    http.RoundTripper
	answers map[string]string // by the end of the path, with the filter or for any; "" is a refusal
}

func (m microsoft) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r.URL.Path + " " + r.URL.Query().Get("$filter")
	ends := slices.SortedFunc(maps.Keys(m.answers), func(a, b string) int { return len(b) - len(a) })
	for _, end := range ends {
		if !strings.HasSuffix(asked, end) && !strings.HasSuffix(r.URL.Path, end) {
			continue
		}
		body := m.answers[end]
		status := http.StatusOK
		if body == "" {
			status, body = http.StatusForbidden, `{"error":{"code":"Authorization_RequestDenied","message":"no"}}`
		}
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
	return m.next.RoundTrip(r)
}

// asked gathers with Microsoft's own answers to some requests.
func asked(t *testing.T, e pairtest.Ends, answers map[string]string, words ...string) doctor.Facts {
	t.Helper()
	c := config(e)
	client := *c.Graph.HTTP
	client.Transport = microsoft{client.Transport, answers}
	c.Graph = &graph.Client{BaseURL: c.Graph.BaseURL, HTTP: &client}
	c.ClientID, c.Words = "11111111-0000-0000-0000-000000000000", words
	facts, err := gather.Gather(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// TestATokenThatOneSourceRefuses: the others were read, and doctor says so. Where none takes it,
// one finding says that nothing of Entra's side was looked at.
func TestATokenThatOneSourceRefuses(t *testing.T) {
	e := pairtest.Start(t)
	for end, want := range map[string]string{"/auditLogs/signIns": string(doctor.SignInLog), "": "graph:sign-in"} {
		c := config(e)
		client := *c.Graph.HTTP
		client.Transport = unauthorized{client.Transport, end}
		c.Graph = &graph.Client{BaseURL: c.Graph.BaseURL, HTTP: &client}
		facts, err := gather.Gather(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		report := doctor.Diagnose(facts, doctor.About{})
		var unseen []string
		for _, f := range report.Findings {
			if strings.HasPrefix(f.Check, "graph:") {
				unseen = append(unseen, f.Check)
				if !strings.Contains(f.Fix.Do, "Sign in again") {
					t.Errorf("%s: %s", f.Check, f.Fix.Do)
				}
			}
		}
		if !slices.Equal(unseen, []string{want}) {
			t.Errorf("where %q is refused: %s", end, shown(report))
		}
	}
}

// unauthorized refuses the token where a path ends so.
type unauthorized struct {
	next http.RoundTripper
	end  string
}

func (u unauthorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, u.end) {
		return u.next.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusUnauthorized, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"InvalidAuthenticationToken","message":"no"}}`)),
	}, nil
}

func one(items ...string) string { return `{"value":[` + strings.Join(items, ",") + `]}` }

// TestWhatOnlyMicrosoftHasIsGathered: consent to the program that asks, who may activate a
// membership, and what the job remembers of somebody, in the form of Microsoft's reference.
func TestWhatOnlyMicrosoftHasIsGathered(t *testing.T) {
	e := pairtest.Start(t)
	group := e.Group("Engineering").ID
	amaraThere := e.Find("/Users", "userName", amara).String("id")
	hannahThere := e.Find("/Users", "userName", hannah).String("id")
	person, err := graph.All[graph.User](t.Context(), e.Client, "/users"+graph.Filter("userPrincipalName", amara))
	if err != nil || len(person) != 1 {
		t.Fatal(person, err)
	}
	answers := map[string]string{
		"/applications appId eq '11111111-0000-0000-0000-000000000000'": one(`{"id":"o","requiredResourceAccess":[` +
			`{"resourceAppId":"00000003-0000-0000-c000-000000000000","resourceAccess":[{"id":"r1","type":"Role"},` +
			`{"id":"r2","type":"Role"},{"id":"r3","type":"Scope"}]},{"resourceAppId":"other","resourceAccess":` +
			`[{"id":"r4","type":"Role"}]}]}`),
		"/servicePrincipals appId eq '11111111-0000-0000-0000-000000000000'": one(`{"id":"program"}`),
		"/servicePrincipals appId eq '00000003-0000-0000-c000-000000000000'": one(`{"id":"graph","appRoles":[` +
			`{"id":"r1","value":"User.Read.All"},{"id":"r2","value":"AuditLog.Read.All"},` +
			`{"id":"r3","value":"Mail.Read"},{"id":"r4","value":"Sites.Read.All"},{"id":"r5","value":null}]}`),
		"/servicePrincipals/program/appRoleAssignments": one(`{"appRoleId":"r1","resourceId":"graph"}`,
			`{"appRoleId":"r2","resourceId":"another"}`),
		"/eligibilityScheduleInstances groupId eq '" + group + "'": one(
			`{"principalId":"p1","accessId":"member"}`, `{"principalId":"p2","accessId":"owner"}`),
		"/eligibilityScheduleInstances": one(),
		"/objectConnections/" + person[0].ID: `{"objectId":"` + person[0].ID + `","sourceAnchor":"` + person[0].ID +
			`","targetAnchor":"` + hannahThere + `","displayName":"Amara","objectTypeName":"User"}`,
	}
	facts := asked(t, e, answers, amara)
	c := facts.Entra.Consent
	if c == nil || !slices.Equal(c.Required, []string{"User.Read.All", "AuditLog.Read.All"}) ||
		!slices.Equal(c.Granted, []string{"User.Read.All"}) {
		t.Errorf("consent: %+v", c)
	}
	if !slices.Equal(facts.Entra.EligibleMembers[group], []string{"p1"}) {
		t.Errorf("eligible: %v", facts.Entra.EligibleMembers)
	}
	if len(facts.Entra.Connections) != 1 || facts.Entra.Connections[0].TargetID != hannahThere {
		t.Errorf("connections: %v", facts.Entra.Connections)
	}
	found := func(f doctor.Facts, check, kind string) bool {
		report := doctor.Diagnose(f, doctor.About{Person: amara})
		return slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
			return f.Check == check && f.Kind == kind
		})
	}
	if !found(facts, "consent", "") || !found(facts, "wrong-match", "connection") {
		t.Error(shown(doctor.Diagnose(facts, doctor.About{Person: amara})))
	}
	answers["/objectConnections/"+person[0].ID] = `{"targetAnchor":"00000000-0000-0000-0000-000000000000"}`
	if facts = asked(t, e, answers, person[0].ID); !found(facts, "wrong-match", "gone") {
		t.Error(shown(doctor.Diagnose(facts, doctor.About{Person: amara})))
	}
	answers["/objectConnections/"+person[0].ID] = `{"targetAnchor":"` + amaraThere + `"}`
	facts = asked(t, e, answers, amara)
	if found(facts, "wrong-match", "connection") || found(facts, "wrong-match", "gone") {
		t.Error("the right connection is an alarm")
	}
	if facts = asked(t, e, answers); len(facts.Entra.Connections) != 0 {
		t.Error("somebody was looked up whom nobody asked about")
	}
	for path := range answers { // no permission, no license
		answers[path] = ""
	}
	facts = asked(t, e, answers, amara)
	if facts.Entra.Consent != nil || len(facts.Entra.EligibleMembers) != 0 ||
		facts.Unread[doctor.Connected].Missing != "SynchronizationMetadata.Read.All" {
		t.Errorf("refused: %+v", facts.Unread)
	}
}
