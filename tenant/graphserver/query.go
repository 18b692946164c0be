package graphserver

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
)

// object is a resource as JSON has it, with null for what has no value.
type object = map[string]any

// query is the OData query options of a request. Sources: "Use query parameters", "Advanced query
// capabilities".
type query struct {
	top       int
	after     string // id of the last object of the page before, from $skiptoken
	offset    int    // how many came before, where there is an order
	condition *graph.Condition
	search    [][2]string // property and text, all to be found
	properties
	expand     map[string]properties
	orderBy    string
	descending bool
	count      bool
}

// properties are those that $select names; nil: the default ones.
type properties []string

const (
	defaultTop   = 100
	maxSkipToken = 64  //bound:text the place in a list of Graph, in bytes
	maxTop       = 999 //bound:list objects of a page of Graph
)

func unsupported(message string) error {
	return &wireError{status: http.StatusBadRequest, code: "Request_UnsupportedQuery", message: message}
}

// pageSize reads $top.
func pageSize(r request) (int, error) {
	text := r.URL.Query().Get("$top")
	if text == "" {
		return defaultTop, nil
	}
	top, err := strconv.Atoi(text)
	if err != nil || top < 1 || top > maxTop {
		return 0, badRequest(
			"Invalid page size specified: '" + quotable(text) + "'. Must be between 1 and 999 inclusive.",
		)
	}
	return top, nil
}

// options reads the query options, and refuses what the directory answers only with
// ConsistencyLevel: eventual and $count=true.
func options(r request, t resource) (o query, err error) {
	q := r.URL.Query()
	if o.top, err = pageSize(r); err != nil {
		return o, err
	}
	if err := o.resume(q.Get("$skiptoken")); err != nil {
		return o, err
	}
	switch text := strings.ToLower(q.Get("$count")); text {
	case "", "true", "false":
		o.count = text == "true"
	default:
		return o, badRequest("$count must be true or false.")
	}
	o.properties = selected(q.Get("$select"))
	if o.expand, err = expansions(q.Get("$expand")); err != nil {
		return o, err
	}
	if text := q.Get("$filter"); text != "" {
		c, err := graph.ParseFilter(text)
		if err != nil {
			return o, unsupported("Invalid filter clause: " + err.Error() + ".")
		}
		o.condition = &c
	}
	if text := q.Get("$search"); text != "" {
		if o.search, err = searches(text); err != nil {
			return o, err
		}
	}
	o.orderBy = q.Get("$orderby")
	if name, found := strings.CutSuffix(o.orderBy, " desc"); found {
		o.orderBy, o.descending = name, true
	}
	o.orderBy = strings.TrimSuffix(o.orderBy, " asc")
	if err := t.check(o); err != nil {
		return o, err
	}
	eventual := strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual")
	advanced := o.condition != nil && (o.condition.Advanced() || o.orderBy != "")
	if (advanced && (!eventual || !o.count)) || (o.search != nil && !eventual) {
		return o, unsupported(
			"Request with $search, or with $filter and not, ne, endsWith or $orderby, needs the header " +
				"'ConsistencyLevel: eventual' and $count=true.",
		)
	}
	return o, nil
}

func (o *query) resume(token string) error {
	if token == "" {
		return nil
	}
	key, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(key) == 0 || len(key) > maxSkipToken {
		return badRequest("The $skiptoken is not valid.")
	}
	if text, ordered := strings.CutPrefix(string(key), "+"); ordered {
		if o.offset, err = strconv.Atoi(text); err != nil || o.offset < 0 {
			return badRequest("The $skiptoken is not valid.")
		}
		return nil
	}
	o.after = string(key)
	return nil
}

func selected(text string) (names properties) {
	for _, name := range strings.Split(text, ",") {
		if name = strings.TrimSpace(name); name != "" && name != "*" {
			names = append(names, name)
		}
	}
	return names
}

// expansions reads $expand: names with commas between, each perhaps with ($select=…).
func expansions(text string) (map[string]properties, error) {
	out := map[string]properties{}
	for text != "" {
		end := strings.IndexAny(text, ",(")
		if end < 0 {
			out[strings.TrimSpace(text)] = nil
			break
		}
		name := strings.TrimSpace(text[:end])
		out[name] = nil
		if text[end] == '(' {
			inner, rest, ok := strings.Cut(text[end+1:], ")")
			list, isSelect := strings.CutPrefix(strings.TrimSpace(inner), "$select=")
			if !ok || !isSelect {
				return nil, unsupported("Invalid $expand.")
			}
			out[name], text = selected(list), strings.TrimPrefix(strings.TrimSpace(rest), ",")
			continue
		}
		text = text[end+1:]
	}
	return out, nil
}

// searches reads $search: "property:text" parts that are joined by AND.
func searches(text string) (parts [][2]string, err error) {
	for _, part := range strings.Split(text, " AND ") {
		part = strings.TrimSpace(part)
		property, value, ok := strings.Cut(strings.Trim(part, `"`), ":")
		if !ok || len(part) < 2 || part[0] != '"' || part[len(part)-1] != '"' {
			return nil, badRequest(`Unsupported $search: want "property:text".`)
		}
		parts = append(parts, [2]string{property, strings.ToLower(value)})
	}
	return parts, nil
}

// tooNew marks an object that cannot be seen yet. It is no property: nobody is shown it.
const tooNew = "@gatehouse.tooNew"

// selects says whether the query selects an object.
func (o query) selects(x object) bool {
	if x[tooNew] == true {
		return false
	}
	delete(x, tooNew)
	if o.condition != nil && !o.condition.Meets(x) {
		return false
	}
	for _, s := range o.search {
		text, _ := x[s[0]].(string)
		if !slices.ContainsFunc(
			append(strings.Fields(text), text),
			func(word string) bool { return strings.HasPrefix(strings.ToLower(word), s[1]) },
		) {
			return false
		}
	}
	return true
}

// narrows says whether the query leaves anything out.
func (o query) narrows() bool { return o.condition != nil || len(o.search) > 0 }

// shape leaves of an object what was selected.
func (p properties) shape(x object, defaults properties) object {
	names := p
	if names == nil {
		names = defaults
	}
	if names == nil {
		return x
	}
	out := object{}
	for name, value := range x {
		if strings.HasPrefix(name, "@") || name == "id" || slices.Contains(names, name) {
			out[name] = value
		}
	}
	return out
}

// scanSize is how many objects are read at a time while they are filtered.
const scanSize = 500 //bound:none how many are read at a time

// collect reads objects in the order of their ids until the page is full, or all of them where they
// must be counted or put in order. next returns those after an id.
func (o query) collect(next func(after string, limit int) ([]object, error)) (items []object, total int, err error) {
	all := o.orderBy != "" || (o.count && o.narrows() && o.after == "")
	limit := scanSize
	if !o.narrows() && !all {
		limit = o.top + 1
	}
	for after := o.after; ; {
		batch, err := next(after, limit)
		if err != nil {
			return nil, 0, err
		}
		for _, x := range batch {
			if o.selects(x) {
				total++
				if all && o.orderBy == "" && len(items) > o.top {
					continue // only counted
				}
				items = append(items, x)
			}
		}
		if len(batch) < limit || (!all && len(items) > o.top) {
			break
		}
		after, _ = batch[len(batch)-1]["id"].(string)
	}
	if o.orderBy != "" {
		slices.SortStableFunc(items, func(a, b object) int {
			x, _ := a[o.orderBy].(string)
			y, _ := b[o.orderBy].(string)
			if o.descending {
				x, y = y, x
			}
			return strings.Compare(strings.ToLower(x), strings.ToLower(y))
		})
		items = items[min(o.offset, len(items)):]
	}
	return items, total, nil
}

// page collects objects and answers a page of them. count says how many there are where the query
// selects all.
func (h *Handler) page(
	r request, o query, next func(after string, limit int) ([]object, error), defaults properties,
	count func() (int, error),
) (graph.Page[object], error) {
	items, total, err := o.collect(next)
	if err != nil {
		return graph.Page[object]{}, err
	}
	p := h.answer(r, o, items, defaults)
	if o.count && o.after == "" {
		if !o.narrows() {
			total, err = count()
		}
		p.Count = &total
	}
	return p, err
}

// answer makes a page of objects of which one more was read than asked, and the link to the next
// one.
func (h *Handler) answer(r request, o query, items []object, defaults properties) graph.Page[object] {
	p := graph.Page[object]{
		Context: h.Tenant.GraphURL() + "/$metadata#" + strings.TrimPrefix(r.URL.Path, root+"/"),
		Value:   []object{},
	}
	if len(items) > o.top {
		items = items[:o.top]
		key, _ := items[o.top-1]["id"].(string)
		if o.orderBy != "" {
			key = "+" + strconv.Itoa(o.offset+o.top)
		}
		q := r.URL.Query()
		q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(key)))
		p.NextLink = h.Tenant.URL + r.URL.Path + "?" + encode(q)
	}
	for _, x := range items {
		p.Value = append(p.Value, o.shape(x, defaults))
	}
	return p
}

// answerCount answers a $count segment: a number as text. It is an advanced query.
func answerCount(r request, n int) (int, any, error) {
	if !strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual") {
		return 0, nil, badRequest("$count is not currently supported without the header 'ConsistencyLevel: eventual'.")
	}
	return http.StatusOK, plain(strconv.Itoa(n)), nil
}

// plain is an answer that is no JSON.
type plain string

// encode leaves the dollar of OData's options readable, as Graph does.
func encode(q url.Values) string { return strings.ReplaceAll(q.Encode(), "%24", "$") }

// objects makes objects of wire types that have no query of their own.
func objects[T any](list []T) []object {
	out := make([]object, 0, len(list))
	for _, v := range list {
		data, err := json.Marshal(v)
		var x object
		if err == nil {
			err = json.Unmarshal(data, &x)
		}
		if err != nil { // our own structs always do
			panic(err)
		}
		out = append(out, x)
	}
	return out
}

// answerList answers a list that is in memory, in the order of its ids.
func (h *Handler) answerList(r request, t resource, all []object) (int, any, error) {
	o, err := options(r, t)
	if err != nil {
		return 0, nil, err
	}
	slices.SortFunc(all, func(a, b object) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	next := func(after string, limit int) ([]object, error) {
		from, _ := slices.BinarySearchFunc(all, after, func(x object, id string) int {
			if x["id"].(string) <= id {
				return -1
			}
			return 1
		})
		if after == "" {
			from = 0
		}
		return all[from:min(from+limit, len(all))], nil
	}
	p, err := h.page(r, o, next, nil, func() (int, error) { return len(all), nil })
	return http.StatusOK, p, err
}
