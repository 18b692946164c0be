package memory

import (
	"fmt"
	"testing"
)

func TestMap(t *testing.T) {
	var m Map[int]
	age := m.Age()
	if _, ok := m.Get("a"); ok {
		t.Error("an empty map has a value")
	}
	m.Keep("a", 1, age)
	if v, ok := m.Get("a"); !ok || v != 1 {
		t.Errorf("kept: %d, %v", v, ok)
	}
	m.Forget()
	m.Keep("b", 2, age)
	for _, key := range []string{"a", "b"} {
		if v, ok := m.Get(key); ok {
			t.Errorf("%s was read before everything was forgotten: %d", key, v)
		}
	}
	for i := range maxMap + 1 {
		m.Keep(fmt.Sprint(i), i, m.Age())
	}
	if _, ok := m.Get(fmt.Sprint(maxMap)); ok || len(m.values) != maxMap {
		t.Errorf("%d values, more than there is room for: %v", len(m.values), ok)
	}
}

func TestSnapshot(t *testing.T) {
	var s Snapshot[string, int]
	s.Keep("a", 0, 1)
	s.Keep("b", 7, 2)
	s.Keep("c", 6, 3) // read before the write that made it 7
	for _, x := range []struct {
		key   string
		state uint64
		want  int // 0: not known
	}{{"a", 0, 0}, {"a", 7, 0}, {"b", 7, 2}, {"b", 8, 0}, {"b", 6, 0}, {"c", 7, 0}, {"c", 6, 0}} {
		if v, ok := s.Get(x.key, x.state); v != x.want || ok != (x.want != 0) {
			t.Errorf("%s in state %d: %d, %v, want %d", x.key, x.state, v, ok, x.want)
		}
	}
	for i := range maxSnapshot + 1 {
		s.Keep(fmt.Sprint(i), 8, i)
	}
	if len(s.values) > maxSnapshot {
		t.Errorf("%d values", len(s.values))
	}
	if v, ok := s.Get(fmt.Sprint(maxSnapshot), 8); !ok || v != maxSnapshot {
		t.Errorf("the newest: %d, %v", v, ok)
	}
}
