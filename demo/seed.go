package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// AdminName is the name of the administrator at either half.
const AdminName = "admin"

// Keys are what people and programs sign in with at a center and a tenant that were seeded. The
// administrator has the same password at both, and everybody in the company has the same one.
type Keys struct {
	AdminPassword, PersonPassword     string
	AccessKeyID, SecretAccessKey      string
	ClientID, ClientSecret, SCIMToken string
}

// Seed fills an empty center and an empty tenant with a company of a size. Where an earlier call
// was interrupted, it makes what is missing, and new keys. A company of nobody is none: only the
// administrators are made.
func Seed(ctx context.Context, c *center.Center, t *tenant.Tenant, people, groups int) (Keys, error) {
	k, err := administer(ctx, c, t)
	if err == nil && people == 0 {
		return k, nil
	}
	if err == nil {
		err = CreateAccess(ctx, c, audit.SystemActor)
	}
	if err != nil {
		return Keys{}, fmt.Errorf("seed the center: %w", err)
	}
	if err := k.seedTenant(ctx, t, audit.SystemActor, people, groups); err != nil {
		return Keys{}, fmt.Errorf("seed the tenant: %w", err)
	}
	return k, nil
}

// administer makes the keys of a center and a tenant, and nobody in them but their administrator.
func administer(ctx context.Context, c *center.Center, t *tenant.Tenant) (Keys, error) {
	k := Keys{AdminPassword: center.NewPassword(), PersonPassword: "house-" + authn.NewSecret(9)}
	by := audit.SystemActor
	if err := c.SetAdministrator(ctx, by, AdminName, k.AdminPassword); err != nil {
		return Keys{}, err
	}
	key, err := c.CreateAccessKey(ctx, by, AdminName, center.RoleAdministrator)
	if err != nil {
		return Keys{}, err
	}
	k.AccessKeyID, k.SecretAccessKey = key.ID, key.SecretAccessKey.Reveal()
	if err := t.SetAdministrator(ctx, by, AdminName, k.AdminPassword); err != nil {
		return Keys{}, err
	}
	client, err := t.CreateClient(ctx, by, "gatehouse connect")
	k.ClientID, k.ClientSecret = string(client.ID), client.Secret.Reveal()
	return k, err
}

func (k *Keys) seedTenant(ctx context.Context, t *tenant.Tenant, by audit.Actor, people, groups int) error {
	have, err := t.Users(ctx, tenant.Query{Limit: 1})
	if err != nil || len(have) > 0 {
		return err
	}
	company := NewCompany(people, groups, t.Organization.Domain)
	// One hash serves all: hashing a password a thousand times would show nothing but patience.
	company.PasswordHash = authn.HashPassword(k.PersonPassword)
	return t.Import(ctx, by, company)
}

// Connection is how connect federates the two, with every group of the tenant in scope.
func (k Keys) Connection(
	ctx context.Context, c *center.Center, t *tenant.Tenant, client *http.Client,
) (connect.Config, error) {
	groups, err := t.Groups(ctx, tenant.Query{})
	if err != nil {
		return connect.Config{}, err
	}
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.DisplayName
	}
	return connect.Config{
		Graph: graph.NewClient(ctx, t.GraphURL(), t.TokenURL(), k.ClientID, k.ClientSecret, client),
		Center: &adminapi.Client{
			URL:             c.URL,
			Region:          c.Instance.Region,
			AccessKeyID:     k.AccessKeyID,
			SecretAccessKey: k.SecretAccessKey,
			HTTP:            client,
		},
		LoginURL: t.URL + "/" + t.Organization.ID,
		HTTP:     client,
		AppName:  "AWS IAM Identity Center",
		Groups:   names,
		Email:    AdminName + "@" + t.Organization.Domain,
		Cert:     "AWS IAM Identity Center",
		PollEach: 30 * time.Millisecond,
	}, nil
}
