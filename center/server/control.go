package server

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Controlled is a center for the commands that work on its data folder or database.
type Controlled struct{ *center.Center }

var (
	_ control.Administrators = Controlled{}
	_ control.Beginner       = Controlled{}
)

// Unknown implements control.Administrators.
func (Controlled) Unknown(name string) error {
	return &refusal.Error{Code: center.AdministratorNotFound, Subject: name}
}

// Remove implements control.Administrators.
func (c Controlled) Remove(ctx context.Context, by audit.Actor, name string) (notice string, err error) {
	left, err := c.RemoveAdministrator(ctx, by, name)
	return console.KeysLeft(left), err
}

// Begun implements control.Beginner.
func (c Controlled) Begun(ctx context.Context) (bool, error) {
	keys, err := c.AccessKeys(ctx)
	return len(keys) > 0, err
}

// Begin implements control.Beginner.
func (c Controlled) Begin(
	ctx context.Context, f *control.SecretFile, name string, p control.FirstPassword,
) error {
	err := f.Add("  console   %s\n  user name %s\n  password  %s\n\n", c.ConsoleURL(), name, p.Shown())
	if err != nil {
		return err
	}
	key, err := c.MakeFirst(ctx, audit.SystemActor, name, p.Text)
	if errors.Is(err, center.ErrBegun) {
		return control.ErrBegun
	}
	if err != nil {
		return err
	}
	return f.Add("  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n"+
		"  export AWS_REGION=%s AWS_DEFAULT_REGION=%s\n"+ // the second for version 1 of the AWS CLI, and boto3
		"  aws sso-admin list-instances --endpoint-url %s\n",
		key.ID, key.SecretAccessKey.Reveal(), c.Instance.Region, c.Instance.Region, c.URL)
}
