package center

import (
	"sync"

	"github.com/gatehouse-id/gatehouse/authn"
)

// remembered keeps the credentials that were seen last, so that not every request reads them from the store. It is used only where no other
// process can revoke them (Store.Shared is false), and forgets everything whenever one is made, changed or deleted here, before that is answered.
type remembered struct {
	mu     sync.RWMutex
	age    uint64 // counts how often everything was forgotten
	tokens map[string]BearerToken
	keys   map[string]openedKey
}

// openedKey is an access key with its secret.
type openedKey struct {
	AccessKey
	secret authn.Secret
}

// maxRemembered bounds each kind. There are two tokens and a handful of keys.
const maxRemembered = 256

func (r *remembered) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	r.tokens, r.keys = nil, nil
}

// token returns what is remembered, and the age to hand to keepToken.
func (r *remembered) token(digest string) (BearerToken, uint64, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t, ok := r.tokens[digest]
	return t, r.age, ok
}

// keepToken remembers what was read since the age was taken, unless everything was forgotten meanwhile.
func (r *remembered) keepToken(t BearerToken, age uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.age != age || len(r.tokens) >= maxRemembered {
		return
	}
	if r.tokens == nil {
		r.tokens = map[string]BearerToken{}
	}
	r.tokens[t.Digest] = t
}

func (r *remembered) key(id string) (openedKey, uint64, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.keys[id]
	return k, r.age, ok
}

func (r *remembered) keepKey(k openedKey, age uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.age != age || len(r.keys) >= maxRemembered {
		return
	}
	if r.keys == nil {
		r.keys = map[string]openedKey{}
	}
	r.keys[k.ID] = k
}
