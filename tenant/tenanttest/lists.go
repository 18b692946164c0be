package tenanttest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// lists keeps 23 users, of whom every fifth is disabled, and groups of which one has members of
// both kinds, and reads them as the pages of lists do.
func lists(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		var all []error
		for i := range 23 {
			id := fmt.Sprintf("u%02d", i)
			all = append(all, tx.PutUser(tenant.User{
				ID: tenant.UserID(id), UserPrincipalName: fmt.Sprintf("p%02d@x.example", i),
				DisplayName: fmt.Sprintf("Tanaka Mei %02d", 22-i), Enabled: i%5 != 0, JobTitle: `"Enabled":true`,
				UserType: []string{"Member", "", "Guest"}[i%3],
			}), tx.PutMember(tenant.Member{GroupID: "g0", MemberID: tenant.PrincipalID(id), Kind: tenant.KindUser}),
				tx.PutAssignment(tenant.Assignment{
					ID: tenant.AssignmentID("a" + id), ServicePrincipalID: "sp", PrincipalID: tenant.PrincipalID(id),
					PrincipalKind: tenant.KindUser,
				}))
		}
		for i := range 7 {
			id := fmt.Sprintf("g%d", i)
			g := tenant.Group{ID: tenant.GroupID(id), DisplayName: fmt.Sprintf("A Group %d", i)}
			all = append(all, tx.PutGroup(g))
		}
		nested := tenant.Member{GroupID: "g0", MemberID: "g3", Kind: tenant.KindGroup}
		return errors.Join(append(all, tx.PutMember(nested))...)
	})
	yes, no := true, false
	for _, x := range []struct {
		q     tenant.Query
		total int
		want  string
	}{
		{tenant.Query{By: tenant.ByName, Limit: 3}, 23, "u22 u21 u20"},
		{tenant.Query{By: tenant.ByName, Descending: true, Offset: 21, Limit: 3}, 23, "u21 u22"},
		{tenant.Query{By: tenant.ByPrincipalName, Limit: 2}, 23, "u00 u01"},
		{tenant.Query{Search: "MEI tanaka 1", By: tenant.ByPrincipalName, Limit: 2}, 19, "u01 u03"},
		{tenant.Query{Search: "p1_"}, 0, ""},
		{tenant.Query{Enabled: &no}, 5, "u00 u05 u10 u15 u20"},
		{tenant.Query{Enabled: &yes, Search: "p05"}, 0, ""},
		{tenant.Query{Enabled: &yes, After: "u20"}, 2, "u21 u22"},
		{tenant.Query{Guests: &yes, Limit: 2}, 7, "u02 u05"},
		{tenant.Query{Guests: &no, Enabled: &no}, 3, "u00 u10 u15"},
	} {
		view(t, s, func(r tenant.Reader) error {
			list, e1 := r.Users(x.q)
			total, e2 := r.CountUsers(x.q)
			var ids []string
			for _, u := range list {
				ids = append(ids, string(u.ID))
			}
			if got := strings.Join(ids, " "); got != x.want || total != x.total {
				t.Errorf("%+v: %s of %d, want %s of %d", x.q, got, total, x.want, x.total)
			}
			return errors.Join(e1, e2)
		})
	}
	principals(t, s)
	standings(t, s)
	assigned(t, s)
	loggedNames(t, s)
}

func principals(t *testing.T, s tenant.Store) {
	for _, x := range []struct {
		q     tenant.PrincipalQuery
		total int
		want  string
	}{
		{tenant.PrincipalQuery{GroupID: "g0", Limit: 2}, 24, "g3 u22"},
		{tenant.PrincipalQuery{GroupID: "g0", Offset: 22, Limit: 5}, 24, "u01 u00"},
		{tenant.PrincipalQuery{GroupID: "g0", Descending: true, Limit: 2}, 24, "u00 u01"},
		{tenant.PrincipalQuery{GroupID: "g0", Kind: tenant.KindGroup}, 1, "g3"},
		{tenant.PrincipalQuery{GroupID: "g0", Kind: tenant.KindUser, Search: "mei 07"}, 2, "u15 u07"},
		{tenant.PrincipalQuery{GroupID: "g1"}, 0, ""},
		{tenant.PrincipalQuery{ServicePrincipalID: "sp", Search: "p22@"}, 1, "u22"},
		{tenant.PrincipalQuery{ServicePrincipalID: "sp", Limit: 1}, 23, "u22"},
	} {
		view(t, s, func(r tenant.Reader) error {
			list, e1 := r.Principals(x.q)
			total, e2 := r.CountPrincipals(x.q)
			var ids []string
			for _, p := range list {
				ids = append(ids, string(p.ID))
				if p.Name() == "" || x.q.GroupID == "" && p.Assignment.PrincipalID != p.ID {
					t.Errorf("%+v: %+v", x.q, p)
				}
			}
			if got := strings.Join(ids, " "); got != x.want || total != x.total {
				t.Errorf("%+v: %s of %d, want %s of %d", x.q, got, total, x.want, x.total)
			}
			return errors.Join(e1, e2)
		})
	}
}

// standings reads a list by the role of assignments and by how their users stand at a job's target:
// by the word that the link itself says.
func standings(t *testing.T, s tenant.Store) {
	const reader, removed = tenant.AppRoleID("11111111-1111-1111-1111-111111111111"), tenant.AppRoleID("gone")
	links := map[string]*tenant.Link{
		"u02": {TargetID: "t2"}, "u03": {TargetID: "t3", Failure: "409"}, "u04": {Doubt: &tenant.Doubt{}},
		"u05": {TargetID: "t5", Doubt: &tenant.Doubt{Looked: true}}, "u06": {TargetID: "t6", Left: time.UnixMilli(9)},
		"u07": {RetryAt: time.UnixMilli(9)}, "g3": {Kind: tenant.KindGroup, TargetID: "t"}, "u08": nil,
	}
	update(t, s, func(tx tenant.Tx) error {
		var all []error
		for id, l := range links {
			a := tenant.Assignment{
				ID: tenant.AssignmentID("b" + id), ServicePrincipalID: "sp2", PrincipalID: tenant.PrincipalID(id),
				RoleID: map[string]tenant.AppRoleID{"u02": reader, "u03": reader, "u04": removed}[id],
			}
			if all = append(all, tx.PutAssignment(a)); l == nil {
				continue
			}
			l.JobID, l.SourceID = "job", a.PrincipalID
			l.Kind = cmp.Or(l.Kind, tenant.KindUser)
			other := *l
			other.JobID, other.Failure = "another", "fails"
			alike := *l // the same id, of the other kind
			alike.Kind, alike.Failure = tenant.KindGroup, "fails"
			if l.Kind == tenant.KindGroup {
				alike.Kind = tenant.KindUser
			}
			all = append(all, tx.PutLink(*l), tx.PutLink(other), tx.PutLink(alike))
		}
		return errors.Join(all...)
	})
	roles := []tenant.AppRoleID{reader, tenant.DefaultAccess}
	of := func(q tenant.PrincipalQuery) tenant.PrincipalQuery {
		q.ServicePrincipalID, q.Roles = "sp2", roles
		q.JobID = "job"
		return q
	}
	for _, x := range []struct {
		q    tenant.PrincipalQuery
		want string
	}{
		{of(tenant.PrincipalQuery{RoleID: reader}), "u03 u02"},
		{of(tenant.PrincipalQuery{RoleID: tenant.DefaultAccess, Kind: tenant.KindGroup}), "g3"},
		{of(tenant.PrincipalQuery{RoleID: tenant.DefaultAccess}), "g3 u08 u07 u06 u05 u04"},
		{of(tenant.PrincipalQuery{By: tenant.ByRole, Limit: 3}), "u03 u02 g3"},
		{of(tenant.PrincipalQuery{By: tenant.ByRole, Descending: true, Limit: 1, Offset: 6}), "u03"},
		{of(tenant.PrincipalQuery{By: tenant.ByKind, Limit: 2}), "u08 u07"},
		{of(tenant.PrincipalQuery{By: tenant.ByKind, Descending: true, Limit: 2}), "g3 u08"},
		{of(tenant.PrincipalQuery{By: tenant.ByLinkState, Limit: 1}), "u03"},
		{of(tenant.PrincipalQuery{State: tenant.LinkProvisioned, Search: "mei"}), "u05 u02"},
		{of(tenant.PrincipalQuery{State: tenant.LinkFails}), "u03"},
		{of(tenant.PrincipalQuery{State: tenant.LinkUncertain}), "u04"},
		{of(tenant.PrincipalQuery{State: tenant.LinkLeft}), "u06"},
		{of(tenant.PrincipalQuery{State: tenant.LinkNone}), "u08 u07"},
		{of(tenant.PrincipalQuery{State: tenant.LinkNone, By: tenant.ByRole, RoleID: reader}), ""},
	} {
		view(t, s, func(r tenant.Reader) error {
			list, e1 := r.Principals(x.q)
			total, e2 := r.CountPrincipals(x.q)
			var ids []string
			for _, p := range list {
				ids = append(ids, string(p.ID))
				var l tenant.Link
				if of := links[string(p.ID)]; of != nil {
					l = *of
				}
				if p.State != l.State() {
					t.Errorf("%s is %q, and its link says %q", p.ID, p.State, l.State())
				}
			}
			if got := strings.Join(ids, " "); got != x.want || x.q.Limit == 0 && total != len(list) {
				t.Errorf("%+v: %s of %d, want %s", x.q, got, total, x.want)
			}
			return errors.Join(e1, e2)
		})
	}
}

// assigned finds users and groups that an application is assigned to, and others.
func assigned(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		var all []error
		for _, id := range []string{"has-1", "has-2", "none-1", "none-2"} {
			upn := id + "@assigned.example"
			all = append(all, tx.PutUser(tenant.User{ID: tenant.UserID(id), UserPrincipalName: upn, DisplayName: "A"}))
		}
		for _, id := range []string{"has-3", "none-3"} {
			all = append(all, tx.PutGroup(tenant.Group{ID: tenant.GroupID(id), DisplayName: "assigned " + id}))
		}
		for group, member := range map[tenant.GroupID]tenant.PrincipalID{"has-3": "has-2", "none-3": "none-2"} {
			all = append(all, tx.PutMember(tenant.Member{GroupID: group, MemberID: member, Kind: tenant.KindUser}))
		}
		for _, id := range []tenant.PrincipalID{"has-1", "has-3"} {
			all = append(all, tx.PutAssignment(tenant.Assignment{
				ID: tenant.AssignmentID(id), ServicePrincipalID: "sp3", PrincipalID: id,
			}))
		}
		return errors.Join(all...)
	})
	for assigned, want := range map[bool]string{true: "has-1 has-2 has-3", false: "none-1 none-2 none-3"} {
		view(t, s, func(r tenant.Reader) error {
			q := tenant.Query{Search: "assigned", Assigned: &assigned}
			users, e1 := r.Users(q)
			groups, e2 := r.Groups(q)
			us, e3 := r.CountUsers(q)
			gs, e4 := r.CountGroups(q)
			var ids []string
			for _, u := range users {
				ids = append(ids, string(u.ID))
			}
			for _, g := range groups {
				ids = append(ids, string(g.ID))
			}
			if got := strings.Join(ids, " "); got != want || us+gs != len(ids) {
				t.Errorf("assigned %v: %s, %d and %d, want %s", assigned, got, us, gs, want)
			}
			return errors.Join(e1, e2, e3, e4)
		})
	}
}

// loggedNames finds entries of the provisioning log by what they name.
func loggedNames(t *testing.T, s tenant.Store) {
	at := time.UnixMilli(1_800_000_000_000)
	update(t, s, func(tx tenant.Tx) error {
		var all []tenant.LogEntry
		for i := range 30 {
			all = append(all, tenant.LogEntry{
				ID: fmt.Sprintf("l%02d", i), JobID: "j", Time: at.Add(time.Duration(i) * time.Second),
				Status: "success", Name: fmt.Sprintf("p%02d@x.example", i), SourceID: "p99@x",
				Action: []string{"create", "update"}[i%2],
			})
		}
		return tx.AppendLog(all)
	})
	view(t, s, func(r tenant.Reader) error {
		found, e1 := r.Log(tenant.LogQuery{JobID: "j", Name: "P07@X", Action: "update"})
		none, e2 := r.Log(tenant.LogQuery{JobID: "j", Name: "p99@x"})
		beyond, e3 := r.LogBeyond(at.Add(time.Hour), 10)
		since, e4 := r.Log(tenant.LogQuery{JobID: "j", Since: beyond, Action: "create"})
		nothing, e5 := r.LogBeyond(at.Add(time.Hour), 30)
		if len(found) != 1 || found[0].ID != "l07" || len(none) != 0 || !nothing.IsZero() {
			t.Errorf("found %v, %v, %v", found, none, nothing)
		}
		updates := slices.ContainsFunc(since, func(e tenant.LogEntry) bool { return e.Action != "create" })
		if !beyond.Equal(at.Add(19*time.Second)) || len(since) != 5 || updates {
			t.Errorf("since %v: %v", beyond, since)
		}
		return errors.Join(e1, e2, e3, e4, e5)
	})
}
