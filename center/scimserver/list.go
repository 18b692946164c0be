package scimserver

import (
	"encoding/base64"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/scim"
)

// page is where a list begins and how long it is. Source: SCIM guide, newest edition: cursor paging of up to 100.
type page struct {
	cursor bool   // cursor mode: the parameter is present, even when empty
	after  string // the key that the cursor stands for
	start  int    // startIndex, from 1; AWS does not honour it, other clients need it
	count  int
	more   int // in cursor mode one more row is read, to know whether a page follows
}

const maxCount = 100

func parsePage(r request) (page, error) {
	q := r.URL.Query()
	p := page{start: 1, count: maxCount}
	if text := q.Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return p, unparsable("count is not a number.")
		}
		p.count = min(max(n, 1), maxCount)
	}
	if text := q.Get("startIndex"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return p, unparsable("startIndex is not a number.")
		}
		p.start = max(n, 1)
	}
	if q.Has("cursor") {
		p.cursor, p.start, p.more = true, 1, 1
		key, err := base64.URLEncoding.DecodeString(q.Get("cursor"))
		if err != nil || len(key) > 64 {
			return p, unparsable("The cursor is not one of this list.")
		}
		p.after = string(key)
	}
	return p, nil
}

// cut selects from a whole list of ids what the page shows, and in cursor mode one more.
func (p page) cut(ids []string) []string {
	sort.Strings(ids)
	from := p.start - 1
	if p.cursor {
		from, _ = slices.BinarySearch(ids, p.after+"\x00")
	}
	from = min(from, len(ids))
	return ids[from:min(from+p.count+p.more, len(ids))]
}

// list is the answer. In cursor mode it has no total, and the last page no cursor.
func (p page) list(resources []scim.Resource, total int) scim.ListResponse {
	out := scim.ListResponse{Schemas: []string{scim.ListURN}}
	if p.cursor {
		if len(resources) > p.count {
			resources = resources[:p.count]
			out.NextCursor = base64.URLEncoding.EncodeToString([]byte(resources[p.count-1].String("id")))
		}
	} else {
		out.TotalResults, out.StartIndex = &total, p.start
	}
	out.ItemsPerPage, out.Resources = len(resources), resources
	if out.Resources == nil {
		out.Resources = []scim.Resource{}
	}
	return out
}

// equality is a filter of one equality or several joined by and, by lower-case attribute name, in the order id first.
type equality struct {
	names  []string
	values map[string]string
}

// equalities parses the only filters that AWS supports; everything else is 400.
func equalities(text string) (equality, error) {
	e := equality{values: map[string]string{}}
	if text == "" {
		return e, nil
	}
	f, err := scim.ParseFilter(text)
	if err != nil {
		return e, err
	}
	if err := e.collect(f); err != nil {
		return e, err
	}
	slices.SortFunc(e.names, func(a, b string) int { // id first, whichever way round they came
		if (a == "id") != (b == "id") {
			if a == "id" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return e, nil
}

func (e *equality) collect(f scim.Filter) error {
	switch f := f.(type) {
	case scim.And:
		if err := e.collect(f.Left); err != nil {
			return err
		}
		return e.collect(f.Right)
	case scim.Compare:
		name := strings.ToLower(f.Attribute)
		value, ok := f.Value.(string)
		if _, twice := e.values[name]; f.Op == "eq" && ok && !twice {
			e.names = append(e.names, name)
			e.values[name] = value
			return nil
		}
	}
	return unparsable("Only equality of texts, joined by and, is supported in filters.")
}
