package tenanttest

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// deletedItems is the part of the contract on what was deleted and can be restored.
func deletedItems(t *testing.T, s tenant.Store) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	user := tenant.User{ID: "u1", UserPrincipalName: "Ada@example.com", DisplayName: "Ada"}
	app := tenant.Application{ID: "a1", AppID: "c1", ServicePrincipalID: "s1", DisplayName: "AWS"}
	member := tenant.Member{GroupID: "g1", MemberID: "u1", Kind: tenant.KindUser}
	other := tenant.Member{GroupID: "g1", MemberID: "u2", Kind: tenant.KindUser}
	assigned := tenant.Assignment{ID: "x1", ServicePrincipalID: "s1", PrincipalID: "u1", PrincipalKind: tenant.KindUser}
	another := tenant.Assignment{ID: "x2", ServicePrincipalID: "s1", PrincipalID: "g1", PrincipalKind: tenant.KindGroup}
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutApplication(app), tx.PutMember(member), tx.PutMember(other), tx.PutAssignment(assigned),
			tx.PutAssignment(another),
			tx.PutDeletedItem(tenant.DeletedItem{ID: "u1", Kind: tenant.KindUser, DeletedAt: at, User: &user}),
			tx.PutMembersAside("u1"),
			tx.PutAssignmentsAside("u1", tenant.AssignmentQuery{PrincipalID: "u1"}),
			tx.PutDeletedItem(tenant.DeletedItem{
				ID: "a1", Kind: tenant.KindApplication, DeletedAt: at.Add(time.Hour), Application: &app,
			}),
			tx.DeleteApplication("a1"),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		i, e1 := r.DeletedItem("u1")
		a, e2 := r.DeletedItem("s1")
		if i.User == nil || *i.User != user || a.ID != "a1" {
			t.Errorf("found %+v and %+v", i, a)
		}
		_, err := r.DeletedItem("")
		wantNoRow(t, "an item without an id", err)
		_, err = r.Application("c1")
		wantNoRow(t, "the application", err)
		named, e3 := r.DeletedUsersNamed("ADA@example.com")
		list, e4 := r.DeletedItems(tenant.DeletedQuery{Kind: tenant.KindUser, Since: at.Add(-time.Minute), Limit: 5})
		over, e5 := r.DeletedItems(tenant.DeletedQuery{Kind: tenant.KindUser, Since: at})
		n, e6 := r.CountDeletedItems(tenant.KindApplication, at)
		due, e7 := r.OverdueItems(at, 10)
		if len(named) != 1 || len(list) != 1 || len(over) != 0 || n != 1 || len(due) != 1 || due[0].ID != "u1" {
			t.Errorf("named %v, listed %v, over %v, %d, due %v", named, list, over, n, due)
		}
		aside, e8 := r.MembersAside("u1")
		roles, e9 := r.AssignmentsAside("u1")
		left, e10 := r.Members("g1")
		still, e11 := r.Assignments(tenant.AssignmentQuery{})
		if len(aside) != 1 || aside[0] != member || len(left) != 1 || left[0] != other ||
			len(roles) != 1 || roles[0].ID != "x1" || len(still) != 1 || still[0].ID != "x2" {
			t.Errorf("aside %v and %v, left %v and %v", aside, roles, left, still)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11)
	})
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(tx.PutMemberAside("g1", member), tx.PutMemberAside("g1", member),
			tx.PutAssignmentAside("a1", assigned), tx.DeleteDeletedItem("u1"))
	})
	view(t, s, func(r tenant.Reader) error {
		gone, e1 := r.MembersAside("u1")
		kept, e2 := r.MembersAside("g1")
		roles, e3 := r.AssignmentsAside("a1")
		if len(gone) != 0 || len(kept) != 1 || len(roles) != 1 {
			t.Errorf("gone %v, kept %v and %v", gone, kept, roles)
		}
		return errors.Join(e1, e2, e3)
	})
}

// directoryRoles is the part of the contract on directory roles, on what is demanded of people, and
// on what they have allowed programs.
func directoryRoles(t *testing.T, s tenant.Store) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first := tenant.RoleAssignment{ID: "a", RoleID: tenant.UserAdministrator, PrincipalID: "u1", CreatedAt: at}
	second := tenant.RoleAssignment{ID: "b", RoleID: tenant.GlobalReader, PrincipalID: "u2", CreatedAt: at}
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutRoleAssignmentsOf("u1", []tenant.RoleAssignment{first}),
			tx.PutRoleAssignmentsOf("u2", []tenant.RoleAssignment{second}),
			tx.PutSecurityDefaults(tenant.SecurityDefaults{Factor: tenant.DemandEverybody}),
			tx.PutGrant(tenant.Grant{Digest: "f1", Kind: tenant.GrantRefresh, Account: tenant.Account{ID: "u1"}}),
			tx.PutGrant(tenant.Grant{Digest: "f2", Kind: tenant.GrantRefresh, Account: tenant.Account{ID: "u2"}}),
			tx.PutGrant(tenant.Grant{Digest: "f3", Kind: tenant.GrantCode, Account: tenant.Account{ID: "u1"}}),
		)
	})
	update(t, s, func(tx tenant.Tx) error { return tx.PutRoleAssignmentsOf("u2", nil) })
	view(t, s, func(r tenant.Reader) error {
		all, e1 := r.RoleAssignments()
		one, e2 := r.RoleAssignmentsOf("u1")
		none, e3 := r.RoleAssignmentsOf("u2")
		if len(all) != 1 || all[0] != first || len(one) != 1 || len(none) != 0 {
			t.Errorf("all %v, of one %v, of the other %v", all, one, none)
		}
		d, e4 := r.SecurityDefaults()
		families, e5 := r.GrantsAfter("f1", 10)
		if d.Factor != tenant.DemandEverybody || len(families) != 1 || families[0].Digest != "f2" {
			t.Errorf("demanded %q, allowed %v", d.Factor, families)
		}
		return errors.Join(e1, e2, e3, e4, e5)
	})
}
