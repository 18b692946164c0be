package web

import (
	"testing"
	"time"
)

// TestAPlotCountsDays: what happened is counted on its day in UTC, what is older is not, and days
// that were read in part show nothing.
func TestAPlotCountsDays(t *testing.T) {
	now := time.Date(2026, 3, 14, 9, 0, 0, 0, time.FixedZone("", 3600))
	p := NewPlot("Sign-ins", "granted", "refused", now, 14)
	p.Count(now, 1, true)
	p.Count(now.AddDate(0, 0, -1), 1, false)
	p.Count(now.AddDate(0, 0, -1), 1, true)
	p.Count(now.AddDate(0, 0, -13), 1, true)
	p.Count(now.AddDate(0, 0, -14), 1, true)
	if got := p.Begin(); !got.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("it begins at %s", got)
	}
	if first, last := p.Days[0], p.Days[13]; first.Good != 1 || last.Good != 1 || p.Goods() != 3 || p.Bads() != 1 {
		t.Errorf("the days are %+v", p.Days)
	}
	d := p.Draw().Days[12]
	if d.GoodH != 48 || d.BadH != 48 || d.BadY != 0 || d.GoodY != 48 {
		t.Errorf("a day is drawn as %+v", d)
	}
	p.CutBefore(now.AddDate(0, 0, -5))
	if p.Days[0].Good != 0 || p.Goods() != 2 || p.Since.Day() != 10 {
		t.Errorf("what was read in part: %+v", p)
	}
}
