package centertest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// counted is the contract of what pages and metrics count, and of the keys that sign.
func counted(t *testing.T, s center.Store) {
	session := func(digest string, user center.UserID, ends time.Time) center.Session {
		return center.Session{Digest: digest, UserID: user, ExpiresAt: ends}
	}
	update(t, s, func(tx center.Tx) error {
		_, federation := tx.FederationKey()
		wantNoRow(t, "the key of a federation that was never used", federation)
		_, tokens := tx.TokenKey()
		wantNoRow(t, "the key of tokens that were never signed", tokens)
		return errors.Join(
			tx.PutAccount(center.Account{ID: "111122223333", Name: "A"}),
			tx.PutAccount(center.Account{ID: "444455556666", Name: "B"}),
			tx.PutPermissionSet(center.PermissionSet{ARN: "ps", Name: "Admin"}),
			tx.PutSession(session("over", "u1", now)),
			tx.PutSession(session("open", "u1", now.Add(time.Minute))),
			tx.PutSession(session("another", "u2", now.Add(time.Minute))),
			tx.PutSession(session("administrator", "administrator/ada", now.Add(time.Minute))),
			tx.PutRequestKey(center.RequestKey{Certificate: []byte{1}, SealedKey: "requests"}),
			tx.PutFederationKey(center.RequestKey{Certificate: []byte{2}, SealedKey: "federation"}),
			tx.PutTokenKey(center.RequestKey{Certificate: []byte{3}, SealedKey: "tokens"}),
		)
	})
	view(t, s, func(r center.Reader) error {
		accounts, e1 := r.CountAccounts()
		sets, e2 := r.CountPermissionSets()
		sessions, e3 := r.CountSessions(now)
		if accounts != 2 || sets != 1 || sessions != (center.SessionCount{People: 2, Administrators: 1}) {
			t.Errorf("%d accounts, %d permission sets, sessions %+v", accounts, sets, sessions)
		}
		requests, e4 := r.RequestKey()
		federation, e5 := r.FederationKey()
		tokens, e6 := r.TokenKey()
		for i, k := range []center.RequestKey{requests, federation, tokens} {
			want := []string{"requests", "federation", "tokens"}[i]
			if k.SealedKey != want || !bytes.Equal(k.Certificate, []byte{byte(i + 1)}) {
				t.Errorf("the key for %s is %+v", want, k)
			}
		}
		return errors.Join(e1, e2, e3, e4, e5, e6)
	})
}
