package tenant_test

import (
	"maps"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestWhoHasLeftAMirrorIsForgottenOneDay: that they may come back is noted until they do, and half
// a year at most; also where a release before has noted it without a time, or emptied the note.
func TestWhoHasLeftAMirrorIsForgottenOneDay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	x := tenanttest.New(t, "https://tenant.example")
	now := time.Now()
	x.Now = func() time.Time { return now }
	left := func(want ...tenant.UserID) {
		t.Helper()
		all, err := x.Left(ctx)
		wanted := map[tenant.UserID]bool{}
		for _, id := range want {
			wanted[id] = true
		}
		if err != nil || !maps.Equal(all, wanted) {
			t.Errorf("%v have left, %v, want %v", all, err, want)
		}
	}
	replicate := func(r tenant.Replica) {
		t.Helper()
		if err := x.Replicate(ctx, audit.SystemActor, r, tenant.Note{}); err != nil {
			t.Fatal(err)
		}
	}
	replicate(tenant.Replica{Users: []tenant.User{
		{ID: "u1", UserPrincipalName: "ada@x"}, {ID: "u2", UserPrincipalName: "bob@x"},
	}})
	replicate(tenant.Replica{Gone: []tenant.Mark{{tenant.KindUser, "u1"}, {tenant.KindUser, "u2"}}})
	left("u1", "u2")
	replicate(tenant.Replica{
		Users: []tenant.User{{ID: "u2", UserPrincipalName: "bob@x"}}, Settled: []tenant.UserID{"u2"},
	})
	left("u1")
	for name, text := range map[string]string{"left/u3": "forgotten", "left/u4": ""} {
		if err := x.SetNote(ctx, tenant.Note{Name: name, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	for _, after := range []struct {
		days int
		want []tenant.UserID
	}{{1, []tenant.UserID{"u1", "u3"}}, {178, []tenant.UserID{"u1", "u3"}}, {2, nil}} {
		sweepUntil(t, x, &now, now.AddDate(0, 0, after.days))
		left(after.want...)
	}
}
