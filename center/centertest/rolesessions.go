package centertest

import (
	"errors"
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// roleSessions checks what is kept of the roles that users have opened, and of what stands against
// them.
func roleSessions(t *testing.T, s center.Store) {
	session := center.RoleSession{UserID: "u1", Name: "ada", AccountID: two, RoleName: "R2", Until: at(50), Kept: true}
	other := center.RoleSession{UserID: "u1", Name: "ada", AccountID: one, RoleName: "R1", Until: at(60)}
	renamed := other
	renamed.Name, renamed.Until = "countess", at(51)
	shorter := other
	shorter.Until = at(55)
	own := renamed
	own.Own, own.Until = true, at(50)
	revoked := center.RoleRevocation{
		RoleName: "R1", AccountID: one, UserID: "u1", Name: "ada", Before: at(40), Until: at(60),
		PermissionSetARN: "ps1",
	}
	later := revoked
	later.UserID, later.Until = "u2", at(70)
	update(t, s, func(tx center.Tx) error {
		before := tx.Writes()
		err := errors.Join(
			tx.ExtendRoleSession(session), tx.ExtendRoleSession(other), tx.ExtendRoleSession(shorter),
			tx.ExtendRoleSession(own), tx.ExtendRoleSession(renamed),
		)
		if tx.Writes() != before {
			t.Error("a session of a role counts as a write")
		}
		return errors.Join(err, tx.PutRoleRevocation(later), tx.PutRoleRevocation(revoked))
	})
	revoked.InForce = true
	asCountess := revoked
	asCountess.Name, asCountess.Until = "countess", at(80)
	update(t, s, func(tx center.Tx) error {
		return errors.Join(tx.PutRoleRevocation(revoked), tx.PutRoleRevocation(asCountess))
	})
	view(t, s, func(r center.Reader) error {
		sessions, e1 := r.RoleSessionsOf("u1")
		ofRole, e2 := r.RoleRevocations("R1")
		ofUser, e3 := r.RoleRevocationsOf("u1")
		ended, e4 := r.EndedRoleRevocations(at(60), 10)
		none, e5 := r.EndedRoleRevocations(at(59), 10)
		if !slices.Equal(sessions, []center.RoleSession{other, renamed, own, session}) {
			t.Errorf("sessions %+v", sessions)
		}
		if len(ofRole) != 3 || ofRole[0] != revoked || ofRole[1] != asCountess || ofRole[2] != later ||
			len(ofUser) != 2 || ofUser[0] != revoked || ofUser[1] != asCountess {
			t.Errorf("revocations %+v, %+v", ofRole, ofUser)
		}
		if len(ended) != 1 || ended[0] != revoked || len(none) != 0 {
			t.Errorf("ended %+v, %+v", ended, none)
		}
		return errors.Join(e1, e2, e3, e4, e5)
	})
	update(t, s, func(tx center.Tx) error {
		_, err := tx.DeleteExpired(at(51), at(51))
		return errors.Join(err, tx.DeleteRoleRevocation(revoked))
	})
	view(t, s, func(r center.Reader) error {
		sessions, e1 := r.RoleSessionsOf("u1")
		ofRole, e2 := r.RoleRevocations("R1")
		if len(sessions) != 1 || sessions[0] != other || len(ofRole) != 2 {
			t.Errorf("what is left: %+v, %+v", sessions, ofRole)
		}
		return errors.Join(e1, e2)
	})
	deletedSessions(t, s, other, renamed)
	update(t, s, func(tx center.Tx) error { return tx.DeleteRoleSessionsOf("u1") })
	view(t, s, func(r center.Reader) error {
		sessions, err := r.RoleSessionsOf("u1")
		if len(sessions) != 0 {
			t.Errorf("after deleting: %+v", sessions)
		}
		return err
	})
}

// deletedSessions deletes one session, and one that is gone, and makes the one again.
func deletedSessions(t *testing.T, s center.Store, there, gone center.RoleSession) {
	t.Helper()
	for _, c := range []struct {
		session center.RoleSession
		left    int
	}{{gone, 1}, {there, 0}} {
		update(t, s, func(tx center.Tx) error { return tx.DeleteRoleSession(c.session) })
		view(t, s, func(r center.Reader) error {
			sessions, err := r.RoleSessionsOf("u1")
			if len(sessions) != c.left {
				t.Errorf("after deleting %s: %+v", c.session.Name, sessions)
			}
			return err
		})
	}
	update(t, s, func(tx center.Tx) error { return tx.ExtendRoleSession(there) })
}
