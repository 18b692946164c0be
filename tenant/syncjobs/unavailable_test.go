package syncjobs_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

// TestALostDatabaseIsNotTheTargetsDoing stops the tenant's database in the middle of a cycle. The
// job is not told that its target has failed, and the next cycle succeeds.
func TestALostDatabaseIsNotTheTargetsDoing(t *testing.T) {
	ctx := context.Background()
	postgres := sqldbtest.NewServer(t)
	s, err := store.Open(ctx, postgres.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := tenanttest.On(t, s)
	var once sync.Once
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { postgres.Stop(t) })
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,`+
			`"Resources":[]}`)
	}))
	t.Cleanup(target.Close)
	app, err := tn.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "App")
	if err != nil {
		t.Fatal(err)
	}
	j, err := tn.CreateJob(ctx, tenanttest.Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate)
	if err != nil {
		t.Fatal(err)
	}
	ada := tenant.User{UserPrincipalName: "ada@northwind.example", DisplayName: "Ada"} // disabled: nothing to create
	if _, err := tn.CreateUser(ctx, tenanttest.Actor, ada, ""); err != nil {
		t.Fatal(err)
	}
	address, token := target.URL+"/", "a token"
	everybody := true
	settings := tenant.JobSettings{BaseAddress: &address, SecretToken: &token, SyncAll: &everybody}
	if err := tn.ConfigureJob(ctx, tenanttest.Actor, j.ID, settings); err != nil {
		t.Fatal(err)
	}
	if err := tn.StartJob(ctx, tenanttest.Actor, j.ID); err != nil {
		t.Fatal(err)
	}
	jobs := syncjobs.New(tn, slog.New(slog.DiscardHandler), target.Client())
	if err := jobs.RunJob(ctx, j); refusal.CodeOf(err) != tenant.StoreUnavailable {
		t.Errorf("without a database a cycle ends with %v, want %v", err, tenant.StoreUnavailable)
	}
	postgres.Start(t)
	if j, err = tn.Job(ctx, j.ServicePrincipalID, j.ID); err != nil {
		t.Fatal(err)
	}
	if j.Last != nil || j.Quarantine != nil {
		t.Errorf("the job blames its target: %+v, %+v", j.Last, j.Quarantine)
	}
	if err := jobs.RunJob(ctx, j); err != nil {
		t.Fatal(err)
	}
	if j, err = tn.Job(ctx, j.ServicePrincipalID, j.ID); err != nil || j.Last == nil || j.Last.State != "Succeeded" {
		t.Errorf("the next cycle: %+v, %v", j.Last, err)
	}
}
