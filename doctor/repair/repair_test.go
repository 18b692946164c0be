package repair_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// apply carries one action out and returns why it failed.
func apply(t *testing.T, s repair.Sides, r doctor.Repair) string {
	t.Helper()
	done, err := repair.Apply(context.Background(), s, []doctor.Repair{r}, func(repair.Outcome) {})
	if err != nil || len(done) != 1 {
		t.Fatalf("%v %v", done, err)
	}
	return done[0].Failed
}

// TestASideThatWasNotNamedIsNotChanged: every action says so, and none fails in another way.
func TestASideThatWasNotNamedIsNotChanged(t *testing.T) {
	for _, a := range doctor.Actions() {
		if why := apply(t, repair.Sides{}, doctor.Repair{Action: a}); why != "that side was not named" {
			t.Errorf("%s: %s", a, why)
		}
	}
	if why := apply(t, repair.Sides{}, doctor.Repair{Action: "guess"}); !strings.Contains(why, "guess") {
		t.Errorf("an action that nobody knows: %s", why)
	}
}

// TestATokenInUseMakesNoRoom: only what ended or was never used is deleted for a new token.
func TestATokenInUseMakesNoRoom(t *testing.T) {
	e := pairtest.Start(t)
	ctx := context.Background()
	sides := repair.Sides{Graph: e.Client, Admin: e.Admin}
	save := doctor.Repair{
		Action: doctor.SaveToken, With: map[string]string{"servicePrincipalId": e.Tenant.ServicePrincipalID},
	}
	for range 3 { // each leaves the token of the one before unused, which makes room for the next
		tenants, err := e.Admin.Tenants(ctx)
		if err != nil {
			t.Fatal(err)
		}
		before, err := e.Admin.BearerTokens(ctx, tenants[0].TenantID)
		if err != nil {
			t.Fatal(err)
		}
		inUse := len(before) == 2 && before[0].LastUsedTime != nil && before[1].LastUsedTime != nil
		if why := apply(t, sides, save); (why != "") != inUse {
			t.Fatalf("with %+v: %s", before, why)
		}
		after, err := e.Admin.BearerTokens(ctx, tenants[0].TenantID)
		if err != nil || len(after) != 2 {
			t.Fatalf("%d tokens, %v", len(after), err)
		}
		if after[0].LastUsedTime == nil && after[1].LastUsedTime == nil {
			t.Error("the token in use was deleted")
		}
	}
}
