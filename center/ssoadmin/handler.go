package ssoadmin

import (
	"context"
	"sort"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

// Handler serves the sso-admin API.
type Handler struct{ Center *center.Center }

// Service is the door for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	return awsapi.Service{
		Target: "SWBExternalService", SigningName: "sso", Answer: Answer,
		Refused: awsdoor.Refused(h.Center),
		Operations: []awsapi.Operation{
			awsapi.Op("ListInstances", h.listInstances), awsapi.Op("DescribeInstance", h.describeInstance),
			awsapi.Op("CreatePermissionSet", h.createPermissionSet), awsapi.Op("DescribePermissionSet", h.describePermissionSet),
			awsapi.Op("UpdatePermissionSet", h.updatePermissionSet), awsapi.Op("DeletePermissionSet", h.deletePermissionSet),
			awsapi.Op("ListPermissionSets", h.listPermissionSets),
			awsapi.Op("PutInlinePolicyToPermissionSet", h.putInlinePolicy), awsapi.Op("GetInlinePolicyForPermissionSet", h.getInlinePolicy),
			awsapi.Op("DeleteInlinePolicyFromPermissionSet", h.deleteInlinePolicy),
			awsapi.Op("AttachManagedPolicyToPermissionSet", h.attachManagedPolicy), awsapi.Op("DetachManagedPolicyFromPermissionSet", h.detachManagedPolicy),
			awsapi.Op("ListManagedPoliciesInPermissionSet", h.listManagedPolicies),
			awsapi.Op("CreateAccountAssignment", h.createAssignment), awsapi.Op("DeleteAccountAssignment", h.deleteAssignment),
			awsapi.Op("DescribeAccountAssignmentCreationStatus", h.creationStatus), awsapi.Op("DescribeAccountAssignmentDeletionStatus", h.deletionStatus),
			awsapi.Op("ListAccountAssignmentCreationStatus", h.listCreationStatus), awsapi.Op("ListAccountAssignmentDeletionStatus", h.listDeletionStatus),
			awsapi.Op("ListAccountAssignments", h.listAssignments), awsapi.Op("ListAccountAssignmentsForPrincipal", h.listAssignmentsForPrincipal),
			awsapi.Op("ListAccountsForProvisionedPermissionSet", h.listAccounts), awsapi.Op("ListPermissionSetsProvisionedToAccount", h.listProvisioned),
		},
	}
}

// Answer maps an error to the wire. It is the only place that does.
func Answer(err error) *awsapi.Error {
	return awsdoor.Answer(err, func(refused *center.Error, e *awsapi.Error) {
		switch refused.Code {
		case center.PermissionSetTaken:
			e.Message = "PermissionSet with name " + refused.Subject + " already exists."
		case center.PermissionSetInUse:
			e.Message = "Could not delete because PermissionSet has ApplicationProfile associated with it"
		}
	})
}

func invalid(message string) error {
	return &awsapi.Error{Code: "ValidationException", Message: message}
}

// instance is the input that nearly every operation has.
type instance struct{ InstanceArn string }

func (h *Handler) check(in instance) error {
	if in.InstanceArn == "" {
		return invalid("InstanceArn is required")
	}
	if in.InstanceArn != h.Center.Instance.ARN {
		return &center.Error{Code: center.InstanceNotFound, Subject: in.InstanceArn}
	}
	return nil
}

type paging struct {
	MaxResults *int
	NextToken  string
}

// cut returns the page of a sorted list that follows the token, and the token of the next page.
func cut[T any](p paging, operation string, list []T, key func(T) string) ([]T, string, error) {
	size, err := awsapi.PageSize(p.MaxResults)
	if err != nil {
		return nil, "", err
	}
	after, err := awsapi.DecodeToken(operation, p.NextToken)
	if err != nil {
		return nil, "", err
	}
	from := sort.Search(len(list), func(i int) bool { return key(list[i]) > after })
	if after == "" {
		from = 0
	}
	page, next := list[from:], ""
	if len(page) > size {
		page = page[:size]
		next = awsapi.EncodeToken(operation, key(page[size-1]))
	}
	return page, next, nil
}

type instanceDetail struct {
	InstanceArn     string
	IdentityStoreID string `json:"IdentityStoreId"`
	OwnerAccountID  string `json:"OwnerAccountId"`
	Name            string `json:",omitempty"`
	CreatedDate     awsapi.Timestamp
	Status          string
}

func (h *Handler) instanceDetail() instanceDetail {
	i := h.Center.Instance
	return instanceDetail{i.ARN, i.IdentityStoreID, i.OwnerAccountID, "", awsapi.Timestamp(i.CreatedAt), "ACTIVE"}
}

type listInstancesOutput struct{ Instances []instanceDetail }

func (h *Handler) listInstances(context.Context, awsapi.Caller, paging) (listInstancesOutput, error) {
	return listInstancesOutput{[]instanceDetail{h.instanceDetail()}}, nil
}

func (h *Handler) describeInstance(_ context.Context, _ awsapi.Caller, in instance) (instanceDetail, error) {
	return h.instanceDetail(), h.check(in)
}
