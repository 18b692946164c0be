package provisioning

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-id/gatehouse/scim"
)

// searches is what a cycle knows of the attributes by which the target does not search. Nothing of
// it is kept for the next cycle.
type searches struct {
	mu   baton           // one finds out at a time
	none map[string]bool // kind and attribute
}

// unsearched says that the target does not search by an attribute, or for one value of it; the
// error is how it has refused to.
type unsearched struct{ error }

// Unwrap returns the refusal.
func (u *unsearched) Unwrap() error { return u.error }

func isUnsearched(err error) bool { return errors.As(err, new(*unsearched)) }

// search is ask for an answer on which it depends whether an object is believed to be at the
// target. One refusal may be an accident of the target, or of something in between, and whoever
// takes it for "it does not search so" makes a second one of somebody, or never finds them. So the
// target has to refuse questions about nobody as well, before and after one that any target
// answers. That is remembered until the cycle ends, or such a question is answered.
func (c *cycle) search(ctx context.Context, kind Kind, attribute, value string) ([]scim.Resource, error) {
	at := string(kind) + " " + attribute
	found, err := c.asks(ctx, kind, attribute, value)
	if !refusesToSay(err) {
		if err == nil {
			c.searches.answered(at)
		}
		return found, err
	}
	switch none, unknown := c.searchesNot(ctx, kind, attribute); {
	case unknown != nil:
		return nil, unknown
	case none:
		return nil, &unsearched{err}
	}
	for range maxRefused - 1 {
		if found, err = c.asks(ctx, kind, attribute, value); !refusesToSay(err) {
			return found, err
		}
	}
	p := new(scim.Problem)
	if errors.As(err, &p) && p.Status == http.StatusForbidden { // it may be there, for others to see
		return nil, err
	}
	return nil, &unsearched{err}
}

// maxRefused is how often a target that searches by an attribute refuses to for one value, before
// that is believed.
const maxRefused = 3 //bound:depth tries of a search that the target refuses

// asks is ask. Whoever is not there is a member of nothing, as some targets say.
func (c *cycle) asks(ctx context.Context, kind Kind, attribute, value string) ([]scim.Resource, error) {
	found, err := c.ask(ctx, kind, attribute, value)
	if attribute == groupsOf && isNotFound(err) && !misdirected(err) {
		return nil, nil
	}
	return found, err
}

// refusesToSay says whether a target does not want to answer a question.
func refusesToSay(err error) bool { return isRefusal(err) && !misdirected(err) }

// searchesNot says whether the target does not search by an attribute. A few requests in a cycle
// find out.
func (c *cycle) searchesNot(ctx context.Context, kind Kind, attribute string) (bool, error) {
	at := string(kind) + " " + attribute
	s := c.searches
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.none[at] {
		return true, nil
	}
	if _, err := c.asks(ctx, kind, attribute, c.NewID()); !refusesToSay(err) {
		return false, err
	}
	if err := c.knock(ctx); err != nil {
		return false, err
	}
	if _, err := c.asks(ctx, kind, attribute, c.NewID()); !refusesToSay(err) {
		return false, err
	}
	s.none[at] = true
	return true, nil
}

// answered notes that the target searches by an attribute after all.
func (s *searches) answered(at string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.none, at)
}
