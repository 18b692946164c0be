package centertest

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// administrators are found by their names, and their sessions by their principals.
func administrators(t *testing.T, s center.Store) {
	at := time.UnixMilli(1_000_000).UTC()
	holder := center.UserID(center.AdministratorPrincipal("Bob"))
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.PutAdministrator(center.Administrator{Name: "Bob", CreatedAt: at, CreatedBy: "ada"}),
			tx.PutAdministrator(center.Administrator{Name: "ada"}),
			tx.PutSession(
				center.Session{
					Digest:        "d",
					Kind:          center.ConsoleSession,
					UserID:        holder,
					Administrator: "Bob",
					ExpiresAt:     at,
				},
			),
		)
	})
	view(t, s, func(r center.Reader) error {
		all, e1 := r.Administrators()
		sessions, e2 := r.SessionsOf(holder)
		if len(all) != 2 || all[0].Name != "ada" || all[1].CreatedBy != "ada" || !all[1].CreatedAt.Equal(at) ||
			len(sessions) != 1 ||
			sessions[0].Administrator != "Bob" {
			t.Errorf("%+v, %+v", all, sessions)
		}
		return errors.Join(e1, e2)
	})
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.DeleteAdministrator("BOB"), tx.DeleteAdministrator("nobody"))
	})
	view(t, s, func(r center.Reader) error {
		_, err := r.Administrator("bob")
		wantNoRow(t, "a removed administrator", err)
		all, err := r.Administrators()
		if len(all) != 1 {
			t.Errorf("left are %+v", all)
		}
		return err
	})
}
