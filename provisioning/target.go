package provisioning

import (
	"context"

	"github.com/gatehouse-id/gatehouse/scim"
)

// Target is a service that the engine brings into line with a source. SCIM makes one of a SCIM
// service provider. What it has is read as SCIM resources, and what it refuses is a scim.Problem;
// no answer is a scim.Unanswered.
type Target interface {
	// Address says where the target is, for people.
	Address() string
	Traits() Traits
	targetReader
	targetWriter
}

type targetReader interface {
	// Find returns the objects whose attribute equals value: a matching attribute, externalId, or
	// emails.value for any address; the first of them, or, by members.value, all groups of a
	// member. Members are left out. With ErrNoPages there may be more than are returned.
	Find(ctx context.Context, kind Kind, attribute, value string) ([]scim.Resource, error)
	// Page returns some of the objects of a kind, without members; from is empty, or Next of the
	// page before. It fails with ErrNoPages where the target cannot be read in pages.
	Page(ctx context.Context, kind Kind, from string) (Page, error)
	// Get returns one object without its members, or a scim.Problem with status 404.
	Get(ctx context.Context, kind Kind, id string) (scim.Resource, error)
	// Members lists a group's members. told is false where the target does not tell: then HasMember
	// is asked for each.
	Members(ctx context.Context, group string) (ids []string, told bool, err error)
	HasMember(ctx context.Context, group, id string) (bool, error)
	// Rules are what the target is known to refuse.
	Rules(ctx context.Context) (Rules, error)
}

type targetWriter interface {
	// Create makes an object of attributes, by SCIM path, and returns its id.
	Create(ctx context.Context, kind Kind, attributes map[string]string) (id string, err error)
	// Update changes attributes of an object that had some before.
	Update(ctx context.Context, kind Kind, id string, changes []Change, had map[string]string) error
	Delete(ctx context.Context, kind Kind, id string) error
	// ChangeMembers adds or removes members of a group: no more than MaxMembers. To add one who is
	// a member, or remove one who is none, is no failure.
	ChangeMembers(ctx context.Context, group string, add bool, ids []string) error
}

// Traits are what the engine must know of a target.
type Traits struct {
	// Forgiving says that it may take a member, or a manager, that it does not know, and not say
	// so.
	Forgiving bool
	// FindsAddresses says that it finds any email address, of whichever type.
	FindsAddresses bool
	// Deaf says that it cannot be told that a user is disabled. To disable one ends all memberships
	// there, and Engine.LeaverGrace afterwards the user is deleted.
	Deaf bool
	// OneValue says that a list holds one value, and a new one takes the place of another.
	OneValue bool
}

// Page is some of the objects that a target has of a kind.
type Page struct {
	Resources []scim.Resource
	Next      string // where the next page begins; empty: this is the last one
	Total     int    // how many objects there are; 0: it does not say
	Unsure    bool   // it has not said that there is a next one, which may be refused, or fail
}
