package center

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
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

// AssignmentQuery selects assignments. Fields that are set narrow the result together.
type AssignmentQuery struct {
	AccountID        string
	PermissionSetARN string
	PrincipalType    PrincipalType
	PrincipalID      string
	Limit            int
}

// RequestKind says what an assignment request does.
type RequestKind string

// The kinds of request.
const (
	Creation RequestKind = "CREATION"
	Deletion RequestKind = "DELETION"
)

// RequestStatus is how far a request has come. It is decided at once, so a client that polls finds the end at its first look.
type RequestStatus string

// The statuses.
const (
	Succeeded RequestStatus = "SUCCEEDED"
	Failed    RequestStatus = "FAILED"
)

// AssignmentRequest is the record of a creation or deletion, which clients poll.
type AssignmentRequest struct {
	ID            string
	Kind          RequestKind
	Status        RequestStatus
	FailureReason string
	Assignment    Assignment
	CreatedAt     time.Time
}

// AssignmentRequestQuery selects requests, newest first.
type AssignmentRequestQuery struct {
	Kind   RequestKind
	Status RequestStatus // empty: any
	Limit  int
}

// CreateAssignment gives a principal a permission set in an account. Repeating it succeeds. It fails with AccountNotFound,
// PermissionSetNotFound, UserNotFound or GroupNotFound.
func (c *Center) CreateAssignment(ctx context.Context, by audit.Actor, a Assignment) (AssignmentRequest, error) {
	request := AssignmentRequest{ID: c.NewID(), Kind: Creation, Status: Succeeded, Assignment: a, CreatedAt: c.now()}
	err := c.change(ctx, by, "CreateAccountAssignment", func(tx Tx) (string, error) {
		if err := checkAssignment(tx, a); err != nil {
			return a.subject(), err
		}
		return a.subject(), errors.Join(tx.PutAssignment(a), tx.PutAssignmentRequest(request))
	})
	return request, err
}

func (a Assignment) subject() string {
	return a.AccountID + "/" + a.PermissionSetARN + "/" + a.PrincipalID
}

func checkAssignment(tx Reader, a Assignment) error {
	if _, err := tx.Account(a.AccountID); err != nil {
		return orRefuse(err, AccountNotFound, a.AccountID)
	}
	if _, err := tx.PermissionSet(a.PermissionSetARN); err != nil {
		return orRefuse(err, PermissionSetNotFound, a.PermissionSetARN)
	}
	switch a.PrincipalType {
	case PrincipalUser:
		_, err := tx.User(UserID(a.PrincipalID))
		return orRefuse(err, UserNotFound, a.PrincipalID)
	case PrincipalGroup:
		_, err := tx.Group(GroupID(a.PrincipalID))
		return orRefuse(err, GroupNotFound, a.PrincipalID)
	}
	return &Error{Code: InvalidValue, Field: "PrincipalType", Detail: "want USER or GROUP"}
}

// DeleteAssignment takes a permission set from a principal. When there is no such assignment the request is recorded as failed,
// as the real service does. The principal need not exist any more.
func (c *Center) DeleteAssignment(ctx context.Context, by audit.Actor, a Assignment) (AssignmentRequest, error) {
	request := AssignmentRequest{ID: c.NewID(), Kind: Deletion, Assignment: a, CreatedAt: c.now()}
	err := c.change(ctx, by, "DeleteAccountAssignment", func(tx Tx) (string, error) {
		request.Status, request.FailureReason = Succeeded, ""
		found, err := tx.Assignments(AssignmentQuery{a.AccountID, a.PermissionSetARN, a.PrincipalType, a.PrincipalID, 1})
		if err != nil {
			return a.subject(), err
		}
		if len(found) == 0 {
			request.Status, request.FailureReason = Failed, "Received a 404 status error: Assignment not found."
		}
		return a.subject(), errors.Join(tx.DeleteAssignment(a), tx.PutAssignmentRequest(request))
	})
	return request, err
}

// AssignmentRequest returns the record of a request, or RequestNotFound.
func (c *Center) AssignmentRequest(ctx context.Context, kind RequestKind, id string) (a AssignmentRequest, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		a, err = r.AssignmentRequest(id)
		if err == nil && a.Kind != kind {
			err = ErrNoRow
		}
		return orRefuse(err, RequestNotFound, id)
	})
	return a, err
}

// AssignmentRequests lists requests, newest first.
func (c *Center) AssignmentRequests(ctx context.Context, q AssignmentRequestQuery) (list []AssignmentRequest, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.AssignmentRequests(q)
		return err
	})
	return list, err
}

// Assignments lists assignments in the order of account, permission set and principal.
func (c *Center) Assignments(ctx context.Context, q AssignmentQuery) (list []Assignment, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.Assignments(q)
		return err
	})
	return list, err
}

// AccountAccess is what a user may do in one account.
type AccountAccess struct {
	Account        Account
	PermissionSets []PermissionSet // in the order of their names
}

// Access lists the accounts and permission sets that a user has by own assignments and by groups, in the order of account names.
func (c *Center) Access(ctx context.Context, user UserID) (list []AccountAccess, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		list, err = access(r, user)
		return err
	})
	return list, err
}

func access(r Reader, user UserID) ([]AccountAccess, error) {
	granted, err := r.Assignments(AssignmentQuery{PrincipalType: PrincipalUser, PrincipalID: string(user)})
	if err != nil {
		return nil, err
	}
	groups, err := r.Memberships(MembershipQuery{UserID: user})
	if err != nil {
		return nil, err
	}
	for _, m := range groups {
		more, err := r.Assignments(AssignmentQuery{PrincipalType: PrincipalGroup, PrincipalID: string(m.GroupID)})
		if err != nil {
			return nil, err
		}
		granted = append(granted, more...)
	}
	byAccount := map[string]*AccountAccess{}
	seen := map[[2]string]bool{}
	for _, a := range granted {
		if key := [2]string{a.AccountID, a.PermissionSetARN}; seen[key] {
			continue
		} else {
			seen[key] = true
		}
		account, err := r.Account(a.AccountID)
		if err != nil {
			return nil, err
		}
		set, err := r.PermissionSet(a.PermissionSetARN)
		if err != nil {
			return nil, err
		}
		if byAccount[a.AccountID] == nil {
			byAccount[a.AccountID] = &AccountAccess{Account: account}
		}
		byAccount[a.AccountID].PermissionSets = append(byAccount[a.AccountID].PermissionSets, set)
	}
	return sortedAccess(byAccount), nil
}

func sortedAccess(byAccount map[string]*AccountAccess) []AccountAccess {
	list := make([]AccountAccess, 0, len(byAccount))
	for _, a := range byAccount {
		sort.Slice(a.PermissionSets, func(i, j int) bool { return a.PermissionSets[i].Name < a.PermissionSets[j].Name })
		list = append(list, *a)
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i].Account, list[j].Account
		return a.Name < b.Name || a.Name == b.Name && a.ID < b.ID
	})
	return list
}
