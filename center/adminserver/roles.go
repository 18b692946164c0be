package adminserver

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/center/iam"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// accountRoles says what an account must have in IAM: the SAML provider, and a role for each
// permission set that is provisioned there.
func (h *Handler) accountRoles(
	ctx context.Context, _ awsapi.Caller, in adminapi.AccountInput,
) (adminapi.AccountRoles, error) {
	account, err := h.accountNamed(ctx, in.AccountID)
	out := adminapi.AccountRoles{
		AccountID:        account,
		SAMLProviderName: h.Center.SAMLProviderName(),
		Roles:            []adminapi.Role{},
	}
	if err == nil {
		_, err = h.Center.Account(ctx, account)
	}
	if err != nil {
		return out, err
	}
	metadata, err := iam.ProviderMetadata(ctx, h.Center)
	if err != nil {
		return out, err
	}
	out.SAMLMetadata = string(metadata)
	roles, err := h.Center.Provisioned(ctx, center.ProvisionedQuery{AccountID: account})
	if err != nil {
		return out, err
	}
	for _, r := range roles {
		set, err := h.Center.PermissionSet(ctx, r.PermissionSetARN)
		if err != nil {
			return out, err
		}
		out.Roles = append(out.Roles, showRole(set.Name, set.RoleIn(account, r.RoleName)))
	}
	return out, nil
}

// roleTemplate writes what an account must have in IAM as a template.
func (h *Handler) roleTemplate(
	ctx context.Context, who awsapi.Caller, in adminapi.RoleTemplateInput,
) (adminapi.RoleTemplate, error) {
	must, err := h.accountRoles(ctx, who, adminapi.AccountInput{AccountID: in.AccountID})
	if err != nil {
		return adminapi.RoleTemplate{}, err
	}
	roles := iam.AccountRoles{
		ProviderName: must.SAMLProviderName,
		Metadata:     must.SAMLMetadata,
		Trust:        iam.Trust{Path: cmp.Or(in.RolePath, "/"), Hub: in.HubRole},
	}
	for _, r := range must.Roles {
		roles.Roles = append(roles.Roles, center.AccountRole{
			AccountID:    must.AccountID,
			Name:         r.RoleName,
			Description:  r.Description,
			Policies:     r.ManagedPolicyARNs,
			InlinePolicy: r.InlinePolicy,
			Boundary:     r.PermissionsBoundary,
		})
	}
	write := roles.CloudFormation
	switch in.Format {
	case adminapi.TemplateCloudFormation:
	case adminapi.TemplateTerraform:
		write = roles.Terraform
	default:
		return adminapi.RoleTemplate{}, &refusal.Error{Code: center.InvalidValue, Field: "Format"}
	}
	text, err := write()
	return adminapi.RoleTemplate{Template: string(text)}, err
}

func showRole(set string, r center.AccountRole) adminapi.Role {
	return adminapi.Role{
		RoleName:            r.Name,
		PermissionSet:       set,
		Description:         r.Description,
		ManagedPolicyARNs:   r.Policies,
		InlinePolicy:        r.InlinePolicy,
		PermissionsBoundary: r.Boundary,
	}
}

// rolesAtOnce bounds a page of ListRoles.
const rolesAtOnce = 500

func (h *Handler) listRoles(
	ctx context.Context, _ awsapi.Caller, in adminapi.ListRolesInput,
) (adminapi.RoleStates, error) {
	out := adminapi.RoleStates{Roles: []adminapi.RoleState{}}
	account, err := h.accountNamed(ctx, in.AccountID)
	if err != nil {
		return out, err
	}
	q := center.ProvisionedQuery{AccountID: account, Drifted: in.Drifted, Limit: rolesAtOnce}
	if in.NextToken != "" {
		var ok bool
		if q.After.AccountID, q.After.PermissionSetARN, ok = strings.Cut(in.NextToken, " "); !ok {
			return out, &refusal.Error{Code: center.InvalidValue, Field: "NextToken"}
		}
	}
	roles, e1 := h.Center.Provisioned(ctx, q)
	jobs, e2 := h.Center.RoleJobs(ctx, center.RoleJobQuery{AccountID: account, Limit: maxJobsShown})
	if err := errors.Join(e1, e2); err != nil {
		return out, err
	}
	work := map[string]center.RoleJob{}
	for _, j := range jobs {
		work[j.RoleName] = j
	}
	sets := map[string]center.PermissionSet{}
	show := func(account, arn, name string) (adminapi.RoleState, error) {
		set, known := sets[arn]
		if !known {
			var err error
			// a role that is retired may outlive it
			if set, err = h.Center.PermissionSet(ctx, arn); err != nil &&
				refusal.CodeOf(err) != center.PermissionSetNotFound {
				return adminapi.RoleState{}, err
			}
			sets[arn] = set
		}
		return adminapi.RoleState{
			AccountID:        account,
			PermissionSet:    set.Name,
			PermissionSetARN: arn,
			RoleName:         name,
			Drift:            []string{},
		}, nil
	}
	for _, r := range roles {
		state, err := show(r.AccountID, r.PermissionSetARN, r.RoleName)
		if err != nil {
			return out, err
		}
		if !r.CheckedAt.IsZero() {
			state.CheckedAt = &r.CheckedAt
		}
		job, working := work[r.RoleName]
		delete(work, r.RoleName)
		state.Status = string(r.Status(sets[r.PermissionSetARN], working))
		state.Reason = job.Reason
		state.Drift = append(state.Drift, r.Drift...)
		out.Roles = append(out.Roles, state)
	}
	if len(roles) == rolesAtOnce {
		last := roles[len(roles)-1]
		out.NextToken = last.AccountID + " " + last.PermissionSetARN
		return out, nil
	}
	for _, j := range jobs { // with the last page come those that are not there yet, or not any more
		if _, rest := work[j.RoleName]; !rest || (in.Drifted && !j.Retire) {
			continue
		}
		state, err := show(j.AccountID, j.PermissionSetARN, j.RoleName)
		if err != nil {
			return out, err
		}
		state.Status, state.Reason = adminapi.RoleWorking, j.Reason
		if j.Retire {
			state.Status = adminapi.RoleRetiring
		}
		out.Roles = append(out.Roles, state)
	}
	return out, nil
}

// maxJobsShown bounds the work that is shown: with more of it, what is in work is shown in part.
const maxJobsShown = 2000 //bound:list work on roles that is shown

func (h *Handler) recheckRoles(
	ctx context.Context, who awsapi.Caller, in adminapi.AccountInput,
) (adminapi.None, error) {
	account, err := h.accountNamed(ctx, in.AccountID)
	if err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.RecheckRoles(ctx, awsdoor.Actor(who), account)
}

func (h *Handler) provisionRoles(
	ctx context.Context, who awsapi.Caller, in adminapi.ProvisionRolesInput,
) (adminapi.RoleRequest, error) {
	account, e1 := h.accountNamed(ctx, in.AccountID)
	set, e2 := h.setNamed(ctx, in.PermissionSetARN)
	if err := errors.Join(e1, e2); err != nil {
		return adminapi.RoleRequest{}, err
	}
	r, err := h.Center.ProvisionPermissionSet(ctx, awsdoor.Actor(who), set, account)
	return showRoleRequest(r), err
}

func (h *Handler) roleRequest(
	ctx context.Context, _ awsapi.Caller, in adminapi.RoleRequestInput,
) (adminapi.RoleRequest, error) {
	r, err := h.Center.AssignmentRequest(ctx, center.Provisions, in.RequestID)
	return showRoleRequest(r), err
}

func showRoleRequest(r center.AssignmentRequest) adminapi.RoleRequest {
	return adminapi.RoleRequest{RequestID: r.ID, Status: string(r.Status), FailureReason: r.FailureReason}
}
