package scimserver

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// searchRequest is a query in a body (RFC 7644 §3.4.3).
type searchRequest struct {
	Schemas            []string `json:"schemas"`
	Attributes         []string `json:"attributes"`
	ExcludedAttributes []string `json:"excludedAttributes"`
	Filter             string   `json:"filter"`
	SortBy             string   `json:"sortBy"`
	SortOrder          string   `json:"sortOrder"`
	StartIndex         *int     `json:"startIndex"`
	Count              *int     `json:"count"`
	Cursor             *string  `json:"cursor"`
}

func (r *request) searchQuery() (query, error) {
	var in searchRequest
	if err := scim.Decode(r.body, &in); err != nil {
		return query{}, err
	}
	down, err := descending(in.SortOrder)
	if err != nil {
		return query{}, err
	}
	q := query{
		filter:     in.Filter,
		sortBy:     in.SortBy,
		descending: down,
		attributes: in.Attributes,
		excluded:   in.ExcludedAttributes,
	}
	values := url.Values{}
	if in.StartIndex != nil {
		values.Set("startIndex", strconv.Itoa(*in.StartIndex))
	}
	if in.Count != nil {
		values.Set("count", strconv.Itoa(*in.Count))
	}
	if in.Cursor != nil {
		values.Set("cursor", *in.Cursor)
	}
	p, err := r.parsePage(values)
	q.page = p
	return q, cmp.Or(err, q.check(r.profile))
}

func (h *Handler) searchUsers(ctx context.Context, r *request) (answer, error) {
	return h.search(ctx, r, users)
}

func (h *Handler) searchGroups(ctx context.Context, r *request) (answer, error) {
	return h.search(ctx, r, groups)
}

func (h *Handler) search(ctx context.Context, r *request, k kind) (answer, error) {
	q, err := r.searchQuery()
	if err != nil {
		return answer{}, err
	}
	return h.list(ctx, r, k, q)
}

// anySchema has the attributes of users and of groups.
var anySchema = scim.Schema{
	Attributes: slices.Concat(scim.UserSchema.Attributes, scim.GroupSchema.Attributes),
	Extensions: scim.UserSchema.Extensions,
}

// checkSort refuses to sort by an attribute that no resource has.
func checkSort(by string) error {
	if by == "" || anySchema.CheckFilter(scim.Compare{Attribute: by, Op: "pr"}) == nil {
		return nil
	}
	return bad(scim.InvalidPath, "sortBy names no attribute.")
}

// searchAll searches users and groups together, users first unless sorted. An attribute that one of
// them does not have has no value there (RFC 7644 §3.4.2.1).
func (h *Handler) searchAll(ctx context.Context, r *request) (out answer, err error) {
	q, err := r.searchQuery()
	if err != nil {
		return answer{}, err
	}
	if q.cursor {
		return answer{}, bad("invalidCursor", "A search over all resource types is paged by startIndex.")
	}
	if err := checkSort(q.sortBy); err != nil {
		return answer{}, err
	}
	filters := map[string]scim.Filter{users.schema.URN: nil, groups.schema.URN: nil}
	if q.filter != "" {
		f, err := scim.ParseFilter(q.filter)
		if err == nil {
			err = anySchema.CheckFilter(f)
		}
		if err != nil {
			return answer{}, err
		}
		filters[users.schema.URN], filters[groups.schema.URN] = f, f
	}
	err = h.Center.Store.View(ctx, func(rd center.Reader) error {
		l := &listing{request: r, reader: rd, query: q}
		if err := l.scan([]kind{users, groups}, filters); err != nil {
			return err
		}
		out, err = l.answer()
		return err
	})
	return out, err
}
