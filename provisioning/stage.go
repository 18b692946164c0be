package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/gatehouse-id/gatehouse/scim"
)

// stage is the target of a dry run: it is read through to the real one, and what is written stays
// on it. It refuses what the target would refuse, so that the engine does in a dry run what it will
// do afterwards.
type stage struct {
	Target
	thorough bool // many objects may be looked for: all are read where that is cheaper

	turn    sync.Mutex // one writes at a time: whether a value is free is asked before it is taken
	mu      sync.Mutex
	scenes  map[Kind]*scene
	members map[string]map[string]bool // of a group, by id: who was added, and who removed
	left    map[string]bool            // users whose memberships have ended
	made    int
}

// scene is what a stage has of one kind.
type scene struct {
	now    map[string]scim.Resource // what was made or changed, by id
	gone   map[string]bool
	made   []string // ids, in their order
	seen   map[string]bool
	held   map[string]map[string][]string // who has what of those: attribute → key → ids
	read   map[string]map[string][]holder // the same of what the target has, as far as it was read
	from   string                         // where reading goes on
	unsure bool                           // the target has not said that there is anything
	list   reading
	ended  bool // everything was read, or cannot be
	pages  bool // everything was read
	asked  int
}

// holder is an object at the target.
type holder struct{ id, name string }

func newStage(t Target, thorough bool) *stage {
	s := &stage{
		Target: t, thorough: thorough, scenes: map[Kind]*scene{}, members: map[string]map[string]bool{},
		left: map[string]bool{},
	}
	for _, kind := range []Kind{User, Group} {
		s.scenes[kind] = &scene{
			now:  map[string]scim.Resource{},
			gone: map[string]bool{},
			seen: map[string]bool{},
			held: map[string]map[string][]string{},
			read: map[string]map[string][]holder{},
		}
	}
	return s
}

func missing(what string) error {
	return &scim.Problem{Status: http.StatusNotFound, Detail: what + " is not at the target"}
}

// as returns how an object is on the stage: nil when it is as at the target. It fails when it is
// gone.
func (s *stage) as(kind Kind, id string) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scenes[kind].gone[id] {
		return nil, missing(id)
	}
	return s.scenes[kind].now[id], nil
}

// Get implements Target.
func (s *stage) Get(ctx context.Context, kind Kind, id string) (scim.Resource, error) {
	there, err := s.as(kind, id)
	if there != nil || err != nil {
		return copied(there), err
	}
	there, err = s.Target.Get(ctx, kind, id)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.scenes[kind].seen[id] = true
	}
	return there, err
}

// Find implements Target.
func (s *stage) Find(ctx context.Context, kind Kind, attribute, value string) ([]scim.Resource, error) {
	found, err := s.Target.Find(ctx, kind, attribute, value)
	if err != nil && !errors.Is(err, ErrNoPages) { // then it is a part
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if attribute == groupsOf {
		return s.groupsOf(found, value), err
	}
	k := s.scenes[kind]
	list := k.without(found)
	for _, id := range slices.Sorted(maps.Keys(k.now)) {
		if fold(uniqueValue(k.now[id], attribute)) == fold(value) {
			list = append(list, copied(k.now[id]))
		}
	}
	return list, err
}

// groupsOf are the groups of a member: some that the target has, but for what is otherwise on the
// stage. Of those that are there only, just the ids are told.
func (s *stage) groupsOf(found []scim.Resource, member string) (list []scim.Resource) {
	if s.scenes[User].gone[member] {
		return nil
	}
	listed := map[string]bool{}
	for _, r := range found {
		id := r.String("id")
		listed[id] = true
		in, changed := s.members[id][member]
		if !s.scenes[Group].gone[id] && (in || (!changed && !s.left[member])) {
			list = append(list, r)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.members)) {
		if s.members[id][member] && !listed[id] && !s.scenes[Group].gone[id] {
			list = append(list, scim.Resource{"id": id})
		}
	}
	return list
}

// Page implements Target: what was made comes last.
func (s *stage) Page(ctx context.Context, kind Kind, from string) (Page, error) {
	page, err := s.Target.Page(ctx, kind, from)
	if err != nil {
		return page, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.scenes[kind]
	var list []scim.Resource
	for _, r := range page.Resources {
		id := r.String("id")
		switch {
		case k.gone[id]:
		case k.now[id] != nil:
			list = append(list, copied(k.now[id]))
		default:
			list = append(list, r)
		}
	}
	if page.Next == "" {
		for _, id := range k.made {
			if k.now[id] != nil {
				list = append(list, copied(k.now[id]))
			}
		}
	}
	page.Resources = list
	return page, nil
}

// without leaves out what is otherwise on the stage.
func (k *scene) without(list []scim.Resource) (out []scim.Resource) {
	for _, r := range list {
		if id := r.String("id"); !k.gone[id] && k.now[id] == nil {
			out = append(out, r)
		}
	}
	return out
}

// Members implements Target.
func (s *stage) Members(ctx context.Context, group string) (ids []string, told bool, err error) {
	there, err := s.as(Group, group)
	if err != nil {
		return nil, false, err
	}
	if told = s.isMade(there); !told {
		if ids, told, err = s.Target.Members(ctx, group); err != nil {
			return nil, false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ids = slices.DeleteFunc(ids, func(id string) bool {
		in, changed := s.members[group][id]
		return s.scenes[User].gone[id] || (changed && !in) || (!changed && s.left[id])
	})
	for _, id := range slices.Sorted(maps.Keys(s.members[group])) {
		if s.members[group][id] && !slices.Contains(ids, id) && !s.scenes[User].gone[id] {
			ids = append(ids, id)
		}
	}
	return ids, told, nil
}

// isMade says whether an object was made on the stage.
func (s *stage) isMade(r scim.Resource) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, made := r[madeHere]
	return made
}

// madeHere marks what is only on a stage.
const madeHere = " made"

// HasMember implements Target.
func (s *stage) HasMember(ctx context.Context, group, id string) (bool, error) {
	s.mu.Lock()
	in, changed := s.members[group][id]
	gone := s.scenes[User].gone[id] || (!changed && s.left[id])
	s.mu.Unlock()
	if changed || gone {
		return in && !gone, nil
	}
	there, err := s.as(Group, group)
	if err != nil || s.isMade(there) {
		return false, err
	}
	return s.Target.HasMember(ctx, group, id)
}

// Create implements Target.
func (s *stage) Create(ctx context.Context, kind Kind, attributes map[string]string) (string, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	r := resource(kind, attributes)
	if err := s.judge(ctx, kind, "", r, difference(nil, attributes)); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	id := fmt.Sprintf("new:%d", s.made)
	r["id"], r[madeHere] = id, true
	s.scenes[kind].made = append(s.scenes[kind].made, id)
	s.scenes[kind].put(id, r)
	return id, nil
}

// Update implements Target.
func (s *stage) Update(ctx context.Context, kind Kind, id string, changes []Change, had map[string]string) error {
	r, err := s.Get(ctx, kind, id)
	if err != nil {
		return err
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	r = copied(r)
	s.apply(r, changes, had)
	if err := s.judge(ctx, kind, id, r, changes); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scenes[kind].put(id, r)
	if s.Traits().Deaf && text(r[activePath]) == "False" {
		s.left[id] = true
	}
	return nil
}

// apply changes a resource as the target would.
func (s *stage) apply(r scim.Resource, changes []Change, had map[string]string) {
	has := maps.Clone(had)
	if has == nil {
		has = map[string]string{}
	}
	for _, c := range changes {
		has[c.Path] = c.New
	}
	for _, c := range changes {
		p, err := placeOf(c.Path)
		if err != nil { // Compile refuses it
			continue
		}
		before := len(r.List(p.attribute))
		c.Apply(r, s.Traits().OneValue)
		if len(p.entry) == 0 || len(r.List(p.attribute)) <= before || !s.Traits().Forgiving {
			continue
		}
		if len(p.entries(had)) == 0 && p.first(has) { // as plain writes it
			p.makePrimary(r)
		}
	}
}

// makePrimary makes the place's entry the primary one of its list.
func (p place) makePrimary(r scim.Resource) {
	for _, e := range r.List(p.attribute) {
		if m, ok := e.(map[string]any); ok {
			delete(m, primaryName)
			if p.is(m) {
				m[primaryName] = true
			}
		}
	}
}

// Delete implements Target.
func (s *stage) Delete(_ context.Context, kind Kind, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.scenes[kind]
	k.drop(id)
	k.gone[id] = true
	return nil
}

// ChangeMembers implements Target. Whether a few members are there is looked at; many are not worth
// a request each.
func (s *stage) ChangeMembers(ctx context.Context, group string, add bool, ids []string) error {
	if err := s.exists(ctx, Group, group); err != nil {
		return err
	}
	if add && !s.Traits().Forgiving {
		for _, id := range ids {
			if _, err := s.as(User, id); err != nil {
				return err
			}
			if len(ids) > fewObjects {
				continue
			}
			if err := s.exists(ctx, User, id); err != nil {
				return err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[group] == nil {
		s.members[group] = map[string]bool{}
	}
	for _, id := range ids {
		s.members[group][id] = add
	}
	return nil
}

func (s *stage) exists(ctx context.Context, kind Kind, id string) error {
	s.mu.Lock()
	seen := s.scenes[kind].seen[id] && !s.scenes[kind].gone[id]
	s.mu.Unlock()
	if seen {
		return nil
	}
	_, err := s.Get(ctx, kind, id)
	return err
}

// judge says why the target would refuse to make an object, or to change the one with an id.
func (s *stage) judge(ctx context.Context, kind Kind, id string, r scim.Resource, changes []Change) error {
	rules, err := s.Rules(ctx)
	if err != nil {
		return err
	}
	if refused := rules.check(kind, r, changes, id == ""); refused != nil {
		return refused
	}
	for _, path := range rules.Unique[kind] {
		value := uniqueValue(r, path)
		touched := slices.ContainsFunc(changes, func(c Change) bool {
			p, err := placeOf(c.Path)
			return c.Path == path || (path == anyAddress && err == nil && p.attribute == "emails")
		})
		if value == "" || !touched {
			continue
		}
		h, err := s.holder(ctx, kind, path, value, id)
		if err != nil {
			return err
		}
		if h != nil {
			return h.conflict(kind, path, value)
		}
	}
	return nil
}

func (h *holder) conflict(kind Kind, path, value string) *foreseen {
	what := map[Kind]string{User: "the user", Group: "the group"}[kind]
	who := fmt.Sprintf("%s %s (%s)", what, h.name, h.id)
	if h.name == "" {
		who = what + " " + h.id
	}
	f := foresee(http.StatusConflict, "%s %s belongs to %s", path, value, who)
	f.attribute, f.holder = path, cmp.Or(h.name, h.id)
	return f
}

func holderOf(kind Kind, r scim.Resource) holder {
	name := map[Kind]string{User: "userName", Group: "displayName"}[kind]
	return holder{r.String("id"), r.String(name)}
}

// holder returns who has a value that must be unique, other than the object with an id; nil when
// nobody is found.
func (s *stage) holder(ctx context.Context, kind Kind, path, value, self string) (*holder, error) {
	k := s.scenes[kind]
	s.mu.Lock()
	for _, id := range k.held[path][key(path, value)] {
		if id != self {
			h := holderOf(kind, k.now[id])
			s.mu.Unlock()
			return &h, nil
		}
	}
	k.asked++
	all := s.thorough && (k.asked > fewObjects || (path == anyAddress && !s.Traits().FindsAddresses))
	s.mu.Unlock()
	if all {
		if err := s.readAll(ctx, kind); err != nil {
			return nil, err
		}
	}
	if k.pages {
		return s.other(k, path, value, self), nil
	}
	found, err := s.Target.Find(ctx, kind, path, value)
	if refuses(err) { // it is not searched by that attribute
		if err := s.readAll(ctx, kind); err != nil || !k.pages {
			return nil, err
		}
		return s.other(k, path, value, self), nil
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range k.without(found) {
		if r.String("id") != self && key(path, uniqueValue(r, path)) == key(path, value) {
			h := holderOf(kind, r)
			return &h, nil
		}
	}
	return nil, nil
}

// other is holder when everything was read.
func (s *stage) other(k *scene, path, value, self string) *holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range k.read[path][key(path, value)] {
		if h.id != self && !k.gone[h.id] && k.now[h.id] == nil {
			return &h
		}
	}
	return nil
}

// readAll reads who has what at the target. Where it was interrupted, it goes on.
func (s *stage) readAll(ctx context.Context, kind Kind) error {
	k := s.scenes[kind]
	rules, err := s.Rules(ctx)
	for err == nil && !k.ended {
		var page Page
		if page, err = s.Target.Page(ctx, kind, k.from); k.unsure && isNoPage(err) {
			page, err = Page{}, nil
		}
		if err == nil {
			err = k.list.add(page)
		}
		if errors.Is(err, ErrNoPages) || refuses(err) {
			k.ended = true
			return nil
		}
		if err != nil {
			return err
		}
		for _, r := range page.Resources {
			for _, path := range rules.Unique[kind] {
				if value := uniqueValue(r, path); value != "" {
					if k.read[path] == nil {
						k.read[path] = map[string][]holder{}
					}
					k.read[path][key(path, value)] = append(k.read[path][key(path, value)], holderOf(kind, r))
				}
			}
		}
		k.from, k.unsure = page.Next, page.Unsure
		k.ended = k.from == ""
		k.pages = k.ended
	}
	return err
}

// put notes how an object is now, and what it holds.
func (k *scene) put(id string, r scim.Resource) {
	k.drop(id)
	k.now[id] = r
	k.hold(r, func(ids []string) []string { return append(ids, id) })
}

// drop forgets how an object was.
func (k *scene) drop(id string) {
	if r := k.now[id]; r != nil {
		k.hold(r, func(ids []string) []string {
			return slices.DeleteFunc(ids, func(other string) bool { return other == id })
		})
		delete(k.now, id)
	}
}

func (k *scene) hold(r scim.Resource, change func([]string) []string) {
	for _, path := range []string{"userName", anyAddress, externalID, "displayName"} {
		value := uniqueValue(r, path)
		if value == "" {
			continue
		}
		if k.held[path] == nil {
			k.held[path] = map[string][]string{}
		}
		k.held[path][key(path, value)] = change(k.held[path][key(path, value)])
	}
}

// copied is a resource that can be changed without another one changing.
func copied(r scim.Resource) scim.Resource {
	if r == nil {
		return nil
	}
	out, _ := deepCopy(map[string]any(r)).(map[string]any)
	return out
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[name] = deepCopy(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = deepCopy(value)
		}
		return out
	}
	return v
}
