package aws_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
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

// onlooker is a keeper who looks what the identity source is, and changes it back if it is the
// tenant's.
type onlooker struct{ keeper }

func (o onlooker) Do(ctx context.Context, t aws.Task) error {
	if o.leaves != "" && strings.HasPrefix(t.Title, o.leaves) {
		return errAway
	}
	if tenants, err := o.Admin.Tenants(ctx); strings.HasPrefix(t.Title, "Disable") && len(tenants) == 0 {
		return errors.Join(err, o.bring(ctx, t, "word", "DONE")) // it was needed before
	}
	if !strings.Contains(t.Title, "if it is your tenant") {
		return o.keeper.Do(ctx, t)
	}
	o.did = append(o.did, t.Title)
	clicks := strings.Join(t.Clicks, "\n")
	list, err := o.Admin.Configurations(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.Status == adminapi.StatusEnabled && strings.Contains(clicks, c.EntityID) {
			tenants, err := o.Admin.Tenants(ctx)
			if err == nil && len(tenants) > 0 {
				err = errors.Join(
					o.Admin.RevokeTokens(ctx, tenants[0].TenantID), o.Admin.DeleteTenant(ctx, tenants[0].TenantID),
				)
			}
			if err == nil {
				err = o.Admin.DisableConfiguration(ctx, adminapi.ConfirmInput{Confirmation: t.Copy})
			}
			if err != nil {
				return err
			}
		}
	}
	return o.bring(ctx, t, "word", "DONE")
}

// undoing is how an onlooker takes a walk's connection back.
func (w *walk) undoing(ctx context.Context) connect.Config {
	w.T.Helper()
	at := atAWS(w.Pair, w.limits)
	at.Guide, at.HTTP = onlooker{keeper{w.operator}}, w.client
	at.Folder = w.folder
	c, err := aws.Open(ctx, at)
	if err != nil {
		w.T.Fatal(err)
	}
	cfg, err := w.config(ctx)
	if err != nil {
		w.T.Fatal(err)
	}
	cfg.Center = c
	return cfg
}

func (w *walk) undo(ctx context.Context) (*connect.Undo, error) {
	w.T.Helper()
	undo, err := connect.ObserveUndo(ctx, w.undoing(ctx), connect.UndoOptions{DeleteApplication: true})
	if err != nil {
		w.T.Fatal(err)
	}
	return undo, undo.Apply(ctx, connect.Confirmation, func(int, bool) {})
}

// stands is what there is of a connection: the identity source, applications and active jobs.
func (w *walk) stands(ctx context.Context) (source string, applications, active int) {
	w.T.Helper()
	d, err := w.Admin.DescribeDirectory(ctx)
	if err != nil {
		w.T.Fatal(err)
	}
	apps, err := graph.All[graph.ServicePrincipal](ctx, w.Client, "/servicePrincipals")
	if err != nil {
		w.T.Fatal(err)
	}
	for _, a := range apps {
		jobs, err := graph.All[graph.SynchronizationJob](
			ctx, w.Client, "/servicePrincipals/"+a.ID+"/synchronization/jobs",
		)
		if err != nil {
			w.T.Fatal(err)
		}
		for _, j := range jobs {
			if j.Schedule != nil && j.Schedule.State == "Active" {
				active++
			}
		}
	}
	return d.IdentitySource, len(apps), active
}

// TestWhatAWSMayTrustIsNotDeletedBeforeItIsChangedBack: AWS does not tell its identity source. On a
// machine that does not know the connection, and after a run that ended between the console and
// the proof, a person looks before anything is taken away.
func TestWhatAWSMayTrustIsNotDeletedBeforeItIsChangedBack(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*walk){
		"another machine": func(w *walk) { w.folder = w.T.TempDir() },
		"a run that ended before the proof": func(w *walk) {
			files, err := filepath.Glob(filepath.Join(w.folder, "*.json"))
			if err != nil || len(files) != 1 {
				w.T.Fatal(files, err)
			}
			var journal map[string]any
			if err := connect.ReadFile(files[0], &journal); err != nil {
				w.T.Fatal(err)
			}
			trust, is := journal["trust"].(map[string]any)
			if !is {
				w.T.Fatalf("%+v", journal)
			}
			trust["Status"] = adminapi.StatusPending
			journal["change_begun"] = map[string]any{"at": time.Now()}
			if err := connect.WriteFile(files[0], journal); err != nil {
				w.T.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(t)
			ctx := t.Context()
			if _, _, err := w.run(ctx); err != nil {
				t.Fatal(err)
			}
			lose(w)
			w.leaves = "Change the identity source back"
			undo, err := w.undo(ctx)
			if !errors.Is(err, errAway) || undo.Steps[0].Done || !strings.Contains(undo.Steps[0].Detail, "not tell") {
				t.Fatalf("%+v, %v", undo.Steps, err)
			}
			if source, apps, active := w.stands(ctx); source != adminapi.SourceExternal || apps != 1 || active != 1 {
				t.Fatalf("the person went away, and there are %s, %d applications, %d jobs", source, apps, active)
			}
			w.leaves = ""
			if _, err := w.undo(ctx); err != nil {
				t.Fatal(err)
			}
			if source, apps, _ := w.stands(ctx); source != adminapi.SourceDirectory || apps != 0 {
				t.Errorf("after undo: %s, %d applications", source, apps)
			}
			if undo, err := w.undo(ctx); err != nil || undo.Pending() != 0 {
				t.Errorf("undone twice: %+v, %v", undo.Steps, err)
			}
		})
	}
}

// TestATenantIsKnownByItsIssuer, and not by how its sign-in URL is written.
func TestATenantIsKnownByItsIssuer(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]func(p pairtest.Ends) string{
		"capitals": func(p pairtest.Ends) string { return strings.ToUpper(p.Tenant.TenantID) },
		"domain":   func(pairtest.Ends) string { return "northwind.example" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUndoing(t)
			u.connect(true)
			cfg := u.config(&http.Client{Transport: anyCase{u.Tenant.TenantID}})
			cfg.LoginURL = u.Tenant.URL + "/" + written(u.Ends)
			undo, err := connect.ObserveUndo(u.ctx, cfg, connect.UndoOptions{DeleteApplication: true})
			if err == nil {
				err = undo.Apply(u.ctx, connect.Confirmation, func(int, bool) {})
			}
			if err != nil {
				t.Fatal(err)
			}
			d, err := u.Admin.DescribeDirectory(u.ctx)
			if err != nil || d.IdentitySource != adminapi.SourceDirectory {
				t.Errorf("the application is gone, and the identity source is %s, %v", d.IdentitySource, err)
			}
			i := slices.IndexFunc(undo.Steps, func(s connect.Step) bool { return s.Title == "Identity source" })
			if !strings.Contains(undo.Steps[i].Detail, "from the tenant") {
				t.Errorf("the plan says %+v", undo.Steps[i])
			}
		})
	}
}

// anyCase is a tenant that takes its id in capitals too, as Microsoft's does.
type anyCase struct{ id string }

func (a anyCase) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Path = strings.Replace(r.URL.Path, strings.ToUpper(a.id), a.id, 1)
	return http.DefaultTransport.RoundTrip(r)
}

// TestALoginURLOfNoTenantTakesNothingBack: where it cannot be told whose the center's trust is,
// nothing is deleted.
func TestALoginURLOfNoTenantTakesNothingBack(t *testing.T) {
	t.Parallel()
	u := newUndoing(t)
	u.connect(true)
	cfg := u.config(http.DefaultClient)
	cfg.LoginURL = u.Tenant.URL + "/organizations"
	_, err := connect.ObserveUndo(u.ctx, cfg, connect.UndoOptions{DeleteApplication: true})
	if err == nil || !strings.Contains(err.Error(), "--login-url") {
		t.Errorf("it goes on: %v", err)
	}
}
