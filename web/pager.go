package web

import (
	"net/url"
	"strconv"
)

// Pager says which part of a list a page shows, and leads to the others. A list that is cut off
// without it would tell something untrue.
type Pager struct {
	From, To, Total int    // counted from 1; 0 when there is nothing
	Prev, Next      string // addresses; empty: none
	CSV, JSON       string // addresses of the whole list as a file; empty: there is none
	Uncounted       bool   // there is something, and nobody counted how much
	Label           string // what it is called where a page has several; empty: Pages
	Matching        string // the filters of the list, for what is done to all that it has
}

// NewPager is the pager of a list whose addresses carry a query with the offset. shown is how many
// rows the page has, of size at most.
func NewPager(query url.Values, offset, shown, size, total int) Pager {
	p := Pager{Total: total}
	at := func(offset int) string {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		q.Set("offset", strconv.Itoa(offset))
		return "?" + q.Encode()
	}
	if shown > 0 {
		p.From, p.To = offset+1, offset+shown
	}
	if offset > 0 {
		p.Prev = at(max(0, min(offset, total)-size))
	}
	if offset+shown < total && shown > 0 {
		p.Next = at(offset + shown)
	}
	return p
}
