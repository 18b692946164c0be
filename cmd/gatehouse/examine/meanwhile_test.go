package examine_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

const entras = "https://login.microsoftonline.com/common/saml2"

// TestWhatOthersDoWhileFixAsksStays: what they have mended is not done again, and what they have
// set is not overwritten.
func TestWhatOthersDoWhileFixAsksStays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		url  any    // the sign-on URL that others set
		then string // the one that there is then
		says string
	}{
		"nothing":            {nil, "", " ✓ Set the sign-on URL"},
		"they mend it":       {"", "", " = Set the sign-on URL"},
		"they set their own": {"https://signin.aws.example/saml", "https://signin.aws.example/saml", " = Set the"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pairtest.Start(t)
			sp := "/servicePrincipals/" + e.Tenant.ServicePrincipalID
			url := func() string {
				var now graph.ServicePrincipal
				e.Change(http.MethodGet, sp, nil, &now)
				if now.LoginURL == nil {
					return ""
				}
				return *now.LoginURL
			}
			sound := url()
			e.Change(http.MethodPatch, sp, map[string]any{"loginUrl": entras}, nil)
			_, out, err := typing(t, t.Context(), &e, t.TempDir(), pairtest.Accepts(func() {
				if test.url == "" {
					test.url = sound
				}
				if test.url != nil {
					e.Change(http.MethodPatch, sp, map[string]any{"loginUrl": test.url}, nil)
				}
			}), "--fix", "--only", "sign-on-url")
			if test.then == "" {
				test.then = sound
			}
			if now := url(); err != nil || now != test.then || !strings.Contains(out, test.says) {
				t.Errorf("%v: it is %s; want %s and %q in\n%s", err, now, test.then, test.says, out)
			}
		})
	}
}

// TestFixDoesNotMeetARunOfConnect: whoever comes second is told, and nothing is changed.
func TestFixDoesNotMeetARunOfConnect(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	folder := t.TempDir()
	other := connect.Config{Center: e.Admin, Folder: folder}
	e.Change(http.MethodPost, e.JobPath()+"/pause", nil, nil)
	release := func() {}
	begin := func() {
		var err error
		if release, err = other.Hold(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for name, others := range map[string]func(){
		"asked":  begin,
		"at all": func() {},
	} {
		if name == "at all" {
			begin()
		}
		_, out, err := typing(t, t.Context(), &e, folder, pairtest.Accepts(others), "--fix")
		release()
		var job graph.SynchronizationJob
		e.Change(http.MethodGet, e.JobPath(), nil, &job)
		if !errors.Is(err, connect.ErrHeld) || job.Schedule.State == "Active" {
			t.Errorf("%s: %v, and the job is %s\n%s", name, err, job.Schedule.State, out)
		}
	}
	if _, out, err := typing(t, t.Context(), &e, folder, strings.NewReader(""), "--fix", "--accept"); err != nil ||
		!strings.Contains(out, "✓ Start the job") {
		t.Errorf("afterwards: %v\n%s", err, out)
	}
}
