package center

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/center/memory"
	"github.com/gatehouse-id/gatehouse/names"
)

// credentials are those of programs that were read last. They are few, so all are forgotten when
// one is changed.
type credentials struct {
	tokens  memory.Map[BearerToken] // by their digests
	keys    memory.Map[OpenedKey]   // by their ids
	issuers memory.Map[string]      // of external ids; there is one

	// controls are the instance's. They are no credential, and are forgotten by themselves.
	controls memory.Map[*openControls]
	reading  sync.Mutex // held by who reads them anew
}

func (r *credentials) forget() {
	r.tokens.Forget()
	r.keys.Forget()
	r.issuers.Forget()
}

// userKeys are by which remembered users are found: the id, and the user name, folded.
type userKeys struct{}

// Keys implements memory.Keyed.
func (userKeys) Keys(record string) (id, name string) {
	u := decodeUser(record)
	return string(u.ID), names.Fold(u.UserName)
}

// moment is when a request began to ask: what was proven for it need not be proven again.
type moment struct {
	proven atomic.Int64 // since began, in nanoseconds; 0: it was not

	trusts atomic.Bool           // whether the credential may be claimed to be so still
	claim  atomic.Pointer[claim] // nil: nothing is
}

type momentKey struct{}

var began = time.Now()

// provenFor is how long a proof serves the request that it was made for. Nothing depends on it but
// how early a long request hears of what changes while it runs.
const provenFor = 50 * time.Millisecond //bound:life a proof for the request that asked for it

// Moment returns the context of a request that is about to begin, in which what is remembered is
// proven once: to be so at a moment after the call. A context without a moment has each use proven.
func (c *Center) Moment(ctx context.Context) context.Context {
	if !c.Store.Shared() {
		return ctx
	}
	return context.WithValue(ctx, momentKey{}, &moment{})
}

// current says whether what is remembered is so still.
func (c *Center) current(ctx context.Context) bool {
	if !c.Store.Shared() {
		return true
	}
	m, _ := ctx.Value(momentKey{}).(*moment)
	if m == nil {
		return c.Store.Current(ctx)
	}
	now := time.Since(began).Nanoseconds()
	if at := m.proven.Load(); at != 0 && now-at < provenFor.Nanoseconds() {
		return true
	}
	ok := c.Store.Current(ctx)
	if ok {
		m.proven.Store(now)
		if made := m.claim.Load(); made != nil {
			made.judge()
		}
	}
	return ok
}

// mayKeep says whether what Get reads can be proven later.
func (c *Center) mayKeep() bool { return !c.Store.Shared() || c.Store.Proves() }

// forgetChanged forgets what the store says has changed.
func (c *Center) forgetChanged(change Change) {
	if change.All {
		c.users.ForgetAll()
	}
	for _, id := range change.Users {
		c.users.Forget(string(id))
	}
	if change.All || change.Credentials {
		c.remembered.forget()
	}
}

// known returns what is remembered of a credential.
func known[V any](ctx context.Context, c *Center, m *memory.Map[V], key string) (v V, ok bool) {
	if !c.current(ctx) {
		return v, false
	}
	return m.Get(key)
}

// rememberedUser returns a user that is remembered.
func (c *Center) rememberedUser(ctx context.Context, id UserID) (u User, ok bool) {
	if !c.current(ctx) {
		return u, false
	}
	if record := c.users.First(string(id)); record != "" {
		u = decodeUser(record)
		ok = u.ID == id
	}
	return u, ok
}

// rememberedName is rememberedUser by the folded user name.
func (c *Center) rememberedName(ctx context.Context, folded string) (u User, ok bool) {
	if !c.current(ctx) {
		return u, false
	}
	if record := c.users.Second(folded); record != "" {
		u = decodeUser(record)
		ok = names.Fold(u.UserName) == folded
	}
	return u, ok
}

// keepUser remembers a user that was read since the age of users was taken, where that is allowed.
func (c *Center) keepUser(u User, age memory.Age) {
	if !c.mayKeep() {
		return
	}
	buffer, _ := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(buffer)
	*buffer = appendUser((*buffer)[:0], u)
	c.users.Keep(string(u.ID), names.Fold(u.UserName), *buffer, age)
}

var recordBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Pages reads pages of all users or groups by their place. It must be taken before the view begins
// that it reads in: what an older view shows is not remembered.
type Pages struct {
	users, groups       *memory.Places
	usersAge, groupsAge memory.Age
}

// Pages returns pages for a view that is about to begin.
func (c *Center) Pages() Pages {
	if c.Store.Shared() { // an empty memory: other processes change the lists
		return Pages{users: &memory.Places{}, groups: &memory.Places{}}
	}
	return Pages{&c.userPlaces, &c.groupPlaces, c.userPlaces.Age(), c.groupPlaces.Age()}
}

// Users reads a page of all users, in the order of their ids, and says how many there are.
func (p Pages) Users(r Reader, offset, limit int) ([]User, int, error) {
	return memory.List[User]{
		Count: func() (int, error) { return r.CountUsers(UserQuery{}) },
		Read: func(after string, offset, limit int) ([]User, error) {
			return r.Users(UserQuery{After: UserID(after), Offset: offset, Limit: limit})
		},
		Key: func(u *User) string { return string(u.ID) },
	}.Page(p.users, p.usersAge, offset, limit)
}

// Groups is Users for groups.
func (p Pages) Groups(r Reader, offset, limit int) ([]Group, int, error) {
	return memory.List[Group]{
		Count: func() (int, error) { return r.CountGroups(GroupQuery{}) },
		Read: func(after string, offset, limit int) ([]Group, error) {
			return r.Groups(GroupQuery{After: GroupID(after), Offset: offset, Limit: limit})
		},
		Key: func(g *Group) string { return string(g.ID) },
	}.Page(p.groups, p.groupsAge, offset, limit)
}
