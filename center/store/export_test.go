package store

import (
	"context"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// Pretend writes a schema version that a newer release would have.
func (s *Store) Pretend(ctx context.Context, version int) error {
	return s.db.Update(ctx, func(t sqldb.Tx) error {
		return t.Do(`INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, 1)`, version)
	})
}

// ReadUser reads a user's document as the store does.
var ReadUser = readUser

// Damage changes data past all rules.
func (s *Store) Damage(ctx context.Context, statement string) error {
	return s.db.Update(ctx, func(t sqldb.Tx) error { return t.Do(statement) })
}

// WritePlainUser writes a user's document; ok is false for what sqldb.Encode must write.
var WritePlainUser = writePlainUser

// ReadPlainUser reads a document of the usual shape.
var ReadPlainUser = readPlainUser

// ForgetPages has the connection of a transaction read its next pages from the disk.
func ForgetPages(r center.Reader) error {
	t, _ := r.(tx)
	return t.Query("PRAGMA shrink_memory", nil, func(sqldb.Row) error { return nil })
}
