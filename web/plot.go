package web

import (
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// Plot shows how often something went well and was refused, day by day: as a drawing that needs no
// script, with the numbers in a table behind it.
type Plot struct {
	Title     string
	Good, Bad string // what both are called
	Days      []PlotDay
	Last      time.Time // when it went well last
	Since     time.Time // where it begins later than it should: no more was read; zero: all was
	// Link is the address of what a day counts, by the day as texts have it; nil: there is none.
	Link func(day time.Time) string
}

// PlotDay is a day of a plot, with its bars in the drawing.
type PlotDay struct {
	Day                         time.Time
	Good, Bad                   int
	X, GoodY, GoodH, BadY, BadH int
	Link                        string // to what it counts; empty where that is nothing
}

// Measures of the drawing, in pixels.
const (
	PlotHeight = 96 // of the drawing
	PlotStep   = 26 // the width of a day in it
	plotBar    = 18
)

// NewPlot makes the plot of so many days up to now, of which none has counted anything yet.
func NewPlot(title, good, bad string, now time.Time, days int) *Plot {
	p := &Plot{Title: title, Good: good, Bad: bad}
	today := now.UTC().Truncate(24 * time.Hour)
	for i := range days {
		p.Days = append(p.Days, PlotDay{Day: today.AddDate(0, 0, i-days+1), X: i * PlotStep})
	}
	return p
}

// Begin is the beginning of the first day.
func (p *Plot) Begin() time.Time { return p.Days[0].Day }

// LogOf leads from each day to what a log has of it. The address is that of the log, and ends where
// its times begin.
func (p *Plot) LogOf(address string) *Plot {
	p.Link = func(day time.Time) string {
		on := day.Format(time.DateOnly)
		return address + "from=" + on + "&to=" + on
	}
	return p
}

// Count counts what happened n times at a time.
func (p *Plot) Count(at time.Time, n int, good bool) {
	if n == 0 {
		return
	}
	i := slices.IndexFunc(p.Days, func(d PlotDay) bool { return d.Day.Equal(at.UTC().Truncate(24 * time.Hour)) })
	if good && at.After(p.Last) {
		p.Last = at
	}
	switch {
	case i < 0:
	case good:
		p.Days[i].Good += n
	default:
		p.Days[i].Bad += n
	}
}

// CountEvents counts the events of a search that went back as far as the plot. Where it ended
// before that, the days that it did not reach are left out.
func (p *Plot) CountEvents(found audit.Page) {
	for _, e := range found.Events {
		p.Count(e.Time, max(1, e.Count), e.Result == audit.Granted)
	}
	if at := found.Next.At; !at.IsZero() {
		p.CutBefore(at)
	}
}

// CutBefore leaves out the days of which not all was read: those up to that of a time.
func (p *Plot) CutBefore(at time.Time) {
	p.Since = at.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	for i := range p.Days {
		if p.Days[i].Day.Before(p.Since) {
			p.Days[i].Good, p.Days[i].Bad = 0, 0
		}
	}
}

// Draw gives the bars their places, and returns the plot. The tallest is as high as the drawing.
func (p *Plot) Draw() *Plot {
	most := 1
	for _, d := range p.Days {
		most = max(most, d.Good+d.Bad)
	}
	high := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(2, n*PlotHeight/most)
	}
	for i := range p.Days {
		d := &p.Days[i]
		d.GoodH, d.BadH = high(d.Good), high(d.Bad)
		d.GoodY = PlotHeight - d.GoodH
		d.BadY = max(0, d.GoodY-d.BadH)
		if p.Link != nil && d.Good+d.Bad > 0 {
			d.Link = p.Link(d.Day)
		}
	}
	return p
}

// Width is that of the drawing, and BarWidth that of a bar.
func (p *Plot) Width() int { return len(p.Days) * PlotStep }

// Height is that of the drawing.
func (p *Plot) Height() int { return PlotHeight }

// BarWidth is the width of a bar.
func (p *Plot) BarWidth() int { return plotBar }

// Goods is how often it went well.
func (p *Plot) Goods() (n int) {
	for _, d := range p.Days {
		n += d.Good
	}
	return n
}

// Bads is how often it was refused.
func (p *Plot) Bads() (n int) {
	for _, d := range p.Days {
		n += d.Bad
	}
	return n
}

// Ago is how long something is ago, roughly.
func Ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return Length(d.Truncate(time.Minute))
	case d < 48*time.Hour:
		return Length(d.Truncate(time.Hour))
	}
	return Length(d.Truncate(24 * time.Hour))
}
