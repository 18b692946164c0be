package tenanttest

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

func administrators(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutAdministrator(tenant.Administrator{Name: "Bob", CreatedBy: "ada"}),
			tx.PutAdministrator(tenant.Administrator{Name: "ada"}),
			tx.PutPassword(
				tenant.Password{Account: "p", OneTime: true},
			),
			tx.PutFactors(tenant.Factors{Account: "p", LastStep: 5}),
			tx.PutSession(
				tenant.Session{Digest: "d1", Account: "p", Administrator: "Bob", SetsPassword: true},
			),
			tx.PutSession(tenant.Session{Digest: "d2", Account: "q"}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		all, e1 := r.Administrators()
		sessions, e2 := r.SessionsOf("p")
		if len(all) != 2 || all[0].Name != "ada" || all[1].CreatedBy != "ada" || len(sessions) != 1 ||
			!sessions[0].SetsPassword {
			t.Errorf("%+v, %+v", all, sessions)
		}
		return errors.Join(e1, e2)
	})
	update(t, s, func(tx tenant.Tx) error { return tx.DeleteAdministrator("BOB", "p") })
	view(t, s, func(r tenant.Reader) error {
		_, e1 := r.Administrator("bob")
		_, e2 := r.Password("p")
		_, e3 := r.Factors("p")
		for what, err := range map[string]error{"administrator": e1, "password": e2, "factors": e3} {
			wantNoRow(t, what+" of a removed one", err)
		}
		all, err := r.Administrators()
		if len(all) != 1 {
			t.Errorf("left are %+v", all)
		}
		return err
	})
}

// clock tells one time to all nodes that share a store, whatever their own says.
func clock(t *testing.T, s tenant.Store) {
	view(t, s, func(r tenant.Reader) error {
		told, e1 := r.Clock(at)
		other, e2 := r.Clock(at.Add(-time.Hour))
		if s.Shared() && (other.Before(told) || other.Sub(told) > time.Minute || told.Equal(at)) {
			t.Errorf("nodes whose clocks differ are told %s and %s", told, other)
		}
		if !s.Shared() && (!told.Equal(at) || !other.Equal(at.Add(-time.Hour))) {
			t.Errorf("the only node is told %s and %s", told, other)
		}
		return errors.Join(e1, e2)
	})
}

// grantsOf finds what grantsAreFew has left of one account.
func grantsOf(t *testing.T, r tenant.Reader) error {
	t.Helper()
	of, err := r.GrantsOf("u2")
	if len(of) != 1 || of[0].Digest != "family2" {
		t.Errorf("the grants of one account: %+v", of)
	}
	waiting, e2 := r.GrantsOf("") // whose account nobody knows yet
	if len(waiting) != 0 {
		t.Errorf("the grants of nobody: %+v", waiting)
	}
	return errors.Join(err, e2)
}
