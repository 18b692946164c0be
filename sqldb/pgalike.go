package sqldb

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Updates that share a transaction often ask and write the same with other arguments. Such
// statements travel as one, with a list for each argument: the server reads, begins and ends one
// statement in place of many, which takes it as long as what most of them change.

// parcel is statements with one text, or one that has to be sent as it is.
type parcel struct {
	form          *form // nil: it is sent as it is
	shape         *shape
	all           []statement
	firsts, texts map[string]bool // that they have as arguments
}

// form is how statements with one text are sent together.
type form struct {
	text     string
	numbers  uint64 // which of the arguments are numbers, by bits; the others are texts
	distinct bool   // no two may have the same first argument
	apart    bool   // no two may have the same text: it looks into the table that it writes
	numbered bool   // whether rows begin with the number of the statement, from 1
	shared   bool   // whether each row is for all of them

	off atomic.Bool // the server does not take it
}

const (
	// fewAlike is how many statements are sent together at least.
	fewAlike = 3 //bound:none how few, not how many
	// maxAlike is how many are sent together at most: the server looks each row up in the list.
	maxAlike = 64 //bound:depth statements of updates that share a transaction that are sent as one
	// usuallyAlike is for how many statements room is made at first.
	usuallyAlike = 16 //bound:none room that grows
	// maxBack is how many parcels a write looks back over at most.
	maxBack = 32 //bound:depth what a write looks back over for statements that are alike
	// plainAfter is how many transactions send each statement by itself after the server has
	// refused one that stood for several: who is to blame is seen then only.
	plainAfter = 8 //bound:none how often, not how much
)

// inParcels puts statements together that are alike. What follows has to stay after what it may
// depend on, unless they all only read.
func inParcels(statements []statement, reads bool) (all []*parcel) {
	last := map[*form]int{}
	for _, s := range statements {
		f, does := formOf(s, reads), shapeOf(s.query)
		i, ok := last[f]
		if ok && f != nil && all[i].takes(s) && (reads || len(all)-i <= maxBack && does.passes(all[i+1:])) {
			all[i].add(s)
			continue
		}
		last[f] = len(all)
		p := &parcel{form: f, shape: does}
		if f != nil {
			p.all = make([]statement, 0, min(len(statements), usuallyAlike))
		}
		if f != nil && f.distinct {
			p.firsts = map[string]bool{}
		}
		if f != nil && f.apart {
			p.texts = map[string]bool{}
		}
		p.add(s)
		all = append(all, p)
	}
	return all
}

func (p *parcel) takes(s statement) bool {
	if len(p.all) >= maxAlike {
		return false
	}
	if p.firsts != nil && p.firsts[s.first()] {
		return false
	}
	return p.texts == nil || !slices.ContainsFunc(s.args, func(a any) bool {
		text, ok := a.(string)
		return ok && p.texts[text]
	})
}

func (p *parcel) add(s statement) {
	p.all = append(p.all, s)
	if p.firsts != nil {
		p.firsts[s.first()] = true
	}
	if p.texts == nil {
		return
	}
	for _, a := range s.args {
		if text, ok := a.(string); ok {
			p.texts[text] = true
		}
	}
}

func (s statement) first() string {
	text, _ := s.args[0].(string)
	return text
}

// passes says whether a write may be made before others that were to be made before it.
func (s *shape) passes(others []*parcel) bool {
	return !slices.ContainsFunc(others, func(p *parcel) bool { return s.matters(p.shape) || p.shape.matters(s) })
}

// matters says whether a write may change what another statement does: it may when that one names a
// table that it writes to, unless that one only reads there, and names no column that it sets.
func (s *shape) matters(to *shape) bool {
	if len(s.tables) == 0 {
		return true
	}
	return slices.ContainsFunc(s.tables, func(table string) bool {
		if !to.names(table) {
			return false
		}
		return len(s.sets) == 0 || slices.Contains(to.tables, table) || slices.ContainsFunc(s.sets, to.names)
	})
}

// addAll adds statements to what is pending, those that are alike as one.
func (c *pgTx) addAll(parcels []*parcel) {
	for _, p := range parcels {
		if p.form != nil && len(p.all) >= fewAlike {
			c.addAlike(p)
			continue
		}
		for _, s := range p.all {
			c.addOne(s)
		}
	}
}

func (c *pgTx) addOne(s statement) {
	c.number = s.number
	q := c.add(s.sent(), s.args)
	switch {
	case s.own != nil:
		c.scanOwn(q, s.scan, s.own)
	case s.scan != nil:
		c.scan(q, func(r Row) error { return scanFirst(r, s.scan) })
	}
	if s.rows > 0 {
		c.assumes()
	}
}

func (c *pgTx) addAlike(p *parcel) {
	q := c.add(p.form.text, p.lists())
	c.whose[len(c.whose)-1] = origin{number: -1, assumes: p.all[0].rows > 0, form: p.form}
	if p.form.numbered || p.form.shared {
		q.Fn = func(r pgx.BatchResults) error {
			rows, _ := r.Query() // its failure is that of the rows
			err, own := scanAll(rows, func(Row) error { return p.scan(rows) })
			if own != nil {
				return own
			}
			return c.count(err)
		}
	}
}

// lists are the arguments of all, one list for each.
func (p *parcel) lists() []any {
	args := make([]any, len(p.all[0].args))
	for i := range args {
		switch {
		case p.form.numbers>>i&1 == 1:
			list := make([]int64, len(p.all))
			for k, s := range p.all {
				list[k], _ = number(s.args[i])
			}
			args[i] = list
		case slices.ContainsFunc(p.all, func(s statement) bool { return s.args[i] == nil }):
			list := make([]*string, len(p.all))
			for k, s := range p.all {
				if text, ok := s.args[i].(string); ok {
					list[k] = &text
				}
			}
			args[i] = list
		default:
			list := make([]string, len(p.all))
			for k, s := range p.all {
				list[k], _ = s.args[i].(string)
			}
			args[i] = list
		}
	}
	return args
}

func number(arg any) (n int64, ok bool) {
	switch v := arg.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

// scan hands a row to whom it is for.
func (p *parcel) scan(rows pgx.Rows) error {
	if p.form.shared {
		for _, s := range p.all {
			if err := s.read(rows); err != nil {
				return err
			}
		}
		return nil
	}
	n, err := strconv.Atoi(string(rows.RawValues()[0]))
	if err != nil || n < 1 || n > len(p.all) {
		return fmt.Errorf("a row is for statement %q of %d: %w", rows.RawValues()[0], len(p.all), err)
	}
	s := p.all[n-1]
	if s.rows > 0 {
		return scanFirst(butFirst{rows}, s.scan)
	}
	return s.read(butFirst{rows})
}

// read reads a row of the answer to a question. What goes wrong there is the matter of who asks.
func (s statement) read(r Row) error {
	if s.own == nil {
		return s.scan(r)
	}
	if *s.own == nil {
		*s.own = s.scan(r)
	}
	return nil
}

type butFirst struct{ Row }

func (r butFirst) Scan(dest ...any) error { return r.Row.Scan(append([]any{nil}, dest...)...) }

// blame says whether the server may have refused a statement that stood for several, and gives that
// one up where it is known and the server will never take it.
func (c *pgTx) blame(err error) bool {
	if err == nil {
		return false
	}
	var preparing pgx.ErrPreprocessingBatch
	if errors.As(err, &preparing) { // each by itself shows whether it was a form
		return fateOf(err) == refused && slices.ContainsFunc(c.whose, func(o origin) bool { return o.form != nil })
	}
	suspect := c.culprit(err)
	var said *pgconn.PgError
	if suspect.form == nil || !errors.As(err, &said) {
		return false
	}
	if fateOf(err) == refused && slices.Contains(ofForms, said.Code) {
		suspect.form.off.Store(true)
	}
	return fateOf(err) == refused || said.Code == notUnique
}

// ofForms are the failures that a form may have where its statement has none: the server cannot
// read it, or cannot tell its types.
var ofForms = []string{
	"0A000", // feature not supported
	"42601", // syntax
	"42702", // ambiguous column
	"42725", // ambiguous function
	"42803", // grouping
	"42804", // types that differ
	"42809", // wrong kind of object
	"42846", // no cast
	"42883", // no such function
	"42P18", // unknown type
}

// formKey is what statements have in common that have one form.
type formKey struct {
	text    string
	numbers uint64
	reads   bool
	returns bool
}

var (
	formsOf   = map[formKey]*form{}
	formsOfMu sync.RWMutex
)

// maxForms bounds the forms that are remembered. Beyond it no more are made, which would take
// longer than they save.
const maxForms = 500 //bound:memory forms of statements that are sent together

// formOf is how a statement is sent with others that are alike; nil: by itself.
func formOf(s statement, reads bool) *form {
	key := formKey{text: s.sent(), reads: reads, returns: s.returns()}
	for i, a := range s.args {
		_, isNumber := number(a)
		_, isText := a.(string)
		if i == 64 || !isNumber && !isText && a != nil {
			return nil
		}
		if isNumber {
			key.numbers |= 1 << i
		}
	}
	formsOfMu.RLock()
	f, ok := formsOf[key]
	full := len(formsOf) >= maxForms
	formsOfMu.RUnlock()
	if !ok {
		if full || s.hasList() {
			return nil
		}
		if f = makeForm(s, reads); f != nil {
			f.numbers = key.numbers
		}
		formsOfMu.Lock()
		if known, ok := formsOf[key]; ok {
			f = known
		} else if len(formsOf) < maxForms {
			formsOf[key] = f
		} else {
			f = nil
		}
		formsOfMu.Unlock()
	}
	if f == nil || f.off.Load() {
		return nil
	}
	return f
}

// hasList says whether a statement has a list of arguments: each length has a text of its own, and
// these would leave no room for others.
func (s statement) hasList() bool { return s.rows > 1 || patternsOf().lists.MatchString(s.query) }

// patterns are how statements are written that are sent together.
type patterns struct {
	values, selects, updates, deletes, looks, argument, unfit, lists *regexp.Regexp
}

var patternsOf = sync.OnceValue(func() patterns {
	const equal = `(?:\w+|CAST\(\$\d+ AS \w+\)) = (?:\w+|CAST\(\$\d+ AS \w+\))`
	return patterns{
		values:  regexp.MustCompile(`^INSERT INTO (\w+) \(([\w, ]+)\) VALUES \(`),
		selects: regexp.MustCompile(`^INSERT INTO (\w+) \(([\w, ]+)\) SELECT (.+?) FROM (.+?) WHERE (.+)$`),
		updates: regexp.MustCompile(`^UPDATE (\w+) SET ([\w =$,+]+) WHERE (\w+) = \$1$`),
		deletes: regexp.MustCompile(`^DELETE FROM (\w+) WHERE (\w+) = \$1$`),
		// a question in the midst of values that depends on nothing but what equals its arguments
		looks:    regexp.MustCompile(`\(SELECT \w+ FROM \w+ WHERE ` + equal + `(?: AND ` + equal + `)*\)`),
		argument: regexp.MustCompile(`\$(\d+)`),
		unfit:    regexp.MustCompile(`(?i)\b(?:SELECT|UNION|GROUP|ORDER|LIMIT|OFFSET|RETURNING|EXISTS)\b`),
		// IN, or rows of values
		lists: regexp.MustCompile(`\bIN\s+\(\s*\$\d+\s*,|\)\s*,\s*\(\s*(?:CAST\(\s*)?\$\d`),
	}
})

func makeForm(s statement, reads bool) *form {
	query := strings.Join(strings.Fields(s.query), " ")
	switch {
	case reads:
		return asking(query, s.args)
	case len(s.args) == 0:
		return nil
	}
	query, unless := strings.CutSuffix(query, " "+unlessThere)
	if f := selecting(query, s); f != nil || s.returns() {
		return f // any other form returns nothing
	}
	if unless && s.rows == 0 {
		query += " " + unlessThere
	}
	if f := inserting(query, s); f != nil || s.rows > 0 {
		return f
	}
	return changing(query, s)
}

// returns says whether a write hands a row to somebody.
func (s statement) returns() bool { return len(s.columns) > 0 || s.scan != nil }

// given are the lists of arguments as rows, of which one has the arguments of one statement.
func given(args []any) string {
	lists, names := make([]string, len(args)), make([]string, len(args))
	for i, a := range args {
		lists[i], names[i] = unseen(list(i, a)), fmt.Sprint("p", i+1)
	}
	return `unnest(` + strings.Join(lists, ", ") + `) WITH ORDINALITY given(` + strings.Join(names, ", ") + `, n)`
}

// unseen keeps the planner from a look at a list: it would plan each time anew for one that is
// shorter than those that it imagines, which takes longer than to carry the statement out.
func unseen(list string) string { return `(SELECT ` + list + `)` }

func list(i int, arg any) string {
	if _, ok := number(arg); ok {
		return fmt.Sprintf("CAST($%d AS BIGINT[])", i+1)
	}
	return fmt.Sprintf("CAST($%d AS TEXT[])", i+1)
}

// ofGiven puts the arguments of one row where those of the statement were.
func ofGiven(text string) string { return patternsOf().argument.ReplaceAllString(text, "given.p$1") }

// asking is the form of a question. OFFSET keeps the server from asking in another way: in a small
// table it would read everything, which the transaction would then depend on.
func asking(query string, args []any) *form {
	switch {
	case !strings.HasPrefix(query, "SELECT "), strings.Contains(query, "LIMIT $"), strings.Contains(query, "OFFSET"):
		return nil
	case len(args) == 0:
		return &form{text: query, shared: true}
	}
	return &form{
		text: `SELECT CAST(given.n AS TEXT), asked.* FROM ` + given(args) + `, LATERAL (` + ofGiven(query) +
			` OFFSET 0) asked`,
		numbered: true,
	}
}

// inserting is the form of an INSERT with VALUES.
func inserting(query string, s statement) *form {
	m := patternsOf().values.FindStringSubmatch(query)
	if m == nil {
		return nil
	}
	values, rest, ok := enclosed(query[len(m[0]):])
	if !ok || strings.Contains(rest, "$") {
		return nil
	}
	f := &form{distinct: strings.Contains(rest, "DO UPDATE")}
	switch {
	case rest != "" && !strings.HasPrefix(rest, " ON CONFLICT "), rest != "" && s.rows > 0,
		patternsOf().unfit.MatchString(rest):
		return nil
	case patternsOf().unfit.MatchString(patternsOf().looks.ReplaceAllString(values, "")):
		return nil
	}
	f.apart = slices.Contains(statementForms().words.FindAllString(values, -1), m[1])
	f.text = m[0][:len(m[0])-len("VALUES (")] + `SELECT ` + ofGiven(values) + ` FROM ` + given(s.args) +
		` ORDER BY given.n` + rest
	return f
}

// enclosed cuts a text at the parenthesis that closes one before it.
func enclosed(text string) (in, after string, ok bool) {
	depth := 1
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case '\'':
			return "", "", false
		}
		if depth == 0 {
			return text[:i], text[i+1:], true
		}
	}
	return "", "", false
}

// selecting is the form of an INSERT that takes one row from other tables, by assumption.
func selecting(query string, s statement) *form {
	m := patternsOf().selects.FindStringSubmatch(query)
	if m == nil || s.rows != 1 {
		return nil
	}
	table, columns := m[1], m[2]
	for _, part := range m[3:] {
		if patternsOf().unfit.MatchString(part) ||
			slices.Contains(statementForms().words.FindAllString(part, -1), table) {
			return nil
		}
	}
	returns := ""
	for _, column := range s.columns {
		returns += column + ", "
	}
	return &form{
		text: `WITH found AS (SELECT given.n, one.* FROM ` + given(s.args) + ` LEFT JOIN LATERAL (SELECT 1, ` +
			ofGiven(m[3]) + ` FROM ` + ofGiven(m[4]) + ` WHERE ` + ofGiven(m[5]) + ` OFFSET 0) one(there, ` + columns +
			`) ON true), made AS (INSERT INTO ` + table + ` (` + columns + `) SELECT ` + columns +
			` FROM found WHERE there = 1 ORDER BY found.n) SELECT CAST(n AS TEXT), ` + returns +
			`1 / COALESCE(there, 0) FROM found`,
		numbered: true,
	}
}

// changing is the form of an UPDATE or DELETE of rows with a value.
func changing(query string, s statement) *form {
	if _, ok := s.args[0].(string); !ok {
		return nil
	}
	if m := patternsOf().deletes.FindStringSubmatch(query); m != nil && len(s.args) == 1 {
		return &form{text: fmt.Sprintf(`DELETE FROM %s WHERE %s`, m[1], among(m[2]))}
	}
	m := patternsOf().updates.FindStringSubmatch(query)
	if m == nil || slices.Contains(statementForms().words.FindAllString(m[2], -1), m[3]) {
		return nil
	}
	set := patternsOf().argument.ReplaceAllStringFunc(m[2], func(argument string) string {
		i, _ := strconv.Atoi(argument[1:])
		return fmt.Sprintf(`(%s)[array_position(%s, %s.%s)]`, list(i-1, s.args[i-1]), list(0, ""), m[1], m[3])
	})
	return &form{
		text:     fmt.Sprintf(`UPDATE %s SET %s WHERE %s`, m[1], set, among(m[3])),
		distinct: true,
	}
}

// among says that a column has one of the first arguments.
func among(column string) string {
	return fmt.Sprintf(`%s = ANY(CAST(%s AS TEXT[]))`, column, unseen(list(0, "")))
}
