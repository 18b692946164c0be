package centertest

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// Accounts of the contract.
const one, two, three = "111122223333", "222233334444", "333344445555"

// access checks what users have by their own assignments and by groups, the roles that there are,
// and the pages of it all.
func access(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		_, err := tx.AddMembers("g1", []center.UserID{"nobody"}, time.UnixMilli(1), "t")
		err = errors.Join(
			err, addUser(tx, center.User{ID: "u1", UserName: "ada"}),
			addUser(tx, center.User{ID: "u2", UserName: "bob"}),
			tx.AddGroup(center.Group{ID: "g1", DisplayName: "G"}),
		)
		_, more := tx.AddMembers("g1", []center.UserID{"u1"}, time.UnixMilli(1), "t")
		return errors.Join(
			err,
			more,
			tx.PutAccount(center.Account{ID: one, Name: "Zeta", Email: "root@zeta.example"}),
			tx.PutAccount(center.Account{ID: two, Name: "alpha"}),
			tx.PutAccount(center.Account{ID: three, Name: "Other"}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps1", Name: "Read"}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps2", Name: "Admin", Revision: 3}),
			tx.PutAssignment(center.Assignment{
				AccountID:        one,
				PermissionSetARN: "ps1",
				PrincipalType:    center.PrincipalGroup,
				PrincipalID:      "g1",
			}),
			tx.PutAssignment(center.Assignment{
				AccountID:        two,
				PermissionSetARN: "ps1",
				PrincipalType:    center.PrincipalGroup,
				PrincipalID:      "g1",
			}),
			tx.PutAssignment(center.Assignment{
				AccountID:        two,
				PermissionSetARN: "ps2",
				PrincipalType:    center.PrincipalUser,
				PrincipalID:      "u1",
			}),
			tx.PutAssignment(center.Assignment{
				AccountID:        three,
				PermissionSetARN: "ps2",
				PrincipalType:    center.PrincipalUser,
				PrincipalID:      "u2",
			}),
			tx.PutProvisioned(center.Provisioned{
				AccountID:        two,
				PermissionSetARN: "ps2",
				Revision:         1,
				RoleName:         "R",
			}),
			tx.PutProvisioned(center.Provisioned{
				AccountID:        three,
				PermissionSetARN: "ps2",
				Revision:         3,
				RoleName:         "R3",
			}),
		)
	})
	accessIsFound(t, s)
	rolesAreMarked(t, s)
}

func accessIsFound(t *testing.T, s center.Store) {
	view(t, s, func(r center.Reader) error {
		for _, c := range []struct {
			q    center.AccessQuery
			want string
		}{
			{center.AccessQuery{User: "u1"}, one + two},
			{center.AccessQuery{User: "u1", ByName: true}, two + one},
			{center.AccessQuery{User: "u2"}, three},
			{center.AccessQuery{User: "u3"}, ""},
			{center.AccessQuery{User: "u1", After: one}, two},
			{center.AccessQuery{User: "u1", Limit: 1}, one},
			{center.AccessQuery{User: "u1", ByName: true, Offset: 1, Limit: 5}, one},
			{center.AccessQuery{User: "u1", Search: "ALPHA"}, two},
			{center.AccessQuery{User: "u1", Search: "zeta.example"}, one},
			{center.AccessQuery{User: "u1", Search: "3333"}, one + two},
		} {
			got := ""
			list, err := r.AccountsOf(c.q)
			for _, a := range list {
				got += a.ID
			}
			if err != nil || got != c.want {
				t.Errorf("%+v: %s, %v; want %s", c.q, got, err, c.want)
			}
		}
		sets, e1 := r.RolesOf("u1", two)
		none, e2 := r.RolesOf("u2", two)
		role, e3 := r.RoleOf("u1", two, "Admin")
		if len(sets) != 2 || sets[0].Name != "Admin" || len(none) != 0 || role.RoleName != "R" ||
			role.Account.Name != "alpha" || role.PermissionSet.ARN != "ps2" {
			t.Errorf("roles %v, %v, %+v", sets, none, role)
		}
		_, err := r.RoleOf("u2", two, "Admin")
		wantNoRow(t, "a role of somebody else", err)
		held, e4 := r.Assignments(center.AssignmentQuery{HeldBy: "u1"})
		rest, e5 := r.Assignments(center.AssignmentQuery{HeldBy: "u1", After: held[0], Limit: 1})
		if len(held) != 3 || len(rest) != 1 || rest[0] != held[1] {
			t.Errorf("held %v, then %v", held, rest)
		}
		yes, no := true, false
		latest, e6 := r.ProvisionedRoles(center.ProvisionedQuery{PermissionSetARN: "ps2", Latest: &yes})
		stale, e7 := r.ProvisionedRoles(center.ProvisionedQuery{PermissionSetARN: "ps2", Latest: &no})
		after, e8 := r.ProvisionedRoles(center.ProvisionedQuery{
			After: center.Provisioned{AccountID: two, PermissionSetARN: "ps2"},
		})
		if len(latest) != 1 || latest[0].RoleName != "R3" || len(stale) != 1 || stale[0].RoleName != "R" ||
			len(after) != 1 {
			t.Errorf("latest %v, stale %v, after %v", latest, stale, after)
		}
		next, e9 := r.PermissionSets(center.PermissionSetQuery{After: "ps1", Limit: 5})
		if len(next) != 1 || next[0].Name != "Admin" {
			t.Errorf("the next sets %v", next)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9)
	})
}

func rolesAreMarked(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.MarkProvisioned("ps2", two, 3), tx.DeleteProvisioned(three, "ps2"),
			tx.DeleteRequests(time.UnixMilli(10)),
		)
	})
	view(t, s, func(r center.Reader) error {
		all, err := r.ProvisionedRoles(center.ProvisionedQuery{})
		if len(all) != 1 || all[0].Revision != 3 {
			t.Errorf("roles left %v", all)
		}
		return err
	})
}

func applications(t *testing.T, s center.Store) {
	mine := center.ApplicationAssignment{ApplicationARN: "a1", PrincipalType: center.PrincipalUser, PrincipalID: "u1"}
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutApplication(center.Application{ARN: "a1", Name: "One"}),
			tx.PutApplication(center.Application{ARN: "a2", Name: "Two"}),
			tx.PutApplicationAssignment(mine),
			tx.PutApplicationAssignment(mine),
			tx.PutApplicationAssignment(center.ApplicationAssignment{
				ApplicationARN: "a2",
				PrincipalType:  center.PrincipalUser,
				PrincipalID:    "u1",
			}),
			tx.PutTokenIssuer(center.TokenIssuer{ARN: "i1", Name: "I"}),
			tx.PutInstanceSettings(center.InstanceSettings{Name: "Corp"}),
			tx.PutSetup(center.Setup{Node: "one", KeepsRoles: true}),
			tx.PutInstanceControls(center.InstanceControls{WithoutPermissionSets: true}),
			tx.PutIdempotencyToken(center.IdempotencyToken{ID: "t", ARN: "a1", ExpiresAt: time.UnixMilli(5)}),
		)
	})
	view(t, s, func(r center.Reader) error {
		one, e1 := r.Application("a1")
		rest, e2 := r.Applications("a1", 5)
		n, e3 := r.CountApplications()
		held, e4 := r.ApplicationAssignments(center.ApplicationAssignmentQuery{HeldBy: "u1"})
		next, e5 := r.ApplicationAssignments(center.ApplicationAssignmentQuery{
			PrincipalType: center.PrincipalUser,
			After:         mine,
		})
		issuer, e6 := r.TokenIssuer("i1")
		issuers, e7 := r.TokenIssuers()
		settings, e8 := r.InstanceSettings()
		token, e9 := r.IdempotencyToken("t")
		controls, e10 := r.InstanceControls()
		setup, e11 := r.Setup()
		if !controls.WithoutPermissionSets || setup.Node != "one" || !setup.KeepsRoles {
			t.Errorf("read back the controls %+v and the setup %+v", controls, setup)
		}
		if one.Name != "One" || len(rest) != 1 || n != 2 || len(held) != 2 || len(next) != 1 || issuer.Name != "I" ||
			len(issuers) != 1 || settings.Name != "Corp" || token.ARN != "a1" {
			t.Errorf("read back %v %v %d %v %v %v %v %v %v", one, rest, n, held, next, issuer, issuers, settings, token)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11)
	})
	update(t, s, func(tx center.Tx) error {
		_, err := tx.DeleteExpired(time.UnixMilli(6), time.UnixMilli(6))
		return errors.Join(
			err, tx.DeleteApplicationAssignmentsOf("a2"), tx.DeleteApplicationAssignment(mine),
			tx.DeleteApplication("a1"), tx.DeleteTokenIssuer("i1"),
		)
	})
	view(t, s, func(r center.Reader) error {
		_, e1 := r.Application("a1")
		_, e2 := r.TokenIssuer("i1")
		_, e3 := r.IdempotencyToken("t")
		for what, err := range map[string]error{"application": e1, "issuer": e2, "client token": e3} {
			wantNoRow(t, what, err)
		}
		left, err := r.ApplicationAssignments(center.ApplicationAssignmentQuery{})
		if len(left) != 0 {
			t.Errorf("assignments left %v", left)
		}
		return err
	})
}
