package store

import (
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) ClientGrant(digest string) (center.ClientGrant, error) {
	return one[center.ClientGrant](t, `SELECT doc FROM grants WHERE digest = $1`, digest)
}
func (t tx) ClientGrantByUserCode(digest string) (center.ClientGrant, error) {
	return one[center.ClientGrant](t, `SELECT doc FROM grants WHERE user_code = $1`, digest)
}
func (t tx) PutClientGrant(g center.ClientGrant) error {
	waiting := 0
	if g.Waits() {
		waiting = 1
	}
	return t.Do(`INSERT INTO grants (digest, user_code, expires, holder, waiting, doc) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (digest) DO UPDATE SET holder = excluded.holder, waiting = excluded.waiting, doc = excluded.doc`,
		g.Digest, sqldb.OrNull(g.UserCode), g.KeptUntil().UnixMilli(), g.Holder(), waiting, sqldb.Encode(g))
}
func (t tx) KeepClientGrantsOf(holder string, newest int) error {
	return t.Do(`DELETE FROM grants WHERE digest IN
		(SELECT digest FROM grants WHERE holder = $1 ORDER BY expires DESC LIMIT 1000000 OFFSET $2)`, holder, newest)
}
func (t tx) KeepWaitingClientGrants(most, left int, now time.Time) error {
	return t.Do(`DELETE FROM grants WHERE digest IN (SELECT digest FROM
		(SELECT digest, expires, ROW_NUMBER() OVER (PARTITION BY holder ORDER BY expires DESC) AS place FROM grants
			WHERE waiting = 1 AND (SELECT COUNT(*) FROM grants WHERE waiting = 1) > $1) ranked
		ORDER BY expires <= $3, place, expires DESC LIMIT 1000000 OFFSET $2)`, most, left,
		now.Add(center.GrantsKept).UnixMilli())
}
func (t tx) DeleteClientGrantsOf(holder string) error {
	return t.Do(`DELETE FROM grants WHERE holder = $1`, holder)
}
