package center

import (
	"cmp"
	"slices"
	"sync"
)

// places remembers of an ordered list how long it is and which id stands where, as far as pages of it were read, so that the next page is found by its
// key: an offset makes the database walk over everything before it. It is used only where no other process changes the list, and forgets everything
// when something is added or taken away here, before that is answered.
type places struct {
	mu    sync.Mutex
	age   uint64 // counts how often everything was forgotten
	total int
	known bool // whether total is
	at    []place
}

// place says that the entry before offset has the id.
type place struct {
	offset int
	id     string
}

// maxPlaces bounds the places of one list.
const maxPlaces = 4096

func (p *places) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.age++
	p.known, p.at = false, nil
}

// near returns the last place that is not behind offset, and the age to hand to note.
func (p *places) near(offset int) (place, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, found := p.find(offset)
	if found {
		return p.at[i], p.age
	}
	if i == 0 {
		return place{}, p.age
	}
	return p.at[i-1], p.age
}

func (p *places) find(offset int) (int, bool) {
	return slices.BinarySearchFunc(p.at, offset, func(a place, offset int) int { return cmp.Compare(a.offset, offset) })
}

// note remembers a place that was read since the age was taken.
func (p *places) note(new place, age uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.age != age || len(p.at) >= maxPlaces {
		return
	}
	if i, found := p.find(new.offset); !found {
		p.at = slices.Insert(p.at, i, new)
	}
}

// count returns the length of the list, which it asks for when it is not known.
func (p *places) count(ask func() (int, error)) (int, error) {
	p.mu.Lock()
	total, known, age := p.total, p.known, p.age
	p.mu.Unlock()
	if known {
		return total, nil
	}
	total, err := ask()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.age == age {
		p.total, p.known = total, true
	}
	return total, err
}

// placesOf returns what is remembered of a list, or an empty memory where other processes may change the list.
func (c *Center) placesOf(p *places) *places {
	if c.Store.Shared() {
		return &places{}
	}
	return p
}

// UsersFrom reads a page of all users, in the order of their ids, and says how many there are.
func (c *Center) UsersFrom(r Reader, offset, limit int) (users []User, total int, err error) {
	p := c.placesOf(&c.userPlaces)
	if total, err = p.count(func() (int, error) { return r.CountUsers(UserQuery{}) }); err != nil || limit == 0 {
		return nil, total, err
	}
	from, age := p.near(offset)
	users, err = r.Users(UserQuery{After: UserID(from.id), Offset: offset - from.offset, Limit: limit})
	if err == nil && len(users) > 0 {
		p.note(place{offset + len(users), string(users[len(users)-1].ID)}, age)
	}
	return users, total, err
}

// GroupsFrom is UsersFrom for groups.
func (c *Center) GroupsFrom(r Reader, offset, limit int) (groups []Group, total int, err error) {
	p := c.placesOf(&c.groupPlaces)
	if total, err = p.count(func() (int, error) { return r.CountGroups(GroupQuery{}) }); err != nil || limit == 0 {
		return nil, total, err
	}
	from, age := p.near(offset)
	groups, err = r.Groups(GroupQuery{After: GroupID(from.id), Offset: offset - from.offset, Limit: limit})
	if err == nil && len(groups) > 0 {
		p.note(place{offset + len(groups), string(groups[len(groups)-1].ID)}, age)
	}
	return groups, total, err
}
