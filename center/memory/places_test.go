package memory

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestPagesAreReadFromTheNearestPlace reads a list whose reader says how much it had to pass over.
func TestPagesAreReadFromTheNearestPlace(t *testing.T) {
	var list []string
	for i := range 100 {
		list = append(list, fmt.Sprintf("%03d", i))
	}
	counted, passed := 0, 0
	l := List[string]{
		Count: func() (int, error) { counted++; return len(list), nil },
		Read: func(after string, offset, limit int) ([]string, error) {
			passed = offset
			from, found := slices.BinarySearch(list, after)
			if found {
				from++
			}
			from = min(from+offset, len(list))
			return list[from:min(from+limit, len(list))], nil
		},
		Key: func(s *string) string { return *s },
	}
	var p Places
	read := func(age Age, offset, wantPassed, wantCounted int) {
		t.Helper()
		page, total, err := l.Page(&p, age, offset, 10)
		if err != nil || total != len(list) || !slices.Equal(page, list[offset:offset+10]) ||
			passed != wantPassed || counted != wantCounted {
			t.Errorf("from %d: %v of %d, %v; passed over %d, counted %d times, want %d and %d",
				offset, page, total, err, passed, counted, wantPassed, wantCounted)
		}
	}
	read(p.Age(), 0, 0, 1)
	read(p.Age(), 10, 0, 1)
	read(p.Age(), 50, 30, 1)
	read(p.Age(), 60, 0, 1)
	before := p.Age()
	list = slices.Delete(list, 5, 6)
	p.Forget()
	read(before, 10, 10, 2) // what an older view shows is not remembered
	read(p.Age(), 20, 20, 3)
	read(p.Age(), 30, 0, 3)
	for i := range 2 * maxPlaces {
		p.note(place{i, fmt.Sprint(i)}, p.Age())
	}
	if len(p.at) > maxPlaces {
		t.Errorf("%d places", len(p.at))
	}
	l.Count = func() (int, error) { return 0, errors.New("no database") }
	p.Forget()
	if _, _, err := l.Page(&p, p.Age(), 0, 10); err == nil {
		t.Error("a list that cannot be counted is read")
	}
}
