package connect

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/graph"
)

// MicrosoftGraph is the root of Microsoft's own Graph, for tenants of the worldwide cloud. Source:
// "Microsoft Graph and national cloud deployments".
const MicrosoftGraph = "https://graph.microsoft.com/v1.0"

// MicrosoftLogin is the sign-in URL of the tenant that a client of MicrosoftGraph is signed in to.
func MicrosoftLogin(ctx context.Context, g *graph.Client) (string, error) {
	tenants, err := graph.All[graph.NamedObject](ctx, g, "/organization?$select=id,displayName")
	if err != nil {
		return "", fmt.Errorf("find out which tenant it is; --login-url says it, too: %w", explain(err))
	}
	if len(tenants) != 1 {
		return "", fmt.Errorf("the Graph names %d tenants: say which with --login-url", len(tenants))
	}
	return "https://login.microsoftonline.com/" + tenants[0].ID, nil
}
