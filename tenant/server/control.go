package server

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Controlled is a tenant for the commands that work on its data folder or database.
type Controlled struct{ *tenant.Tenant }

var (
	_ control.Administrators = Controlled{}
	_ control.Beginner       = Controlled{}
)

// Unknown implements control.Administrators.
func (Controlled) Unknown(name string) error {
	return &refusal.Error{Code: tenant.AdministratorNotFound, Subject: name}
}

// Remove implements control.Administrators.
func (t Controlled) Remove(ctx context.Context, by audit.Actor, name string) (notice string, err error) {
	return "", t.RemoveAdministrator(ctx, by, name)
}

// Begun implements control.Beginner.
func (t Controlled) Begun(ctx context.Context) (bool, error) {
	administrators, err := t.Administrators(ctx)
	return len(administrators) > 0, err
}

// Begin implements control.Beginner.
func (t Controlled) Begin(
	ctx context.Context, f *control.SecretFile, name string, p control.FirstPassword,
) error {
	err := f.Add("  admin center  %s\n  user name     %s\n  password      %s\n\n", t.AdminCenterURL(), name, p.Shown())
	if err != nil {
		return err
	}
	client, err := t.MakeFirst(ctx, audit.SystemActor, name, p.Text, "gatehouse connect")
	if errors.Is(err, tenant.ErrBegun) {
		return control.ErrBegun
	}
	if err != nil {
		return err
	}
	return f.Add("  graph         %s\n  token URL     %s\n  client id     %s\n  client secret %s\n",
		t.GraphURL(), t.TokenURL(), client.ID, client.Secret.Reveal())
}
