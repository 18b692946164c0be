package ssoadmin

import (
	"context"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

// assignments are the operations on account assignments and on provisioning.
func (h *Handler) assignments() []awsapi.Operation {
	return []awsapi.Operation{
		within(h, "CreateAccountAssignment", changes, h.createAssignment),
		within(h, "DeleteAccountAssignment", changes, h.deleteAssignment),
		within(h, "DescribeAccountAssignmentCreationStatus", reads, h.creationStatus),
		within(h, "DescribeAccountAssignmentDeletionStatus", reads, h.deletionStatus),
		within(h, "ListAccountAssignmentCreationStatus", reads, h.listCreationStatus),
		within(h, "ListAccountAssignmentDeletionStatus", reads, h.listDeletionStatus),
		within(h, "ListAccountAssignments", reads, h.listAssignments),
		within(h, "ListAccountAssignmentsForPrincipal", reads, h.listAssignmentsForPrincipal),
		within(h, "ProvisionPermissionSet", changes, h.provision),
		within(h, "DescribePermissionSetProvisioningStatus", reads, h.provisioningStatus),
		within(h, "ListPermissionSetProvisioningStatus", reads, h.listProvisioningStatus),
		within(h, "ListAccountsForProvisionedPermissionSet", reads, h.listAccounts),
		within(h, "ListPermissionSetsProvisionedToAccount", reads, h.listProvisioned),
	}
}

type assignmentInput struct {
	instance
	TargetID         string `json:"TargetId"`
	TargetType       string
	PermissionSetArn string
	PrincipalType    string
	PrincipalID      string `json:"PrincipalId"`
}

func (in assignmentInput) assignment() center.Assignment {
	return center.Assignment{
		AccountID:        in.TargetID,
		PermissionSetARN: in.PermissionSetArn,
		PrincipalType:    center.PrincipalType(in.PrincipalType),
		PrincipalID:      in.PrincipalID,
	}
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
	return status{
		string(r.Status), r.ID, r.FailureReason, a.AccountID, "AWS_ACCOUNT", a.PermissionSetARN,
		string(a.PrincipalType), a.PrincipalID, awsapi.Timestamp(r.CreatedAt),
	}
}

type creationOutput struct{ AccountAssignmentCreationStatus status }

type deletionOutput struct{ AccountAssignmentDeletionStatus status }

func (h *Handler) createAssignment(ctx context.Context, who awsapi.Caller, in assignmentInput) (creationOutput, error) {
	r, err := h.Center.CreateAssignment(ctx, awsdoor.Actor(who), in.assignment())
	return creationOutput{showStatus(r)}, err
}

func (h *Handler) deleteAssignment(ctx context.Context, who awsapi.Caller, in assignmentInput) (deletionOutput, error) {
	r, err := h.Center.DeleteAssignment(ctx, awsdoor.Actor(who), in.assignment())
	return deletionOutput{showStatus(r)}, err
}

type statusInput struct {
	instance
	AccountAssignmentCreationRequestID string `json:"AccountAssignmentCreationRequestId"`
	AccountAssignmentDeletionRequestID string `json:"AccountAssignmentDeletionRequestId"`
	ProvisionPermissionSetRequestID    string `json:"ProvisionPermissionSetRequestId"`
}

func (h *Handler) creationStatus(ctx context.Context, _ awsapi.Caller, in statusInput) (creationOutput, error) {
	r, err := h.Center.AssignmentRequest(ctx, center.Creation, in.AccountAssignmentCreationRequestID)
	return creationOutput{showStatus(r)}, err
}

func (h *Handler) deletionStatus(ctx context.Context, _ awsapi.Caller, in statusInput) (deletionOutput, error) {
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

// statusPage is a page of such a list.
type statusPage struct {
	list []statusMetadata
	next string
}

type creationStatuses struct {
	AccountAssignmentsCreationStatus []statusMetadata
	NextToken                        string `json:",omitempty"`
}

type deletionStatuses struct {
	AccountAssignmentsDeletionStatus []statusMetadata
	NextToken                        string `json:",omitempty"`
}

func (h *Handler) listCreationStatus(
	ctx context.Context, _ awsapi.Caller, in listStatusInput,
) (creationStatuses, error) {
	page, err := h.statuses(ctx, center.Creation, in)
	return creationStatuses{page.list, page.next}, err
}

func (h *Handler) listDeletionStatus(
	ctx context.Context, _ awsapi.Caller, in listStatusInput,
) (deletionStatuses, error) {
	page, err := h.statuses(ctx, center.Deletion, in)
	return deletionStatuses{page.list, page.next}, err
}

func (h *Handler) statuses(
	ctx context.Context, kind center.RequestKind, in listStatusInput,
) (statusPage, error) {
	out := statusPage{list: []statusMetadata{}}
	p, err := in.of(1, "List"+string(kind), in.Filter.Status)
	if err != nil {
		return out, err
	}
	requests, err := h.Center.AssignmentRequests(
		ctx,
		center.AssignmentRequestQuery{
			Kind:   kind,
			Status: center.RequestStatus(in.Filter.Status),
			Before: p.begin(),
			Limit:  p.limit(),
		},
	)
	requests, out.next = cut(p, requests, func(r center.AssignmentRequest) string { return r.ID })
	for _, r := range requests {
		out.list = append(out.list, statusMetadata{string(r.Status), r.ID, awsapi.Timestamp(r.CreatedAt)})
	}
	return out, err
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

// listAssignments refuses a permission set that is not there: the Terraform provider takes that for
// an assignment that is gone.
func (h *Handler) listAssignments(
	ctx context.Context, _ awsapi.Caller, in listAssignmentsInput,
) (assignmentsOutput, error) {
	if _, err := h.Center.PermissionSet(ctx, in.PermissionSetArn); err != nil {
		return assignmentsOutput{}, err
	}
	p, err := in.of(4, "ListAccountAssignments", in.AccountID, in.PermissionSetArn)
	if err != nil {
		return assignmentsOutput{}, err
	}
	return h.pageOfAssignments(
		ctx, p, center.AssignmentQuery{AccountID: in.AccountID, PermissionSetARN: in.PermissionSetArn},
	)
}

// listAssignmentsForPrincipal includes, for a user, the assignments of the user's groups, shown
// with the group as principal.
func (h *Handler) listAssignmentsForPrincipal(
	ctx context.Context, _ awsapi.Caller, in listAssignmentsInput,
) (assignmentsOutput, error) {
	p, err := in.of(
		4, "ListAccountAssignmentsForPrincipal", in.PrincipalType, in.PrincipalID, in.Filter.AccountID,
	)
	if err != nil {
		return assignmentsOutput{}, err
	}
	q := center.AssignmentQuery{AccountID: in.Filter.AccountID, HeldBy: center.UserID(in.PrincipalID)}
	if in.PrincipalType == string(center.PrincipalGroup) {
		q.HeldBy = ""
		q.PrincipalType = center.PrincipalGroup
		q.PrincipalID = in.PrincipalID
	}
	return h.pageOfAssignments(ctx, p, q)
}

func (h *Handler) pageOfAssignments(ctx context.Context, p page, q center.AssignmentQuery) (assignmentsOutput, error) {
	out := assignmentsOutput{AccountAssignments: []assignment{}}
	if a := p.after; a != nil {
		q.After = center.Assignment{
			AccountID:        a[0],
			PermissionSetARN: a[1],
			PrincipalType:    center.PrincipalType(a[2]),
			PrincipalID:      a[3],
		}
	}
	q.Limit = p.limit()
	list, err := h.Center.Assignments(ctx, q)
	list, out.NextToken = cut(p, list, func(a center.Assignment) string {
		return key(a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID)
	})
	for _, a := range list {
		out.AccountAssignments = append(
			out.AccountAssignments,
			assignment{a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID},
		)
	}
	return out, err
}
