package doctor

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"sort"
	"strings"
)

// Roster is who is in which group, of one side. There may be a million memberships: each id is kept
// once, and a membership takes the four bytes of its number. A nil Roster has nobody.
type Roster struct {
	number  map[string]uint32
	ids     []string
	members map[uint32][]uint32
}

// Membership is a user in a group.
type Membership struct {
	GroupID  string `json:"GroupId"`
	MemberID string `json:"MemberId"`
}

// One is the one copy of an id that the roster keeps. What an answer is decoded to may be a part of
// the whole answer, which would stay in memory with it.
func (r *Roster) One(id string) string { return r.ids[r.of(id)] }

// of is the number of an id, which may be new.
func (r *Roster) of(id string) uint32 {
	n, known := r.number[id]
	if !known {
		if r.number == nil {
			r.number, r.members = map[string]uint32{}, map[uint32][]uint32{}
		}
		id = strings.Clone(id)
		n = uint32(len(r.ids)) // #nosec G115 -- ids of one directory, as are in memory
		r.ids = append(r.ids, id)
		r.number[id] = n
	}
	return n
}

// Add adds members to a group.
func (r *Roster) Add(group string, members ...string) {
	g := r.of(group)
	list := slices.Grow(r.members[g], len(members))
	for _, m := range members {
		list = append(list, r.of(m))
	}
	r.members[g] = list
}

// find is the number of an id.
func (r *Roster) find(id string) (n uint32, known bool) {
	if r == nil {
		return 0, false
	}
	n, known = r.number[id]
	return n, known
}

// numbers are those of a group's members.
func (r *Roster) numbers(group string) []uint32 {
	if n, known := r.find(group); known {
		return r.members[n]
	}
	return nil
}

// Of are the members of a group.
func (r *Roster) Of(group string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, n := range r.numbers(group) {
			if !yield(r.ids[n]) {
				return
			}
		}
	}
}

// Has says whether an id is a member of a group.
func (r *Roster) Has(group, member string) bool {
	n, known := r.find(member)
	return known && slices.Contains(r.numbers(group), n)
}

// size is how many ids there are.
func (r *Roster) size() int {
	if r == nil {
		return 0
	}
	return len(r.ids)
}

// UnmarshalJSON takes what Graph answers, lists of members by their group, and what AWS answers,
// one list of memberships.
func (r *Roster) UnmarshalJSON(data []byte) error {
	*r = Roster{}
	if data[0] == '[' {
		var list []Membership
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
		for _, m := range list {
			r.Add(m.GroupID, m.MemberID)
		}
		return nil
	}
	var groups map[string][]struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(data, &groups); err != nil {
		return err
	}
	for group, list := range groups {
		for _, m := range list {
			r.Add(group, m.ID)
		}
	}
	return nil
}

// groupsOf is a roster the other way round: the groups of each member.
type groupsOf struct {
	*Roster

	at     []uint32 // where the groups of a member begin, by its number
	groups []uint32
}

// turned is the roster the other way round. It must not change afterwards.
func (r *Roster) turned() groupsOf {
	out := groupsOf{Roster: r, at: make([]uint32, r.size()+1)}
	if r == nil {
		return out
	}
	total := 0
	for _, list := range r.members {
		total += len(list)
		for _, n := range list {
			out.at[n+1]++
		}
	}
	for n := range r.ids {
		out.at[n+1] += out.at[n]
	}
	out.groups = make([]uint32, total)
	next := slices.Clone(out.at)
	for _, g := range slices.Sorted(maps.Keys(r.members)) {
		for _, n := range r.members[g] {
			out.groups[next[n]] = g
			next[n]++
		}
	}
	return out
}

// numbers are those of a member's groups, in their order.
func (t groupsOf) numbers(member string) []uint32 {
	if n, known := t.find(member); known {
		return t.groups[t.at[n]:t.at[n+1]]
	}
	return nil
}

// of are the groups of a member.
func (t groupsOf) of(member string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, g := range t.numbers(member) {
			if !yield(t.ids[g]) {
				return
			}
		}
	}
}

// has says whether a member is in a group.
func (t groupsOf) has(member, group string) bool {
	g, known := t.find(group)
	if !known {
		return false
	}
	_, in := slices.BinarySearch(t.numbers(member), g)
	return in
}

// index finds places in a list by a text. A map would take three times the memory, and there are
// several for everybody.
type index struct {
	keys []string
	at   []uint32
}

// indexed makes an index of the n places of a list.
func indexed(n int, keys func(place int, add func(key string))) index {
	x := index{keys: make([]string, 0, n), at: make([]uint32, 0, n)}
	for i := range n {
		keys(i, func(key string) {
			x.keys = append(x.keys, key)
			x.at = append(x.at, uint32(i)) // #nosec G115 -- a place in a list that is in memory
		})
	}
	order := make([]uint32, len(x.keys))
	for i := range order {
		order[i] = uint32(i) // #nosec G115 -- as above
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return strings.Compare(x.keys[a], x.keys[b]) })
	sorted := index{keys: make([]string, len(order)), at: make([]uint32, len(order))}
	for i, from := range order {
		sorted.keys[i], sorted.at[i] = x.keys[from], x.at[from]
	}
	return sorted
}

// find are the places of a text, in the order of the list.
func (x index) find(key string) []uint32 {
	from, found := slices.BinarySearch(x.keys, key)
	if !found {
		return nil
	}
	many := sort.Search(len(x.keys)-from, func(i int) bool { return x.keys[from+i] > key })
	return x.at[from : from+many]
}
