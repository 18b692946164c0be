package store

import (
	"context"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// The names under which changes are noted: that of a user ends with the id.
const (
	userChanged       = "user "
	credentialChanged = "credential"
)

// tracked is whatever center.Remembered says may be remembered. Of credentials a new one need not
// be noted, since nobody remembers that there was none; but that automatic provisioning is off is
// remembered.
var tracked = []sqldb.Tracked{
	{Table: "users", Name: `'` + userChanged + `' || changed.id`},
	{Table: "bearer_tokens", Name: `'` + credentialChanged + `'`},
	{
		Table:     "documents",
		Inserts:   true,
		Name:      `'` + credentialChanged + `'`,
		Condition: `changed.kind IN ('` + kindAccessKey + `', '` + kindTenant + `')`,
	},
}

// watchers are told of changes.
type watchers struct {
	mu  sync.Mutex
	all []func(center.Change)
}

// track begins to note changes, where the database can. Where it cannot, nothing is remembered.
func (s *Store) track(ctx context.Context) { s.untracked = s.db.Track(ctx, tracked, s.changed) }

func (s *Store) changed(c sqldb.Changes) {
	change := center.Change{All: c.All}
	for _, name := range c.Names {
		if id, ok := strings.CutPrefix(name, userChanged); ok {
			change.Users = append(change.Users, center.UserID(id))
		} else if name == credentialChanged {
			change.Credentials = true
		} else {
			change.All = true // a later release's
		}
	}
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	for _, watch := range s.watchers.all {
		watch(change)
	}
}

// Watch implements center.Store.
func (s *Store) Watch(watch func(center.Change)) {
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	s.watchers.all = append(s.watchers.all, watch)
}

// Current implements center.Store.
func (s *Store) Current(ctx context.Context) bool { return s.db.Current(ctx) }

// Proves implements center.Store.
func (s *Store) Proves() bool { return s.db.Proves() }
