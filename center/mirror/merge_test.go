package mirror_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/mirror"
	"github.com/gatehouse-id/gatehouse/center/server"
)

// of is what a merge did to a kind.
func of(t *testing.T, list []*mirror.Difference, kind string) mirror.Difference {
	t.Helper()
	i := slices.IndexFunc(list, func(d *mirror.Difference) bool { return d.Kind == kind })
	if i < 0 {
		t.Fatalf("nothing is said of %s", kind)
	}
	return *list[i]
}

func changes(list []*mirror.Difference) (n int) {
	for _, d := range list {
		n += d.Changes()
	}
	return n
}

// TestAnOrganizationIsBroughtOnceAndKeptAsItIs brings an organization into a center that stays, in
// parts, lists the same of both, and brings it again after people worked in the center.
func TestAnOrganizationIsBroughtOnceAndKeptAsItIs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := original(t, 250)
	from := reader(t, s.Center, s.HTTP.URL, nil)
	folder := t.TempDir()
	copied, err := open(t, folder, s.Instance.Identity())
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(folder, "copy.json")
	if _, err := (&mirror.Mirror{Reader: from, Center: copied, State: state}).Copy(ctx); err != nil {
		t.Fatal(err)
	}
	if instance, whole := mirror.Complete(state); !whole || instance != s.Instance.ARN {
		t.Errorf("the file says %s, %v", instance, whole)
	}
	if instance, whole := mirror.Complete(state + "x"); whole || instance != "" {
		t.Errorf("no file says %s, %v", instance, whole)
	}
	none, err := (&mirror.Merge{From: copied}).Plan(ctx) // no center yet
	if err != nil || of(t, none, mirror.Users).New != 250 || of(t, none, mirror.Assignments).New != 30 {
		t.Fatalf("%v, %v", none, err)
	}
	to, err := open(t, t.TempDir(), s.Instance.Identity())
	if err != nil {
		t.Fatal(err)
	}
	var part center.Replica // an earlier run was interrupted
	if part.Users, err = copied.Users(ctx, center.UserQuery{Limit: 130}); err != nil {
		t.Fatal(err)
	}
	if err := to.Replicate(ctx, audit.SystemActor, part); err != nil {
		t.Fatal(err)
	}
	merge := &mirror.Merge{From: copied, To: to}
	planned, err := merge.Plan(ctx)
	if err != nil || of(t, planned, mirror.Users).New != 120 || of(t, planned, mirror.Users).Same != 130 {
		t.Fatalf("%+v, %v", planned, err)
	}
	done, err := merge.Apply(ctx)
	if err != nil || changes(done) != changes(planned) {
		t.Fatalf("%d of %d, %v", changes(done), changes(planned), err)
	}
	centertest.Check(t, to)
	at := centertest.ServeDoor(t, to, fronter{server.Handler(to, server.Config{})})
	differ(t, listing(t, from), listing(t, reader(t, to, at.URL, nil)))
	if again, err := merge.Apply(ctx); err != nil || changes(again) != 0 {
		t.Errorf("again: %d, %v", changes(again), err)
	}
	stays(t, merge, part)
}

// stays changes the center that stays, and brings the organization again: what is there stays, with
// Update it changes, but nobody is enabled.
func stays(t *testing.T, merge *mirror.Merge, people center.Replica) {
	t.Helper()
	ctx, to := t.Context(), merge.To
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	i := slices.IndexFunc(people.Users, func(u center.User) bool { return u.Active })
	disabled := people.Users[i].ID
	must(to.SetUserActive(ctx, centertest.Actor, disabled, false))
	titled := people.Users[i+1].ID
	_, err := to.UpdateUser(ctx, centertest.Actor, titled, func(u *center.User) error { u.Title = "Own"; return nil })
	must(err)
	gone := people.Users[i+2]
	must(to.DeleteUser(ctx, centertest.Actor, gone.ID))
	other := centertest.Person(gone.UserName)
	_, err = to.CreateUser(ctx, centertest.Actor, other)
	must(err)
	sets, err := to.PermissionSets(ctx, center.PermissionSetQuery{})
	must(err)
	set := sets[slices.IndexFunc(sets, func(p center.PermissionSet) bool { return len(p.ManagedPolicies) > 0 })].ARN
	must(to.DetachManagedPolicy(ctx, centertest.Actor, set, "arn:aws:iam::aws:policy/ReadOnlyAccess"))
	planned, err := merge.Apply(ctx)
	must(err)
	users := of(t, planned, mirror.Users)
	kept := of(t, planned, mirror.PermissionSets)
	if changes(planned) != 0 || users.Kept != 1 || users.Taken != 1 || kept.Kept != 1 ||
		!strings.Contains(strings.Join(users.Examples, "\n"), "stays disabled") {
		t.Errorf("without --update: %+v", planned)
	}
	merge.Update = true
	planned, err = merge.Apply(ctx)
	must(err)
	if users = of(t, planned, mirror.Users); users.Changed != 1 || of(t, planned, mirror.PermissionSets).Changed != 1 {
		t.Errorf("with --update: %+v", planned)
	}
	u, err := to.User(ctx, titled)
	must(err)
	d, err := to.User(ctx, disabled)
	must(err)
	if u.Title != "Engineer" || d.Active {
		t.Errorf("the title is %q, and somebody who was disabled is active: %v", u.Title, d.Active)
	}
	latest := false
	behind, err := to.Provisioned(ctx, center.ProvisionedQuery{PermissionSetARN: set, Latest: &latest})
	must(err)
	if len(behind) == 0 {
		t.Error("the roles of a permission set that was changed are up to date")
	}
	centertest.Check(t, to)
	if again, err := merge.Apply(ctx); err != nil || changes(again) != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}
