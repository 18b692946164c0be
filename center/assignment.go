package center

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// PrincipalType says what an assignment is for.
type PrincipalType string

// The types of principal.
const (
	PrincipalUser  PrincipalType = "USER"
	PrincipalGroup PrincipalType = "GROUP"
)

// Assignment gives a user or a group a permission set in an account.
type Assignment struct {
	AccountID        string
	PermissionSetARN string
	PrincipalType    PrincipalType
	PrincipalID      string
}

// AssignmentQuery selects assignments, in the order of account, permission set, type and principal.
// Fields that are set narrow the result together.
type AssignmentQuery struct {
	AccountID        string
	PermissionSetARN string
	PrincipalType    PrincipalType
	PrincipalID      string
	HeldBy           UserID // only those of the user and of the user's groups
	Words            []AssignmentWord
	By               AssignmentOrder
	Descending       bool       // the other way round, unless they are in the order of ids
	After            Assignment // only those that sort after this one; zero: all
	Offset           int
	Limit            int // 0: all
}

// AssignmentOrder is what assignments are in order of.
type AssignmentOrder string

// The orders. What is equal in one is in the order of ids: of accounts, permission sets,
// principals.
const (
	ByAccountID     AssignmentOrder = ""
	ByAccountName   AssignmentOrder = "account"
	BySetName       AssignmentOrder = "set"
	ByPrincipalName AssignmentOrder = "who"
)

// AssignmentWord is a word of a search, as what it matches: an assignment must be of one of the
// accounts, of one of the permission sets, or to one of the principals.
type AssignmentWord struct{ Accounts, PermissionSets, Principals []string }

// RequestKind says what an assignment request does.
type RequestKind string

// The kinds of request.
const (
	Creation RequestKind = "CREATION"
	Deletion RequestKind = "DELETION"
	// Provisions is a request to bring the current permission set to accounts; its Assignment names
	// the set, and the account unless all are meant.
	Provisions RequestKind = "PROVISIONING"
)

// RequestStatus is how far a request has come. Where nobody keeps roles in IAM (Center.Roles) it is
// decided at once, so a client that polls finds the end at its first look.
type RequestStatus string

// The statuses.
const (
	InProgress RequestStatus = "IN_PROGRESS"
	Succeeded  RequestStatus = "SUCCEEDED"
	Failed     RequestStatus = "FAILED"
)

// AssignmentRequest is the record of a creation, deletion or provisioning, which clients poll.
type AssignmentRequest struct {
	ID            string
	Kind          RequestKind
	Status        RequestStatus
	FailureReason string
	Assignment    Assignment
	Origin        string `json:",omitempty"` // the rule or the window that wants it; empty: somebody by hand
	CreatedAt     time.Time
}

// AssignmentRequestQuery selects requests, newest first.
type AssignmentRequestQuery struct {
	Kind   RequestKind
	Status RequestStatus // empty: any
	Before string        // only those whose id sorts before this one, which are older; empty: all
	Limit  int           // 0: all
}

// assignmentReader reads assignments and the requests for them.
type assignmentReader interface {
	Assignments(AssignmentQuery) ([]Assignment, error)
	// CountAssignments says how many there are without the limits of a query.
	CountAssignments(AssignmentQuery) (int, error)
	AssignmentRequest(id string) (AssignmentRequest, error)
	AssignmentRequests(AssignmentRequestQuery) ([]AssignmentRequest, error)
}

// assignmentWriter writes assignments and the requests for them.
type assignmentWriter interface {
	PutAssignment(Assignment) error
	DeleteAssignment(Assignment) error
	PutAssignmentRequest(AssignmentRequest) error
	// DeleteRequests removes requests that were made before and wait for nothing.
	DeleteRequests(before time.Time) error
}

// requestsKept is how long requests can be looked up. Source: our own choice; the API reference
// says nothing.
const requestsKept = 30 * 24 * time.Hour //bound:life the state of a request to assign or provision

// CreateAssignment gives a principal a permission set in an account, and provisions the set there.
// Repeating it succeeds. Where the role must be made in IAM first, the request is in progress and
// the assignment comes into being with the role, or not at all. It fails with AccountNotFound,
// PermissionSetNotFound, UserNotFound or GroupNotFound.
func (c *Center) CreateAssignment(ctx context.Context, by audit.Actor, a Assignment) (AssignmentRequest, error) {
	request := AssignmentRequest{ID: c.NewID(), Kind: Creation, Assignment: a, CreatedAt: c.now()}
	err := c.change(ctx, by, ActionCreateAccountAssignment, func(tx Tx) (string, error) {
		if err := c.assign(tx, &request); err != nil {
			return a.subject(), err
		}
		origins, err := tx.OriginsOf(a)
		if err == nil && len(origins) > 0 {
			err = tx.PutOrigin(byHand, a)
		}
		return a.subject(), err
	})
	c.wakeRoleWorkers()
	return request, err
}

// assign does what a request for an assignment asks for, at once or by a job that the request waits
// for. A refusal comes before anything is written.
func (c *Center) assign(tx Tx, request *AssignmentRequest) error {
	a := request.Assignment
	request.Status = Succeeded
	set, err := checkAssignment(tx, a)
	if err != nil {
		return err
	}
	if err := checkGroups(tx, a); err != nil {
		return err
	}
	_, err = tx.Provisioned(a.AccountID, a.PermissionSetARN)
	switch {
	case errors.Is(err, refusal.ErrNoRow) && c.Roles != nil:
		if err := c.queueNewRole(tx, a.AccountID, set, request.ID); err != nil {
			return err
		}
		request.Status = InProgress
		return tx.PutAssignmentRequest(*request)
	case errors.Is(err, refusal.ErrNoRow):
		if err := roomForRole(tx, a.AccountID); err != nil {
			return err
		}
		err = tx.PutProvisioned(Provisioned{
			AccountID:        a.AccountID,
			PermissionSetARN: set.ARN,
			Revision:         set.Revision,
			RoleName:         set.newRoleName(),
		})
	}
	return errors.Join(err, tx.PutAssignment(a), tx.PutAssignmentRequest(*request))
}

// Quotas of assignments. Source: user guide, quotas.
const (
	maxSetsInAccount = 500 //bound:rows permission sets in one account
	//bound:rows groups that hold one permission set in one account
	maxGroupsOfSet = 100 // that hold one permission set in one account
)

// checkGroups refuses an assignment that would be one group too many. One that is there already
// adds nothing.
func checkGroups(r assignmentReader, a Assignment) error {
	if a.PrincipalType != PrincipalGroup {
		return nil
	}
	groups, err := r.Assignments(AssignmentQuery{
		AccountID:        a.AccountID,
		PermissionSetARN: a.PermissionSetARN,
		PrincipalType:    PrincipalGroup,
		Limit:            maxGroupsOfSet,
	})
	if err == nil && len(groups) == maxGroupsOfSet && !slices.Contains(groups, a) {
		err = &refusal.Error{
			Code:    QuotaExceeded,
			Subject: a.subject(),
			Detail:  "at most 100 groups with one permission set in an account",
		}
	}
	return err
}

// roomForRole refuses one role too many in an account.
func roomForRole(r provisionedReader, account string) error {
	sets, err := r.ProvisionedRoles(ProvisionedQuery{AccountID: account, Limit: maxSetsInAccount})
	if err == nil && len(sets) == maxSetsInAccount {
		err = &refusal.Error{Code: QuotaExceeded, Subject: account, Detail: "at most 500 permission sets in an account"}
	}
	return err
}

func (a Assignment) subject() string {
	return a.AccountID + "/" + a.PermissionSetARN + "/" + a.PrincipalID
}

func checkAssignment(tx Reader, a Assignment) (PermissionSet, error) {
	if _, err := tx.Account(a.AccountID); err != nil {
		return PermissionSet{}, refusal.IfNoRow(err, AccountNotFound, a.AccountID)
	}
	set, err := tx.PermissionSet(a.PermissionSetARN)
	if err != nil {
		return set, refusal.IfNoRow(err, PermissionSetNotFound, a.PermissionSetARN)
	}
	return set, checkPrincipal(tx, a.PrincipalType, a.PrincipalID)
}

// checkPrincipal refuses a principal that is not there.
func checkPrincipal(r Reader, of PrincipalType, id string) error {
	switch of {
	case PrincipalUser:
		_, err := r.User(UserID(id))
		return refusal.IfNoRow(err, UserNotFound, id)
	case PrincipalGroup:
		_, err := r.Group(GroupID(id))
		return refusal.IfNoRow(err, GroupNotFound, id)
	}
	return &refusal.Error{Code: InvalidValue, Field: "PrincipalType", Detail: "use USER or GROUP"}
}

// DeleteAssignment takes a permission set from a principal. When there is no such assignment the
// request is recorded as failed, as the real service does. The principal may no longer exist. With
// the last assignment of a permission set in an account, its role is retired there: the access is
// gone at once, and the request is in progress until the role has gone from IAM too. Where that
// failed, deleting the assignment again tries again.
func (c *Center) DeleteAssignment(ctx context.Context, by audit.Actor, a Assignment) (AssignmentRequest, error) {
	request := AssignmentRequest{ID: c.NewID(), Kind: Deletion, Assignment: a, CreatedAt: c.now()}
	err := c.change(ctx, by, ActionDeleteAccountAssignment, func(tx Tx) (string, error) {
		request.Status, request.FailureReason = Succeeded, ""
		origins, err := tx.OriginsOf(a)
		if err == nil && slices.ContainsFunc(origins, isWindow) {
			return a.subject(), c.unassignWindows(tx, by, &request, origins)
		}
		switch {
		case err != nil:
			return a.subject(), err
		case len(origins) == 0:
			if _, err := tx.PermissionSet(a.PermissionSetARN); err != nil { // as when one is made
				return a.subject(), refusal.IfNoRow(err, PermissionSetNotFound, a.PermissionSetARN)
			}
			return a.subject(), c.unassign(tx, &request)
		case origins[0] == byHand: // it stays, since rules want it too
			return a.subject(), errors.Join(tx.DeleteOrigin(byHand, a), tx.PutAssignmentRequest(request))
		}
		request.Status, request.FailureReason = Failed, followsRule(origins[0])
		return a.subject(), tx.PutAssignmentRequest(request)
	})
	c.wakeRoleWorkers()
	return request, err
}

// followsRule is why an assignment that a rule wants is not deleted.
func followsRule(rule string) string {
	return "Received a 409 status error: The assignment follows the assignment rule " + rule +
		". Delete the rule, or move the account out of it."
}

// unassign does what a request to take an assignment back asks for. Where there is none the request
// fails.
func (c *Center) unassign(tx Tx, request *AssignmentRequest) error {
	a := request.Assignment
	request.Status, request.FailureReason = Succeeded, ""
	there, err := tx.Assignments(AssignmentQuery{
		AccountID:        a.AccountID,
		PermissionSetARN: a.PermissionSetARN,
		Limit:            2,
	})
	if err != nil {
		return err
	}
	found, err := tx.Assignments(AssignmentQuery{
		AccountID:        a.AccountID,
		PermissionSetARN: a.PermissionSetARN,
		PrincipalType:    a.PrincipalType,
		PrincipalID:      a.PrincipalID,
		Limit:            1,
	})
	switch {
	case err != nil:
		return err
	case len(found) == 0 && c.Roles != nil:
		return c.retireAgain(tx, request)
	case len(found) == 0:
		request.Status, request.FailureReason = Failed, c.noAssignment(a)
		return tx.PutAssignmentRequest(*request)
	case len(there) == 1:
		err = c.retireRole(tx, request)
	}
	return errors.Join(err, tx.DeleteAssignment(a), tx.PutAssignmentRequest(*request))
}

// Refused is why the request failed, as a refusal: nil unless it has.
func (r AssignmentRequest) Refused() error {
	reason, gone := strings.CutPrefix(r.FailureReason, "Received a 404 status error: ")
	switch {
	case r.Status != Failed:
		return nil
	case gone:
		return &refusal.Error{Code: AssignmentNotFound}
	}
	if of, ruled := strings.CutPrefix(reason, "Received a 409 status error: The assignment "); ruled {
		of, _, _ = strings.Cut(of, ". ")
		reason = "it " + of
	}
	return &refusal.Error{Code: AssignmentStays, Detail: reason}
}

// noAssignment is what AWS says of an assignment that is not there. Source: the Terraform provider,
// which takes it for a deletion that is done.
func (c *Center) noAssignment(a Assignment) string {
	return "Received a 404 status error: EntitlementItem doesn't exist with the given entitlement key " +
		"EntitlementKey{accessorId=AccessorId{value=" + a.PrincipalID + "}, resourceId=ResourceId{value=" +
		a.AccountID + "}, auxiliaryResourceId=AuxiliaryResourceId{value=" + a.PermissionSetARN +
		"}, containerId=ContainerId{value=" + c.Instance.ARN + "}}"
}

// AssignmentRequest returns the record of a request, or RequestNotFound.
func (c *Center) AssignmentRequest(ctx context.Context, kind RequestKind, id string) (a AssignmentRequest, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		a, err = r.AssignmentRequest(id)
		if err == nil && a.Kind != kind {
			err = refusal.ErrNoRow
		}
		return refusal.IfNoRow(err, RequestNotFound, id)
	})
	return a, err
}

// AssignmentRequests lists requests, newest first.
func (c *Center) AssignmentRequests(
	ctx context.Context, q AssignmentRequestQuery,
) (list []AssignmentRequest, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.AssignmentRequests(q)
		return err
	})
	return list, err
}

// Assignments lists assignments.
func (c *Center) Assignments(ctx context.Context, q AssignmentQuery) (list []Assignment, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.Assignments(q)
		return err
	})
	return list, err
}
