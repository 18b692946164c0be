package scimserver

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/scim"
)

// page is where a list begins and how long it is. Source: SCIM guide, newest edition: cursor paging
// of up to 100; RFC 7644 §3.4.2.4; RFC 9865.
type page struct {
	cursor bool   // cursor mode: the parameter is present, even when empty
	token  string // the cursor
	after  string // the key that it stands for: an id, or the number of those before where they are sorted
	start  int    // startIndex, from 1; AWS does not honour it, other clients need it
	count  int
}

const maxCursor = 256 //bound:text a cursor of a SCIM list, in bytes

func (p profile) parsePage(q url.Values) (page, error) {
	out := page{start: 1, count: 100}
	if text := q.Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || (n < 0 && !p.standard) {
			return out, bad(scim.InvalidValue, "count is not a number of results.")
		}
		out.count = min(max(n, p.minCount()), p.maxCount)
	}
	if text := q.Get("startIndex"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return out, bad(scim.InvalidValue, "startIndex is not a number.")
		}
		out.start = max(n, 1)
	}
	if q.Has("cursor") {
		out.cursor = true
		out.start = 1
		out.count = max(1, out.count)
		if out.token = q.Get("cursor"); len(out.token) > maxCursor {
			return out, errCursor
		}
	}
	return out, nil
}

var errCursor = bad("invalidCursor", "The cursor is not one of this list.")

// cursors seals the cursors of a list: one that was made up, or that another list has given, is
// none of it.
type cursors struct {
	sealer *authn.Sealer
	list   string // what the list is of
}

func (h *Handler) cursors(r *request, k kind, q query) cursors {
	return cursors{h.Center.Sealer, fmt.Sprint(
		"scim-cursor/", r.base, r.standard, q.descending, k.schema.URN, "\x00", q.sortBy, "\x00", q.filter,
	)}
}

func (c cursors) seal(key string) string { return c.sealer.Seal(c.list, []byte(key)) }

// open returns the key that a cursor stands for; "" for the first page.
func (c cursors) open(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	key, err := c.sealer.Open(c.list, token)
	if err != nil {
		return "", errCursor
	}
	return string(key), nil
}
