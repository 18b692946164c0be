// Package memory keeps what was read from a store, so that not every request reads it again. It
// knows no noun of the center's: its callers say what a record, a key or a list is.
//
// What is kept is never stale, which is for its users to see to. Records, Places and Map are told:
// a caller that changes something calls Forget before anybody hears of the change, even if it is
// unknown whether the change was made. A caller that reads takes the Age before it starts to read
// and hands it to Keep, which keeps nothing that was forgotten since. Snapshot is not told, but
// asked with the state of the store. Where another process may change the store, the caller finds
// out about its changes before it calls Get, First or Second, or before anybody hears of what it
// has made of their answers, or uses none of them.
//
// The zero value of each is ready for use, by many goroutines at once.
//
// It imports nothing of ours.
package memory

import "sync"

// Age counts how often something was forgotten.
type Age uint64

// maxMap bounds a Map. Credentials of programs are few; a Map is for them.
const maxMap = 256 //bound:memory SCIM tokens and access keys that are remembered, each

// Map keeps a few values by their keys.
type Map[V any] struct {
	mu     sync.RWMutex
	age    Age
	values map[string]V
}

// Get returns the value of a key.
func (m *Map[V]) Get(key string) (v V, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok = m.values[key]
	return v, ok
}

// Age returns the age to hand to Keep.
func (m *Map[V]) Age() Age {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.age
}

// Keep keeps a value that was read since the age was taken, unless everything was forgotten since.
func (m *Map[V]) Keep(key string, v V, age Age) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.age != age || len(m.values) >= maxMap {
		return
	}
	if m.values == nil {
		m.values = map[string]V{}
	}
	m.values[key] = v
}

// Forget forgets all values.
func (m *Map[V]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.age++
	m.values = nil
}

// maxSnapshot bounds a Snapshot.
const maxSnapshot = 8192 //bound:memory roles that users were found to hold

// Snapshot keeps values that were read in one state of the store, for as long as nothing at all is
// written to it: a state is how much was written before.
type Snapshot[K comparable, V any] struct {
	mu     sync.Mutex
	state  uint64
	values map[K]V
}

// Get returns the value of a key in a state of the store.
func (s *Snapshot[K, V]) Get(key K, state uint64) (v V, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != state {
		return v, false
	}
	v, ok = s.values[key]
	return v, ok
}

// Keep keeps a value that was read in a state of the store. What was read in an earlier state goes.
func (s *Snapshot[K, V]) Keep(key K, state uint64, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state > state { // it was read before something that is written now
		return
	}
	if s.values == nil || s.state != state || len(s.values) >= maxSnapshot {
		s.state, s.values = state, map[K]V{}
	}
	s.values[key] = v
}
