package center

import (
	"context"
	"time"
)

// Store keeps a center. Its functions may be called by many goroutines. They fail with
// StoreUnavailable when the database cannot be reached or written at the moment.
type Store interface {
	// View runs fn on one consistent snapshot. fn may run more than once.
	View(ctx context.Context, fn func(Reader) error) error

	// Get is View for an fn that calls one method: a single statement is always consistent, and
	// costs less.
	Get(ctx context.Context, fn func(Reader) error) error

	// Update runs fn in a serializable transaction that is durable when Update returns nil. fn may
	// run more than once (the database asked for a retry) and together with others (writes that
	// arrive together are committed together), so it must have no effect but on its Tx. If fn
	// fails, nothing of it remains.
	Update(ctx context.Context, fn func(Tx) error) error

	// Ready fails unless the store can be read and written at the moment, with a schema that is not
	// older than this release's.
	Ready(ctx context.Context) error

	// Shared says whether other processes may write to the same data, so that what was read may be
	// remembered between requests only where Current is asked before it is used.
	Shared() bool

	// Current says whether what Get has read earlier of users, access keys, bearer tokens and the
	// provisioning tenant, and Watch has not told of since, is still so at some moment after the
	// call. It costs a way to the database, which calls at the same time share.
	Current(ctx context.Context) bool

	// Proves says whether Current may ever say yes: other databases than PostgreSQL's own cannot
	// know.
	Proves() bool

	// Watch has a function told of changes by whatever process. Each is told before a Current
	// returns true to which it matters.
	Watch(func(Change))

	Close() error
}

// Change is what may have changed.
type Change struct {
	Users       []UserID
	Credentials bool // access keys, bearer tokens, the provisioning tenant
	All         bool
}

// Reader reads. Every method is one statement and decides nothing; one that looks for a single row
// returns refusal.ErrNoRow when there is none. Lists come in the order of their keys.
type Reader interface {
	instanceReader
	userReader
	groupReader
	membershipReader
	identitySourceReader
	provisioningReader
	accountReader
	accountLabelReader
	accessReader
	permissionSetReader
	provisionedReader
	assignmentReader
	assignmentRuleReader
	organizationImportReader
	roleJobReader
	roleSessionReader
	requestPolicyReader
	accessRequestReader
	accessReviewReader
	noticeReader
	revocationReader
	departedReader
	leaverReader
	roleUseReader
	instanceSettingsReader
	instanceControlsReader
	setupReader
	historyReader
	applicationReader
	accessManagerReader
	entitlementReader
	tokenIssuerReader
	idempotencyReader
	accessKeyReader
	administratorReader
	passwordReader
	sessionReader
	openedReader
	signInSettingsReader
	keyReader
	ticketReader
	mfaDeviceReader
	assertionReader
	clientGrantReader
	eventReader
}

// Tx reads and writes. Put adds or replaces by key, but where there is an Add it only replaces;
// deleting what is not there is no error.
type Tx interface {
	Reader

	instanceWriter
	userWriter
	groupWriter
	membershipWriter
	identitySourceWriter
	provisioningWriter
	accountWriter
	accountLabelWriter
	permissionSetWriter
	provisionedWriter
	assignmentWriter
	assignmentRuleWriter
	organizationImportWriter
	roleJobWriter
	roleSessionWriter
	requestPolicyWriter
	accessRequestWriter
	accessReviewWriter
	noticeWriter
	revocationWriter
	departedWriter
	roleUseWriter
	instanceSettingsWriter
	instanceControlsWriter
	setupWriter
	historyWriter
	applicationWriter
	accessManagerWriter
	entitlementWriter
	tokenIssuerWriter
	idempotencyWriter
	accessKeyWriter
	administratorWriter
	passwordWriter
	sessionWriter
	signInSettingsWriter
	keyWriter
	ticketWriter
	mfaDeviceWriter
	assertionWriter
	clientGrantWriter
	eventWriter

	// Writes counts what this process has begun to write, events apart, also what was then undone.
	// Where no other process writes (Store.Shared is false), what a transaction has read is still
	// so in a later one with the same count, if the first was committed: transactions follow one
	// another.
	Writes() uint64

	// DeleteExpired removes sessions, tickets, grants and client tokens whose time was over by one
	// moment, and by another one used assertions and sessions of roles: without these, something
	// would be good again, or could not be revoked.
	DeleteExpired(opens, refuses time.Time) (rows int, err error)
}

// EventQuery selects audit events, newest first. What strangers sent to earlier releases can be so
// large that fewer are listed than there are.
type EventQuery struct {
	RequestID string    // only the events of one request
	Before    time.Time // only older ones; zero: any
	Since     time.Time // only these and newer ones; zero: any
	Limit     int       // 0: 100
}
