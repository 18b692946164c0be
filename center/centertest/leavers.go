package centertest

import (
	"errors"
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// leavers checks what is kept of people who left.
func leavers(t *testing.T, s center.Store) {
	first := center.Revocation{ID: "r1", UserID: "u1", UserName: "ada", Action: "RevokeUser", At: at(10)}
	second := center.Revocation{ID: "r2", UserID: "u2", UserName: "bob", At: at(20), Roles: []center.EndedRole{
		{AccountID: one, RoleName: "R1", Name: "bob", Until: at(90)},
	}}
	third := center.Revocation{ID: "r3", UserID: "u1", UserName: "ada", At: at(30)}
	held := center.Assignment{
		AccountID: one, PermissionSetARN: "ps1", PrincipalType: center.PrincipalGroup, PrincipalID: "g1",
	}
	gone := center.Departed{PrincipalType: center.PrincipalGroup, PrincipalID: "g1", Name: "Platform", At: at(9)}
	use := center.RoleUse{AccountID: one, PermissionSetARN: "ps1", UserID: "u1", At: at(5)}
	update(t, s, func(tx center.Tx) error {
		before := tx.Writes()
		err := errors.Join(tx.NoteRoleUse(use), tx.NoteRoleUse(center.RoleUse{
			AccountID: two, PermissionSetARN: "ps1", UserID: "u1", At: at(6),
		}))
		if tx.Writes() != before {
			t.Error("the use of a role counts as a write")
		}
		return errors.Join(
			err, tx.PutRevocation(first), tx.PutRevocation(second), tx.PutRevocation(third), tx.PutAssignment(held),
			tx.PutDeparted(gone),
		)
	})
	second.Roles[0].RefusedAt = at(21)
	use.At = at(7)
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.PutRevocation(second), tx.NoteRoleUse(use))
	})
	view(t, s, func(r center.Reader) error {
		all, e1 := r.Revocations(center.RevocationQuery{})
		ofAda, e2 := r.Revocations(center.RevocationQuery{UserID: "u1", Before: "r3", Limit: 5})
		kept, e3 := r.Revocation("r2")
		_, none := r.Revocation("r9")
		if len(all) != 3 || all[0].ID != "r3" || all[2].ID != "r1" || len(ofAda) != 1 || ofAda[0].ID != "r1" ||
			len(kept.Roles) != 1 || !kept.Roles[0].RefusedAt.Equal(at(21)) || !errors.Is(none, refusal.ErrNoRow) {
			t.Errorf("revocations %+v, %+v, %+v, %v", all, ofAda, kept, none)
		}
		who, e4 := r.OrphansOfAssignments(center.Principal{}, 10)
		if len(who) != 1 || who[0] != gone {
			t.Errorf("departed %+v, want %+v", who, gone)
		}
		one, e7 := r.Departed(center.PrincipalGroup, "g1")
		_, none = r.Departed(center.PrincipalUser, "g1")
		if one != gone || !errors.Is(none, refusal.ErrNoRow) {
			t.Errorf("departed %+v, %v, want %+v", one, none, gone)
		}
		yes, e5 := r.HoldsAssignments(center.PrincipalGroup, "g1")
		no, e6 := r.HoldsAssignments(center.PrincipalUser, "g1")
		if !yes || no {
			t.Errorf("holds assignments: %v, %v", yes, no)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7)
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.DeleteRevocations(at(21), 1), tx.DeleteDeparted(center.PrincipalGroup, "g1"))
	})
	view(t, s, func(r center.Reader) error {
		left, e1 := r.Revocations(center.RevocationQuery{})
		who, e2 := r.OrphansOfAssignments(center.Principal{}, 10)
		if len(left) != 2 || left[1].ID != "r2" || len(who) != 1 ||
			who[0] != (center.Departed{PrincipalType: center.PrincipalGroup, PrincipalID: "g1"}) {
			t.Errorf("after deleting the oldest: %+v; departed %+v", left, who)
		}
		return errors.Join(e1, e2)
	})
}

// roleUses checks which uses of roles are found: of an account, of a set, of users, since a moment.
func roleUses(t *testing.T, s center.Store) {
	note := func(account, set string, user center.UserID, ms int64) center.RoleUse {
		return center.RoleUse{AccountID: account, PermissionSetARN: set, UserID: user, At: at(ms)}
	}
	uses := []center.RoleUse{
		note(one, "ps1", "u1", 7), note(one, "ps1", "u2", 3), note(one, "ps2", "u1", 9), note(two, "ps1", "u1", 6),
	}
	fillGroups(t, s, at(1))
	update(t, s, func(tx center.Tx) (err error) {
		for _, u := range uses {
			err = errors.Join(err, tx.NoteRoleUse(u))
		}
		return err
	})
	view(t, s, func(r center.Reader) (err error) {
		for name, c := range map[string]struct {
			q    center.RoleUsesQuery
			want []center.RoleUse
		}{
			"an account":  {center.RoleUsesQuery{AccountID: one}, uses[:3]},
			"a set there": {center.RoleUsesQuery{AccountID: one, PermissionSetARN: "ps1"}, uses[:2]},
			"a user": {
				center.RoleUsesQuery{Users: []center.UserID{"u1"}},
				[]center.RoleUse{uses[0], uses[2], uses[3]},
			},
			"some users":  {center.RoleUsesQuery{AccountID: one, Users: []center.UserID{"u2", "u3"}}, uses[1:2]},
			"since then":  {center.RoleUsesQuery{AccountID: one, Since: at(7)}, []center.RoleUse{uses[0], uses[2]}},
			"since later": {center.RoleUsesQuery{AccountID: one, Since: at(10)}, nil},
			"elsewhere":   {center.RoleUsesQuery{AccountID: "333333333333"}, nil},
		} {
			found, e := r.RoleUses(c.q)
			if err = errors.Join(err, e); !slices.Equal(found, c.want) {
				t.Errorf("%s: %+v, and not %+v", name, found, c.want)
			}
		}
		for name, c := range map[string]struct {
			q    center.RoleUseQuery
			want center.RoleUse
		}{
			"the last of a set":     {center.RoleUseQuery{PermissionSetARN: "ps1"}, uses[0]},
			"the last of a user":    {center.RoleUseQuery{PermissionSetARN: "ps1", User: "u2"}, uses[1]},
			"the last of a group":   {center.RoleUseQuery{PermissionSetARN: "ps1", Group: "g2"}, uses[0]},
			"the last elsewhere":    {center.RoleUseQuery{AccountID: two, PermissionSetARN: "ps1"}, uses[3]},
			"none of another user":  {center.RoleUseQuery{PermissionSetARN: "ps1", User: "u3"}, center.RoleUse{}},
			"none of another group": {center.RoleUseQuery{PermissionSetARN: "ps1", Group: "g9"}, center.RoleUse{}},
		} {
			last, e := r.LastRoleUse(c.q)
			if errors.Is(e, refusal.ErrNoRow) {
				last, e = center.RoleUse{}, nil
			}
			if err = errors.Join(err, e); last != c.want {
				t.Errorf("%s: %+v, and not %+v", name, last, c.want)
			}
		}
		return err
	})
}

// reported checks who is found among disabled users, and among assignments without a holder.
func reported(t *testing.T, s center.Store) {
	user := func(id string, active bool) center.User {
		// what a disabled one says of itself makes nobody enabled
		return center.User{ID: center.UserID(id), UserName: id, Active: active, Title: `"Active":true`}
	}
	held := func(of center.PrincipalType, id string) center.Assignment {
		return center.Assignment{AccountID: one, PermissionSetARN: "ps1", PrincipalType: of, PrincipalID: id}
	}
	update(t, s, func(tx center.Tx) error {
		err := errors.Join(
			addUser(tx, user("u1", false)), addUser(tx, user("u2", true)), addUser(tx, user("u3", false)),
			addUser(tx, user("u4", false)), addUser(tx, user("u5", false)), addUser(tx, user("u6", false)),
			addUser(tx, user("u7", false)),
		)
		for id, external := range map[center.GroupID]string{"g1": "", "g2": "e2"} {
			err = errors.Join(
				err, tx.AddGroup(center.Group{ID: id, DisplayName: string(id), ExternalID: external}),
			)
		}
		member := func(group center.GroupID, user center.UserID) error {
			_, err := tx.AddMembers(group, []center.UserID{user}, at(1), "test")
			return err
		}
		return errors.Join(
			err, tx.PutAssignment(held(center.PrincipalUser, "u1")), tx.PutAssignment(held(center.PrincipalUser, "u2")),
			tx.PutAssignment(held(center.PrincipalUser, "u9")), tx.PutAssignment(held(center.PrincipalGroup, "g1")),
			tx.PutAssignment(held(center.PrincipalGroup, "g9")), tx.PutAssignment(held(center.PrincipalGroup, "u1")),
			tx.PutApplicationAssignment(center.ApplicationAssignment{
				ApplicationARN: "app", PrincipalType: center.PrincipalUser, PrincipalID: "u8",
			}),
			member("g1", "u3"), member("g2", "u4"),
			tx.PutSession(center.Session{Digest: "s", UserID: "u5", ExpiresAt: at(90)}),
			tx.ExtendRoleSession(center.RoleSession{UserID: "u6", AccountID: one, Until: at(20)}),
		)
	})
	view(t, s, func(r center.Reader) error {
		ids := func(now int64, q center.LeaverQuery, named ...center.UserID) (found []center.UserID) {
			users, err := r.DisabledWithAccess(at(now).UnixMilli(), named, q)
			if err != nil {
				t.Error(err)
			}
			for _, u := range users {
				found = append(found, u.ID)
			}
			return found
		}
		for _, c := range []struct{ is, want []center.UserID }{
			{ids(10, center.LeaverQuery{Limit: 10}), []center.UserID{"u1", "u3", "u5", "u6"}},
			{ids(30, center.LeaverQuery{Limit: 10}), []center.UserID{"u1", "u3", "u5"}},
			{ids(99, center.LeaverQuery{Limit: 10}, "u2", "u7"), []center.UserID{"u1", "u3", "u7"}},
			{ids(10, center.LeaverQuery{After: "u1", Limit: 2}), []center.UserID{"u3", "u5"}},
			{ids(99, center.LeaverQuery{Search: " U7", Limit: 10}, "u2", "u7"), []center.UserID{"u7"}},
			{ids(10, center.LeaverQuery{Search: "u u3", Limit: 10}), []center.UserID{"u3"}},
			{ids(10, center.LeaverQuery{Search: "u u3", After: "u3", Limit: 10}), nil},
			{ids(10, center.LeaverQuery{Search: "u_", Limit: 10}), nil},
			{ids(10, center.LeaverQuery{ByName: true, Descending: true, Limit: 2}), []center.UserID{"u6", "u5"}},
			{
				ids(10, center.LeaverQuery{ByName: true, Descending: true, AfterName: "U5", Limit: 9}),
				[]center.UserID{"u3", "u1"},
			},
			{ids(10, center.LeaverQuery{ByName: true, AfterName: "u3", Limit: 2}), []center.UserID{"u5", "u6"}},
		} {
			if !slices.Equal(c.is, c.want) {
				t.Errorf("disabled with access: %v, want %v", c.is, c.want)
			}
		}
		all, e1 := r.OrphansOfAssignments(center.Principal{}, 10)
		some, e2 := r.OrphansOfAssignments(center.Principal{Type: center.PrincipalGroup, ID: "u1"}, 1)
		if want := []center.Departed{
			{PrincipalType: center.PrincipalGroup, PrincipalID: "g9"},
			{PrincipalType: center.PrincipalGroup, PrincipalID: "u1"},
			{PrincipalType: center.PrincipalUser, PrincipalID: "u8"},
			{PrincipalType: center.PrincipalUser, PrincipalID: "u9"},
		}; !slices.Equal(all, want) || !slices.Equal(some, want[2:3]) {
			t.Errorf("assignments of nobody: %v, %v", all, some)
		}
		return errors.Join(e1, e2)
	})
	holders(t, s)
}

// holders counts, after reported, those who have permission sets.
func holders(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error { // u2 is enabled and has it twice; disabled ones do not count
		_, err := tx.AddMembers("g1", []center.UserID{"u2", "u4"}, at(1), "test")
		return errors.Join(err, addUser(tx, center.User{ID: "u10", UserName: "u10", Active: true}))
	})
	view(t, s, func(r center.Reader) error {
		holders, e1 := r.CountHolders([]string{"ps1", "ps2"})
		of2, e2 := r.CountHolders([]string{"ps2"})
		none, e3 := r.CountHolders(nil)
		if holders != 1 || of2 != 0 || none != 0 {
			t.Errorf("holders: %d, %d, %d", holders, of2, none)
		}
		return errors.Join(e1, e2, e3)
	})
}
