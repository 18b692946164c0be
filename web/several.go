package web

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Several is a deed, which is one change each, that is done to several rows of a list.
type Several struct {
	IDs  []string
	Name func(id string) (string, error) // what a person calls the row
	Deed func(ctx context.Context, id string) error
	Back string // where it comes back to
}

// outcome is what became of several rows, or would.
type outcome struct {
	done  []string
	first error    // the first refusal
	left  []string // says of the others why nothing is done to them
}

// SureOf asks before the deed: question makes the question about those to whom it would be done,
// and it says of the others why they are left. Where there are none, the refusal comes instead.
func (s Several) SureOf(v Visit, question func(ids []string) (Question, error)) (answered bool, err error) {
	if v.Answered() {
		return true, nil
	}
	o, err := s.each(v, func(ctx context.Context, id string) error {
		return refusal.Try(ctx, func(ctx context.Context) error { return s.Deed(ctx, id) })
	})
	if err == nil && len(o.done) == 0 {
		err = o.first
	}
	if err != nil {
		return false, err
	}
	q, err := question(o.done)
	if err != nil {
		return false, err
	}
	q.Lines = append(o.left, q.Lines...)
	return v.Sure(q)
}

// Do does it to each, and goes on past those that are refused. Unless it is done to all, it goes
// back with how it went.
func (s Several) Do(v Visit) (all bool, err error) {
	o, err := s.each(v, s.Deed)
	_, lines := v.desk.Explain(err)
	switch {
	case err != nil && (lines == nil || len(o.done) == 0):
		return false, err
	case err == nil && len(o.done) == 0:
		return false, o.first
	case err == nil && o.first == nil:
		return true, nil
	}
	said := append([]string{fmt.Sprintf("Done: %d of %d.", len(o.done), len(s.IDs))}, o.left...)
	return false, v.Failed(s.Back, strings.Join(append(said, lines...), " "))
}

// maxLeft bounds how many of those to whom nothing is done are named.
const maxLeft = 5 //bound:list names of those whom a deed leaves, for each reason

// each is what becomes of each. It ends at what is no refusal of one, such as a database that is
// not available.
func (s Several) each(v Visit, do func(context.Context, string) error) (o outcome, err error) {
	named := map[string][]string{} // by reason
	var reasons []string
	for _, id := range s.IDs {
		err := do(v.Context(), id)
		if err == nil {
			o.done = append(o.done, id)
			continue
		}
		_, lines := v.desk.Explain(err)
		if lines == nil || refusal.KindOf(err) == refusal.Unavailable {
			return o, err
		}
		if o.first == nil {
			o.first = err
		}
		name, unnamed := s.Name(id)
		if refusal.KindOf(unnamed) == refusal.NotFound {
			name, unnamed = id, nil
		}
		if unnamed != nil {
			return o, unnamed
		}
		var said refusal.Error // without the id, which the name stands for
		if refused := (*refusal.Error)(nil); errors.As(err, &refused) {
			said = *refused
			said.Subject = ""
			_, lines = v.desk.Explain(&said)
		}
		why := strings.Join(lines, " ")
		if named[why] == nil {
			reasons = append(reasons, why)
		}
		named[why] = append(named[why], name)
	}
	for _, why := range reasons {
		all := named[why]
		who := strings.Join(all[:min(len(all), maxLeft)], ", ")
		if more := len(all) - maxLeft; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		o.left = append(o.left, "Not done for "+who+": "+why)
	}
	return o, nil
}
