package connect_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// withheld stands for a tenant that did not consent to everything: it refuses what has a path.
type withheld struct {
	path   string
	status int
}

func (w *withheld) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.path == "" || !strings.Contains(r.URL.Path, w.path) {
		return http.DefaultTransport.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: w.status, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"Authorization_RequestDenied","message":"no"}}`)),
	}, nil
}

// TestAMissingPermissionIsNamed: which one, and how it is given. When it is given, the next run
// goes on where the last one was stopped.
func TestAMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	stop := &withheld{}
	cfg := config(e, &http.Client{Transport: stop}, "Finance")
	cfg.Settle = 1 // a new application may be unknown for a while, and a refusal looks the same
	run := func() error {
		plan, err := connect.Observe(ctx, cfg)
		if err != nil {
			return err
		}
		return plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	}
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/groups", http.StatusForbidden, "needs the permission GroupMember.Read.All"},
		{"/instantiate", http.StatusForbidden, "needs the permission Application.ReadWrite.All"},
		{"/appRoleAssignedTo", http.StatusForbidden, "AppRoleAssignment.ReadWrite.All"},
		{"/synchronization/jobs", http.StatusForbidden, "Synchronization."},
		{"/servicePrincipals", http.StatusUnauthorized, "sign in again"},
	} {
		stop.path, stop.status = c.path, c.status
		if err := run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
	stop.path = ""
	if err := run(); err != nil {
		t.Errorf("with consent: %v", err)
	}
}

// TestAnUndoNamesAMissingPermission too: whoever takes back may not be who connected.
func TestAnUndoNamesAMissingPermission(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	stop := &withheld{}
	cfg := config(e, &http.Client{Transport: stop})
	cfg.Settle = 1
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/servicePrincipals", http.StatusForbidden, "needs the permission Application.Read.All"},
		{"/servicePrincipals", http.StatusUnauthorized, "sign in again"},
		{"/synchronization/jobs", http.StatusForbidden, "needs the permission Synchronization.Read.All"},
		{"/synchronization/secrets", http.StatusForbidden, "needs the permission Synchronization.Read.All"},
		{"/pause", http.StatusForbidden, "needs the permission Synchronization.ReadWrite.All"},
	} {
		stop.path, stop.status = c.path, c.status
		back, err := connect.ObserveUndo(t.Context(), cfg, connect.UndoOptions{DeleteApplication: true})
		if err == nil {
			err = back.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
}

// signedInBy sends the tenant's own token in place of one that Microsoft would have made.
type signedInBy struct{ bearer string }

func (s signedInBy) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+s.bearer)
	return http.DefaultTransport.RoundTrip(r)
}

// TestATokenThatWillNotDoIsNamedInThePlan: before anything has changed.
func TestATokenThatWillNotDoIsNamedInThePlan(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	own, err := graph.Tokens(
		ctx, graph.Scope(e.Tenant.GraphURL), e.Tenant.TokenURL, e.Tenant.ClientID, e.Tenant.ClientSecret,
		http.DefaultClient,
	).Token()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: signedInBy{own.AccessToken}}
	for claims, lacks := range map[string]bool{
		`{"scp":"Application.ReadWrite.All Directory.AccessAsUser.All"}`: true,
		`{"scp":""}`: true,
		`{"scp":"Application.ReadWrite.All Synchronization.ReadWrite.All openid"}`: false,
		`{"roles":["Application.ReadWrite.OwnedBy"]}`:                              false,
		`not of JSON`: false,
	} {
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
		cfg := config(e, http.DefaultClient)
		cfg.Graph = graph.ClientOf(
			ctx, e.Tenant.GraphURL, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token}), client,
		)
		for _, tokenless := range []bool{false, true} {
			cfg.Tokenless = tokenless
			plan, err := connect.Observe(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(plan.Notes, "\n")
			if said := strings.Contains(notes, "Synchronization.ReadWrite.All"); said != (lacks && !tokenless) {
				t.Errorf("%s, tokenless %t: %q", claims, tokenless, notes)
			}
		}
	}
}

// TestTheTenantTellsItsSignInURL: nobody has to look the tenant's id up.
func TestTheTenantTellsItsSignInURL(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	got, err := connect.MicrosoftLogin(context.Background(), e.Client)
	if want := "https://login.microsoftonline.com/" + e.Tenant.TenantID; err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
}

// TestStatusSaysWhatMayBeRead: a monitor has few permissions. It learns what they show, and which
// one is missing for the rest.
func TestStatusSaysWhatMayBeRead(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	for path, want := range map[string]struct {
		permission string
		condition  connect.Condition
		parts      []string // what is found to differ all the same
	}{
		"/validateCredentials":     {"Synchronization.ReadWrite.All", connect.Drifted, []string{"Provisioning"}},
		"/synchronization/secrets": {"Synchronization.Read.All", connect.Drifted, []string{"Provisioning"}},
		"/synchronization/jobs":    {"Synchronization.Read.All", connect.Unknown, nil},
		"/applications":            {"Application.Read.All", connect.Unknown, nil},
		"/servicePrincipals":       {"Application.Read.All", connect.Unknown, nil},
	} {
		stop := &withheld{path, http.StatusForbidden}
		h, err := connect.ObserveHealth(t.Context(), config(e, &http.Client{Transport: stop}))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var parts []string
		for _, f := range h.Findings {
			parts = append(parts, f.Part)
		}
		if len(h.Unread) != 1 || h.Unread[0].Permission != want.permission || h.Condition != want.condition ||
			!slices.Equal(parts, want.parts) || len(h.Expires) == 0 {
			t.Errorf("%s: %+v", path, h)
		}
		var out strings.Builder
		h.Print(&out)
		if !strings.Contains(out.String(), "it needs the permission "+want.permission) {
			t.Errorf("%s: %s", path, out.String())
		}
	}
	if _, err := connect.ObserveRepair(t.Context(), config(e, &http.Client{
		Transport: &withheld{"/validateCredentials", http.StatusForbidden},
	})); err == nil {
		t.Error("what changes something goes on without what it has to know")
	}
}

// TestStatusBelievesNoTokenThatIsNotThere: who may not test what the tenant has saved learns what
// the center says of its tokens.
func TestStatusBelievesNoTokenThatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	status := func(path string) (connect.Condition, []string) {
		t.Helper()
		cfg := config(r.Ends, &http.Client{Transport: &withheld{path, http.StatusForbidden}})
		h, err := connect.ObserveHealth(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, f := range h.Findings {
			parts = append(parts, f.Part)
		}
		return h.Condition, parts
	}
	const part = "Access token in the center"
	paths := []string{"/validateCredentials", "/synchronization/secrets"}
	for _, path := range paths {
		if _, parts := status(path); slices.Contains(parts, part) {
			t.Errorf("%s: a token in use is in %q", path, parts)
		}
	}
	for _, id := range r.tokens() {
		if err := r.Admin.DeleteBearerToken(t.Context(), r.tenant, id); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range paths {
		if c, parts := status(path); c != connect.Broken || !slices.Contains(parts, part) {
			t.Errorf("%s: without a token it is %s: %q", path, c, parts)
		}
	}
}
