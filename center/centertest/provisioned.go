package centertest

import (
	"context"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// Provisioned makes an external identity provider the source of a center and enables automatic
// provisioning. It returns the SCIM endpoint and a token for a profile.
func Provisioned(t testing.TB, c *center.Center, profile center.Profile) (endpoint, token string) {
	t.Helper()
	ctx := context.Background()
	idp, err := c.CreateIdPConfiguration(
		ctx, Actor,
		center.IdPConfiguration{EntityID: "https://idp", SignInURL: "https://idp/sso", Certificates: [][]byte{{1}}},
	)
	if err == nil {
		err = c.EnableIdPConfiguration(ctx, Actor, idp.ID, center.Accepted)
	}
	if err != nil {
		t.Fatal(err)
	}
	tenant, e1 := c.CreateProvisioningTenant(ctx, Actor)
	made, e2 := c.CreateBearerToken(ctx, Actor, profile)
	if e1 != nil || e2 != nil {
		t.Fatal(e1, e2)
	}
	return c.SCIMEndpoint(tenant), made.Secret.Reveal()
}
