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

// Query pages through users or groups in the order of their ids.
type Query struct {
	After  string
	Limit  int    // 0: no limit
	Search string // the beginning or part of a name, ignoring letter case
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
}
