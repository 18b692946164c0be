package center

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-id/gatehouse/authn"
)

// remembered keeps the credentials and users that were read last, so that not every request reads them from the store. It is used only where no
// other process can change them (Store.Shared is false), and forgets what is changed here before the change is answered.
type remembered struct {
	mu     sync.RWMutex
	age    uint64 // counts how often something was forgotten
	tokens map[string]BearerToken
	keys   map[string]openedKey
	issuer string // of external ids
	users  map[UserID]*User
	names  map[string]UserID // of the users, by folded user name
	full   atomic.Bool       // whether there are as many users as there may be
}

// openedKey is an access key with its secret.
type openedKey struct {
	AccessKey
	secret authn.Secret
}

// Bounds. There are two tokens and a handful of keys; a user takes about 1.5 KiB.
const (
	maxRemembered = 256
	maxUsers      = 81920
)

// forget forgets the credentials.
func (r *remembered) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	r.tokens, r.keys, r.issuer = nil, nil, ""
}

// token returns what is remembered, and the age to hand to keepToken.
func (r *remembered) token(digest string) (BearerToken, uint64, bool) {
	return recall(r, &r.tokens, digest)
}

// keepToken remembers what was read since the age was taken, unless everything was forgotten meanwhile.
func (r *remembered) keepToken(t BearerToken, age uint64) { keep(r, &r.tokens, t.Digest, t, age) }

func (r *remembered) key(id string) (openedKey, uint64, bool) { return recall(r, &r.keys, id) }

func (r *remembered) keepKey(k openedKey, age uint64) { keep(r, &r.keys, k.ID, k, age) }

// recall looks into one of r's maps of credentials, and keep puts something there.
func recall[T any](r *remembered, from *map[string]T, id string) (T, uint64, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v, ok := (*from)[id]
	return v, r.age, ok
}

func keep[T any](r *remembered, in *map[string]T, id string, v T, age uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.age != age || len(*in) >= maxRemembered {
		return
	}
	if *in == nil {
		*in = map[string]T{}
	}
	(*in)[id] = v
}

func (r *remembered) externalIDIssuer() (string, uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.issuer, r.age
}

func (r *remembered) keepIssuer(issuer string, age uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.age == age {
		r.issuer = issuer
	}
}

// user returns a user that is remembered, and the age to hand to keepUser. Nobody may change what it points to.
func (r *remembered) user(id UserID) (*User, uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.users[id], r.age
}

func (r *remembered) userByName(folded string) (*User, uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.users[r.names[folded]], r.age
}

// keepUser remembers a user that was read since the age was taken, unless something was forgotten meanwhile. Where there are too many, any other makes
// room, and only for one in sixteen: who is looked up often comes in soon, and a walk over everybody costs next to nothing.
func (r *remembered) keepUser(u User, age uint64) {
	if r.full.Load() && rand.Uint32N(16) != 0 { // #nosec G404 -- no secret
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.age != age {
		return
	}
	if r.users == nil {
		r.users, r.names = map[UserID]*User{}, map[string]UserID{}
	}
	if len(r.users) >= maxUsers {
		for id := range r.users {
			r.drop(id)
			break
		}
	}
	r.users[u.ID], r.names[Fold(u.UserName)] = &u, u.ID
	r.full.Store(len(r.users) >= maxUsers)
}

// forgetUser must be called after a user was changed, whether it is known that it was or not, and before anybody is told.
func (r *remembered) forgetUser(id UserID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	r.drop(id)
}

func (r *remembered) drop(id UserID) {
	if u := r.users[id]; u != nil {
		delete(r.names, Fold(u.UserName))
		delete(r.users, id)
	}
}
