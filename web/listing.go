package web

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Listing is what the address of a list says: what is searched for, the order, where the page
// begins. Each state of a list has an address that can be shared.
type Listing struct {
	Search     string
	Sort       string // the column that the list is in order of
	Descending bool
	Offset     int
	query      url.Values
	columns    []string
	whole      bool // for a file
}

// Listing reads the address of a list that can be in the order of some columns; the first is the
// one at the beginning.
func (v Visit) Listing(columns ...string) Listing {
	q := v.URL.Query()
	l := Listing{Search: strings.TrimSpace(q.Get("q")), query: q, columns: columns}
	l.Sort, l.Descending = strings.CutPrefix(q.Get("sort"), "-")
	if !slices.Contains(columns, l.Sort) {
		l.Sort, l.Descending = columns[0], false
	}
	if l.whole = v.Exports(); l.whole {
		return l
	}
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		l.Offset = n
	}
	return l
}

// Filter is one of some values of a filter; "" is any.
func (l Listing) Filter(name string, values ...string) string {
	if value := l.query.Get(name); slices.Contains(values, value) {
		return value
	}
	return ""
}

// address is that of the same list with something else about it.
func (l Listing) address(name, value string) string {
	q := maps.Clone(l.query)
	q.Del("offset")
	q.Del("after")
	for _, of := range []string{"format", "chosen", Pick, every, matching} {
		q.Del(of)
	}
	if name != "" {
		q.Set(name, value)
	}
	return "?" + q.Encode()
}

// Pager is the pager of the list.
func (l Listing) Pager(shown, size, total int) Pager {
	p := NewPager(l.query, l.Offset, shown, size, total)
	p.CSV, p.JSON = l.address("format", "csv"), l.address("format", "json")
	p.Matching = l.address("", "")[1:]
	return p
}

// With is the same list with something more in its address; without it where that is empty.
func (l Listing) With(name, value string) Listing {
	l.query = maps.Clone(l.query)
	l.query.Set(name, value)
	if value == "" {
		l.query.Del(name)
	}
	return l
}

// After is the pager of a list that is read from one row to the next: the next page begins after
// the row of that name; empty: there is none.
func (l Listing) After(next string, shown int) Pager {
	p := Pager{Uncounted: shown > 0, CSV: l.address("format", "csv"), JSON: l.address("format", "json")}
	if next != "" {
		p.Next = l.address("after", next)
	}
	return p
}

// Column is the head of a column by which a list can be put in order.
type Column struct {
	Label, Address, Order string // Order is ascending or descending where the list is in this order
	Class                 string
}

// Column is the head of one of the list's columns.
func (l Listing) Column(name, label string, class ...string) Column {
	c := Column{Label: label, Class: strings.Join(class, " ")}
	sort := name
	if l.Sort == name {
		c.Order = "ascending"
		if sort = "-" + name; l.Descending {
			c.Order, sort = "descending", name
		}
	}
	c.Address = l.address("sort", sort)
	return c
}

// Sorted is the order as the address has it; empty: the one at the beginning.
func (l Listing) Sorted() string {
	if l.Descending {
		return "-" + l.Sort
	}
	if l.Sort == l.columns[0] {
		return ""
	}
	return l.Sort
}

// Page cuts the page of a size out of a list that was read whole, which it puts in order: by what
// key says of an item in the order's column, ignoring letter case.
func Page[T any](l Listing, all []T, size int, key func(item T, column string) string) ([]T, Pager) {
	slices.SortStableFunc(all, func(a, b T) int {
		order := cmp.Compare(strings.ToLower(key(a, l.Sort)), strings.ToLower(key(b, l.Sort)))
		if l.Descending {
			return -order
		}
		return order
	})
	if l.whole {
		size = len(all)
	}
	from := min(l.Offset, len(all))
	page := all[from:min(from+size, len(all))]
	return page, l.Pager(len(page), size, len(all))
}

// Found are the items of which one of the texts has each word of the search in it, ignoring letter
// case.
func Found[T any](l Listing, all []T, texts func(T) []string) []T {
	words := strings.Fields(strings.ToLower(l.Search))
	return slices.DeleteFunc(slices.Clone(all), func(item T) bool {
		text := strings.ToLower(strings.Join(texts(item), "\n"))
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
}
