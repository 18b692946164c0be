package ssoadmin

import (
	"context"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

type provisionInput struct {
	instance
	PermissionSetArn string
	TargetID         string `json:"TargetId"`
	TargetType       string
}

// provisioningRecord is the record of a request, which names its account otherwise than the others.
type provisioningRecord struct {
	Status           string
	RequestID        string `json:"RequestId"`
	AccountID        string `json:"AccountId,omitempty"`
	PermissionSetArn string
	FailureReason    string `json:",omitempty"`
	CreatedDate      awsapi.Timestamp
}

type provisioningOutput struct{ PermissionSetProvisioningStatus provisioningRecord }

func showProvisioning(r center.AssignmentRequest) provisioningOutput {
	return provisioningOutput{
		provisioningRecord{
			string(r.Status), r.ID, r.Assignment.AccountID, r.Assignment.PermissionSetARN, r.FailureReason,
			awsapi.Timestamp(r.CreatedAt),
		},
	}
}

func (h *Handler) provision(ctx context.Context, who awsapi.Caller, in provisionInput) (provisioningOutput, error) {
	if (in.TargetType == "AWS_ACCOUNT") != (in.TargetID != "") {
		return provisioningOutput{}, invalid("TargetId is required for the target type AWS_ACCOUNT, and only for it")
	}
	r, err := h.Center.ProvisionPermissionSet(ctx, awsdoor.Actor(who), in.PermissionSetArn, in.TargetID)
	return showProvisioning(r), err
}

func (h *Handler) provisioningStatus(ctx context.Context, _ awsapi.Caller, in statusInput) (provisioningOutput, error) {
	r, err := h.Center.AssignmentRequest(ctx, center.Provisions, in.ProvisionPermissionSetRequestID)
	return showProvisioning(r), err
}

type provisioningStatuses struct {
	PermissionSetsProvisioningStatus []statusMetadata
	NextToken                        string `json:",omitempty"`
}

func (h *Handler) listProvisioningStatus(
	ctx context.Context, _ awsapi.Caller, in listStatusInput,
) (provisioningStatuses, error) {
	page, err := h.statuses(ctx, center.Provisions, in)
	return provisioningStatuses{page.list, page.next}, err
}

type listProvisionedInput struct {
	instance
	paging
	AccountID          string `json:"AccountId"`
	PermissionSetArn   string
	ProvisioningStatus string
}

// rolesPage is a page of a list of roles.
type rolesPage struct {
	keys []string
	next string
}

// roles reads a page of roles; key is the part that tells them apart in the list.
func (h *Handler) roles(
	ctx context.Context, list string, in listProvisionedInput, key func(center.Provisioned) string,
) (rolesPage, error) {
	out := rolesPage{keys: []string{}}
	p, err := in.of(1, list, in.AccountID, in.PermissionSetArn, in.ProvisioningStatus)
	if err != nil {
		return out, err
	}
	q := center.ProvisionedQuery{AccountID: in.AccountID, PermissionSetARN: in.PermissionSetArn, Limit: p.limit()}
	if in.ProvisioningStatus != "" {
		latest := in.ProvisioningStatus == "LATEST_PERMISSION_SET_PROVISIONED"
		q.Latest = &latest
	}
	if p.after != nil {
		q.After = center.Provisioned{AccountID: in.AccountID, PermissionSetARN: p.begin()}
		if in.AccountID == "" {
			q.After = center.Provisioned{AccountID: p.begin(), PermissionSetARN: in.PermissionSetArn}
		}
	}
	roles, err := h.Center.Provisioned(ctx, q)
	roles, out.next = cut(p, roles, key)
	for _, r := range roles {
		out.keys = append(out.keys, key(r))
	}
	return out, err
}

type accountsOutput struct {
	AccountIDs []string `json:"AccountIds"`
	NextToken  string   `json:",omitempty"`
}

func (h *Handler) listAccounts(ctx context.Context, _ awsapi.Caller, in listProvisionedInput) (accountsOutput, error) {
	if _, err := h.Center.PermissionSet(ctx, in.PermissionSetArn); err != nil {
		return accountsOutput{}, err
	}
	page, err := h.roles(
		ctx, "ListAccountsForProvisionedPermissionSet", in, func(p center.Provisioned) string { return p.AccountID },
	)
	return accountsOutput{page.keys, page.next}, err
}

func (h *Handler) listProvisioned(
	ctx context.Context, _ awsapi.Caller, in listProvisionedInput,
) (listPermissionSetsOutput, error) {
	page, err := h.roles(
		ctx, "ListPermissionSetsProvisionedToAccount", in,
		func(p center.Provisioned) string { return p.PermissionSetARN },
	)
	return listPermissionSetsOutput{page.keys, page.next}, err
}
