// Package accountaccess is the center's door for the API of account access manager: its one
// application, who is entitled to which role, and tags.
//
// Source: the service model of account-access, 2018-05-10.
//
// It may import awsapi, center, center/awsdoor and refusal.
package accountaccess

import (
	"context"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Handler serves the account-access API.
type Handler struct{ Center *center.Center }

// Service is the door for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	return awsapi.Service{
		SigningName: "account-access",
		Answer:      Answer,
		Refused:     awsdoor.Refused(h.Center),
		Admit:       awsdoor.AdmitFrom(h.Center, center.NetworkOfInstance),
		Authorize:   awsdoor.Authorize,
		Operations: []awsapi.Operation{
			op("CreateApplication", awsapi.Changes, h.createApplication),
			op("GetApplication", awsapi.Reads, h.getApplication),
			op("ListApplications", awsapi.Reads, h.listApplications),
			op("DeleteApplication", awsapi.Changes, h.deleteApplication),
			op("CreateEntitlement", awsapi.Changes, h.createEntitlement),
			op("GetEntitlement", awsapi.Reads, h.getEntitlement),
			op("ListEntitlements", awsapi.Reads, h.listEntitlements),
			op("DeleteEntitlement", awsapi.Changes, h.deleteEntitlement),
			op("ListTagsForResource", awsapi.Reads, h.listTags),
			op("TagResource", awsapi.Changes, h.tag),
			op("UntagResource", awsapi.Changes, h.untag),
		},
	}
}

func op[In, Out any](name string, access awsapi.Access,
	fn func(context.Context, awsapi.Caller, In) (Out, error)) awsapi.Operation {
	return awsapi.OpOf(name, access, Shapes[name], fn)
}

// statuses are those of the model's exceptions that are not 400.
var statuses = map[string]int{
	"ServiceQuotaExceededException": http.StatusPaymentRequired,
	"AccessDeniedException":         http.StatusForbidden,
	"ResourceNotFoundException":     http.StatusNotFound,
	"ConflictException":             http.StatusConflict,
	"ThrottlingException":           http.StatusTooManyRequests,
}

// Answer maps an error to the wire. It is the only place that does. What it says of entitlements
// and roles has the words by which Terraform's provider tells what passes.
func Answer(err error) *awsapi.Error {
	e := awsdoor.Answer(err, func(refused *refusal.Error, e *awsapi.Error) {
		switch {
		case refused.Code == center.AccessManagerExists:
			e.Code = "AlreadyCreatedException"
		case refused.Code == center.EntitlementNotFound:
			e.Message = "Entitlement not found: " + refused.Subject
		case refused.Code == center.RoleUntrusting:
			e.Message = "Error verifying role " + refused.Subject + ": " + refused.Detail
		case refused.Code == center.QuotaExceeded && refused.Field == "Tags": // not modelled for tags
			e.Code = "ValidationException"
		}
	})
	if status, ok := statuses[e.Code]; ok && e.Status == 0 {
		whole := *e
		whole.Status = status
		return &whole
	}
	return e
}

type identityCenter struct {
	InstanceArn string `json:"instanceArn"`
}

type identitySource struct {
	IdentityCenter identityCenter `json:"identityCenter"`
}

type createApplicationInput struct {
	IdentitySource identitySource    `json:"identitySource"`
	Tags           map[string]string `json:"tags"`
}

type applicationOnly struct {
	ApplicationArn string `json:"applicationArn"`
}

func (h *Handler) createApplication(
	ctx context.Context, who awsapi.Caller, in createApplicationInput,
) (applicationOnly, error) {
	a, err := h.Center.CreateAccessManager(
		ctx, awsdoor.Actor(who), in.IdentitySource.IdentityCenter.InstanceArn, listOf(in.Tags),
	)
	return applicationOnly{h.Center.AccessManagerARN(a)}, err
}

type applicationOutput struct {
	ApplicationArn string            `json:"applicationArn"`
	IdentitySource identitySource    `json:"identitySource"`
	Status         string            `json:"status"`
	TenantID       string            `json:"tenantId"`
	CreatedAt      awsapi.DateTime   `json:"createdAt"`
	UpdatedAt      awsapi.DateTime   `json:"updatedAt"`
	Tags           map[string]string `json:"tags,omitzero"`
}

// application is the application, if the ARN is its.
func (h *Handler) application(ctx context.Context, arn string) (center.AccessManager, error) {
	a, err := h.Center.AccessManager(ctx)
	if err == nil && h.Center.AccessManagerARN(a) != arn {
		err = &refusal.Error{Code: center.AccessManagerNotFound, Subject: arn}
	}
	return a, err
}

// getApplication says nothing of an application of sso: the center makes none for it.
func (h *Handler) getApplication(
	ctx context.Context, _ awsapi.Caller, in applicationOnly,
) (out applicationOutput, err error) {
	a, err := h.application(ctx, in.ApplicationArn)
	if err != nil {
		return out, err
	}
	return applicationOutput{
		ApplicationArn: in.ApplicationArn,
		IdentitySource: identitySource{identityCenter{h.Center.Instance.ARN}},
		Status:         "ACTIVE",
		TenantID:       a.TenantID,
		CreatedAt:      awsapi.DateTime(a.CreatedAt),
		UpdatedAt:      awsapi.DateTime(a.UpdatedAt),
		Tags:           mapOf(a.Tags),
	}, nil
}

type paging struct {
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

type applicationEntry struct {
	ApplicationArn string          `json:"applicationArn"`
	TenantID       string          `json:"tenantId"`
	CreatedAt      awsapi.DateTime `json:"createdAt"`
	UpdatedAt      awsapi.DateTime `json:"updatedAt"`
}

type applicationsOutput struct {
	Applications []applicationEntry `json:"applications"`
}

// listApplications has one page: there is one application at most.
func (h *Handler) listApplications(
	ctx context.Context, _ awsapi.Caller, in paging,
) (out applicationsOutput, err error) {
	out.Applications = []applicationEntry{}
	if _, err := awsapi.DecodeToken("ListApplications", in.NextToken); err != nil {
		return out, err
	}
	a, err := h.Center.AccessManager(ctx)
	if refusal.CodeOf(err) == center.AccessManagerNotFound {
		return out, nil
	}
	out.Applications = append(out.Applications, applicationEntry{
		h.Center.AccessManagerARN(a), a.TenantID, awsapi.DateTime(a.CreatedAt), awsapi.DateTime(a.UpdatedAt),
	})
	return out, err
}

func (h *Handler) deleteApplication(
	ctx context.Context, who awsapi.Caller, in applicationOnly,
) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.DeleteAccessManager(ctx, awsdoor.Actor(who), in.ApplicationArn)
}

type tagsInput struct {
	ResourceArn string            `json:"resourceArn"`
	Tags        map[string]string `json:"tags"`
}

type untagInput struct {
	ResourceArn string   `json:"resourceArn"`
	TagKeys     []string `json:"tagKeys"`
}

type resourceInput struct {
	ResourceArn string `json:"resourceArn"`
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

func (h *Handler) listTags(ctx context.Context, _ awsapi.Caller, in resourceInput) (tagsOutput, error) {
	list, err := h.Center.Tags(ctx, in.ResourceArn)
	out := tagsOutput{mapOf(list)}
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	return out, err
}

func (h *Handler) tag(ctx context.Context, who awsapi.Caller, in tagsInput) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.TagResource(ctx, awsdoor.Actor(who), in.ResourceArn, listOf(in.Tags))
}

func (h *Handler) untag(ctx context.Context, who awsapi.Caller, in untagInput) (awsapi.Empty, error) {
	return awsapi.Empty{}, h.Center.UntagResource(ctx, awsdoor.Actor(who), in.ResourceArn, in.TagKeys)
}

// listOf and mapOf are tags as the center has them, and as this service does.
func listOf(m map[string]string) (list []center.Tag) {
	for key, value := range m {
		list = append(list, center.Tag{Key: key, Value: value})
	}
	slices.SortFunc(list, func(a, b center.Tag) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return list
}

func mapOf(list []center.Tag) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, t := range list {
		m[t.Key] = t.Value
	}
	return m
}
