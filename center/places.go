package center

import (
	"cmp"
	"slices"
	"sync"
)

// places remembers of an ordered list how long it is and which id stands where, as far as pages of
// it were read, so that the next page is found by its key: an offset makes the database walk over
// everything before it. It is used only where no other process changes the list, and forgets
// everything when something is added or taken away here, before that is answered.
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
const maxPlaces = 4096 //bound:memory places of lists, for the next page

func (p *places) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.age++
	p.known, p.at = false, nil
}

// near returns the last place that is not behind offset.
func (p *places) near(offset int) place {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, found := p.find(offset)
	if found {
		return p.at[i]
	}
	if i == 0 {
		return place{}
	}
	return p.at[i-1]
}

func (p *places) find(offset int) (int, bool) {
	return slices.BinarySearchFunc(p.at, offset, func(a place, offset int) int { return cmp.Compare(a.offset, offset) })
}

// note remembers a place that was read since the age was taken.
func (p *places) note(new place, age uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.age != age {
		return
	}
	if len(p.at) >= maxPlaces { // every second one, so that what is left is as near everywhere
		kept := p.at[:0]
		for i := 0; i < len(p.at); i += 2 {
			kept = append(kept, p.at[i])
		}
		p.at = kept
	}
	if i, found := p.find(new.offset); !found {
		p.at = slices.Insert(p.at, i, new)
	}
}

// count returns the length of the list, which it asks for when it is not known, and remembers when
// nothing was forgotten since the age was taken.
func (p *places) count(age uint64, ask func() (int, error)) (int, error) {
	p.mu.Lock()
	total, known := p.total, p.known
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

func (p *places) now() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.age
}

// Pages reads pages of all users or groups by their place. It must be taken before the view begins
// that it reads in: what an older view shows is not remembered.
type Pages struct {
	users, groups       *places
	usersAge, groupsAge uint64
}

// Pages returns pages for a view that is about to begin.
func (c *Center) Pages() Pages {
	if c.Store.Shared() { // an empty memory: other processes change the lists
		return Pages{users: &places{}, groups: &places{}}
	}
	return Pages{&c.userPlaces, &c.groupPlaces, c.userPlaces.now(), c.groupPlaces.now()}
}

// Users reads a page of all users, in the order of their ids, and says how many there are.
func (p Pages) Users(r Reader, offset, limit int) ([]User, int, error) {
	return pageOf(p.users, p.usersAge, offset, limit,
		func() (int, error) { return r.CountUsers(UserQuery{}) },
		func(after string, offset int) ([]User, error) {
			return r.Users(UserQuery{After: UserID(after), Offset: offset, Limit: limit})
		},
		func(u *User) string { return string(u.ID) })
}

// Groups is Users for groups.
func (p Pages) Groups(r Reader, offset, limit int) ([]Group, int, error) {
	return pageOf(p.groups, p.groupsAge, offset, limit,
		func() (int, error) { return r.CountGroups(GroupQuery{}) },
		func(after string, offset int) ([]Group, error) {
			return r.Groups(GroupQuery{After: GroupID(after), Offset: offset, Limit: limit})
		},
		func(g *Group) string { return string(g.ID) })
}

// pageOf reads a page from the nearest place that is known, and notes where it ends. read is given
// an id to begin after and how many to pass over.
func pageOf[T any](
	p *places, age uint64, offset, limit int, count func() (int, error),
	read func(after string, offset int) ([]T, error), id func(*T) string,
) ([]T, int, error) {
	total, err := p.count(age, count)
	if err != nil || limit == 0 {
		return nil, total, err
	}
	from := p.near(offset)
	list, err := read(from.id, offset-from.offset)
	if err == nil && len(list) > 0 {
		p.note(place{offset + len(list), id(&list[len(list)-1])}, age)
	}
	return list, total, err
}
