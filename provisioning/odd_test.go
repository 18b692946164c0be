package provisioning_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// oddities are in what a SCIM service differs from others, and may: RFC 7644 allows it, or one that
// is in wide use does it.
type oddities struct {
	Numbers     bool // ids are numbers
	Lowers      bool // user names are kept in small letters
	NoExternal  bool // external ids are not kept
	Unsearched  bool // and not searched: 400
	HidesGroups bool // members of groups are never told
	NoRolls     bool // nor are the groups of a member: 400
	StrictAdd   bool // to add a member who is one is refused
	StrictTake  bool // so is to remove one who is none
	Forgives    bool // a member who is not there is no failure
	Ghosts      bool // who was deleted stays a member
	Leaves      bool // who is disabled is a member of nothing any more
	Ageless     bool // when something was made is not told
	SoftDelete  bool // a deletion disables, and the account is found afterwards
	Cursor      bool // lists have pages by cursor only
	Page        int
	Patched     int // 200 with the object, 200 without, 204
	Made        int // 201, 201 with nothing but the location, 200
	Taken       int // 409, 409 without words, 400 of type uniqueness
	Missing     int // 404, 404 without words, 410
	Lag         time.Duration
}

func oddly(r *rand.Rand) oddities {
	few := func() bool { return r.IntN(5) == 0 }
	o := oddities{
		Numbers: few(), Lowers: few(), NoExternal: r.IntN(8) == 0, Unsearched: few(), HidesGroups: r.IntN(3) == 0,
		NoRolls: few(), StrictAdd: few(), StrictTake: few(), Forgives: few(), Ghosts: few(), Leaves: few(),
		SoftDelete: few(), Ageless: few(), Cursor: few(), Page: 2 + r.IntN(60), Patched: r.IntN(3), Made: r.IntN(3),
		Taken: r.IntN(3), Missing: r.IntN(3),
	}
	o.Ageless = o.Ageless && !o.NoExternal
	if few() && !o.NoExternal {
		o.Lag = time.Duration(r.IntN(4)) * time.Second
	}
	return o
}

// odd is such a service.
type odd struct {
	oddities
	mu    sync.Mutex
	has   map[provisioning.Kind]map[string]*account
	order []*account
	count int
}

type account struct {
	scim.Resource
	kind    provisioning.Kind
	id      string
	born    time.Time
	members []string
}

func newOdd(o oddities) *odd {
	return &odd{oddities: o, has: map[provisioning.Kind]map[string]*account{
		provisioning.User: {}, provisioning.Group: {},
	}}
}

func (o *odd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	kind := map[string]provisioning.Kind{"Users": provisioning.User, "Groups": provisioning.Group}[parts[0]]
	switch {
	case parts[0] == "ServiceProviderConfig":
		answerJSON(w, 200, scim.Resource{"schemas": []string{"x"}})
	case kind == "":
		problemOf(w, 404, "")
	case len(parts) == 1 && r.Method == http.MethodGet:
		o.list(w, r, kind)
	case len(parts) == 1 && r.Method == http.MethodPost:
		o.create(w, r, kind)
	case len(parts) == 2:
		o.one(w, r, kind, parts[1])
	default:
		problemOf(w, 404, "")
	}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", scim.ContentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func problemOf(w http.ResponseWriter, status int, kind string) {
	answerJSON(w, status, map[string]any{
		"schemas": []string{scim.ErrorURN}, "status": strconv.Itoa(status), "scimType": kind, "detail": "no",
	})
}

func (o *odd) missing(w http.ResponseWriter) {
	switch o.Missing {
	case 0:
		problemOf(w, 404, "")
	case 1:
		w.WriteHeader(404)
	case 2:
		problemOf(w, 410, "")
	}
}

func (o *odd) taken(w http.ResponseWriter) {
	switch o.Taken {
	case 0:
		problemOf(w, 409, "uniqueness")
	case 1:
		w.WriteHeader(409)
	case 2:
		problemOf(w, 400, "uniqueness")
	}
}

func (o *odd) schema(kind provisioning.Kind) scim.Schema {
	if kind == provisioning.User {
		return scim.UserSchema
	}
	return scim.GroupSchema
}

func (o *odd) list(w http.ResponseWriter, r *http.Request, kind provisioning.Kind) {
	q := r.URL.Query()
	var found []*account
	filter := q.Get("filter")
	for _, a := range o.order {
		if a.kind == kind && (filter == "" || time.Since(a.born) >= o.Lag) {
			found = append(found, a)
		}
	}
	if filter != "" {
		var err error
		if found, err = o.filtered(found, filter); err != nil {
			problemOf(w, 400, "invalidFilter")
			return
		}
	}
	start := 1
	switch {
	case o.Cursor && q.Has("cursor"):
		if c := q.Get("cursor"); c != "" {
			start, _ = strconv.Atoi(c)
		}
	case o.Cursor:
	case q.Has("startIndex"):
		start, _ = strconv.Atoi(q.Get("startIndex"))
	}
	total := len(found)
	from := min(max(start-1, 0), total)
	to := min(from+o.Page, total)
	out := scim.ListResponse{Resources: []scim.Resource{}}
	if o.Cursor && q.Has("cursor") {
		if to < total {
			out.NextCursor = strconv.Itoa(to + 1)
		}
	} else {
		out.TotalResults, out.StartIndex = &total, from+1
	}
	for _, a := range found[from:to] {
		out.Resources = append(out.Resources, o.shown(a, !strings.Contains(q.Get("excludedAttributes"), "members")))
	}
	answerJSON(w, 200, out)
}

var errFilter = fmt.Errorf("not searched")

func (o *odd) filtered(all []*account, filter string) (found []*account, err error) {
	if strings.HasPrefix(filter, "externalId") && o.Unsearched {
		return nil, errFilter
	}
	var id, member string
	if _, err := fmt.Sscanf(filter, "id eq %q and members eq %q", &id, &member); err == nil {
		for _, a := range all {
			if a.id == id && slices.Contains(a.members, member) {
				found = append(found, a)
			}
		}
		return found, nil
	}
	if _, err := fmt.Sscanf(filter, "members.value eq %q", &member); err == nil {
		if o.NoRolls {
			return nil, errFilter
		}
		for _, a := range all {
			if slices.Contains(a.members, member) {
				found = append(found, a)
			}
		}
		return found, nil
	}
	f, err := scim.ParseFilter(filter)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if o.schema(a.kind).Matches(f, a.Resource) {
			found = append(found, a)
		}
	}
	return found, nil
}

func (o *odd) shown(a *account, members bool) scim.Resource {
	out := maps.Clone(a.Resource)
	out["id"] = a.id
	if !o.Ageless {
		out["meta"] = map[string]any{"created": a.born.UTC().Format(time.RFC3339)}
	}
	if a.kind == provisioning.Group && members && !o.HidesGroups {
		list := []any{}
		for _, id := range a.members {
			list = append(list, map[string]any{"value": id})
		}
		out["members"] = list
	}
	return out
}

func (o *odd) clash(kind provisioning.Kind, r scim.Resource, self string) bool {
	for _, a := range o.order {
		if a.kind != kind || a.id == self {
			continue
		}
		if kind == provisioning.User && strings.EqualFold(a.String("userName"), r.String("userName")) {
			return true
		}
		if kind == provisioning.Group && strings.EqualFold(a.String("displayName"), r.String("displayName")) {
			return true
		}
	}
	return false
}

func (o *odd) create(w http.ResponseWriter, r *http.Request, kind provisioning.Kind) {
	var in scim.Resource
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		problemOf(w, 400, "invalidSyntax")
		return
	}
	in, _, err := o.schema(kind).Normalize(in)
	if err != nil {
		problemOf(w, 400, "invalidValue")
		return
	}
	a := o.keep(&account{Resource: in, kind: kind})
	if o.clash(kind, a.Resource, "") {
		o.taken(w)
		return
	}
	o.add(a)
	w.Header().Set("Location", "https://odd.example/scim/v2/"+string(kind)+"s/"+a.id)
	switch o.Made {
	case 0:
		answerJSON(w, 201, o.shown(a, true))
	case 1:
		w.WriteHeader(201)
	case 2:
		w.Header().Del("Location")
		answerJSON(w, 200, o.shown(a, true))
	}
}

// add gives an account an id.
func (o *odd) add(a *account) {
	o.count++
	a.id, a.born = fmt.Sprintf("11111111-0000-4000-8000-%012d", o.count), time.Now()
	if o.Numbers {
		a.id = strconv.Itoa(o.count)
	}
	o.has[a.kind][a.id] = a
	o.order = append(o.order, a)
}

// keep makes of an account what the service keeps of it.
func (o *odd) keep(a *account) *account {
	if o.NoExternal {
		delete(a.Resource, "externalId")
	}
	if o.Lowers && a.kind == provisioning.User {
		a.Resource["userName"] = strings.ToLower(a.String("userName"))
	}
	delete(a.Resource, "members")
	delete(a.Resource, "id")
	if _, said := a.Resource["active"]; !said && a.kind == provisioning.User {
		a.Resource["active"] = true
	}
	if o.Leaves && a.kind == provisioning.User && a.Resource["active"] == false {
		o.expel(a.id)
	}
	return a
}

func (o *odd) expel(user string) {
	for _, g := range o.has[provisioning.Group] {
		g.members = drop(g.members, user)
	}
}

func (o *odd) one(w http.ResponseWriter, r *http.Request, kind provisioning.Kind, id string) {
	a := o.has[kind][id]
	if a == nil {
		o.missing(w)
		return
	}
	switch r.Method {
	case http.MethodGet:
		answerJSON(w, 200, o.shown(a, !strings.Contains(r.URL.Query().Get("excludedAttributes"), "members")))
	case http.MethodPatch:
		o.patch(w, r, a)
	case http.MethodDelete:
		if o.SoftDelete && kind == provisioning.User {
			a.Resource["active"], a.Resource["userName"] = false, "deleted-"+id
			o.expel(id)
		} else {
			o.remove(a)
		}
		w.WriteHeader(204)
	default:
		problemOf(w, 405, "")
	}
}

func (o *odd) remove(a *account) {
	delete(o.has[a.kind], a.id)
	o.order = slices.DeleteFunc(o.order, func(x *account) bool { return x == a })
	if a.kind == provisioning.User && !o.Ghosts {
		o.expel(a.id)
	}
}

func (o *odd) patch(w http.ResponseWriter, r *http.Request, a *account) {
	var in scim.PatchRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		problemOf(w, 400, "invalidSyntax")
		return
	}
	data, _ := json.Marshal(a.Resource)
	var next scim.Resource
	_ = json.Unmarshal(data, &next)
	members := slices.Clone(a.members)
	for _, op := range in.Operations {
		if strings.HasPrefix(op.Path, "members") {
			var status int
			if members, status = o.memberOp(members, op); status != 0 {
				problemOf(w, status, "noTarget")
				return
			}
			continue
		}
		changes, err := o.schema(a.kind).ParseOperation(op)
		for _, c := range changes {
			if err == nil {
				err = c.Apply(next)
			}
		}
		if err != nil {
			problemOf(w, 400, "invalidValue")
			return
		}
	}
	if o.clash(a.kind, next, a.id) {
		o.taken(w)
		return
	}
	a.Resource, a.members = next, members
	o.keep(a)
	switch o.Patched {
	case 0:
		answerJSON(w, 200, o.shown(a, true))
	case 1:
		w.WriteHeader(200)
	case 2:
		w.WriteHeader(204)
	}
}

// memberOp changes members; status is why it does not.
func (o *odd) memberOp(members []string, op scim.Operation) (next []string, status int) {
	var ids []string
	if id, ok := strings.CutPrefix(op.Path, `members[value eq "`); ok {
		ids = []string{strings.TrimSuffix(id, `"]`)}
	} else {
		var list []struct{ Value string }
		_ = json.Unmarshal(op.Value, &list)
		for _, m := range list {
			ids = append(ids, m.Value)
		}
	}
	for _, id := range ids {
		in := slices.Contains(members, id)
		switch known := o.has[provisioning.User][id] != nil; {
		case strings.EqualFold(op.Op, "add") && !known && !o.Forgives:
			return nil, 404
		case strings.EqualFold(op.Op, "add") && !known && o.Forgives && !o.Ghosts:
		case strings.EqualFold(op.Op, "add") && in && o.StrictAdd:
			return nil, 409
		case strings.EqualFold(op.Op, "add") && !in:
			members = append(members, id)
		case strings.EqualFold(op.Op, "remove") && !in && o.StrictTake:
			return nil, 400
		case strings.EqualFold(op.Op, "remove"):
			members = drop(members, id)
		}
	}
	return members, 0
}

// named is who has a user name, or which group a name.
func (o *odd) named(kind provisioning.Kind, name string) *account {
	for _, a := range o.order {
		if a.kind == kind && (strings.EqualFold(a.String("userName"), name) || a.String("displayName") == name) {
			return a
		}
	}
	return nil
}

// RoundTrip has the service answer within the process.
func (o *odd) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	return w.Result(), nil
}
