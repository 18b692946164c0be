//go:build unix

package main

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/killtest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestANodeTakesOver ends a node of the tenant soon after it has taken a change. The other one,
// which was there all the time, does what is left to do. One that only stood still does no harm.
func TestANodeTakesOver(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Second
	figures, err := killtest.TakeOver(t.Context(), killtest.Config{
		Program:  build(t),
		Folder:   t.TempDir(),
		Kills:    6,
		Seed:     uint64(time.Now().UnixNano()), // #nosec G115 -- any number will do
		Log:      t.Logf,
		Database: sqldbtest.Postgres(t),
	})
	if err != nil || figures.Worst > limit || figures.Apart > 0 {
		t.Errorf("%s, %v", figures, err)
	}
}
