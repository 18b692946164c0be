package mapping

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bounds of one evaluation: our own choice. Honest expressions stay below a hundredth of them.
const (
	//bound:depth steps of an evaluation: parts, bytes read and made, and what regular expressions do with each
	maxSteps = 16 << 20
	maxBytes = 1 << 20  //bound:text all values on the way of an evaluation, in bytes
	maxText  = 64 << 10 //bound:text what an expression makes, in bytes
)

// BudgetError means that an evaluation was stopped since it would take more than one may.
type BudgetError struct {
	What  string // steps, bytes or time
	Limit int
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("the expression was stopped because it takes more than %d %s, the limit of an evaluation; "+
		"use fewer functions, shorter texts or a simpler regular expression",
		e.Limit, e.What)
}

// evaluation is one run of an expression: whose attributes it reads, who waits for it, and what it
// may still take.
type evaluation struct {
	context.Context
	of           Attributes
	steps, bytes int           // spent
	matching     time.Duration // spent on regular expressions that RE2 does not have
}

// spend takes steps from the budget, and ends an evaluation that nobody waits for any more.
func (e *evaluation) spend(steps int) error {
	if steps < 0 || steps > maxSteps-e.steps {
		e.steps = maxSteps
		return &BudgetError{"steps", maxSteps}
	}
	e.steps += steps
	return e.Err()
}

// within refuses a value of too many bytes.
func (e *evaluation) within(size int) error {
	if size > maxText {
		return fmt.Errorf("the result has more than %d bytes, the limit of a value; make the texts shorter", maxText)
	}
	return nil
}

// produce takes the bytes of a value from the budget, before it is made.
func (e *evaluation) produce(size int) error {
	if err := e.within(size); err != nil {
		return err
	}
	if size > maxBytes-e.bytes {
		return &BudgetError{"bytes", maxBytes}
	}
	e.bytes += size
	return e.spend(size)
}

// value evaluates a part of the expression.
func (e *evaluation) value(n node) (Value, error) {
	if err := e.spend(1); err != nil {
		return nil, err
	}
	v, err := n.evaluate(e)
	if err != nil {
		return nil, err
	}
	if err := e.produce(v.size()); err != nil {
		return nil, err
	}
	return v, e.spend(len(v))
}

// size is how many bytes a value has.
func (v Value) size() int {
	size := 0
	for _, text := range v {
		size += len(text)
	}
	return size
}

// times is a product that does not run over.
func times(factors ...int) int {
	product := 1
	for _, f := range factors {
		if f > 0 && product > math.MaxInt/f {
			return math.MaxInt
		}
		product *= f
	}
	return product
}

// arguments are evaluated when they are asked for, so that what is not chosen does no harm, and
// once only: to ask again costs nothing.
type arguments struct {
	*evaluation
	nodes  []node
	values []Value
	known  []bool
}

func (e *evaluation) arguments(nodes []node) arguments {
	return arguments{e, nodes, make([]Value, len(nodes)), make([]bool, len(nodes))}
}

func (a arguments) value(i int) (v Value, err error) {
	if i >= len(a.nodes) {
		return nil, nil
	}
	if !a.known[i] {
		if a.values[i], err = a.evaluation.value(a.nodes[i]); err != nil {
			return nil, err
		}
		a.known[i] = true
	}
	return a.values[i], nil
}

// has says whether an argument is given at all.
func (a arguments) has(i int) bool {
	if i >= len(a.nodes) {
		return false
	}
	_, out := a.nodes[i].(omitted)
	return !out
}

// texts evaluates the first n arguments.
func (a arguments) texts(n int) ([]string, error) {
	out := make([]string, n)
	for i := range n {
		v, err := a.value(i)
		if err != nil {
			return nil, err
		}
		out[i] = v.Text()
	}
	return out, nil
}

func (a arguments) number(i int) (int, error) {
	v, err := a.value(i)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(v.Text())
	if err != nil {
		return 0, fmt.Errorf("argument %d is %q, not a whole number", i+1, shown(v.Text()))
	}
	return n, nil
}

// maxShown is how much of a text an error says: logs keep it.
const maxShown = 100 //bound:text a value that an error of an expression names, in bytes

func shown(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "…"
	}
	return s
}
