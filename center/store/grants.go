package store

import (
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) ClientGrant(digest string) (center.ClientGrant, error) {
	return one[center.ClientGrant](t, `SELECT doc FROM grants WHERE digest = $1`, digest)
}
func (t tx) ClientGrantByUserCode(digest string) (center.ClientGrant, error) {
	return one[center.ClientGrant](t, `SELECT doc FROM grants WHERE user_code = $1`, digest)
}
func (t tx) CountClientGrants() (int, error) { return t.Count(`SELECT COUNT(*) FROM grants`) }
func (t tx) PutClientGrant(g center.ClientGrant) error {
	return t.Do(`INSERT INTO grants (digest, user_code, expires, doc) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO UPDATE SET doc = excluded.doc`,
		g.Digest, sqldb.OrNull(g.UserCode), g.KeptUntil().UnixMilli(), sqldb.Encode(g))
}
func (t tx) DeleteClientGrant(digest string) error {
	return t.Do(`DELETE FROM grants WHERE digest = $1`, digest)
}
