package centertest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// opened checks that what somebody has open is the same when it is asked together as when each part
// of it is, and that it is nobody else's.
func opened(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		var err error
		for _, who := range []center.UserID{"u1", "u2"} {
			n := string(who)
			role := center.RoleSession{UserID: who, Name: n, AccountID: one, RoleName: "R", Until: at(50)}
			err = errors.Join(
				err,
				tx.PutSession(center.Session{Digest: "s" + n, UserID: who, ExpiresAt: at(50)}),
				tx.PutSession(center.Session{Digest: "a" + n, UserID: who, ExpiresAt: at(60)}),
				tx.PutTicket(center.Ticket{Digest: n, Purpose: center.SigningIn, Principal: n, ExpiresAt: at(50)}),
				tx.PutTicket(center.Ticket{Digest: n, Purpose: center.KnownBrowser, Principal: n, ExpiresAt: at(40)}),
				tx.ExtendRoleSession(role),
				tx.PutAccessRequest(center.AccessRequest{ID: "live" + n, UserID: who, State: center.AccessActive}),
				tx.PutAccessRequest(center.AccessRequest{ID: "over" + n, UserID: who, State: center.AccessEnded}),
			)
		}
		return err
	})
	for _, who := range []center.UserID{"u1", "u2", "nobody"} {
		update(t, s, func(tx center.Tx) error {
			got, err := tx.OpenedBy(string(who), at(30))
			shared := time.Since(got.At).Abs() < time.Minute
			if shared != s.Shared() || (!shared && !got.At.Equal(at(30))) {
				t.Errorf("it was read at %s", got.At)
			}
			sessions, e1 := tx.SessionsOf(who)
			tickets, e2 := tx.TicketsOf("", string(who))
			roles, e3 := tx.RoleSessionsOf(who)
			requests, e4 := tx.AccessRequests(center.AccessRequestQuery{UserID: who, Live: true})
			want := center.Opened{Sessions: sessions, Tickets: tickets, Roles: roles, Requests: requests, At: got.At}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s has\n%+v, want\n%+v", who, got, want)
			}
			if n := len(sessions) + len(tickets) + len(roles) + len(requests); n != 6 && who != "nobody" {
				t.Errorf("%s has %d things open", who, n)
			}
			return errors.Join(err, e1, e2, e3, e4)
		})
	}
}
