package web

import (
	"testing"
	"time"
)

// TestASeriesIsDrawnByTheTimeBetweenItsDays: a day that nobody counted leaves no step behind.
func TestASeriesIsDrawnByTheTimeBetweenItsDays(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := NewSeries("People and access", "People", "Assignments")
	s.Add(day, 10, 0)
	s.Add(day.AddDate(0, 0, 1), 20, 0)
	s.Add(day.AddDate(0, 0, 4), 5, 0)
	s.Draw()
	if got, want := s.Lines[0].Area, "M0 48 V25 L45 2 L180 37 L180 37 V48 Z"; got != want {
		t.Errorf("people are drawn as %q, want %q", got, want)
	}
	if l := s.Lines[0]; l.Last != 5 || l.Change != -5 {
		t.Errorf("the newest is %d, %+d", l.Last, l.Change)
	}
	if got, want := s.Lines[1].Area, "M0 48 V48 L45 48 L180 48 L180 48 V48 Z"; got != want {
		t.Errorf("none are drawn as %q, want %q", got, want)
	}
	one := NewSeries("People", "People")
	one.Add(day, 7)
	if got, want := one.Draw().Lines[0].Area, "M0 48 V2 L180 2 V48 Z"; got != want {
		t.Errorf("one day is drawn as %q, want %q", got, want)
	}
}
