package centertest

import (
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// accountLabels checks what is kept of labels: one for each place, in the order of their names.
func accountLabels(t *testing.T, s center.Store) {
	account := center.AccountLabel{Place: center.Place{AccountID: one}, Environment: "Live", Color: "red"}
	tag := center.AccountLabel{
		Place: center.Place{Tag: &center.Tag{Key: "a=b", Value: "%"}}, Environment: "Größe",
	}
	update(t, s, func(tx center.Tx) error {
		first := account
		first.Environment = "Old"
		return errors.Join(
			tx.PutAccountLabel("x", tag), tx.PutAccountLabel("account", first), tx.PutAccountLabel("account", account),
			tx.PutAccountLabel("y", tag), tx.DeleteAccountLabel("y"), tx.DeleteAccountLabel("y"),
		)
	})
	view(t, s, func(r center.Reader) error {
		list, err := r.AccountLabels()
		if err == nil && (len(list) != 2 || list[0] != account || *list[1].Tag != *tag.Tag ||
			list[1].Environment != tag.Environment) {
			t.Errorf("the labels are %+v", list)
		}
		return err
	})
}

// entitlements checks who is entitled to roles, and how a user's roles are found.
func entitlements(t *testing.T, s center.Store) {
	const reader, deployer = "arn:aws:iam::" + one + ":role/Reader", "arn:aws:iam::" + two + ":role/ci/Deployer"
	const ada, group = "u1", "g1"
	all := []center.Entitlement{
		{ID: "e1", RoleARN: reader, PrincipalType: center.PrincipalUser},
		{ID: "e2", RoleARN: reader, PrincipalType: center.PrincipalGroup},
		{ID: "e3", RoleARN: deployer, PrincipalType: center.PrincipalGroup},
		{ID: "e4", RoleARN: deployer, PrincipalType: center.PrincipalUser, PrincipalID: "somebody"},
	}
	update(t, s, func(tx center.Tx) error {
		u, g := Person("ada@example.com"), center.Group{ID: "g1", DisplayName: "Platform"}
		u.ID = "u1"
		all[0].PrincipalID = ada
		all[1].PrincipalID, all[2].PrincipalID = group, group
		err := errors.Join(
			addUser(tx, u), tx.AddGroup(g),
			tx.PutAccount(center.Account{ID: one, Name: "Production"}),
			tx.PutAccount(center.Account{ID: two, Name: "Tooling"}),
			tx.PutAccessManager(center.AccessManager{ID: "a", TenantID: "aa-1"}),
		)
		_, e1 := tx.AddMembers(g.ID, []center.UserID{u.ID}, at(1), "t")
		for _, e := range all {
			err = errors.Join(err, tx.PutEntitlement(e))
		}
		return errors.Join(err, e1)
	})
	view(t, s, func(r center.Reader) error {
		for want, q := range map[string]center.EntitlementQuery{
			"e1 e2 e3 e4": {},
			"e3 e4":       {After: "e2"},
			"e1":          {Limit: 1},
			"e1 e2":       {RoleARN: reader},
			"e3 e1":       {By: center.ByPrincipalName, Descending: true, Limit: 2, Offset: 1},
			"e4 e1 e2 e3": {By: center.ByPrincipalName},
			"e3 e4 e1 e2": {By: center.ByAccountName, Descending: true},
			"e3 e4 e1":    {By: center.BySetName, Limit: 3},
			"e3":          {AccountID: two, PrincipalType: center.PrincipalGroup, PrincipalID: group},
			"e1 e2 e3":    {HeldBy: ada},
			"":            {HeldBy: group},
		} {
			wantEntitlements(t, r, q, want)
		}
		for want, q := range map[string]center.EntitledQuery{
			reader + deployer: {},
			deployer:          {Search: "TOOL"},
			reader:            {Search: "reader"},
			"":                {After: deployer},
		} {
			q.User = ada
			list, err := r.EntitledRoles(q)
			got := ""
			for _, e := range list {
				got += e.RoleARN
			}
			if err != nil || got != want {
				t.Errorf("%+v: %s, want %s, %v", q, got, want, err)
			}
		}
		orphans, e1 := r.OrphansOfAssignments(center.Principal{}, 10)
		holds, e2 := r.HoldsAssignments(center.PrincipalUser, ada)
		if len(orphans) != 1 || orphans[0].PrincipalID != "somebody" || !holds {
			t.Errorf("orphans %v, holds %v", orphans, holds)
		}
		return errors.Join(e1, e2)
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.DeleteEntitlement("e1"), tx.DeleteEntitlement("e1"), tx.DeleteAccessManager())
	})
	view(t, s, func(r center.Reader) error {
		_, gone := r.Entitlement("e1")
		_, none := r.AccessManager()
		if !errors.Is(gone, refusal.ErrNoRow) || !errors.Is(none, refusal.ErrNoRow) {
			t.Errorf("after deletion: %v, %v", gone, none)
		}
		return nil
	})
}

// wantEntitlements wants the ids of those that a query selects, and as many counted.
func wantEntitlements(t *testing.T, r center.Reader, q center.EntitlementQuery, want string) {
	t.Helper()
	list, err := r.Entitlements(q)
	got := ""
	for _, e := range list {
		got += " " + e.ID
	}
	if err != nil || got != "" && got[1:] != want || got == "" && want != "" {
		t.Errorf("%+v: %s, want %s, %v", q, got, want, err)
	}
	if n, err := r.CountEntitlements(q); q.Limit == 0 && q.After == "" && (n != len(list) || err != nil) {
		t.Errorf("%+v: %d, counted %d, %v", q, len(list), n, err)
	}
}
