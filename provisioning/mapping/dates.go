package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dateText is how functions give a date: .NET's M/d/yyyy h:mm:ss tt, in UTC. Source: CDate,
// remarks.
const dateText = "1/2/2006 3:04:05 PM"

// dateForms are the texts that are taken for dates, with and without a zone; without one it is UTC.
var dateForms = []string{
	dateText, "1/2/2006 15:04:05", "1/2/2006 3:04 PM", "1/2/2006 15:04", "1/2/2006",
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02Z07:00", "2006-01-02",
}

func date(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, form := range dateForms {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date, such as 3/16/2020 7:00:00 AM or 2020-03-16", shown(text))
}

func dated(at time.Time) Value { return One(at.UTC().Format(dateText)) }

// cDate gives a date in UTC; null stays null.
func cDate(s string, _ arguments) (string, error) {
	if s == "" {
		return "", nil
	}
	at, err := date(s)
	return dated(at).Text(), err
}

// maxYears bounds how far dates are moved: .NET's end with the year 9999.
const maxYears = 10_000 //bound:none of dates

func dateAdd(a arguments) (Value, error) {
	t, err := a.texts(3)
	if err != nil || t[2] == "" {
		return nil, err
	}
	n, err := a.number(1)
	if err != nil {
		return nil, err
	}
	at, err := date(t[2])
	if err != nil {
		return nil, err
	}
	const second = maxYears * 366 * 24 * 60 * 60
	if n > second || n < -second {
		return nil, errors.New("the date is not between the years 1 and 9999")
	}
	switch t[0] {
	case "yyyy":
		at = addMonths(at, 12*clamp(n))
	case "m":
		at = addMonths(at, clamp(n))
	case "d":
		at = at.AddDate(0, 0, n)
	case "ww":
		at = at.AddDate(0, 0, 7*n)
	case "h", "n", "s":
		seconds := int64(n) * int64(map[string]int{"h": 3600, "n": 60, "s": 1}[t[0]])
		at = time.Unix(at.Unix()+seconds, int64(at.Nanosecond())).UTC()
	default:
		return nil, noInterval(t[0])
	}
	if at.Year() < 1 || at.Year() > 9999 {
		return nil, errors.New("the date is not between the years 1 and 9999")
	}
	return dated(at), nil
}

// clamp keeps a number of months or years so small that the date is refused and nothing runs over.
func clamp(n int) int { return max(min(n, 12*maxYears), -12*maxYears) }

// addMonths stays in the month: a month after January 31 is the end of February, as in .NET.
func addMonths(at time.Time, n int) time.Time {
	first := time.Date(at.Year(), at.Month()+time.Month(n), 1, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1)
}

var intervals = []string{"yyyy", "m", "d", "ww", "h", "n", "s"}

func noInterval(name string) error {
	return fmt.Errorf("%q is no interval; use one of %s", shown(name), strings.Join(intervals, ", "))
}

// dateDiff counts calendar years, months and weeks that begin on Sundays, and whole days, hours,
// minutes and seconds. Source: DateDiff, examples; Visual Basic's DateDiff.
func dateDiff(a arguments) (Value, error) {
	t, err := a.texts(3)
	if err != nil || t[1] == "" || t[2] == "" {
		return nil, err
	}
	from, e1 := date(t[1])
	to, e2 := date(t[2])
	if err := errors.Join(e1, e2); err != nil {
		return nil, err
	}
	seconds, n := to.Unix()-from.Unix(), int64(0)
	years := int64(to.Year() - from.Year())
	switch t[0] {
	case "yyyy":
		n = years
	case "m":
		n = 12*years + int64(to.Month()-from.Month())
	case "ww":
		n = (sunday(to) - sunday(from)) / 7
	case "d":
		n = seconds / (24 * 60 * 60)
	case "h":
		n = seconds / (60 * 60)
	case "n":
		n = seconds / 60
	case "s":
		n = seconds
	default:
		return nil, noInterval(t[0])
	}
	return One(strconv.FormatInt(n, 10)), nil
}

// sunday is the day that a week begins with, in days.
func sunday(at time.Time) int64 {
	day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	return day.Unix()/(24*60*60) - int64(day.Weekday())
}

// Active Directory counts ticks of 100 nanoseconds from the year 1601. Source: "File Times".
const (
	ticks   = 10_000_000
	ad1601  = -11_644_473_600
	adTicks = (253_402_300_799 - ad1601) * ticks // the end of the year 9999
)

func dateFromNum(s string, _ arguments) (string, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > adTicks {
		return "", fmt.Errorf("%q is not a date of Active Directory", shown(s))
	}
	return dated(time.Unix(ad1601+n/ticks, 0)).Text(), nil
}

func numFromDate(s string, _ arguments) (string, error) {
	at, err := date(s)
	if err != nil || at.Unix() < ad1601 {
		return "", errors.Join(err, errors.New("dates of Active Directory begin with the year 1601"))
	}
	return strconv.FormatInt((at.Unix()-ad1601)*ticks, 10), nil
}

// formatDateTime reads a date by one format of .NET's and writes it by another.
func formatDateTime(a arguments) (Value, error) {
	t, err := a.texts(4)
	if err != nil || t[0] == "" {
		return nil, err
	}
	universal, err := styles(t[formatStyles])
	if err != nil {
		return nil, err
	}
	in, err := layout(t[formatIn], false)
	if err != nil {
		return nil, err
	}
	out, err := layout(t[formatOut], true)
	if err != nil {
		return nil, err
	}
	at, err := time.Parse(in, strings.TrimSpace(t[0]))
	if err != nil {
		return nil, fmt.Errorf("%q does not have the format %q", shown(t[0]), shown(t[formatIn]))
	}
	if universal {
		at = at.UTC()
	}
	return One(at.Format(out)), nil
}

// goForms are .NET's parts of a date and how Go writes them.
var goForms = map[string]string{
	"yyyy": "2006", "yy": "06", "MMMM": "January", "MMM": "Jan", "MM": "01", "M": "1", "dddd": "Monday", "ddd": "Mon",
	"dd": "02", "d": "2", "HH": "15", "H": "15", "hh": "03", "h": "3", "mm": "04", "m": "4", "ss": "05", "s": "5",
	"tt": "PM", "zzz": "-07:00", "K": "Z07:00",
}

// maxLayout bounds a format.
const maxLayout = 100 //bound:text a format of a date

// layout translates a format of .NET's. What Go cannot say is refused. Source: .NET, "Custom date
// and time format strings".
func layout(format string, writes bool) (string, error) {
	var b strings.Builder
	if format == "" || len(format) > maxLayout {
		return "", fmt.Errorf("a format of a date has 1 to %d characters, such as yyyy-MM-dd", maxLayout)
	}
	for i := 0; i < len(format); {
		c, n := format[i], 1
		for i+n < len(format) && format[i+n] == c {
			n++
		}
		part := format[i : i+n]
		i += n
		form, known := goForms[part]
		switch {
		case part == "H" && writes: // Go always writes two digits
			known = false
		case known:
		case c == 'f' && n <= 7 && strings.HasSuffix(b.String(), "."):
			form, known = strings.Repeat("0", n), true
		case c == 'T' || c == 'Z' || strings.IndexByte(" -/.:,", c) >= 0:
			form, known = part, true
		}
		if !known {
			return "", fmt.Errorf("%q in the format %q is not supported", part, shown(format))
		}
		b.WriteString(form)
	}
	return b.String(), nil
}
