package center

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"sync"

	"github.com/gatehouse-id/gatehouse/names"
)

// rememberedUsers keeps the users that were read or made last, so that not every look-up asks the
// store. It is bounded: users lie as bytes, one behind the other, in blocks of which the oldest
// makes room. Bytes take a fifth of the memory that a User takes, and the garbage collector does
// not look at them.
type rememberedUsers struct {
	mu      sync.RWMutex
	age     uint64            // counts how often a user was forgotten
	changed [1024]uint64      // the age when one of the users that share a place here was forgotten last
	at      map[uint64]uint64 // by the hashes of id and folded user name: block number << blockBits | offset
	blocks  [][]byte          // number n is at n % maxBlocks
	newest  uint64            // number of the block that is written to
	full    bool              // whether each new block overwrites one
}

// Bounds: 256 MiB of users, who take about 300 bytes each, beside some 50 bytes in the map.
const (
	blockBits = 16
	blockSize = 1 << blockBits //bound:memory a block of remembered users, in bytes
	maxBlocks = 4096           //bound:memory blocks of remembered users
	//bound:memory a remembered user, in bytes
	maxKeptUser    = 8 << 10 // who is larger is not remembered
	keepOneOf      = 16      // of those that are read, once there is no room
	lengthOfLength = 2       //bound:none a format, not a bound
)

var userSeed = maphash.MakeSeed()

func hashOfID(id UserID) uint64 { return maphash.String(userSeed, string(id)) }

// hashOfName cannot be that of an id: ids have no blanks.
func hashOfName(folded string) uint64 {
	var h maphash.Hash
	h.SetSeed(userSeed)
	_ = h.WriteByte(' ')
	_, _ = h.WriteString(folded)
	return h.Sum64()
}

// byID returns a user that is remembered, and the age to hand to keep.
func (r *rememberedUsers) byID(id UserID) (u User, age uint64, ok bool) {
	record, age := r.read(hashOfID(id))
	if record != "" {
		u = decodeUser(record)
		ok = u.ID == id
	}
	return u, age, ok
}

func (r *rememberedUsers) byName(folded string) (u User, age uint64, ok bool) {
	record, age := r.read(hashOfName(folded))
	if record != "" {
		u = decodeUser(record)
		ok = names.Fold(u.UserName) == folded
	}
	return u, age, ok
}

// read copies what is kept under a hash.
func (r *rememberedUsers) read(hash uint64) (record string, age uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if place, ok := r.at[hash]; ok {
		record = string(r.record(place))
	}
	return record, r.age
}

func (r *rememberedUsers) record(place uint64) []byte {
	rest := r.blocks[place>>blockBits%maxBlocks][place%blockSize:]
	n := binary.LittleEndian.Uint16(rest)
	return rest[lengthOfLength : lengthOfLength+n]
}

// now returns the age to hand to keep.
func (r *rememberedUsers) now() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.age
}

// keep remembers a user as it was at an age, unless it was forgotten since. Where there is no room
// left only one in sixteen makes some: who is looked up often comes in soon, and a walk over
// everybody costs next to nothing.
func (r *rememberedUsers) keep(u User, age uint64) {
	buffer, _ := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(buffer)
	record := appendUser((*buffer)[:0], u)
	*buffer = record
	if len(record) > maxKeptUser {
		return
	}
	id := hashOfID(u.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	// #nosec G404 -- no secret
	if r.changed[id%uint64(len(r.changed))] > age || (r.full && rand.Uint32N(keepOneOf) != 0) {
		return
	}
	r.drop(id)
	place := r.put(record)
	if r.at == nil {
		r.at = map[uint64]uint64{}
	}
	r.at[id], r.at[hashOfName(names.Fold(u.UserName))] = place, place
}

var recordBuffers = sync.Pool{New: func() any { return new([]byte) }}

// put writes a record behind the others, for which the oldest block may have to go.
func (r *rememberedUsers) put(record []byte) (place uint64) {
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
	*block = binary.LittleEndian.AppendUint16(*block, uint16(len(record))) // #nosec G115 -- at most maxKeptUser
	*block = append(*block, record...)
	return place
}

// empty forgets the users of a block. Some of its records may be users that were forgotten or
// written anew since.
func (r *rememberedUsers) empty(number uint64) {
	block := &r.blocks[number%maxBlocks]
	for offset := 0; offset < len(*block); {
		place := number<<blockBits | uint64(offset) // #nosec G115 -- below blockSize
		record := r.record(place)
		if id := hashOfID(decodeUser(string(record)).ID); r.at[id] == place {
			r.drop(id)
		}
		offset += lengthOfLength + len(record)
	}
	*block = (*block)[:0]
}

// forget must be called after a user was changed, whether it is known that it was or not, and
// before anybody is told.
func (r *rememberedUsers) forget(id UserID) {
	hash := hashOfID(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	r.changed[hash%uint64(len(r.changed))] = r.age
	r.drop(hash)
}

// drop takes a user out of the map, by the hash of the id. The bytes stay until their block goes.
func (r *rememberedUsers) drop(id uint64) {
	place, ok := r.at[id]
	if !ok {
		return
	}
	delete(r.at, id)
	if name := hashOfName(names.Fold(decodeUser(string(r.record(place))).UserName)); r.at[name] == place {
		delete(r.at, name)
	}
}
