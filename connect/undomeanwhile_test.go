package connect_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// undoes plans an undo, has the other do something, and applies it.
func (o other) undoes(meanwhile func(other), options connect.UndoOptions) error {
	o.t.Helper()
	undo, err := connect.ObserveUndo(o.t.Context(), config(o.Ends, http.DefaultClient), options)
	if err != nil {
		o.t.Fatal(err)
	}
	meanwhile(o)
	return undo.Apply(o.t.Context(), connect.Confirmation, func(int, bool) {})
}

// TestAnUndoTakesBackNothingOfSomebodyElses that was not there when it was planned.
func TestAnUndoTakesBackNothingOfSomebodyElses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(other)
		stays     func(other) bool
		words     string // empty: it is no error
	}{
		"another identity provider": {
			meanwhile: func(o other) { o.change() },
			stays:     func(o other) bool { return o.inForce() == otherIssuer },
			words:     otherIssuer,
		},
		"another undo": {
			meanwhile: func(o other) {
				if err := o.undoes(func(other) {}, connect.UndoOptions{DeleteApplication: true}); err != nil {
					o.t.Fatal(err)
				}
			},
			stays: func(o other) bool { return o.inForce() == "" },
		},
		"an access token": {
			meanwhile: func(o other) {
				if _, err := o.Admin.CreateBearerToken(o.t.Context(), o.scimTenant(), ""); err != nil {
					o.t.Fatal(err)
				}
			},
			stays: func(o other) bool {
				tokens, err := o.Admin.BearerTokens(o.t.Context(), o.scimTenant())
				return err == nil && len(tokens) == 2
			},
			words: "an access token more",
		},
		"the application is another center's": {
			meanwhile: func(o other) { o.identifier(o.applications()[0], "https://something.example/else") },
			stays:     func(o other) bool { return len(o.principals()) == 1 },
			words:     "https://something.example/else",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := other{pairtest.Start(t), t}
			err := o.undoes(test.meanwhile, connect.UndoOptions{DeleteApplication: true})
			stopped := errors.Is(err, connect.ErrChanged) && strings.Contains(err.Error(), test.words)
			if stopped != (test.words != "") || !stopped && err != nil {
				t.Errorf("it is %v; want %q", err, test.words)
			}
			if !test.stays(o) {
				t.Error("it did not stay")
			}
		})
	}
}

// toDirectory takes provisioning away and changes the identity source to the built-in directory.
func (o other) toDirectory() {
	o.t.Helper()
	id := o.scimTenant()
	tokens, err := o.Admin.BearerTokens(o.t.Context(), id)
	for _, x := range tokens {
		err = errors.Join(err, o.Admin.DeleteBearerToken(o.t.Context(), id, x.TokenID))
	}
	err = errors.Join(
		err, o.Admin.DeleteTenant(o.t.Context(), id),
		o.Admin.DisableConfiguration(o.t.Context(), adminapi.ConfirmInput{Confirmation: connect.Confirmation}),
	)
	if err != nil {
		o.t.Fatal(err)
	}
}

// TestAnUndoToAnotherProviderMeetsSomebody who has undone it too, which is as good, or has changed
// to the directory, which stays.
func TestAnUndoToAnotherProviderMeetsSomebody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(other)
		inForce   string
		stopped   error
	}{
		"another undo": {
			meanwhile: func(o other) {
				if err := o.undoes(func(other) {}, connect.UndoOptions{}); err != nil {
					o.t.Fatal(err)
				}
			},
			inForce: otherIssuer,
		},
		"the directory": {meanwhile: other.toDirectory, stopped: connect.ErrChanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
			o.change()
			if err := o.run(func(other) {}); err != nil {
				t.Fatal(err)
			}
			err := o.undoes(test.meanwhile, connect.UndoOptions{})
			if is := o.inForce(); is != test.inForce || !errors.Is(err, test.stopped) {
				t.Errorf("the identity provider is %q, %v", is, err)
			}
		})
	}
}

func (o other) scimTenant() string {
	o.t.Helper()
	tenants, err := o.Admin.Tenants(o.t.Context())
	if err != nil || len(tenants) != 1 {
		o.t.Fatal(tenants, err)
	}
	return tenants[0].TenantID
}

// TestTwoUndosAtOnceBringNobodyBack: the second one's request comes when the first one has just
// changed the identity source, which an undo would change to the tenant again.
func TestTwoUndosAtOnceBringNobodyBack(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t), t}
	at := func(r *http.Request) bool {
		return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UndoIdentitySourceChange")
	}
	client := &http.Client{Transport: &meanwhile{at, func() {
		if err := o.Admin.UndoIdentitySourceChange(context.Background(), connect.Confirmation); err != nil {
			t.Error(err)
		}
	}}}
	undo, err := connect.ObserveUndo(t.Context(), config(o.Ends, client), connect.UndoOptions{})
	if err == nil {
		err = undo.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if is := o.inForce(); is != "" || err != nil {
		t.Errorf("the identity provider is %q, %v", is, err)
	}
}

// TestAnUndoLeavesAnApplicationOfWhichOnlyTheNameFits: a colleague has just made it for another
// center, and has not set it up.
func TestAnUndoLeavesAnApplicationOfWhichOnlyTheNameFits(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t, gatehousetest.Unconnected()), t}
	o.application(appName)
	undo, err := connect.ObserveUndo(
		t.Context(), config(o.Ends, http.DefaultClient), connect.UndoOptions{DeleteApplication: true},
	)
	if err == nil {
		err = undo.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if err != nil || len(o.principals()) != 1 || !strings.Contains(strings.Join(undo.Notes, "\n"), "nobody can tell") {
		t.Errorf("%d applications, notes %q, %v", len(o.principals()), undo.Notes, err)
	}
}

// TestAnUndoDoesNotEndAtTheTenantsOlderMetadata: a repair has given the center the tenant's new
// certificate, so the identity provider before is the tenant, too.
func TestAnUndoDoesNotEndAtTheTenantsOlderMetadata(t *testing.T) {
	t.Parallel()
	o := other{pairtest.Start(t), t}
	at := "/servicePrincipals/" + o.Tenant.ServicePrincipalID
	var newer graph.KeyCredential
	o.Change(http.MethodPost, at+"/addTokenSigningCertificate", map[string]any{"displayName": "CN=Newer"}, &newer)
	o.Change(http.MethodPatch, at, map[string]any{
		"preferredTokenSigningKeyThumbprint": newer.Thumbprint,
	}, nil)
	plan, err := connect.ObserveRepair(t.Context(), config(o.Ends, http.DefaultClient))
	if err == nil {
		err = plan.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
	}
	if err != nil || !plan.Changes {
		t.Fatalf("the repair does not change the identity source: %v", err)
	}
	if err := o.undoes(func(other) {}, connect.UndoOptions{}); err != nil {
		t.Error(err)
	}
	d, err := o.Admin.DescribeDirectory(t.Context())
	if err != nil || d.IdentitySource != adminapi.SourceDirectory {
		t.Errorf("after undo the identity source is %s of %q, %v", d.IdentitySource, o.inForce(), err)
	}
}
