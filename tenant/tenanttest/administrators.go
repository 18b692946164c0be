package tenanttest

import (
	"errors"
	"testing"

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
