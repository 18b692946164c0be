package web

import (
	"fmt"
	"strings"
	"time"
)

// Series shows how some numbers went, day by day: a drawing of each that needs no script, with a
// table behind them. Make it with NewSeries, add the days, and draw it.
type Series struct {
	Title string
	Lines []SeriesLine
	Days  []SeriesDay
}

// SeriesLine is one of the numbers.
type SeriesLine struct {
	Name         string
	Last, Change int    // the newest, and how much more that is than the oldest
	Area         string // the drawing's path
}

// SeriesDay is a day with the number of each line.
type SeriesDay struct {
	Day    time.Time
	Values []int
}

// Measures of a drawing, in pixels.
const (
	seriesWidth  = 180
	seriesHeight = 48
)

// NewSeries makes a series of numbers that are called so.
func NewSeries(title string, names ...string) *Series {
	s := &Series{Title: title}
	for _, name := range names {
		s.Lines = append(s.Lines, SeriesLine{Name: name})
	}
	return s
}

// Add adds a day, later than those before, with a number for each name.
func (s *Series) Add(day time.Time, values ...int) { s.Days = append(s.Days, SeriesDay{day, values}) }

// Draw draws each number from nothing to its most, by the time between the days, and returns the
// series.
func (s *Series) Draw() *Series {
	if len(s.Days) == 0 {
		return s
	}
	begin, end := s.Days[0].Day, s.Days[len(s.Days)-1].Day
	for i := range s.Lines {
		most := 1
		for _, d := range s.Days {
			most = max(most, d.Values[i])
		}
		high := func(n int) int { return seriesHeight - n*(seriesHeight-2)/most }
		first := s.Days[0].Values[i]
		var path strings.Builder
		fmt.Fprintf(&path, "M0 %d V%d", seriesHeight, high(first))
		for _, d := range s.Days[1:] {
			x := int(seriesWidth * d.Day.Sub(begin).Seconds() / end.Sub(begin).Seconds())
			fmt.Fprintf(&path, " L%d %d", x, high(d.Values[i]))
		}
		last := s.Days[len(s.Days)-1].Values[i]
		fmt.Fprintf(&path, " L%d %d V%d Z", seriesWidth, high(last), seriesHeight)
		l := &s.Lines[i]
		l.Area = path.String()
		l.Last, l.Change = last, last-first
	}
	return s
}

// Width is that of a drawing.
func (s *Series) Width() int { return seriesWidth }

// Height is that of a drawing.
func (s *Series) Height() int { return seriesHeight }
