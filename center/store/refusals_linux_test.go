package store_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestAnOutageForgetsNoRefusal has somebody refused again and again while nothing can be written,
// or while nobody hears whether it was, over several minutes: each of it is in the log afterwards,
// once. Whoever is killed meanwhile has left each one that was not counted in the program's log.
func TestAnOutageForgetsNoRefusal(t *testing.T) {
	for _, x := range []struct {
		what   string
		commit sqldbtest.Fault
	}{
		{"a disk takes no writes", sqldbtest.Pass},
		{"a server does not hear of the commit", sqldbtest.CutBefore},
		{"nobody hears of the commit", sqldbtest.CutAfter},
	} {
		t.Run(x.what, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "half.db")
			fails := func() (mend func()) { return sqldbtest.RefuseWrites(t, dsn) }
			if x.commit != sqldbtest.Pass {
				var away atomic.Bool
				dsn = sqldbtest.Proxy(t, sqldbtest.Postgres(t), func(sql string) sqldbtest.Fault {
					if strings.HasPrefix(sql, "commit") && away.Load() {
						return x.commit
					}
					return sqldbtest.Pass
				})
				fails = func() (mend func()) { away.Store(true); return func() { away.Store(false) } }
			}
			s, err := store.Open(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			refusalsOutlast(t, s, fails)
		})
	}
}

func refusalsOutlast(t *testing.T, s *store.Store, fails func() (mend func())) {
	t.Helper()
	half, ctx := centertest.On(t, s, "http://127.0.0.1"), context.Background()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	half.Now = func() time.Time { return now }
	var said bytes.Buffer
	half.Log = slog.New(slog.NewTextHandler(&said, nil))
	refuse := func(times int) {
		for range times {
			_ = half.Refuse(ctx, audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}, "Guess", "",
				&refusal.Error{Code: center.NotAllowed})
		}
	}
	refuse(100)
	mend := fails()
	for range 3 {
		refuse(10)
		now = now.Add(time.Minute)
		if err := half.FlushRefusals(ctx, false); err == nil {
			t.Error("what was counted was written where nothing can be")
		}
	}
	refuse(100)
	program := said.String()
	mend()
	if err := half.FlushRefusals(ctx, true); err != nil {
		t.Fatal(err)
	}
	sum := 0
	err := s.View(ctx, func(r center.Reader) error {
		found, err := r.FindEvents(audit.Query{Filter: audit.Filter{Result: audit.Refused}, Limit: 1000})
		for _, e := range found.Events {
			sum += max(1, e.Count)
			if e.Count == 0 && !strings.Contains(program, e.ID) {
				t.Errorf("a kill would have lost %+v", e)
			}
		}
		return err
	})
	if err != nil || sum != 230 {
		t.Errorf("the log has %d refusals, %v; want 230", sum, err)
	}
}
