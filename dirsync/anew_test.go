package dirsync

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestWhoWasAMemberBeforeCanLeave: a state was lost, and the next one finds the groups as they are
// to be. Who leaves one then loses the membership.
func TestWhoWasAMemberBeforeCanLeave(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, profile)
			cycle(t, between(from, to, newTenant(t, t.TempDir())), false)
			config := between(from, to, newTenant(t, t.TempDir()))
			if r := cycle(t, config, false); r.Updated > 0 {
				t.Errorf("%+v", r)
			}
			if err := from.RemoveMember(ctx, tenanttest.Actor, "g1", "u1"); err != nil {
				t.Fatal(err)
			}
			cycle(t, config, false)
			if _, _, members := to.counts(t, "Engineering"); members != 0 {
				t.Errorf("%d members are left", members)
			}
		})
	}
}

// TestATenantIsNoState: somebody names the wrong folder. A dry run would overwrite it, too.
func TestATenantIsNoState(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileAWS)
	other := newSource(t)
	config := between(from, to, other.Tenant)
	config.DryRun = true
	if s, err := Open(ctx, config); err == nil || !strings.Contains(err.Error(), "the data of a tenant") {
		t.Errorf("%v, %v", s, err)
	}
}
