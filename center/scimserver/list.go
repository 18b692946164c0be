package scimserver

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// page is where a list begins and how long it is. Source: SCIM guide, newest edition: cursor paging
// of up to 100; RFC 7644 §3.4.2.4; RFC 9865.
type page struct {
	cursor bool   // cursor mode: the parameter is present, even when empty
	after  string // the key that the cursor stands for
	start  int    // startIndex, from 1; AWS does not honour it, other clients need it
	count  int
}

// query is what a list request asks for, from the URL or from the body of a search.
type query struct {
	page
	filter               string
	sortBy               string
	descending           bool
	attributes, excluded []string
}

// projection is what the URL asks to be shown.
func (r *request) projection() query {
	return query{attributes: listOf(r.query.Get("attributes")), excluded: listOf(r.query.Get("excludedAttributes"))}
}

func (r *request) listQuery() (query, error) {
	q := r.projection()
	q.filter = r.query.Get("filter")
	var e1, e2 error
	if r.standard {
		q.sortBy = r.query.Get("sortBy")
		q.descending, e1 = descending(r.query.Get("sortOrder"))
	}
	q.page, e2 = r.parsePage(r.query)
	return q, cmp.Or(e1, e2)
}

// descending reads sortOrder (RFC 7644 §3.4.2.3).
func descending(order string) (bool, error) {
	switch {
	case order == "" || strings.EqualFold(order, "ascending"):
		return false, nil
	case strings.EqualFold(order, "descending"):
		return true, nil
	}
	return false, bad(scim.InvalidValue, "sortOrder is ascending or descending.")
}

func (p profile) parsePage(q url.Values) (page, error) {
	out := page{start: 1, count: 100}
	if text := q.Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || (n < 0 && !p.standard) {
			return out, bad(scim.InvalidValue, "count is not a number.")
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
		key, err := base64.URLEncoding.DecodeString(q.Get("cursor"))
		if err != nil || len(key) > maxCursor {
			return out, bad("invalidCursor", "The cursor is not one of this list.")
		}
		out.after = string(key)
	}
	return out, nil
}

// found is one resource of a list, not yet written.
type found struct {
	id    string
	user  *center.User
	group *center.Group
}

// kind is a resource type, as lists see it.
type kind struct {
	schema scim.Schema
	// from returns a page of all resources in the order of their ids, and how many there are.
	from func(p center.Pages, rd center.Reader, offset, limit int) ([]found, int, error)
	// after returns up to limit resources in the order of their ids, after one of them.
	after func(rd center.Reader, id string, limit int) ([]found, error)
	// lookUp finds the resources whose attribute, in lower case, equals a value where an index
	// does. indexed is false where none does.
	lookUp  func(rd center.Reader, attribute, value string) (list []found, indexed bool, err error)
	related func(attribute string) relation // for an attribute in lower case; nil for those that are no relation
	byIDs   func(rd center.Reader, ids []string) ([]found, error)
}

// relation returns the ids, sorted, of the resources that have a group or a member. strict refuses
// one that does not exist.
type relation func(rd center.Reader, value string, strict bool) ([]string, error)

// all are the resources of a kind in the order of their ids, after one of them; they are read in
// batches.
func (k kind) all(rd center.Reader, after string) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		for {
			batch, err := k.after(rd, after, scanBatch)
			if err != nil {
				yield(found{}, err)
				return
			}
			for _, f := range batch {
				if !yield(f, nil) {
					return
				}
			}
			if len(batch) < scanBatch {
				return
			}
			after = batch[len(batch)-1].id
		}
	}
}

// list answers a query over one kind of resource.
func (h *Handler) list(ctx context.Context, r *request, k kind, q query) (answer, error) {
	var filter scim.Filter
	if q.filter != "" {
		var err error
		if filter, err = r.parseFilter(k, q.filter); err != nil {
			return answer{}, err
		}
	}
	var out answer
	pages := h.Center.Pages()
	err := h.Center.Store.View(ctx, func(rd center.Reader) error {
		l := &listing{request: r, pages: pages, reader: rd, query: q}
		if err := l.run(k, filter); err != nil {
			return err
		}
		var err error
		out, err = l.answer()
		return err
	})
	return out, err
}

// listing is one list while it is made.
type listing struct {
	*request
	query
	pages  center.Pages
	reader center.Reader
	shown  []found
	total  int
	next   string // the cursor of the next page
}

// run selects what the page shows.
func (l *listing) run(k kind, filter scim.Filter) error {
	switch {
	case filter == nil && l.sortBy == "":
		return l.everything(k)
	case filter != nil:
		if done, err := l.byIndex(k, filter); done || err != nil {
			return err
		}
	}
	return l.scan([]kind{k}, map[string]scim.Filter{k.schema.URN: filter})
}

// everything pages through all resources, by key in cursor mode and by offset otherwise.
func (l *listing) everything(k kind) (err error) {
	if l.cursor {
		list, err := k.after(l.reader, l.after, l.count+1)
		l.cut(list)
		return err
	}
	l.shown, l.total, err = k.from(l.pages, l.reader, l.start-1, l.count)
	return err
}

// cut takes a page of a list that has one more where another page follows.
func (l *listing) cut(list []found) {
	if len(list) > l.count {
		list = list[:l.count]
		l.next = base64.URLEncoding.EncodeToString([]byte(list[l.count-1].id))
	}
	l.shown = list
}

// equality is a filter of equalities with texts, joined by and: names in lower case with id first,
// and their values.
type equality struct {
	names  []string
	values map[string]string
}

// equalities reads the shape of filter that clients really send, and the only one that AWS
// supports. ok is false for any other.
func equalities(f scim.Filter) (e equality, ok bool) {
	e.values = map[string]string{}
	if !e.collect(f) {
		return e, false
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
	return e, true
}

func (e *equality) collect(f scim.Filter) bool {
	switch f := f.(type) {
	case scim.And:
		return e.collect(f.Left) && e.collect(f.Right)
	case scim.Compare:
		name := strings.ToLower(f.Attribute)
		value, isText := f.Value.(string)
		if _, twice := e.values[name]; f.Op != "eq" || !isText || twice {
			return false
		}
		e.names = append(e.names, name)
		e.values[name] = value
		return true
	}
	return false
}

// parseFilter parses a filter and refuses what the profile or the schema does not have.
func (p profile) parseFilter(k kind, text string) (scim.Filter, error) {
	f, err := scim.ParseFilter(text)
	if err != nil {
		return nil, err
	}
	if p.standard {
		return f, k.schema.CheckFilter(f)
	}
	e, ok := equalities(f)
	if !ok {
		return nil, bad(scim.InvalidFilter, "Only equality of texts, joined by and, is supported in filters.")
	}
	if keys := strings.Join(e.names, ","); !slices.Contains(awsFilters[k.schema.URN], keys) {
		return nil, bad(scim.InvalidFilter, "The filter is not supported: "+keys+".")
	}
	return f, nil
}

// awsFilters are the only combinations of attributes that AWS answers. Source: SCIM guide,
// ListUsers and ListGroups; of a member it says "member", working clients send "members".
var awsFilters = map[string][]string{
	scim.UserURN: {"username", "externalid", "id", "id,manager", "groups.value"},
	scim.GroupURN: {
		"displayname", "externalid", "id", "id,members", "id,member", "id,members.value", "members.value", "members",
	},
}

// byIndex answers a filter of equalities of which an index answers one. done is false where none
// does.
func (l *listing) byIndex(k kind, filter scim.Filter) (done bool, err error) {
	e, ok := equalities(filter)
	if !ok {
		return false, nil
	}
	if len(e.names) == 1 {
		if ids := k.related(e.names[0]); ids != nil {
			return true, l.byRelation(k, ids, e.values[e.names[0]])
		}
	}
	for _, name := range e.names {
		list, indexed, err := k.lookUp(l.reader, name, e.values[name])
		if err != nil {
			return true, err
		}
		if !indexed {
			continue
		}
		list, err = l.narrowed(k, list, e, filter)
		l.total, l.shown = len(list), list
		l.offset()
		return true, err
	}
	return false, nil
}

// narrowed applies the equalities that the index did not.
func (l *listing) narrowed(k kind, list []found, e equality, filter scim.Filter) ([]found, error) {
	if len(e.names) == 1 {
		return list, nil
	}
	if !l.standard { // id and one relation: the membership test
		name := e.names[1]
		if ids := k.related(name); ids != nil && len(list) == 1 {
			related, err := ids(l.reader, e.values[name], true)
			if _, in := slices.BinarySearch(related, list[0].id); !in {
				list = nil
			}
			return list, err
		}
		return slices.DeleteFunc(
			list, func(f found) bool { return f.user == nil || f.user.Enterprise.Manager != e.values[name] },
		), nil
	}
	var failed error
	list = slices.DeleteFunc(list, func(f found) bool {
		wire, err := l.wire(f, true)
		failed = errors.Join(failed, err)
		return !k.schema.Matches(filter, wire)
	})
	return list, failed
}

// byRelation pages through the resources that belong to another one.
func (l *listing) byRelation(k kind, ids relation, value string) error {
	all, err := ids(l.reader, value, !l.standard)
	if err != nil {
		return err
	}
	l.total = len(all)
	from, more := l.start-1, 0
	if l.cursor {
		more = 1
		from, _ = slices.BinarySearch(all, l.after+"\x00")
	}
	from = min(from, len(all))
	list, err := k.byIDs(l.reader, all[from:min(from+l.count+more, len(all))])
	l.cut(list)
	return err
}

// offset takes the page of a short list that is known whole.
func (l *listing) offset() {
	from := min(l.start-1, len(l.shown))
	l.shown = l.shown[from:min(from+l.count, len(l.shown))]
}

// Bounds of a list that no index answers.
const (
	scanBatch = 500 //bound:none how many are read at a time
	maxCursor = 64  //bound:text a cursor of a SCIM list, in bytes

	//bound:depth resources that one SCIM request puts in order by an attribute
	maxSorted = 250_000
)

// match is a resource that meets a filter, before it is put in order.
type match struct {
	kind   int
	id     string
	key    string
	hasKey bool
}

// scan looks at every resource of the kinds, in their order, and keeps those that meet their
// filters. Only the page's are kept whole; where they have to be put in order, all others are kept
// as their keys.
func (l *listing) scan(kinds []kind, filters map[string]scim.Filter) error {
	var matches []match
	for n, k := range kinds {
		filter := filters[k.schema.URN]
		references := mentions(filter, "members") || mentions(filter, "groups")
		after := ""
		if l.cursor && l.sortBy == "" {
			after = l.after
		}
		for f, err := range k.all(l.reader, after) {
			if err != nil {
				return err
			}
			wire, err := l.wire(f, references)
			if err != nil {
				return err
			}
			if filter != nil && !k.schema.Matches(filter, wire) {
				continue
			}
			l.total++
			switch {
			case l.sortBy != "":
				m := match{kind: n, id: f.id}
				m.key, m.hasKey = k.schema.SortKey(wire, l.sortBy)
				if matches = append(matches, m); len(matches) > maxSorted {
					return bad(
						scim.TooMany, "More than 250,000 resources would have to be sorted. Use a narrower filter.",
					)
				}
			case l.cursor:
				if l.shown = append(l.shown, f); len(l.shown) > l.count {
					l.cut(l.shown)
					return nil
				}
			case l.total >= l.start && len(l.shown) < l.count:
				l.shown = append(l.shown, f)
			}
		}
	}
	if l.sortBy == "" {
		return nil
	}
	return l.inOrder(kinds, matches)
}

// inOrder puts the matches in order and reads those of the page. What has no value comes last in
// ascending and first in descending order (RFC 7644 §3.4.2.3).
func (l *listing) inOrder(kinds []kind, matches []match) error {
	slices.SortStableFunc(matches, func(a, b match) int {
		order := strings.Compare(a.key, b.key)
		if a.hasKey != b.hasKey {
			order = 1
			if a.hasKey {
				order = -1
			}
		}
		if l.descending {
			order = -order
		}
		if order == 0 {
			order = strings.Compare(a.id, b.id)
		}
		return order
	})
	from := min(l.start-1, len(matches))
	for _, m := range matches[from:min(from+l.count, len(matches))] {
		one, err := kinds[m.kind].byIDs(l.reader, []string{m.id})
		if err != nil {
			return err
		}
		l.shown = append(l.shown, one...)
	}
	return nil
}

// mentions says whether a filter names an attribute or one of its parts.
func mentions(f scim.Filter, attribute string) bool {
	switch f := f.(type) {
	case scim.And:
		return mentions(f.Left, attribute) || mentions(f.Right, attribute)
	case scim.Or:
		return mentions(f.Left, attribute) || mentions(f.Right, attribute)
	case scim.Not:
		return mentions(f.Filter, attribute)
	case scim.ValuePath:
		return names(f.Attribute, attribute)
	case scim.Compare:
		return names(f.Attribute, attribute)
	}
	return false
}

// names says whether a path is the attribute, a part of it, or either with its schema before it. It
// may say so of others, too.
func names(path, attribute string) bool { return strings.Contains(strings.ToLower(path), attribute) }

// write writes a resource, in the standard profile with its groups or members where references is
// true.
func (l *listing) write(b []byte, f found, references bool) ([]byte, error) {
	if f.user != nil {
		var groups []reference
		var err error
		if l.standard && references {
			groups, err = groupsOf(l.reader, f.user.ID)
		}
		return l.appendUser(b, f.user, groups), err
	}
	members := []reference{} // AWS shows an empty list in lists, and none elsewhere
	if l.standard || l.leavesOut("members") {
		members = nil
	}
	if l.standard && references {
		var err error
		if members, err = membersOf(l.reader, f.group.ID); err != nil {
			return b, err
		}
	}
	return l.appendGroup(b, f.group, members), nil
}

// wire is a resource as its attributes by name.
func (l *listing) wire(f found, references bool) (scim.Resource, error) {
	data, err := l.write(nil, f, references)
	if err != nil {
		return nil, err
	}
	return resourceOf(data)
}

func (q query) leavesOut(attribute string) bool {
	return slices.ContainsFunc(q.excluded, func(s string) bool { return strings.EqualFold(s, attribute) })
}

// wants says whether the answer may show an attribute that is returned by default, so that it must
// be read. project has the last word.
func (q query) wants(attribute string) bool {
	if len(q.attributes) > 0 {
		return slices.ContainsFunc(q.attributes, func(s string) bool { return names(s, attribute) })
	}
	return !q.leavesOut(attribute)
}

// answer is the list. In cursor mode it has no total, and the last page no cursor.
func (l *listing) answer() (answer, error) {
	b := append(buffer(), '{')
	if l.cursor {
		if l.next != "" {
			b = append(append(append(b, `"nextCursor":"`...), l.next...), `",`...)
		}
	} else {
		b = strconv.AppendInt(append(b, `"totalResults":`...), int64(l.total), 10)
		b = append(strconv.AppendInt(append(b, `,"startIndex":`...), int64(l.start), 10), ',')
	}
	b = strconv.AppendInt(append(b, `"itemsPerPage":`...), int64(len(l.shown)), 10)
	b = append(b, `,"schemas":["`+scim.ListURN+`"],"Resources":[`...)
	for i, f := range l.shown {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = l.appendProjected(b, f); err != nil {
			return answer{}, err
		}
	}
	return answer{status: http.StatusOK, body: append(b, `]}`...)}, nil
}

// appendProjected writes a resource with the attributes that are asked for.
func (l *listing) appendProjected(b []byte, f found) ([]byte, error) {
	attribute, schema := "groups", scim.UserSchema
	if f.group != nil {
		attribute, schema = "members", scim.GroupSchema
	}
	at := len(b)
	b, err := l.write(b, f, l.wants(attribute))
	if err != nil || !l.standard || (len(l.attributes) == 0 && len(l.excluded) == 0) {
		return b, err
	}
	projected, err := l.project(schema, b[at:])
	return append(b[:at], projected...), err
}

// project keeps of a written resource what is asked for.
func (q query) project(schema scim.Schema, data []byte) ([]byte, error) {
	wire, err := resourceOf(data)
	if err != nil {
		return nil, err
	}
	schema.Project(wire, q.attributes, q.excluded)
	return json.Marshal(wire, json.Deterministic(true))
}

// projected applies attributes and excludedAttributes to the answer that shows one resource. AWS
// ignores both.
func (r *request) projected(out answer, schema scim.Schema) (answer, error) {
	q := r.projection()
	if !r.standard || len(out.body) == 0 || (len(q.attributes) == 0 && len(q.excluded) == 0) {
		return out, nil
	}
	var err error
	out.body, err = q.project(schema, out.body)
	return out, err
}
