package tenant_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

const savedAddress = "https://scim.example.com/ID/scim/v2/"

// provisioned is a tenant with a job that has an address and a token.
func provisioned(t *testing.T) (*tenant.Tenant, tenant.Job) {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn := tenanttest.On(t, s)
	app, err := tn.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "AWS")
	if err != nil {
		t.Fatal(err)
	}
	j, err := tn.CreateJob(ctx, tenanttest.Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate)
	if err != nil {
		t.Fatal(err)
	}
	address, token := savedAddress, "the token"
	if err := tn.ConfigureJob(
		ctx, tenanttest.Actor, j.ID, tenant.JobSettings{BaseAddress: &address, SecretToken: &token},
	); err != nil {
		t.Fatal(err)
	}
	return tn, reread(t, tn, j)
}

func reread(t *testing.T, tn *tenant.Tenant, j tenant.Job) tenant.Job {
	t.Helper()
	j, err := tn.Job(context.Background(), j.ServicePrincipalID, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestASavedTokenIsBoundToItsAddress(t *testing.T) {
	ctx := context.Background()
	tn, j := provisioned(t)
	for _, same := range []string{
		savedAddress, "https://SCIM.example.com:443/ID/scim/v2", "https://scim.example.com/ID/scim/v2?x",
	} {
		if target, err := tn.SavedTarget(j, same); err != nil || target.Token().Reveal() != "the token" ||
			target.Address() != same {
			t.Errorf("%s: %v", same, err)
		}
	}
	others := []string{
		"https://scim.evil.example/ID/scim/v2/",
		"https://scim.example.com:8443/ID/scim/v2/",
		"https://scim.example.com/id/scim/v2/",
		"https://scim.example.com/OTHER/scim/v2/",
		"https://scim.example.com./ID/scim/v2/",
	}
	for _, other := range others {
		if target, err := tn.SavedTarget(j, other); refusal.CodeOf(err) != tenant.CredentialsMissing ||
			target.Token() != "" {
			t.Errorf("%s gets the token: %v", other, err)
		}
		if err := tn.ConfigureJob(
			ctx, tenanttest.Actor, j.ID, tenant.JobSettings{BaseAddress: &other},
		); refusal.CodeOf(err) != tenant.CredentialsMissing {
			t.Errorf("%s is saved without the token: %v", other, err)
		}
		moved := j // as if somebody had written it into the database
		moved.Credentials.BaseAddress = other
		if target, err := tn.SavedTarget(moved, other); err == nil || target.Token() != "" {
			t.Errorf("%s gets the token from the store", other)
		}
	}
	for _, wrong := range []string{
		"http://scim.example.com/", "https://u:p@scim.example.com/ID/scim/v2/", "https://scim.example.com/#x",
		"scim.example.com",
	} {
		if _, err := tn.SavedTarget(j, wrong); refusal.CodeOf(err) != tenant.InvalidValue {
			t.Errorf("%s: %v", wrong, err)
		}
		if _, err := tenant.NewTarget(wrong, "x"); refusal.CodeOf(err) != tenant.InvalidValue {
			t.Errorf("%s with a token: %v", wrong, err)
		}
	}
	again := "https://scim.example.com/ID/scim/v2"
	if err := tn.ConfigureJob(ctx, tenanttest.Actor, j.ID, tenant.JobSettings{BaseAddress: &again}); err != nil {
		t.Errorf("the same address, written in another way: %v", err)
	}
	j = reread(t, tn, j)
	if _, err := tn.SavedTarget(j, j.Credentials.BaseAddress); err != nil {
		t.Error(err)
	}
	none := ""
	if err := tn.ConfigureJob(ctx, tenanttest.Actor, j.ID, tenant.JobSettings{BaseAddress: &none}); err != nil ||
		reread(t, tn, j).Credentials.SealedToken != "" {
		t.Errorf("the token outlives its address: %v", err)
	}
	if err := tn.ConfigureJob(ctx, tenanttest.Actor, j.ID, tenant.JobSettings{BaseAddress: &others[0]}); err != nil {
		t.Errorf("an address without any token: %v", err)
	}
}

// TestTokensOfTheVersionBeforeGoOn: they were sealed for the job alone.
func TestTokensOfTheVersionBeforeGoOn(t *testing.T) {
	ctx := context.Background()
	tn, j := provisioned(t)
	j.Credentials.SealedToken = tn.Sealer.Seal("secret-token/"+string(j.ID), []byte("an old token"))
	if err := tn.Store.Update(ctx, func(tx tenant.Tx) error { return tx.PutJob(j) }); err != nil {
		t.Fatal(err)
	}
	tn = tenanttest.On(t, tn.Store)
	j = reread(t, tn, j)
	if target, err := tn.SavedTarget(j, savedAddress); err != nil || target.Token().Reveal() != "an old token" {
		t.Fatalf("after the next start: %v", err)
	}
	j.Credentials.BaseAddress = "https://scim.evil.example/"
	if _, err := tn.SavedTarget(j, j.Credentials.BaseAddress); err == nil {
		t.Error("it is not bound")
	}
}
