package dirsync

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// storeTarget is a center that is reached by AWS's API only.
type storeTarget struct {
	center *center.Center
	url    string
	t      *testing.T
}

func serveStore(t *testing.T) storeTarget {
	t.Helper()
	s := centertest.Serve(t)
	return storeTarget{s.Center, s.HTTP.URL, t}
}

func (x storeTarget) open(role center.KeyRole) (*identitystore.Target, error) {
	x.t.Helper()
	key, err := x.center.CreateAccessKey(ctx, centertest.Actor, "sync", role)
	if err != nil {
		x.t.Fatal(err)
	}
	return identitystore.Open(ctx, identitystore.Config{
		SDK: aws.Config{
			Region: x.center.Instance.Region, BaseEndpoint: &x.url,
			Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), ""),
		},
		StoreID: x.center.Instance.IdentityStoreID,
	})
}

// user is who has a name; the zero user when nobody does.
func (x storeTarget) user(name string) center.User {
	x.t.Helper()
	list, err := x.center.Users(ctx, center.UserQuery{})
	if err != nil {
		x.t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(u center.User) bool { return u.UserName == name })
	if i < 0 {
		return center.User{}
	}
	return list[i]
}

func (x storeTarget) group(name string) center.GroupID {
	x.t.Helper()
	list, err := x.center.Groups(ctx, center.GroupQuery{})
	if err != nil {
		x.t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(g center.Group) bool { return g.DisplayName == name })
	if i < 0 {
		x.t.Fatalf("there is no group %s", name)
	}
	return list[i].ID
}

// members are the user names of a group's members.
func (x storeTarget) members(name string) (list []string) {
	x.t.Helper()
	ms, err := x.center.Memberships(ctx, center.MembershipQuery{GroupID: x.group(name)})
	if err != nil {
		x.t.Fatal(err)
	}
	for _, m := range ms {
		u, err := x.center.User(ctx, m.UserID)
		if err != nil {
			x.t.Fatal(err)
		}
		list = append(list, u.UserName)
	}
	slices.Sort(list)
	return list
}

func (x storeTarget) has(group string, want ...string) {
	x.t.Helper()
	if got := x.members(group); !slices.Equal(got, want) {
		x.t.Errorf("%s has %v, want %v", group, got, want)
	}
}

// TestAnIdentityStoreIsKeptInStep follows people and groups at an identity store: what was there is
// adopted by name, strangers in groups are seen, whoever leaves is in no group at once and deleted
// a month later, and whoever comes back before gets the memberships back.
func TestAnIdentityStoreIsKeptInStep(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), serveStore(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	there, err := to.center.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com"))
	must(err)
	_, err = to.center.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Art"})
	must(err)
	store, err := to.open(center.RoleAdministrator)
	must(err)
	config := between(from, target{}, newTenant(t, t.TempDir()))
	config.Store, config.KeepStrangers = store, true
	config.LeaverGrace = 30 * 24 * time.Hour
	now := time.Now()
	config.State.Now = func() time.Time { return now }
	step := func(what string, repair bool, failed int) Report {
		t.Helper()
		dry := config
		dry.DryRun = true
		foreseen, r := cycle(t, dry, repair), cycle(t, config, repair)
		if r.Failed != failed {
			t.Fatalf("%s: %+v", what, r.Objects)
		}
		if r.Created != foreseen.Created || r.Updated != foreseen.Updated || r.Disabled != foreseen.Disabled ||
			r.Deleted != foreseen.Deleted || r.Failed != foreseen.Failed {
			t.Fatalf("%s: foreseen %+v, done %+v", what, foreseen.Objects, r.Objects)
		}
		return r
	}
	enable := func(id tenant.UserID, yes bool) {
		t.Helper()
		_, err := from.UpdateUser(ctx, tenanttest.Actor, id, func(u *tenant.User) { u.Enabled = yes })
		must(err)
	}

	r := step("the first cycle", false, 3) // and a person without a last name
	if e := changes(t, r, "ada@example.com"); e.Code != "NotAdopted" {
		t.Errorf("who was there: %+v", e)
	}
	config.Adopt = true
	step("adopted", false, 1)
	to.has("Engineering", "ada@example.com")
	to.has("Art", "bob@example.com")
	if u := to.user("ada@example.com"); u.Title != "Engineer" || u.ID != there.ID {
		t.Errorf("who was adopted: %+v", u)
	}
	if r := step("nothing differs", true, 1); r.Created+r.Updated > 0 {
		t.Errorf("a repair without a difference: %+v", r.Objects)
	}

	eva := to.user("eva@example.com")
	_, err = to.center.CreateMembership(ctx, centertest.Actor, to.group("Engineering"), eva.ID)
	must(err)
	must(to.center.DeleteMembership(ctx, centertest.Actor, membership(t, to, "Art", "bob@example.com")))
	_, err = to.center.UpdateUser(ctx, centertest.Actor, eva.ID, func(u *center.User) error {
		u.Title, u.NickName = "Intruder", "Evi"
		return nil
	})
	must(err)
	r = step("repaired", true, 1)
	if e := changes(t, r, "Engineering"); e.Code != "StrangersInGroup" ||
		!strings.Contains(e.Reason, "eva@example.com") {
		t.Errorf("a stranger in a group: %+v", e)
	}
	if sum := r.Summary(false); sum.Strangers != 1 || sum.Updated != 2 {
		t.Errorf("with a stranger in a group: %+v", sum)
	}
	to.has("Engineering", "ada@example.com", "eva@example.com")
	to.has("Art", "bob@example.com")
	if u := to.user("eva@example.com"); u.Title != "Engineer" || u.NickName != "Evi" {
		t.Errorf("what somebody changed: %+v", u)
	}
	config.KeepStrangers = false
	step("repaired without strangers", true, 1)
	to.has("Engineering", "ada@example.com")

	enable("u2", false)
	enable("u1", false)
	if r := step("two leave", false, 1); r.Disabled != 2 {
		t.Errorf("two leave: %+v", r.Objects)
	}
	to.has("Engineering")
	to.has("Art")
	now = now.Add(20 * 24 * time.Hour)
	enable("u2", true)
	step("one comes back", false, 1)
	to.has("Art", "bob@example.com")
	enable("u2", false)
	step("and leaves", false, 1)
	now = now.Add(29 * 24 * time.Hour)
	step("not yet", false, 1)
	if to.user("bob@example.com").ID == "" {
		t.Error("who has left is deleted before the time")
	}
	now = now.Add(2 * 24 * time.Hour)
	if r := step("the time is over", false, 1); r.Deleted != 1 || to.user("bob@example.com").ID != "" {
		t.Errorf("who has left for a month: %+v", r.Objects)
	}
	if to.user("ada@example.com").ID != there.ID {
		t.Error("who was there before is deleted")
	}
	enable("u1", true)
	enable("u2", true)
	step("both are back", false, 1)
	to.has("Engineering", "ada@example.com")
	to.has("Art", "bob@example.com")
}

func membership(t *testing.T, to storeTarget, group, user string) center.MembershipID {
	t.Helper()
	m, err := to.center.MembershipOf(ctx, to.group(group), to.user(user).ID)
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

// TestWhatGoesWrongAtAnIdentityStore: somebody renames a person there, deletes a group, has another
// program in the same store, and loses the state.
func TestWhatGoesWrongAtAnIdentityStore(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), serveStore(t)
	store, err := to.open(center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	config := between(from, target{}, newTenant(t, t.TempDir()))
	config.Store, config.KeepStrangers = store, true
	cycle(t, config, false)

	bob := to.user("bob@example.com")
	if _, err := to.center.UpdateUser(ctx, centertest.Actor, bob.ID, func(u *center.User) error {
		u.UserName = "robert@example.com"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := to.center.DeleteGroup(ctx, centertest.Actor, to.group("Engineering")); err != nil {
		t.Fatal(err)
	}
	if r := cycle(t, config, true); r.Created != 1 || r.Updated != 1 || to.user("bob@example.com").ID != bob.ID {
		t.Errorf("renamed and deleted by hand: %+v", r.Objects)
	}
	to.has("Engineering", "ada@example.com")

	other := config // another program, which takes nothing over
	other.State = newTenant(t, t.TempDir())
	if r := cycle(t, other, true); r.Created+r.Updated+r.Disabled+r.Deleted > 0 {
		t.Errorf("another program in the same store: %+v", r.Objects)
	}
	lost := config // the state is lost
	lost.State, lost.Adopt = newTenant(t, t.TempDir()), true
	if r := cycle(t, lost, true); r.Created+r.Updated+r.Disabled+r.Deleted > 0 || r.Failed != 1 {
		t.Errorf("with a new state: %+v", r.Objects)
	}

	reader, err := to.open(center.RoleReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	setTitle(t, from, "u1", "Countess")
	denied := config
	denied.Store = reader
	s, err := Open(ctx, denied)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cycle(ctx, false); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("without the permission to write: %v", err)
	}
}

// TestALeaverOfATimeToComeIsDeletedInTime: by a clock that was ahead when somebody left, the month
// until the deletion would begin in a year.
func TestALeaverOfATimeToComeIsDeletedInTime(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), serveStore(t)
	store, err := to.open(center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	config := between(from, target{}, newTenant(t, t.TempDir()))
	config.Store, config.LeaverGrace = store, LeaverGrace
	right := time.Now()
	now := right
	config.State.Now = func() time.Time { return now }
	cycle(t, config, false)
	now = right.AddDate(1, 0, 0)
	_, err = from.UpdateUser(ctx, tenanttest.Actor, "u1", func(u *tenant.User) { u.Enabled = false })
	if err != nil {
		t.Fatal(err)
	}
	cycle(t, config, false)
	for _, step := range []struct {
		after   time.Duration
		deleted int
	}{{0, 0}, {LeaverGrace - time.Hour, 0}, {LeaverGrace + time.Hour, 1}} {
		now = right.Add(step.after)
		if r := cycle(t, config, false); r.Deleted != step.deleted {
			t.Errorf("after %s: %+v", step.after, r)
		}
	}
}
