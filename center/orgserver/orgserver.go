// Package orgserver is the center's door for AWS Organizations, as far as it only reads: what
// programs ask of the organization beside sso-admin. It answers from the center's own accounts.
//
// It may import awsapi, center, center/awsdoor and refusal.
package orgserver

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Handler serves the Organizations API.
type Handler struct{ Center *center.Center }

// The input shapes of the service model, with its bounds and patterns. Source: the published model,
// API version 2016-11-28.
const (
	rootPattern    = `r-[0-9a-z]{4,32}`
	unitPattern    = `ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}`
	accountPattern = `\d{12}`
)

var (
	accountID  = awsapi.TextOf(12, 12, accountPattern)
	parentID   = awsapi.TextOf(0, 100, rootPattern+`|`+unitPattern)
	unitID     = awsapi.TextOf(0, 68, unitPattern)
	childID    = awsapi.TextOf(0, 100, accountPattern+`|`+unitPattern)
	childType  = awsapi.EnumOf("ACCOUNT", "ORGANIZATIONAL_UNIT")
	resourceID = awsapi.TextOf(0, 130, strings.Join([]string{
		rootPattern, accountPattern, unitPattern, `p-[0-9a-zA-Z_]{8,128}`, `rp-[0-9a-zA-Z_]{4,128}`,
	}, "|"))
	maxResults = &awsapi.Shape{Kind: awsapi.Integer, Min: 1, Max: 20}
	nextToken  = awsapi.TextOf(0, 100_000, "")
)

// paged is the shape of an input whose answers come in pages.
func paged(m awsapi.Members, required ...string) *awsapi.Shape {
	m["MaxResults"], m["NextToken"] = maxResults, nextToken
	return awsapi.StructureOf(m, required...)
}

// Service is the door for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	ofParent := func() *awsapi.Shape { return paged(awsapi.Members{"ParentId": parentID}, "ParentId") }
	return awsapi.Service{
		Target:      "AWSOrganizationsV20161128",
		SigningName: "organizations",
		Answer:      Answer,
		Refused:     awsdoor.Refused(h.Center),
		Admit:       awsdoor.AdmitFrom(h.Center, center.NetworkOfInstance),
		Authorize:   awsdoor.Authorize,
		Operations: []awsapi.Operation{
			reads(h, "DescribeOrganization", awsapi.StructureOf(nil), describeOrganization),
			reads(h, "DescribeAccount",
				awsapi.StructureOf(awsapi.Members{"AccountId": accountID}, "AccountId"), describeAccount),
			reads(h, "DescribeOrganizationalUnit",
				awsapi.StructureOf(awsapi.Members{"OrganizationalUnitId": unitID}, "OrganizationalUnitId"),
				describeUnit),
			reads(h, "ListRoots", paged(awsapi.Members{}), listRoots),
			reads(h, "ListAccounts", paged(awsapi.Members{}), listAccounts),
			reads(h, "ListAccountsForParent", ofParent(), listAccountsForParent),
			reads(h, "ListOrganizationalUnitsForParent", ofParent(), listUnits),
			reads(h, "ListChildren", paged(
				awsapi.Members{"ParentId": parentID, "ChildType": childType}, "ParentId", "ChildType",
			), listChildren),
			reads(h, "ListParents", paged(awsapi.Members{"ChildId": childID}, "ChildId"), listParents),
			reads(h, "ListTagsForResource", awsapi.StructureOf(
				awsapi.Members{"ResourceId": resourceID, "NextToken": nextToken}, "ResourceId",
			), listTags),
			reads(h, "ListAWSServiceAccessForOrganization", paged(awsapi.Members{}), listServices),
		},
	}
}

// input has what the operations know, each of them some of it, as their shapes say.
type input struct {
	AccountID            string `json:"AccountId"`
	OrganizationalUnitID string `json:"OrganizationalUnitId"`
	ParentID             string `json:"ParentId"`
	ChildID              string `json:"ChildId"`
	ChildType            string
	ResourceID           string `json:"ResourceId"`
	MaxResults           *int
	NextToken            string
}

// reads is an operation on the organization as it is at the moment.
func reads[Out any](
	h *Handler, name string, shape *awsapi.Shape, fn func(organization, input) (Out, error),
) awsapi.Operation {
	return awsapi.OpOf(name, awsapi.Reads, shape, func(ctx context.Context, _ awsapi.Caller, in input) (Out, error) {
		accounts, err := h.Center.Accounts(ctx)
		if err != nil {
			var none Out
			return none, err
		}
		return fn(newOrganization(h.Center.Instance, accounts), in)
	})
}

// Answer maps an error to the wire. It is the only place that does. Source: API reference, common
// errors.
func Answer(err error) *awsapi.Error {
	e := *awsdoor.Answer(err, func(*refusal.Error, *awsapi.Error) {})
	switch e.Code {
	case "ValidationException":
		e.Code, e.Members = "InvalidInputException", map[string]any{"Reason": "INVALID_PATTERN"}
		if strings.Contains(e.Message, "NextToken") {
			e.Members = map[string]any{"Reason": "INVALID_NEXT_TOKEN"}
		}
	case "InternalServerException":
		e.Code = "ServiceException"
	}
	return &e
}

// missing is the answer for something that the organization does not have.
func missing(exception, what string) error {
	return &awsapi.Error{Code: exception, Message: "You specified " + what + " that doesn't exist."}
}

// page cuts a list that is in the order of its keys, and returns the token of the next page.
func page[T any](in input, list string, all []T, key func(T) string) ([]T, string, error) {
	after, err := awsapi.DecodeToken(list, in.NextToken)
	if err != nil {
		return nil, "", err
	}
	size := 20
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	from := 0
	for from < len(all) && after != "" && key(all[from]) <= after {
		from++
	}
	rest := all[from:]
	if len(rest) <= size {
		return rest, "", nil
	}
	return rest[:size], awsapi.EncodeToken(list, key(rest[size-1])), nil
}
