package store

import (
	"context"

	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// ForgetPages has the connection of a transaction read its next pages from the disk.
func ForgetPages(r tenant.Reader) error {
	t, _ := r.(tx)
	return t.Query("PRAGMA shrink_memory", nil, func(sqldb.Row) error { return nil })
}

// Damage runs a statement that no rule would.
func (s *Store) Damage(ctx context.Context, query string) error {
	return s.db.Update(ctx, func(t sqldb.Tx) error { return t.Do(query) })
}
