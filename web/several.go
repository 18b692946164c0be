package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
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
	done    []string
	refused []string
	first   error    // the first refusal
	left    []string // says of those who are refused why
	late    []string // there was no time to look at them
}

// leave is the field by which a question carries whom it has left out.
const leave = "leave"

// SureOf asks before the deed: question makes the question about those to whom it would be done,
// and it says of the others why they are left. Where there are none, the refusal comes instead. A
// yes is one to those of whom was asked: the deed is none to the others then, whatever they have
// become in between.
func (s *Several) SureOf(v Visit, question func(ids []string) (Question, error)) (answered bool, err error) {
	if v.Answered() {
		left := map[string]bool{}
		for _, id := range v.PostForm[leave] {
			left[id] = true
		}
		asked := slices.DeleteFunc(slices.Clone(s.IDs), func(id string) bool { return left[id] })
		if len(asked) > 0 {
			s.IDs = asked
			return true, nil
		}
		v.PostForm.Set(sure, again) // no question was like that
	}
	o, err := s.each(v, func(ctx context.Context, id string) error {
		return refusal.Glance(ctx, func(ctx context.Context) error { return s.Deed(ctx, id) })
	})
	if err == nil && len(o.done) == 0 {
		err = s.recorded(v, o)
	}
	if err != nil {
		return false, err
	}
	q, err := question(o.done)
	if err != nil {
		return false, err
	}
	if len(o.late) > 0 {
		const late = "There is no time for %d of them at once: do them afterwards."
		o.left = append(o.left, fmt.Sprintf(late, len(o.late)))
	}
	q.Lines = append(o.left, q.Lines...)
	v.PostForm[leave] = append(o.refused, o.late...)
	return v.Sure(q)
}

// recorded is the refusal of a deed that would be refused for all, of which the log has one.
func (s *Several) recorded(v Visit, o outcome) error {
	if err := refusal.Try(v.Context(), func(ctx context.Context) error { return s.Deed(ctx, s.IDs[0]) }); err != nil {
		return err
	}
	return o.first
}

// Do does it to each, and goes on past those that are refused. Unless it is done to all, it goes
// back with how it went.
func (s *Several) Do(v Visit) (all bool, err error) {
	o, err := s.each(v, s.Deed)
	_, lines := Explain(err)
	switch {
	case err != nil && (lines == nil || len(o.done) == 0):
		return false, err
	case err == nil && len(o.done) == 0 && len(o.late) == 0:
		return false, o.first
	case err == nil && len(o.done) == len(s.IDs):
		return true, nil
	}
	said := append([]string{fmt.Sprintf("Done: %d of %d.", len(o.done), len(s.IDs))}, lines...)
	if len(o.late) > 0 {
		said = append(said, NoTime(len(o.late)))
	}
	return false, v.Failed(s.Back, strings.Join(append(said, o.left...), " "))
}

// MaxCalled bounds how many of several are named in a question.
const MaxCalled = 10 //bound:list names in a question about several rows

// Called are what several are called, of whom some stand for all.
func Called(ids []string, name func(id string) (string, error)) (list []string, err error) {
	for _, id := range ids[:min(len(ids), MaxCalled)] {
		one, err := name(id)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	if more := len(ids) - MaxCalled; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return list, nil
}

// How much is said of those to whom nothing is done.
const (
	maxLeft    = 5 //bound:list names of those whom a deed leaves, for each reason
	maxReasons = 6 //bound:list reasons for which a deed leaves some, each with names
)

// spare is what a deed to several leaves of its request's time.
const spare = 10 * time.Second //bound:wait the end of a request, once a deed to several has begun no more of them

// HasTime says whether there is time for one more of several: what a request has not begun when it
// must end is better left, and said, than cut off.
func (v Visit) HasTime() bool {
	end, ends := v.Context().Deadline()
	return !ends || time.Until(end) > spare
}

// NoTime says so of those for whom there was none.
func NoTime(n int) string {
	return names.Counted("There was no time for %d more, {which is as it was|which are as they were}: do it again.", n)
}

// each is what becomes of each. It ends at what is no refusal of one, such as a database that is
// not available, and when there is no time left for more than one.
func (s *Several) each(v Visit, do func(context.Context, string) error) (o outcome, err error) {
	named := map[string][]string{} // by reason
	var reasons []string
	for i, id := range s.IDs {
		if i > 0 && !v.HasTime() {
			o.late = s.IDs[i:]
			break
		}
		err := do(v.Context(), id)
		if err == nil {
			o.done = append(o.done, id)
			continue
		}
		_, lines := Explain(err)
		if lines == nil || refusal.KindOf(err) == refusal.Unavailable {
			return o, err
		}
		if o.refused = append(o.refused, id); o.first == nil {
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
			if attribute, _ := said.About(); attribute != said.Subject || attribute == id {
				said.Subject = ""
			}
			_, lines = Explain(&said)
		}
		why := strings.Join(lines, " ")
		if named[why] == nil {
			reasons = append(reasons, why)
		}
		named[why] = append(named[why], name)
	}
	o.left = leftFor(reasons, named)
	return o, nil
}

// leftFor says for each reason who is left.
func leftFor(reasons []string, named map[string][]string) (left []string) {
	for _, why := range reasons[:min(len(reasons), maxReasons)] {
		all := named[why]
		who := strings.Join(all[:min(len(all), maxLeft)], ", ")
		if more := len(all) - maxLeft; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		left = append(left, "Not done for "+who+": "+why)
	}
	if len(reasons) <= maxReasons {
		return left
	}
	n := 0
	for _, why := range reasons[maxReasons:] {
		n += len(named[why])
	}
	return append(left, names.Counted(
		"Not done for %d more, for %d other {reason|reasons}.", n, len(reasons)-maxReasons))
}
