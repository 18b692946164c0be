//go:build unix

package console_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

// TestTheSettingsSayHowLongEventsAreKept at all nodes: what a node was told that keeps them for
// longer, and which it is; and that nothing is removed while the clock is doubted.
func TestTheSettingsSayHowLongEventsAreKept(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dsn := sqldbtest.Postgres(t)
	open := func() center.Store {
		s, err := store.Open(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	const day = 24 * time.Hour
	s := centertest.ServeOn(t, open(), func(c *center.Center) {
		c.Keep = audit.Retention{Events: 30 * day, Refusals: 7 * day}
	})
	v := s.Console()
	says := func(what string, wanted ...string) {
		t.Helper()
		page := strings.Join(strings.Fields(v.Get(s.URL+"/console/settings/audit")), " ")
		for _, text := range wanted {
			if missing, ok := strings.CutPrefix(text, "!"); strings.Contains(page, missing) == ok {
				t.Errorf("%s: %q in %s", what, text, page)
			}
		}
	}
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	says("alone", "<dd> 30 days </dd>", "<dd> 7 days </dd>", "!was told", "!Nothing is removed")
	other := centertest.On(t, open(), s.URL)
	other.Keep = audit.Retention{Refusals: day}
	if err := other.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	node, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	says("beside one that keeps them forever", "<dd> ever, as "+node+" was told; this node was told 30 days </dd>",
		"<dd> 7 days </dd>", "Of several nodes")
	if err := s.Store.Update(ctx, func(tx center.Tx) error {
		return tx.EventChain().PutEventNote("sweep", `{"Seen":"2026-01-01T00:00:00Z","Doubted":"2036-01-01T00:00:00Z"}`)
	}); err != nil {
		t.Fatal(err)
	}
	says("while the clock is doubted", "<dd> 30 days </dd>", "Nothing is removed")
}
