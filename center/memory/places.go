package memory

import (
	"cmp"
	"slices"
	"sync"
)

// Places remembers of an ordered list how long it is and which key stands where, as far as pages of
// it were read, so that the next page is found by its key: an offset makes a database walk over
// everything before it. What comes to the list or leaves it changes all places behind it, so Forget
// forgets everything.
type Places struct {
	mu    sync.Mutex
	age   Age
	total int
	known bool // whether total is
	at    []place
}

// place says that the entry before offset has the key.
type place struct {
	offset int
	key    string
}

// maxPlaces bounds the places of one list.
const maxPlaces = 4096 //bound:memory places of lists, for the next page

// List says how a list is read whose pages Page reads.
type List[T any] struct {
	Count func() (int, error)
	// Read reads what follows a key, or ("") the beginning, after passing over some entries.
	Read func(after string, offset, limit int) ([]T, error)
	Key  func(*T) string
}

// Page reads a page of the list from the nearest place that is known, notes where it ends, and says
// how long the list is. The age is that of p before the view began that the list is read in: what
// an older view shows is not remembered.
func (l List[T]) Page(p *Places, age Age, offset, limit int) ([]T, int, error) {
	total, err := p.count(age, l.Count)
	if err != nil || limit == 0 {
		return nil, total, err
	}
	from := p.near(offset)
	page, err := l.Read(from.key, offset-from.offset, limit)
	if err == nil && len(page) > 0 {
		p.note(place{offset + len(page), l.Key(&page[len(page)-1])}, age)
	}
	return page, total, err
}

// Age returns the age to hand to Page.
func (p *Places) Age() Age {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.age
}

// Forget must be called when something came to the list or left it.
func (p *Places) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.age++
	p.known = false
	p.at = nil
}

// near returns the last place that is not behind offset.
func (p *Places) near(offset int) place {
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

func (p *Places) find(offset int) (int, bool) {
	return slices.BinarySearchFunc(p.at, offset, func(a place, offset int) int { return cmp.Compare(a.offset, offset) })
}

// note remembers a place that was read since the age was taken.
func (p *Places) note(seen place, age Age) {
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
	if i, found := p.find(seen.offset); !found {
		p.at = slices.Insert(p.at, i, seen)
	}
}

// count returns the length of the list, which it asks for when it is not known, and remembers when
// nothing was forgotten since the age was taken.
func (p *Places) count(age Age, ask func() (int, error)) (int, error) {
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
