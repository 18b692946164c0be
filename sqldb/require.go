package sqldb

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Require lets the transaction be kept only if a table has a row for which a condition holds, as
// it is when the transaction begins. Otherwise Update returns ErrUnmet.
//
// On PostgreSQL nobody waits for the answer: it comes with the next question, or with the commit.
// So a function that fails by itself, or has written nothing, does not know it.
func (t Tx) Require(table, condition string, args ...any) error {
	query := "SELECT COUNT(*) FROM " + table + " WHERE " + condition
	if later, ok := t.conn.(requiring); ok {
		return later.require(query, args)
	}
	n, err := t.Count(query, args...)
	if err == nil && n == 0 {
		err = ErrUnmet
	}
	return err
}

// requiring is a connection that asks later for what a transaction requires.
type requiring interface {
	require(query string, args []any) error
}

// requirement is a count that fails when it is zero.
func requirement(count string) string { return "SELECT 1 / " + strings.TrimPrefix(count, "SELECT ") }

func (d *draft) require(query string, args []any) error {
	if d.stopped == nil {
		d.requires = append(d.requires, statement{query: query, args: storable(args)})
	}
	return d.stopped
}

// unasked says whether an update has succeeded, and what it requires would be asked by nobody: it
// has written nothing.
func (d *draft) unasked() bool { return d.err == nil && len(d.writes) == 0 && len(d.requires) > 0 }

func (c *pgTx) require(query string, args []any) error {
	if c.stopped == nil {
		c.addRequired(statement{query: query, args: storable(args)}, []int{c.number})
	}
	return c.stopped
}

// addRequired adds what some updates require to what is pending.
func (c *pgTx) addRequired(s statement, of []int) {
	c.add(requirement(s.query), s.args)
	c.whose[len(c.whose)-1] = origin{number: of[0], required: of}
}

// unmet is whose requirement a failure is; nil: it is none.
func (c *pgTx) unmet(err error) []int {
	var said *pgconn.PgError
	if !errors.As(err, &said) || said.Code != divisionByZero {
		return nil
	}
	return c.culprit(err).required
}

// require adds what the updates that are kept require, before anything that they write. Most
// require the same, which is asked for once.
func (g *group) require() {
	var all []statement
	var whose [][]int
	for _, d := range g.drafts {
		if !d.wrote {
			continue
		}
		for _, s := range d.requires {
			i := slices.IndexFunc(all, func(other statement) bool {
				return other.query == s.query && slices.Equal(other.args, s.args)
			})
			if i < 0 {
				i = len(all)
				all, whose = append(all, s), append(whose, nil)
			}
			whose[i] = append(whose[i], d.number)
		}
	}
	for i, s := range all {
		g.tx.addRequired(s, whose[i])
	}
}
