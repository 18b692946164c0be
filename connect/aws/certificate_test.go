package aws_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
)

// signsWith is the thumbprint of the certificate that the tenant signs with.
func (w *walk) signsWith(t *testing.T) string {
	t.Helper()
	apps, err := graph.All[graph.ServicePrincipal](t.Context(), w.Client, "/servicePrincipals")
	if err != nil || len(apps) != 1 || apps[0].PreferredTokenSigningKeyThumbprint == nil {
		t.Fatal(apps, err)
	}
	return *apps[0].PreferredTokenSigningKeyThumbprint
}

// connected is a walk that is done. What CloudTrail had is gone.
func connected(t *testing.T) *walk {
	t.Helper()
	w := newWalk(t)
	w.recorded(t)
	return w
}

func (w *walk) recorded(t *testing.T) {
	t.Helper()
	if _, _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.limits.trail, w.did = nil, nil
}

// TestACertificateThatAWSDoesNotHave: somebody types DONE, and has imported nothing. The sign-in
// shows it, and the tenant signs with the old certificate again.
func TestACertificateThatAWSDoesNotHave(t *testing.T) {
	t.Parallel()
	w := connected(t)
	old := w.signsWith(t)
	w.forgets = true
	for name, c := range map[string]struct {
		refused func() // how it is learned; nil: the person says so
		leaves  string
		want    string
	}{
		"the person says so": {want: "AWS refused the sign-in"},
		"CloudTrail says so": {
			refused: func() { w.limits.trail = []string{trailEvent(time.Second, "Failure", "no such signature")} },
			want:    "no such signature",
		},
		"the person stops": {leaves: "Sign in with the new certificate", want: errAway.Error()},
	} {
		w.refused, w.leaves = c.refused, c.leaves
		w.did = nil
		_, err := w.rotates(t, connect.ObserveCertificateRotation, 0, 0)
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "signs with the old certificate again") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if !slices.Contains(w.did, "Import the new certificate") {
			t.Errorf("%s: nobody was asked to import it: %q", name, w.did)
		}
		if now := w.signsWith(t); now != old || !w.signsIn() {
			t.Fatalf("%s: it signs with %s, and before with %s", name, now, old)
		}
		w.limits.trail = nil
	}
	w.forgets, w.leaves = false, ""
	w.refused = nil
	if _, err := w.rotates(t, connect.ObserveCertificateRotation, 0, 0); err != nil || w.signsWith(t) == old {
		t.Errorf("imported in the end: %v", err)
	}
	if !w.signsIn() {
		t.Error("nobody can sign in")
	}
}

// TestTheOldCertificateGoesByWhatAWSHasRecorded: that the tenant let somebody in says nothing of
// AWS. A run that was killed before the proof leaves that to the next.
func TestTheOldCertificateGoesByWhatAWSHasRecorded(t *testing.T) {
	t.Parallel()
	w := connected(t)
	later := 2 * time.Hour
	w.quiet = true // CloudTrail is late
	if _, err := w.rotates(t, connect.ObserveCertificateRotation, 0, 0); err != nil {
		t.Fatal(err)
	}
	steps := func() (titles []string, notes string) {
		t.Helper()
		r, err := connect.ObserveCertificateRotation(t.Context(), w.kept(t, later), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Steps {
			titles = append(titles, s.Title)
		}
		return titles, strings.Join(r.Notes, "\n")
	}
	if titles, _ := steps(); !slices.Equal(titles, []string{"Proof"}) {
		t.Errorf("nothing has proved it, and the steps are %q", titles)
	}
	w.quiet = false
	if _, err := w.rotates(t, connect.ObserveCertificateRotation, 0, 0); err != nil {
		t.Fatal(err)
	}
	w.Forward(later)
	if !w.signsIn() { // and CloudTrail has nothing of it
		t.Fatal("nobody can sign in")
	}
	w.limits.trail = nil
	if titles, notes := steps(); len(titles) != 0 || !strings.Contains(notes, "until somebody has signed in") {
		t.Errorf("the steps are %q, the notes %q", titles, notes)
	}
	w.limits.trail = []string{trailEvent(later, "Failure", "no such signature")}
	if titles, _ := steps(); !slices.Equal(titles, []string{"Active certificate"}) {
		t.Errorf("AWS refuses everybody, and the steps are %q", titles)
	}
	w.limits.trail = []string{trailEvent(later, "Success", "")}
	if titles, _ := steps(); !slices.Equal(titles, []string{"Old certificate in the center"}) {
		t.Errorf("somebody has signed in, and the steps are %q", titles)
	}
}

// TestACertificateIsReplacedWithoutALicense: without Entra ID P1 nobody reads the tenant's log, and
// AWS's record says it. Without that too, the person does.
func TestACertificateIsReplacedWithoutALicense(t *testing.T) {
	t.Parallel()
	w, e := throughEntra(t)
	w.recorded(t)
	e.denied = func(_, path string) bool { return strings.HasSuffix(path, "/auditLogs/signIns") }
	if _, err := w.rotates(t, connect.ObserveCertificateRotation, 0, 0); err != nil {
		t.Fatal(err)
	}
	later := 2 * time.Hour
	w.limits.trail = []string{trailEvent(later, "Success", "")}
	r, err := connect.ObserveCertificateRotation(t.Context(), w.kept(t, later), 0)
	if err != nil || len(r.Steps) != 1 || len(r.Notes) != 0 {
		t.Fatalf("by AWS's record: %+v, %v", r, err)
	}
	w.limits.answer = func(operation string) (int, string) {
		if operation != "LookupEvents" {
			return 0, ""
		}
		return http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"User: x is not authorized to ` +
			`perform: cloudtrail:LookupEvents because no identity-based policy allows it"}`
	}
	r, err = connect.ObserveCertificateRotation(t.Context(), w.kept(t, later), 0)
	if err != nil || len(r.Steps) != 1 || !strings.Contains(strings.Join(r.Notes, "\n"), "cloudtrail:LookupEvents") ||
		!strings.Contains(r.Steps[0].Detail, "nobody here can tell") {
		t.Fatalf("by the person's word: %+v, %v", r, err)
	}
	if err := r.Apply(t.Context(), func(int, bool) {}); err != nil ||
		!slices.Contains(w.did, "Delete the old certificate") {
		t.Errorf("the person did %q, %v", w.did, err)
	}
}

// TestARotationThatGoesBackLeavesSomebodyElsesCertificate: while a person was asked to sign in,
// somebody has the tenant sign with a third one.
func TestARotationThatGoesBackLeavesSomebodyElsesCertificate(t *testing.T) {
	t.Parallel()
	w := connected(t)
	apps, err := graph.All[graph.ServicePrincipal](t.Context(), w.Client, "/servicePrincipals")
	if err != nil || len(apps) != 1 {
		t.Fatal(apps, err)
	}
	at := "/servicePrincipals/" + apps[0].ID
	w.forgets = true
	var third graph.KeyCredential
	w.refused = func() {
		w.Change(http.MethodPost, at+"/addTokenSigningCertificate", map[string]any{"displayName": "CN=Third"}, &third)
		w.Change(http.MethodPatch, at, map[string]any{"preferredTokenSigningKeyThumbprint": third.Thumbprint}, nil)
		w.limits.trail = []string{trailEvent(time.Second, "Failure", "no such signature")}
	}
	_, err = w.rotates(t, connect.ObserveCertificateRotation, 0, 0)
	if !errors.Is(err, connect.ErrChanged) || !strings.Contains(err.Error(), "no such signature") {
		t.Errorf("it is %v", err)
	}
	if now := w.signsWith(t); third.Thumbprint == "" || now != third.Thumbprint {
		t.Errorf("it signs with %s; want %s", now, third.Thumbprint)
	}
}
