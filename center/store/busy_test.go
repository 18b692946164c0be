package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestWhoWaitedInVainIsToldToComeBack holds every connection that reads, and closes the store: both
// pass.
func TestWhoWaitedInVainIsToldToComeBack(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "center.db"))
	const most = 64 // more than read at once
	began, finish := make(chan struct{}, most), make(chan struct{})
	holding, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range most {
		all.Go(func() {
			_ = s.View(holding, func(center.Reader) error { // whose turn does not come gives up in the end
				began <- struct{}{}
				<-finish
				return nil
			})
		})
	}
	<-began
	read := func(ctx context.Context) error {
		return s.View(ctx, func(r center.Reader) error {
			_, err := r.Instance()
			return err
		})
	}
	for len(began) < cap(began) { // until nobody gets a turn any more
		waits, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := read(waits)
		cancel()
		if errors.Is(err, refusal.ErrNoRow) {
			continue
		}
		if refusal.CodeOf(err) != center.StoreUnavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waited in vain: %v", err)
		}
		break
	}
	stop()
	close(finish)
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := read(t.Context()); refusal.CodeOf(err) != center.StoreUnavailable {
		t.Errorf("a closed store: %v", err)
	}
	if err := s.Update(t.Context(), func(center.Tx) error {
		return nil
	}); refusal.CodeOf(err) != center.StoreUnavailable {
		t.Errorf("a closed store: %v", err)
	}
}
