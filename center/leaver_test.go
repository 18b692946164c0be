package center_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// office is a center with an account, a permission set, a person and a group that the identity
// provider keeps.
type office struct {
	*center.Center
	t        *testing.T
	set      center.PermissionSet
	ada      center.User
	platform center.Group
}

const (
	production = "111122223333"
	staging    = "222233334444"
)

func newOffice(t *testing.T) *office {
	t.Helper()
	ctx := context.Background()
	o := &office{Center: centertest.New(t, "https://center.example"), t: t}
	o.ok(o.PutAccounts(ctx, centertest.Actor, []center.Account{
		{ID: production, Name: "Production", Tags: []center.Tag{{Key: "env", Value: "prod"}}},
		{ID: staging, Name: "Staging"},
	}))
	var err error
	o.set, err = o.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{
		Name: "Admin", SessionDuration: time.Hour,
	})
	o.ok(err)
	o.ada = o.person("ada@example.com", "entra-ada")
	o.platform, err = o.CreateGroup(
		ctx, centertest.Actor, center.Group{DisplayName: "Platform", ExternalID: "entra-platform"},
	)
	o.ok(err)
	return o
}

func (o *office) ok(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) person(name, external string) center.User {
	o.t.Helper()
	u := centertest.Person(name)
	u.ExternalID = external
	made, err := o.CreateUser(context.Background(), centertest.Actor, u)
	o.ok(err)
	return made
}

func (o *office) assign(account string, of center.PrincipalType, id string) {
	o.t.Helper()
	_, err := o.CreateAssignment(context.Background(), centertest.Actor, center.Assignment{
		AccountID: account, PermissionSetARN: o.set.ARN, PrincipalType: of, PrincipalID: id,
	})
	o.ok(err)
}

func (o *office) held(of center.PrincipalType, id string) (accounts []string) {
	o.t.Helper()
	list, err := o.Assignments(context.Background(), center.AssignmentQuery{PrincipalType: of, PrincipalID: id})
	o.ok(err)
	for _, a := range list {
		accounts = append(accounts, a.AccountID)
	}
	return accounts
}

// TestALeaverWhoHasSomethingIsReported: disabled people with what is given to them by hand, and
// nobody else; what they have is removed, and not while they are enabled.
func TestALeaverWhoHasSomethingIsReported(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := newOffice(t)
	bob, eve := o.person("bob@example.com", "entra-bob"), o.person("eve@example.com", "entra-eve")
	guests, err := o.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "Made here"})
	o.ok(err)
	for _, g := range []center.GroupID{o.platform.ID, guests.ID} {
		_, err := o.CreateMembership(ctx, centertest.Actor, g, o.ada.ID)
		o.ok(err)
	}
	_, err = o.CreateMembership(ctx, centertest.Actor, o.platform.ID, bob.ID)
	o.ok(err)
	o.assign(production, center.PrincipalUser, string(o.ada.ID))
	o.assign(production, center.PrincipalUser, string(eve.ID)) // who stays
	_, err = o.CreateAccessKey(ctx, centertest.Actor, "BOB@example.com", center.RoleReadOnly)
	o.ok(err)
	if list, err := o.Leavers(ctx, center.LeaverQuery{Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("while all are enabled: %+v, %v", list, err)
	}
	if _, err := o.RemoveAccess(
		ctx, centertest.Actor, center.Principal{Type: center.PrincipalUser, ID: string(eve.ID)},
	); refusal.CodeOf(err) != center.PrincipalStays {
		t.Errorf("the access of somebody who is enabled: %v", err)
	}
	o.ok(turn(o.Center, o.ada.ID, false))
	o.ok(turn(o.Center, bob.ID, false))
	list, err := o.Leavers(ctx, center.LeaverQuery{Limit: 10})
	o.ok(err)
	if len(list) != 2 {
		t.Fatalf("the leavers are %+v", list)
	}
	for _, l := range list {
		switch l.User.ID {
		case o.ada.ID:
			if l.Assignments != 1 || len(l.Groups) != 1 || l.Groups[0].ID != guests.ID || len(l.Keys) != 0 {
				t.Errorf("ada has %+v", l)
			}
		case bob.ID: // the group is the directory's, the key is nobody's else
			if l.Assignments != 0 || len(l.Groups) != 0 || len(l.Keys) != 1 {
				t.Errorf("bob has %+v", l)
			}
		}
	}
	first, e1 := o.Leavers(ctx, center.LeaverQuery{Limit: 1})
	second, e2 := o.Leavers(ctx, center.LeaverQuery{After: first[0].User.ID, Limit: 1})
	third, e3 := o.Leavers(ctx, center.LeaverQuery{After: second[0].User.ID, Limit: 1})
	if e1 != nil || e2 != nil || e3 != nil || first[0].User.ID >= second[0].User.ID || len(third) != 0 {
		t.Errorf("in pages: %+v, %+v, %+v", first, second, third)
	}
	m, err := o.RemoveAccess(ctx, centertest.Actor, center.Principal{Type: center.PrincipalUser, ID: string(o.ada.ID)})
	if err != nil || m.Assignments != 1 || m.Memberships != 1 || m.Left != 0 || len(m.Problems) != 0 {
		t.Errorf("removed: %+v, %v", m, err)
	}
	if list, err = o.Leavers(ctx, center.LeaverQuery{Limit: 10}); err != nil || len(list) != 1 ||
		list[0].User.ID != bob.ID {
		t.Errorf("afterwards: %+v, %v", list, err)
	}
}

// TestWhoCameBackGetsWhatWasAssigned: a group that was deleted and made again gets its assignments
// and rules back, and a person too; what is nobody's is removed.
func TestWhoCameBackGetsWhatWasAssigned(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := newOffice(t)
	o.assign(staging, center.PrincipalGroup, string(o.platform.ID))
	_, err := o.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
		Tag: &center.Tag{Key: "env", Value: "prod"}, PermissionSetARN: o.set.ARN,
		PrincipalType: center.PrincipalGroup, PrincipalID: string(o.platform.ID),
	})
	o.ok(err)
	o.assign(staging, center.PrincipalUser, string(o.ada.ID))
	o.ok(o.DeleteGroup(ctx, centertest.Actor, o.platform.ID))
	o.ok(o.DeleteUser(ctx, centertest.Actor, o.ada.ID))

	orphans, _, err := o.Orphans(ctx, center.OrphanQuery{Limit: 10})
	o.ok(err)
	if len(orphans) != 2 || orphans[0].Name != "Platform" || orphans[0].Assignments != 2 || orphans[0].Rules != 1 ||
		orphans[0].Successor != "" || orphans[1].Name != "ada@example.com" || orphans[1].At.IsZero() {
		t.Fatalf("the orphans are %+v", orphans)
	}
	again, err := o.CreateGroup(
		ctx, centertest.Actor, center.Group{DisplayName: "Platform team", ExternalID: "entra-platform"},
	)
	o.ok(err)
	ada := o.person("ADA@example.com", "entra-ada-2")
	if orphans, _, err = o.Orphans(ctx, center.OrphanQuery{Limit: 10}); err != nil ||
		orphans[0].Successor != string(again.ID) || orphans[1].Successor != string(ada.ID) {
		t.Fatalf("who came back: %+v, %v", orphans, err)
	}
	group := center.Principal{Type: center.PrincipalGroup, ID: string(o.platform.ID)}
	for search, want := range map[string]string{
		"": "Platform ada@example.com", "ADA example": "ada@example.com", "team": "", group.ID[:20]: "Platform",
	} {
		var found []string
		for q := (center.OrphanQuery{Search: search, Limit: 1}); ; {
			list, next, err := o.Orphans(ctx, q)
			o.ok(err)
			for _, x := range list {
				found = append(found, x.Name)
			}
			if q.After = next; next.ID == "" {
				break
			}
		}
		if strings.Join(found, " ") != want {
			t.Errorf("one by one, %q finds %q, want %s", search, found, want)
		}
	}
	if _, err := o.Relink(ctx, centertest.Actor, group, string(ada.ID)); refusal.CodeOf(err) != center.GroupNotFound {
		t.Errorf("to a person: %v", err)
	}
	if _, err := o.Relink(ctx, centertest.Actor, center.Principal{
		Type: center.PrincipalGroup, ID: string(again.ID),
	}, string(again.ID)); refusal.CodeOf(err) != center.PrincipalStays {
		t.Errorf("from a group that is there: %v", err)
	}
	m, err := o.Relink(ctx, centertest.Actor, group, string(again.ID))
	if err != nil || m.Rules != 1 || m.Assignments != 1 || m.Left != 0 || len(m.Problems) != 0 {
		t.Errorf("moved: %+v, %v", m, err)
	}
	if got := o.held(center.PrincipalGroup, string(again.ID)); !slices.Equal(got, []string{production, staging}) {
		t.Errorf("the group holds %v", got)
	}
	if got := o.held(center.PrincipalGroup, string(o.platform.ID)); len(got) != 0 {
		t.Errorf("the deleted one holds %v", got)
	}
	m, err = o.RemoveAccess(ctx, centertest.Actor, center.Principal{Type: center.PrincipalUser, ID: string(o.ada.ID)})
	if err != nil || m.Assignments != 1 {
		t.Errorf("removed: %+v, %v", m, err)
	}
	if orphans, _, err = o.Orphans(ctx, center.OrphanQuery{Limit: 10}); err != nil || len(orphans) != 0 {
		t.Errorf("afterwards: %+v, %v", orphans, err)
	}
}
