package memory

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"sync"
)

// Keyed reads the keys of a record. The first is its own; the second may go to another record, as a
// name does. What it is asked of was handed to Keep.
type Keyed interface {
	Keys(record string) (first, second string)
}

// Records keeps the records that were read or made last, each by two keys. It is bounded: records
// lie one behind the other in blocks, of which the oldest makes room. Bytes take a fifth of the
// memory that a struct of texts takes, and the garbage collector does not look at them: neither a
// record nor its entry in the map has a pointer.
type Records[K Keyed] struct {
	mu      sync.RWMutex
	age     Age
	changed [1024]Age         // the age when one of the records that share a place here was forgotten last
	at      map[uint64]uint64 // by the hashes of both keys: block number << blockBits | offset
	blocks  [][]byte          // number n is at n % maxBlocks
	newest  uint64            // number of the block that is written to
	full    bool              // whether each new block overwrites one
	keyed   K
}

// Bounds: 256 MiB of records. Beside each are some 50 bytes in the map.
const (
	blockBits = 16
	blockSize = 1 << blockBits //bound:memory a block of remembered users, in bytes
	maxBlocks = 4096           //bound:memory blocks of remembered users
	//bound:memory a remembered user, in bytes
	maxRecord      = 8 << 10 // what is larger is not kept
	keepOneOf      = 16      // of those that are read, once there is no room
	lengthOfLength = 2       //bound:none a format, not a bound
)

// The two kinds of keys share a map, so each has hashes of its own: one record's first key may be
// another's second.
var firstSeed, secondSeed = maphash.MakeSeed(), maphash.MakeSeed()

func hashFirst(key string) uint64  { return maphash.String(firstSeed, key) }
func hashSecond(key string) uint64 { return maphash.String(secondSeed, key) }

// First returns a copy of the record with a first key; empty: none is kept. Hashes are compared,
// not keys, so the record may be another's: the caller sees that when it decodes it.
func (r *Records[K]) First(key string) (record string) { return r.read(hashFirst(key)) }

// Second is First by the second key.
func (r *Records[K]) Second(key string) (record string) { return r.read(hashSecond(key)) }

// read copies what is kept under a hash.
func (r *Records[K]) read(hash uint64) (record string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if place, ok := r.at[hash]; ok {
		record = string(r.record(place))
	}
	return record
}

func (r *Records[K]) record(place uint64) []byte {
	rest := r.blocks[place>>blockBits%maxBlocks][place%blockSize:]
	n := binary.LittleEndian.Uint16(rest)
	return rest[lengthOfLength : lengthOfLength+n]
}

// Age returns the age to hand to Keep.
func (r *Records[K]) Age() Age {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.age
}

// Keep keeps a copy of a record as it was at an age, unless it was forgotten since. Where there is
// no room left only one in sixteen makes some: what is looked up often comes in soon, and a walk
// over everything costs next to nothing.
func (r *Records[K]) Keep(first, second string, record []byte, age Age) {
	if len(record) > maxRecord {
		return
	}
	hash := hashFirst(first)
	r.mu.Lock()
	defer r.mu.Unlock()
	// #nosec G404 -- no secret
	if r.changed[hash%uint64(len(r.changed))] > age || (r.full && rand.Uint32N(keepOneOf) != 0) {
		return
	}
	r.drop(hash)
	place := r.put(record)
	if r.at == nil {
		r.at = map[uint64]uint64{}
	}
	r.at[hash], r.at[hashSecond(second)] = place, place
}

// put writes a record behind the others, for which the oldest block may have to go.
func (r *Records[K]) put(record []byte) (place uint64) {
	if r.blocks == nil {
		r.blocks = append(r.blocks, make([]byte, 0, blockSize))
	}
	block := &r.blocks[r.newest%maxBlocks]
	if len(*block)+lengthOfLength+len(record) > blockSize {
		r.newest++
		if r.full = r.newest >= maxBlocks; r.full {
			r.empty(r.newest - maxBlocks)
		} else {
			r.blocks = append(r.blocks, make([]byte, 0, blockSize))
		}
		block = &r.blocks[r.newest%maxBlocks]
	}
	place = r.newest<<blockBits | uint64(len(*block))
	*block = binary.LittleEndian.AppendUint16(*block, uint16(len(record))) // #nosec G115 -- at most maxRecord
	*block = append(*block, record...)
	return place
}

// empty forgets the records of a block. Some of them may have been forgotten or written anew since.
func (r *Records[K]) empty(number uint64) {
	block := &r.blocks[number%maxBlocks]
	for offset := 0; offset < len(*block); {
		place := number<<blockBits | uint64(offset) // #nosec G115 -- below blockSize
		record := r.record(place)
		first, second := r.keyed.Keys(string(record))
		if hash := hashFirst(first); r.at[hash] == place {
			r.remove(hash, place, second)
		}
		offset += lengthOfLength + len(record)
	}
	*block = (*block)[:0]
}

// ForgetAll forgets every record.
func (r *Records[K]) ForgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	for i := range r.changed {
		r.changed[i] = r.age
	}
	r.at, r.blocks = nil, nil
	r.newest, r.full = 0, false
}

// Forget must be called after a record was changed, whether it is known that it was or not, and
// before anybody is told.
func (r *Records[K]) Forget(first string) {
	hash := hashFirst(first)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	r.changed[hash%uint64(len(r.changed))] = r.age
	r.drop(hash)
}

// drop takes a record out of the map, by the hash of its first key. The bytes stay until their
// block goes.
func (r *Records[K]) drop(hash uint64) {
	if place, ok := r.at[hash]; ok {
		_, second := r.keyed.Keys(string(r.record(place)))
		r.remove(hash, place, second)
	}
}

// remove leaves the second key to another record that has it by now.
func (r *Records[K]) remove(hash, place uint64, second string) {
	delete(r.at, hash)
	if h := hashSecond(second); r.at[h] == place {
		delete(r.at, h)
	}
}
