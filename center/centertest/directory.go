package centertest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// The part of the contract that is about users, groups and memberships.

func usersByKey(t *testing.T, s center.Store) {
	u := center.User{
		ID:          "u1",
		UserName:    "Ada@Example.com",
		DisplayName: "Ada",
		ExternalID:  "X-1",
		Emails:      []center.Value{{Value: "Ada.L@Example.com"}},
		Active:      true,
	}
	update(t, s, func(tx center.Tx) error { return addUser(tx, u) })
	view(t, s, func(r center.Reader) error {
		for what, find := range map[string]func() (center.User, error){
			"id":          func() (center.User, error) { return r.User("u1") },
			"name":        func() (center.User, error) { return r.UserByName("ADA@example.COM") },
			"e-mail":      func() (center.User, error) { return r.UserByEmail("ada.l@EXAMPLE.com") },
			"external id": func() (center.User, error) { return r.UserByExternalID("X-1") },
		} {
			got, err := find()
			if err != nil || got.UserName != "Ada@Example.com" {
				t.Errorf("by %s: %+v, %v", what, got, err)
			}
		}
		_, err := r.UserByExternalID("x-1")
		wantNoRow(t, "external id in another case", err)
		_, err = r.User("u2")
		wantNoRow(t, "unknown id", err)
		return nil
	})
	u.UserName = "ada2@example.com"
	u.Emails = nil
	u.ExternalID = ""
	update(t, s, func(tx center.Tx) error { return tx.PutUser(u) })
	view(t, s, func(r center.Reader) error {
		_, err := r.UserByName("ada@example.com")
		wantNoRow(t, "the old name", err)
		_, err = r.UserByEmail("ada.l@example.com")
		wantNoRow(t, "the old e-mail", err)
		return nil
	})
	update(t, s, func(tx center.Tx) error { return tx.DeleteUser("u1") })
	view(t, s, func(r center.Reader) error {
		_, err := r.User("u1")
		wantNoRow(t, "deleted user", err)
		return nil
	})
}

// emails looks at addresses that are the user's name and at those that are not.
func emails(t *testing.T, s center.Store) {
	person := func(id, name, email string) center.User {
		return center.User{ID: center.UserID(id), UserName: name, Emails: []center.Value{{Value: email}}}
	}
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			addUser(tx, person("u1", "Ada@example.com", "ada@EXAMPLE.com")),
			addUser(tx, person("u2", "bob", "bob@example.com")),
			addUser(tx, person("u3", "eve@example.com", "e@example.com")),
		)
	})
	for _, c := range []struct {
		u     center.User
		added bool
	}{
		{person("n1", "x1", "ADA@example.com"), false},
		{person("n2", "BOB@example.com", "bob@example.com"), false},
		{person("n3", "x3", "bob@example.COM"), false},
		{person("n4", "ada@example.com", "other@example.com"), false},
		{person("n5", "bob@example.com", "five@example.com"), true},
		{person("n6", "x6", "eve@example.com"), true},
	} {
		var added bool
		update(t, s, func(tx center.Tx) (err error) {
			added, err = tx.AddUser(c.u)
			return err
		})
		if added != c.added {
			t.Errorf("%s with %s: added %t", c.u.UserName, c.u.PrimaryEmail(), added)
		}
	}
	view(t, s, func(r center.Reader) error {
		for email, want := range map[string]center.UserID{
			"ADA@example.com": "u1",
			"bob@example.com": "u2",
			"e@example.com":   "u3",
			"eve@example.com": "n6",
		} {
			if u, err := r.UserByEmail(email); err != nil || u.ID != want {
				t.Errorf("by %s: %s, %v; want %s", email, u.ID, err, want)
			}
		}
		held, err := r.UsersHolding("nobody", "ada@example.com", "")
		if err != nil || len(held) != 1 || held[0].ID != "u1" || held[0].Email != "ada@example.com" {
			t.Errorf("holders of ada's address: %+v, %v", held, err)
		}
		return nil
	})
}

func paging(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		for i := range 25 {
			id := fmt.Sprintf("%02d", i)
			if err := errors.Join(
				addUser(tx, center.User{ID: center.UserID(id), UserName: "user" + id, DisplayName: "100%_" + id}),
				tx.AddGroup(center.Group{ID: center.GroupID(id), DisplayName: "Group " + id})); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(r center.Reader) error {
		var seen []center.UserID
		for after := center.UserID(""); ; {
			page, err := r.Users(center.UserQuery{After: after, Limit: 10})
			if err != nil {
				return err
			}
			for _, u := range page {
				seen = append(seen, u.ID)
			}
			if len(page) < 10 {
				break
			}
			after = page[9].ID
		}
		if len(seen) != 25 || seen[0] != "00" || seen[24] != "24" {
			t.Errorf("paged through %v", seen)
		}
		found, err := r.Users(center.UserQuery{Search: "100%_1"})
		if err != nil || len(found) != 10 {
			t.Errorf("search with wildcards in it found %d, %v; want 10", len(found), err)
		}
		n, err := r.CountUsers(center.UserQuery{Search: "USER0"})
		if err != nil || n != 10 {
			t.Errorf("counted %d, %v; want 10", n, err)
		}
		some, err := r.Users(center.UserQuery{IDs: []center.UserID{"03", "99", "01"}})
		if err != nil || len(some) != 2 {
			t.Errorf("by ids %d, %v; want 2", len(some), err)
		}
		none, err := r.Users(center.UserQuery{IDs: []center.UserID{}})
		if err != nil || len(none) != 0 {
			t.Errorf("by no ids %d, %v; want none", len(none), err)
		}
		groups, err := r.Groups(center.GroupQuery{Offset: 20, Limit: 10})
		if err != nil || len(groups) != 5 || groups[0].ID != "20" {
			t.Errorf("groups from the 20th: %d, %v", len(groups), err)
		}
		g, err := r.GroupByName("gROUP 07")
		if err != nil || g.ID != "07" {
			t.Errorf("group by name: %+v, %v", g, err)
		}
		return nil
	})
}

// fillGroups puts users into three groups, some of them twice.
func fillGroups(t *testing.T, s center.Store, at time.Time) {
	t.Helper()
	users := make([]center.UserID, 4)
	var added [3][2]int
	var nowhere, removed int
	update(t, s, func(tx center.Tx) (err error) {
		for j := range users {
			users[j] = center.UserID(fmt.Sprint("u", j))
			if err := addUser(tx, center.User{ID: users[j], UserName: string(users[j])}); err != nil {
				return err
			}
		}
		for i := range 3 {
			g := center.GroupID(fmt.Sprint("g", i))
			if err := tx.AddGroup(center.Group{ID: g, DisplayName: string(g)}); err != nil {
				return err
			}
			first, err := tx.AddMembers(g, users[1:2], at, "me")
			if err != nil {
				return err
			}
			rest, err := tx.AddMembers(g, append(slices.Clone(users), "nobody"), at, "me")
			if err != nil {
				return err
			}
			added[i] = [2]int{first, rest}
		}
		if nowhere, err = tx.AddMembers("g9", users, at, "me"); err != nil {
			return err
		}
		if removed, err = tx.RemoveMembers("g1", []center.UserID{"u1", "nobody"}); err != nil {
			return err
		}
		return errors.Join(tx.DeleteMembershipsIn("g0"), tx.DeleteMembershipsOf("u0"))
	})
	if removed != 1 {
		t.Errorf("removed %d; want one, and not who is no member", removed)
	}
	for i, n := range added {
		if n != [2]int{1, 3} {
			t.Errorf(
				"group %d: added %d; want one, then three, and neither who does not exist nor who is there already",
				i, n,
			)
		}
	}
	if nowhere != 0 {
		t.Errorf("added %d to a group that does not exist", nowhere)
	}
}

func memberships(t *testing.T, s center.Store) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	fillGroups(t, s, at)
	var first center.Membership
	view(t, s, func(r center.Reader) error {
		of, err := r.Memberships(center.MembershipQuery{UserID: "u1"})
		if err != nil || len(of) != 1 || of[0].GroupID != "g2" {
			t.Fatalf("of u1: %v, %v", of, err)
		}
		q := center.MembershipQuery{GroupID: "g2"}
		in, err := r.Memberships(q)
		if err != nil || len(in) != 3 || in[0].UserID != "u1" || in[2].UserID != "u3" {
			t.Fatalf("in g2: %v, %v", in, err)
		}
		first = in[0]
		if !first.CreatedAt.Equal(at) || first.CreatedBy != "me" || first.ID == "" {
			t.Errorf("a membership reads back as %+v", first)
		}
		q.After, q.Limit = in[0].Position(q), 1
		if page, err := r.Memberships(q); err != nil || len(page) != 1 || page[0] != in[1] {
			t.Errorf("after the first: %v, %v", page, err)
		}
		if page, err := r.Memberships(center.MembershipQuery{GroupID: "g2", Offset: 2, Limit: 5}); err != nil ||
			len(page) != 1 || page[0] != in[2] {
			t.Errorf("from the third: %v, %v", page, err)
		}
		if page, err := r.Memberships(center.MembershipQuery{GroupID: "g2", Offset: 1, Limit: 1}); err != nil ||
			len(page) != 1 || page[0] != in[1] {
			t.Errorf("the second: %v, %v", page, err)
		}
		if page, err := r.Memberships(center.MembershipQuery{GroupID: "g2", Offset: 3, Limit: 5}); err != nil ||
			len(page) != 0 {
			t.Errorf("from the fourth: %v, %v", page, err)
		}
		if n, err := r.CountMemberships(q); err != nil || n != 3 {
			t.Errorf("counted %d, %v", n, err)
		}
		if m, err := r.Membership(in[1].ID); err != nil || m != in[1] {
			t.Errorf("by id: %+v, %v; want %+v", m, err, in[1])
		}
		if m, err := r.MembershipOf("g2", "u3"); err != nil || m != in[2] {
			t.Errorf("g2/u3: %+v, %v", m, err)
		}
		_, err = r.MembershipOf("g0", "u1")
		wantNoRow(t, "in a group whose members are gone", err)
		_, err = r.Membership("no-such-id")
		wantNoRow(t, "no id", err)
		return nil
	})
	update(t, s, func(tx center.Tx) error {
		removed, err := tx.RemoveMembers("g2", []center.UserID{"u1"})
		if err != nil || removed != 1 {
			return errors.Join(err, fmt.Errorf("removed %d, want 1", removed))
		}
		_, err = tx.AddMembers("g2", []center.UserID{"u1"}, at.Add(time.Second), "me")
		return err
	})
	view(t, s, func(r center.Reader) error {
		_, err := r.Membership(first.ID)
		wantNoRow(t, "the id of a membership that was made anew", err)
		return nil
	})
}

func groups(t *testing.T, s center.Store) {
	g := center.Group{
		ID:          "g1",
		DisplayName: "Crew",
		ExternalID:  "X",
		Description: "all hands",
		CreatedAt:   now,
		UpdatedAt:   now,
	}
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.AddGroup(g), addUser(tx, center.User{ID: "u1", UserName: "ada", DisplayName: "Ada"}),
			tx.AddGroup(center.Group{ID: "g2", DisplayName: "Empty"}),
		)
	})
	var m center.Membership
	update(t, s, func(tx center.Tx) error {
		added, err := tx.AddMember("g1", "u1", now, "me", &m)
		if !added {
			t.Error("not added")
		}
		return err
	})
	if m.GroupID != "g1" || m.UserID != "u1" || !m.CreatedAt.Equal(now) || m.CreatedBy != "me" {
		t.Errorf("added %+v", m)
	}
	for what, pair := range map[string][2]string{
		"twice":   {"g1", "u1"},
		"nobody":  {"g1", "u9"},
		"nowhere": {"g9", "u1"},
	} {
		var added bool
		update(t, s, func(tx center.Tx) (err error) {
			added, err = tx.AddMember(center.GroupID(pair[0]), center.UserID(pair[1]), now, "me", &center.Membership{})
			return err
		})
		if added {
			t.Errorf("%s: added", what)
		}
	}
	update(t, s, func(tx center.Tx) error {
		if same, err := tx.Membership(m.ID); err != nil || same != m {
			t.Errorf("the membership reads back as %+v, %v; want %+v", same, err, m)
		}
		return errors.Join(
			tx.TouchGroup("g1", now.Add(time.Minute), "me"), tx.TouchGroupsOf("u1", now.Add(time.Hour), "you"),
		)
	})
	view(t, s, func(r center.Reader) error {
		for what, find := range map[string]func() (center.Group, error){
			"id":          func() (center.Group, error) { return r.Group("g1") },
			"name":        func() (center.Group, error) { return r.GroupByName("cREW") },
			"external id": func() (center.Group, error) { return r.GroupByExternalID("X") },
		} {
			got, err := find()
			if err != nil || got.DisplayName != "Crew" || got.Version != 2 ||
				!got.UpdatedAt.Equal(now.Add(time.Hour)) || got.UpdatedBy != "you" || !got.CreatedAt.Equal(now) {
				t.Errorf("by %s: %+v, %v", what, got, err)
			}
		}
		_, err := r.GroupByExternalID("x")
		wantNoRow(t, "an external id in another case", err)
		if other, err := r.Group("g2"); err != nil || other.Version != 0 {
			t.Errorf("a group of others: %+v, %v", other, err)
		}
		if n, err := r.CountGroups(center.GroupQuery{Search: "cre"}); err != nil || n != 1 {
			t.Errorf("counted %d, %v", n, err)
		}
		members, err := r.Members("g1")
		if err != nil || !slices.Equal(members, []center.Member{{ID: "u1", DisplayName: "Ada"}}) {
			t.Errorf("members %+v, %v", members, err)
		}
		of, err := r.GroupsOf("u1")
		if err != nil || len(of) != 1 || of[0].ID != "g1" || of[0].Version != 2 {
			t.Errorf("groups of u1: %+v, %v", of, err)
		}
		return nil
	})
	groupChanges(t, s, g)
}

func groupChanges(t *testing.T, s center.Store, g center.Group) {
	g.DisplayName = "Team"
	g.ExternalID = ""
	g.Version = 3
	g.UpdatedAt = now.Add(2 * time.Hour)
	update(t, s, func(tx center.Tx) error { return errors.Join(tx.PutGroup(g), tx.DeleteGroup("g2")) })
	view(t, s, func(r center.Reader) error {
		got, err := r.Group("g1")
		if err != nil || got != g {
			t.Errorf("after the change %+v, %v; want %+v", got, err, g)
		}
		_, err = r.GroupByName("crew")
		wantNoRow(t, "the old name", err)
		_, err = r.Group("g2")
		wantNoRow(t, "a deleted group", err)
		return nil
	})
}
