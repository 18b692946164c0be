package centertest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// history checks that the days of people and access are kept whole, each time in place of what was
// there, and not when the update fails.
func history(t *testing.T, s center.Store) {
	view(t, s, func(r center.Reader) error {
		_, err := r.History()
		wantNoRow(t, "the history of a new center", err)
		return nil
	})
	days := []center.HistoryDay{
		{Day: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC), People: 3, Groups: 2, Assignments: 1},
		{Day: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), People: 4},
	}
	kept := func(when string, want []center.HistoryDay) {
		t.Helper()
		view(t, s, func(r center.Reader) error {
			h, err := r.History()
			if !slices.EqualFunc(h.Days, want, func(a, b center.HistoryDay) bool {
				same := a.Day.Equal(b.Day)
				a.Day, b.Day = time.Time{}, time.Time{}
				return same && a == b
			}) {
				t.Errorf("%s: %+v, and not %+v", when, h.Days, want)
			}
			return err
		})
	}
	put := func(days []center.HistoryDay) {
		t.Helper()
		update(t, s, func(tx center.Tx) error { return tx.PutHistory(center.History{Days: days}) })
	}
	put(days[:1])
	kept("the first day", days[:1])
	put(days)
	kept("the next one", days)
	failed := errors.New("no")
	if err := s.Update(background, func(tx center.Tx) error {
		return errors.Join(tx.PutHistory(center.History{}), failed)
	}); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	kept("after an update that failed", days)
	put(days[1:])
	kept("without the oldest", days[1:])
}
