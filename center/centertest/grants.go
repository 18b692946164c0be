package centertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// grants is the contract of what programs ask for: found by both codes, and kept by shares.
func grants(t *testing.T, s center.Store) {
	name := func(kind string, i int) string { return fmt.Sprintf("%s%d", kind, i) }
	update(t, s, func(tx center.Tx) (err error) {
		for i := range 5 {
			ends := now.Add(time.Duration(i) * time.Minute)
			err = errors.Join(
				err,
				tx.PutClientGrant(waiting(name("far", i), name("f", i), "192.0.2.1", ends)),
				tx.PutClientGrant(waiting(name("near", i), name("n", i), "2001:db8::1", ends)),
				tx.PutClientGrant(
					center.ClientGrant{Digest: name("code", i), UserID: "u1", Address: "192.0.2.1", ExpiresAt: ends},
				),
			)
		}
		allowed := center.ClientGrant{
			Digest:    "far0",
			UserCode:  "f0",
			UserID:    "u2",
			Address:   "192.0.2.1",
			ExpiresAt: now,
		}
		return errors.Join(
			err,
			tx.PutClientGrant(allowed),
			tx.KeepClientGrantsOf("address/2001:db8::/64", 3),
			tx.KeepClientGrantsOf("user/u1", 2),
		)
	})
	left := func(want ...string) {
		t.Helper()
		view(t, s, func(r center.Reader) error {
			got := []string{}
			for _, kind := range []string{"far", "near", "code"} {
				for i := range 5 {
					if _, err := r.ClientGrant(name(kind, i)); err == nil {
						got = append(got, name(kind, i))
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("left are %v, want %v", got, want)
			}
			return nil
		})
	}
	left("far0", "far1", "far2", "far3", "far4", "near2", "near3", "near4", "code3", "code4")
	update(t, s, func(tx center.Tx) error {
		return errors.Join(
			tx.KeepWaitingClientGrants(7, 1, now), // there are no more
			tx.KeepWaitingClientGrants(4, 4, now),
			tx.DeleteClientGrantsOf("user/u1"),
			tx.DeleteClientGrantsOf("user/nobody"),
		)
	})
	left("far0", "far3", "far4", "near3", "near4")
	update(t, s, func(tx center.Tx) error { // what is over goes before what is not, whoever it is of
		over := waiting("code0", "over", "198.51.100.1", now)
		return errors.Join(tx.PutClientGrant(over), tx.KeepWaitingClientGrants(4, 4, now))
	})
	left("far0", "far3", "far4", "near3", "near4")
	view(t, s, func(r center.Reader) error {
		g, err := r.ClientGrantByUserCode("f0")
		if err != nil || g.UserID != "u2" || g.Waits() {
			t.Errorf("by its user code %+v, %v", g, err)
		}
		_, err = r.ClientGrantByUserCode("f1")
		wantNoRow(t, "a grant that made room", err)
		return nil
	})
}

// waiting is the device code of a program that waits for a person.
func waiting(digest, userCode, address string, ends time.Time) center.ClientGrant {
	return center.ClientGrant{Digest: digest, UserCode: userCode, Address: address, ExpiresAt: ends}
}
