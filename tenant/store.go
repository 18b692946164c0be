package tenant

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// Store keeps a tenant. Its functions may be called by many goroutines; View and Update promise
// what center.Store's do.
type Store interface {
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
	Close() error
}

// Reader reads. Every method is one statement and decides nothing; one that looks for a single row
// returns refusal.ErrNoRow when there is none.
type Reader interface {
	Organization() (Organization, error)

	User(id string) (User, error)
	UserByPrincipalName(string) (User, error) // ignores letter case
	Users(Query) ([]User, error)
	CountUsers() (int, error)

	Group(id string) (Group, error)
	GroupsByName(string) ([]Group, error) // names need not be unique
	Groups(Query) ([]Group, error)
	CountGroups() (int, error)
	Members(groupID string) ([]Member, error)
	MembersAfter(groupID, after string, limit int) ([]Member, error) // in the order of the members' ids
	Member(groupID, memberID string) (Member, error)
	MemberOf(memberID string) ([]Member, error)

	Application(id string) (Application, error) // by object id, app id or service principal id
	Applications() ([]Application, error)
	Assignments(AssignmentQuery) ([]Assignment, error)
	Assignment(id string) (Assignment, error)

	Job(id string) (Job, error)
	Jobs(servicePrincipalID string) ([]Job, error) // all jobs when empty
	Link(jobID string, kind ObjectKind, sourceID string) (Link, error)
	LinkTo(jobID string, kind ObjectKind, targetID string) (Link, error)
	LinksOfReports(jobID, managerID string) ([]Link, error)
	Links(jobID string) ([]Link, error)
	FailedLinks(jobID string) ([]Link, error)
	CountLinks(jobID string, kind ObjectKind) (int, error) // only those that are at the target
	Log(LogQuery) ([]LogEntry, error)
	Marks(after int64) (marks []Mark, last int64, err error)
	Journal(kind ObjectKind, after int64, limit int) ([]Change, error) // in the order of their numbers

	Client(id string) (Client, error)
	Clients() ([]Client, error)
	Grant(digest string) (Grant, error)
	GrantByUserCode(code string) (Grant, error)
	Administrator(name string) (Administrator, error)
	Administrators() ([]Administrator, error)
	Password(principal string) (Password, error)
	Factors(userID string) (Factors, error)
	Session(digest string) (Session, error)
	SessionsOf(userID string) ([]Session, error)

	Note(name string) (string, error)
	Policy(id string) (Policy, error)
	Policies() ([]Policy, error)

	Events(limit int) ([]audit.Event, error)
}

// Tx reads and writes. Put adds or replaces by key; deleting what is not there is no error.
type Tx interface {
	Reader

	PutOrganization(Organization) error
	PutUser(User) error
	DeleteUser(id string) error
	PutGroup(Group) error
	DeleteGroup(id string) error
	PutMember(Member) error
	DeleteMember(groupID, memberID string) error
	DeleteMembersOf(objectID string) error // as group and as member

	PutApplication(Application) error
	PutAssignment(Assignment) error
	DeleteAssignment(id string) error

	PutJob(Job) error
	DeleteJob(id string) error
	PutLink(Link) error
	DeleteLink(jobID string, kind ObjectKind, sourceID string) error
	AppendLog([]LogEntry) error
	AppendMarks([]Change) error                      // gives them their numbers
	DeleteMarks(before int64, older time.Time) error // the newest stays: numbers go on from it
	DeleteLog(before time.Time) error

	PutClient(Client) error
	DeleteClient(id string) error
	PutGrant(Grant) error
	DeleteGrant(digest string) error
	DeleteGrants(expired time.Time) error
	KeepGrantsOf(holder string, newest int) error // deletes the others, which expire first
	// KeepWaitingGrants leaves so many of the device codes that nobody has answered where there are
	// more than most: those that are not over first, and of them the newest of each holder in turn,
	// so that who has most loses first.
	KeepWaitingGrants(most, left int, now time.Time) error
	DeleteGrantsOf(accountID string) error
	PutAdministrator(Administrator) error
	DeleteAdministrator(name, principal string) error // with the password and the second factors
	PutPassword(Password) error
	PutFactors(Factors) error
	PutSession(Session) error
	DeleteSession(digest string) error
	DeleteSessionsOf(userID string) error
	DeleteSessions(expired time.Time) error

	PutNote(name, text string) error
	PutPolicy(Policy) error
	DeletePolicy(id string) error

	AppendEvent(audit.Event) error // what is kept of it is bounded
	// DeleteEvents removes up to limit events from before a time, the oldest first: all, or
	// refusals of strangers only. It returns how many.
	DeleteEvents(before time.Time, strangers bool, limit int) (int, error)
}

// Query pages through users or groups in the order of their ids.
type Query struct {
	After  string
	Limit  int    // 0: no limit
	Search string // the beginning or part of a name, ignoring letter case
}

// AssignmentQuery selects app role assignments. Fields that are set narrow the result together.
type AssignmentQuery struct {
	ServicePrincipalID string
	PrincipalID        string
}

// LogQuery selects entries of the provisioning log, newest first.
type LogQuery struct {
	JobID   string
	CycleID string
	Status  string // success, failure or skipped; empty: any
	Limit   int    // 0: 100
}
