package scimserver

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/scim"
)

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

// check refuses attributes together with excludedAttributes (RFC 7644 §3.9). AWS ignores both.
func (q query) check(p profile) error {
	if p.standard && len(q.attributes) > 0 && len(q.excluded) > 0 {
		return bad(scim.InvalidValue, "attributes and excludedAttributes exclude each other.")
	}
	return nil
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
	if err := checkSort(q.sortBy); err != nil {
		return answer{}, err
	}
	var out answer
	var err error
	pages, sealed := h.Center.Pages(), cursors{}
	if q.cursor {
		sealed = h.cursors(r, k, q)
		if q.after, err = sealed.open(q.token); err != nil {
			return answer{}, err
		}
	}
	err = h.Center.Store.View(ctx, func(rd center.Reader) error {
		l := &listing{request: r, pages: pages, reader: rd, query: q, cursors: sealed}
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
	pages   center.Pages
	reader  center.Reader
	cursors cursors
	shown   []found
	total   int
	next    string // the cursor of the next page
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
		l.next = l.cursors.seal(list[l.count-1].id)
	}
	l.shown = list
}

// byEmail finds who has an address of a type. AWS's profile shows one address of each person, by
// which an index finds them.
func (l *listing) byEmail(want center.Value) error {
	u, err := l.reader.UserByEmail(want.Value)
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if one := center.PrimaryOf(u.Emails); err == nil && len(one) > 0 && strings.EqualFold(one[0].Type, want.Type) {
		l.total, l.shown = 1, []found{{id: string(u.ID), user: &u}}
		l.offset()
	}
	return err
}

// byIndex answers a filter of equalities of which an index answers one. done is false where none
// does.
func (l *listing) byIndex(k kind, filter scim.Filter) (done bool, err error) {
	if want, ok := emailOf(filter); ok && !l.standard {
		return true, l.byEmail(want)
	}
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
		references := mentions(filter, "members") || mentions(filter, "groups") || mentions(filter, "version")
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
	from := l.start - 1
	if l.cursor && l.after != "" {
		var err error
		if from, err = strconv.Atoi(l.after); err != nil {
			return errCursor
		}
	}
	from = min(from, len(matches))
	if l.cursor && len(matches)-from > l.count {
		l.next = l.cursors.seal(strconv.Itoa(from + l.count))
	}
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
		var shown versioned
		var err error
		switch {
		case !l.standard:
		case references:
			shown.references, err = groupsOf(l.reader, f.user.ID)
			shown.tag = userTag(f.user, shown.references)
		default:
			shown.tag = partialTag(f.user)
		}
		return l.appendUser(b, f.user, shown), err
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
