package center

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// inOrder takes all ways, in the order of the query, unless they are in that of HeldAccess or there
// are too many.
func (f *heldFinder) inOrder() (ordered bool, err error) {
	if f.q.By == ByReach {
		return false, nil
	}
	of := f.q
	f.q.Offset, f.q.Limit = 0, 0 // it counts
	err = f.takeAll()
	total := f.total
	if f.total = 0; err != nil || total > MaxOrderedWays {
		f.q = of
		return false, err
	}
	if f.q.Limit = total; total > 0 {
		err = f.takeAll()
	}
	f.q = of
	if err != nil {
		return false, err
	}
	return true, f.sort()
}

func (f *heldFinder) takeAll() error {
	for _, a := range f.assigned {
		if err := f.take(a); err != nil {
			return err
		}
	}
	return nil
}

// sort puts what was found in the order of the query.
func (f *heldFinder) sort() error {
	if f.q.By == ByPlace {
		all, err := f.r.Accounts()
		if err != nil {
			return err
		}
		for _, a := range all {
			f.accounts[a.ID] = a
		}
	}
	type way struct {
		held   HeldAccess
		origin Assignment
		name   string
	}
	ways := make([]way, len(f.found))
	for i, h := range f.found {
		ways[i] = way{h, f.origins[i], strings.ToLower(f.nameOf(h))}
	}
	slices.SortStableFunc(ways, func(a, b way) int {
		if f.q.Descending {
			return cmp.Compare(b.name, a.name)
		}
		return cmp.Compare(a.name, b.name)
	})
	for i, w := range ways {
		f.found[i], f.origins[i] = w.held, w.origin
	}
	return nil
}

// nameOf is by what a way is put in order.
func (f *heldFinder) nameOf(h HeldAccess) string {
	switch {
	case f.q.By == ByHolder:
		return h.User.UserName
	case f.q.By == ByPlace:
		return f.accounts[h.Account.ID].Name
	case f.q.By == ByHeldSet:
		return h.Title()
	case h.Group != nil:
		return h.Group.DisplayName
	}
	return ""
}

// cut leaves a page of what was found. To complete it leaves the rest as it was: a transaction may
// run again, from what there was before.
func (f *heldFinder) cut(offset, limit int) {
	from := min(offset, len(f.found))
	to := min(from+limit, len(f.found))
	f.found, f.origins = slices.Clone(f.found[from:to]), slices.Clone(f.origins[from:to])
}

// eachInOrder hands over all ways in the order of a query; nothing is sent where there are too many
// for that. It completes so many at a time, so that whoever takes them slowly keeps no transaction
// open.
func (c *Center) eachInOrder(ctx context.Context, q HeldAccessQuery, row func(HeldAccess) error) (bool, error) {
	var all heldFinder
	ordered := false
	if err := c.Store.View(ctx, func(r Reader) (err error) {
		all = newHeldFinder(r, q)
		if err := all.read(); err != nil {
			return err
		}
		ordered, err = all.inOrder()
		return err
	}); err != nil || !ordered {
		return false, err
	}
	for offset := 0; offset < len(all.found); offset += heldAccessAtOnce {
		part := all
		if err := c.Store.View(ctx, func(r Reader) error {
			part = all
			part.r = r
			part.cut(offset, heldAccessAtOnce)
			return part.complete()
		}); err != nil {
			return true, err
		}
		for _, h := range part.found {
			if err := row(h); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}
