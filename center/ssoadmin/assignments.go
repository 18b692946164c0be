package ssoadmin

import (
	"context"
	"slices"
	"sort"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

type assignmentInput struct {
	instance
	TargetID         string `json:"TargetId"`
	TargetType       string
	PermissionSetArn string
	PrincipalType    string
	PrincipalID      string `json:"PrincipalId"`
}

func (in assignmentInput) assignment() (center.Assignment, error) {
	if in.TargetType != "AWS_ACCOUNT" {
		return center.Assignment{}, invalid("TargetType must be AWS_ACCOUNT")
	}
	return center.Assignment{AccountID: in.TargetID, PermissionSetARN: in.PermissionSetArn, PrincipalType: center.PrincipalType(in.PrincipalType), PrincipalID: in.PrincipalID}, nil
}

// status is the record of a request.
type status struct {
	Status           string
	RequestID        string `json:"RequestId"`
	FailureReason    string `json:",omitempty"`
	TargetID         string `json:"TargetId,omitempty"`
	TargetType       string `json:",omitempty"`
	PermissionSetArn string `json:",omitempty"`
	PrincipalType    string `json:",omitempty"`
	PrincipalID      string `json:"PrincipalId,omitempty"`
	CreatedDate      awsapi.Timestamp
}

func showStatus(r center.AssignmentRequest) status {
	a := r.Assignment
	return status{string(r.Status), r.ID, r.FailureReason, a.AccountID, "AWS_ACCOUNT", a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID, awsapi.Timestamp(r.CreatedAt)}
}

type creationOutput struct{ AccountAssignmentCreationStatus status }

type deletionOutput struct{ AccountAssignmentDeletionStatus status }

func (h *Handler) createAssignment(ctx context.Context, who awsapi.Caller, in assignmentInput) (creationOutput, error) {
	if err := h.check(in.instance); err != nil {
		return creationOutput{}, err
	}
	a, err := in.assignment()
	if err != nil {
		return creationOutput{}, err
	}
	r, err := h.Center.CreateAssignment(ctx, awsdoor.Actor(who), a)
	return creationOutput{showStatus(r)}, err
}

func (h *Handler) deleteAssignment(ctx context.Context, who awsapi.Caller, in assignmentInput) (deletionOutput, error) {
	if err := h.check(in.instance); err != nil {
		return deletionOutput{}, err
	}
	a, err := in.assignment()
	if err != nil {
		return deletionOutput{}, err
	}
	r, err := h.Center.DeleteAssignment(ctx, awsdoor.Actor(who), a)
	return deletionOutput{showStatus(r)}, err
}

type statusInput struct {
	instance
	AccountAssignmentCreationRequestID string `json:"AccountAssignmentCreationRequestId"`
	AccountAssignmentDeletionRequestID string `json:"AccountAssignmentDeletionRequestId"`
}

func (h *Handler) creationStatus(ctx context.Context, _ awsapi.Caller, in statusInput) (creationOutput, error) {
	if err := h.check(in.instance); err != nil {
		return creationOutput{}, err
	}
	r, err := h.Center.AssignmentRequest(ctx, center.Creation, in.AccountAssignmentCreationRequestID)
	return creationOutput{showStatus(r)}, err
}

func (h *Handler) deletionStatus(ctx context.Context, _ awsapi.Caller, in statusInput) (deletionOutput, error) {
	if err := h.check(in.instance); err != nil {
		return deletionOutput{}, err
	}
	r, err := h.Center.AssignmentRequest(ctx, center.Deletion, in.AccountAssignmentDeletionRequestID)
	return deletionOutput{showStatus(r)}, err
}

type listStatusInput struct {
	instance
	paging
	Filter struct{ Status string }
}

// statusMetadata is a status in a list.
type statusMetadata struct {
	Status      string
	RequestID   string `json:"RequestId"`
	CreatedDate awsapi.Timestamp
}

type creationStatuses struct {
	AccountAssignmentsCreationStatus []statusMetadata
	NextToken                        string `json:",omitempty"`
}

type deletionStatuses struct {
	AccountAssignmentsDeletionStatus []statusMetadata
	NextToken                        string `json:",omitempty"`
}

func (h *Handler) listCreationStatus(ctx context.Context, _ awsapi.Caller, in listStatusInput) (creationStatuses, error) {
	list, next, err := h.statuses(ctx, center.Creation, in)
	return creationStatuses{list, next}, err
}

func (h *Handler) listDeletionStatus(ctx context.Context, _ awsapi.Caller, in listStatusInput) (deletionStatuses, error) {
	list, next, err := h.statuses(ctx, center.Deletion, in)
	return deletionStatuses{list, next}, err
}

// maxStatuses is how many of the newest requests the lists go back.
const maxStatuses = 1000

func (h *Handler) statuses(ctx context.Context, kind center.RequestKind, in listStatusInput) ([]statusMetadata, string, error) {
	list := []statusMetadata{}
	if err := h.check(in.instance); err != nil {
		return list, "", err
	}
	requests, err := h.Center.AssignmentRequests(ctx, center.AssignmentRequestQuery{Kind: kind, Status: center.RequestStatus(in.Filter.Status), Limit: maxStatuses})
	if err != nil {
		return list, "", err
	}
	sort.Slice(requests, func(i, j int) bool { return requests[i].ID < requests[j].ID })
	page, next, err := cut(in.paging, "List"+string(kind), requests, func(r center.AssignmentRequest) string { return r.ID })
	for _, r := range page {
		list = append(list, statusMetadata{string(r.Status), r.ID, awsapi.Timestamp(r.CreatedAt)})
	}
	return list, next, err
}

type listAssignmentsInput struct {
	instance
	paging
	AccountID        string `json:"AccountId"`
	PermissionSetArn string
	PrincipalID      string `json:"PrincipalId"`
	PrincipalType    string
	Filter           struct {
		AccountID string `json:"AccountId"`
	}
}

type assignment struct {
	AccountID        string `json:"AccountId"`
	PermissionSetArn string
	PrincipalType    string
	PrincipalID      string `json:"PrincipalId"`
}

type assignmentsOutput struct {
	AccountAssignments []assignment
	NextToken          string `json:",omitempty"`
}

func (h *Handler) listAssignments(ctx context.Context, _ awsapi.Caller, in listAssignmentsInput) (assignmentsOutput, error) {
	if err := h.check(in.instance); err != nil {
		return assignmentsOutput{AccountAssignments: []assignment{}}, err
	}
	list, err := h.Center.Assignments(ctx, center.AssignmentQuery{AccountID: in.AccountID, PermissionSetARN: in.PermissionSetArn})
	if err != nil {
		return assignmentsOutput{}, err
	}
	return pageOfAssignments(in.paging, "ListAccountAssignments", list)
}

func pageOfAssignments(p paging, operation string, list []center.Assignment) (assignmentsOutput, error) {
	out := assignmentsOutput{AccountAssignments: []assignment{}}
	key := func(a center.Assignment) string {
		return a.AccountID + "/" + a.PermissionSetARN + "/" + string(a.PrincipalType) + "/" + a.PrincipalID
	}
	sort.Slice(list, func(i, j int) bool { return key(list[i]) < key(list[j]) })
	page, next, err := cut(p, operation, list, key)
	for _, a := range page {
		out.AccountAssignments = append(out.AccountAssignments, assignment{a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID})
	}
	out.NextToken = next
	return out, err
}

// listAssignmentsForPrincipal includes, for a user, the assignments of the user's groups, shown with the group as principal.
func (h *Handler) listAssignmentsForPrincipal(ctx context.Context, _ awsapi.Caller, in listAssignmentsInput) (assignmentsOutput, error) {
	if err := h.check(in.instance); err != nil {
		return assignmentsOutput{AccountAssignments: []assignment{}}, err
	}
	q := center.AssignmentQuery{PrincipalType: center.PrincipalType(in.PrincipalType), PrincipalID: in.PrincipalID, AccountID: in.Filter.AccountID}
	list, err := h.Center.Assignments(ctx, q)
	if err != nil {
		return assignmentsOutput{}, err
	}
	if q.PrincipalType == center.PrincipalUser {
		ms, err := h.Center.Memberships(ctx, center.MembershipQuery{UserID: center.UserID(in.PrincipalID)})
		if err != nil {
			return assignmentsOutput{}, err
		}
		for _, m := range ms {
			more, err := h.Center.Assignments(ctx, center.AssignmentQuery{PrincipalType: center.PrincipalGroup, PrincipalID: string(m.GroupID), AccountID: q.AccountID})
			if err != nil {
				return assignmentsOutput{}, err
			}
			list = append(list, more...)
		}
	}
	return pageOfAssignments(in.paging, "ListAccountAssignmentsForPrincipal", list)
}

type accountsOutput struct {
	AccountIDs []string `json:"AccountIds"`
	NextToken  string   `json:",omitempty"`
}

// listAccounts lists the accounts that a permission set is assigned in, where it counts as provisioned.
func (h *Handler) listAccounts(ctx context.Context, _ awsapi.Caller, in listAssignmentsInput) (accountsOutput, error) {
	if err := h.check(in.instance); err != nil {
		return accountsOutput{}, err
	}
	list, err := h.Center.Assignments(ctx, center.AssignmentQuery{PermissionSetARN: in.PermissionSetArn})
	if err != nil {
		return accountsOutput{}, err
	}
	page, next, err := cut(in.paging, "ListAccountsForProvisionedPermissionSet", distinct(list, func(a center.Assignment) string { return a.AccountID }), same)
	return accountsOutput{page, next}, err
}

func (h *Handler) listProvisioned(ctx context.Context, _ awsapi.Caller, in listAssignmentsInput) (listPermissionSetsOutput, error) {
	if err := h.check(in.instance); err != nil {
		return listPermissionSetsOutput{}, err
	}
	list, err := h.Center.Assignments(ctx, center.AssignmentQuery{AccountID: in.AccountID})
	if err != nil {
		return listPermissionSetsOutput{}, err
	}
	page, next, err := cut(in.paging, "ListPermissionSetsProvisionedToAccount", distinct(list, func(a center.Assignment) string { return a.PermissionSetARN }), same)
	return listPermissionSetsOutput{page, next}, err
}

func same(s string) string { return s }

func distinct(list []center.Assignment, key func(center.Assignment) string) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, key(a))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
