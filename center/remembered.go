package center

import (
	"sync"

	"github.com/gatehouse-id/gatehouse/authn"
)

// remembered keeps the credentials that were read last, so that not every request reads them from
// the store. It is used only where no other process can change them (Store.Shared is false), and
// forgets what is changed here before the change is answered.
type remembered struct {
	mu     sync.RWMutex
	age    uint64 // counts how often something was forgotten
	tokens map[string]BearerToken
	keys   map[string]openedKey
	issuer string // of external ids
}

// openedKey is an access key with its secret.
type openedKey struct {
	AccessKey
	secret authn.Secret
}

// maxRemembered bounds each kind: there are two tokens and a handful of keys.
const maxRemembered = 256 //bound:memory SCIM tokens and access keys, each

// forget forgets the credentials.
func (r *remembered) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age++
	r.tokens = nil
	r.keys = nil
	r.issuer = ""
}

// token returns what is remembered, and the age to hand to keepToken.
func (r *remembered) token(digest string) (BearerToken, uint64, bool) {
	return recall(r, &r.tokens, digest)
}

// keepToken remembers what was read since the age was taken, unless everything was forgotten
// meanwhile.
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
