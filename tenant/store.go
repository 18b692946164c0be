package tenant

import (
	"context"
	"time"
)

// Store keeps a tenant. Its functions may be called by many goroutines; View and Update promise
// what center.Store's do.
type Store interface {
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error

	// Ready fails unless the store can be read and written at the moment, with a schema that is not
	// older than this release's.
	Ready(ctx context.Context) error

	// Shared says whether other nodes may have the store open too.
	Shared() bool
	Close() error
}

// Reader reads. Every method is one statement and decides nothing; one that looks for a single row
// returns refusal.ErrNoRow when there is none.
type Reader interface {
	clockReader
	organizationReader
	userReader
	groupReader
	memberReader
	applicationReader
	assignmentReader
	deletedReader
	roleReader
	securityReader
	jobReader
	linkReader
	formerReader
	noticeReader
	leaseReader
	logReader
	changeReader
	clientReader
	permissionGrantReader
	grantReader
	administratorReader
	passwordReader
	factorsReader
	sessionReader
	noteReader
	policyReader
	eventReader
}

// Tx reads and writes. Put adds or replaces by key; deleting what is not there is no error.
type Tx interface {
	Reader

	organizationWriter
	userWriter
	groupWriter
	memberWriter
	applicationWriter
	assignmentWriter
	deletedWriter
	roleWriter
	securityWriter
	jobWriter
	linkWriter
	formerWriter
	noticeWriter
	leaseWriter
	logWriter
	changeWriter
	clientWriter
	permissionGrantWriter
	grantWriter
	administratorWriter
	passwordWriter
	factorsWriter
	sessionWriter
	noteWriter
	policyWriter
	eventWriter
}

// Query selects users or groups.
type Query struct {
	After   string
	Limit   int    // 0: no limit
	Search  string // words that are parts of a name, ignoring letter case
	Enabled *bool  // only users who are enabled, or disabled
	Guests  *bool  // only users who are guests, or who are not
	// Assigned narrows to those that an application is assigned to, or none is: to a user also by a
	// group that they are a direct member of.
	Assigned   *bool
	By         Order
	Descending bool
	Offset     int
}

// Order is the order of a list; the zero value is that of the ids.
type Order int

// The orders of lists.
const (
	ByName          Order = iota + 1 // by display name
	ByPrincipalName                  // of users
	ByKind                           // users before groups
	ByRole                           // of assignments
	ByLinkState                      // how they stand at the target of a job
)

// PrincipalQuery selects users and groups: the members of a group, or whom an application is
// assigned to. Without an order they are in that of their names.
type PrincipalQuery struct {
	GroupID            GroupID
	ServicePrincipalID ServicePrincipalID // if there is no group
	Kind               ObjectKind         // empty: users and groups
	Search             string             // words that are parts of a name, ignoring letter case
	// Roles are those of the application, with DefaultAccess, in the order that ByRole goes by.
	// Assignments with none of them have DefaultAccess.
	Roles  []AppRoleID
	RoleID AppRoleID // one of Roles; empty: any
	// JobID is the job of which Principal.State is said.
	JobID         JobID
	State         LinkState // empty: any
	By            Order
	Descending    bool
	Offset, Limit int // 0: no limit
}

// Principal is a user or a group of such a list, with the assignment if it is one of assignments.
type Principal struct {
	Kind       ObjectKind
	ID         PrincipalID
	User       User
	Group      Group
	Assignment Assignment
	State      LinkState // at the target of the query's job
}

// Name is the name that the list is in order of.
func (p Principal) Name() string {
	if p.Kind == KindGroup {
		return p.Group.DisplayName
	}
	return p.User.DisplayName
}

// Detail is what tells principals of one name apart.
func (p Principal) Detail() string {
	if p.Kind == KindGroup {
		return p.Group.Description
	}
	return p.User.UserPrincipalName
}

// AssignmentQuery selects app role assignments. Fields that are set narrow the result together.
type AssignmentQuery struct {
	ServicePrincipalID ServicePrincipalID
	PrincipalID        PrincipalID
}

// LogQuery selects entries of the provisioning log, newest first.
type LogQuery struct {
	JobID       JobID
	CycleID     string
	Status      string // success, failure or skipped; empty: any
	Limit       int    // 0: 100
	OldestFirst bool
	// AfterTime and AfterID are those of the entry after which to go on; no time: from the
	// beginning.
	AfterTime time.Time
	AfterID   string
	Since     time.Time // only entries of then and later
	Name      string    // only of objects with this part of a name, ignoring letter case
	Action    string
}
