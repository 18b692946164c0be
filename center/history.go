package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// History is how many people and how much access there was, day by day. It counts nothing twice and
// decides nothing: it is for people to look at.
type History struct {
	Days []HistoryDay // oldest first
}

// HistoryDay is a day of it, as it was counted last on that day.
type HistoryDay struct {
	Day         time.Time // its beginning, in UTC
	People      int       // users who are enabled
	Groups      int
	Assignments int
}

// historyReader reads the history.
type historyReader interface {
	History() (History, error)
}

// historyWriter writes the history.
type historyWriter interface {
	PutHistory(History) error
}

const (
	historyKept = 400       //bound:list days of the history of people and access
	historyEach = time.Hour //bound:none how often, not how much
)

// History returns the days that were counted, with today as it is now.
func (c *Center) History(ctx context.Context) (h History, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		h, _, err = c.history(r)
		return err
	})
	return h, err
}

// NoteHistory keeps today's numbers. Run calls it now and then; a day on which no process ran has
// none.
func (c *Center) NoteHistory(ctx context.Context) error {
	var kept History
	var news bool
	err := c.Store.View(ctx, func(r Reader) (err error) {
		kept, news, err = c.history(r)
		return err
	})
	if err != nil || !news {
		return err
	}
	return c.Store.Update(ctx, func(tx Tx) error { return tx.PutHistory(kept) })
}

// history is what is kept with today counted anew, and whether that is something new.
func (c *Center) history(r Reader) (h History, news bool, err error) {
	if h, err = r.History(); err != nil && !errors.Is(err, refusal.ErrNoRow) {
		return h, false, err
	}
	enabled := true
	people, e1 := r.CountUsers(UserQuery{Active: &enabled})
	groups, e2 := r.CountGroups(GroupQuery{})
	assignments, e3 := r.CountAssignments(AssignmentQuery{})
	today := HistoryDay{
		Day: c.now().Truncate(24 * time.Hour), People: people, Groups: groups, Assignments: assignments,
	}
	// What was read may be remembered, so that it is cloned. A day after tomorrow is of a clock
	// that was wrong: nothing would be counted until it comes.
	h.Days = slices.DeleteFunc(slices.Clone(h.Days), func(d HistoryDay) bool {
		return d.Day.After(today.Day.AddDate(0, 0, 1))
	})
	switch last := len(h.Days) - 1; {
	case last < 0 || h.Days[last].Day.Before(today.Day):
		h.Days, news = append(h.Days, today), true
	case h.Days[last].Day.Equal(today.Day):
		news = h.Days[last] != today
		h.Days[last] = today
	default: // the clock of another node is ahead
	}
	h.Days = h.Days[max(0, len(h.Days)-historyKept):]
	return h, news, errors.Join(e1, e2, e3)
}
