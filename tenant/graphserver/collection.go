package graphserver

import (
	"context"
	"net/http"
)

// collection is a set of objects of the directory that can be queried.
type collection struct {
	// in the order of their ids
	after    func(ctx context.Context, o query) func(after string, limit int) ([]object, error)
	count    func(ctx context.Context) (int, error)
	defaults properties
	resource *resource
}

// list serves a page of a collection.
func (h *Handler) list(c collection) call {
	return func(ctx context.Context, r request) (int, any, error) {
		o, err := options(r, c.resource)
		if err != nil {
			return 0, nil, err
		}
		count := func() (int, error) { return c.count(ctx) }
		p, err := h.page(r, o, c.after(ctx, o), c.defaults, count)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, p, h.expand(ctx, o, c.resource, p.Value)
	}
}

// countOf serves how many objects of a collection a query selects.
func (h *Handler) countOf(c collection) call {
	return func(ctx context.Context, r request) (int, any, error) {
		o, err := options(r, c.resource)
		if err != nil {
			return 0, nil, err
		}
		o.count, o.after = true, ""
		n := 0
		if o.narrows() {
			_, n, err = o.collect(c.after(ctx, o))
		} else {
			n, err = c.count(ctx)
		}
		if err != nil {
			return 0, nil, err
		}
		return answerCount(r, n)
	}
}
