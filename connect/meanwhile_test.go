package connect_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// other is somebody who changes the pair while a run waits for its word.
type other struct {
	pairtest.Ends
	t *testing.T
}

// run plans, has the other do something, and applies.
func (o other) run(meanwhile func(other)) error {
	o.t.Helper()
	plan, err := connect.Observe(o.t.Context(), config(o.Ends, http.DefaultClient, "Engineering"))
	if err != nil {
		o.t.Fatal(err)
	}
	meanwhile(o)
	return plan.Apply(o.t.Context(), connect.Confirmation, func(int, bool) {})
}

func (o other) principals() []graph.ServicePrincipal {
	o.t.Helper()
	all, err := graph.All[graph.ServicePrincipal](o.t.Context(), o.Client, "/servicePrincipals")
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

// application makes one from the gallery.
func (o other) application(name string) (made graph.ApplicationServicePrincipal) {
	o.t.Helper()
	o.Change(http.MethodPost, "/applicationTemplates/"+graph.AWSTemplateID+"/instantiate",
		map[string]string{"displayName": name}, &made)
	return made
}

const appName = "AWS IAM Identity Center"

func (o other) identifier(app graph.Application, uri string) {
	o.t.Helper()
	o.Change(http.MethodPatch, "/applications/"+app.ID, map[string]any{"identifierUris": []string{uri}}, nil)
}

// upload gives the center another identity provider than the tenant.
func (o other) upload() adminapi.Configuration {
	o.t.Helper()
	file, _, _ := webtest.Certificate(o.t, o.t.TempDir(), "other-idp.example")
	certificate, err := os.ReadFile(file)
	if err != nil {
		o.t.Fatal(err)
	}
	made, err := o.Admin.CreateConfigurationOf(o.t.Context(), adminapi.CreateConfigurationInput{
		EntityID: otherIssuer, SignInURL: "https://other-idp.example/sso", X509CertificateInPem: string(certificate),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return made
}

// change makes another identity provider the center's.
func (o other) change() {
	o.t.Helper()
	made := o.upload()
	err := o.Admin.EnableConfiguration(o.t.Context(), adminapi.ChangeInput{
		ConfigurationID: made.ConfigurationID, Confirmation: connect.Confirmation,
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// inForce is the issuer of the center's identity provider; empty: it has none.
func (o other) inForce() string {
	o.t.Helper()
	list, err := o.Admin.Configurations(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	for _, c := range list {
		if c.Status == adminapi.StatusEnabled {
			return c.EntityID
		}
	}
	return ""
}

const otherIssuer = "https://other-idp.example/metadata"

// TestWhatSomebodyDoesBetweenPlanAndApplyStays: the plan says other than what there is by now, so
// the run ends before it overwrites that, and the next run's plan knows of it.
func TestWhatSomebodyDoesBetweenPlanAndApplyStays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before    func(other) // the plan
		meanwhile func(other)
		stays     func(other) bool
		words     string
	}{
		"an application of the same name": {
			meanwhile: func(o other) { o.application(appName) },
			stays:     func(o other) bool { return len(o.principals()) == 1 },
			words:     "has an application “" + appName + "” now",
		},
		"an application with the center's identifier": {
			meanwhile: func(o other) {
				sp, err := o.Admin.ServiceProvider(o.t.Context())
				if err != nil {
					o.t.Fatal(err)
				}
				o.identifier(o.application("Another name").Application, sp.EntityID)
			},
			stays: func(o other) bool { return len(o.principals()) == 1 },
			words: "has an application “Another name” now",
		},
		"the application is set up for something else": {
			before: func(o other) { o.application(appName) },
			meanwhile: func(o other) {
				app := graph.Application{}
				app.ID = o.applications()[0].ID
				o.identifier(app, "https://something.example/else")
			},
			stays: func(o other) bool {
				return slices.Equal(o.applications()[0].IdentifierURIs, []string{"https://something.example/else"})
			},
			words: "https://something.example/else",
		},
		"the application is deleted": {
			before:    func(o other) { o.application(appName) },
			meanwhile: func(o other) { o.Change(http.MethodDelete, "/applications/"+o.applications()[0].ID, nil, nil) },
			stays:     func(o other) bool { return len(o.principals()) == 0 },
			words:     "is deleted",
		},
		"another identity provider": {
			meanwhile: func(o other) { o.change() },
			stays:     func(o other) bool { return o.inForce() == otherIssuer },
			words:     otherIssuer,
		},
		"another identity provider's metadata": {
			meanwhile: func(o other) { o.upload() },
			stays: func(o other) bool {
				list, err := o.Admin.Configurations(o.t.Context())
				return err == nil && len(list) == 1 && list[0].EntityID == otherIssuer
			},
			words: otherIssuer,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
			if test.before != nil {
				test.before(o)
			}
			err := o.run(test.meanwhile)
			if !errors.Is(err, connect.ErrChanged) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("it is %v; want %q", err, test.words)
			}
			if !test.stays(o) {
				t.Error("it did not stay")
			}
		})
	}
}

func (o other) applications() []graph.Application {
	o.t.Helper()
	all, err := graph.All[graph.Application](o.t.Context(), o.Client, "/applications"+
		graph.Filter("applicationTemplateId", graph.AWSTemplateID))
	if err != nil || len(all) == 0 {
		o.t.Fatal(all, err)
	}
	return all
}

// TestWhatSomebodyHasDoneAlreadyIsTaken: the group is assigned, provisioning is on, and there are a
// certificate and a job, all since the plan was made. Nothing is doubled.
func TestWhatSomebodyHasDoneAlreadyIsTaken(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
	o.application(appName)
	at := "/servicePrincipals/" + o.principals()[0].ID
	err := o.run(func(o other) {
		named := "/groups" + graph.Filter("displayName", "Engineering")
		group, err := graph.All[graph.Group](t.Context(), o.Client, named)
		if err != nil || len(group) != 1 {
			t.Fatal(group, err)
		}
		o.Change(http.MethodPost, at+"/appRoleAssignedTo", graph.AppRoleAssignment{
			PrincipalID: group[0].ID, ResourceID: o.principals()[0].ID, AppRoleID: o.principals()[0].AppRoles[0].ID,
		}, nil)
		o.Change(http.MethodPost, at+"/addTokenSigningCertificate", map[string]any{"displayName": "CN=Early"}, nil)
		o.Change(http.MethodPost, at+"/synchronization/jobs",
			graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	assigned, e1 := graph.All[graph.AppRoleAssignment](t.Context(), o.Client, at+"/appRoleAssignedTo")
	jobs, e2 := graph.All[graph.SynchronizationJob](t.Context(), o.Client, at+"/synchronization/jobs")
	if err := errors.Join(e1, e2); err != nil || len(assigned) != 1 || len(jobs) != 1 {
		t.Errorf("%d assignments, %d jobs, %v; want one of each", len(assigned), len(jobs), err)
	}
	if keys := o.principals()[0].KeyCredentials; len(keys) != 2 { // both halves of one
		t.Errorf("the certificates are %+v", keys)
	}
}

func instantiating(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/instantiate") }

// meanwhile does something just before a request arrives, once.
type meanwhile struct {
	at func(*http.Request) bool
	do func()
}

func (m *meanwhile) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.do != nil && m.at(r) {
		m.do()
		m.do = nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestTwoRunsAtOnceMakeOneApplication: both have looked, and seen none. Who comes second deletes
// its own.
func TestTwoRunsAtOnceMakeOneApplication(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
	first := graph.ApplicationServicePrincipal{}
	client := &http.Client{Transport: &meanwhile{instantiating, func() {
		first = o.application(appName)
		o.Forward(time.Minute) // it is the earlier one
	}}}
	plan, err := connect.Observe(t.Context(), config(o.Ends, client, "Engineering"))
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	if all := o.principals(); !errors.Is(err, connect.ErrChanged) || len(all) != 1 ||
		all[0].ID != first.ServicePrincipal.ID {
		t.Errorf("the applications are %+v, %v; want %s", all, err, first.ServicePrincipal.ID)
	}
}

// carriedOut is a tenant that does what it is asked, and says once that it is not available.
type carriedOut struct {
	at   func(*http.Request) bool
	said bool
}

func (c *carriedOut) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || c.said || !c.at(r) {
		return res, err
	}
	c.said = true
	_ = res.Body.Close()
	return unavailable(r, "0.001"), nil
}

// TestNothingIsMadeTwiceWhereTheTenantWasNotAvailable, though it was asked twice or three times.
func TestNothingIsMadeTwiceWhereTheTenantWasNotAvailable(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"application": "/instantiate", "certificate": "/addTokenSigningCertificate", "job": "/synchronization/jobs",
		"assignment": "/appRoleAssignedTo",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
			err := m.connect(&carriedOut{at: func(r *http.Request) bool {
				return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, path)
			}}, false)
			if err != nil {
				t.Fatal(err)
			}
			all := other{m.Ends, t}.principals()
			if len(all) != 1 || len(all[0].KeyCredentials) != 2 {
				t.Errorf("the applications are %+v", all)
			}
			m.hasOne()
		})
	}
}

// TestAnUnansweredCertificateIsTaken by the next run, and no other is made.
func TestAnUnansweredCertificateIsTaken(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	making := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/addTokenSigningCertificate") }
	m.dies(making, true, false)
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
	if all := (other{m.Ends, t}).principals(); len(all) != 1 || len(all[0].KeyCredentials) != 2 {
		t.Errorf("the applications are %+v", all)
	}
}

// TestACertificateThatIsActiveAgainIsTrusted: somebody has the tenant sign with the old one again
// while a rotation is about to end the trust in it.
func TestACertificateThatIsActiveAgainIsTrusted(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	r.SignIn(pairtest.Amara)
	at := "/servicePrincipals/" + r.Tenant.ServicePrincipalID
	var before graph.ServicePrincipal
	r.Change(http.MethodGet, at, nil, &before)
	if _, err := r.run(connect.ObserveCertificateRotation, http.DefaultClient, 0); err != nil {
		t.Fatal(err)
	}
	r.forward(2 * time.Hour)
	r.SignIn(pairtest.Amara)
	back := &meanwhile{
		func(r *http.Request) bool { return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".LookupEvents") },
		func() {
			r.Change(http.MethodPatch, at, map[string]any{
				"preferredTokenSigningKeyThumbprint": before.PreferredTokenSigningKeyThumbprint,
			}, nil)
		},
	}
	_, err := r.run(connect.ObserveCertificateRotation, &http.Client{Transport: back}, 30*24*time.Hour)
	if back.do != nil || !errors.Is(err, connect.ErrChanged) || len(r.certificates()) != 2 {
		t.Errorf("the center trusts %d certificates, %v", len(r.certificates()), err)
	}
	r.SignIn(pairtest.Amara)
}

// TestAJobThatSomebodyHasPausedStaysSo: the plan changes its settings, and says nothing of that.
func TestAJobThatSomebodyHasPausedStaysSo(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t), t}
	cfg := config(o.Ends, http.DefaultClient, "Engineering")
	cfg.SyncAll = true
	plan, err := connect.Observe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	o.Change(http.MethodPost, o.JobPath()+"/pause", nil, nil)
	err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	var job graph.SynchronizationJob
	o.Change(http.MethodGet, o.JobPath(), nil, &job)
	if !errors.Is(err, connect.ErrChanged) || job.Schedule.State == "Active" {
		t.Errorf("the job is %s, %v", job.Schedule.State, err)
	}
}

// TestAJobThatWritesElsewhereByNowStaysSo: somebody has another center provisioned by it.
func TestAJobThatWritesElsewhereByNowStaysSo(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t), t}
	cfg := config(o.Ends, http.DefaultClient, "Engineering")
	cfg.SyncAll = true
	plan, err := connect.Observe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	way := pairtest.NewWay(t, o.SCIM.BaseURL)
	o.PutSecrets(way.URL)
	err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	var saved graph.Secrets
	o.Change(http.MethodGet, "/servicePrincipals/"+o.Tenant.ServicePrincipalID+"/synchronization/secrets", nil, &saved)
	if !errors.Is(err, connect.ErrChanged) || !slices.ContainsFunc(saved.Value, func(kv graph.KeyValue) bool {
		return kv.Key == graph.KeyBaseAddress && kv.Value == way.URL
	}) {
		t.Errorf("what is saved is %+v, %v", saved.Value, err)
	}
}

// earlier is a center of a release that does not know which identity source is meant.
type earlier struct{ asked int }

func (e *earlier) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("X-Amz-Target") == "" {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(body, []byte(`"InForce"`)) {
		r.Body = io.NopCloser(bytes.NewReader(body))
		return http.DefaultTransport.RoundTrip(r)
	}
	e.asked++
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"__type":"ValidationException","message":"it does not know the member ` +
			`InForce; Gatehouse refuses what it would otherwise ignore"}`)),
	}, nil
}

// TestAnIdentitySourceThatAnotherRunHasJustChangedIsTaken: its request is carried out between the
// look of this run and its request.
func TestAnIdentitySourceThatAnotherRunHasJustChangedIsTaken(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	another := &meanwhile{
		func(r *http.Request) bool {
			return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".EnableExternalIdPConfigurationForDirectory")
		},
		func() {
			list, err := m.Admin.Configurations(t.Context())
			if err == nil {
				err = m.Admin.EnableConfiguration(t.Context(), adminapi.ChangeInput{
					ConfigurationID: list[0].ConfigurationID, Confirmation: connect.Confirmation,
				})
			}
			if err != nil {
				t.Error(err)
			}
		},
	}
	if err := m.connect(another, false); err != nil || another.do != nil {
		t.Errorf("the other run was there: %v; %v", another.do == nil, err)
	}
	m.hasOne()
}

// TestACenterOfAnEarlierReleaseIsConnected and taken back.
func TestACenterOfAnEarlierReleaseIsConnected(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	center := &earlier{}
	if err := m.connect(center, false); err != nil {
		t.Fatal(err)
	}
	undo, err := connect.ObserveUndo(
		t.Context(), config(m.Ends, &http.Client{Transport: center}), connect.UndoOptions{},
	)
	if err == nil {
		err = undo.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if is := (other{m.Ends, t}).inForce(); err != nil || is != "" || center.asked != 2 {
		t.Errorf("the identity provider is %q, asked %d times, %v", is, center.asked, err)
	}
}

// TestTwoMachinesConnectAtOnce: each has a folder of its own, so nothing keeps them apart. Whoever
// finds the other's work ends or goes on, the next run completes it, and undo takes all of it back.
func TestTwoMachinesConnectAtOnce(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
	machines := []remembering{{o.Ends, t, t.TempDir()}, {o.Ends, t, t.TempDir()}}
	ended := make(chan error, len(machines))
	for _, m := range machines {
		cfg := config(m.Ends, http.DefaultClient, "Engineering")
		cfg.Folder = m.folder
		plan, err := connect.Observe(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {}) }()
	}
	for range machines {
		if err := <-ended; err != nil {
			t.Logf("one ended: %v", err)
		}
	}
	m := machines[0]
	m.Forward(2 * time.Minute)
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
	all := o.principals()
	if len(all) != 1 {
		t.Fatalf("the applications are %+v", all)
	}
	at := "/servicePrincipals/" + all[0].ID
	assigned, e1 := graph.All[graph.AppRoleAssignment](t.Context(), o.Client, at+"/appRoleAssignedTo")
	jobs, e2 := graph.All[graph.SynchronizationJob](t.Context(), o.Client, at+"/synchronization/jobs")
	if err := errors.Join(e1, e2); err != nil || len(assigned) != 1 || len(jobs) != 1 {
		t.Errorf("%d assignments, %d jobs, %v; want one of each", len(assigned), len(jobs), err)
	}
	if err := o.undoes(func(other) {}, connect.UndoOptions{DeleteApplication: true}); err != nil {
		t.Error(err)
	}
	if left := o.principals(); len(left) != 0 || o.inForce() != "" {
		t.Errorf("after undo there are %+v, and the identity provider %q", left, o.inForce())
	}
}

// TestAPlanThatIsMadeAgainOverwritesNothingNew: the steps have the same names as before somebody
// was asked, and would overwrite what others have set meanwhile.
func TestAPlanThatIsMadeAgainOverwritesNothingNew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, meanwhile func(other)
		words             string
	}{
		"reply URLs": {
			before:    func(o other) { o.application(appName) },
			meanwhile: func(o other) { o.replies(o.applications()[0].ID, "https://one.example/acs") },
			words:     "https://one.example/acs",
		},
		"a sign-on URL": {
			before: func(o other) { o.application(appName) },
			meanwhile: func(o other) {
				o.Change(http.MethodPatch, "/servicePrincipals/"+o.principals()[0].ID,
					map[string]any{"loginUrl": "https://elsewhere.example/start"}, nil)
			},
			words: "https://elsewhere.example/start",
		},
		"another identity provider":            {meanwhile: func(o other) { o.change() }, words: otherIssuer},
		"another identity provider's metadata": {meanwhile: func(o other) { o.upload() }, words: otherIssuer},
		"nothing":                              {meanwhile: func(other) {}},
		"a certificate": {
			before: func(o other) { o.application(appName) },
			meanwhile: func(o other) {
				o.Change(http.MethodPost, "/servicePrincipals/"+o.principals()[0].ID+"/addTokenSigningCertificate",
					map[string]any{"displayName": "CN=Early"}, nil)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
			if test.before != nil {
				test.before(o)
			}
			cfg := config(o.Ends, http.DefaultClient, "Engineering")
			plan, err := connect.Observe(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			test.meanwhile(o)
			now, err := plan.Again(t.Context(), cfg, connect.Observe)
			if test.words == "" {
				if err != nil || now.Pending() != plan.Pending() {
					t.Errorf("it is %v", err)
				}
				return
			}
			if !errors.Is(err, connect.ErrMoved) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("it is %v; want %q", err, test.words)
			}
		})
	}
}

// TestACertificateThatSomebodyHasChosenMeanwhileIsTrusted: the plan is to upload the metadata, and
// was made while the tenant signed with another one.
func TestACertificateThatSomebodyHasChosenMeanwhileIsTrusted(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	m.dies(func(r *http.Request) bool {
		return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".CreateExternalIdPConfigurationForDirectory")
	}, false, false)
	err := other{m.Ends, t}.run(func(o other) {
		at := "/servicePrincipals/" + o.principals()[0].ID
		var newer graph.KeyCredential
		o.Change(http.MethodPost, at+"/addTokenSigningCertificate", map[string]any{"displayName": "CN=Newer"}, &newer)
		o.Change(http.MethodPatch, at, map[string]any{"preferredTokenSigningKeyThumbprint": newer.Thumbprint}, nil)
	})
	if err != nil {
		t.Error(err)
	}
}
