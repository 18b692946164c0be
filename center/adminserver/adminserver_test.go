package adminserver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestTheAdminAPIRefusesWithReasons(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ctx := context.Background()
	tenants, err := e.Admin.Tenants(ctx)
	if err != nil {
		t.Fatal(err)
	}
	id := tenants[0].TenantID
	second, err := e.Admin.CreateBearerToken(ctx, id, "")
	if err != nil || len(second.Value) < 500 {
		t.Fatalf("a second token: %v", err)
	}
	stranger := *e.Admin
	stranger.SecretAccessKey = "wrong"
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a third token":         {errOf(e.Admin.CreateBearerToken(ctx, id, "")), "too-many-access-tokens"},
		"disabling with tokens": {e.Admin.DeleteTenant(ctx, id), "access-tokens-remain"},
		"a second endpoint":     {errOf(e.Admin.CreateTenant(ctx)), "automatic-provisioning-on"},
		"broken metadata": {
			errOf(e.Admin.CreateConfiguration(ctx, "<EntityDescriptor/>")), "idp-metadata-invalid",
		},
		"metadata with a DOCTYPE": {
			errOf(e.Admin.CreateConfiguration(ctx, "<!DOCTYPE x><x/>")), "idp-metadata-invalid",
		},
		"enabling what is not there": {
			e.Admin.EnableConfiguration(ctx, adminapi.ChangeInput{ConfigurationID: "x", Confirmation: "ACCEPT"}),
			"identity-source-not-configured",
		},
		"a change without the word": {
			e.Admin.EnableConfiguration(ctx, adminapi.ChangeInput{ConfigurationID: "x", Confirmation: "yes"}),
			"confirmation-missing",
		},
		"going back under SCIM": {
			e.Admin.DisableConfiguration(ctx, adminapi.ConfirmInput{Confirmation: "ACCEPT"}),
			"automatic-provisioning-on",
		},
		"a token that is not there": {e.Admin.DeleteBearerToken(ctx, id, "x"), "access-token-not-found"},
		"a wrong secret":            {errOf(stranger.DescribeDirectory(ctx)), ""},
	} {
		var refused *adminapi.Error
		if c.err == nil || !errors.As(c.err, &refused) || refused.Reason != c.want {
			t.Errorf("%s: %v, want the reason %q", name, c.err, c.want)
		}
	}
	list, err := e.Admin.BearerTokens(ctx, id)
	if err != nil || len(list) != 2 || list[0].Value != "" || list[1].Value != "" {
		t.Errorf("listed tokens %+v, %v", list, err)
	}
}

func errOf[T any](_ T, err error) error { return err }
