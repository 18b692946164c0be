package connect_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

type rotating struct {
	pairtest.Ends
	t      *testing.T
	ahead  time.Duration
	tenant string
	folder string // where runs remember, if they do
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	e := pairtest.Start(t)
	tenants, err := e.Admin.Tenants(t.Context())
	if err != nil || len(tenants) != 1 {
		t.Fatal(tenants, err)
	}
	r := &rotating{e, t, 0, tenants[0].TenantID, ""}
	r.forward(time.Minute) // what is made now ends later than what the pair has begun with
	return r
}

func (r *rotating) forward(by time.Duration) {
	r.ahead += by
	r.Forward(by)
}

type observer func(context.Context, connect.Config, time.Duration) (*connect.Rotation, error)

// run does what an observer finds, and returns how many steps that were.
func (r *rotating) run(observe observer, client *http.Client, when time.Duration) (int, error) {
	cfg := config(r.Ends, client)
	cfg.Folder = r.folder
	cfg.Now = func() time.Time { return time.Now().Add(r.ahead) }
	rotation, err := observe(r.t.Context(), cfg, when)
	if err != nil {
		return 0, err
	}
	n := rotation.Pending()
	return n, rotation.Apply(r.t.Context(), func(int, bool) {})
}

func (r *rotating) tokens() (ids []string) {
	r.t.Helper()
	list, err := r.Admin.BearerTokens(r.t.Context(), r.tenant)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, x := range list {
		ids = append(ids, x.TokenID)
	}
	return ids
}

// works says whether what changes in the tenant arrives.
func (r *rotating) works() error {
	in := graph.ValidateCredentials{UseSavedCredentials: true}
	return r.Client.Do(r.t.Context(), http.MethodPost, r.JobPath()+"/validateCredentials", in, nil)
}

func TestATokenIsReplacedBeforeItEnds(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	before := r.tokens()
	if n, err := r.run(connect.ObserveTokenRotation, http.DefaultClient, 30*24*time.Hour); n != 0 || err != nil {
		t.Errorf("a year is left, and there are %d steps, %v", n, err)
	}
	r.forward(340 * 24 * time.Hour)
	if n, err := r.run(connect.ObserveTokenRotation, http.DefaultClient, 30*24*time.Hour); n != 3 || err != nil {
		t.Fatalf("25 days are left, and there are %d steps, %v", n, err)
	}
	after := r.tokens()
	if len(after) != 1 || after[0] == before[0] {
		t.Errorf("the tokens are %v, and were %v", after, before)
	}
	if err := r.works(); err != nil {
		t.Errorf("with the new token: %v", err)
	}
	if n, err := r.run(connect.ObserveTokenRotation, http.DefaultClient, 30*24*time.Hour); n != 0 || err != nil {
		t.Errorf("the new one is a day old, and there are %d steps, %v", n, err)
	}
	if n, err := r.run(connect.ObserveTokenRotation, http.DefaultClient, 0); n != 3 || err != nil {
		t.Errorf("now: %d steps, %v", n, err)
	}
}

// TestAnInterruptedTokenRotationIsCompletedByTheNext kills the rotation at every single request.
// The job has a token that works all the time.
func TestAnInterruptedTokenRotationIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	for name, folder := range map[string]string{"forgetful": "", "remembering": t.TempDir()} {
		t.Run(name, func(t *testing.T) { t.Parallel(); tokenInterrupted(t, folder) })
	}
}

func tokenInterrupted(t *testing.T, folder string) {
	t.Helper()
	r := newRotating(t)
	r.folder = folder
	before := r.tokens()
	runs := 0
	for requests := 1; ; requests++ {
		r.forward(2 * time.Minute) // the center records the uses of a token once a minute
		n, err := r.run(connect.ObserveTokenRotation, &http.Client{Transport: &failing{requests}}, 0)
		if err := r.works(); err != nil {
			t.Fatalf("after %d requests the job has no token: %v", requests, err)
		}
		if err == nil {
			t.Logf("completed after %d interruptions, with %d steps", runs, n)
			break
		}
		if runs++; !errors.Is(err, errKilled) || runs > 200 {
			t.Fatalf("after %d requests: %v", requests, err)
		}
	}
	if after := r.tokens(); len(after) != 1 || after[0] == before[0] {
		t.Errorf("the tokens are %v, and were %v", after, before)
	}
}

func TestAnotherClientsTokenStays(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	r.forward(3 * time.Hour)
	other, err := r.Admin.CreateBearerToken(t.Context(), r.tenant, "")
	if err != nil {
		t.Fatal(err)
	}
	r.forward(time.Hour) // used, and not only when it was made
	r.SCIM.Token = other.Value
	r.Find("/Users", "userName", pairtest.Amara)
	r.forward(2 * time.Minute)
	_, err = r.run(connect.ObserveTokenRotation, http.DefaultClient, 0)
	if err == nil || !strings.Contains(err.Error(), other.TokenID) {
		t.Errorf("it is %v", err)
	}
	if ids := r.tokens(); len(ids) != 2 || !slices.Contains(ids, other.TokenID) {
		t.Errorf("the tokens are %v", ids)
	}
}

func (r *rotating) certificates() (trusted []adminapi.Certificate) {
	r.t.Helper()
	trusted, err := r.Admin.ListCertificates(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return trusted
}

func TestACertificateIsReplacedWhileEverybodySignsIn(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	before := r.certificates()
	if n, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 30*24*time.Hour); n != 0 || err != nil {
		t.Errorf("three years are left, and there are %d steps, %v", n, err)
	}
	r.SignIn(pairtest.Amara)
	runs := 0
	for requests := 1; ; requests++ { // killed at every single request
		_, err := r.run(connect.ObserveCertificateRotation, &http.Client{Transport: &failing{requests}}, 0)
		r.SignIn(pairtest.Amara)
		if err == nil {
			break
		}
		if runs++; !errors.Is(err, errKilled) || runs > 200 {
			t.Fatalf("after %d requests: %v", requests, err)
		}
	}
	t.Logf("completed after %d interruptions", runs)
	if now := r.certificates(); len(now) != len(before)+1 {
		t.Fatalf("the center trusts %d certificates; want the old and the new one", len(now))
	}
	if n, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 0); n != 0 || err != nil {
		t.Errorf("nobody has signed in after an hour, and there are %d steps, %v", n, err)
	}
	health := func() {
		t.Helper()
		h, err := connect.ObserveHealth(t.Context(), config(r.Ends, http.DefaultClient))
		if err != nil || h.Condition == connect.Broken {
			t.Errorf("the connection is %+v, %v", h, err)
		}
	}
	health()
	r.forward(2 * time.Hour)
	r.SignIn(pairtest.Amara)
	if n, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 30*24*time.Hour); n != 1 || err != nil {
		t.Errorf("somebody has signed in, and there are %d steps, %v", n, err)
	}
	if now := r.certificates(); len(now) != len(before) || now[0].CertificateID == before[0].CertificateID {
		t.Errorf("the center trusts %+v", now)
	}
	r.SignIn(pairtest.Amara)
	health()
}

// TestACertificateThatWaitedProvesNothingBefore: it was made in the tenant long before the
// rotation, and who signed in meanwhile did so with the old one.
func TestACertificateThatWaitedProvesNothingBefore(t *testing.T) {
	t.Parallel()
	for name, interrupted := range map[string]bool{"at once": false, "made active a day after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRotating(t)
			r.folder = t.TempDir()
			r.Change(http.MethodPost, "/servicePrincipals/"+r.Tenant.ServicePrincipalID+"/addTokenSigningCertificate",
				map[string]any{"displayName": "CN=Waiting"}, nil)
			r.forward(2 * time.Hour)
			r.SignIn(pairtest.Amara)
			if interrupted { // between the import and what makes it active
				cut := &dying{at: func(req *http.Request) bool { return req.Method == http.MethodPatch }}
				if _, err := r.run(connect.ObserveCertificateRotation, &http.Client{Transport: cut}, 0); !errors.Is(
					err, errKilled,
				) {
					t.Fatalf("it is not killed: %v", err)
				}
				r.forward(24 * time.Hour)
				r.SignIn(pairtest.Amara)
			}
			if _, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 0); err != nil {
				t.Fatal(err)
			}
			before := len(r.certificates())
			if n, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 0); n != 0 || err != nil {
				t.Errorf("nobody has signed in since, and there are %d steps, %v", n, err)
			}
			r.forward(2 * time.Hour)
			r.SignIn(pairtest.Amara)
			n, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 30*24*time.Hour)
			if n != 1 || err != nil || len(r.certificates()) != before-1 {
				t.Errorf("somebody has signed in, and there are %d steps, %v", n, err)
			}
		})
	}
}

// TestACertificateThatOthersMadeActiveHasItsHour: a person, another machine, or a run that was
// killed, a moment ago. A part of the tenant goes on to sign with the old one.
func TestACertificateThatOthersMadeActiveHasItsHour(t *testing.T) {
	t.Parallel()
	for name, killed := range map[string]bool{"another machine": false, "a run that was killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRotating(t)
			r.folder = t.TempDir()
			patching := func(req *http.Request) bool { return req.Method == http.MethodPatch }
			cut := &http.Client{Transport: &dying{at: patching}}
			if _, err := r.run(connect.ObserveCertificateRotation, cut, 0); !errors.Is(err, errKilled) {
				t.Fatalf("it is not killed: %v", err)
			}
			r.forward(24 * time.Hour)
			client := http.DefaultClient
			if killed {
				client = &http.Client{Transport: &dying{at: patching, lost: true}}
			} else {
				r.folder = t.TempDir()
			}
			if _, err := r.run(connect.ObserveCertificateRotation, client, 0); !killed && err != nil {
				t.Fatal(err)
			}
			if !killed {
				r.folder = t.TempDir()
			}
			trusted := len(r.certificates())
			r.SignIn(pairtest.Amara)
			n, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 0)
			if n != 0 || err != nil || len(r.certificates()) != trusted {
				t.Errorf("at once there are %d steps, %v", n, err)
			}
			r.forward(2 * time.Hour)
			r.SignIn(pairtest.Amara)
			n, err = r.run(connect.ObserveCertificateRotation, http.DefaultClient, 0)
			if n != 1 || err != nil || len(r.certificates()) != trusted-1 {
				t.Errorf("somebody has signed in after the hour, and there are %d steps, %v", n, err)
			}
		})
	}
}
