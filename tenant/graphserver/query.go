package graphserver

import (
	"bytes"
	"crypto/sha256"
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
	offset    int    // how many came before, where there is an order, or $skip
	condition *graph.Condition
	search    *graph.Search
	properties
	expand  map[string]expansion
	orderBy []order
	count   bool
}

// order is a property by which objects are put in order.
type order struct {
	property   string
	descending bool
}

// properties are those that $select names; nil: the default ones.
type properties []string

const (
	defaultTop   = 100
	maxSkipToken = 128 //bound:text the place in a list of Graph, in bytes
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
		return 0, unsupported(
			"Invalid page size specified: '" + quotable(text) + "'. Must be between 1 and 999 inclusive.",
		)
	}
	return top, nil
}

// badQuery refuses a query that Graph cannot read, with the code that it has for that.
func badQuery(message string) error {
	return &wireError{status: http.StatusBadRequest, code: "BadRequest", message: message}
}

// options reads the query options, and refuses what the directory answers only with
// ConsistencyLevel: eventual and $count=true.
func options(r request, t *resource) (o query, err error) {
	q := r.URL.Query()
	if o.top, err = pageSize(r); err != nil {
		return o, err
	}
	if err := o.resume(r); err != nil {
		return o, err
	}
	if text := q.Get("$skip"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case !t.skips:
			return o, badRequest("'$skip' is not supported by the service.")
		case err != nil || n < 0:
			return o, badQuery("Invalid value '" + quotable(text) + "' for $skip query option found. The $skip query " +
				"option requires a non-negative integer value.")
		case !q.Has("$skiptoken"):
			o.offset = n
		}
	}
	eventual := strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual")
	switch text := strings.ToLower(q.Get("$count")); text {
	case "", "true", "false":
		// the directory passes it over without the header
		o.count = text == "true" && (eventual || !t.directory)
	default:
		return o, badQuery("$count must be true or false.")
	}
	if o.properties, o.expand, err = t.selection(q.Get("$select"), q.Get("$expand")); err != nil {
		return o, err
	}
	if text := q.Get("$filter"); text != "" {
		c, err := graph.ParseFilter(text, t.Schema)
		if err != nil {
			return o, badQuery("Invalid filter clause: " + err.Error() + ".")
		}
		o.condition = &c
	}
	if text := q.Get("$search"); text != "" {
		s, err := graph.ParseSearch(text, t.Schema)
		if err != nil {
			return o, badQuery("Invalid search clause: " + err.Error() + ".")
		}
		o.search = &s
	}
	if o.orderBy, err = t.orders(q.Get("$orderby")); err != nil {
		return o, err
	}
	return o, t.allows(o, eventual)
}

// orders reads $orderby.
func (t *resource) orders(text string) (list []order, err error) {
	if text == "" {
		return nil, nil
	}
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
			return nil, badQuery("Invalid $orderby clause: Syntax error in '" + quotable(text) + "'.")
		}
		name, _, ok := t.Properties.Path(words[0])
		if !ok {
			return nil, t.noProperty("Invalid $orderby clause: ", words[0])
		}
		list = append(list, order{name, len(words) == 2 && words[1] == "desc"})
	}
	return list, nil
}

// noProperty are Graph's words for a query about a property that the type has not.
func (t *resource) noProperty(before, name string) error {
	return badQuery(before + "Could not find a property named '" + quotable(name) + "' on type 'microsoft.graph." +
		t.Type + "'.")
}

// needsAdvanced are Graph's words for a query that needs what was not sent with it.
func needsAdvanced(operator string) error {
	return unsupported("Operator '" + operator + "' is not supported because the required parameters might be " +
		"missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to " +
		"https://aka.ms/graph-docs/advanced-queries for more information")
}

// allows refuses a query that the directory does not answer, or not without the parameters of
// advanced queries. Source: "Advanced query capabilities on Microsoft Entra ID objects".
func (t *resource) allows(o query, eventual bool) error {
	advanced := eventual && o.count
	for _, by := range o.orderBy {
		known, needs := t.sortable(by.property)
		switch {
		case !known:
			return unsupported("Unsupported sort property '" + by.property + "' for '" + t.errorName() + "'.")
		case t.directory && !advanced && (needs || o.condition != nil):
			return unsupported("Sorting not supported for current query.")
		}
	}
	if o.search != nil {
		switch {
		case !t.directory:
			return badRequest("'$search' is not supported by the service.")
		case !eventual:
			return unsupported("Request with $search query parameter only works through MSGraph with a special " +
				"request header: 'ConsistencyLevel: eventual'")
		}
	}
	if o.expand["manager"].levels > 1 && !advanced {
		return needsAdvanced("$levels")
	}
	if o.condition == nil || !t.directory {
		return nil
	}
	for _, use := range o.condition.Uses() {
		if err := t.allowsUse(use, advanced); err != nil {
			return err
		}
	}
	return nil
}

// onlyAdvanced are the operators that only advanced queries have.
var onlyAdvanced = []string{"not", "ne", "ne null", "eq null", "endsWith", "$count", "all"}

// filterLetters are the operators in the table of a type.
var filterLetters = map[string]string{"eq": "e", "any": "e", "ne": "e", "all": "e", "$count": "e", "eq null": "0",
	"ne null": "0", "gt": "g", "ge": "g", "lt": "l", "le": "l", "in": "i", "startsWith": "s"}

func (t *resource) allowsUse(use graph.Use, advanced bool) error {
	switch use.Operator {
	case "contains":
		return unsupported("Unsupported property filter clause operator 'Contains'.")
	case "endsWith":
		if !slices.Contains([]string{"mail", "userPrincipalName", "otherMails", "proxyAddresses"}, use.Property) {
			return t.unfit(use.Property)
		}
	}
	if !advanced && slices.Contains(onlyAdvanced, use.Operator) {
		return needsAdvanced(strings.TrimSuffix(use.Operator, " null"))
	}
	letter, known := filterLetters[use.Operator]
	if t.filters == nil || !known {
		return nil
	}
	name, _, _ := strings.Cut(use.Property, "/")
	letters := t.filters[name]
	if strings.Contains(letters, letter) || advanced && strings.Contains(letters, strings.ToUpper(letter)) {
		return nil
	}
	return t.unfit(name)
}

func (t *resource) unfit(property string) error {
	return unsupported("Unsupported or invalid query filter clause specified for property '" + property +
		"' of resource '" + t.errorName() + "'.")
}

// queryDigest is of what a page must not be asked for with a place in another list: the list, and
// what selects and orders it.
func queryDigest(r request) []byte {
	q := r.URL.Query()
	sum := sha256.Sum256([]byte(strings.Join(
		[]string{r.URL.Path, q.Get("$filter"), q.Get("$search"), q.Get("$orderby"), q.Get("$skip")}, "\x00",
	)))
	return sum[:8]
}

// skipToken is the place in a list that the next page goes on from.
func skipToken(r request, place string) string {
	return base64.RawURLEncoding.EncodeToString(append(queryDigest(r), place...))
}

// resume reads $skiptoken.
func (o *query) resume(r request) error {
	q := r.URL.Query()
	if !q.Has("$skiptoken") {
		return nil
	}
	token := q.Get("$skiptoken")
	key, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(key) < 10 || len(key) > maxSkipToken {
		return badRequest("Invalid Skip Token")
	}
	if !bytes.Equal(key[:8], queryDigest(r)) {
		return &wireError{
			status:  http.StatusBadRequest,
			code:    "Directory_ExpiredPageToken",
			message: "The specified page token value has expired and can no longer be included in your request.",
		}
	}
	place := string(key[8:])
	if text, ordered := strings.CutPrefix(place, "+"); ordered {
		if o.offset, err = strconv.Atoi(text); err != nil || o.offset < 0 {
			return badRequest("Invalid Skip Token")
		}
		return nil
	}
	o.after = place
	return nil
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
	return o.search == nil || o.search.Meets(x)
}

// narrows says whether the query leaves anything out.
func (o query) narrows() bool { return o.condition != nil || o.search != nil }

// shape leaves of an object what was selected. What nobody has is null, or an empty collection.
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
	for _, name := range p {
		if _, kept := x[name]; kept {
			continue
		}
		if property, known := anyUnkept()[name]; known {
			if out[name] = nil; property.Many {
				out[name] = []any{}
			}
		}
	}
	return out
}

// scanSize is how many objects are read at a time while they are filtered.
const scanSize = 500 //bound:none how many are read at a time

// collect reads objects in the order of their ids until the page is full, or all of them where they
// must be counted or put in order. next returns those after an id.
func (o query) collect(next func(after string, limit int) ([]object, error)) (items []object, total int, err error) {
	all := len(o.orderBy) > 0 || o.offset > 0 || (o.count && o.narrows() && o.after == "")
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
				if all && len(o.orderBy) == 0 && len(items) > o.offset+o.top {
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
	o.sort(items)
	return items[min(o.offset, len(items)):], total, nil
}

// sort puts objects in order; those that are equal stay in the order of their ids.
func (o query) sort(items []object) {
	if len(o.orderBy) == 0 {
		return
	}
	slices.SortStableFunc(items, func(a, b object) int {
		for _, by := range o.orderBy {
			order := graph.Compare(a, b, by.property)
			if by.descending {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
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
	if o.count && o.after == "" && !r.URL.Query().Has("$skiptoken") {
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
		if len(o.orderBy) > 0 || o.offset > 0 {
			key = "+" + strconv.Itoa(o.offset+o.top)
		}
		q := r.URL.Query()
		q.Set("$skiptoken", skipToken(r, key))
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
		return 0, nil, badRequest("$count is not currently supported.")
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
		switch any(v).(type) {
		case graph.Application:
			complete(x, "application")
		case graph.ServicePrincipal:
			complete(x, "servicePrincipal")
		}
		out = append(out, x)
	}
	return out
}

// answerList answers a list that is in memory, in the order of its ids.
func (h *Handler) answerList(r request, t *resource, all []object) (int, any, error) {
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
	if err == nil {
		err = h.expand(r.Context(), o, t, p.Value)
	}
	return http.StatusOK, p, err
}
