package center

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// Store keeps a center. Its functions may be called by many goroutines. They fail with
// StoreUnavailable when the database cannot be reached or written at the moment.
type Store interface {
	// View runs fn on one consistent snapshot. fn may run more than once.
	View(ctx context.Context, fn func(Reader) error) error

	// Get is View for an fn that calls one method: one statement is consistent by itself, and costs
	// less.
	Get(ctx context.Context, fn func(Reader) error) error

	// Update runs fn in a serializable transaction that is durable when Update returns nil. fn may
	// run more than once (the database asked for a retry) and together with others (writes that
	// arrive together are committed together), so it must have no effect but on its Tx. If fn
	// fails, nothing of it remains.
	Update(ctx context.Context, fn func(Tx) error) error

	// Shared says whether other processes may write to the same data, so that nothing read may be
	// remembered between requests.
	Shared() bool

	Close() error
}

// Reader reads. Every method is one statement and decides nothing; one that looks for a single row
// returns refusal.ErrNoRow when there is none. Lists come in the order of their keys.
type Reader interface {
	Instance() (Instance, error)

	User(UserID) (User, error)
	UserByName(string) (User, error)       // ignores letter case
	UserByEmail(string) (User, error)      // ignores letter case
	UserByExternalID(string) (User, error) // exact
	// UsersHolding returns who has one of the keys: user name and e-mail address ignoring letter
	// case, external id exactly. Empty keys match nobody.
	UsersHolding(userName, email, externalID string) ([]UserKeys, error)
	Users(UserQuery) ([]User, error)
	CountUsers(UserQuery) (int, error)

	Group(GroupID) (Group, error)
	GroupByName(string) (Group, error) // ignores letter case
	GroupByExternalID(string) (Group, error)
	Groups(GroupQuery) ([]Group, error)
	CountGroups(GroupQuery) (int, error)

	Membership(MembershipID) (Membership, error)
	MembershipOf(GroupID, UserID) (Membership, error)
	Memberships(MembershipQuery) ([]Membership, error)
	CountMemberships(MembershipQuery) (int, error)
	Members(GroupID) ([]Member, error)
	GroupsOf(UserID) ([]Group, error)

	IdentitySource() (IdentitySource, error)
	ProvisioningTenant() (ProvisioningTenant, error)
	BearerToken(id string) (BearerToken, error)
	BearerTokenByDigest(string) (BearerToken, error)
	BearerTokens() ([]BearerToken, error)

	Account(id string) (Account, error)
	Accounts() ([]Account, error)
	CountAccounts() (int, error)
	AccountsOf(AccessQuery) ([]Account, error)
	RolesOf(user UserID, account string) ([]PermissionSet, error) // in the order of names
	RoleOf(user UserID, account, permissionSet string) (Role, error)
	PermissionSet(arn string) (PermissionSet, error)
	PermissionSetByName(string) (PermissionSet, error)
	PermissionSets(PermissionSetQuery) ([]PermissionSet, error)
	CountPermissionSets() (int, error)
	Provisioned(account, permissionSet string) (Provisioned, error)
	ProvisionedRoles(ProvisionedQuery) ([]Provisioned, error)
	Assignments(AssignmentQuery) ([]Assignment, error)
	AssignmentRequest(id string) (AssignmentRequest, error)
	AssignmentRequests(AssignmentRequestQuery) ([]AssignmentRequest, error)
	AssignmentRule(id string) (AssignmentRule, error)
	AssignmentRules() ([]AssignmentRule, error)
	// AccountsOfRule returns where a rule has assigned, and OriginsOf which rules want an
	// assignment; "" is somebody who made it by hand as well.
	AccountsOfRule(rule string) ([]string, error)
	OriginsOf(Assignment) ([]string, error)
	OrganizationImport() (OrganizationImport, error)
	RoleJob(roleName string) (RoleJob, error)
	// NextRoleJob is the one that has been due for longest, in an account where none is being
	// worked on.
	NextRoleJob(now time.Time) (RoleJob, error)
	RoleJobs(RoleJobQuery) ([]RoleJob, error)
	// WaitingFor returns the requests that wait for a role's job, and CountRoleWaits for how many
	// jobs a request waits.
	WaitingFor(roleName string) ([]AssignmentRequest, error)
	CountRoleWaits(request string) (int, error)
	// LeastChecked is the role that was compared with IAM longest ago, before a time.
	LeastChecked(before time.Time) (Provisioned, error)

	InstanceSettings() (InstanceSettings, error)
	Application(arn string) (Application, error)
	Applications(after string, limit int) ([]Application, error)
	CountApplications() (int, error)
	ApplicationAssignments(ApplicationAssignmentQuery) ([]ApplicationAssignment, error)
	TokenIssuer(arn string) (TokenIssuer, error)
	TokenIssuers() ([]TokenIssuer, error)
	ClientToken(id string) (ClientToken, error)

	AccessKey(id string) (AccessKey, error)
	AccessKeys() ([]AccessKey, error)
	Administrator(name string) (Administrator, error) // ignores letter case
	Administrators() ([]Administrator, error)
	Password(principal string) (Password, error)
	Session(digest string) (Session, error)
	SessionsOf(UserID) ([]Session, error)
	SignInSettings() (SignInSettings, error)
	RequestKey() (RequestKey, error)
	FederationKey() (RequestKey, error)
	Ticket(purpose Purpose, digest string) (Ticket, error)
	TicketsOf(purpose Purpose, principal string) ([]Ticket, error) // in the order of their expiry
	MFADevice(id string) (MFADevice, error)
	MFADevicesOf(principal string) ([]MFADevice, error)
	UsedAssertion(id string) (UsedAssertion, error)
	ClientGrant(digest string) (ClientGrant, error)
	ClientGrantByUserCode(digest string) (ClientGrant, error)

	Events(EventQuery) ([]audit.Event, error)
}

// Tx reads and writes. Put adds or replaces by key, but where there is an Add it only replaces;
// deleting what is not there is no error.
type Tx interface {
	Reader

	// Writes counts what this process has begun to write, events apart, also what was then undone.
	// Where no other process writes (Store.Shared is false), what a transaction has read is still
	// so in a later one with the same count, if the first was committed: transactions follow one
	// another.
	Writes() uint64

	PutInstance(Instance) error

	// AddUser says whether the user was added: false when another one has its id, user name, e-mail
	// address or external id. AddUser, AddMember and AddMembers may say at first that all were
	// added, and have Update run its function again when that turns out to be wrong.
	AddUser(User) (bool, error)
	PutUser(User) error
	// PutUser for a user whose name, address, external id and display name are as they were
	PutUserKeepingKeys(User) error
	DeleteUser(UserID) error
	AddGroup(Group) error
	PutGroup(Group) error
	// TouchGroup counts a change of a group's members.
	TouchGroup(id GroupID, at time.Time, by string) error
	DeleteGroup(GroupID) error
	// AddMember adds one user and says whether it did: false when there is no such group or user,
	// or the user is a member already. m is the membership when Update returns.
	AddMember(group GroupID, user UserID, at time.Time, by string, m *Membership) (bool, error)
	// AddMembers adds users, each named once, and says how many were added: who is a member
	// already, or does not exist, is passed over. To a group that does not exist nobody is added.
	AddMembers(group GroupID, users []UserID, at time.Time, by string) (int, error)
	RemoveMembers(GroupID, []UserID) error
	DeleteMembershipsOf(UserID) error
	DeleteMembershipsIn(GroupID) error

	PutIdentitySource(IdentitySource) error
	PutProvisioningTenant(ProvisioningTenant) error
	DeleteProvisioningTenant() error
	PutBearerToken(BearerToken) error
	DeleteBearerToken(id string) error

	PutAccount(Account) error
	PutPermissionSet(PermissionSet) error
	DeletePermissionSet(arn string) error
	PutAssignment(Assignment) error
	DeleteAssignment(Assignment) error
	PutAssignmentRequest(AssignmentRequest) error
	PutProvisioned(Provisioned) error
	// MarkProvisioned notes the revision that a permission set is provisioned with, in one account
	// or ("") in all where it is.
	MarkProvisioned(permissionSet, account string, revision int64) error
	DeleteProvisioned(account, permissionSet string) error
	PutAssignmentRule(AssignmentRule) error
	DeleteAssignmentRule(id string) error
	PutOrigin(rule string, a Assignment) error
	DeleteOrigin(rule string, a Assignment) error
	PutOrganizationImport(OrganizationImport) error
	PutRoleJob(RoleJob) error
	DeleteRoleJob(roleName string) error
	// QueueRoles makes a job for a permission set's roles, in one account or ("") in all where it
	// is provisioned, which a request waits for. It returns how many.
	QueueRoles(permissionSet, account, request string, due time.Time) (int, error)
	PutRoleWait(roleName, request string) error
	DeleteRoleWaits(roleName string) error
	// PutDrift notes how a role differs in IAM, and ForgetChecks that the roles of an account, or
	// ("") all, are to be looked at again.
	PutDrift(roleName string, checked time.Time, drift []string) error
	ForgetChecks(account string) error

	PutInstanceSettings(InstanceSettings) error
	PutApplication(Application) error
	DeleteApplication(arn string) error
	PutApplicationAssignment(ApplicationAssignment) error
	DeleteApplicationAssignment(ApplicationAssignment) error
	DeleteApplicationAssignmentsOf(arn string) error
	PutTokenIssuer(TokenIssuer) error
	DeleteTokenIssuer(arn string) error
	PutClientToken(ClientToken) error

	PutAccessKey(AccessKey) error
	DeleteAccessKey(id string) error
	PutAdministrator(Administrator) error
	DeleteAdministrator(name string) error
	PutPassword(Password) error
	DeletePassword(principal string) error
	PutSession(Session) error
	DeleteSession(digest string) error
	DeleteSessionsOf(UserID) error
	PutSignInSettings(SignInSettings) error
	PutRequestKey(RequestKey) error
	PutFederationKey(RequestKey) error
	PutTicket(Ticket) error
	DeleteTicket(purpose Purpose, digest string) error
	DeleteTicketsOf(purpose Purpose, principal string) error
	PutMFADevice(MFADevice) error
	DeleteMFADevice(id string) error
	DeleteMFADevicesOf(principal string) error
	PutUsedAssertion(UsedAssertion) error
	PutClientGrant(ClientGrant) error
	DeleteClientGrant(digest string) error
	KeepClientGrantsOf(holder string, newest int) error // deletes the others, which expire first
	// KeepWaitingClientGrants leaves so many of those that wait for a person where there are more
	// than most: those that are not over first, and of them the newest of each holder in turn, so
	// that who has most loses first.
	KeepWaitingClientGrants(most, left int, now time.Time) error
	DeleteClientGrantsOf(holder string) error

	// DeleteExpired removes sessions, tickets, grants, used assertions and client tokens whose time
	// is over.
	DeleteExpired(now time.Time) error
	// DeleteRequests removes requests that were made before and wait for nothing.
	DeleteRequests(before time.Time) error

	AppendEvent(audit.Event) error // what is kept of it is bounded
	// DeleteEvents removes up to limit events from before a time, the oldest first: all, or
	// refusals of strangers only. It returns how many.
	DeleteEvents(before time.Time, strangers bool, limit int) (int, error)
}

// EventQuery selects audit events, newest first. What strangers sent to earlier releases can be so
// large that fewer are listed than there are.
type EventQuery struct {
	RequestID string    // only the events of one request
	Before    time.Time // only older ones; zero: any
	Since     time.Time // only these and newer ones; zero: any
	Limit     int       // 0: 100
}
