package store

import (
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// ForgetPages has the connection of a transaction read its next pages from the disk.
func ForgetPages(r tenant.Reader) error {
	t, _ := r.(tx)
	return t.Query("PRAGMA shrink_memory", nil, func(sqldb.Row) error { return nil })
}
