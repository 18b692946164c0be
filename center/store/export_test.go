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

// ReadPlainUser reads a document of the usual shape.
var ReadPlainUser = readPlainUser

// ForgetPages has the connection of a transaction read its next pages from the disk.
func ForgetPages(r center.Reader) error {
	t, _ := r.(tx)
	return t.Query("PRAGMA shrink_memory", nil, func(sqldb.Row) error { return nil })
}

// PlanOfDisabled is how the database goes about finding disabled users.
func (s *Store) PlanOfDisabled(ctx context.Context) (plan string, err error) {
	query, columns := `SELECT u.doc FROM users u WHERE `+disabled+` ORDER BY u.id LIMIT 10`, 4
	err = s.db.Update(ctx, func(t sqldb.Tx) error {
		explain := `EXPLAIN QUERY PLAN `
		if s.Shared() {
			explain, columns = `EXPLAIN `, 1
			if err := t.Do(`SET LOCAL enable_seqscan = off`); err != nil { // of so few it would read all
				return err
			}
		}
		return t.Query(explain+query, nil, func(r sqldb.Row) error {
			cells := make([]string, columns)
			into := make([]any, columns)
			for i := range cells {
				into[i] = &cells[i]
			}
			err := r.Scan(into...)
			plan += cells[columns-1] + "\n"
			return err
		})
	})
	return plan, err
}
