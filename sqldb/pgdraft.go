package sqldb

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// draft is an update that is prepared beside others: their questions travel together, and are
// answered before any of them has changed anything. What it writes waits for that. It is kept when
// nothing that goes before it changes what it was answered; otherwise it is run again after that.
type draft struct {
	*member
	of *group

	asked    []statement
	requires []statement
	writes   []statement
	waits    []Question // for whose answers it waits
	reply    chan error
	stopped  error // why it goes no further
}

type statement struct {
	query string
	args  []any

	number int // of the update

	text    string          // what is sent; empty: query
	rows    int             // how many it is assumed to change; 0: nothing is assumed
	columns []string        // that an assumption returns
	scan    func(Row) error // of what an assumption returns, or a question
	own     *error          // of a question: what goes wrong in its scan
}

// sent is the text that is sent.
func (s statement) sent() string {
	if s.text != "" {
		return s.text
	}
	return s.query
}

// run runs the update's function, in the goroutine of who asked for it.
func (d *draft) run() {
	defer func() {
		if p := recover(); p != nil { // it goes alone, and does so again
			d.stopped = errPanic
		}
		d.waits = nil
		d.of.events <- d
	}()
	d.err = d.fn(Tx{ctx: context.WithoutCancel(d.ctx), conn: d})
}

var errPanic = errors.New("panic in a transaction")

func (d *draft) touch(object string) error {
	if d.stopped == nil {
		d.stopped = d.turn.at(object, true)
	}
	return d.stopped
}

func (d *draft) write(s statement) error {
	if d.stopped == nil && len(s.args) > 0 {
		if object, ok := s.args[0].(string); ok {
			d.stopped = d.turn.at(object, true)
		}
	}
	if d.stopped == nil {
		s.args = storable(s.args)
		d.writes = append(d.writes, s)
	}
	return d.stopped
}

func (d *draft) do(_ context.Context, query string, args []any) error {
	return d.write(statement{query: query, args: args})
}

// exec asks what depends on what others have written: it goes after them.
func (d *draft) exec(_ context.Context, query string, args []any) (int64, error) {
	_ = d.write(statement{query: query, args: args}) // for what it is about
	d.stop(errInOrder)
	return 0, d.stopped
}

func (d *draft) stop(why error) {
	if d.stopped == nil {
		d.stopped = why
	}
}

func (d *draft) assume(
	_ context.Context, rows int, query string, args []any, columns []string, scan func(Row) error,
) (int64, error) {
	return int64(rows), d.write(statement{
		query: query, args: args, text: assumption(rows, query, columns), rows: rows, columns: columns, scan: scan,
	})
}

func (d *draft) query(ctx context.Context, query string, args []any, scan func(Row) error) error {
	return d.ask(ctx, []Question{{query, args, scan}})
}

func (d *draft) ask(_ context.Context, questions []Question) error {
	if len(d.writes) > 0 {
		d.stop(errInOrder)
	}
	if len(d.asked)+len(questions) > maxQuestions {
		d.stop(errManyQuestions)
	}
	for _, q := range questions {
		if d.stopped == nil && len(q.Args) > 0 {
			if object, ok := q.Args[0].(string); ok {
				d.stopped = d.turn.at(object, false)
			}
		}
	}
	if d.stopped != nil {
		return d.stopped
	}
	for _, q := range questions {
		d.asked = append(d.asked, statement{query: q.Query, args: storable(q.Args)})
	}
	d.waits = questions
	d.of.events <- d
	return <-d.reply
}

// draft lets all members be prepared at the same time. It fails when a question does.
func (g *group) draft(ctx context.Context) {
	for _, m := range g.members {
		d := &draft{member: m, of: g, reply: make(chan error, 1)}
		g.drafts = append(g.drafts, d)
		m.wrote = false
		m.turn.begin()
		m.drafts <- d
	}
	for waiting := len(g.drafts); waiting > 0; {
		var asking []*draft
		for ; waiting > 0; waiting-- {
			if d := <-g.events; d.waits != nil {
				asking = append(asking, d)
			}
		}
		waiting = len(asking)
		if waiting > 0 {
			g.answer(ctx, asking)
			g.lane.moved.Add(1)
		}
	}
}

// answer sends questions together and hands out the answers.
func (g *group) answer(ctx context.Context, asking []*draft) {
	failures := make([]error, len(asking))
	var questions []statement
	for i, d := range asking {
		for _, q := range d.waits {
			questions = append(questions, statement{
				query: q.Query, args: storable(q.Args), number: d.number, scan: q.Scan, own: &failures[i],
			})
		}
	}
	g.add(questions, true)
	err := g.tx.flush(ctx)
	for i, d := range asking {
		if err != nil {
			failures[i] = err
		}
		d.reply <- failures[i]
	}
}

// add adds statements to what is pending.
func (g *group) add(statements []statement, read bool) {
	if !g.plain {
		g.tx.addAll(inParcels(statements, read))
		return
	}
	for _, s := range statements {
		g.tx.addOne(s)
	}
}

// keep adds what a draft writes to what is written, unless something that goes before it changes
// what it was answered. One that writes nothing goes before all.
func (g *group) keep(d *draft) bool {
	if d.err != nil || len(d.writes) == 0 {
		return true
	}
	if slices.ContainsFunc(d.asked, g.effects.reach) || slices.ContainsFunc(d.requires, g.effects.reach) {
		return false
	}
	for i := range d.writes {
		d.writes[i].number = d.number
		g.effects.add(d.writes[i])
	}
	g.written = append(g.written, d.writes...)
	d.wrote = true
	return true
}

// effects are what writes may change, by their texts: whoever asks is compared with these, and not
// with each write.
type effects map[*shape]*effect

// effect is what writes with one text may change.
type effect struct {
	values map[string]bool // that they have as first arguments
	any    bool            // whether one has something else there
}

func (e *effects) add(write statement) {
	if *e == nil {
		*e = effects{}
	}
	does := shapeOf(write.query)
	one := (*e)[does]
	if one == nil {
		one = &effect{values: map[string]bool{}}
		(*e)[does] = one
	}
	if does.column == "" {
		return
	}
	if value, ok := write.args[0].(string); ok {
		one.values[value] = true
	} else {
		one.any = true
	}
}

// reach says whether one of the writes may change the answer to a question. It may when it writes
// to a table that the question names, unless both are about the rows that have a value in a column,
// and these are two values.
func (e effects) reach(question statement) bool {
	asks := shapeOf(question.query)
	for does, one := range e {
		if does.column != "" && does.column == asks.column && does.tables[0] == asks.tables[0] {
			if value, ok := question.args[0].(string); !ok || one.any || one.values[value] {
				return true
			}
		} else if len(does.tables) == 0 || slices.ContainsFunc(does.tables, asks.names) {
			return true
		}
	}
	return false
}

// shape is what is known of a statement by its text.
type shape struct {
	tables []string        // that it writes to; of a question, that it reads by the column
	column string          // all its rows of its only table have its first argument there; empty: who knows
	words  map[string]bool // all, among which are the tables that it reads
	sets   []string        // of an UPDATE: the columns that it sets; empty: who knows
}

// names says whether a statement names a table or a column.
func (s *shape) names(what string) bool { return s.words[what] }

var (
	shapes   = map[string]*shape{}
	shapesMu sync.RWMutex
)

// maxShapes bounds the texts whose shape is remembered: lists of ids make new ones without end.
const maxShapes = 500 //bound:memory statements whose shape is remembered

func shapeOf(query string) *shape {
	shapesMu.RLock()
	s, ok := shapes[query]
	shapesMu.RUnlock()
	if ok {
		return s
	}
	s = readShape(query)
	shapesMu.Lock()
	defer shapesMu.Unlock()
	if known, ok := shapes[query]; ok {
		return known
	}
	if len(shapes) < maxShapes {
		shapes[query] = s
	}
	return s
}

// forms are how statements are written that are about the rows with a value in a column. They are
// compiled when a node has a PostgreSQL: most commands have none.
type forms struct {
	writesTo, words, asksBy, deletesBy, updatesBy, insertsBy, sets *regexp.Regexp
}

var statementForms = sync.OnceValue(func() forms {
	const byColumn = `WHERE (\w+) = \$1(?: AND \w+ [=<>]+ [$\w']+)*`
	return forms{
		writesTo: regexp.MustCompile(`(?i)\b(?:INTO|UPDATE|DELETE FROM)\s+(\w+)`),
		words:    regexp.MustCompile(`\w+`),
		asksBy: regexp.MustCompile(
			`^SELECT (?:[\w, ]+|(?i:COUNT\(\*\))) FROM (\w+) ` + byColumn + `(?: ORDER BY [\w, ]+)?$`,
		),
		deletesBy: regexp.MustCompile(`^DELETE FROM (\w+) ` + byColumn + `$`),
		updatesBy: regexp.MustCompile(`^UPDATE (\w+) SET ([\w =$,+]+) ` + byColumn + `$`),
		sets:      regexp.MustCompile(`(\w+) = `),
		insertsBy: regexp.MustCompile(
			`^INSERT INTO (\w+) \((\w+),[\w ,]+\) (?:VALUES \(\$1,[^;]*|SELECT CAST\(\$1 AS TEXT\),[^;]*|` +
				`VALUES \(COALESCE\([^;]*, CAST\(\$1 AS TEXT\)\),[^;]* ON CONFLICT DO NOTHING)$`,
		),
	}
})

func readShape(query string) *shape {
	of, s := statementForms(), &shape{words: map[string]bool{}}
	query = strings.Join(strings.Fields(query), " ")
	for _, word := range of.words.FindAllString(query, -1) {
		s.words[word] = true
	}
	for _, found := range of.writesTo.FindAllStringSubmatch(query, -1) {
		if found[1] != "SET" { // of ON CONFLICT DO UPDATE
			s.tables = append(s.tables, found[1])
		}
	}
	if m := of.asksBy.FindStringSubmatch(query); m != nil {
		s.tables, s.column = []string{m[1]}, m[2]
	} else if m := of.deletesBy.FindStringSubmatch(query); m != nil {
		s.column = m[2]
	} else if m := of.updatesBy.FindStringSubmatch(query); m != nil &&
		!slices.Contains(of.words.FindAllString(m[2], -1), m[3]) {
		s.column = m[3]
		for _, set := range of.sets.FindAllStringSubmatch(m[2], -1) {
			s.sets = append(s.sets, set[1])
		}
	} else if m := of.insertsBy.FindStringSubmatch(query); m != nil && !strings.Contains(query, m[2]+" =") &&
		(!strings.Contains(query, "DO UPDATE") || strings.Contains(query, "ON CONFLICT ("+m[2])) {
		s.column = m[2]
	}
	return s
}
