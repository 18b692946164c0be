package aws_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// keeper is an operator who also does what comes later.
type keeper struct{ *operator }

func (k keeper) Do(ctx context.Context, t aws.Task) error {
	var err error
	switch {
	case strings.HasSuffix(t.Title, "source back"):
		err = k.Admin.UndoIdentitySourceChange(ctx, t.Copy)
	case strings.HasPrefix(t.Title, "Disable automatic") && k.forgets:
	case strings.HasPrefix(t.Title, "Disable automatic"):
		tenants, listed := k.Admin.Tenants(ctx)
		if err = listed; err == nil {
			err = k.Admin.RevokeTokens(ctx, tenants[0].TenantID)
		}
		if err == nil {
			err = k.Admin.DeleteTenant(ctx, tenants[0].TenantID)
		}
	case strings.HasPrefix(t.Title, "Import") && k.forgets:
	case strings.HasPrefix(t.Title, "Import"):
		err = k.Admin.ImportCertificate(ctx, string(t.Offer.Data))
	case strings.HasPrefix(t.Title, "Delete the old certificate"):
		list, listed := k.Admin.ListCertificates(ctx)
		if err = listed; err == nil { // they are listed by their ends
			err = k.Admin.DeleteCertificate(ctx, list[0].CertificateID, t.Copy)
		}
	default:
		return k.operator.Do(ctx, t)
	}
	if err != nil {
		return err
	}
	k.did = append(k.did, t.Title)
	return k.bring(ctx, t, "word", "DONE")
}

// TestAPersonKeepsAndTakesBackWhatIsAtAWS: token and certificate are replaced, and the connection
// is taken back, by tasks where AWS has no API.
func TestAPersonKeepsAndTakesBackWhatIsAtAWS(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := t.Context()
	ahead := time.Duration(0)
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	settings := func() connect.Config {
		at := atAWS(w.Pair, w.limits)
		at.Guide, at.Folder = keeper{w.operator}, w.folder
		at.HTTP = w.client
		c, err := aws.Open(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := w.config(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Center, cfg.Discover = c, c.Discover
		cfg.Now = func() time.Time { return time.Now().Add(ahead) }
		return cfg
	}
	rotate := func(observe func(context.Context, connect.Config, time.Duration) (*connect.Rotation, error)) []string {
		t.Helper()
		w.did = nil
		r, err := observe(ctx, settings(), 0)
		if err == nil {
			err = r.Apply(ctx, func(int, bool) {})
		}
		if err != nil {
			t.Fatal(err)
		}
		return w.did
	}
	want := func(did []string, titles ...string) {
		t.Helper()
		if !slices.Equal(did, titles) {
			t.Errorf("the person did %q; want %q", did, titles)
		}
	}
	want(rotate(connect.ObserveTokenRotation), "Generate an access token", "Delete the older access token")
	want(rotate(connect.ObserveCertificateRotation), "Import the new certificate", "Sign in with the new certificate")
	w.SignIn(pairtest.Amara)
	ahead = 2 * time.Hour
	w.Forward(ahead)
	want(rotate(connect.ObserveCertificateRotation))
	w.SignIn(pairtest.Amara)
	w.limits.trail = []string{trailEvent(ahead, "Success", "")}
	want(rotate(connect.ObserveCertificateRotation), "Delete the old certificate")
	w.SignIn(pairtest.Amara)
	if h, err := connect.ObserveHealth(ctx, settings()); err != nil || h.Condition == connect.Broken {
		t.Errorf("it is %+v, %v", h, err)
	}

	w.did = nil
	undo, err := connect.ObserveUndo(ctx, settings(), connect.UndoOptions{DeleteApplication: true})
	if err == nil {
		err = undo.Apply(ctx, connect.Confirmation, func(int, bool) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	want(w.did, "Disable automatic provisioning", "Change the identity source back")
	d, err := w.Admin.DescribeDirectory(ctx)
	if err != nil || d.IdentitySource != adminapi.SourceDirectory {
		t.Errorf("AWS's identity source is %s, %v", d.IdentitySource, err)
	}
	apps, err := graph.All[graph.ServicePrincipal](ctx, w.Client, "/servicePrincipals")
	if err != nil || len(apps) != 0 {
		t.Errorf("the tenant has %d applications, %v", len(apps), err)
	}
	undo, err = connect.ObserveUndo(ctx, settings(), connect.UndoOptions{DeleteApplication: true})
	if err != nil || undo.Pending() != 0 {
		t.Errorf("undone twice: %+v, %v", undo, err)
	}
	plan, err := connect.Observe(ctx, settings()) // and connect again works
	if err == nil {
		err = plan.Apply(ctx, connect.Confirmation, func(int, bool) {})
	}
	if err == nil {
		_, err = plan.Verify(ctx, func(int, int) {})
	}
	if err != nil {
		t.Errorf("connected again: %v", err)
	}
}

// TestWhoSaysThatProvisioningIsOffIsAskedOfTheTenant: somebody says so and has not done it. The
// undo goes no further, and the next one begins with it.
func TestWhoSaysThatProvisioningIsOffIsAskedOfTheTenant(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	if _, _, err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settle = 10 * time.Millisecond
	for _, w.forgets = range []bool{true, false} {
		undo, err := connect.ObserveUndo(t.Context(), w.kept(t, 0), connect.UndoOptions{})
		if err == nil {
			err = undo.Apply(t.Context(), connect.Confirmation, func(int, bool) {})
		}
		if said := err != nil && strings.Contains(err.Error(), "still takes the tenant's token"); said != w.forgets {
			t.Errorf("forgotten: %t; it says %v", w.forgets, err)
		}
	}
}
