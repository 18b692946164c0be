package web

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// LogSize is how many lines a page of a log has.
const LogSize = 50 //bound:list lines of a page of a log

// Thing is somebody or something that a log names: by a name where there is one, beside its id.
type Thing struct{ Name, ID, Link string }

// LogLine is a line of a log. What is in Details is shown when it is opened.
type LogLine struct {
	Time           time.Time
	Who, On        Thing
	Action, Result string
	Good           bool
	Code, Address  string
	Reference      string
	Details        []Detail
}

// Detail is something about a line of a log.
type Detail struct{ Label, Text string }

// LogWords are what a log and its columns are called.
type LogWords struct {
	Title           string
	Who, Action, On string
	Actions         []string // that its filter proposes; none: it is not filtered by them
	Parts           []LogPart
}

// LogPart is a part of a log that people ask for by a name: some actions, or those of a kind of
// actor.
type LogPart struct {
	Name, Label string
	Actions     []string
	Kind        audit.Kind
}

// Log is the page of a log.
type Log struct {
	LogWords
	Filter     audit.Filter
	Part       string // the name of the part that is shown; empty: all of it is
	From, To   string // as they were typed
	Problem    string // with what was typed
	Lines      []LogLine
	Looked     time.Time // how far it was looked, where there is more
	Partly     bool      // too many people have a name like that to look for their ids
	Older      string    // addresses; empty: none
	Newest     string
	Unfiltered string
	CSV, JSON  string
	query      url.Values

	Query audit.Query // what the page shows
	Place audit.Place // where it begins
}

// timeLayouts are how a time can be typed. A day, or a minute, is meant to its end.
var timeLayouts = []struct {
	layout string
	lasts  time.Duration
}{
	{"2006-01-02", 24 * time.Hour}, {"2006-01-02T15:04", time.Minute}, {"2006-01-02 15:04", time.Minute},
	{"2006-01-02T15:04:05", time.Second}, {"2006-01-02 15:04:05", time.Second}, {time.RFC3339, time.Second},
}

func readTime(text string) (begin, end time.Time, ok bool) {
	for _, l := range timeLayouts {
		if at, err := time.Parse(l.layout, text); err == nil && at.Year() > 0 {
			return at, at.Add(l.lasts), true
		}
	}
	return begin, end, text == ""
}

// maxTyped bounds what a field of a filter has.
const maxTyped = 256 //bound:text a field of the filter of a log, in bytes

// Log reads the address of the page of a log: the filter, and the place where the page begins.
func (v Visit) Log(words LogWords) *Log {
	l := &Log{LogWords: words, query: v.URL.Query()}
	q := &l.Query
	field := func(name string) string {
		text := strings.TrimSpace(l.query.Get(name))
		if len(text) > maxTyped {
			l.Problem = "Type less than " + strconv.Itoa(maxTyped) + " characters."
			return ""
		}
		return text
	}
	q.Filter = audit.Filter{
		Person: field("person"), Action: field("action"), Address: field("address"), Reference: field("reference"),
	}
	switch result := field("result"); result {
	case audit.Granted, audit.Refused:
		q.Result = result
	}
	for _, part := range words.Parts {
		if part.Name == l.query.Get("part") {
			l.Part = part.Name
			q.Actions, q.Kind = part.Actions, part.Kind
		}
	}
	l.From, l.To = field("from"), field("to")
	var e1, e2 bool
	q.From, _, e1 = readTime(l.From)
	_, q.To, e2 = readTime(l.To)
	if !e1 || !e2 {
		l.Problem = "Write times like 2026-11-29 or 2026-11-29 08:30, in UTC."
	}
	l.Filter, q.Limit = q.Filter, LogSize
	if text := l.query.Get("at"); text != "" {
		if l.Place, e1 = audit.ParsePlace(text); !e1 {
			l.Problem = "This address has no place in the log: begin with the newest lines."
		}
	}
	return l
}

// Filtered says whether the page leaves lines out.
func (l *Log) Filtered() bool {
	f := l.Filter
	return !f.Empty() || l.From != "" || l.To != ""
}

func (l *Log) address(name, value string) string {
	q := maps.Clone(l.query)
	q.Del("at")
	q.Del("format")
	if name != "" {
		q.Set(name, value)
	}
	return "?" + q.Encode()
}

// End tells the page what was found.
func (l *Log) End(p audit.Page) {
	l.CSV, l.JSON = l.address("format", "csv"), l.address("format", "json")
	if l.Partly = p.Partly; p.Next != (audit.Place{}) {
		l.Older, l.Looked = l.address("at", p.Next.String()), p.Looked
	}
	if l.query.Get("at") != "" {
		l.Newest = l.address("", "")
	}
	if l.Filtered() {
		l.Unfiltered = "?"
	}
}

// LineOf is the line of an event, with what to do about it where it is a refusal.
func LineOf(e audit.Event, remedy string) LogLine {
	l := LogLine{
		Time: e.Time, Who: Thing{Name: e.Actor.Name}, On: Thing{Name: e.Subject}, Action: e.Action, Result: e.Result,
		Good: e.Result == audit.Granted, Code: e.Code, Address: e.Actor.Address, Reference: e.Actor.RequestID,
	}
	if l.Who.Name == "" {
		l.Who.Name = string(e.Actor.Kind)
	}
	l.add("Signed in as", string(e.Actor.Kind)+suffix(" with the role ", e.Actor.Role))
	l.add("Reason", e.Detail)
	l.add("Check that failed", e.Check)
	l.add("Expected", e.Want)
	l.add("Received", e.Got)
	l.add("What to do", remedy)
	if e.Count > 0 {
		l.add("Stands for", strconv.Itoa(e.Count)+" refusals")
	}
	return l
}

func suffix(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func (l *LogLine) add(label, text string) {
	if text != "" {
		l.Details = append(l.Details, Detail{label, text})
	}
}

// eventColumns are the columns of a log as a file.
var eventColumns = []string{"time", "actorType", "actor", "address", "action", "subject", "subjectName", "result",
	"code", "reason", "check", "expected", "received", "reference", "count"}

// exportSize is how many events are read at a time for a file.
const exportSize = 1000 //bound:none they are read one part after the other

// ExportLog sends the events of a log as a file: all that the query selects. find reads a page of
// them, and line makes lines of it.
func (v Visit) ExportLog(
	name string, q audit.Query, find func(audit.Query, audit.Place) (audit.Page, error),
	lines func([]audit.Event) ([]LogLine, error),
) error {
	q.Limit = exportSize
	return v.Export(name, eventColumns, func(row func(...string) error) error {
		for at := (audit.Place{}); ; {
			p, err := find(q, at)
			if err != nil {
				return err
			}
			shown, err := lines(p.Events)
			if err != nil {
				return err
			}
			for i, e := range p.Events {
				count := ""
				if e.Count > 0 {
					count = strconv.Itoa(e.Count)
				}
				named := ""
				if on := shown[i].On; on.ID == e.Subject {
					named = on.Name
				}
				if err := row(
					e.Time.UTC().Format(time.RFC3339Nano), string(e.Actor.Kind), e.Actor.Name, e.Actor.Address,
					e.Action, e.Subject, named, e.Result, e.Code, e.Detail, e.Check, e.Want, e.Got,
					e.Actor.RequestID, count,
				); err != nil {
					return err
				}
			}
			if at = p.Next; at == (audit.Place{}) {
				return nil
			}
		}
	})
}
