package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestNodesOnADistributedDatabase: two nodes make people at the same time on a database that asks
// for restarts at any statement, and has no notifications. Each change stands in the journal once,
// without a gap.
func TestNodesOnADistributedDatabase(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	node := func() *tenant.Tenant {
		var opened atomic.Bool
		s := open(t, sqldbtest.Proxy(t, dsn, func(sql string) sqldbtest.Fault {
			if !opened.Load() || strings.HasPrefix(sql, "SET ") || sql == "rollback" || rand.IntN(20) > 0 {
				return sqldbtest.Pass
			}
			return sqldbtest.Restart
		}))
		opened.Store(true)
		return tenanttest.On(t, s)
	}
	nodes := []*tenant.Tenant{node(), node()}
	var all sync.WaitGroup
	const workers, each = 4, 8
	for w := range workers {
		all.Go(func() {
			for i := range each {
				name := fmt.Sprintf("person%d.%d@example.com", w, i)
				if _, err := nodes[w%2].CreateUser(ctx, tenanttest.Actor, tenant.User{
					UserPrincipalName: name, DisplayName: name, MailNickname: fmt.Sprint("person", w, i), Enabled: true,
				}, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	if err := nodes[0].Store.View(ctx, func(r tenant.Reader) error {
		clear(seen)
		marks, last, err := r.Marks(0)
		for _, m := range marks {
			seen[string(m.Kind)+string(m.ID)]++
		}
		if err == nil && (int(last) != len(marks) || len(marks) != workers*each) { // else it is asked again
			t.Errorf("%d changes in the journal, the last is number %d, want %d", len(marks), last, workers*each)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s stands there %d times", id, times)
		}
	}
}
